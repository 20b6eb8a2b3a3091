"""Runs from Python: train, load, evaluate and render them, by the code of the command line; and pure training."""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from jaxtyping import Array
from rich.console import Console

from jaxsocial.agents.networks.network import Parameters
from jaxsocial.config.config import Config
from jaxsocial.config.traced import TracedConfig, traced_config
from jaxsocial.evaluate import cross_play, decoding, media, probes, returns
from jaxsocial.evaluate.episodes import episode_player, played_config, without_teacher
from jaxsocial.evaluate.statistics import Score
from jaxsocial.finish import finish
from jaxsocial.learning.minibatch import Metrics
from jaxsocial.learning.update import Learner
from jaxsocial.training import checkpoint, metrics, pretrained, run
from jaxsocial.training.build import make_agent_setup
from jaxsocial.training.folder import EVALUATION, config_of
from jaxsocial.training.member import MemberSetup, begin_one, train_one
from jaxsocial.training.packaged import PACKAGED, run_folder
from jaxsocial.training.pretrained import LoadedPolicy
from jaxsocial.training.program import check_nans_allowed
from jaxsocial.training.run import Callback, Trained, WhenDiskFull
from jaxsocial.training.stopping import StoppedByCallback
from jaxsocial.viewer import page

if TYPE_CHECKING:
    import pandas


EPISODES_OF_PAGE = 20
"""How many episodes a replay page has by default."""


def train(
    config: Config,
    folder: str | os.PathLike | None = None,
    callbacks: Sequence[Callback] = (),
    console: Console | None = None,
    when_disk_full: WhenDiskFull = "stop",
) -> "Run":
    """Trains and evaluates a run, as `jaxsocial train` does.

    >>> import jaxsocial
    >>> run = jaxsocial.train(jaxsocial.preset("quickstart"), "runs/first")  # doctest: +SKIP

    Args:
      config: the config, such as a preset with changes by `dataclasses.replace`.
      folder: the run's folder, which must not exist, or be empty; a new one under ``runs/`` if None.
      callbacks: each receives the rows of metrics of each chunk, after they are written. If one returns True before
        the end, the run is saved and not evaluated; `Run.resume` continues it.
      console: where to show progress and results; nothing is printed if None.
      when_disk_full: whether training stops at once, or goes on, and writes rows and checkpoints once there is space.

    Raises:
      OSError: the disk is full.
      ValueError: the folder exists, or the config's parts do not fit together.
      Stopped: SIGINT or SIGTERM; the run is saved.
    """
    path = run.new_folder(Path("runs"), config) if folder is None else Path(folder).expanduser()
    try:
        return _finished(path, lambda console: run.train(config, path, console, callbacks, when_disk_full), console)
    finally:
        if folder is None:
            with contextlib.suppress(OSError):  # not empty: it has begun
                path.rmdir()
                path.parent.rmdir()


@dataclasses.dataclass(frozen=True)
class Run(os.PathLike):
    """A run by its folder, finished or not. It can be given where a run's folder is expected."""

    folder: Path

    @classmethod
    def load(cls, folder: str | os.PathLike) -> "Run":
        """Returns the run in a folder, or a learner of the package that is named as ``pretrained:NAME``.

        Raises:
          ValueError: there is no run in the folder, or no such learner.
        """
        path = run_folder(folder)
        config_of(path)
        return cls(path)

    def __fspath__(self) -> str:
        """Returns the folder, for `os.fspath`."""
        return str(self.folder)

    @property
    def config(self) -> Config:
        """Returns the run's config, with the length that it has now."""
        return config_of(self.folder)

    @property
    def is_packaged(self) -> bool:
        """Returns whether this is a learner that comes with the package, whose folder stays as it is."""
        return self.folder.is_relative_to(PACKAGED)

    @property
    def iteration(self) -> int:
        """Returns the iterations that are saved, 0 before the first checkpoint; ``config.iterations`` at the end."""
        return checkpoint.latest(self.folder) or 0

    @property
    def finished(self) -> bool:
        """Returns whether the run has been trained to its end and evaluated."""
        return (self.folder / EVALUATION).is_file()

    @property
    def health(self) -> dict[int, metrics.Health]:
        """Returns, by seed, whether all numbers stayed finite in training so far, and after which step they were."""
        return metrics.health(metrics.read(self.folder / metrics.METRICS))

    def resume(
        self,
        total_steps: int | None = None,
        callbacks: Sequence[Callback] = (),
        console: Console | None = None,
        when_disk_full: WhenDiskFull = "stop",
    ) -> "Run":
        """Continues training from the last checkpoint, and evaluates the run.

        Args:
          total_steps: a new length, in learner steps; that of the run if None.
          callbacks: as in `train`.
          console: where to show progress and results; nothing is printed if None.
          when_disk_full: as in `train`.

        Raises:
          OSError: the disk is full.
          ValueError: there is no run in the folder, or it is longer already.
          Stopped: SIGINT or SIGTERM; the run is saved.
        """
        return _finished(
            self.folder,
            lambda console: run.resume(self.folder, console, total_steps, callbacks, when_disk_full),
            console,
        )

    def evaluate(
        self,
        episodes: int = 256,
        alone: bool = False,
        partners: Sequence[str] | None = None,
        first_level: int | None = None,
        levels: int | None = None,
        steps: int | None = None,
    ) -> list[returns.Result]:
        """Measures returns, goals and penalties of all agents over whole episodes, with 95 % intervals.

        Args:
          episodes: number for each seed.
          alone: whether to leave the partners out.
          partners: other partners, of any number; those of the run if None.
          first_level: the first of the fixed levels; that of the run if None.
          levels: number of fixed levels, 0 for a new one per episode; that of the run if None.
          steps: learner steps of an earlier checkpoint that is there; the last one if None.

        Returns:
          One result for each kind of player and seed, learners first.

        Raises:
          ValueError: there is no run or checkpoint, it is damaged, or arguments that do not fit it.
        """
        config, parameters = self._played(episodes, partners, first_level, levels, steps)
        results = returns.evaluate(config, episode_player(config, episodes, alone)(parameters), alone)
        return returns.with_health(results, config, self.health)

    def probe(
        self,
        *names: str,
        episodes: int = 256,
        partners: Sequence[str] | None = None,
        first_level: int | None = None,
        levels: int | None = None,
        steps: int | None = None,
    ) -> tuple[list[probes.Probed], dict[str, Score]]:
        """Measures social learning: plays the same episodes beside other partners.

        Args:
          names: of probes, see `jaxsocial.evaluate.probes.PROBES`; all that the run has partners for if none is given.
          episodes: number for each seed.
          partners: other partners, of any number; those of the run if None.
          first_level: the first of the fixed levels; that of the run if None.
          levels: number of fixed levels, 0 for a new one per episode; that of the run if None.
          steps: learner steps of an earlier checkpoint that is there; the last one if None.

        Returns:
          The measures of each learner in each probe, and each learner's cultural transmission. The latter is empty
          unless "partners", "half" and "alone" are all played.

        Raises:
          ValueError: there is no run or checkpoint, an unknown probe, or arguments that do not fit the run.
        """
        config, parameters = self._played(episodes, partners, first_level, levels, steps)
        return probes.probe(config, parameters, probes.chosen_probes(names or ("all",), config), episodes)

    def decode(
        self, episodes: int = 256, partners: Sequence[str] | None = None, steps: int | None = None
    ) -> list[decoding.Decoded]:
        """Measures what the learners' recurrent states hold: the next goal, where partners will be, who is an expert.

        Args:
          episodes: number for each seed, 4 or more.
          partners: other partners, of any number; those of the run if None.
          steps: learner steps of an earlier checkpoint that is there; the last one if None.

        Returns:
          The score of each linear decoder, and that with the labels of other episodes.

        Raises:
          ValueError: there is no run or checkpoint, the network has no recurrent state, or too few episodes.
        """
        return decoding.decode(*self._played(episodes, partners, None, None, steps), episodes)

    def cross_play(
        self,
        sets: Sequence[cross_play.PartnerSet] = cross_play.HELD_OUT,
        episodes: int = 256,
        steps: int | None = None,
    ) -> tuple[list[cross_play.CrossPlayed], list[str]]:
        """Measures the learners beside partners that they were not trained with, in the same episodes.

        Args:
          sets: of partners; by default the package's 12 held-out ones.
          episodes: number for each seed.
          steps: learner steps of an earlier checkpoint that is there; the last one if None.

        Returns:
          The measures of each learner beside each set, and a line for each set that does not fit the world.

        Raises:
          ValueError: there is no run or checkpoint, it is damaged, or its world has no seat for partners.
        """
        config, parameters = self._played(episodes, None, None, None, steps)
        return cross_play.cross_play(without_teacher(config), parameters, sets, episodes)

    def _played(
        self,
        episodes: int,
        partners: Sequence[str] | None,
        first_level: int | None,
        levels: int | None,
        steps: int | None,
    ) -> tuple[Config, Parameters]:
        """Returns the config to play, and the parameters of all seeds and learners."""
        if episodes < 1:
            raise ValueError(f"episodes={episodes}: choose 1 or more")
        own = self.config
        parameters, _ = checkpoint.restore_parameters(self.folder, own, steps)
        return played_config(own, partners, first_level, levels), parameters

    def policy(self, seed: int | None = None, steps: int | None = None, learner: int = 0) -> LoadedPolicy:
        """Loads a trained policy, which acts for one agent of one world; also `jaxsocial.load_policy`.

        Args:
          seed: the seed; the run's first if None.
          steps: learner steps of an earlier checkpoint that was kept; the last one if None.
          learner: index of the learner in its world.

        Raises:
          ValueError: there is no such run, checkpoint, seed or learner.
        """
        return pretrained.load_policy(self.folder, seed, steps, learner)

    def metrics(self) -> "pandas.DataFrame":
        """Returns the metrics of training: one row for each log point, seed and learner."""
        import pandas  # noqa: PLC0415, slow to import

        keys = ["step", "seed", "learner"]
        rows = metrics.read(self.folder / metrics.METRICS)
        table = pandas.DataFrame(rows, columns=None if rows else keys)
        # A column without any number would hold None instead of NaN.
        return table.astype(dict.fromkeys(table.columns.difference(keys), float))

    def render(
        self,
        path: str | os.PathLike,
        seed: int | None = None,
        episode: int = 0,
        steps: int | None = None,
        episodes: int | None = None,
        alone: bool = False,
        other: str | os.PathLike | None = None,
    ) -> Path:
        """Draws an episode, or writes a page that replays several (docs/replay.md).

        Args:
          path: a .html page of several episodes, a .gif of one, or a .png of its last step.
          seed: the trained seed that plays; the run's first if None.
          episode: seed of the episode; on a page, of the first.
          steps: learner steps of an earlier checkpoint that is there; the last one if None.
          episodes: number of episodes of a page; 20 if None.
          alone: whether the page shows the same levels without partners too.
          other: another run that the page shows beside this one: a `Run`, or FOLDER, FOLDER@STEPS or FOLDER#SEED.

        Returns:
          The path.

        Raises:
          ValueError: there is no such run or seed, the path has another ending, or arguments that do not fit it.
        """
        path = Path(path).expanduser()
        if path.suffix not in (".html", ".gif", ".png"):
            raise ValueError(f"{path}: end the name in .html, .gif or .png")
        if path.suffix == ".html":
            numbers = range(episode, episode + (EPISODES_OF_PAGE if episodes is None else episodes))
            page.write_page(path, self._sides(seed, numbers, steps, alone, other))
            return path
        if alone or other is not None or episodes is not None:
            raise ValueError(f"{path}: only a page compares, and has several episodes: end the name in .html")
        config = pretrained.with_partners_of(without_teacher(self.config), seed)
        learners = pretrained.load_learners(self.folder, seed, steps)
        media.write_episode(path, config, media.moments(config, learners, make_agent_setup(config)), episode)
        return path

    def _sides(
        self, seed: int | None, numbers: range, steps: int | None, alone: bool, other: str | os.PathLike | None
    ) -> list[page.Side]:
        """Plays and records what a page shows side by side."""
        if not numbers:
            raise ValueError(f"episodes={len(numbers)}: choose 1 or more")
        if alone and other is not None:
            raise ValueError(f"other={other}, alone={alone}: a page compares two, leave one of them out")
        sources = [pretrained.Source(self.folder, steps, seed)]
        if other is not None:
            sources.append(pretrained.source_of(os.fspath(other)))
            config_of(sources[-1].folder)  # refused before the first is played
        recorders = [page.side_recorder(source) for source in sources]
        found = [record(numbers) for record in recorders]
        return [*found, recorders[0](numbers, alone=True)] if alone else found


def _finished(folder: Path, train: Callable[[Console], Trained], console: Console | None) -> Run:
    """Trains and evaluates a run, unless a callback stops it."""
    # Without force_jupyter a notebook would show an empty widget.
    console = Console(quiet=True, force_jupyter=False) if console is None else console
    try:
        finish(train(console), console)
    except StoppedByCallback as stopped:
        console.print(str(stopped), soft_wrap=True, highlight=False, markup=False)
    return Run(folder)


def make_train(config: Config) -> Callable[..., tuple[Learner, Metrics]]:
    """Returns training as one pure function of a key, for `jax.jit` and `jax.vmap`.

    The function takes a key, and optionally the numbers of another config (`jaxsocial.traced_config`). It trains
    ``config.iterations`` iterations on one device, and returns the learner, and metrics of shape (iterations,
    learners). The config's seeds are not used: with ``jax.random.key(seed)`` it trains what `train` trains.

    >>> import jax, jaxsocial
    >>> train = jaxsocial.make_train(jaxsocial.preset("quickstart"))
    >>> learner, metrics = jax.eval_shape(train, jax.random.key(0))
    >>> metrics["loss"].shape == (jaxsocial.preset("quickstart").iterations, 1)
    True

    Raises:
      ValueError: the config's parts do not fit together, it continues another run, or ``jax_debug_nans`` is on.
    """
    check_nans_allowed()
    if config.start_from:
        raise ValueError(f"start_from={config.start_from}: make_train begins untrained, use jaxsocial.train")
    setup = MemberSetup(config, make_agent_setup(config), config.sizes.worlds)
    if pretrained.own_partners(setup.agents.partners.parameters.parameters, [config]):
        raise ValueError(f"partners={config.partners}: make_train knows no seeds, name one by #SEED in place of #each")
    players, own = setup.agents.partners.parameters, traced_config(config)

    def train(key: Array, numbers: TracedConfig = own) -> tuple[Learner, Metrics]:
        # Inside, keys are typed; `jax.random.PRNGKey` returns raw ones.
        key = key if jnp.issubdtype(key.dtype, jax.dtypes.prng_key) else jax.random.wrap_key_data(key)
        member, measured = train_one(begin_one(key, numbers, setup), numbers, players, config.iterations, setup)
        return member.learner, measured

    return train
