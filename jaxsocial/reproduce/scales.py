"""Three sizes of everything: smoke (minutes, checks that every step runs), laptop (hours), and the paper's."""

import dataclasses

from jaxsocial.config import presets
from jaxsocial.config.config import Config
from jaxsocial.env.registry import make_scenario
from jaxsocial.env.scenario import Scenario
from jaxsocial.env.settings import changed, in_place_of
from jaxsocial.reproduce.conditions import Place, Scale
from jaxsocial.reproduce.figures import Condition, TrainedPlayer

SCALES = ("smoke", "laptop", "paper")
SEEDS, LAPTOP_SEEDS = 5, 10
EPISODES = 100
LEVEL = 15.0, 20.0
"""What SociAPL gets in the paper's world (figure 4), from and to; second-hand."""
SCRIPTED = ("expert", "expert")
WAITING = ("waiting_expert", "waiting_expert")
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
    laptop = presets.preset("laptop")
    config = dataclasses.replace(
        laptop,
        world=changed(laptop.world, max_steps=16),
        sizes=dataclasses.replace(
            laptop.sizes, worlds=8, steps=16, minibatches=2, refresh_interval=2, segments=4, segment_length=16
        ),
        network=dataclasses.replace(laptop.network, channels=(4,), dense=8, memory=8, heads=(8,)),
        # So large that conditions differ after a few updates.
        coefficients=laptop.coefficients._replace(learning_rate=0.01),
        total_steps=1024,
        log_steps=256,
        checkpoint_steps=512,
        seeds=2,
    )
    expert = _expert(config, (0.5, 2.0), (512.0,))
    players = TrainedPlayer(expert), TrainedPlayer(expert, 1)
    return Scale(
        "smoke",
        config,
        players,
        players,
        _early(expert, 512),
        _places(config.world),
        16,
        longest_steps=2048,
        vanilla_learning_rate=5e-3,
    )


def _laptop() -> Scale:
    config = dataclasses.replace(presets.preset("laptop"), seeds=LAPTOP_SEEDS)
    # Trained experts search worse than scripted ones, which are therefore the partners. Before the last stage, in
    # which they stop to search, they still get about 7 at the full penalty (docs/notebook/small-room.md).
    early = dataclasses.replace(
        presets.symbolic(config),
        # Nothing is predicted, but the weight is part of the run's hash.
        coefficients=config.coefficients._replace(prediction_weight=0.1),
        seeds=2,
        total_steps=1_800_000,
        checkpoint_steps=600_000,
    )
    trained = _expert(early, (0.25, 0.5, 1.0, 2.0), (600_000.0,) * 3)
    steps = 3 * trained.config.checkpoint_iterations * trained.config.iteration_steps
    return Scale(
        "laptop",
        config,
        SEARCHING,
        SEARCHING,
        _early(trained, steps),
        _places_to_return_to(config.world),
        EPISODES,
        imitation_steps=config.world.max_steps,
        noise=0.1,
        mixed_steps=2 * config.total_steps,
        longest_steps=12_000_000,
        # Of four other settings, the one with which a seed of vanilla left (experiments/laptop.toml).
        vanilla_learning_rate=3e-4,
    )


def _paper() -> Scale:
    config = dataclasses.replace(presets.preset("paper"), seeds=SEEDS)
    expert = Condition("expert", dataclasses.replace(presets.preset("expert"), seeds=2, keep_every=10))
    steps = 2 * expert.config.keep_every * expert.config.checkpoint_iterations * expert.config.iteration_steps
    players = TrainedPlayer(expert), TrainedPlayer(expert, 1)
    return Scale("paper", config, players, players, _early(expert, steps), _places(config.world), EPISODES, LEVEL)


def _expert(config: Config, penalties: tuple[float, ...], steps: tuple[float, ...]) -> Condition:
    """Returns an expert that trains alone, with a penalty that rises after these numbers of steps."""
    stages = presets.Stages(penalties=penalties, steps=steps)
    alone = presets.predicting(presets.alone(config), "none")
    return Condition("expert", dataclasses.replace(alone, stages=stages, keep_every=1))


def _early(expert: Condition, steps: int) -> tuple[TrainedPlayer, ...]:
    return TrainedPlayer(expert, 0, steps), TrainedPlayer(expert, 1, steps)


def _places(world: Scenario) -> dict[str, Place]:
    """Returns a world with one more goal, and MarlGrid's Four Rooms and Maze; scripted experts know all of them.

    The paper's experts for Four Rooms and Maze see the goal's position besides, which these networks do not take.
    """
    kinds = {"four rooms": "four_rooms", "maze": "maze"}
    others = {name: in_place_of(world, make_scenario(kind, height=13, width=13)) for name, kind in kinds.items()}
    return {name: Place(place, SCRIPTED) for name, place in (_one_more_goal(world) | others).items()}


def _places_to_return_to(world: Scenario) -> dict[str, Place]:
    """Returns the same worlds of the smallest sizes, in which an agent that enters the goal starts again.

    So a follower can be rewarded more than once. Rewards do not shrink over time. In half of the worlds experts wait.
    """
    again = {"max_steps": world.max_steps, "respawn": True, "reward_decay": False}
    kinds = {"four rooms": ("four_rooms", 12), "maze": ("maze", 9)}
    others = {
        name: in_place_of(world, make_scenario(kind, height=side, width=side, **again))
        for name, (kind, side) in kinds.items()
    }
    return {name: Place(place, SEARCHING) for name, place in (_one_more_goal(world) | others).items()} | {
        f"{name}, experts wait": Place(place, WAITING) for name, place in others.items()
    }


def _one_more_goal(world: Scenario) -> dict[str, Scenario]:
    return {f"{world.goals + 1} goals": changed(world, goals=world.goals + 1)}
