"""The verbs play and draw."""

import dataclasses
from collections.abc import Sequence

import imageio.v3 as imageio
import jax
from rich.console import Console

from jaxsocial.cli.options import DrawOptions, PlayOptions
from jaxsocial.config.config import RulesConfig
from jaxsocial.env import render
from jaxsocial.env.core import make_env
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.types import Rules, make_rules
from jaxsocial.play import game, terminal
from jaxsocial.training.folder import config_of
from jaxsocial.training.pretrained import FROZEN, TRAINED, source_of


def play(chosen: PlayOptions, console: Console) -> int:
    """Plays a game in the terminal; returns the exit status.

    Raises:
      ValueError: the console is no terminal, or options that do not fit together.
    """
    terminal.refuse_unfit(console)
    rules = rules_of_game(chosen.world, chosen.level, chosen.partners)
    table = game.make_setup(chosen.world, rules, chosen.partners)
    session = terminal.play(table, chosen.seed, console)
    returns = session.game.returns.tolist()
    results = (f"{name} {total:+.2f}" for name, total in zip(table.names, returns, strict=True))
    console.print(f"{chosen.world.name}, step {int(session.game.state.clock)}: {', '.join(results)}", highlight=False)
    return 0


def draw(chosen: DrawOptions, console: Console) -> int:
    """Draws a new world, or writes it as text; returns the exit status.

    Raises:
      ValueError: the file's name has another ending.
    """
    if chosen.out.suffix not in (".png", ".txt"):
        raise ValueError(f"--out {chosen.out}: end the name in .png or .txt")
    rules = rules_of_game(chosen.world, chosen.level)
    state, _ = jax.jit(make_env(chosen.world, rules).reset)(jax.random.key(chosen.seed))
    if chosen.out.suffix == ".png":
        imageio.imwrite(chosen.out, render.image(state, rules, chosen.world, chosen.tile))
    else:
        chosen.out.write_text(render.text(state, chosen.world), encoding="utf-8")
    console.print(f"wrote {chosen.out}", soft_wrap=True, highlight=False)
    return 0


def rules_of_game(world: Scenario, level: int | None, partners: Sequence[str] = ()) -> Rules:
    """Returns the rules of the first partner that is a run, or the defaults.

    Args:
      world: the world.
      level: the fixed level of all episodes; that of the rules if None.
      partners: the names of the partners.

    Raises:
      ValueError: a partner's run does not exist.
    """
    runs = [source_of(name.removeprefix(FROZEN)).folder for name in partners if name.startswith(TRAINED)]
    # A network sees prestige as its run's rules scale it.
    numbers = config_of(runs[0]).rules if runs else RulesConfig()
    if level is not None:
        numbers = dataclasses.replace(numbers, first_level=level, levels=1)
    return make_rules(world, **dataclasses.asdict(numbers))
