"""Three sizes of everything: smoke (minutes, checks that every step runs), laptop (hours), and the paper's."""

import dataclasses

from jaxsocial.config import presets
from jaxsocial.config.config import Config
from jaxsocial.env.registry import make_scenario
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.settings import changed, in_place_of
from jaxsocial.reproduce.conditions import Place, Scale
from jaxsocial.reproduce.figures import Condition, Trained

SCALES = ("smoke", "laptop", "paper")
SEEDS = 5
EPISODES = 100
LEVEL = 15.0, 20.0
"""What SociAPL gets in the paper's world (figure 4), from and to; second-hand."""
SCRIPTED = ("expert", "expert")
SEARCHING = ("searching_expert", "searching_expert")


def make_scale(name: str) -> Scale:
    """Returns the scale of a name.

    Raises:
      ValueError: there is none.
    """
    makers = dict(zip(SCALES, (_smoke, _laptop, _paper), strict=True))
    if name not in makers:
        raise ValueError(f"scale {name!r} is unknown: choose from {', '.join(SCALES)}")
    return makers[name]()


def _smoke() -> Scale:
    quick = presets.preset("quickstart")
    sizes = dataclasses.replace(
        quick.sizes, worlds=8, steps=16, minibatches=2, refresh_interval=2, segments=4, segment_length=16
    )
    network = dataclasses.replace(quick.network, channels=(4,), dense=8, memory=8, heads=(8,))
    config = dataclasses.replace(
        quick,
        world=changed(quick.world, max_steps=16),
        sizes=dataclasses.replace(sizes, prediction="frame"),
        network=network,
        # So large that conditions differ after a few updates.
        coefficients=quick.coefficients._replace(learning_rate=0.01),
        penalty_ramp=presets.PenaltyRamp(),
        total_steps=1024,
        log_steps=256,
        checkpoint_steps=512,
        seeds=2,
    )
    expert = _expert(config, (0.5, 1.5), (512.0,))
    players = Trained(expert), Trained(expert, 1)
    return Scale("smoke", config, players, players, _early(expert, 512), _places(config.world), 16)


def _laptop() -> Scale:
    config = dataclasses.replace(presets.preset("laptop"), seeds=SEEDS)
    return Scale("laptop", config, SCRIPTED, SEARCHING, (), _places(config.world), EPISODES)


def _paper() -> Scale:
    config = dataclasses.replace(presets.preset("paper"), seeds=SEEDS)
    expert = Condition("expert", dataclasses.replace(presets.preset("expert"), seeds=2, keep_every=10))
    steps = 2 * expert.config.keep_every * expert.config.checkpoint_iterations * expert.config.iteration_steps
    players = Trained(expert), Trained(expert, 1)
    return Scale("paper", config, players, players, _early(expert, steps), _places(config.world), EPISODES, LEVEL)


def _expert(config: Config, penalties: tuple[float, ...], steps: tuple[float, ...]) -> Condition:
    """Returns an expert that trains alone, with a penalty that rises after these numbers of steps."""
    stages = presets.Stages(penalties=penalties, steps=steps)
    alone = presets.predicting(presets.alone(config), "none")
    return Condition("expert", dataclasses.replace(alone, stages=stages, keep_every=1))


def _early(expert: Condition, steps: int) -> tuple[Trained, ...]:
    return Trained(expert, 0, steps), Trained(expert, 1, steps)


def _places(world: Scenario) -> dict[str, Place]:
    """Returns a world with one more goal, and MarlGrid's Four Rooms and Maze; scripted experts know all of them.

    The paper's experts for Four Rooms and Maze see the goal's position besides, which these networks do not take.
    """
    kinds = {"four rooms": "four_rooms", "maze": "maze"}
    others = {name: in_place_of(world, make_scenario(kind, height=13, width=13)) for name, kind in kinds.items()}
    more = {f"{world.goals + 1} goals": changed(world, goals=world.goals + 1)}
    return {name: Place(place, SCRIPTED) for name, place in (more | others).items()}
