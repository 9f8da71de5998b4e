"""Estimators of tests on users: closed forms, SciPy's own tests, two-stage least squares, the bootstrap."""

from math import inf, sqrt

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from experiments.user_level.comparison import Arms, RatioTest
from experiments.user_level.compliance import treatment_on_treated
from experiments.user_level.difference import cuped, welch
from experiments.user_level.moments import Cells, Moments
from experiments.user_level.proportions import Counts, DifferenceTest, LiftTest, score
from experiments.user_level.ratio import ratio
from experiments.user_level.sample_ratio import sample_ratio
from experiments.user_level.several import holm
from measurement.errors import DesignError
from measurement.typing import Floats


def moments(rows: Floats) -> Moments:
    apart = rows - rows.mean(axis=0)
    return Moments(len(rows), rows.mean(axis=0), apart.T @ apart, (rows != 0).sum(axis=0))


def arms(
    treatment: list[Floats], control: list[Floats], reach: tuple[Floats, Floats] | None = None, **columns: object
) -> Arms:
    """Arms of plain columns, the KPI first; without ``reach`` all of treatment were reached and none of control."""
    shares = reach or (np.ones(len(treatment[0])), np.zeros(len(control[0])))
    made = [
        moments(np.column_stack([*own, share, share * own[0]]))
        for own, share in zip((treatment, control), shares, strict=True)
    ]
    return Arms(made[0], made[1], **columns)  # type: ignore[arg-type]


def rng(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


# -- means ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(30, 200), (400, 400)])
@pytest.mark.parametrize("level", [0.05, 0.1, 0.32])
def test_welch_is_scipys(sizes: tuple[int, int], level: float) -> None:
    treated, control = rng().normal(11, 5, sizes[0]), rng(8).gamma(2, 5, sizes[1])
    made = welch(arms([treated], [control]))
    expected = stats.ttest_ind(treated, control, equal_var=False)
    assert made.effect.estimate == pytest.approx(treated.mean() - control.mean())
    assert made.effect.p_value() == pytest.approx(expected.pvalue, rel=1e-9)
    assert made.effect.interval(level) == pytest.approx(tuple(expected.confidence_interval(1 - level)), rel=1e-9)
    assert made.lift.estimate == pytest.approx(treated.mean() / control.mean() - 1)
    assert made.lift.p_value() == pytest.approx(expected.pvalue, rel=1e-9)


def correlated(count: int, correlation: float, seed: int) -> tuple[Floats, Floats]:
    """Two columns of exactly this correlation and of standard deviation 3 and 4."""
    raw = rng(seed).normal(size=(count, 2))
    first, rest = (raw - raw.mean(axis=0)).T
    rest = rest - first * (rest @ first) / (first @ first)
    first, rest = first / first.std(), rest / rest.std()
    return 10 + 3 * (correlation * first + sqrt(1 - correlation**2) * rest), 50 + seed + 4 * first


@pytest.mark.parametrize("correlation", [0.0, 0.5, -0.9])
def test_cuped_takes_the_squared_correlation_off_the_variance(correlation: float) -> None:
    both = [correlated(500, correlation, seed) for seed in (1, 2)]
    made = cuped(arms(list(both[0]), list(both[1]), covariates=(1,)))
    plain = welch(arms(list(both[0]), list(both[1])))
    assert made.std_error**2 == pytest.approx(plain.std_error**2 * (1 - correlation**2), rel=1e-9, abs=1e-15)
    assert made.details["variance_reduction"] == pytest.approx(correlation**2, abs=1e-12)
    assert made.details["theta"][0] == pytest.approx(correlation * 3 / 4)


def test_cuped_is_the_regression_on_arm_and_covariates() -> None:
    size = (300, 500)
    x = [rng(1).normal(size=(n, 2)) @ np.array([[1.0, 0.6], [0.0, 1.0]]) for n in size]
    y = [1 + x[i] @ np.array([0.7, -0.4]) + rng(i + 5).normal(size=n) for i, n in enumerate(size)]
    made = cuped(arms([y[0], *x[0].T], [y[1], *x[1].T], covariates=(1, 2)))
    design = np.column_stack([np.ones(sum(size)), np.r_[np.ones(size[0]), np.zeros(size[1])], np.vstack(x)])
    fitted = np.linalg.lstsq(design, np.concatenate(y))[0]
    assert made.effect.estimate == pytest.approx(fitted[1], rel=1e-10)
    assert made.details["theta"] == pytest.approx(fitted[2:], rel=1e-10)
    usual = fitted[0] + fitted[2:] @ design[:, 2:].mean(axis=0)
    assert made.lift.estimate == pytest.approx(fitted[1] / usual, rel=1e-10)


def test_a_covariate_given_twice_or_without_variance_changes_nothing() -> None:
    x, y = rng(1).normal(size=(2, 80)), rng(2).normal(size=(2, 80))
    y = y + x
    once = cuped(arms([y[0], x[0]], [y[1], x[1]], covariates=(1,)))
    more = cuped(arms([y[0], x[0], 3 * x[0], np.ones(80)], [y[1], x[1], 3 * x[1], np.ones(80)], covariates=(1, 2, 3)))
    assert more.effect.estimate == pytest.approx(once.effect.estimate)
    assert more.std_error == pytest.approx(once.std_error)


# -- ratios -----------------------------------------------------------------------------------------------------------


def test_the_delta_method_of_a_ratio_agrees_with_the_bootstrap() -> None:
    def arm(seed: int, level: float) -> tuple[Floats, Floats]:
        sessions = rng(seed).poisson(rng(seed + 1).gamma(2, 2, 1_000)).astype(float)
        return sessions * level + rng(seed + 2).normal(size=1_000) * np.sqrt(sessions), sessions

    treated, control = arm(1, 2.2), arm(11, 2.0)
    made = ratio(arms(list(treated), list(control), denominator=1), "sessions")
    drawn = np.zeros((2, 3_000))
    for i, (y, d) in enumerate((treated, control)):
        counts = rng(30 + i).multinomial(len(y), np.full(len(y), 1 / len(y)), size=3_000)
        drawn[i] = (counts @ y) / (counts @ d)
    difference, lift = drawn[0] - drawn[1], drawn[0] / drawn[1] - 1
    assert made.effect.estimate == pytest.approx(
        treated[0].sum() / treated[1].sum() - control[0].sum() / control[1].sum()
    )
    assert made.std_error == pytest.approx(difference.std(), rel=0.04)
    assert made.effect.interval(0.1) == pytest.approx(np.quantile(difference, [0.05, 0.95]), abs=0.15 * made.std_error)
    assert made.lift.interval(0.1) == pytest.approx(np.quantile(lift, [0.05, 0.95]), abs=0.15 * lift.std())
    assert made.units == pytest.approx(treated[1].sum())


def test_a_ratio_to_ones_is_the_mean() -> None:
    treated, control = rng(1).normal(5, 1, 60), rng(2).normal(5, 2, 70)
    over = ratio(arms([treated, np.ones(60)], [control, np.ones(70)], denominator=1), "sessions")
    plain = welch(arms([treated], [control]))
    assert over.effect.p_value() == pytest.approx(plain.effect.p_value())
    assert over.lift.interval(0.1) == pytest.approx(plain.lift.interval(0.1))


def test_a_denominator_of_nothing_is_refused() -> None:
    with pytest.raises(DesignError, match="'sessions' adds up to nothing"):
        ratio(arms([np.ones(9), np.zeros(9)], [np.ones(9), np.ones(9)], denominator=1), "sessions")


# -- those reached ----------------------------------------------------------------------------------------------------


def reached(count: int, seed: int, treated: bool, spill: float = 0.0) -> tuple[Floats, Floats]:
    """KPI and exposure: 40 % comply, some see the ads in either arm, and the effect is 1.5."""
    kind = rng(seed).random(count)
    exposed = ((kind < 0.4) & treated) | (kind > 1 - spill)
    usual = rng(seed + 1).normal(5, 2, count) + 2 * (kind < 0.4)
    return usual + 1.5 * exposed, exposed.astype(float)


@pytest.mark.parametrize("spill", [0.0, 0.1])
def test_the_effect_on_those_reached_is_two_stage_least_squares(spill: float) -> None:
    (y1, d1), (y0, d0) = reached(900, 1, True, spill), reached(600, 4, False, spill)
    made = treatment_on_treated(arms([y1], [y0], reach=(d1, d0)))
    y, d, z = np.r_[y1, y0], np.r_[d1, d0], np.r_[np.ones(900), np.zeros(600)]
    instruments, design = np.column_stack([np.ones(1500), z]), np.column_stack([np.ones(1500), d])
    first = instruments @ np.linalg.lstsq(instruments, design)[0]
    coefficients = np.linalg.lstsq(first, y)[0]
    rest = y - design @ coefficients
    bread = np.linalg.inv(first.T @ first)
    meat = bread @ (first * rest[:, None] ** 2).T @ first @ bread  # robust to unequal variances
    assert made.effect.estimate == pytest.approx(coefficients[1], rel=1e-9)
    assert made.std_error == pytest.approx(sqrt(meat[1, 1]), rel=2e-3)
    low, high = made.effect.interval(0.1)
    assert (high - low) / 2 == pytest.approx(1.645 * made.std_error, rel=0.02), "the reach is far from weak"
    assert made.effect.p_value() == pytest.approx(welch(arms([y1], [y0])).effect.p_value(), rel=1e-9)


def test_the_lift_of_those_reached_is_over_what_they_would_have_brought() -> None:
    (y1, d1), (y0, d0) = reached(40_000, 1, True, 0.1), reached(40_000, 4, False, 0.1)
    made = treatment_on_treated(arms([y1], [y0], reach=(d1, d0)))
    assert made.lift.estimate == pytest.approx(1.5 / 7, abs=0.03), "compliers bring 7 without the ads"
    whole = treatment_on_treated(arms([y1], [y0]))
    assert whole.lift.estimate == pytest.approx(welch(arms([y1], [y0])).lift.estimate), "all were reached"


def test_a_reach_of_nothing_leaves_the_interval_open() -> None:
    y1, y0 = rng(1).normal(5, 1, 400), rng(2).normal(5, 1, 400)
    faint = (rng(3).random(400) < 0.03).astype(float), (rng(4).random(400) < 0.03).astype(float)
    made = treatment_on_treated(arms([y1], [y0], reach=faint))
    assert made.effect.interval(0.1) == (-inf, inf)


def test_fieller_holds_the_values_that_its_test_lets_pass() -> None:
    plain = [(over, under, (0.25, 0.02, 0.04 * under)) for over in (2.0, -2.0, 0.1) for under in (0.5, 5.0)]
    faint = [(over, 0.5, (0.25, 0.02, 0.5)) for over in (2.0, -2.0, 0.1)]
    tied = [(-0.3, 0.5, (0.05, -0.111, 0.25)), (0.3, 0.5, (0.05, 0.111, 0.25)), (0.3, 0.5, (0.05, -0.111, 0.25))]
    for over, under, variance in (*plain, *faint, *tied):
        test = RatioTest(over, under, variance)
        low, high = test.interval(0.1)
        assert low <= test.estimate <= high
        assert (test.p_value() < 0.1) == (not low <= 0 <= high)
        for end in (low, high):
            if abs(end) < inf:
                assert test.p_value(end) == pytest.approx(0.1)


# -- proportions ------------------------------------------------------------------------------------------------------


def test_without_an_effect_both_score_tests_are_pearsons_chi_square() -> None:
    counts = Counts(60, 1_000, 45, 1_100)
    expected = stats.chi2_contingency([[60, 940], [45, 1_055]], correction=False).pvalue
    assert DifferenceTest(counts).p_value() == pytest.approx(expected, rel=1e-9)
    assert LiftTest(counts).p_value() == pytest.approx(expected, rel=1e-9)


def test_published_score_intervals() -> None:
    # Newcombe (1998), Statistics in Medicine 17, table II, Mee's method: 56/70 against 48/80, and 9/10 against 3/10
    assert DifferenceTest(Counts(56, 70, 48, 80)).interval(0.05) == pytest.approx((0.0533, 0.3377), abs=2e-4)
    assert DifferenceTest(Counts(9, 10, 3, 10)).interval(0.05) == pytest.approx((0.1821, 0.8370), abs=2e-3)
    # Koopman (1984), Biometrics 40: 36/40 against 16/80
    low, high = LiftTest(Counts(36, 40, 16, 80)).interval(0.05)
    assert (1 + low, 1 + high) == pytest.approx((2.94, 7.15), abs=0.02)


@pytest.mark.parametrize("made", [DifferenceTest, LiftTest])
@pytest.mark.parametrize(
    "counts", [Counts(9, 10, 3, 10), Counts(120, 5_000_000, 80, 3_000_000), Counts(3, 900, 1, 800)]
)
def test_the_ends_of_a_score_interval_have_the_p_value_of_its_level(made: type, counts: Counts) -> None:
    test = made(counts)
    low, high = test.interval(0.1)
    assert low < test.estimate < high
    assert (test.p_value(low), test.p_value(high)) == pytest.approx((0.1, 0.1), rel=1e-6)


def test_no_conversions_in_control() -> None:
    test = LiftTest(Counts(12, 500, 0, 500))
    low, high = test.interval(0.1)
    assert test.estimate == high == inf
    assert 0 < low < inf
    turned = LiftTest(Counts(0, 500, 12, 500)).interval(0.1)
    assert turned[0] == -1.0
    assert 1 + turned[1] == pytest.approx(1 / (1 + low), rel=1e-6), "the arms may be swapped"


def test_score_counts_what_the_arms_hold() -> None:
    treated, control = np.repeat([1.0, 0.0], [30, 470]), np.repeat([1.0, 0.0], [20, 380])
    made = score(arms([treated], [control]))
    assert made.details["conversions"] == {"treatment": 30, "control": 20}
    assert made.effect.estimate == pytest.approx(0.06 - 0.05)
    assert made.units == 500


# -- p-values and intervals -------------------------------------------------------------------------------------------

LEVELS = st.sampled_from([0.05, 0.1, 0.2])


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10_000), shift=st.floats(-1.5, 1.5), level=LEVELS)
def test_p_and_interval_never_contradict_each_other(seed: int, shift: float, level: float) -> None:
    draw = rng(seed)
    x1, x0 = draw.gamma(2, 1, 60), draw.gamma(2, 1, 90)
    y1, y0 = 3 + x1 + shift + draw.normal(size=60), 3 + x0 + draw.normal(size=90)
    d1, d0 = (draw.random(60) < 0.6).astype(float), np.zeros(90)
    both = arms([y1, 1 + x1, x1], [y0, 1 + x0, x0], reach=(d1, d0), denominator=1, covariates=(2,))
    for made in (welch(both), cuped(both), ratio(both, "sessions"), treatment_on_treated(both)):
        p = made.effect.p_value()
        assume(abs(p - level) > 1e-9)
        for test in (made.effect, made.lift):
            low, high = test.interval(level)
            assert test.p_value() == pytest.approx(p, rel=1e-6)
            assert low <= test.estimate <= high
            assert (p < level) == (not low <= 0 <= high)


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10_000), rates=st.tuples(st.floats(0, 0.3), st.floats(0.01, 0.3)), level=LEVELS)
def test_nor_do_those_of_proportions(seed: int, rates: tuple[float, float], level: float) -> None:
    draw = rng(seed)
    counts = Counts(int(draw.binomial(150, rates[0])), 150, int(draw.binomial(90, rates[1])), 90)
    assume(counts.treated + counts.control > 0)
    p = DifferenceTest(counts).p_value()
    assume(abs(p - level) > 1e-9)
    for test in (DifferenceTest(counts), LiftTest(counts)):
        low, high = test.interval(level)
        assert test.p_value() == pytest.approx(p, rel=1e-9)
        assert (p < level) == (not low <= 0 <= high)


# -- the rest ---------------------------------------------------------------------------------------------------------


def test_cells_join_into_the_moments_of_all_their_users() -> None:
    values = rng().normal(1e6, 1, (300, 2))
    values[:, 1] = values[:, 0] + rng(2).normal(size=300)
    cell, flag = rng(3).integers(0, 7, 300), np.zeros(7, dtype=bool)
    parts = [moments(values[cell == c]) for c in range(7)]
    cells = Cells(
        flag,
        np.arange(7) < 3,
        flag,
        np.full(7, np.datetime64("NaT", "D")),
        np.array([part.count for part in parts]),
        np.stack([part.mean for part in parts]),
        np.stack([part.scatter for part in parts]),
        np.stack([part.nonzero for part in parts]),
    )
    reach = np.isin(cell, [0, 1, 2]).astype(float)
    expected = moments(np.column_stack([values, reach, reach * values[:, 0]]))
    found = cells.with_exposure().joined()
    assert found.count == 300
    assert found.mean == pytest.approx(expected.mean)
    assert found.scatter == pytest.approx(expected.scatter, rel=1e-8, abs=1e-3)
    assert found.nonzero.tolist() == expected.nonzero.tolist()


def test_the_sample_ratio_is_pearsons_chi_square() -> None:
    found = sample_ratio(5_100, 4_900, 0.5)
    assert found.p_value == pytest.approx(stats.chisquare([5_100, 4_900]).pvalue, rel=1e-9)
    uneven = sample_ratio(9_000, 1_080, 0.9)
    assert uneven.p_value == pytest.approx(stats.chisquare([9_000, 1_080], [9_072, 1_008]).pvalue, rel=1e-9)
    assert sample_ratio(5_300, 4_700, 0.5).broken
    assert not sample_ratio(5_300, 4_700, None).broken


def test_holm_on_his_own_kind_of_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
