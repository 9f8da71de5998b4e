"""Rank: one score out of what a planner weighs, with the reasons in words.

Each part is the best value among the designs over a design's own, so that 1 is the best: precision (the minimum
detectable effect) counts half, money at stake, length and accuracy share the rest. A design whose planned change is
expected to move less than it can find keeps half of its score, and one that can find no effect nothing.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from experiments.planning.proposal import Design
from measurement.typing import Floats

WEIGHTS = {"precision": 0.5, "money": 0.2, "length": 0.15, "accuracy": 0.15}
NOT_ENOUGH = 0.5


def ranked(designs: Sequence[Design]) -> list[Design]:
    """The designs with score and reasons, the best first."""
    parts = {
        "precision": best_over(np.array([each.mde for each in designs])),
        "money": best_over(np.array([_money(each) for each in designs])),
        "length": best_over(np.array([float(each.duration + each.cooldown) for each in designs])),
        "accuracy": best_over(np.array([each.power.rmse for each in designs])),
    }
    total = np.sum([weight * parts[name] for name, weight in WEIGHTS.items()], axis=0)
    total = total * [NOT_ENOUGH if each.cost.enough is False else 1.0 for each in designs]
    total = np.where([np.isfinite(each.mde) for each in designs], 100.0 * total, 0.0)
    found = [
        replace(each, score=round(float(total[row]), 1), reasons=_reasons(each, {n: p[row] for n, p in parts.items()}))
        for row, each in enumerate(designs)
    ]
    return sorted(found, key=lambda each: (-each.score, each.mde, each.duration, len(each.treatment_geos)))


def _money(design: Design) -> float:
    """Money at stake: what a cut may lose, or what a raise costs; the same for all where it is unknown."""
    cost = design.cost
    at_stake = cost.lost_at_mde if cost.lost_at_mde is not None else cost.spend_delta
    return abs(at_stake) if at_stake is not None and np.isfinite(at_stake) else 1.0


def best_over(values: Floats) -> Floats:
    """The smallest value over each: 1 for the best, the smaller the worse."""
    best = values.min()
    return np.divide(best, values, out=np.ones(values.shape), where=(values > best) & (values > 0.0))


def _reasons(design: Design, parts: dict[str, float]) -> tuple[str, ...]:
    power, wanted = design.power, design.goal.power
    if not np.isfinite(design.mde):
        return (f"no effect of any size is found with {wanted:.0%} probability",)
    found = [
        f"finds an effect of {design.mde:.1%} with {wanted:.0%} probability"
        + (" (the smallest of all)" if parts["precision"] == 1.0 else ""),
        f"without an effect the estimate is off by {power.rmse:.1%} (root mean square)",
        design.cost.sentence,
    ]
    if design.cost.enough is False:
        found.append("the planned change is expected to move the KPI by less than can be found")
    if power.optimistic is not None and power.optimistic - power.planning >= 0.05:
        found.append(
            f"in the windows that chose the geos power would be {power.optimistic:.0%}, in others it is "
            f"{power.planning:.0%}: the choice flatters itself, and the effect is set for the latter"
        )
    if power.windows < 4:
        found.append(f"rehearsed in only {power.windows:.1f} separate windows: take the figures as rough")
    return tuple(found)
