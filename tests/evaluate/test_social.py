"""Measures of social learning: cases computed by hand, the rules as plain loops, and intervals with their coverage."""

import numpy as np
import pytest

from jaxsocial.evaluate.social import Events, cultural_transmission, measures
from tests.evaluate.test_statistics import holds

WRONG = "abc"


def recorded(*episodes):
    """Reads episodes written as text, one line for each agent and one character for each step.

    A digit is that goal entered rightly, a letter (a for goal 0) wrongly, a space a step without the agent.
    """
    signs = np.array([[list(line) for line in lines] for lines in episodes]).swapaxes(1, 2)
    goal = np.full(signs.shape, -1)
    for number, letter in enumerate(WRONG):
        goal[(signs == str(number)) | (signs == letter)] = number
    right = np.char.isdigit(signs)
    reward = np.where(right, 1.0, np.where(goal >= 0, -1.5, 0.0)).astype(np.float32)
    return Events(reward, goal, right, signs != " ")


def one(*lines, **options):
    """Returns all measures of one episode, as plain numbers."""
    return {name: values.item() for name, values in measures(recorded(lines), **options).items()}


def rounds(rng, episodes, steps, agents):
    """Draws episodes of independent agents: each starts at any goal and enters the next every 4 to 12 steps."""
    goal = np.full((episodes, agents, steps), -1)
    for line in goal.reshape(-1, steps):
        at = np.cumsum(rng.integers(4, 13, size=steps))
        at = at[at < steps]
        line[at] = (rng.integers(3) + np.arange(len(at))) % 3
    goal = goal.swapaxes(1, 2)
    return Events((goal >= 0).astype(float), goal, goal >= 0, np.ones(goal.shape, bool))


def test_an_episode_computed_by_hand():
    got = one(
        "...0..ca..1...2..0.b",
        "0......1..1.........",
        ".0.......1...2......",
    )
    # Goal 0 in step 3 was led from step 1, goal 1 in step 10 from 9 (in step 10 itself is too late), goal 2 in
    # step 14 from 13. Nobody led goal 0 in step 17.
    expected = {
        "return": 4 - 3 * 1.5,
        "goals": 4,
        "penalties": 3,
        "cycles": 1,
        "following": 3 / 4,
        "lag": (2 + 1 + 1) / 3,
    }
    assert got == pytest.approx(expected | {"following_by_chance": np.nan}, nan_ok=True)


@pytest.mark.parametrize(
    ("learner", "partner", "following"),
    [
        ("..0", "0..", 1),
        ("0..", "0..", 0),  # in the same step is not earlier
        ("0..", "..0", 0),
        ("..0", "a..", 0),  # wrong entries do not lead
        ("..0", "1..", 0),
        ("0..1", "1...", 1 / 2),  # an entry in the step of its own last goal counts
        (".0.1", "1...", 0),  # an earlier one does not
        (".0c.1", "..1..", 1 / 2),  # mistakes change nothing
        ("a...", "0...", np.nan),
        ("...0", "    ", 0),
    ],
)
def test_which_partners_lead(learner, partner, following):
    assert one(learner, partner, partners=(1,))["following"] == pytest.approx(following, nan_ok=True)


@pytest.mark.parametrize(
    ("line", "goals", "cycles"),
    [("....", 3, 0), ("2...", 3, 0), ("201.", 3, 0), ("2012", 3, 1), ("2012012", 3, 2), ("0101", 2, 1), ("000", 1, 2)],
)
def test_a_cycle_is_complete_when_its_first_goal_is_entered_again(line, goals, cycles):
    assert one(line, partners=(), goals=goals)["cycles"] == cycles


def test_steps_without_the_agent_do_not_count():
    events = recorded(["0.1.20b", ".......", "......."], ["..0.1.2", "0.1.2..", "......."])
    gone = np.zeros(events.present.shape, bool)
    gone[0, 4:, 0] = gone[1, 2:, 1] = True
    got = measures(events._replace(present=events.present & ~gone))
    assert got["return"].tolist() == [2, 3]
    assert got["goals"].tolist() == [2, 3]
    assert got["penalties"].tolist() == [0, 0]
    assert got["following"].tolist() == [0, 1 / 3]


def test_mistakes_count_whatever_the_penalty():
    free = recorded(["0.c", "..."])
    free = free._replace(reward=np.maximum(free.reward, 0))
    got = measures(free, partners=(1,))
    assert (got["penalties"], got["goals"], got["return"]) == (1, 1, 1)


def test_any_seat_may_be_the_learner():
    lines = ["0..1.", ".....", ".0..1"]
    assert one(*lines, learner=2, partners=(0,))["lag"] == 1
    assert one(*lines, learner=2, partners=(1,))["following"] == 0


@pytest.mark.parametrize("lag", [1, 3, 4])
def test_a_follower_of_an_expert_follows_at_its_lag(lag):
    events = rounds(np.random.default_rng(lag), 50, 200, 3)
    goal = events.goal.copy()
    goal[:, :lag, 0] = -1
    goal[:, lag:, 0] = goal[:, :-lag, 1]
    got = measures(Events((goal >= 0).astype(float), goal, goal >= 0, events.present), partners=(1,))
    assert (got["following"] == 1).all()
    assert (got["lag"] == lag).all()
    assert 0.2 < got["following_by_chance"].mean() < 0.5


def test_an_independent_learner_follows_as_by_chance():
    got = measures(rounds(np.random.default_rng(0), 600, 200, 3))
    assert 0.4 < got["following"].mean() < 0.6
    assert got["following"].mean() == pytest.approx(got["following_by_chance"].mean(), abs=0.04)


def test_following_by_chance_uses_the_partners_of_the_next_episode():
    events = recorded(["..0..1", "0....."], ["..0...", "......"], ["......", ".0.1.."])
    got = measures(events, partners=(1,))
    np.testing.assert_array_equal(got["following"], [1 / 2, 0, np.nan])
    np.testing.assert_array_equal(got["following_by_chance"], [0, 1, np.nan])


def test_lag_is_undefined_without_following():
    got = one("0.1.2", ".....", "2....", partners=(1,))
    assert got["following"] == 0
    assert np.isnan(got["lag"])


def test_goals_beyond_their_number_are_refused():
    with pytest.raises(ValueError, match=r"goal 2 was entered and goals=2: pass"):
        measures(recorded(["..2", "...", "..."]), goals=2)


def looped(goal, right, present, learner, partners):
    """Computes `following` and `lag` of one episode by plain loops."""
    followed, lags, since = [], [], 0
    for t in range(len(goal)):
        if not (present[t, learner] and right[t, learner] and goal[t, learner] >= 0):
            continue
        earlier = [
            s
            for s in range(since, t)
            for partner in partners
            if present[s, partner] and right[s, partner] and goal[s, partner] == goal[t, learner]
        ]
        followed.append(bool(earlier))
        lags += [t - max(earlier)] if earlier else []
        since = t
    return [np.mean(values) if values else np.nan for values in (followed, lags)]


@pytest.mark.parametrize("seed", range(12))
def test_plain_loops_agree(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers([2, 1, 3], [8, 40, 5]))
    goal = rng.integers(-1 - seed % 4, 4, size=shape).clip(-1)  # various shares of steps without a goal
    right, present = rng.random((2, *shape)) < [[[[0.7]]], [[[0.9]]]]
    seats = rng.permutation(shape[2])[:3]
    learner, partners = int(seats[0]), tuple(int(seat) for seat in seats[1:])
    got = measures(Events(rng.normal(size=shape), goal, right, present), learner, partners, goals=4)
    expected = [looped(*episode, learner, partners) for episode in zip(goal, right, present, strict=True)]
    np.testing.assert_allclose(np.stack([got["following"], got["lag"]], axis=1), expected)


def test_cultural_transmission_computed_by_hand():
    full, half = np.array([[19.0, 21.0, 20.0]]), np.array([[9.0, 11.0, 10.0]])
    solo, expert = np.array([[1.0, 3.0, 2.0]]), np.array([[24.0, 26.0, 25.0]])
    got = cultural_transmission(full, half, solo, expert)
    assert got.mean == pytest.approx(0.5 * 18 / 25 + 0.5 * 8 / 25)
    # Resampled means of three episodes stay within their extremes.
    assert 0.5 * (19 - 3) / 26 + 0.5 * (9 - 3) / 26 < got.low < got.mean
    assert got.mean < got.high < 0.5 * (21 - 1) / 24 + 0.5 * (11 - 1) / 24
    same = np.full((2, 3), 2.0)
    assert cultural_transmission(same, same, same, same) == (0, 0, 0)


def test_transmission_from_an_expert_that_earns_nothing_is_refused():
    some = np.ones((1, 2))
    with pytest.raises(ValueError, match=r"return -0\.5: measure by an expert whose mean return is above 0"):
        cultural_transmission(some, some, some, np.array([[-2.0, 1.0]]))
    with pytest.raises(ValueError, match="return 0:"):
        cultural_transmission(some, some, some, np.array([[-1.0, 1.0]]))


def test_intervals_of_transmission_contain_the_true_value():
    rng = np.random.default_rng(0)
    truth = 0.5 * (15 - 1) / 20 + 0.5 * (8 - 1) / 20
    drawn = [[rng.normal(mean, 4, size=(1, 40)) for mean in (15, 8, 1, 20)] for _ in range(100)]
    assert 85 <= sum(holds(cultural_transmission(*returns), truth) for returns in drawn) < 100


def test_intervals_of_transmission_cover_other_seeds():
    rng = np.random.default_rng(3)
    truth = 0.5 * (15 - 1) / 20 + 0.5 * (8 - 1) / 20
    # A seed's skill affects all returns but the expert's.
    skill = rng.normal(0, 0.3, size=(100, 16, 1))
    noise = rng.normal(0, 2, size=(4, 100, 16, 8))
    means = [15 * (1 + skill), 8 * (1 + skill), 1 + skill, 20]
    drawn = [means[kind] + noise[kind] for kind in range(4)]
    assert 85 <= sum(holds(cultural_transmission(*[x[i] for x in drawn]), truth) for i in range(100)) <= 100
    pooled = [x.reshape(100, 1, -1) for x in drawn]
    assert sum(holds(cultural_transmission(*[x[i] for x in pooled]), truth) for i in range(100)) < 85
