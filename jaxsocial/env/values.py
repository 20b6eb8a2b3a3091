"""Values of fields, read as the type that a record declares and held to its range.

The command line, TOML, JSON and Python share this reader. A field of a record is declared as one of the types below, or
as ``Annotated[int, Range(2, 9)]``. Without a range any whole number of 32 bits, or any finite number, fits.
"""

import dataclasses
import functools
import importlib
import math
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple, Union

import numpy as np

LARGEST = {int: 2**31 - 1, float: float(np.finfo(np.float32).max)}
"""The largest number of a type that a compiled program can hold."""


class Range(NamedTuple):
    """The numbers that a field may have, both bounds included."""

    low: int | float = -math.inf
    high: int | float = math.inf
    """If infinite, the largest number of the field's type."""
    excluded: int | float | None = None
    """A bound that is not in the range."""

    def remedy(self, number: int | float) -> str:
        """Returns what to choose instead of a number; empty if it is in the range.

        >>> Range(0, 1).remedy(1.5), Range(1).remedy(0), Range(1).remedy(3_000_000_000), Range(0).remedy(2.5)
        ('0 to 1', '1 or more', '2147483647 or less', '')
        """
        if not self.low <= number <= self.high or number == self.excluded:
            return str(self)
        limit = LARGEST[type(number)]
        if math.isinf(self.high) and abs(number) > limit:
            return "a finite number" if isinstance(number, float) else f"{limit} or less"
        if self.excluded is None:
            return ""
        # Programs compute with 32 bits: 1e-50, below the smallest normal number, is 0 there, and 1 - 1e-9 is 1.
        held = 0.0 if abs(number) < np.finfo(np.float32).tiny else float(np.float32(number))
        return str(self) if held == self.excluded else ""

    def __str__(self):
        """Returns the range in words, as messages and docstrings have it.

        >>> str(Range(1)), str(Range(0, excluded=0)), str(Range(0, 1, excluded=1)), str(Range())
        ('1 or more', 'a number above 0', '0 up to below 1', 'a finite number')
        """
        if self.high > LARGEST[int]:
            above = "a number above {}" if self.low == self.excluded else "{} or more"
            return "a finite number" if math.isinf(self.low) else above.format(self.low)
        return f"{self.low} {'up to below' if self.high == self.excluded else 'to'} {self.high}"


Count = Annotated[int, Range(1)]
Index = Annotated[int, Range(0)]
Steps = Annotated[int, Range(1, 2**53)]
"""Learner steps, which only the host counts: they may exceed 32 bits."""
Probability = Annotated[float, Range(0, 1)]
NotNegative = Annotated[float, Range(0)]
Positive = Annotated[float, Range(0, excluded=0)]


def fitting(value: Any, kind: Any, name: str) -> Any:
    """Returns a value as the type that its field is declared with: lists become tuples, 3.0 becomes 3.

    Values of other types than a file can hold are returned unchanged.

    >>> fitting([1, 2], tuple[float, ...], "stages.returns")
    (1.0, 2.0)
    >>> fitting(None, Literal["a"] | None, "x"), fitting("a", Literal["a"] | None, "x")
    (None, 'a')

    Args:
      value: the value.
      kind: the declared type, a record with fields of such types included.
      name: the field's name, for messages.

    Raises:
      ValueError: the value is of another type or out of range, in one line that names the field.
    """
    try:
        return _record(value, kind, name) if is_record(kind) else _converted(value, kind)
    except _OfAnotherType:
        raise ValueError(f"{name} = {value!r} is of the wrong type: give {_in_words(kind)}") from None
    except _OutOfRange as problem:
        raise ValueError(f"{name}={value!r}: choose {problem}") from None


class _OfAnotherType(Exception):  # noqa: N818, and no TypeError, which a mistake could raise
    """A value that is not of the declared type."""


class _OutOfRange(Exception):  # noqa: N818, its text is the remedy
    """A value of the right type that is not among those allowed."""


def is_record(kind: Any) -> bool:
    """Returns whether a type is a record: a dataclass or a named tuple."""
    return dataclasses.is_dataclass(kind) or hasattr(kind, "_fields")


@functools.cache
def declared(record: type) -> dict[str, Any]:
    """Returns the declared type of each field of a record, its range included.

    >>> from jaxsocial.env.scenario import View
    >>> declared(View)["see_through_walls"]
    <class 'bool'>
    """
    names = getattr(record, "_fields", None) or [field.name for field in dataclasses.fields(record)]
    hints = typing.get_type_hints(record, include_extras=True)
    return {name: hints[name] for name in names}


def fit_fields(record: Any, prefix: str = "") -> None:
    """Converts the fields of a frozen dataclass by `fitting`, in its ``__post_init__``.

    Args:
      record: the record.
      prefix: what comes before the fields' names in messages.

    Raises:
      ValueError: see `fitting`.
    """
    for name, kind in declared(type(record)).items():
        object.__setattr__(record, name, fitting(getattr(record, name), kind, prefix + name))


def _record(value: Any, kind: type, name: str) -> Any:
    """Returns a record whose fields fit, from a record of that type or the table of a file."""
    # A dataclass has checked itself.
    if isinstance(value, kind) and dataclasses.is_dataclass(kind):
        return value
    given = value._asdict() if isinstance(value, kind) else value
    if not isinstance(given, dict):
        raise _OfAnotherType
    prefix = f"{name}." if name else ""
    for field in given:
        if field not in declared(kind):
            raise ValueError(f"field {prefix}{field} is unknown: choose from {', '.join(declared(kind))}")
    return kind(**{field: fitting(one, declared(kind)[field], prefix + field) for field, one in given.items()})


def _converted(value: Any, kind: Any, within: Range = Range()) -> Any:  # noqa: B008, a constant
    """Returns the value as the type. Raises `_OfAnotherType` or `_OutOfRange`."""
    given = value
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        ranges = [one for one in inside[1:] if isinstance(one, Range)]
        return _converted(value, inside[0], *ranges)
    if origin in (Union, types.UnionType):
        problem: Exception = _OfAnotherType()
        for one in inside:
            try:
                return _converted(value, one, within)
            except _OfAnotherType:
                pass
            except _OutOfRange as found:
                problem = found  # another member of the union may fit
        raise problem
    if origin is Literal:
        if value not in inside:
            raise _OutOfRange(f"from {', '.join(map(str, inside))}")
        return value
    if origin is tuple and isinstance(value, list | tuple):
        kinds = inside[:1] * len(value) if inside[-1] is ... else inside
        if len(kinds) != len(value):
            raise _OfAnotherType
        return tuple(map(_converted, value, kinds))
    if kind in (int, float):
        return _number(value, kind, within)
    if origin is tuple or (kind in (bool, str, type(None)) and not isinstance(value, kind)):
        raise _OfAnotherType
    if is_record(kind):
        return _record(value, kind, "")
    # A type that is not declared, or that no file can hold. Records are hashed.
    return tuple(_converted(one, Any) for one in given) if isinstance(given, list) else given


def _number(value: Any, kind: type, within: Range) -> int | float:
    # A bool is an int in Python, and 3.0 is an int in a file.
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not isinstance(value, int | float) or (kind is int and not whole):
        raise _OfAnotherType
    try:
        number = kind(value)
    except OverflowError:
        number = math.inf if value > 0 else -math.inf
    if remedy := within.remedy(number):
        raise _OutOfRange(remedy)
    return number


def _in_words(kind: Any) -> str:
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    if origin is Annotated:
        return _in_words(inside[0])
    if is_record(kind):
        return f"a table of {', '.join(declared(kind))}"
    if origin is tuple:
        return f"a list, each of it {_in_words(inside[0])}"
    if origin in (Union, types.UnionType):
        return " or ".join(_in_words(one) for one in inside if one is not type(None))
    return words.get(kind, str(kind))


def imported(name: str, record: type, what: str) -> Callable[..., Any]:
    """Imports a function that a user names as ``module:function``.

    Args:
      name: as it stands in a config.
      record: what the function makes, by its annotation. Names come from files too, which must not call any function
        there is.
      what: the kind of thing, for messages.

    Raises:
      ValueError: there is no such function, or it is not annotated to return the record.

    >>> imported("jaxsocial.env.scenarios.maze:maze", int, "number")
    Traceback (most recent call last):
    ValueError: jaxsocial.env.scenarios.maze:maze is not known to make a number: annotate it, def maze(...) -> int
    """
    module, _, function = name.partition(":")
    try:
        make = getattr(importlib.import_module(module), function)
        makes_record = typing.get_type_hints(make).get("return") is record
    except (ImportError, AttributeError, NameError, TypeError, ValueError) as error:
        raise ValueError(
            f"{what} {name!r} cannot be imported ({error}): start in the module's folder, or put that on PYTHONPATH"
        ) from None
    if not makes_record:
        raise ValueError(f"{name} is not known to make a {what}: annotate it, def {function}(...) -> {record.__name__}")
    return make
