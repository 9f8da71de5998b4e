"""What every method says on its own, to be shown beside the unified number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from calibration.evidence import Evidence
from calibration.evidence_model import Tests
from calibration.quantity import Quantity
from calibration.sources import Z90, Attributed
from measurement.panel import Panel
from measurement.typing import Floats


@dataclass(frozen=True, eq=False)
class SideBySide:
    """What is shown beside the unified number, by channel."""

    mmm: Mapping[str, Quantity]
    calibrated: Mapping[str, Quantity]
    tests: Mapping[str, Quantity]
    attribution: Mapping[str, Mapping[str, Quantity]]
    platform: Mapping[str, Quantity]
    primary: str = ""

    def heard(self, channel: str) -> dict[str, Quantity]:
        """What the methods that can be compared say of a channel: model, tests and the primary attribution model."""
        said = {
            "mmm": self.mmm.get(channel),
            "experiments": self.tests.get(channel),
            "attribution": self.attribution.get(channel, {}).get(self.primary),
        }
        return {source: quantity for source, quantity in said.items() if quantity is not None}

    @classmethod
    def of(
        cls,
        panel: Panel,
        iroas: Floats,
        evidence: Sequence[Evidence],
        tests: Tests,
        calibrated: Floats | None,
        attributed: Attributed | None,
        platform: pd.DataFrame | None,
        window: slice,
    ) -> "SideBySide":
        """Collect them.

        Args:
            panel: The study's panel.
            iroas: The window's iROAS by the fit without tests, shape (draws, channels).
            evidence: The tests.
            tests: The same tests, mapped to iROAS.
            calibrated: The window's iROAS by the fit with tests.
            attributed: Attribution's credit.
            platform: ``date, channel, value``.
            window: The periods that the view covers.
        """
        credit: dict[str, dict[str, Quantity]] = {}
        if attributed is not None:
            for model, draws in attributed.roas(panel).items():
                for name, quantity in by_channel(draws, attributed.channels).items():
                    credit.setdefault(name, {})[model] = quantity
        return cls(
            by_channel(iroas, panel.channels),
            {} if calibrated is None else by_channel(calibrated, panel.channels),
            {name: pooled for c, name in enumerate(panel.channels) if (pooled := pool(evidence, tests, c)) is not None},
            credit,
            _platform(platform, panel, window),
            attributed.primary if attributed is not None else "",
        )


def pool(evidence: Sequence[Evidence], tests: Tests, channel: int) -> Quantity | None:
    """The tests of one channel alone, as the channel's average iROAS: their inverse-variance mean.

    A test compares two levels of spend, so its own return is that of the spend it moved: near saturation less than the
    channel's average. The response curve carries it over (`calibration.sources.tests_of`), and what is not known of
    the curve widens it. Where tests scatter, the error is stretched by Birge's ratio, sqrt(chi² / (n - 1)) where above
    1 (Birge 1932, Physical Review 40). Tests of several channels at once say nothing of one.

    Args:
        evidence: The tests.
        tests: The same tests, mapped to iROAS.
        channel: The channel's position.
    """
    pairs = [n for n in np.flatnonzero(tests.channel == channel) if len(evidence[tests.test[n]].lift.channels) == 1]
    if not pairs:
        return None
    own, scale = [evidence[tests.test[n]] for n in pairs], np.abs(tests.scale[pairs])
    mean = tests.outcome_change[tests.test[pairs]] / tests.scale[pairs]
    curve = np.abs(mean) * np.sqrt(np.diag(tests.log_scale_cov)[pairs])
    weight = np.hypot([item.steps[-1].std_error for item in own] / scale, curve) ** -2.0
    centre = float(np.average(mean, weights=weight))
    se = float(weight.sum() ** -0.5)
    if len(own) > 1:
        se *= max(1.0, float(np.sqrt(np.sum(weight * (mean - centre) ** 2) / (len(own) - 1))))
    return Quantity(centre, centre - Z90 * se, centre + Z90 * se)


def by_channel(draws: Floats, names: Sequence[str]) -> dict[str, Quantity]:
    """Median and 90 % interval of each column of draws, shape (draws, names); columns not all finite are left out."""
    found = {}
    for i, name in enumerate(names):
        if np.isfinite(draws[:, i]).all():
            low, median, high = np.quantile(draws[:, i], [0.05, 0.5, 0.95])
            found[name] = Quantity(float(median), float(low), float(high))
    return found


def _platform(platform: pd.DataFrame | None, panel: Panel, window: slice) -> dict[str, Quantity]:
    if platform is None:
        return {}
    day = platform["date"].to_numpy().astype("datetime64[D]")
    inside = platform[(day >= panel.dates[window.start]) & (day <= panel.dates[window.stop - 1])]
    value = inside.groupby("channel")["value"].sum()
    spend = panel.spend[:, window].sum(axis=(0, 1))
    found = {}
    for c, name in enumerate(panel.channels):
        if name in value.index and spend[c] > 0:
            roas = float(value[name] / spend[c])
            found[name] = Quantity(roas, roas, roas)
    return found
