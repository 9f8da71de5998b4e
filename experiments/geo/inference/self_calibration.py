"""Self-calibration: does the pipeline's own interval hold nothing where nothing happened?

Every placebo set, and the treated geos themselves, are taken as treated in each window before the test. Their interval
is built exactly as the test's: from sets that share no geo with them, in that window and in earlier ones. Where fewer
of the intervals hold zero than chance allows, the standard error is inflated until the promised share does.
"""

from dataclasses import dataclass

import numpy as np

from experiments.geo.inference.placebo import Placebos, critical_value, pools
from measurement.typing import Bools, Floats, Json

ALPHA = 0.10
FEWEST_RUNS = 30
Z = 1.6448536269514722


@dataclass(frozen=True, slots=True)
class SelfCalibration:
    """Seen coverage of the 90 % interval in windows before the test.

    Attributes:
        runs: A/A analyses made; 0 where the history holds too few.
        effective_runs: As many as share neither a geo nor a window, about; the Wilson interval counts these.
        coverage: Share of the runs whose interval holds zero.
        low: Lower end of its 90 % Wilson interval.
        high: Upper end.
        inflation: Factor on the standard error, 1 where coverage is not short.
    """

    runs: int = 0
    effective_runs: int = 0
    coverage: float | None = None
    low: float | None = None
    high: float | None = None
    inflation: float = 1.0

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {
            "runs": self.runs,
            "effective_runs": self.effective_runs,
            "nominal": 1 - ALPHA,
            "coverage": self.coverage,
            "low": self.low,
            "high": self.high,
            "inflation": self.inflation,
        }


def self_calibrate(placebos: Placebos, controls: int) -> SelfCalibration:
    """Run the A/A check on the table of placebo statistics.

    Args:
        placebos: Studentised effects by window and set.
        controls: Number of control geos.
    """
    ratios = _ratios(placebos)
    if ratios.size < FEWEST_RUNS:
        return SelfCalibration()
    windows = placebos.paths.shape[0] - 1
    effective = min(windows * (1 + controls // placebos.sets.shape[1]), ratios.size)
    coverage = float(np.mean(ratios <= 1.0))
    low, high = wilson(coverage, effective)
    short = high < 1 - ALPHA
    inflation = max(1.0, float(np.quantile(ratios, 1 - ALPHA, method="higher"))) if short else 1.0
    return SelfCalibration(int(ratios.size), effective, coverage, low, high, inflation)


def wilson(share: float, count: int, z: float = Z) -> tuple[float, float]:
    """Wilson's interval of a share seen in ``count`` trials (90 % by default)."""
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return float(centre - half), float(centre + half)


def _ratios(placebos: Placebos) -> Floats:
    """Statistic over critical value of every A/A run whose pools are large enough."""
    table, own = placebos.statistics, placebos.treated_statistics
    strangers = _disjoint(placebos)
    ratios: list[float] = []
    for window in range(1, len(table)):
        pretended = [(table[window, i], table[window + 1 :, i], strangers[i]) for i in range(table.shape[1])]
        pretended.append((own[window - 1], own[window:], np.ones(table.shape[1], dtype=np.bool_)))
        for statistic, history, others in pretended:
            found = pools(table[window, others], table[window + 1 :, others], history, 1.0)
            ratios.append(abs(statistic) / max(critical_value(pool, ALPHA) for pool in found))
    kept = np.array(ratios)
    return kept[kept > 0]  # an infinite critical value (too few strangers) says nothing


def _disjoint(placebos: Placebos) -> Bools:
    """Whether two sets share no geo, shape (sets, sets)."""
    member = np.zeros((len(placebos.sets), int(placebos.sets.max()) + 1))
    np.put_along_axis(member, placebos.sets, 1.0, axis=1)
    return np.asarray(member @ member.T == 0)
