"""Placebo inference: sets of control geos analysed as if they had been treated, by the same rule and estimator.

A set's statistic is its effect divided by its pre-period error (studentised: Abadie, Diamond and Hainmueller 2010;
Firpo and Possebom 2018). The p-value of a hypothesised effect is the share of placebo statistics at least as large as
the test's; the interval holds exactly the effects whose p-value is not below alpha. Two pools are kept, sets in the
test's own window (in space) and sets in earlier windows as well (space-time), and the larger p-value counts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, comb

import numpy as np

from experiments.geo.case import FEWEST_PRE_PERIODS, Case
from experiments.geo.estimators.block import Block, Fit
from measurement.typing import Floats, Ints

FEWEST_SETS = 40
MOST_SETS = 300
MOST_WINDOWS = 4

type Fitter = Callable[[Block], Fit]


@dataclass(frozen=True, slots=True, eq=False)
class Placebos:
    """Studentised effect paths of placebo sets.

    Attributes:
        sets: Rows of each set, shape (sets, treated geos).
        paths: Effect by read-out period over pre-period error, shape (windows, sets, read-out periods); window 0 is
            the test's own, later ones go back in time.
        treated_paths: The same for the treated geos in the earlier windows, shape (windows - 1, read-out periods).
    """

    sets: Ints
    paths: Floats
    treated_paths: Floats

    @property
    def statistics(self) -> Floats:
        """Studentised mean effect, shape (windows, sets)."""
        return np.asarray(self.paths.mean(axis=2))

    @property
    def treated_statistics(self) -> Floats:
        """The treated geos' own in the earlier windows, shape (windows - 1,)."""
        return np.asarray(self.treated_paths.mean(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class PlaceboTest:
    """A two-sided test whose p-value and interval come from one set of numbers.

    Attributes:
        estimate: The effect.
        pools: Absolute placebo effects in the estimate's unit (statistic × the test's own error), one array per pool.
    """

    estimate: float
    pools: tuple[Floats, ...]

    def p_value(self, hypothesis: float = 0.0) -> float:
        """Largest over the pools of (1 + placebo effects at least as far out) / (1 + placebo effects)."""
        distance = abs(self.estimate - hypothesis)
        return max(float((1 + np.count_nonzero(pool >= distance)) / (1 + pool.size)) for pool in self.pools)

    def interval(self, alpha: float) -> tuple[float, float]:
        """All effects with a p-value of ``alpha`` or more; infinite where the pools are too small to exclude any."""
        half = max(critical_value(pool, alpha) for pool in self.pools)
        return self.estimate - half, self.estimate + half


def critical_value(pool: Floats, alpha: float) -> float:
    """The largest distance whose p-value is still ``alpha`` or more; infinite where every distance's is."""
    counts = np.arange(pool.size + 1)
    needed = int(np.argmax((1 + counts) / (1 + pool.size) >= alpha))
    return float("inf") if needed == 0 else float(np.partition(pool, pool.size - needed)[pool.size - needed])


def needed_sets(alpha: float) -> int:
    """Distinct sets wanted for tests at ``alpha``: 40 for .10, in proportion for less."""
    return max(FEWEST_SETS, ceil(FEWEST_SETS * 0.1 / alpha))


def enough_sets(controls: int, size: int, alpha: float = 0.1) -> bool:
    """Whether the control geos hold enough distinct sets, each leaving half of the controls as its donors."""
    return 2 * size <= controls and comb(controls, size) >= needed_sets(alpha)


def draw_sets(controls: Ints, size: int, seed: int, most: int = MOST_SETS) -> Ints:
    """Distinct sets of control geos, shape (sets, size): all of them where there are few, else drawn evenly."""
    from itertools import combinations

    count = len(controls)
    if comb(count, size) <= most:
        return np.array(list(combinations(sorted(controls.tolist()), size)), dtype=np.int64)
    rng = np.random.default_rng(seed)
    found: dict[tuple[int, ...], None] = {}
    while len(found) < most:
        found[tuple(sorted(rng.choice(count, size, replace=False).tolist()))] = None
    return np.sort(controls)[np.array(list(found), dtype=np.int64)]


def earlier_onsets(case: Case, most: int = MOST_WINDOWS) -> list[int]:
    """Onsets of windows before the test that do not overlap, each with at least half of the test's history."""
    length = case.end - case.onset
    least = max(FEWEST_PRE_PERIODS, length, (case.onset + 1) // 2)
    return [case.onset - step * length for step in range(1, most + 1) if case.onset - step * length >= least]


def run(case: Case, fitter: Fitter, whole_weeks: bool, sets: Ints, onsets: Sequence[int]) -> Placebos:
    """Analyse every set at the test's onset and at each earlier one; the treated geos at the earlier ones only.

    The donors of a set are the controls outside it: the treated geos are nobody's donors, before the test or after.
    """
    inside = [np.isin(case.controls, rows) for rows in sets]

    def path(rows: Ints, donors: Ints, onset: int) -> Floats:
        fit = fitter(case.moved(rows, donors, onset, whole_weeks))
        return fit.effects / fit.pre_error

    paths = [
        [path(rows, case.controls[~among], onset) for rows, among in zip(sets, inside, strict=True)]
        for onset in (case.onset, *onsets)
    ]
    treated = [path(case.treated, case.controls, onset) for onset in onsets]
    return Placebos(sets, np.array(paths), np.array(treated).reshape(len(onsets), case.end - case.onset))


def pools(own: Floats, earlier: Floats, treated: Floats, error: float) -> tuple[Floats, ...]:
    """Absolute placebo effects in KPI: in space, and space-time where there are earlier windows.

    Args:
        own: Studentised effects of the sets in the test's window.
        earlier: The same in earlier windows, any shape.
        treated: The treated geos' own in earlier windows, any shape.
        error: The test's pre-period error, inflated where self-calibration asks for it.
    """
    in_space = np.abs(own) * error
    if earlier.size == 0:
        return (in_space,)
    return in_space, np.concatenate([in_space, np.abs(earlier).ravel() * error, np.abs(treated).ravel() * error])


def placebo_test(estimate: float, error: float, placebos: Placebos) -> PlaceboTest:
    """The test of the mean effect per treated geo and period."""
    table = placebos.statistics
    return PlaceboTest(estimate, pools(table[0], table[1:], placebos.treated_statistics, error))
