"""The quick optimiser against the real one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.next_test.decision import Decision, concave_slopes, decision_of
from calibration.next_test.value import ReadOut, by_weights
from measurement.mmm import Posterior, Spec
from measurement.mmm.prior import prior
from measurement.panel import Panel
from measurement.plan.allocation import Curves, Limits, allocate
from measurement.plan.budget import budget
from measurement.plan.horizon import business_as_usual
from measurement.plan.items import Bound


def hills(rows: int, items: int, seed: int, steep: float) -> Decision:
    """Hill curves; concave where ``steep`` is 1 or less, S-shaped above."""
    rng = np.random.default_rng(seed)
    spend = np.tile(np.linspace(0.2, 3.0, 15), (items, 1))
    top, half = rng.uniform(1, 6, (rows, items, 1)), rng.uniform(0.5, 2.5, (items, 1))
    slope = rng.uniform(0.6, steep, (items, 1))
    x = spend**slope
    value = top * x / (x + half**slope)
    return Decision(tuple(map(str, range(items))), np.ones(items), spend, value, 1.2 * items, bool(seed % 2))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_on_concave_curves_it_is_the_real_optimiser(seed: int) -> None:
    decision = hills(4, 3, seed, 1.0)
    found = decision.best(decision.value)
    limits = Limits(low=decision.total if decision.spend_all else 0.0, high=decision.total)
    for row in range(4):
        real = allocate(Curves(decision.spend, decision.value[[row]]), limits)
        assert found.worth[row] == pytest.approx(real.objective, rel=1e-6, abs=1e-7)
        assert found.bound[row] == pytest.approx(real.objective, rel=1e-6, abs=1e-7)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_on_s_shaped_curves_the_real_optimum_lies_between_plan_and_bound(seed: int) -> None:
    decision = hills(3, 3, seed, 3.5)
    found = decision.best(decision.value)
    limits = Limits(low=decision.total if decision.spend_all else 0.0, high=decision.total)
    for row in range(3):
        real = allocate(Curves(decision.spend, decision.value[[row]]), limits).objective
        assert found.worth[row] - 1e-6 <= real <= found.bound[row] + 1e-6
    assert (found.spend.sum(axis=1) <= decision.total + 1e-9).all()
    assert (found.spend >= 0.2 - 1e-9).all()
    assert (found.spend <= 3.0 + 1e-9).all()


def test_the_majorant_is_the_upper_hull() -> None:
    spend = np.array([[0.0, 1.0, 2.0, 3.0, 4.0]])
    value = np.array([[[0.0, 0.0, 4.0, 5.0, 5.5]]])
    np.testing.assert_allclose(concave_slopes(spend, value)[0, 0], [2.0, 2.0, 1.0, 0.5])
    straight = np.array([[[0.0, 1.0, 2.0, 3.0, 4.0]]])
    np.testing.assert_allclose(concave_slopes(spend, straight)[0, 0], 1.0)


@pytest.fixture(scope="module")
def company() -> tuple[Panel, Posterior]:
    rng = np.random.default_rng(4)
    spend = rng.gamma(2.0, 500.0, (3, 70, 3))
    panel = Panel(
        dates=np.datetime64("2023-01-02") + 7 * np.arange(70),
        geos=("a", "b", "c"),
        channels=("radio", "search", "tv"),
        spend=spend,
        exposure=spend,
        kpis={"revenue": rng.normal(15_000.0, 500.0, (3, 70))},
        kpi="revenue",
        kpi_value=1.0,
    )
    return panel, prior(panel, Spec.default(panel), draws=150, seed=2)


@pytest.mark.parametrize("all_of_it", [True, False])
def test_its_standing_plan_is_what_the_budget_command_advises(
    company: tuple[Panel, Posterior], all_of_it: bool
) -> None:
    panel, post = company
    plan = business_as_usual(panel, 26)
    bounds = {"tv": Bound(low=0.8, high=1.1)}
    decision = decision_of(post, panel, plan, margin=0.7, bounds=bounds, spend_all=all_of_it)
    best = decision.best(decision.mean[None])
    real = budget(
        post, panel, horizon=plan, margin=0.7, bounds=bounds, spend_all=all_of_it, total=float(plan.spend.sum())
    )
    assert best.worth[0] == pytest.approx(real.objective, rel=1e-4, abs=1e-4 * decision.total)
    for move, spend, usual in zip(real.moves, best.spend[0], decision.usual, strict=True):
        assert spend == pytest.approx(move.advised, abs=0.03 * usual)


def test_the_value_of_a_test_is_that_of_the_real_optimiser(company: tuple[Panel, Posterior]) -> None:
    """Every read-out decided again by the mixed-integer program, on curves of its own mean."""
    panel, post = company
    decision = decision_of(post, panel, business_as_usual(panel, 26), margin=0.7)
    now = decision.best(decision.mean[None]).spend[0]
    test = ReadOut(post.draws["iroas"][:, 1], 0.5)
    found = by_weights(decision, test, now, count=24)
    limits = Limits(low=decision.total, high=decision.total)
    real = [allocate(Curves(decision.spend, mean[None]), limits).objective for mean in found.means]
    assert found.value > 0
    assert np.mean(real - decision.worth(found.means, now)) == pytest.approx(found.value, rel=1e-4)
