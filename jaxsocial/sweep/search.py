"""Searching for settings: a sampler suggests a batch of them, and learns from the results of the batches before."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from jaxsocial.env.values import Count, Index

Suggestion = dict[str, Any]
"""What the sampler suggests for each field: a number, or the index of a choice."""


class Search(NamedTuple):
    """A search: the tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011) of Optuna."""

    method: Literal["tpe"] = "tpe"
    """The sampler."""
    trials: Index = 0
    """Suggestions in all; 0 for no search."""
    batch: Count = 16
    """Suggestions that train side by side, 1 or more. The sampler does not know their results from one another."""
    seed: Index = 0
    """Of the sampler's random numbers, 0 or more."""
    fields: Mapping[str, Any] = {}
    """Fields by dotted names, to distributions as a sweep's file has them."""


def values_of(search: Search, suggestion: Suggestion) -> dict[str, Any]:
    """Returns the values of fields that a suggestion stands for.

    >>> search = Search(fields={"network.heads": {"choice": [[16], [32, 16]]}, "rules.penalty": {"uniform": [0, 2]}})
    >>> values_of(search, {"network.heads": 1, "rules.penalty": 0.5})
    {'network.heads': [32, 16], 'rules.penalty': 0.5}
    """
    axes = search.fields
    return {
        name: axes[name]["choice"][value] if "choice" in axes[name] else value for name, value in suggestion.items()
    }


def suggested(
    search: Search, told: Sequence[tuple[Suggestion, float | None]], count: int, larger_is_better: bool
) -> list[Suggestion]:
    """Asks for the next suggestions. Equal arguments give equal suggestions, so nothing has to be kept of the sampler.

    Args:
      search: what is searched.
      told: earlier suggestions and their results; None for one that failed.
      count: the number of suggestions.
      larger_is_better: whether a larger result is better.

    Raises:
      ValueError: Optuna is not installed.
    """
    try:
        import optuna  # noqa: PLC0415, an optional library
    except ImportError as error:
        raise ValueError("Optuna is not installed: pip install 'jaxsocial[optuna]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # Another seed for each batch: a sampler that is made anew begins its stream again.
    (seed,) = np.random.SeedSequence([search.seed, len(told)]).generate_state(1)
    # By default it counts what it has just suggested among the bad ones, so that a batch spreads (constant liar).
    sampler = optuna.samplers.TPESampler(seed=int(seed))
    study = optuna.create_study(sampler=sampler, direction="maximize" if larger_is_better else "minimize")
    distributions = {name: _distribution(axis) for name, axis in search.fields.items()}
    for suggestion, result in told:
        # Optuna ignores trials that failed, and would suggest the same again. A pruned one counts as worse than all.
        state = optuna.trial.TrialState.PRUNED if result is None else optuna.trial.TrialState.COMPLETE
        study.add_trial(optuna.create_trial(state=state, value=result, params=suggestion, distributions=distributions))
    return [study.ask(distributions).params for _ in range(count)]


def _distribution(axis: Mapping[str, Any]) -> Any:
    """Returns Optuna's form of a distribution of a sweep's file."""
    from optuna import distributions  # noqa: PLC0415, an optional library

    match axis:
        case {"uniform": [low, high]}:
            return distributions.FloatDistribution(low, high)
        case {"log_uniform": [low, high]}:
            return distributions.FloatDistribution(low, high, log=True)
        case {"integers": [low, high]}:
            return distributions.IntDistribution(low, high)
    # Optuna chooses among texts and numbers only, and a field may be a list.
    return distributions.CategoricalDistribution(range(len(axis["choice"])))
