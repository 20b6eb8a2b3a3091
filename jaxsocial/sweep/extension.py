"""The extension of a sweep: more seeds and steps for its settings, and further settings beside them."""

import dataclasses
from collections.abc import Sequence

from jaxsocial.config.config import Config
from jaxsocial.config.fields import differences
from jaxsocial.sweep.members import LENGTH, identity
from jaxsocial.sweep.spec import Sweep


def extended(held: Sweep, declared: Sweep) -> Sweep:
    """Returns the declared sweep with the numbers of the held one: its settings come first, in their order.

    >>> from jaxsocial.sweep.spec import make_sweep
    >>> held = make_sweep({"grid": {"rules.penalty": [0.5, 1.0]}})
    >>> declared = make_sweep({"seeds": 3, "grid": {"rules.penalty": [0.0, 0.5, 1.0]}})
    >>> [(config.rules.penalty, config.seeds) for config in extended(held, declared).settings]
    [(0.5, 3), (1.0, 3), (0.0, 3)]

    Args:
      held: the sweep that has begun.
      declared: what its file declares now.

    Raises:
      ValueError: a setting of ``held`` would be lost, or become shorter; or settings were dropped by rules that are
        not those of ``declared``; or one of both is a population.
    """
    if held.population.every or declared.population.every:
        raise ValueError("a population decides which settings exist: it cannot be extended, begin another sweep")
    if held.search.trials or declared.search.trials:
        declared = _searched(held, declared)
    left, settings = list(declared.settings), []
    for number, config in enumerate(held.settings):
        longer = _longer(number, config, left)
        left.remove(longer)
        settings.append(longer)
    if held.halving.steps or declared.halving.steps:
        _check_halved(held, declared, settings)
    return dataclasses.replace(declared, settings=(*settings, *left))


def _searched(held: Sweep, declared: Sweep) -> Sweep:
    """Returns the declared sweep with the later batches of a search that has begun."""
    if held.search != declared.search._replace(trials=held.search.trials):
        raise ValueError("search has changed, and decided which settings exist: change search.trials only")
    if declared.search.trials < held.search.trials:
        raise ValueError(f"search.trials={declared.search.trials}: choose {held.search.trials} or more")
    # With more trials the first batch may be declared larger than it was.
    first = declared.settings[: min(held.search.trials, len(held.settings))]
    length = {name: getattr(first[0], name) for name in LENGTH}
    later = (dataclasses.replace(config, **length) for config in held.settings[len(first) :])
    return dataclasses.replace(declared, settings=(*first, *later))


def _longer(number: int, config: Config, declared: Sequence[Config]) -> Config:
    """Returns the declared setting that equals one, with as many seeds and steps or more."""
    equal = [other for other in declared if identity(other) == identity(config)]
    if not equal:
        raise ValueError(
            f"no declared setting continues setting {number}, {_nearest(config, declared)}: leave in what is trained "
            "and add to it, or begin another sweep"
        )
    long = [other for other in equal if other.total_steps >= config.total_steps]
    if not long:
        raise ValueError(
            f"total_steps={equal[0].total_steps}: setting {number} trains for {config.total_steps}; choose as many or "
            "more"
        )
    chosen = min(long, key=lambda other: other.total_steps)
    if chosen.seed > config.seed or chosen.seed + chosen.seeds < config.seed + config.seeds:
        raise ValueError(
            f"seed={chosen.seed}, seeds={chosen.seeds}: setting {number} has seeds {config.seed} to "
            f"{config.seed + config.seeds - 1}; choose them and more"
        )
    if chosen.chunk_iterations != config.chunk_iterations:
        raise ValueError(
            f"total_steps={chosen.total_steps}: setting {number} was shorter than log_steps={config.log_steps}, so its "
            "log points would move; begin another sweep"
        )
    return chosen


def _nearest(config: Config, declared: Sequence[Config]) -> str:
    """Returns which fields of a setting the most similar declared one has otherwise."""
    mine, found = differences(config), []
    for theirs in map(differences, declared):
        names = sorted((mine.keys() | theirs.keys()) - {*LENGTH})
        found.append([name for name in names if mine.get(name) != theirs.get(name)])
    if not found:
        return "and all declared ones continue others"
    return f"since the nearest has another {', '.join(min(found, key=len))}"


def _check_halved(held: Sweep, declared: Sweep, settings: Sequence[Config]) -> None:
    """Checks that settings were, and will be, dropped by the same rules."""
    for name in ("halving", "measure", "larger_is_better"):
        if getattr(held, name) != getattr(declared, name):
            raise ValueError(f"{name} has changed, and decides which settings are dropped: leave it as it was")
    seeds = [[(config.seed, config.seeds) for config in every] for every in (settings, held.settings)]
    if seeds[0] != seeds[1] or len(declared.settings) > len(held.settings):
        raise ValueError(
            "settings and seeds that were not there when halving ranked the others cannot be added: change total_steps "
            "only, or begin another sweep"
        )
