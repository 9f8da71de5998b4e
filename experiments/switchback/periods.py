"""A switchback period by period, for tables and charts."""

from dataclasses import replace
from statistics import NormalDist

import numpy as np

from experiments.result import PeriodEffect
from experiments.switchback.layout import Case
from experiments.two_sided import TwoSided
from measurement.typing import Dates, Floats


def by_period(
    case: Case, dates: Dates, test: TwoSided, alpha: float
) -> tuple[tuple[PeriodEffect, ...], tuple[PeriodEffect, ...]]:
    """History and schedule of the geos that switch, together.

    For one market the counterfactual is the regression without the treatment, so that a period's effect holds its
    noise, and its interval the noise of one period. For several it is what was observed minus the measured effect. The
    cumulative effect is the measured one times the periods that were on so far; the last is the outcome change.

    Args:
        case: The case.
        dates: First day of each period of the panel.
        test: Test of the effect in units of the case's values.
        alpha: One minus the level of the intervals.
    """
    days = dates.astype("datetime64[D]").tolist()
    switching = (case.block >= 0).any(axis=1)
    size = case.scale[switching]
    observed = size @ case.values[switching]
    exposed = size @ case.exposed[switching]
    low, high = test.interval(alpha)
    if case.one_market:
        effects, half = observed[case.shown] - _usual(case, test.estimate), _noise(case, alpha)
        ends = effects - half, effects + half
    else:
        effects = test.estimate * exposed[case.shown]
        ends = low * exposed[case.shown], high * exposed[case.shown]
    running = np.cumsum(exposed[case.shown] * (case.shown >= case.onset))
    before, after = [], []
    for i, period in enumerate(case.shown):
        effect = float(effects[i])
        usual = float(observed[period]) - effect
        bare = PeriodEffect(days[period], "pre", float(observed[period]), usual, effect)
        if period < case.onset:
            before.append(bare)
            continue
        so_far = float(running[i])
        after.append(
            replace(
                bare,
                phase=_phase(case, period),
                low=float(ends[0][i]),
                high=float(ends[1][i]),
                cumulative=test.estimate * so_far,
                cumulative_low=low * so_far if so_far else 0.0,
                cumulative_high=high * so_far if so_far else 0.0,
            )
        )
    return tuple(before), tuple(after)


def _usual(case: Case, effect: float) -> Floats:
    """What the regression says of the shown periods without the treatment, shape (shown,)."""
    read = np.isin(case.shown, case.cells.time)
    rest = case.cells.values - effect * case.cells.treatment(case.on)
    coefficients = np.linalg.lstsq(case.terms[read], rest, rcond=None)[0]
    return np.asarray(case.terms @ coefficients)


def _noise(case: Case, alpha: float) -> float:
    """Half width of the interval of one period: the regression's residual spread times the Normal's quantile."""
    left = case.residuals()
    spread = float(np.sqrt(np.square(left).sum() / (left.size - case.weighted.rank - 1)))
    return NormalDist().inv_cdf(1 - alpha / 2) * spread


def _phase(case: Case, period: int) -> str:
    """``on``, ``off``, ``mixed`` where geos differ, and ``burn_in`` where nothing of the period is read."""
    inside = case.read[:, period] & (case.block[:, period] >= 0)
    if not inside.any():
        return "burn_in"
    states = case.exposed[inside, period]
    return "on" if states.all() else "mixed" if states.any() else "off"
