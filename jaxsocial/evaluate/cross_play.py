"""Learners beside partners that they were not trained with: a fixed set of held-out partners, and other runs."""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxsocial.agents.networks.network import Parameters
from jaxsocial.agents.policy import ABSENT
from jaxsocial.config.config import Config
from jaxsocial.evaluate.episodes import Episodes, beside, episode_inputs, episode_player, played, program_of
from jaxsocial.evaluate.probes import measured
from jaxsocial.evaluate.returns import learner_names
from jaxsocial.evaluate.statistics import Score, mean_over_seeds, plain_score
from jaxsocial.training.build import make_agent_setup
from jaxsocial.training.tables import Table


class PartnerSet(NamedTuple):
    """Partners for all seats beside the learners of a world."""

    name: str
    players: tuple[str, ...]
    """Named as in a config, one for each seat. Where there are more seats they are repeated, or stay empty if one of
    these is absent."""
    epsilon: float = 0.0
    """Probability that an action of theirs is replaced by a random one, 0 to 1."""

    def in_seats(self, seats: int) -> tuple[str, ...]:
        """Returns the player of each seat.

        >>> PartnerSet("one expert", ("expert", "absent")).in_seats(3)
        ('expert', 'absent', 'absent')
        """
        more = itertools.repeat(ABSENT) if ABSENT in self.players else itertools.cycle(self.players)
        return tuple(itertools.islice(itertools.chain(self.players, more), seats))


HELD_OUT = (
    PartnerSet("experts, 15 % random", ("expert",), 0.15),
    PartnerSet("experts, 30 % random", ("expert",), 0.3),
    PartnerSet("searching experts, 20 % random", ("searching_expert",), 0.2),
    PartnerSet("waiting experts", ("waiting_expert",)),
    PartnerSet("one expert", ("expert", ABSENT)),
    PartnerSet("an expert and a random one", ("expert", "random")),
    PartnerSet("an expert and an anti-expert", ("expert", "anti_expert")),
    PartnerSet("anti-experts", ("anti_expert",)),
    PartnerSet("learners: sociapl", ("pretrained:sociapl",)),
    PartnerSet("a learner and an expert: sociapl", ("pretrained:sociapl", "expert")),
    PartnerSet("learners of another seed: sociapl", ("pretrained:sociapl_counterclockwise",)),
    PartnerSet("early learners: sociapl", ("pretrained:sociapl_early",)),
)
"""Partners that no preset, figure or learner of the package is trained with. They stay as they are, so that numbers of
different runs compare."""
MEASURES = ("return", "goals", "penalties", "following", "following_by_chance")
SHARE = "share_of_best"
"""The return as a share of a best response's. Where agents pass through each other and nothing in the grid changes,
partners do not change what can be earned: it is the return of an expert that knows the order, in the learner's seat in
worlds that are drawn alike."""


class CrossPlayed(NamedTuple):
    """One learner beside a set of partners: scores over seeds and episodes."""

    learner: str
    partners: str
    seeds: int
    episodes: int
    scores: dict[str, Score]
    """By the names in `MEASURES`, and `SHARE` in ghost worlds with goals and a grid that does not change."""


def cross_play(
    config: Config, parameters: Parameters, sets: Sequence[PartnerSet], episodes: int
) -> tuple[list[CrossPlayed], list[str]]:
    """Plays the same episodes beside different partners.

    Args:
      config: of the run.
      parameters: of all seeds and learners.
      sets: the partners.
      episodes: number for each seed.

    Returns:
      The measures of each learner beside each set, and a line for each set that does not fit the world: trained
      partners may have been trained for another number of goals or actions.

    Raises:
      ValueError: the world has no seat beside the learners.
    """
    seats = config.world.agents - config.sizes.learners
    if not seats:
        raise ValueError("the run's world has no seat for partners: choose a run that was trained beside some")
    results, left_out = [], []
    world = config.world
    independent = world.ghost and not world.grid_changes and world.goals
    best = best_returns(config, parameters, episodes) if independent else None
    players: dict[tuple[str, ...], Callable[..., Episodes]] = {}
    for partners in sets:
        if len(partners.players) > seats:
            left_out.append(f"{partners.name}: they need {len(partners.players)} seats, and there are {seats}")
            continue
        names = partners.in_seats(seats)
        own = beside(config, names)
        noise = own.partner_schedule._replace(epsilon=(partners.epsilon,))
        own = dataclasses.replace(own, partner_schedule=noise)
        # The probability of random actions is traced: it compiles nothing.
        if names not in players:
            try:
                players[names] = episode_player(own, episodes)
            except ValueError as error:
                left_out.append(f"{partners.name}: {error}")
                continue
        found = players[names](parameters, [own])
        for seat, learner in enumerate(learner_names(own)):
            values = measured(found, own, seat)
            scores = {name: mean_over_seeds(values[name]) for name in MEASURES}
            if best is not None:
                # Where the expert earns nothing, no share is defined.
                scores[SHARE] = mean_over_seeds(values["return"] / np.where(best > 0, best, np.nan)[:, None])
            results.append(CrossPlayed(learner, partners.name, config.seeds, episodes, scores))
    return results, left_out


def best_returns(config: Config, parameters: Parameters, episodes: int) -> Float[np.ndarray, " S"]:
    """Returns what an expert that knows the order earns in the learner's seat, alone: a mean for each seed.

    Args:
      config: of the run.
      parameters: of all seeds and learners: their networks run beside it.
      episodes: number for each seed.
    """
    teaching = dataclasses.replace(beside(config, ()), teacher="expert")
    # The expert takes no random actions.
    noise = jnp.zeros((config.seeds, config.sizes.learners), jnp.float32)
    inputs = episode_inputs(teaching, episodes)._replace(noise=noise)
    found = Episodes(**played(program_of(make_agent_setup(teaching)), parameters, [teaching], [inputs]))
    return np.where(found.present, found.reward, 0.0)[..., 0].sum(-1, dtype=float).mean(-1)


def table(results: list[CrossPlayed], title: str) -> Table:
    """Returns a table with a row for each learner and set of partners."""
    rows = []
    for one in results:
        known = {name: score.mean for name, score in one.scores.items() if not np.isnan(score.mean)}
        cells = (f"{known[name]:.2f}" if name in known else "-" for name in (SHARE, *MEASURES[1:]))
        rows.append((one.learner, one.partners, str(one.scores["return"]), *cells))
    heading = ("learner", "partners", "return [95 %]", "of best", "goals", "penalties", "led", "by chance")
    return Table(title, heading, rows, texts=2)


def plain(results: list[CrossPlayed]) -> list[dict]:
    """Converts results to values that JSON can hold; NaN becomes null."""
    return [
        one._replace(scores={name: plain_score(score) for name, score in one.scores.items()})._asdict()
        for one in results
    ]


def draw_matrix(path: Path, rows: Sequence[str], columns: Sequence[str], returns: Sequence[Sequence[float]]) -> None:
    """Draws returns as a heat map with numbers.

    Args:
      path: of the picture.
      rows: names of learners.
      columns: names of their partners.
      returns: a row for each learner; NaN where partners do not fit.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415, slow to import

    values = np.array(returns, float)
    figure = Figure(figsize=(2.5 + 0.9 * len(columns), 1.6 + 0.6 * len(rows)))
    axes = figure.subplots()
    image = axes.imshow(values, cmap="viridis", aspect="auto")
    axes.set_xticks(range(len(columns)), columns, rotation=40, ha="right")
    axes.set_yticks(range(len(rows)), rows)
    axes.set(xlabel="partners", ylabel="learner")
    middle = (np.nanmin(values) + np.nanmax(values)) / 2
    for (row, column), value in np.ndenumerate(values):
        text = "-" if np.isnan(value) else f"{value:.1f}"
        axes.text(column, row, text, ha="center", va="center", color="white" if value < middle else "black")
    figure.colorbar(image, ax=axes, label="return of an episode")
    # Names may be long: the picture grows with them.
    figure.savefig(path, dpi=150, bbox_inches="tight")
