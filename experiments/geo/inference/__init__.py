"""Inference: one estimator's fit with its tests — by randomisation, or over time where too few sets can be drawn."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil, isfinite

import numpy as np

from experiments.geo.case import FEWEST_DONORS, Case
from experiments.geo.estimators import Estimator, Fit
from experiments.geo.estimators.posterior import posterior_test
from experiments.geo.inference.conformal import FEWEST_PERIODS, conformal_test, cross_fitted_gap
from experiments.geo.inference.draws import Draws
from experiments.geo.inference.randomisation import Reference, fit_sets, inverted, relative_sizes
from experiments.geo.inference.self_calibration import SelfCalibration, self_calibrate
from experiments.geo.inference.t_test import cross_fitted_test, folded_effects
from experiments.two_sided import InvertedTest, TwoSided
from measurement.errors import DesignError
from measurement.typing import Bools, Floats

LONG_HISTORY = 3
"""From so many read-outs of history on cyclic blocks cover better than the cross-fitted t-test, and are narrower."""


@dataclass(frozen=True, slots=True, eq=False)
class Randomised:
    """The reference sets of one analysis, fitted, and how they see an effect in the treated geos.

    Attributes:
        members: Geos of each set, shape (sets, geos).
        reference: Effects, errors and contrasts of the sets.
        overlaps: How much of a mean effect in the treated geos each set measures, shape (sets,).
        error: The test's own pre-period error.
        inflation: What self-calibration asks for.
    """

    members: Bools
    reference: Reference
    overlaps: Floats
    error: float
    inflation: float

    def test(self, paths: Floats, estimate: float) -> InvertedTest:
        """Test a mean over read-out periods, of which the sets measured ``paths``, shape (sets,)."""
        errors = self.reference.errors
        return inverted(paths, self.overlaps, errors, estimate, self.error, self.inflation)

    def placebos(self, effect: float) -> Floats:
        """What the sets measure once the effect is taken out, on the scale of the test's own error, shape (sets,)."""
        bare = self.reference.paths.mean(axis=1) - effect * self.overlaps
        return np.asarray(bare / self.reference.errors * self.error)


@dataclass(frozen=True, slots=True, eq=False)
class Inference:
    """One estimator's fit with all that is known about its error.

    Attributes:
        fit: The fit of the real comparison.
        total: Test of the mean effect per treated geo and period.
        by_period: Test of each read-out period's effect.
        cumulative: Test of the mean effect up to and with each read-out period.
        cooldown: Test of the mean effect in the cool-down; ``None`` without one.
        randomised: The reference sets; ``None`` where inference was made over time.
        calibration: A/A coverage.
        p_values: The p-value by each way that was open: ``randomisation``, ``block_conformal``, ``cross_fitted_t``;
            ``posterior`` alone where the estimator is Bayesian.
        how: How inference was made, in a sentence.
    """

    fit: Fit
    total: TwoSided
    by_period: tuple[TwoSided, ...]
    cumulative: tuple[TwoSided, ...]
    cooldown: TwoSided | None
    randomised: Randomised | None
    calibration: SelfCalibration
    p_values: Mapping[str, float]
    how: str


def infer(case: Case, draws: Draws, estimator: Estimator, alpha: float, *, thorough: bool = True) -> Inference:
    """Fit one estimator and make its inference: by randomisation, or over time where too few sets can be drawn.

    Args:
        case: The test.
        draws: Its reference sets; none where there are too few.
        estimator: The estimator.
        alpha: One minus the level of the intervals.
        thorough: With self-calibration and the p-value over time for comparison; without, for a second opinion.

    Raises:
        DesignError: Where neither is possible at this alpha.
    """
    fit = estimator.fit(case.block(estimator.whole_weeks))
    if fit.posterior is not None:
        return _by_posterior(case, fit, len(fit.posterior))
    found = _by_randomisation(case, draws, estimator, fit, thorough) if len(draws.members) else None
    if found is not None and all(map(isfinite, found.total.interval(min(alpha, 0.1)))):
        return found
    if found:
        reason = (
            f"too many of the {draws.words} fit the {fit.pre_length} periods before the test far better than the "
            "treated geos do, so that randomisation cannot tell an effect from none"
        )
        return _over_time(case, estimator, fit, alpha, reason, "lengthen the history")
    reason = f"{len(case.units)} geos allow no randomisation inference (only {draws.words})"
    return _over_time(case, estimator, fit, alpha, reason, "lengthen the history or add control geos")


def _by_posterior(case: Case, fit: Fit, draws: int) -> Inference:
    length, after = fit.effects.size, case.cooldown - case.onset
    total = posterior_test(fit)
    return Inference(
        fit,
        total,
        tuple(posterior_test(fit, i, i + 1) for i in range(length)),
        tuple(posterior_test(fit, 0, i + 1) for i in range(length)),
        posterior_test(fit, after) if after < length else None,
        None,
        SelfCalibration(),
        {"posterior": total.p_value()},
        f"posterior: {draws} draws of a structural time series fitted to the pre-period; p-value and interval are "
        "shares of the same draws; as good as that model",
    )


def _by_randomisation(case: Case, draws: Draws, estimator: Estimator, fit: Fit, thorough: bool) -> Inference | None:
    randomised = _randomised(case, draws, estimator, fit)
    if randomised is None:
        return None
    calibration = SelfCalibration()
    if thorough:
        calibration = self_calibrate(case, randomised.members, estimator, inflate=not draws.recorded)
        randomised = replace(randomised, inflation=calibration.inflation)
    paths, effects = randomised.reference.paths, fit.effects
    until = np.arange(1, effects.size + 1)
    running, so_far = np.cumsum(paths, axis=1) / until, np.cumsum(effects) / until
    total = randomised.test(running[:, -1], float(so_far[-1]))
    p_values = {"randomisation": total.p_value()}
    if thorough and fit.pre_length >= effects.size:
        gap = cross_fitted_gap(case.block(estimator.whole_weeks), estimator)
        p_values["block_conformal"] = conformal_test(gap, fit.pre_length).p_value()
    after = case.cooldown - case.onset
    return Inference(
        fit,
        total,
        tuple(randomised.test(paths[:, i], float(effects[i])) for i in range(effects.size)),
        tuple(randomised.test(running[:, i], float(so_far[i])) for i in range(effects.size)),
        randomised.test(paths[:, after:].mean(axis=1), float(effects[after:].mean())) if after < effects.size else None,
        randomised,
        calibration,
        p_values,
        _how(draws, len(randomised.members)),
    )


def _randomised(case: Case, draws: Draws, estimator: Estimator, fit: Fit) -> Randomised | None:
    """Fit the reference sets; nothing where too few of them would have donors."""
    pool = np.isin(np.arange(len(case.geos)), case.controls if fit.loadings is None else case.units)
    members = draws.members
    members = members[(pool & ~members).sum(axis=1) >= FEWEST_DONORS]
    if len(members) < len(draws.members) / 2:
        return None
    block = case.block(estimator.whole_weeks)
    reference = fit_sets(case.outcome, members, pool, (block.start, block.onset, block.end), estimator)
    overlaps = reference.contrasts @ relative_sizes(case.outcome[:, block.start : block.onset], case.treated)
    return Randomised(members, reference, overlaps, fit.pre_error, 1.0)


def _how(draws: Draws, count: int) -> str:
    claim = "exact, because the assignment is on record" if draws.recorded else "as if the treated geos had been drawn"
    return (
        f"randomisation: the test beside {count} other draws ({draws.words}), studentised by pre-period error; "
        f"{claim}; p-value and interval invert the same statistic"
    )


def _over_time(case: Case, estimator: Estimator, fit: Fit, alpha: float, reason: str, remedy: str) -> Inference:
    """Cyclic blocks, or the cross-fitted t-test where the history is short."""
    block = case.block(estimator.whole_weeks)
    periods, length = len(fit.gap), fit.effects.size
    needed = max(length, ceil(max(FEWEST_PERIODS, 2 / min(alpha, 0.1))) - length)
    if fit.pre_length < needed:
        raise DesignError(
            f"{fit.pre_length} periods before a read-out of {length} are too few: inference over time at alpha "
            f"{alpha:g} needs {needed}, and {reason}: {remedy}"
        )
    gap, folded = cross_fitted_gap(block, estimator), folded_effects(block, estimator)
    blocks = fit.pre_length >= LONG_HISTORY * length

    def test(first: int, last: int) -> TwoSided:
        if blocks:
            return conformal_test(gap, fit.pre_length, first, last)
        return cross_fitted_test(folded, fit.effects, fit.pre_length, first, last)

    total, after = test(0, length), case.cooldown - case.onset
    way = f"cyclic-block conformal over {periods} periods" if blocks else "cross-fitted t-test in three folds"
    return Inference(
        fit,
        total,
        tuple(test(i, i + 1) for i in range(length)),
        tuple(test(0, i + 1) for i in range(length)),
        test(after, length) if after < length else None,
        None,
        SelfCalibration(),
        {
            "block_conformal": conformal_test(gap, fit.pre_length).p_value(),
            "cross_fitted_t": cross_fitted_test(folded, fit.effects, fit.pre_length, 0, length).p_value(),
        },
        f"{way}, because {reason}; p-value and interval invert the same statistic; such intervals "
        "tend to be somewhat too narrow",
    )
