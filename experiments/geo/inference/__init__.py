"""Inference: one estimator's fit with its tests — by placebo sets, or by cyclic blocks where control geos are few."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from experiments.geo.case import Case
from experiments.geo.estimators import Estimator, Fit
from experiments.geo.inference import placebo
from experiments.geo.inference.conformal import FEWEST_PERIODS, conformal_test, cross_fitted_gap
from experiments.geo.inference.self_calibration import SelfCalibration, self_calibrate
from experiments.two_sided import TwoSided
from measurement.errors import DesignError
from measurement.typing import Floats

WAYS = ("in_space", "space_time")


@dataclass(frozen=True, slots=True, eq=False)
class Inference:
    """One estimator's fit with all that is known about its error.

    Attributes:
        fit: The fit of the real comparison.
        total: TwoSided of the mean effect per treated geo and period.
        by_period: Test of each read-out period's effect.
        cumulative: Test of the mean effect up to and with each read-out period.
        placebos: Placebo paths; ``None`` where there were too few control geos.
        calibration: A/A coverage.
        p_values: The p-value by each way that was open: ``in_space``, ``space_time``, ``block_conformal``.
        how: How inference was made, in a sentence.
    """

    fit: Fit
    total: TwoSided
    by_period: tuple[TwoSided, ...]
    cumulative: tuple[TwoSided, ...]
    placebos: placebo.Placebos | None
    calibration: SelfCalibration
    p_values: Mapping[str, float]
    how: str


def infer(
    case: Case,
    estimator: Estimator,
    alpha: float,
    seed: int,
    most: int = placebo.MOST_SETS,
    windows: int = placebo.MOST_WINDOWS,
) -> Inference:
    """Fit one estimator and make its inference: by placebo sets, or by cyclic blocks where there are too few.

    Raises:
        DesignError: Where neither is possible at this alpha.
    """
    fit = estimator.fit(case.block(estimator.whole_weeks))
    if placebo.enough_sets(len(case.controls), len(case.treated), alpha):
        return _by_placebo(case, estimator, fit, seed, max(most, placebo.needed_sets(alpha)), windows)
    return _by_conformal(case, estimator, fit, alpha)


def _by_placebo(case: Case, estimator: Estimator, fit: Fit, seed: int, most: int, windows: int) -> Inference:
    sets = placebo.draw_sets(case.controls, len(case.treated), seed, most)
    onsets = placebo.earlier_onsets(case, windows)
    placebos = placebo.run(case, estimator.fit, estimator.whole_weeks, sets, onsets)
    calibration = self_calibrate(placebos, len(case.controls))
    error = fit.pre_error * calibration.inflation

    def tests(paths: Floats, treated: Floats, effects: Floats) -> tuple[TwoSided, ...]:
        """One test per read-out period, of paths with the period as the last axis."""
        return tuple(
            placebo.PlaceboTest(float(effects[i]), placebo.pools(paths[0, :, i], paths[1:, :, i], treated[:, i], error))
            for i in range(effects.size)
        )

    until = np.arange(1, fit.effects.size + 1)
    running = (np.cumsum(placebos.paths, axis=2) / until, np.cumsum(placebos.treated_paths, axis=1) / until)
    size = len(case.treated)
    where = f"and over {len(onsets)} earlier window(s); the larger p-value counts" if onsets else "(no earlier window)"
    gap = cross_fitted_gap(case.block(estimator.whole_weeks), estimator)
    total = placebo.placebo_test(fit.effect, error, placebos)
    ways = {name: replace(total, pools=(pool,)).p_value() for name, pool in zip(WAYS, total.pools, strict=False)}
    return Inference(
        fit,
        total,
        tests(placebos.paths, placebos.treated_paths, fit.effects),
        tests(*running, np.cumsum(fit.effects) / until),
        placebos,
        calibration,
        ways | {"block_conformal": conformal_test(gap, fit.pre_length).p_value()},
        f"placebo: {len(sets)} distinct sets of {size} control geo(s), studentised by pre-period error, in the test's "
        f"window {where}; p-value and interval invert the same statistic",
    )


def _by_conformal(case: Case, estimator: Estimator, fit: Fit, alpha: float) -> Inference:
    periods = len(fit.gap)
    if periods < FEWEST_PERIODS or periods * min(alpha, 0.1) < 2:
        raise DesignError(
            f"{len(case.controls)} control geos give fewer than {placebo.needed_sets(alpha)} placebo sets of "
            f"{len(case.treated)}, and {periods} periods are too few for inference over time at alpha {alpha:g}: "
            "add control geos or a longer history"
        )
    steps = range(fit.effects.size)
    gap = cross_fitted_gap(case.block(estimator.whole_weeks), estimator)
    total = conformal_test(gap, fit.pre_length)
    return Inference(
        fit,
        total,
        tuple(conformal_test(gap, fit.pre_length, i, i + 1) for i in steps),
        tuple(conformal_test(gap, fit.pre_length, 0, i + 1) for i in steps),
        None,
        SelfCalibration(),
        {"block_conformal": total.p_value()},
        f"cyclic-block conformal over {periods} periods, because {len(case.controls)} control geos give fewer than "
        f"{placebo.needed_sets(alpha)} placebo sets of {len(case.treated)}; p-value and interval invert the same "
        "statistic; such intervals tend to be somewhat too narrow",
    )
