"""Fit a marketing mix model: panel, spec and lift tests in, posterior out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from measurement.errors import DataError
from measurement.lift import Lift
from measurement.mmm.diagnostics import diagnose
from measurement.mmm.effect_size import money_per_share
from measurement.mmm.numpyro_engine import Draws, sample
from measurement.mmm.posterior import Posterior
from measurement.mmm.prepare import Prepared, prepare
from measurement.mmm.priors import unpack
from measurement.mmm.sampling import Progress, ProgressCallback, Sampling
from measurement.mmm.spec import Spec
from measurement.mmm.starting import shape_of
from measurement.mmm.variation import knots_of
from measurement.panel import Panel
from measurement.provenance import Provenance, sha256_of, versions
from measurement.typing import Floats

NOT_KEPT = ("geo_effect", "log_contribution", "drift_step", "linear_coordinate", "demand_coordinate")
"""Parameters of the sampler that a posterior holds in another form."""
WARM = Sampling(warmup=100)
"""How long to sample from where an earlier fit found its posterior."""
CAREFUL = 0.95
"""Acceptance that a fit is tuned to when too many of its draws have diverged."""


def fit(
    panel: Panel,
    spec: Spec | None = None,
    lifts: Sequence[Lift] = (),
    *,
    held_back: Sequence[Lift] = (),
    seed: int = 0,
    sampling: Sampling | None = None,
    progress: ProgressCallback | None = None,
    room: int = 0,
    begin_from: Posterior | None = None,
) -> Posterior:
    """Fit the model.

    Args:
        panel: The data.
        spec: The model; `Spec.default` of the panel when not given.
        lifts: Lift tests that enter the joint likelihood.
        held_back: Lift tests of which the fit must know nothing: their cells are left out of the series as those of
            ``lifts`` are, and their results stay outside. What is fitted so can be compared with them.
        seed: Seed; the same data, settings and seed give the same draws on the same machine.
        sampling: How long to sample.
        progress: Told how far it has come, from this thread; raising in it (Ctrl-C does) stops the fit.
        room: Periods that the compiled program is to have room for; fits of up to so many then share one program.
        begin_from: An earlier fit of the same model, last month's say: the sampler begins where that one found its
            posterior, so that a shorter warm-up (`WARM`) suffices. It changes where the draws begin, not what they are
            drawn from; as it does change the draws, the provenance names it.

    Returns:
        The posterior. It says in ``diagnostics`` whether it converged; it is returned either way. Where too many draws
        diverged and ``sampling`` sets no ``target_accept``, the fit is made once more, from where it ended, with
        smaller steps (`CAREFUL`): the sampling in the provenance says so.

    Raises:
        DataError: With every reason why the spec, the panel and the tests do not go together, or where ``begin_from``
            is a fit of other channels, geos or parameters.
    """
    chosen = spec or Spec.default(panel)
    length = sampling or (Sampling() if begin_from is None else WARM)
    if begin_from is not None:
        begin_from.check(panel)
        if begin_from.shape is None:
            raise DataError(
                "a fit can begin from an earlier fit only, not from draws of the prior or an older version's"
            )
    if progress is not None:
        progress(Progress("prepare", 0, length.chains * (length.warmup + length.draws), None))
    ready = prepare(panel, chosen, lifts, held_back, room=room)
    drawn = sample(ready.layout, ready.data, length, seed, progress, None if begin_from is None else begin_from.shape)
    made = _posterior(panel, chosen, lifts, held_back, seed, length, ready, drawn)
    if made.diagnostics.diverged and length.target_accept is None:
        careful = length.model_copy(update={"target_accept": CAREFUL})
        drawn = sample(ready.layout, ready.data, careful, seed, _again(progress), made.shape)
        made = _posterior(panel, chosen, lifts, held_back, seed, careful, ready, drawn)
    if begin_from is None:
        return made
    parent = {"begun_from": begin_from.provenance.sha256}
    return replace(made, provenance=replace(made.provenance, settings={**made.provenance.settings, **parent}))


def _again(progress: ProgressCallback | None) -> ProgressCallback | None:
    """The same draws once more, with smaller steps: no share of the work is taken back, the time left is told."""
    if progress is None:
        return None
    return lambda now: progress(replace(now, phase=f"{now.phase} again", done=now.total))


def _posterior(
    panel: Panel,
    spec: Spec,
    lifts: Sequence[Lift],
    held_back: Sequence[Lift],
    seed: int,
    sampling: Sampling,
    ready: Prepared,
    drawn: Draws,
) -> Posterior:
    values = unpack(ready.layout, ready.data.prior_mean + ready.data.prior_sd * drawn.z)
    named, reported = quantities(values, drawn.coefficient, drawn.log_share, panel)
    if spec.likelihood != "normal":
        named["linear"] = drawn.linear[..., ready.places]
        named["demand"] = drawn.demand[..., : panel.shape[1]]
    if "lift_spread" in named:  # drop the padding
        named["lift_spread"] = named["lift_spread"][..., : ready.groups]
        named["lift_bias"] = named["lift_bias"][..., : len(lifts)]
    flat = {name: array.reshape(-1, *array.shape[2:]) for name, array in (named | reported).items()}
    return Posterior(
        draws=flat,
        chains=sampling.chains,
        start=panel.dates[0] if ready.layout.varying else None,
        shape=shape_of(ready.layout, ready.data.forms.code, ready.data.prior_mean, ready.data.prior_sd, drawn.z),
        channels=panel.channels,
        geos=panel.geos,
        spec=spec,
        scales=ready.scales,
        counts=ready.counts,
        usual=ready.usual,
        noise=ready.noise,
        diagnostics=diagnose(
            reported,
            panel.channels,
            int(drawn.divergent.sum()),
            float(drawn.steps.mean()),
            drawn.seconds,
            drawn.compile_seconds,
            free=[name for name in panel.channels if spec.channels[name].organic],
        ),
        provenance=Provenance(
            data=panel.sha256,
            settings={
                "spec": spec.to_dict(),
                "sampling": sampling.model_dump(),
                "lifts": sha256_of([_plain(lift) for lift in lifts]),
                "held_back": [lift.experiment_id for lift in held_back],
            },
            seed=seed,
            versions=versions("numpy", "jax", "jaxlib", "numpyro"),
            parents=tuple(lift.experiment_id for lift in lifts),
        ),
    )


def quantities(
    values: Mapping[str, Floats], coefficient: Floats, log_share: Floats, panel: Panel
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """The parameters that a posterior keeps, and the quantities that are reported, draws on the leading axes."""
    named = {name: array for name, array in values.items() if name not in NOT_KEPT}
    if "drift_step" in values:
        named["log_multiplier"] = values["drift"][..., None] * (values["drift_step"] @ knots_of(panel.dates).T)
    contribution = np.exp(log_share) * panel.outcome.sum()
    iroas = np.exp(log_share) * money_per_share(panel)
    return named | {"coefficient": coefficient}, {"iroas": iroas, "contribution": contribution}


def _plain(lift: Lift) -> dict[str, Any]:
    fields: dict[str, Any] = {name: getattr(lift, name) for name in lift.__dataclass_fields__}
    return {
        name: value.tolist()
        if isinstance(value, np.ndarray)
        else value
        if isinstance(value, int | float)
        else str(value)
        for name, value in fields.items()
    }
