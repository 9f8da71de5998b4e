"""Feasible sets against brute force over all sets, and what is said where constraints clash."""

from dataclasses import replace
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.planning.constraints import laid_on
from experiments.planning.goal import Goal
from measurement import DataError, DesignError, Panel

SIZES = (900, 700, 600, 500, 400, 300, 250, 200, 100)
GEOS = tuple("abcdefghi")
GOAL = Goal(channel=("tv",), durations=(7,), geos=(1, 9), direction="heavy_up")


def panel_of(sizes=SIZES, spend=None, periods=30, **more) -> Panel:
    geos = len(sizes)
    wave = np.where(np.arange(periods) % 2, 1.1, 0.9)  # adds up to a whole number, so shares are exact
    media = np.zeros((geos, periods, 0)) if spend is None else np.tile(np.array(spend)[:, None, None], (1, periods, 1))
    fields = {
        "dates": np.datetime64("2024-01-01") + np.arange(periods),
        "geos": tuple(f"g{i:03d}" for i in range(geos)) if geos > len(GEOS) else GEOS[:geos],
        "channels": () if spend is None else ("tv",),
        "spend": media,
        "exposure": media,
        "kpis": {"sales": np.array(sizes)[:, None] * wave},
        "kpi": "sales",
        "period": "day",
    }
    return Panel(**(fields | more))


def brute(goal: Goal, spend=None) -> set[frozenset[str]]:
    """All allowed sets, from the words of the constraints: those that the exact test can read, if there are any."""
    size = dict(zip(GEOS, SIZES, strict=True))
    for exact in (True, False):
        found = {
            frozenset(chosen)
            for k in range(goal.geos[0], min(goal.geos[1], len(GEOS)) + 1)
            for chosen in combinations(GEOS, k)
            if _fits(set(chosen), goal, size, spend, exact)
        }
        if found:
            break
    return found


def _fits(treated: set[str], goal: Goal, size: dict[str, float], spend, exact: bool) -> bool:
    control = set(GEOS) - treated - set(goal.busy)
    for one, other in goal.adjacent:
        if one in treated and other not in treated:
            control.discard(other)
        if other in treated and one not in treated:
            control.discard(one)
    merged = [set(cluster) for cluster in goal.clusters]
    for _ in merged:
        merged = [set().union(*(c for c in merged if c & cluster)) for cluster in merged]
    for cluster in merged:
        if treated & cluster and not cluster <= treated:
            return False
        if not cluster <= control:
            control -= cluster
    share = sum(size[g] for g in treated) / sum(size.values())
    of = {s: sum(goal.strata.get(g) == s for g in treated) for s in goal.quotas}
    cost = 0 if spend is None else sum(dict(zip(GEOS, spend, strict=True))[g] for g in treated)
    return (
        set(goal.must_include) <= treated
        and not treated & (set(goal.exclude) | set(goal.busy))
        and goal.share[0] - 1e-6 <= share <= goal.share[1] + 1e-6
        and all(low <= of[s] <= high for s, (low, high) in goal.quotas.items())
        and (goal.budget is None or cost * min(goal.durations) <= goal.budget * (1 + 1e-6))
        and len(control) >= 3
        and (not exact or comb(len(control) + len(treated), len(treated)) >= 40)
    )


geo = st.sampled_from(GEOS)
few = st.lists(geo, unique=True, max_size=2).map(tuple)
quota = st.tuples(st.integers(0, 3), st.integers(0, 3)).map(lambda ends: tuple(sorted(ends)))
goals = st.builds(
    Goal,
    channel=st.just(("tv",)),
    direction=st.just("heavy_up"),
    durations=st.just((7,)),
    geos=st.tuples(st.integers(1, 6), st.integers(1, 8)).map(lambda ends: tuple(sorted(ends))),
    must_include=few,
    exclude=few,
    busy=st.lists(geo, unique=True, max_size=1).map(tuple),
    clusters=st.lists(st.lists(geo, unique=True, min_size=2, max_size=3).map(tuple), max_size=2).map(tuple),
    adjacent=st.lists(st.lists(geo, unique=True, min_size=2, max_size=2).map(tuple), max_size=2).map(tuple),
    strata=st.just({g: "east" if i % 2 else "west" for i, g in enumerate(GEOS)}),
    quotas=st.dictionaries(st.sampled_from(["east", "west"]), quota, max_size=2),
    share=st.tuples(st.sampled_from([0, 0.2, 0.41]), st.sampled_from([0.45, 0.6, 1])),
    budget=st.sampled_from([None, 700.0, 2100.0]),
)
SPEND = (90, 70, 60, 50, 40, 30, 25, 20, 10)


def every_set() -> np.ndarray:
    return np.array([[i >> bit & 1 for bit in range(len(GEOS))] for i in range(2 ** len(GEOS))], dtype=bool)


def named(sets: np.ndarray) -> set[frozenset[str]]:
    return {frozenset(np.array(GEOS)[row].tolist()) for row in sets}


@settings(max_examples=50, deadline=None, derandomize=True)
@given(goals)
def test_allowed_sets_are_those_of_brute_force_and_a_clash_means_that_there_are_none(goal: Goal) -> None:
    truth = brute(goal, SPEND)
    panel = panel_of(spend=SPEND)
    try:
        feasible = laid_on(panel, goal)
    except DesignError:
        assert not truth
        return
    assert truth
    sets = every_set()
    allowed = feasible.allowed(sets)
    assert named(sets[allowed]) == truth
    assert [not feasible.why_not(row) for row in sets] == allowed.tolist()
    assert feasible.counts == tuple(sorted({len(each) for each in truth}))
    listed = [feasible.exhaustive(size) for size in feasible.counts]
    assert named(np.vstack(listed)) == truth
    drawn = feasible.random(np.random.default_rng(0), 10, feasible.counts[0])
    assert named(drawn) <= truth
    assert len(drawn) == min(10, len(listed[0]))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(goals)
def test_a_clash_is_irreducible(goal: Goal) -> None:
    """Without any one of the rules named in it, the others of the clash hold together."""
    from experiments.planning.clash import clash, find
    from experiments.planning.rules import rules_of

    rules = rules_of(panel_of(spend=SPEND), goal)
    if find(rules, len(GEOS)) is not None:
        return
    core = clash(rules, len(GEOS))
    assert find(core, len(GEOS)) is None
    for rule in core:
        assert find([each for each in core if each is not rule], len(GEOS)) is not None


def refused(goal: Goal, panel: Panel | None = None) -> str:
    with pytest.raises(DesignError) as caught:
        laid_on(panel or panel_of(), goal)
    return str(caught.value)


def test_two_names_that_clash() -> None:
    assert refused(replace(GOAL, must_include=("a", "c"), exclude=("c", "b"))) == (
        "no set of geos meets all that is asked; these cannot hold together:\n"
        "  must_include: 'c' must be treated\n"
        "  exclude: 'c' must not be treated\n"
        "any of these would help: leave 'c' out of must_include; leave 'c' out of exclude"
    )


def test_numbers_in_a_clash_say_what_can_be_had() -> None:
    """The three largest of 3,950 hold 2,200, or .557; four hold 2,700, or .684."""
    words = refused(replace(GOAL, geos=(2, 3), share=(0.6, 1.0)))
    assert words.splitlines()[1:] == [
        "  geos: at most 3 geos treated",
        "  share: at least 0.6 of the KPI in treated geos",
        "any of these would help: allow 4 geos treated; ask for a share from 0.556",
    ]
    laid_on(panel_of(), replace(GOAL, geos=(2, 4), share=(0.6, 1.0)))
    laid_on(panel_of(), replace(GOAL, geos=(2, 3), share=(0.556, 1.0)))


def test_a_budget_that_buys_nothing_says_what_would() -> None:
    """The three cheapest spend 10 + 20 + 25 a day, for 7 days."""
    panel = panel_of(spend=SPEND)
    words = refused(replace(GOAL, geos=(3, 4), budget=300.0), panel)
    assert "budget: at most EUR 300 of extra spend over 7 days" in words
    assert "ask for a budget of EUR 385" in words
    laid_on(panel, replace(GOAL, geos=(3, 4), budget=385.0))


def test_a_budget_of_a_cut_bounds_the_money_that_it_loses() -> None:
    panel = panel_of(spend=SPEND)
    cut = replace(GOAL, direction="go_dark", geos=(3, 4), iroas=2.0, budget=770.0)
    assert laid_on(panel, cut).exhaustive(3).shape[0] == 1
    assert "at most EUR 769 of expected loss" in refused(replace(cut, budget=769.0), panel)


def test_too_many_treated_geos_leave_too_few_controls() -> None:
    assert refused(replace(GOAL, geos=(7, 8))).splitlines()[1:] == [
        "  geos: at least 7 geos treated",
        "  at least 3 geos must be left as controls",
        "this would help: allow 6 geos treated",
    ]


def test_one_of_nine_geos_makes_too_few_sets_for_the_exact_test() -> None:
    """Nine sets of one and 36 sets of two are fewer than 40: they are allowed only where nothing better is."""
    assert laid_on(panel_of(), replace(GOAL, geos=(1, 3))).counts == (3,)
    feasible = laid_on(panel_of(), replace(GOAL, geos=(1, 2)))
    assert feasible.counts == (1, 2)
    assert feasible.notes == (
        "too few geos for the exact test, so the test is read along time, which is weaker; for the exact test allow 3 "
        "geos treated",
    )
    assert laid_on(panel_of(SIZES[:4]), replace(GOAL, geos=(1, 2))).counts == (1,)
    assert "at least 3 geos must be left as controls" in refused(GOAL, panel_of(SIZES[:3]))


def test_geos_that_no_test_on_sets_of_geos_can_have() -> None:
    with pytest.raises(DataError, match="found 9:9; the panel has 9 geos, and some must be controls"):
        laid_on(panel_of(), replace(GOAL, geos=(9, 9)))
    with pytest.raises(DataError, match="the panel has one geo, so none is left as a control: plan a switchback"):
        laid_on(panel_of(SIZES[:1]), GOAL)


def test_many_rules_of_a_kind_are_counted() -> None:
    words = refused(replace(GOAL, busy=tuple("abcdefg")))
    assert "busy: 'b' must be left out; 'c' must be left out; 'd' must be left out; and 3 more of this kind" in words
    assert words.endswith("this would help: name fewer geos in busy")


def test_two_clashes_at_once() -> None:
    words = refused(replace(GOAL, must_include=("a", "b"), exclude=("a", "b")))
    assert words.endswith("any of these would help: name fewer geos in must_include; name fewer geos in exclude")
    words = refused(replace(GOAL, must_include=("a",), exclude=("a",), geos=(7, 8)))
    assert words.endswith("(and more is wrong besides)")


def test_a_neighbour_of_a_treated_geo_is_no_control() -> None:
    feasible = laid_on(panel_of(), replace(GOAL, adjacent=(("a", "b"), ("c", "d")), busy=("i",)))
    treated = np.isin(GEOS, ["a", "d", "e"])[None]
    assert np.array(GEOS)[feasible.controls(treated)[0]].tolist() == ["f", "g", "h"]
    both = np.isin(GEOS, ["a", "b", "e"])[None]
    assert np.array(GEOS)[feasible.controls(both)[0]].tolist() == ["c", "d", "f", "g", "h"]


def test_a_cluster_is_left_out_whole() -> None:
    feasible = laid_on(panel_of(), replace(GOAL, adjacent=(("a", "b"),), clusters=(("b", "c"),)))
    controls = feasible.controls(np.isin(GEOS, ["a", "d", "e"])[None])[0]
    assert np.array(GEOS)[controls].tolist() == ["f", "g", "h", "i"]


def test_geos_that_never_move_and_geos_without_spend_are_not_treated() -> None:
    panel = panel_of(spend=(0, *SPEND[1:]))
    panel.outcome[8] = 5.0
    feasible = laid_on(panel, replace(GOAL, geos=(2, 4)))
    assert feasible.treatable.tolist() == [False, *[True] * 7, False]
    assert feasible.usable.tolist() == [*[True] * 8, False]
    words = refused(replace(GOAL, must_include=("a", "i")), panel)
    assert (
        "'a' cannot be treated: no spend of tv there" in words or "'i' must be left out: its KPI never moves" in words
    )


def test_a_channel_that_spent_nothing_cannot_be_cut() -> None:
    with pytest.raises(DataError, match="tv spent nothing lately, so there is nothing to cut"):
        laid_on(panel_of(spend=(0,) * 9), replace(GOAL, direction="go_dark"))


def test_why_not_gives_the_numbers() -> None:
    feasible = laid_on(panel_of(), replace(GOAL, geos=(3, 4), share=(0.0, 0.5), must_include=("i",)))
    assert feasible.why_not(np.isin(GEOS, ["a", "b", "c", "d", "e"])) == [
        "must_include: 'i' must be treated",
        "geos: at most 4 geos treated, and 5 are treated",
        "share: at most 0.5 of the KPI in treated geos, and the treated geos hold 0.785 of the KPI",
    ]
    assert feasible.why_not(np.zeros(9, dtype=bool))[0] == "no geo is treated"


def test_the_planners_own_markets_are_not_searched_for() -> None:
    goal = replace(GOAL, geos=(1, 2), treatment_geos=("a",), exclude=("a",))
    assert laid_on(panel_of(), goal).why_not(np.isin(GEOS, ["a"]))[0] == "exclude: 'a' must not be treated"


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"share": (0.1, 0.103)},
        {"strata": {f"g{i:03d}": str(i % 4) for i in range(60)}, "quotas": {"0": (4, 4), "1": (1, 1), "2": (1, 1)}},
        {"clusters": (("g000", "g001"), ("g002", "g003", "g004")), "must_include": ("g001",), "exclude": ("g002",)},
    ],
)
def test_random_sets_are_allowed_different_and_many(more: dict) -> None:
    sizes = np.round(np.exp(np.random.default_rng(1).normal(6, 0.7, 60)))
    feasible = laid_on(panel_of(sizes), replace(GOAL, geos=(6, 8), **more))
    sets = feasible.random(np.random.default_rng(3), 60, 6)
    assert sets.shape == (60, 60)
    assert feasible.allowed(sets).all()
    assert (sets.sum(axis=1) == 6).all()
    assert len(np.unique(sets, axis=0)) == 60
    assert (sets == feasible.random(np.random.default_rng(3), 60, 6)).all()


def test_random_sets_take_every_free_geo_as_often() -> None:
    """Without constraints each of 60 geos is in a tenth of 2,000 sets of six: within four standard deviations."""
    feasible = laid_on(panel_of(np.arange(100, 160)), replace(GOAL, geos=(6, 6)))
    seen = feasible.random(np.random.default_rng(5), 2000, 6).sum(axis=0)
    assert np.abs(seen - 200).max() < 4 * np.sqrt(2000 * 0.1 * 0.9)


def test_a_narrow_share_among_few_sets_is_found() -> None:
    """One set of 4 of 30 holds exactly what is asked: too rare to be drawn, found by the integer program."""
    sizes = np.append(np.full(26, 1000.0), [1.0, 2.0, 4.0, 8.0])
    share = 15.0 / sizes.sum()
    feasible = laid_on(panel_of(sizes), replace(GOAL, geos=(4, 5), share=(share * 0.99, share * 1.01)))
    assert feasible.counts == (4,)
    sets = feasible.random(np.random.default_rng(0), 50, 4)
    assert sets.sum() == 4
    assert sets[0, 26:].all()
