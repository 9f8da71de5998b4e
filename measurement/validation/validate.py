"""Validate a fit: every diagnostic, and a verdict in words with reasons and what to do about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from measurement.lift import Lift
from measurement.mmm.diagnostics import Diagnostics
from measurement.mmm.likelihood_choice import Likelihood
from measurement.mmm.posterior import Posterior
from measurement.mmm.sampling import Progress, ProgressCallback
from measurement.panel import Panel
from measurement.provenance import Provenance, versions
from measurement.typing import Dates, Json
from measurement.validation.lfo import Lfo, Refit, lfo
from measurement.validation.loo import Loo, influential_cells, loo
from measurement.validation.predictive import Predictive, predictive
from measurement.validation.residuals import Residuals, residuals
from measurement.validation.sensitivity import Sensitivity, sensitivities
from measurement.validation.shift import Shift, shifts
from measurement.validation.verdict import (
    Reason,
    Verdict,
    channel_reasons,
    convergence,
    in_order,
    prediction_reasons,
    residual_reasons,
    verdict_of,
)

if TYPE_CHECKING:
    import altair as alt

PARTS = ("fit", "residuals", "leave-one-out", "leave-future-out", "what was learnt", "sensitivity")


@dataclass(frozen=True, eq=False)
class Validation:
    """Everything that was found about a fit.

    Attributes:
        likelihood: Of the fit: what the verdict supposes of the KPI around its mean.
        verdict: ``good``, ``usable with care`` or ``do not use``.
        reasons: Why, the gravest first; notes last.
        diagnostics: The convergence gate.
        predictive: Posterior predictive checks.
        residuals: Residual diagnostics.
        loo: Leave-one-out.
        lfo: Leave-future-out.
        shifts: What the data taught about every parameter of every channel.
        sensitivities: Whose word each channel's number is.
        kpi: Name of the KPI.
        dates: First day of each period.
        geos: Geo names.
        provenance: Data, settings, seed, and the fit.
        influential: The cells that decide most: ``geo``, ``date``, ``khat``.
    """

    likelihood: Likelihood
    verdict: Verdict
    reasons: tuple[Reason, ...]
    diagnostics: Diagnostics
    predictive: Predictive
    residuals: Residuals
    loo: Loo
    lfo: Lfo
    shifts: tuple[Shift, ...]
    sensitivities: tuple[Sensitivity, ...]
    kpi: str
    dates: Dates
    geos: tuple[str, ...]
    provenance: Provenance
    influential: tuple[Json, ...]

    def to_dict(self) -> Json:
        """As plain values."""
        return {
            "verdict": self.verdict,
            "likelihood": self.likelihood,
            "reasons": [reason.to_dict() for reason in self.reasons],
            "converged": self.diagnostics.converged,
            "fit": self.predictive.to_dict(),
            "residuals": self.residuals.to_dict(),
            "leave_one_out": self.loo.to_dict() | {"influential": list(self.influential)},
            "leave_future_out": self.lfo.to_dict(),
            "shifts": [shift.to_dict() for shift in self.shifts],
            "sensitivity": [found.to_dict() for found in self.sensitivities],
            "provenance": self.provenance.to_dict(),
        }

    def chart(self) -> "alt.VConcatChart":
        """Fit, errors, leave-one-out and what was learnt, on one page."""
        from measurement.validation.charts import Labels, overview

        labels = Labels(self.dates, self.geos, self.kpi)
        return overview(self.predictive, self.residuals, self.loo, self.shifts, labels)


def validate(
    post: Posterior,
    panel: Panel,
    lifts: Sequence[Lift] = (),
    *,
    besides: Sequence[Reason] = (),
    origins: int = 26,
    horizon: int = 4,
    refit: Refit | None = None,
    refits: int = 0,
    seed: int = 0,
    progress: ProgressCallback | None = None,
) -> Validation:
    """Validate a fit.

    Args:
        post: The fit.
        panel: Its panel.
        lifts: The lift tests that are inside the fit, for the sensitivity to them.
        besides: What is known of the model from elsewhere: its backtest, tests that contradict it.
        origins: Leave-future-out: how many of the last periods are predicted.
        horizon: How many periods ahead its joint density reaches.
        refit: Fits the periods before an origin anew where the weights fail.
        refits: How often that may be done.
        seed: Seed of replicates and of the prior's draws.
        progress: Told which part is being worked on.

    Raises:
        DataError: Where the panel is not that of the fit.
    """
    post.check(panel)

    def now(part: int) -> None:
        if progress is not None:
            progress(Progress(PARTS[part], part, len(PARTS), None))

    now(0)
    fit = predictive(post, panel, seed=seed)
    now(1)
    errors = residuals(post, panel)
    now(2)
    left_out = loo(post, panel)
    now(3)
    ahead = lfo(post, panel, origins=origins, horizon=horizon, refit=refit, refits=refits)
    now(4)
    learnt = shifts(post, panel, seed=seed)
    now(5)
    felt = sensitivities(post, panel, lifts, seed=seed)
    reasons = in_order(
        [
            *convergence(post.diagnostics),
            *residual_reasons(errors, panel),
            *prediction_reasons(left_out, ahead, fit, panel),
            *channel_reasons(learnt, felt, panel),
            *besides,
        ]
    )
    return Validation(
        likelihood=post.spec.likelihood,
        verdict=verdict_of(reasons),
        reasons=reasons,
        diagnostics=post.diagnostics,
        predictive=fit,
        residuals=errors,
        loo=left_out,
        lfo=ahead,
        shifts=learnt,
        sensitivities=felt,
        kpi=panel.kpi,
        dates=panel.dates,
        geos=panel.geos,
        provenance=Provenance(
            data=panel.sha256,
            settings={"origins": origins, "horizon": horizon, "refits": refits},
            seed=seed,
            versions=versions("numpy", "scipy", "arviz-stats"),
            parents=(post.provenance.sha256, *post.provenance.parents),
        ),
        influential=tuple(influential_cells(left_out, panel)),
    )
