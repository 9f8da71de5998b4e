"""Plan of record: a forecast frozen with all that it takes to compare it, later, with what came.

It holds the data that the plan was made on, the spend and controls that were planned, and the draws that were
predicted: neither revised data nor another version of this program changes what was promised.
"""

from dataclasses import dataclass
from typing import Literal, Self, cast

import numpy as np

from measurement import archive
from measurement.panel import Panel, Period
from measurement.plan.forecast import Forecast
from measurement.plan.horizon import Horizon
from measurement.provenance import Provenance
from measurement.typing import Dates, Floats, Json

type Kind = Literal["forecast", "scenario"]


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """A frozen plan.

    Attributes:
        kind: What it was recorded as.
        panel: The data that it was made on; the plan begins where they end.
        horizon: The planned periods and their spend.
        controls: The planned controls, shape (geos, periods, controls).
        draws: What was predicted of the KPI, shape (draws, geos, periods).
        converged: Whether the fit behind it was fit for use.
        provenance: Data, settings, seed, versions; the fit is its first parent.
    """

    kind: Kind
    panel: Panel
    horizon: Horizon
    controls: Floats
    draws: Floats
    converged: bool
    provenance: Provenance

    @classmethod
    def of(cls, made: Forecast, panel: Panel, kind: Kind) -> Self:
        """Freeze a forecast that was made on ``panel``."""
        return cls(kind, panel, made.horizon, made.controls, made.draws, made.converged, made.provenance)

    @property
    def seed(self) -> int:
        """Seed of the demand and noise in it."""
        return self.provenance.seed or 0

    def to_bytes(self) -> bytes:
        """As an archive of plain arrays (`measurement.archive`); equal plans give equal bytes."""
        panel, plan = self.panel, self.horizon
        header: Json = {
            "kind": self.kind,
            "geos": panel.geos,
            "channels": panel.channels,
            "control_names": panel.control_names,
            "kpi": panel.kpi,
            "kpi_value": panel.kpi_value,
            "period": panel.period,
            "currency": panel.currency,
            "like": plan.like,
            "converged": self.converged,
            "provenance": self.provenance.to_dict(),
        }
        arrays = {
            "panel.dates": _days(panel.dates),
            "panel.spend": panel.spend,
            "panel.exposure": panel.exposure,
            "panel.outcome": panel.outcome,
            "panel.controls": panel.controls,
            "plan.dates": _days(plan.dates),
            "plan.spend": plan.spend,
            "controls": self.controls,
            "draws": self.draws,
        }
        arrays |= {} if panel.population is None else {"panel.population": panel.population}
        arrays |= {} if plan.exposure is None else {"plan.exposure": plan.exposure}
        return archive.pack(header, arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote.

        Raises:
            DataError: Where it is damaged or anything else.
        """
        header, arrays = archive.unpack(data, "plan")
        panel = Panel(
            dates=_dates(arrays["panel.dates"]),
            geos=tuple(header["geos"]),
            channels=tuple(header["channels"]),
            spend=arrays["panel.spend"],
            exposure=arrays["panel.exposure"],
            kpis={header["kpi"]: arrays["panel.outcome"]},
            kpi=header["kpi"],
            population=arrays.get("panel.population"),
            controls=arrays["panel.controls"],
            control_names=tuple(header["control_names"]),
            period=cast(Period, header["period"]),
            currency=header["currency"],
            kpi_value=header["kpi_value"],
        )
        return cls(
            kind=cast(Kind, header["kind"]),
            panel=panel,
            horizon=Horizon(
                _dates(arrays["plan.dates"]), arrays["plan.spend"], header["like"], arrays.get("plan.exposure")
            ),
            controls=arrays["controls"],
            draws=arrays["draws"],
            converged=header["converged"],
            provenance=Provenance.from_dict(header["provenance"]),
        )


def _days(dates: Dates) -> Floats:
    """Days since 1970 as plain numbers."""
    return np.asarray(dates.astype("datetime64[D]").astype(np.int64), dtype=np.float64)


def _dates(days: Floats) -> Dates:
    return days.astype(np.int64).astype("datetime64[D]")
