"""The verbs evaluate and render."""

import dataclasses
import json

from rich.console import Console

from jaxsocial.agents.networks.network import Parameters
from jaxsocial.cli.options import EvaluateOptions, RenderOptions
from jaxsocial.config.config import Config
from jaxsocial.evaluate import media, probes, returns
from jaxsocial.evaluate.episodes import beside, episode_player, without_teacher
from jaxsocial.training import checkpoint, pretrained
from jaxsocial.training.build import make_agent_setup
from jaxsocial.training.folder import config_of


def evaluate(chosen: EvaluateOptions, console: Console) -> int:
    """Prints the returns of a run, or its probes; returns the exit status.

    Raises:
      ValueError: there is no such run, or options that do not fit it.
    """
    if chosen.episodes < 1:
        raise ValueError(f"--episodes {chosen.episodes}: choose 1 or more")
    own = config_of(chosen.run)
    parameters, iteration = checkpoint.restore_parameters(chosen.run, own)
    levels = {"first_level": chosen.first_level, "levels": chosen.levels}
    given = {name: number for name, number in levels.items() if number is not None}
    config = dataclasses.replace(own, rules=dataclasses.replace(own.rules, **given))
    config = config if chosen.partners is None else beside(config, chosen.partners)
    if chosen.probes:
        return _probe(chosen, config, parameters, console)
    episodes = episode_player(config, chosen.episodes, chosen.alone)(parameters)
    results = returns.evaluate(config, episodes, chosen.alone)
    first, count = config.rules.first_level, config.rules.levels
    about = [str(chosen.run), "alone" if chosen.alone else "with partners"]
    about += [f"levels {first} to {first + count - 1}"] if count else []
    console.print(returns.table(results, ", ".join([*about, f"iteration {iteration} of {config.iterations}"])))
    return 0


def _probe(chosen: EvaluateOptions, config: Config, parameters: Parameters, console: Console) -> int:
    names = probes.chosen_probes(chosen.probes, config)
    results, transmission = probes.probe(config, parameters, names, chosen.episodes)
    console.print(probes.table(results, f"{chosen.run}, {chosen.episodes} episodes of each of {config.seeds} seeds"))
    for learner, score in transmission.items():
        console.print(f"cultural transmission, {learner}: {score}", highlight=False)
    path = chosen.run / "probes.json"
    path.write_text(json.dumps(probes.plain(results, transmission), indent=2) + "\n")
    console.print(f"wrote {path}", soft_wrap=True, highlight=False)
    return 0


def render(chosen: RenderOptions, console: Console) -> int:
    """Draws an episode of a run; returns the exit status.

    Raises:
      ValueError: there is no such run or seed, or the file's name has another ending.
    """
    if chosen.out.suffix not in (".gif", ".png"):
        raise ValueError(f"--out {chosen.out}: end the name in .gif or .png")
    config = without_teacher(config_of(chosen.run))
    learners = pretrained.load_learners(chosen.run, chosen.seed)
    media.write_episode(chosen.out, config, learners, make_agent_setup(config), chosen.episode)
    console.print(f"wrote {chosen.out}", soft_wrap=True, highlight=False)
    return 0
