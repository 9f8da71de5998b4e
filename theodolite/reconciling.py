"""A study's unified view, from what the study keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from theodolite.days import day

if TYPE_CHECKING:
    import pandas as pd

    from attribution import Attribution
    from calibration import View
    from calibration.evidence import Evidence
    from calibration.resolution import Resolution
    from measurement import Panel
    from theodolite.results import Fitted


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a unified view.

    Attributes:
        start: First day that the numbers cover, YYYY-MM-DD; the panel's by default.
        end: Last day.
        by: Whether its cells are months or quarters.
        markets: Markets that the cells tell apart; ``all`` for every one.
        seed: Seed of the integration.
    """

    start: str | None = None
    end: str | None = None
    by: Literal["month", "quarter"] = "quarter"
    markets: Sequence[str] = ()
    seed: int = 0


def unified(
    panel: "Panel",
    fitted: "Fitted",
    evidence: "Sequence[Evidence]",
    credit: "Attribution | None",
    decisions: "Mapping[str, Resolution]",
    platform: "pd.DataFrame | None",
    margin: float,
    asked: Asked,
) -> "View":
    """The fit without tests, the raw tests and attribution together, each once.

    Args:
        panel: Media and outcome.
        fitted: The last fit.
        evidence: The tests.
        credit: The last attribution.
        decisions: What was decided about tests in question.
        platform: What platforms report.
        margin: Contribution margin.
        asked: What is asked.

    Raises:
        DataError: Where a day or a market is none of the data's.
    """
    from calibration import reconcile
    from calibration.resolution import named

    view = reconcile(
        panel,
        fitted.sibling,
        evidence,
        credit,
        calibrated=fitted.calibrated,
        conflicts=[conflict for conflict in fitted.conflicts if conflict.keep != "model"],
        platform=platform,
        margin=margin,
        start=day(asked.start, "--from"),
        end=day(asked.end, "--to"),
        by=asked.by,
        markets=panel.geos if tuple(asked.markets) == ("all",) else asked.markets,
        seed=asked.seed,
    )
    return named(view, fitted.conflicts, decisions)
