"""The paper's conditions, at any scale (PROTOCOL: Conditions)."""

import dataclasses
from typing import NamedTuple

from jaxsocial.config import presets
from jaxsocial.config.config import Config
from jaxsocial.env.scenario import Scenario
from jaxsocial.learning.losses import Target
from jaxsocial.reproduce.claims import below_their_learner
from jaxsocial.reproduce.figures import Condition, Player, Row

TRAP = 1.5
"""What a learner in the trap gets at most: one goal, and then it stops (PROTOCOL: Results to match)."""


class Place(NamedTuple):
    """Another world, for transfer, and who knows the way there."""

    world: Scenario
    experts: tuple[Player, ...]


class Scale(NamedTuple):
    """How large everything is."""

    name: str
    base: Config
    """SociAPL: a learner that predicts the next frame, beside experts."""
    experts: tuple[Player, ...]
    """Who sits beside learners."""
    searching: tuple[Player, ...]
    """Experts who find the order anew in every episode, as the paper's do: whom learners are compared with."""
    early_experts: tuple[Player, ...]
    """The same before they were fully trained; none where they are not trained."""
    places: dict[str, Place]
    """Where learners are sent that were trained elsewhere."""
    episodes: int
    """Of each seed, in evaluation."""
    level: tuple[float, float] | None = None
    """What SociAPL comes to in the paper, from and to, where the world is the paper's."""


def seed_batches(scale: Scale, seeds: int | None = None) -> list[Scale]:
    """The scale, and as often again with the next seeds as it takes to make so many: what has been trained stays.

    Raises:
      ValueError: ``seeds`` is not a multiple of the scale's own.
    """
    each = scale.base.seeds
    if seeds is not None and (seeds < each or seeds % each):
        raise ValueError(f"--seeds {seeds}: scale {scale.name} trains {each} at once; give a multiple of that")
    firsts = range(scale.base.seed, scale.base.seed + (seeds or each), each)
    return [scale._replace(base=dataclasses.replace(scale.base, seed=first)) for first in firsts]


def social(
    scale: Scale,
    prediction: Target = "next",
    experts: tuple[Player, ...] = (),
    name: str = "SociAPL",
    noise: float = 0.0,
) -> Condition:
    """A learner beside experts, those of the scale if none are given, who err so often."""
    config = presets.predicting(scale.base, prediction)
    config = dataclasses.replace(config, partner_schedule=config.partner_schedule._replace(epsilon=(noise,)))
    return Condition(name, config, partners=experts or scale.experts)


def vanilla(scale: Scale) -> Condition:
    """Nothing is predicted."""
    return social(scale, "none", name="social vanilla")


def autoencoder(scale: Scale) -> Condition:
    """The current frame is reconstructed, by the same head."""
    return social(scale, "current", name="social autoencoder")


def solo(scale: Scale, prediction: Target = "next") -> Condition:
    """A learner alone."""
    name = "solo vanilla" if prediction == "none" else "solo SociAPL"
    return Condition(name, presets.predicting(presets.alone(scale.base), prediction))


def imitation(scale: Scale) -> Condition:
    """A learner that is shown what an expert sees and does."""
    return Condition("imitation", presets.imitating(scale.base), teacher=scale.searching[0])


def mixed(scale: Scale) -> Condition:
    """A learner from beside experts goes on, in three worlds of four alone."""
    return Condition("mixed", presets.mixed(scale.base), partners=scale.experts, start_from=social(scale))


def about(scale: Scale) -> str:
    """What a reader of a table has to know of a scale: its world, the penalty, the experts."""
    world, ramp, price = scale.base.world, scale.base.penalty_ramp, scale.base.rules.penalty
    sentences = [f"World: {world.height} x {world.width}, {world.goals} goals, episodes of {world.max_steps} steps."]
    if ramp.initial_fraction < 1:
        low, whole = ramp.ramp_start / 1e6, ramp.ramp_end / 1e6
        share = f"{ramp.initial_fraction:.0%} of the penalty for the first {low:g} M steps"
        sentences += [
            f"Learners trained from scratch pay {share}, rising to all of it, {price:g}, at {whole:g} M. "
            "Evaluation charges all of it. The paper charges it all from the start."
        ]
    return " ".join([*sentences, _about_experts(scale)])


def _about_experts(scale: Scale) -> str:
    if not searchers_apart(scale):
        return "Experts are trained by curriculum, alone."
    return (
        "Experts are scripted. Those that learners are trained beside know the order from the start and pay for no "
        "search, so nobody can earn more or pay less than they do, and an imitator cannot see what they act on. The "
        "paper's experts search at the start of every episode. So the paper's comparisons with experts are made "
        "beside scripted experts that search, whom the learner has not met before, and imitation imitates one of them."
    )


def searchers_apart(scale: Scale) -> tuple[Player, ...] | None:
    """Experts that search as partners of a row; none where those that a learner was trained beside do."""
    return None if scale.searching == scale.experts else scale.searching


def searchers_name(scale: Scale) -> str:
    """The row of experts that search, among those of `beside_experts`."""
    return "experts that search" if searchers_apart(scale) else "experts"


def beside_experts(scale: Scale, learner: Condition) -> list[Row]:
    """The experts beside a learner, with the paper's claim that it outdoes them, made of such as search."""
    claim, searchers, name = "below SociAPL in most seeds", searchers_apart(scale), searchers_name(scale)
    last = Row(name, learner, claim, below_their_learner(), partners=searchers, of_partners=True)
    if not searchers:
        return [last]
    sent = Row(f"{learner.name}, sent to {name}", learner, partners=searchers)
    return [Row("experts", learner, of_partners=True), sent, last]


def with_penalty(condition: Condition, penalty: float) -> Condition:
    """The same at another price of a mistake, or itself at its own; experts are those of the usual one."""
    if penalty == condition.config.rules.penalty:
        return condition
    rules = dataclasses.replace(condition.config.rules, penalty=penalty)
    config = dataclasses.replace(condition.config, rules=rules)
    return dataclasses.replace(condition, name=f"{condition.name}, penalty {penalty:g}", config=config)
