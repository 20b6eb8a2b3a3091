"""What a compiled program does, read from its text: kernels launched, bytes moved and operations, loops multiplied.

`Compiled.cost_analysis` counts the body of a loop once, and knows nothing of GPUs that are not there. The compiled
text has the number of turns of each loop.
"""

import functools
import math
import re
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

BYTES = {"pred": 1, "s4": 0.5, "u4": 0.5, "bf16": 2, "f16": 2, "token": 0, "opaque": 0}
"""Bytes of an element, where they are not the number in the type's name divided by 8."""
NO_KERNEL = (
    *("parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "partition-id", "replica-id"),
    *("opt-barrier", "while", "conditional", "call", "copy-done", "async-done", "async-update", "slice-done"),
)
"""Instructions that launch nothing themselves."""
SLICES = ("dynamic-slice", "slice", "gather")
"""Instructions that read a part of their first operand."""
ELEMENTWISE = (
    *("abs", "add", "and", "clamp", "compare", "convert", "divide", "exponential", "log", "logistic", "maximum"),
    *("minimum", "multiply", "negate", "not", "or", "power", "rsqrt", "select", "sign", "sqrt", "subtract", "tanh"),
)
"""Instructions of which a fusion computes only the elements that it needs."""
UPDATES = {"dynamic-update-slice": 1, "scatter": 2}
"""Instructions that write a part of their first operand in place, and the operand with what they write."""
MEMORY = '"AllocateBuffer"'
NO_CALLS = (MEMORY, '"ConcatBitcast"')
"""Targets of custom calls with which TPUs only name memory."""
_SHAPE = re.compile(r"(\w+)\[([\d,]*)\](?:\{([^}]*)\})?")
ON_CHIP = "S(1)"
"""What layouts of TPUs say of arrays that are kept beside the processor: reading them moves nothing."""
_NAME = re.compile(r"%([\w.\-]+)")
_CALLED = re.compile(r"\b(?:calls|to_apply|body|condition|true_computation|false_computation)=%([\w.\-]+)")
_BODY = re.compile(r"\bbody=%([\w.\-]+)")
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")
_TURNS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')
_INDEX = re.compile(r"index=(\d+)")
_FRAME = re.compile(r"stack_frame_id=(\d+)")
_SOURCE = re.compile(r'source_file="([^"]*)"(?: source_line=(\d+))?')
_CONTRACTED = re.compile(r'lhs_contracting_dim(?:s=\{([\d,]*)\}|ensions":\[([\d",]*)\])')
_LABELS = re.compile(r"dim_labels=(\w+)_(\w+)->(\w+)")
_WINDOW = re.compile(r"\bwindow=\{([^}]*)\}")


class Instruction(NamedTuple):
    """One instruction of a computation."""

    name: str
    shape: str
    opcode: str
    operands: tuple[str, ...]
    rest: str
    """Its attributes."""
    is_root: bool
    literal: str = ""
    """Of a constant its value, of a parameter its number, in brackets."""


class Array(NamedTuple):
    """One array of a shape."""

    kind: str
    dims: tuple[int, ...]
    layout: str

    @property
    def bytes(self) -> float:
        """Returns the bytes of all elements."""
        return math.prod(self.dims) * _element(self.kind)

    @property
    def outside(self) -> bool:
        """Returns whether it is kept in the device's memory, and not on the chip."""
        return ON_CHIP not in self.layout


class Cost(NamedTuple):
    """What instructions do. Sums and products with the turns of a loop are those of the fields."""

    kernels: float = 0.0
    bytes: float = 0.0
    """Read and written, without what caches save."""
    flops: float = 0.0
    """Of matrix products and convolutions: a multiplication and an addition count as two."""

    def __add__(self, other):
        return Cost(*(one + two for one, two in zip(self, other, strict=True)))

    def __mul__(self, turns):
        return Cost(*(turns * one for one in self))


class Loop(NamedTuple):
    """A loop of a program."""

    source: str
    name: str
    """Of the computation of its body."""
    turns: int | None
    """None where they depend on data."""
    times: float
    """How often it is entered."""
    body: Cost
    """Of one turn, without loops inside."""


class Module:
    """A compiled program, from its text."""

    def __init__(self, text: str, turns: Mapping[str, int] = MappingProxyType({})):
        """Reads a program.

        Args:
          text: what `jax.stages.Compiled.as_text` returns.
          turns: the turns of loops that the compiler does not know, by the beginning of their line of source.
        """
        self._given = dict(turns)
        self.computations: dict[str, dict[str, Instruction]] = {}
        self.entry, self._files, self._frames = "", _files(text), _frames(text)
        current: dict[str, Instruction] = {}
        for line in text.splitlines():
            if line.startswith((" ", "\t")):
                if found := _instruction(line):
                    current[found.name] = found
            elif line.endswith("{") and "->" in line:
                name = line.split()[1 if line.startswith("ENTRY") else 0].lstrip("%")
                current = self.computations[name] = {}
                self.entry = name if line.startswith("ENTRY") else self.entry

    def cost(self) -> Cost:
        """Returns what the whole program does, without loops whose turns depend on data."""
        return sum((cost for _, cost in self._run(self.entry, 1.0)), Cost())

    def waiting(self) -> Cost:
        """Returns what loops whose turns depend on data would add if each made one turn whenever it is reached."""
        found = (self._total(loop.name) * loop.times for loop in self.loops() if loop.turns is None)
        return sum(found, Cost())

    def by_source(self) -> dict[str, Cost]:
        """Returns the cost of each line of source, the most bytes first."""
        found: dict[str, Cost] = {}
        for instruction, cost in self._run(self.entry, 1.0):
            line = self.source(instruction)
            found[line] = found.get(line, Cost()) + cost
        return dict(sorted(found.items(), key=lambda item: -item[1].bytes))

    def loops(self) -> list[Loop]:
        """Returns all loops, from the outside to the inside."""
        return list(self._loops(self.entry, 1.0))

    def source(self, instruction: Instruction) -> str:
        """Returns file:line of an instruction, of this project if any of its callers is."""
        if frame := _FRAME.search(instruction.rest):
            lines = list(self._callers(int(frame[1])))
            own = [line for line in lines if line.startswith(("jaxsocial/", "benchmarks/"))]
            return (own or lines or ["?"])[0]
        if found := _SOURCE.search(instruction.rest):
            return f"{_short(found[1])}:{found[2] or '?'}"
        return "?"

    def _callers(self, frame: int) -> Iterator[str]:
        while frame in self._frames:
            location, parent = self._frames[frame]
            yield self._files.get(location, "?")
            if parent == frame:
                return
            frame = parent

    def _run(self, computation: str, times: float) -> Iterator[tuple[Instruction, Cost]]:
        """Yields the instructions that launch kernels, and their costs over the whole program."""
        for instruction in self.computations[computation].values():
            if _is_kernel(instruction):
                yield instruction, self._cost(computation, instruction) * times
            for called, turns in self._called(computation, instruction):
                yield from self._run(called, times * turns)

    def _called(self, computation: str, instruction: Instruction) -> list[tuple[str, float]]:
        """Returns the computations that run as such, not within a kernel, and how often."""
        if instruction.opcode == "while":
            turns = self._turns(computation, instruction)
            # Where the turns are known, no condition is computed.
            return [(name, turns) for name in _BODY.findall(instruction.rest)] if turns is not None else []
        if instruction.opcode == "call":
            return [(name, 1.0) for name in _CALLED.findall(instruction.rest)]
        if instruction.opcode == "conditional":
            listed = _BRANCHES.search(instruction.rest)
            names = _NAME.findall(listed[1]) if listed else _CALLED.findall(instruction.rest)
            # The most expensive one: which is taken depends on data.
            return [(max(names, key=lambda name: self._total(name).bytes), 1.0)] if names else []
        return []

    def _turns(self, computation: str, loop: Instruction) -> int | None:
        """Returns the turns of a loop; None if they depend on data."""
        if known := _TURNS.search(loop.rest):
            return int(known[1])
        # The text of a TPU's program does not state turns, and what is given is for loops that depend on data only.
        if (counted := self._compared(computation, loop)) is not None:
            return counted
        return next((turns for line, turns in self._given.items() if self.source(loop).startswith(line)), None)

    def _compared(self, computation: str, loop: Instruction) -> int | None:
        """Returns the constant with which a scan compares its counter, which begins at 0; None if there is none."""
        condition = re.search(r"condition=%([\w.\-]+)", loop.rest)
        inside = self.computations[condition[1]] if condition else {}
        root = next((one for one in inside.values() if one.is_root), None)
        if root is None or root.opcode != "compare" or "direction=LT" not in root.rest:
            return None
        limit, scope = inside[root.operands[1]], inside
        if limit.opcode == "get-tuple-element" and (place := _INDEX.search(limit.rest)):
            scope = self.computations[computation]
            state = scope[loop.operands[0]]
            limit = scope.get(state.operands[int(place[1])], limit) if state.opcode == "tuple" else limit
        while limit.opcode == "copy" and limit.operands[0] in scope:
            limit = scope[limit.operands[0]]
        found = re.fullmatch(r"\((\d+)\)", limit.literal)
        return int(found[1]) if found and limit.opcode == "constant" else None

    @functools.cache  # noqa: B019, a module lives as long as the program that reads it
    def _total(self, computation: str) -> Cost:
        return sum((cost for _, cost in self._run(computation, 1.0)), Cost())

    def _loops(self, computation: str, times: float) -> Iterator[Loop]:
        for instruction in self.computations[computation].values():
            if instruction.opcode == "while":
                name, turns = _BODY.findall(instruction.rest)[0], self._turns(computation, instruction)
                own = [one for one in self.computations[name].values() if _is_kernel(one)]
                body = sum((self._cost(name, one) for one in own), Cost())
                yield Loop(self.source(instruction), name, turns, times, body)
                yield from self._loops(name, times * (turns or 1))
            else:
                for called, turns in self._called(computation, instruction):
                    yield from self._loops(called, times * turns)

    def _flops_of(self, computation: Mapping[str, Instruction]) -> float:
        """Returns the operations of a kernel, fusions within it included."""
        within = (
            self.computations[name]
            for one in computation.values()
            if one.opcode == "fusion"
            for name in _CALLED.findall(one.rest)
        )
        return sum(_flops(one, computation) for one in computation.values()) + sum(map(self._flops_of, within))

    def _cost(self, computation: str, instruction: Instruction) -> Cost:
        scope = self.computations[computation]
        inside = self._inside(instruction)
        if instruction.opcode == "fusion" and inside:
            parameters = [one for one in inside.values() if one.opcode == "parameter"]
            moved = sum(self._read_of(one, inside) for one in parameters) + self._written(inside)
            return Cost(1, moved, self._flops_of(inside))
        arrays = _arrays(instruction.shape)
        known = [_arrays(scope[name].shape) for name in instruction.operands if name in scope]
        if instruction.opcode == "copy-start":  # destination, source, context
            moved = sum(one.bytes * one.outside for one in arrays[:2])
        elif instruction.opcode == "slice-start":  # source, destination, context
            moved = arrays[1].bytes * (arrays[0].outside + arrays[1].outside)
        elif instruction.opcode in SLICES:
            moved = arrays[0].bytes * (known[0][0].outside + arrays[0].outside)
        elif instruction.opcode in UPDATES:
            update = known[UPDATES[instruction.opcode]][0]
            moved = update.bytes * (update.outside + arrays[0].outside)
        else:
            moved = sum(one.bytes * one.outside for one in sum(known, arrays))
        return Cost(1, moved, _flops(instruction, scope))

    def _inside(self, instruction: Instruction) -> dict[str, Instruction]:
        """Returns the computation of a fusion."""
        return self.computations.get(next(iter(_CALLED.findall(instruction.rest)), ""), {})

    def _read_of(self, parameter: Instruction, inside: Mapping[str, Instruction], in_place: bool = True) -> float:
        """Returns the bytes that a fusion reads of a parameter: of one that is only sliced, the slices.

        Args:
          parameter: of the fusion.
          inside: the fusion's computation.
          in_place: whether an update of the parameter reads nothing of it.
        """
        whole, parts = size(parameter.shape), 0.0
        (array,) = _arrays(parameter.shape)[:1] or [Array("token", (), "")]
        same, elements = {parameter.name} if in_place else set(), {parameter.name}
        results = {_behind(result, inside).name for result in _results(inside)}
        for one in inside.values():  # operands come before those that use them
            used = [name for name in one.operands if name in elements]
            if not used:
                continue
            found, is_sliced = _arrays(one.shape), used == [one.operands[0]]
            is_updated = used[0] in same and one.name in results
            if one.opcode == "bitcast" and not one.is_root:
                elements.add(one.name)
                same |= {one.name} if used[0] in same else set()
            elif one.opcode in ELEMENTWISE and math.prod(found[0].dims) == math.prod(array.dims) and not one.is_root:
                elements.add(one.name)
            elif one.opcode in SLICES and is_sliced:
                parts += math.prod(found[0].dims) * _element(array.kind)
            elif one.opcode == "fusion" and (nested := self._inside(one)):
                numbers = [f"({number})" for number, name in enumerate(one.operands) if name in elements]
                taken = [other for other in nested.values() if other.opcode == "parameter" and other.literal in numbers]
                # Of as many elements, and kept where the whole is.
                parts += sum(self._read_of(one._replace(shape=parameter.shape), nested, is_updated) for one in taken)
            elif not (one.opcode in UPDATES and is_sliced and is_updated):
                return whole
        return min(parts, whole)

    def _written(self, inside: Mapping[str, Instruction]) -> float:
        """Returns the bytes that a fusion writes: of a buffer that is updated in place, the update."""
        total = 0.0
        for result in _results(inside):
            whole, update = size(result.shape), self._updated(result, inside)
            # A bitcast at the end says where the result is kept; what it is of need not.
            total += update if whole and update is not None else whole
        return total

    def _updated(
        self, result: Instruction, inside: Mapping[str, Instruction], computed: Collection[str] = ()
    ) -> float | None:
        """Returns the bytes of an update in place; None if a result is no update, or of what the fusion computes.

        Args:
          result: of the fusion.
          inside: the fusion's computation.
          computed: the numbers of the parameters that the fusion around this one computes.
        """
        one = _behind(result, inside)
        if one.opcode == "fusion" and (nested := self._inside(one)):
            made = [not _is_memory(_behind(inside[name], inside), computed) for name in one.operands]
            numbers = [f"({number})" for number, is_made in enumerate(made) if is_made]
            (root,) = [other for other in nested.values() if other.is_root]
            return self._updated(root, nested, numbers)
        if one.opcode not in UPDATES or not _is_memory(_behind(inside[one.operands[0]], inside), computed):
            return None
        return _arrays(inside[one.operands[UPDATES[one.opcode]]].shape)[0].bytes


def size(shape: str) -> float:
    """Returns the bytes of a shape as programs write it, without arrays that are kept on the chip.

    >>> size("(f32[2,3]{1,0}, pred[4]{0}, s32[], f32[9]{0:T(128)S(1)})")
    32
    """
    return sum(one.bytes for one in _arrays(shape) if one.outside)


def _arrays(shape: str) -> list[Array]:
    found = _SHAPE.findall(shape)
    return [Array(kind, tuple(int(n) for n in dims.split(",") if n), layout) for kind, dims, layout in found]


def _results(inside: Mapping[str, Instruction]) -> list[Instruction]:
    """Returns the results of a fusion's computation."""
    (root,) = [one for one in inside.values() if one.is_root]
    return [inside[name] for name in root.operands] if root.opcode == "tuple" else [root]


def _behind(one: Instruction, inside: Mapping[str, Instruction]) -> Instruction:
    """Returns of what an instruction is a bitcast."""
    while one.opcode == "bitcast":
        one = inside[one.operands[0]]
    return one


def _is_memory(one: Instruction, computed: Collection[str]) -> bool:
    """Returns whether an instruction within a fusion is memory that was there before."""
    return (
        MEMORY in one.rest if one.opcode == "custom-call" else one.opcode == "parameter" and one.literal not in computed
    )


def _is_kernel(instruction: Instruction) -> bool:
    # A number is computed beside the kernels, unless the compiler makes a kernel of it.
    if instruction.opcode in NO_KERNEL:
        return False
    if instruction.opcode == "custom-call":
        return not any(f"custom_call_target={target}" in instruction.rest for target in NO_CALLS)
    return instruction.opcode == "fusion" or any(one.dims for one in _arrays(instruction.shape))


def _element(kind: str) -> float:
    if kind in BYTES:
        return BYTES[kind]
    digits = re.search(r"\d+", kind)
    return int(digits[0]) // 8 if digits else 0


def _flops(instruction: Instruction, scope: Mapping[str, Instruction]) -> float:
    if instruction.opcode not in ("dot", "convolution", "custom-call") or len(instruction.operands) < 2:
        return 0.0
    left, right = (scope.get(name) for name in instruction.operands[:2])
    arrays = _arrays(instruction.shape)
    if left is None or right is None or not arrays:
        return 0.0
    outputs = math.prod(arrays[0][1])
    if labels := _LABELS.search(instruction.rest):
        kernel = _arrays(right.shape)[0][1]
        taps = 2.0 * outputs * math.prod(n for n, label in zip(kernel, labels[2], strict=False) if label != "o")
        return taps if instruction.opcode == "custom-call" else taps * _met(instruction, left.shape, labels)
    if contracted := _CONTRACTED.search(instruction.rest):
        axes = re.findall(r"\d+", contracted[1] or contracted[2] or "")
        return 2.0 * outputs * math.prod(_arrays(left.shape)[0][1][int(axis)] for axis in axes)
    return 0.0


def _met(instruction: Instruction, left: str, labels: re.Match[str]) -> float:
    """Returns the share of a convolution's products that meet an element, and neither padding nor a dilated gap.

    TPUs have products of n pairs of matrices as one convolution, in which one of n places of the window is no gap.
    """
    window = _WINDOW.search(instruction.rest)
    listed = dict(field.split("=") for field in window[1].split()) if window else {}
    fields = {name: values.split("x") for name, values in listed.items()}
    lengths, places = (_arrays(shape)[0][1] for shape in (left, instruction.shape))
    share = 1.0
    for axis in range(len(fields.get("size", ()))):
        names = "size", "stride", "lhs_dilate", "rhs_dilate"
        size, stride, gap, spread = (int(fields[name][axis]) if name in fields else 1 for name in names)
        padded = int(fields["pad"][axis].split("_")[0]) if "pad" in fields else 0
        length, outputs = lengths[labels[1].index(str(axis))], places[labels[3].index(str(axis))]
        share *= _met_along(length, outputs, size, stride, gap, spread, padded)
    return share


@functools.cache
def _met_along(length: int, outputs: int, size: int, stride: int, gap: int, spread: int, padded: int) -> float:
    places = [place * stride + tap * spread - padded for place in range(outputs) for tap in range(size)]
    return sum(0 <= place <= (length - 1) * gap and place % gap == 0 for place in places) / len(places)


def _instruction(line: str) -> Instruction | None:
    name, equals, text = line.strip().removeprefix("ROOT ").partition(" = ")
    if not equals:
        return None
    shape, text = _balanced(text) if text.startswith("(") else text.split(" ", 1)
    opcode, bracket, text = text.strip().partition("(")
    operands, rest = _balanced(bracket + text)
    return Instruction(
        name.lstrip("%"),
        shape,
        opcode,
        tuple(_NAME.findall(operands)),
        rest,
        line.strip().startswith("ROOT "),
        operands if opcode in ("constant", "parameter") else "",
    )


def _balanced(text: str) -> tuple[str, str]:
    """Splits a text after the bracket that closes its first one."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return text[: place + 1], text[place + 1 :]
    return text, ""


def _table(text: str, name: str) -> dict[int, str]:
    """Returns a numbered table of the program's head."""
    found = re.search(rf"^{name}\n((?:\d+ .*\n)+)", text, re.MULTILINE)
    lines = found[1].splitlines() if found else []
    return {int(line.split(" ", 1)[0]): line.split(" ", 1)[1] for line in lines}


def _field(text: str, name: str) -> int:
    found = re.search(rf"\b{name}=(\d+)", text)
    return int(found[1]) if found else 0


def _files(text: str) -> dict[int, str]:
    """Returns file:line of each location."""
    names = _table(text, "FileNames")
    return {
        number: f"{_short(names.get(_field(place, 'file_name_id'), '?'))}:{_field(place, 'line')}"
        for number, place in _table(text, "FileLocations").items()
    }


def _frames(text: str) -> dict[int, tuple[int, int]]:
    """Returns location and caller of each stack frame."""
    frames = _table(text, "StackFrames").items()
    return {number: (_field(frame, "file_location_id"), _field(frame, "parent_frame_id")) for number, frame in frames}


def _short(path: str) -> str:
    """Returns a path from the package's folder on."""
    parts = path.strip('"').split("/")
    roots = [place for place, part in enumerate(parts) if part in ("jaxsocial", "benchmarks")]
    return "/".join(parts[roots[-1] :] if roots else parts[-2:])
