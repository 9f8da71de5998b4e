"""How many users a test takes: textbook figures, round trips, and the power that simulated tests have."""

from math import inf, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.user_level.comparison import Arms
from experiments.user_level.compliance import treatment_on_treated
from experiments.user_level.difference import cuped
from experiments.user_level.moments import Moments
from experiments.user_level.sample_size import Metric, minimum_detectable_effect, power, sample_size
from measurement.errors import DataError
from measurement.typing import Floats


def test_textbook_figures() -> None:
    # two means, half a standard deviation apart, 5 % and 80 %: 63 in each arm (Cohen 1988, Normal approximation)
    assert sample_size(Metric.per_user(1.0, 2.0), 1.0, alpha=0.05) == 126
    # Lehr (1992): 16 variances over the squared difference in each arm
    assert sample_size(Metric.per_user(10, 10), 0.01, alpha=0.05) == pytest.approx(2 * 16 * 100 / 0.01, rel=0.02)
    # 50 % against 60 %: 385 in each arm without continuity correction (Fleiss, Levin and Paik 2003, unpooled)
    assert sample_size(Metric.rate(0.5), 0.2, alpha=0.05) == 2 * 385


METRICS = st.one_of(
    st.builds(Metric.per_user, st.floats(0.1, 1e4), st.floats(0.1, 1e4)),
    st.builds(Metric.rate, st.floats(0.001, 0.4)),
    st.builds(Metric.ratio, st.just((6.0, 3.0)), st.just((9.0, 2.0)), st.floats(-0.9, 0.9)),
)


@settings(max_examples=200, deadline=None)
@given(
    metric=METRICS,
    correlation=st.floats(0, 0.95),
    users=st.integers(10_000, 10_000_000),
    allocation=st.floats(0.05, 0.95),
    compliance=st.floats(0.05, 1.0),
    alpha=st.sampled_from([0.05, 0.1]),
)
def test_power_effect_and_users_are_one_relation(
    metric: Metric, correlation: float, users: int, allocation: float, compliance: float, alpha: float
) -> None:
    metric = metric.with_cuped(correlation)
    plan = {"alpha": alpha, "allocation": allocation, "compliance": compliance}
    lift = minimum_detectable_effect(metric, users, power=0.8, **plan)
    if lift == inf or (metric.proportion and metric.mean * (1 + lift) >= 1):
        return
    assert power(metric, lift, users, **plan) == pytest.approx(0.8, abs=1e-9)
    assert sample_size(metric, lift, power=0.8, **plan) == pytest.approx(users, abs=1)
    assert power(metric, 2 * lift, users, **plan | {"compliance": compliance / 2}) == pytest.approx(0.8, abs=0.05)


def test_cuped_and_compliance_change_the_users_as_they_should() -> None:
    metric = Metric.per_user(10, 20)
    base = sample_size(metric, 0.05)
    assert sample_size(metric.with_cuped(0.7), 0.05) == pytest.approx(base * (1 - 0.49), abs=1)
    assert sample_size(metric, 0.05, compliance=0.25) == pytest.approx(16 * base, abs=16)
    assert sample_size(metric, 0.05, allocation=0.1) == pytest.approx(base * 0.25 / 0.09, abs=2)
    assert sample_size(metric, -0.05) == base
    assert power(metric, 0.0, base) == pytest.approx(0.05), "of no effect: one of the two tails"


def test_a_ratio_has_the_variance_of_its_linear_form() -> None:
    draw = np.random.default_rng(1)
    sessions = draw.gamma(4, 1, 400_000)
    revenue = 2 * sessions + draw.normal(0, 3, 400_000)
    correlation = float(np.corrcoef(revenue, sessions)[0, 1])
    metric = Metric.ratio(
        (float(revenue.mean()), float(sessions.mean())), (float(revenue.std()), float(sessions.std())), correlation
    )
    ratio = revenue.mean() / sessions.mean()
    assert metric.mean == pytest.approx(ratio)
    assert metric.variance == pytest.approx(((revenue - ratio * sessions) / sessions.mean()).var())


def moments(*columns: Floats) -> Moments:
    rows = np.column_stack(columns)
    apart = rows - rows.mean(axis=0)
    return Moments(len(rows), rows.mean(axis=0), apart.T @ apart, (rows != 0).sum(axis=0))


def test_simulated_tests_find_the_effect_as_often_as_promised() -> None:
    draw, reach, correlation, runs, found = np.random.default_rng(4), 0.6, 0.6, 1_500, 0
    metric = Metric.per_user(20.0, 5.0).with_cuped(correlation)
    users = sample_size(metric, 0.06, allocation=0.4, compliance=reach)
    sizes = round(0.4 * users), users - round(0.4 * users)
    for _ in range(runs):
        arms = []
        for treated, count in zip((True, False), sizes, strict=True):
            before = draw.normal(size=count)
            saw = (draw.random(count) < reach) & treated
            y = 20 + 5 * (correlation * before + sqrt(1 - correlation**2) * draw.normal(size=count)) + 1.2 * saw
            arms.append(moments(y, before, saw.astype(float), saw * y))
        both = Arms(arms[0], arms[1], None, (1,))
        assert treatment_on_treated(both).effect.p_value() == pytest.approx(cuped(both).effect.p_value())
        found += cuped(both).effect.interval(0.1)[0] > 0
    assert 0.77 <= found / runs <= 0.83


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: Metric.rate(1.2), "between 0 and 1"),
        (lambda: Metric.per_user(0.0, 1.0), "above 0"),
        (lambda: Metric.per_user(1.0, 1.0).with_cuped(1.0), "between -1 and 1"),
        (lambda: sample_size(Metric.rate(0.1), 0.0), "an effect of nothing"),
        (lambda: sample_size(Metric.rate(0.6), 0.9), "cannot become 1.14"),
        (lambda: power(Metric.rate(0.1), 0.1, 1), "two or more"),
        (lambda: power(Metric.rate(0.1), 0.1, 100, allocation=1.0), "'allocation'"),
        (lambda: minimum_detectable_effect(Metric.rate(0.1), 100, compliance=0.0), "'compliance'"),
        (lambda: minimum_detectable_effect(Metric.rate(0.1), 100, power=0.01), "'power'"),
    ],
)
def test_what_makes_no_sense(wrong: object, words: str) -> None:
    with pytest.raises(DataError) as caught:
        wrong()  # type: ignore[operator]
    assert words in str(caught.value)


def test_too_few_users_for_any_rate() -> None:
    assert minimum_detectable_effect(Metric.rate(0.4), 4) == inf
