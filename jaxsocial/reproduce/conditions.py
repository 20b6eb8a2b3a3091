"""The paper's conditions, at any scale (PROTOCOL: Conditions)."""

import dataclasses
from typing import NamedTuple

from jaxsocial.config import presets
from jaxsocial.config.config import Config
from jaxsocial.env.scenario import Scenario
from jaxsocial.learning.settings import Coefficients
from jaxsocial.reproduce.claims import below_their_learner
from jaxsocial.reproduce.figures import Condition, Player, Row, TrainedPlayer

LOCAL_OPTIMUM = 1.5
"""The highest return in the local optimum: one goal, and then the learner stops (PROTOCOL: Results to match)."""
LEFT = 3.0
"""The return above which one seed has left the local optimum. Outcomes are bimodal: few seeds are near it."""

TUNED_VANILLA = "social vanilla, its best learning rate"
"""The name of the condition of `tuned_vanilla`."""


class Place(NamedTuple):
    """Another world, for transfer, and experts that know it."""

    world: Scenario
    experts: tuple[Player, ...]


class Scale(NamedTuple):
    """The sizes of everything."""

    name: str
    base: Config
    """SociAPL: a learner that predicts what it will see next, with experts as partners."""
    experts: tuple[Player, ...]
    """The partners of learners."""
    searching: tuple[Player, ...]
    """Experts that search for the goal order in every episode, as the paper's do: learners are compared with them."""
    early_experts: tuple[Player, ...]
    """Early checkpoints of the experts; empty if experts are not trained."""
    places: dict[str, Place]
    """Worlds that learners are transferred to."""
    episodes: int
    """Evaluation episodes of each seed."""
    level: tuple[float, float] | None = None
    """SociAPL's return in the paper, from and to, if the world is the paper's."""
    imitation_steps: int = 10
    """Steps in a segment of behaviour cloning."""
    noise: float = 0.3
    """The probability with which noisy experts act at random."""
    mixed_steps: int | None = None
    """Further learner steps of mixed training; as many as before if None."""
    longest_steps: int | None = None
    """Learner steps of those that train until their return is flat; as many as of all others if None."""
    vanilla_learning_rate: float | None = None
    """The learning rate that suits social vanilla best, for a row beside that of the shared one; no row if None."""


def seed_batches(scale: Scale, seeds: int | None = None) -> list[Scale]:
    """Returns the scale once for each batch of seeds, so that more seeds leave trained runs as they are.

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
    prediction: str | None = None,
    experts: tuple[Player, ...] = (),
    name: str = "SociAPL",
    noise: float = 0.0,
) -> Condition:
    """Returns a learner that trains with experts.

    Args:
      scale: the scale.
      prediction: what its auxiliary head predicts; the scale's if None.
      experts: its partners; the scale's if empty.
      name: the condition's name.
      noise: the probability with which experts act at random.
    """
    config = presets.predicting(scale.base, prediction or scale.base.sizes.prediction)
    config = dataclasses.replace(config, partner_schedule=config.partner_schedule._replace(epsilon=(noise,)))
    return Condition(name, config, partners=experts or scale.experts)


def vanilla(scale: Scale, name: str = "social vanilla") -> Condition:
    """Returns a learner with experts that predicts nothing."""
    return social(scale, "none", name=name)


def tuned_vanilla(scale: Scale) -> list[Condition]:
    """Returns social vanilla with the learning rate that suits it best; nothing if the scale has only one rate."""
    if scale.vanilla_learning_rate is None:
        return []
    condition = vanilla(scale, TUNED_VANILLA)
    coefficients = condition.config.coefficients._replace(learning_rate=scale.vanilla_learning_rate)
    return [dataclasses.replace(condition, config=dataclasses.replace(condition.config, coefficients=coefficients))]


def autoencoder(scale: Scale) -> Condition:
    """Returns a learner with experts that reconstructs what it sees now."""
    return social(scale, f"current_{scale.base.sizes.prediction}", name="social autoencoder")


def on_pixels(scale: Scale) -> Condition:
    """Returns SociAPL with the paper's loss on pixels and its weight, for scales that predict something else."""
    config = presets.predicting(scale.base, "frame")
    coefficients = config.coefficients._replace(prediction_weight=Coefficients().prediction_weight)
    return Condition(
        "SociAPL on pixels", dataclasses.replace(config, coefficients=coefficients), partners=scale.experts
    )


def solo(scale: Scale, prediction: str | None = None) -> Condition:
    """Returns a learner that trains alone.

    Args:
      scale: the scale.
      prediction: what it predicts; the scale's if None.
    """
    name = "solo vanilla" if prediction == "none" else "solo SociAPL"
    config = presets.predicting(presets.alone(scale.base), prediction or scale.base.sizes.prediction)
    return Condition(name, config)


def imitation(scale: Scale) -> Condition:
    """Returns a learner that is trained on what an expert sees and does."""
    return Condition("imitation", presets.imitating(scale.base, scale.imitation_steps), teacher=scale.searching[0])


def mixed(scale: Scale, start_from: Condition | None = None) -> Condition:
    """Returns a learner, SociAPL if None, trained further with three of four worlds without experts."""
    start = start_from or social(scale)
    config = dataclasses.replace(presets.mixed(start.config), total_steps=mixed_steps(scale))
    name = "mixed" if start == social(scale) else f"mixed, from {start.name}"
    return Condition(name, config, partners=start.partners, start_from=start)


def mixed_steps(scale: Scale) -> int:
    """Returns the learner steps of mixed training, which come on top of those before."""
    return scale.mixed_steps or scale.base.total_steps


def continued(start_from: Condition, steps: int) -> Condition:
    """Returns a learner that continues, as it trained before, for so many further learner steps."""
    config = dataclasses.replace(start_from.config, total_steps=steps)
    return Condition(f"{start_from.name}, continued", config, partners=start_from.partners, start_from=start_from)


def longer(scale: Scale, start_from: Condition) -> Condition:
    """Returns a learner that continues beside its experts until `Scale.longest_steps`; itself if that is None."""
    if scale.longest_steps is None:
        return start_from
    return continued(start_from, scale.longest_steps - scale.base.total_steps)


def on_symbols(scale: Scale) -> Scale:
    """Returns the scale with symbols as observation in place of pictures."""
    return scale._replace(base=presets.symbolic(scale.base))


def with_penalty(condition: Condition, penalty: float) -> Condition:
    """Returns a condition with another penalty, or itself if it is the same; its experts are the same."""
    if penalty == condition.config.rules.penalty:
        return condition
    rules = dataclasses.replace(condition.config.rules, penalty=penalty)
    config = dataclasses.replace(condition.config, rules=rules)
    return dataclasses.replace(condition, name=f"{condition.name}, penalty {penalty:g}", config=config)


def searchers_apart(scale: Scale) -> tuple[Player, ...] | None:
    """Returns experts that search, as partners of a test; None if the partners in training search themselves."""
    return None if scale.searching == scale.experts else scale.searching


def searchers_name(scale: Scale) -> str:
    """Returns the name of the row of experts that search, among those of `beside_experts`."""
    return "searching experts" if searchers_apart(scale) else "experts"


def beside_experts(scale: Scale, learner: Condition) -> list[Row]:
    """Returns the rows of a learner's experts. The paper's claim about them is tested with experts that search."""
    claim, searchers, name = "below SociAPL in most seeds", searchers_apart(scale), searchers_name(scale)
    last = Row(name, learner, claim, below_their_learner(), partners=searchers, of_partners=True)
    if not searchers:
        return [last]
    tested = Row(f"{learner.name}, tested with {name}", learner, partners=searchers)
    return [Row("experts", learner, of_partners=True), tested, last]


def about(scale: Scale) -> str:
    """Returns what a reader of a table has to know of a scale: its world, the penalty, the experts."""
    world, ramp, penalty = scale.base.world, scale.base.penalty_ramp, scale.base.rules.penalty
    text = f"World: {world.height} x {world.width}, {world.goals} goals, episodes of {world.max_steps} steps. "
    if ramp.initial_fraction < 1:
        text += (
            f"Learners that train from scratch pay {ramp.initial_fraction:.0%} of the penalty for the first "
            f"{ramp.ramp_start / 1e6:g} M steps; it rises to the full {penalty:g} at {ramp.ramp_end / 1e6:g} M. "
            "Evaluation charges the full penalty. The paper charges it from the start. "
        )
    if not searchers_apart(scale):
        if isinstance(scale.experts[0], TrainedPlayer):
            return text + "Experts are trained by curriculum, alone."
        return text + (
            "Experts are scripted. As the paper's do, they search for the goal order in every episode, pay for wrong "
            "goals, and then follow the order."
        )
    return text + (
        "Experts are scripted. Those that learners train with know the goal order from the start and do not search, so "
        "nobody can get more than they do, and an imitator cannot see what they act on. The paper's experts search at "
        "the start of every episode. The paper's comparisons with experts are therefore made with scripted experts "
        "that search, which the learner has not met before, and imitation imitates one of them."
    )
