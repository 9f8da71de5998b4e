"""The estimators of a switchback: one regression read three ways, and the plain difference of blocks beside it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite

import numpy as np

from experiments.records import Experiment
from experiments.switchback.draws import MOST_DRAWS, in_words
from experiments.switchback.layout import Case
from experiments.switchback.regression import autoregressive, newey_west, randomisation_test
from experiments.two_sided import StudentTest, TwoSided
from measurement.errors import DataError, DesignError, Problem, did_you_mean, shown
from measurement.typing import Floats, Json

_LEVEL_OF_ERROR = 0.1
"""The standard error of a result is read from this interval, so it must be finite too."""


@dataclass(frozen=True, slots=True, eq=False)
class Estimator:
    """One reading of a switchback.

    Attributes:
        name: Its name.
        test: The effect per market and period, in units of the case's values.
        how: How inference was made, in a sentence.
        others: What other schedules measure, shape (draws,); empty without randomisation.
        details: Numbers for the diagnostics.
    """

    name: str
    test: TwoSided
    how: str
    others: Floats = field(default_factory=lambda: np.zeros(0))
    details: Json = field(default_factory=dict)


def _randomised(case: Case, seed: int) -> Estimator:
    others = case.mechanism.others(seed)
    test, measured = randomisation_test(case.weighted, case.on, others)
    count = case.mechanism.count
    exact = count <= MOST_DRAWS + 1
    number = f"all {in_words(count)} schedules" if exact else f"{len(others):,} of {in_words(count)} schedules"
    rule = "one of every two neighbouring blocks on" if case.mechanism.rule == "pairs" else "as many blocks on"
    how = f"randomisation: the studentised coefficient beside that of {number} that could have been drawn ({rule})"
    details = {"exact": exact, "draws": len(others) + 1, "autocorrelation": case.rho}
    return Estimator("randomisation", test, f"{how}; p-value and interval invert the same statistic", measured, details)


def _autoregressive(case: Case, _: int) -> Estimator | None:
    if not case.one_market:
        return None
    test, rho = autoregressive(case.cells, case.on)
    how = "regression with first-order autoregressive noise, averaged over the autocorrelation; not by randomisation"
    return Estimator("autoregressive", test, how, details={"autocorrelation": rho})


def _newey_west(case: Case, _: int) -> Estimator:
    periods = np.unique(case.cells.time).size
    lags = int(4 * (periods / 100) ** (2 / 9))
    blocks = int(np.bincount(case.mechanism.unit).max())
    df = max(blocks // 2 - 1 if case.mechanism.rule == "pairs" else blocks - 2, 1)
    test = newey_west(case.cells, case.weighted, case.on, lags, df)
    how = f"the same weighted regression with Newey and West's standard error ({lags} lags), {df} degrees of freedom"
    return Estimator("newey_west", test, how, details={"lags": lags, "df": df})


def _means(case: Case, _: int) -> Estimator | None:
    """Block means: the mean of on minus off within pairs, or of all on-blocks minus all off-blocks (Welch)."""
    inside = case.read & (case.block >= 0)
    label = (case.block + case.on.size * np.arange(len(case.block))[:, None])[inside]
    names, which = np.unique(label, return_inverse=True)
    means = np.bincount(which, case.values[inside]) / np.bincount(which)
    state = np.bincount(which, case.exposed[inside]) > 0
    if case.mechanism.rule == "pairs":
        halves = means.reshape(-1, 2) * np.where(state.reshape(-1, 2), 1.0, -1.0)
        gaps = halves.sum(axis=1)
        estimate, variance, df = (
            float(gaps.mean()),
            float(gaps.var(ddof=1) / gaps.size) if gaps.size > 1 else 0.0,
            gaps.size - 1.0,
        )
    else:
        on, off = means[state], means[~state]
        if min(on.size, off.size) < 2:
            return None
        one, two = float(on.var(ddof=1) / on.size), float(off.var(ddof=1) / off.size)
        estimate, variance = float(on.mean() - off.mean()), one + two
        df = variance**2 / (one**2 / (on.size - 1) + two**2 / (off.size - 1)) if variance else 1.0
    if not variance > 0:
        return None
    how = f"difference of block means with Student's t on {names.size} blocks; no trend, no days of the week"
    return Estimator("difference_in_means", StudentTest(estimate, variance**0.5, df), how)


FITTERS: Mapping[str, Callable[[Case, int], Estimator | None]] = {
    "randomisation": _randomised,
    "autoregressive": _autoregressive,
    "newey_west": _newey_west,
    "difference_in_means": _means,
}


def fit_all(case: Case, seed: int) -> dict[str, Estimator]:
    """Every estimator that the case admits, by name.

    Args:
        case: The case.
        seed: Seed of the sample of schedules.
    """
    made = {name: fitter(case, seed) for name, fitter in FITTERS.items()}
    return {name: estimator for name, estimator in made.items() if estimator is not None}


def speaks(estimator: Estimator, alpha: float) -> bool:
    """Whether its intervals have two ends: a draw from few schedules excludes nothing."""
    return isfinite(sum(estimator.test.interval(min(alpha, _LEVEL_OF_ERROR))))


def choose(name: str, design: Experiment, fitted: Mapping[str, Estimator], alpha: float, case: Case) -> Estimator:
    """The estimator that is asked for, or the design's default.

    The default is randomisation; where the draw is too coarse to speak at this level, and for on-off tests, it is the
    regression with autoregressive noise (Newey and West's error where several markets switch apart).

    Raises:
        DataError: An unknown name.
        DesignError: An estimator that this schedule does not admit.
    """
    by_draw = speaks(fitted["randomisation"], alpha)
    if name in ("default", "all"):
        if by_draw and design.method == "switchback":
            return fitted["randomisation"]
        return fitted["autoregressive" if case.one_market else "newey_west"]
    if name not in FITTERS:
        words = f"unknown estimator '{shown(name)}'{did_you_mean(name, FITTERS)}; there are default, all, "
        raise DataError([Problem(words + ", ".join(FITTERS), column="estimator", code="unknown-estimator")])
    if name not in fitted:
        raise DesignError(f"the estimator {name} does not serve this schedule; there are {', '.join(fitted)}")
    if name == "randomisation" and not by_draw:
        raise DesignError(
            f"the schedule could have fallen in {in_words(case.mechanism.count)} ways, too few for an interval of "
            f"{1 - min(alpha, _LEVEL_OF_ERROR):.0%} by randomisation: take the default estimator, or more blocks"
        )
    return fitted[name]
