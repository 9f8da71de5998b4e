"""Calibrate: the model without tests (the sibling) and with them, and a judgement on every test.

The sibling is always fitted, so that anybody can see what the tests changed, and so that the reconciliation can take
model and tests apart and count each once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from calibration.conflict import Conflict, judge
from calibration.second_reading import Reading
from measurement.lift import Lift
from measurement.mmm import Posterior, Progress, Sampling, Spec, fit, lift_delta
from measurement.mmm.effect_size import typical_roi
from measurement.panel import Panel
from measurement.typing import Floats, Json


@dataclass(frozen=True, eq=False)
class Calibration:
    """A model with and without its tests.

    Attributes:
        sibling: The fit without any test.
        calibrated: The fit with all tests; ``None`` where there are none.
        conflicts: One judgement per test, in the tests' order.
    """

    sibling: Posterior
    calibrated: Posterior | None
    conflicts: tuple[Conflict, ...]

    @property
    def best(self) -> Posterior:
        """The calibrated fit where there is one, else the sibling."""
        return self.calibrated or self.sibling

    @property
    def converged(self) -> bool:
        """Whether every fit has converged."""
        return all(fit.converged for fit in (self.sibling, self.calibrated) if fit is not None)

    def to_dict(self) -> Json:
        """As ``mmm fit --json`` prints it."""
        with_tests = None if self.calibrated is None else _summary(self.calibrated)
        sibling = _summary(self.sibling)
        return {
            "channels": [
                {
                    "channel": name,
                    "iroas": with_tests[name] if with_tests is not None else sibling[name],
                    "sibling": {"iroas": sibling[name]},
                }
                for name in self.sibling.channels
            ],
            "converged": self.converged,
            "rhat": max(fit.diagnostics.rhat for fit in self._fits()),
            "ess": min(fit.diagnostics.ess_bulk for fit in self._fits()),
            "divergences": sum(fit.diagnostics.divergences for fit in self._fits()),
            "seconds": sum(fit.diagnostics.seconds for fit in self._fits()),
            "conflicts": [conflict.to_dict() for conflict in self.conflicts],
        }

    def _fits(self) -> list[Posterior]:
        return [fit for fit in (self.sibling, self.calibrated) if fit is not None]


def calibrate(
    panel: Panel,
    spec: Spec | None = None,
    lifts: Sequence[Lift] = (),
    *,
    seed: int = 0,
    sampling: Sampling | None = None,
    progress: Callable[[Progress], None] | None = None,
    refit: bool = False,
    begin_from: tuple[Posterior, Posterior] | None = None,
    readings: Sequence[Reading | None] | None = None,
) -> Calibration:
    """Fit the model without tests and, where there are any, with them; judge every test.

    Args:
        panel: The data.
        spec: The model; `Spec.default` of the panel when not given.
        lifts: The tests (`calibration.gather` makes them from records).
        seed: Seed of both fits.
        sampling: How long to sample.
        progress: Told how far both fits together have come; raising in it stops the work.
        refit: Whether to refit without a test whose leave-one-out weights cannot be trusted; without it such a test is
            judged by the sibling.
        begin_from: An earlier sibling and calibrated fit of the same model, where the sampler begins.
        readings: Per test, what the panel's own sales say of it (`calibration.second_reading.readings`).

    Raises:
        DataError: With every reason why spec, panel and tests do not go together.
    """
    alone, both = begin_from or (None, None)
    chosen = spec or Spec.default(panel)
    runs = 2 if lifts else 1
    # The sibling must know nothing of the tests, or model and tests would share sales and each would count twice.
    sibling = fit(
        panel,
        chosen,
        (),
        held_back=lifts,
        seed=seed,
        sampling=sampling,
        progress=_part(progress, 0, runs),
        begin_from=alone,
    )
    if not lifts:
        return Calibration(sibling, None, ())
    calibrated = fit(
        panel, chosen, lifts, seed=seed, sampling=sampling, progress=_part(progress, 1, runs), begin_from=both
    )

    def without(e: int) -> Floats:
        others = [lift for i, lift in enumerate(lifts) if i != e]
        refitted = fit(panel, chosen, others, held_back=[lifts[e]], seed=seed, sampling=sampling)
        return lift_delta(refitted, panel, lifts[e])

    conflicts = judge(
        lifts,
        [lift_delta(sibling, panel, lift) for lift in lifts],
        [lift_delta(calibrated, panel, lift) for lift in lifts],
        sibling.draws["iroas"],
        panel.channels,
        spread=between_tests(calibrated, panel, lifts),
        refit=without if refit else None,
        readings=readings,
    )
    return Calibration(sibling, calibrated, conflicts)


def between_tests(posterior: Posterior, panel: Panel, lifts: Sequence[Lift]) -> list[Floats | float]:
    """Per test, the fit's sd between tests of the same channels, KPI units, (draws,); 0 where a test stands alone."""
    sets = [tuple(sorted(lift.channels)) for lift in lifts]
    shared = sorted({names for names in sets if sets.count(names) > 1})
    typical = dict(zip(panel.channels, typical_roi(posterior.spec, panel), strict=True))
    found: list[Floats | float] = []
    for lift, names in zip(lifts, sets, strict=True):
        if names not in shared or "lift_spread" not in posterior.draws:
            found.append(0.0)
            continue
        roi = float(np.mean([typical[name] for name in names]))
        size = roi * abs(float(spend_delta(lift, panel).sum())) / panel.kpi_value
        found.append(size * posterior.draws["lift_spread"][:, shared.index(names)])
    return found


def spend_delta(lift: Lift, panel: Panel) -> Floats:
    """Actual minus counterfactual money of a test per channel, shape (channels,)."""
    if lift.actual_spend is not None:
        actual = lift.actual_spend
    else:
        window = panel.window(lift.start, lift.end)
        actual = panel.spend[panel.geo_index(lift.geos)][:, window][:, :, panel.channel_index(lift.channels)]
    return np.asarray((actual - lift.counterfactual_spend).sum(axis=(0, 1)))


def _part(progress: Callable[[Progress], None] | None, run: int, runs: int) -> Callable[[Progress], None] | None:
    """One of several equal runs as a part of the whole; the time left counts the runs to come like this one."""
    if progress is None or runs == 1:
        return progress

    def told(now: Progress) -> None:
        left = now.seconds_left
        if left is not None and run < runs - 1 and now.done > 0:
            left += (runs - 1 - run) * left * now.total / max(now.total - now.done, 1)
        name = "without tests" if run == 0 else "with tests"
        progress(
            replace(
                now,
                phase=f"{now.phase}, {name}",
                done=run * now.total + now.done,
                total=runs * now.total,
                seconds_left=left,
            )
        )

    return told


def _summary(posterior: Posterior) -> dict[str, Json]:
    low, median, high = np.quantile(posterior.draws["iroas"], [0.05, 0.5, 0.95], axis=0)
    return {
        name: {"median": float(median[c]), "low": float(low[c]), "high": float(high[c])}
        for c, name in enumerate(posterior.channels)
    }
