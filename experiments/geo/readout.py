"""The read-out of a geo test: its effect in every unit, by phase and period by period."""

from dataclasses import replace

from experiments.geo.case import Case
from experiments.geo.inference import Inference
from experiments.quantities import measured
from experiments.result import PeriodEffect, Quantity


def phases(case: Case, inference: Inference, alpha: float, unit: str) -> dict[str, Quantity]:
    """Outcome change of the test and of its cool-down, each with its own interval."""
    geos, test = len(case.treated), case.cooldown - case.onset
    found = {}
    if test > 0:
        found["test"] = measured(inference.cumulative[test - 1], alpha, unit).scaled(geos * test, unit)
    if inference.cooldown is not None:
        found["cooldown"] = measured(inference.cooldown, alpha, unit).scaled(geos * (case.end - case.cooldown), unit)
    return found


def periods(case: Case, main: Inference, alpha: float) -> tuple[tuple[PeriodEffect, ...], tuple[PeriodEffect, ...]]:
    """Pre-period and read-out of the treated geos together."""
    fit, geos = main.fit, len(case.treated)
    first = case.onset - fit.pre_length
    days = case.dates[first : case.end].astype("datetime64[D]").tolist()
    seen, usual = fit.observed * geos, fit.counterfactual * geos

    def plain(i: int, phase: str) -> PeriodEffect:
        return PeriodEffect(days[i], phase, float(seen[i]), float(usual[i]), float(seen[i] - usual[i]))

    def tested(step: int) -> PeriodEffect:
        i = fit.pre_length + step
        bare = plain(i, "test" if case.onset + step < case.cooldown else "cooldown")
        low, high = (end * geos for end in main.by_period[step].interval(alpha))
        scale = geos * (step + 1)
        from_start, to_end = (end * scale for end in main.cumulative[step].interval(alpha))
        total = main.cumulative[step].estimate * scale
        return replace(bare, low=low, high=high, cumulative=total, cumulative_low=from_start, cumulative_high=to_end)

    before = tuple(plain(i, "pre") for i in range(fit.pre_length))
    return before, tuple(tested(step) for step in range(case.end - case.onset))
