"""Second reading: what the panel's own sales say of a test, read again beside the report.

Where a channel's spend follows demand, the model without its tests allows nearly everything, so a report five times
too large goes unseen. But a geo test that took place inside the panel left its sales there: the house's own analysis
reads them again, and a report that neither they nor the model can explain is in question. The reading is never evidence
on its own, because it is made from the sales that the report was made from.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from calibration.evidence import Evidence
from experiments.analysis import analyse
from experiments.records import Experiment
from measurement.errors import DataError, DesignError
from measurement.panel import Panel
from measurement.typing import Json

GEO_METHODS = ("geo_holdout", "go_dark", "heavy_up", "scale")


@dataclass(frozen=True, slots=True)
class Reading:
    """What the panel's own sales say of a test.

    Attributes:
        outcome_change: Treated minus counterfactual over the treated geos and the read-out, KPI units.
        std_error: Its standard error, by the analysis's own inference.
        inference: How that was made, in a sentence.
    """

    outcome_change: float
    std_error: float
    inference: str

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {
            "outcome_change": self.outcome_change,
            "std_error": self.std_error,
            "inference": self.inference,
        }


def readings(evidence: Sequence[Evidence], panel: Panel, *, seed: int = 0) -> tuple[Reading | None, ...]:
    """Read every test again, as far as it can be.

    Args:
        evidence: The tests.
        panel: The study's panel.
        seed: Seed of the draw of reference sets.

    Returns:
        One per test; ``None`` for a test that the panel cannot read: outside it, on users, of a whole market, of a part
        of its geos, or with too few geos or too little history.
    """
    return tuple(_reading(item, evidence, panel, seed) for item in evidence)


def _reading(item: Evidence, evidence: Sequence[Evidence], panel: Panel, seed: int) -> Reading | None:
    if item.lift.off_panel or item.experiment.method not in GEO_METHODS:
        return None
    try:
        found = analyse(panel, _plan(item, evidence, panel), seed=seed)
    except (DataError, DesignError):
        return None
    change = found.outcome_change
    return Reading(change.estimate, change.std_error, found.inference) if change.std_error > 0 else None


def _plan(item: Evidence, evidence: Sequence[Evidence], panel: Panel) -> Experiment:
    """The test without its result; where it names no controls, those are the geos that no other test touched then."""
    plan = item.experiment.model_copy(
        update={"estimand": None, "estimate": None, "std_error": None, "ci_lower": None, "ci_upper": None}
    )
    plan = plan.model_copy(update={"channel": item.lift.channels, "kpi": panel.kpi})
    if plan.control_geos or plan.pairs:
        return plan
    busy = {
        geo
        for other in evidence
        if other.lift.start <= item.lift.cooldown_end and item.lift.start <= other.lift.cooldown_end
        for geo in other.lift.geos
    }
    return plan.model_copy(update={"control_geos": tuple(geo for geo in panel.geos if geo not in busy)})
