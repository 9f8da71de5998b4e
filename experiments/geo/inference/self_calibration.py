"""Self-calibration: does the pipeline's own interval hold zero in the treated geos' past, where nothing happened?

Fits on the history up to an anchor are carried forward: every window of the test's length after the anchor is an A/A
test of the treated geos, judged beside the same reference sets as the test. One fit per set and anchor serves all its
windows, because weights never read a read-out. Windows overlap, so Wilson's interval counts only as many as fit end to
end. Where even its upper end is short of the promise, intervals are stretched until the promised share holds zero.
Drawn at random, the treated geos' rank is uniform without this, so a recorded assignment is only reported on.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from experiments.geo.case import FEWEST_PRE_PERIODS, Case
from experiments.geo.estimators import Estimator
from experiments.geo.inference.randomisation import fit_sets
from measurement.typing import Bools, Floats, Json

ALPHA = 0.10
FEWEST_RUNS = 30
ANCHORS = 3
MOST_SETS = 100
Z = 1.6448536269514722


@dataclass(frozen=True, slots=True)
class SelfCalibration:
    """Seen coverage of the 90 % interval in windows before the test.

    Attributes:
        runs: A/A analyses made; 0 where the history holds too few.
        effective_runs: As many as share no period; the Wilson interval counts these.
        coverage: Share of the runs whose interval holds zero.
        low: Lower end of its 90 % Wilson interval.
        high: Upper end.
        inflation: Factor on the standard error, 1 where coverage is not short or the assignment is on record.
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


def self_calibrate(case: Case, members: Bools, estimator: Estimator, inflate: bool) -> SelfCalibration:
    """Run the A/A check of the treated geos.

    Args:
        case: The test; only periods before its onset are read.
        members: The test's reference sets, shape (sets, geos).
        estimator: The estimator.
        inflate: Whether short coverage widens the intervals.
    """
    own = np.isin(np.arange(len(case.geos)), case.treated)
    return judged(*history(case, np.vstack([own, members[:MOST_SETS]]), estimator), inflate)


def history(case: Case, members: Bools, estimator: Estimator) -> tuple[Floats, int]:
    """Studentised effects of sets in every window of the history, shape (runs, sets), and how many share no period."""
    length = case.end - case.onset
    found, effective = [np.zeros((0, len(members)))], 0
    for anchor, until in stretches(case.onset, length):
        means, errors = past_effects(case, members, estimator, anchor, until)
        found.append((means / errors[:, None]).T)
        effective += (until - anchor) // length
    return np.concatenate(found), effective


def past_effects(case: Case, members: Bools, estimator: Estimator, anchor: int, until: int) -> tuple[Floats, Floats]:
    """Mean effects of sets in the windows between an anchor and an end, by fits on the history up to the anchor.

    Args:
        case: The test; only periods before ``until`` are read.
        members: Geos of each set, shape (sets, geos).
        estimator: The estimator.
        anchor: First period after the fits' own.
        until: One past the last period of the last window.

    Returns:
        Means over each window of the test's length, KPI per geo of the set and period, shape (sets, windows); and
        pre-period errors, shape (sets,).
    """
    length = case.end - case.onset
    pool = np.isin(np.arange(len(case.geos)), case.units)
    start = case.moved(case.treated, case.controls, anchor, estimator.whole_weeks).start
    reference = fit_sets(case.outcome, members, pool, (start, anchor, until), estimator)
    sums = np.cumsum(np.pad(reference.paths, ((0, 0), (1, 0))), axis=1)
    return np.asarray((sums[:, length:] - sums[:, :-length]) / length), reference.errors


def judged(statistics: Floats, effective: int, inflate: bool) -> SelfCalibration:
    """Coverage of A/A runs.

    Args:
        statistics: Studentised effects, shape (runs, sets), the treated geos' own first.
        effective: How many runs share no period.
        inflate: Whether short coverage widens the intervals.
    """
    if len(statistics) < FEWEST_RUNS:
        return SelfCalibration()
    own, others = np.abs(statistics[:, 0]), np.abs(statistics[:, 1:])
    ratios = own / np.maximum(critical_values(others, ALPHA), np.finfo(np.float64).tiny)
    coverage = float(np.mean(ratios <= 1.0))
    low, high = wilson(coverage, effective)
    short = inflate and high < 1 - ALPHA
    inflation = max(1.0, float(np.quantile(ratios, 1 - ALPHA, method="higher"))) if short else 1.0
    return SelfCalibration(len(ratios), effective, coverage, low, high, inflation)


def stretches(onset: int, length: int) -> list[tuple[int, int]]:
    """Anchors with the end of the stretch that each one's fits serve: the second half of the history, in parts."""
    first = max(FEWEST_PRE_PERIODS, length, (onset + 1) // 2)
    parts = max(min(ANCHORS, (onset - first) // (2 * length)), 1)
    ends = np.linspace(first, onset, parts + 1).astype(int)
    return [(int(a), int(b)) for a, b in pairwise(ends) if b - a >= length]


def critical_values(statistics: Floats, alpha: float) -> Floats:
    """Of every row of other sets' absolute statistics, the largest that the test's may be with a p of alpha or more."""
    count = statistics.shape[1]
    needed = int(np.argmax((1 + np.arange(count + 1)) / (1 + count) >= alpha))
    if needed == 0:
        return np.full(len(statistics), np.inf)
    return np.asarray(np.partition(statistics, count - needed, axis=1)[:, count - needed])


def wilson(share: float, count: int, z: float = Z) -> tuple[float, float]:
    """Wilson's interval of a share seen in ``count`` trials (90 % by default)."""
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return float(centre - half), float(centre + half)
