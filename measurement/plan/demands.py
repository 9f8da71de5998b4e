"""What a budget is asked to keep to: checked before anything is worked out, and named where no plan can keep it all."""

from collections.abc import Mapping, Sequence

import numpy as np

from measurement.errors import DesignError, Problem, did_you_mean, shown
from measurement.panel import Panel
from measurement.plan.allocation import Allocation, Curves, Group, Limits, Objective, allocate
from measurement.plan.items import Bound, GroupBound, Held, label

STEPS = 20

type Demand = Group | float
"""One side of a bound on several items together, or the least return of the whole."""


def allocated(curves: Curves, limits: Limits, objective: Objective, currency: str, margin: float) -> Allocation:
    """The best allocation.

    Raises:
        DesignError: Where no allocation keeps to all limits, with the fewest of them that clash.
    """
    try:
        return allocate(curves, limits, objective)
    except DesignError as error:
        words = _clash(curves, limits, currency, margin)
        if not words:
            raise
        what = "this cannot be kept" if len(words) == 1 else "these clash"
        raise DesignError(
            f"no allocation keeps to all limits. Within the bounds of the channels {what}: {'; '.join(words)}. "
            "Change it, or widen the bounds"
        ) from error


def _clash(curves: Curves, limits: Limits, currency: str, margin: float) -> list[str]:
    """An irreducible set of limits that cannot hold together, in words: each is left out unless the rest then holds."""
    plain = Curves(curves.spend, curves.value.mean(axis=0)[None])
    everything = Group(np.ones(len(curves.spend), dtype=np.bool_), limits.low, limits.high, "all channels together")
    demands: list[Demand] = []
    for group in (everything, *limits.groups):
        if group.low > 0:
            demands.append(Group(group.members, low=group.low, name=group.name))
        if np.isfinite(group.high):
            demands.append(Group(group.members, high=group.high, name=group.name))
    if limits.returns is not None:
        demands.append(limits.returns)
    kept = list(demands)
    if _allocation(plain, limits, kept) is not None:
        return []
    for demand in demands:
        fewer = [other for other in kept if other is not demand]
        if _allocation(plain, limits, fewer) is None:
            kept = fewer
    return [_said(plain, limits, demand, [d for d in demands if d is not demand], currency, margin) for demand in kept]


def _allocation(
    curves: Curves, limits: Limits, demands: Sequence[Demand], objective: Objective | None = None
) -> Allocation | None:
    groups = tuple(demand for demand in demands if isinstance(demand, Group))
    returns = next((demand for demand in demands if not isinstance(demand, Group)), None)
    try:
        return allocate(curves, Limits(groups=groups, returns=returns, may_stop=limits.may_stop), objective)
    except DesignError:
        return None


def _said(
    curves: Curves, limits: Limits, demand: Demand, others: Sequence[Demand], currency: str, margin: float
) -> str:
    if isinstance(demand, Group):
        side, money = ("at least", demand.low) if demand.low > 0 else ("at most", demand.high)
        return f"{side} {money:,.0f} {currency} for {demand.name}"
    words = f"a return of {demand / margin:g} or more of the whole plan"
    best, found = 0.0, _allocation(curves, limits, others)
    for _ in range(STEPS if found is not None else 0):  # the largest ratio (Dinkelbach 1967)
        found = _allocation(curves, limits, others, Objective(cost=best))
        if found is None or found.spend.sum() <= 0 or found.returns.sum() / found.spend.sum() <= best * (1 + 1e-6):
            break
        best = float(found.returns.sum() / found.spend.sum())
    return words if best <= 0 else f"{words} (the best within the other limits returns {best / margin:.2f})"


def problems_of(
    panel: Panel,
    total: float | None,
    margin: float,
    bounds: Mapping[Held, Bound],
    groups: Sequence[GroupBound],
    iroas: float | None,
    aim: Objective,
    by_geo: bool,
) -> list[Problem]:
    """Everything in what is asked of a budget that is no number, channel or geo that it could be."""
    named = [name if isinstance(name, str) else name[0] for name in bounds]
    places = [name[1] for name in bounds if not isinstance(name, str)]
    problems = [
        Problem(f"unknown channel '{shown(name)}'{did_you_mean(name, panel.channels)}", code="unknown-channel")
        for name in dict.fromkeys([*named, *(name for group in groups for name in group.channels)])
        if name not in panel.channels
    ]
    problems += [
        Problem(f"unknown geo '{shown(name)}'{did_you_mean(name, panel.geos)}", code="unknown-geo")
        for name in dict.fromkeys([*places, *(name for group in groups for name in group.geos)])
        if name not in panel.geos
    ]
    if not by_geo and (places or any(group.geos for group in groups)):
        words = "bounds of geos need each geo's spend to move on its own: plan by geo (--by-geo)"
        problems.append(Problem(words, code="by-geo"))
    if total is not None and not (np.isfinite(total) and total > 0):
        problems.append(Problem(f"found a total of {total:g}; a budget is above 0", code="budget-total"))
    if not 0 < margin <= 1:
        problems.append(Problem(f"found a margin of {margin:g}; it lies above 0 and up to 1", code="margin"))
    if iroas is not None and not iroas > 0:
        problems.append(Problem(f"found a least iROAS of {iroas:g}; it is above 0", code="iroas"))
    share = aim.aim == "worst"
    if aim.aim in ("worst", "cautious") and not (0 < aim.level <= 1 if share else aim.level >= 0):
        allowed = "a share of draws, above 0 and up to 1" if share else "a number of standard deviations, 0 or more"
        problems.append(
            Problem(f"found a level of {aim.level:g}; with the aim '{aim.aim}' it is {allowed}", code="aim")
        )
    for name, bound in bounds.items():
        for low, high, what in ((bound.low, bound.high, "times"), (bound.least, bound.most, panel.currency)):
            if (low or 0.0) < 0 or (high is not None and high < (low or 0.0)):
                words = f"{label(name)} may spend {low} to {high} {what}: 0 <= low <= high is needed"
                problems.append(Problem(words, code="bound"))
        if bound.ramp is not None and not (np.isfinite(bound.ramp) and bound.ramp >= 0):
            words = f"{label(name)} has a ramp of {bound.ramp:g}; it is a share of usual spend, 0 or more"
            problems.append(Problem(words, code="ramp"))
        elif bound.may_stop and bound.ramp is not None and bound.ramp < 1:
            words = f"{label(name)} may stop, which changes it by 100 %, and its ramp allows {bound.ramp:.0%}"
            problems.append(Problem(f"{words}: leave one of them out", code="ramp"))
        if by_geo and bound.may_stop and bound.least and isinstance(name, str):
            words = f"{label(name)} may stop and has a least amount over all geos, which is planned with geos together"
            problems.append(Problem(f"{words} only: leave the amount or the plan by geo out", code="by-geo"))
    problems += [
        Problem(
            f"{group.label} may spend {group.low:g} to {group.high:g} together: 0 <= low <= high is needed",
            code="bound",
        )
        for group in groups
        if not 0 <= group.low <= group.high
    ]
    return problems


def target_problems(mroas: float | None, iroas: float | None, floor: float | None, aim: Objective) -> list[Problem]:
    """What is wrong with targets, and what does not go with them."""
    given = {"mROAS": mroas, "iROAS": iroas}
    found = [
        Problem(f"found a target {name} of {value:g}; it is above 0", code="target")
        for name, value in given.items()
        if value is not None and not (np.isfinite(value) and value > 0)
    ]
    if mroas is not None and iroas is not None:
        words = "a target mROAS and a target iROAS both say how much is spent: name one of them"
        found.append(Problem(words + ", and a least iROAS beside the target mROAS if both must hold", code="target"))
    if iroas is not None and floor is not None:
        found.append(Problem("a least iROAS and a target iROAS say the same: name one of them", code="target"))
    if aim.aim != "mean" and (mroas is not None or iroas is not None):
        words = f"a target is kept in expectation and does not go with the aim '{aim.aim}': leave one of them out"
        found.append(Problem(words, code="target"))
    return found
