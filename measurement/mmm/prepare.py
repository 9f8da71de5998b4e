"""From a panel, a spec and lift tests to the arrays that the sampler reads, padded to size buckets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from measurement.errors import Problem, refuse
from measurement.lift import Lift
from measurement.mmm.calendar import check_holidays
from measurement.mmm.density import Collapsed, ModelData, Tests
from measurement.mmm.design_matrix import Design, decompose, design_of
from measurement.mmm.effect_size import about_of, typical_roi, typical_share
from measurement.mmm.full_form import Full
from measurement.mmm.full_parts import full_of, tamed
from measurement.mmm.lifts import joint_errors, masked_cells, rows_of, spend_change
from measurement.mmm.likelihood_choice import Likelihood
from measurement.mmm.noise import Noise, Precision, estimate_noise, precision_of
from measurement.mmm.padding import bucket, bucket_of_periods, padded, padded_tests, places_of
from measurement.mmm.priors import Layout, forms_of, layout_of, prior_of
from measurement.mmm.scaling import Scales
from measurement.mmm.spec import Spec, check_spec
from measurement.mmm.transforms import Forms, lagged, respond
from measurement.mmm.variation import basis_of
from measurement.panel import Panel
from measurement.typing import Floats, Ints


@dataclass(frozen=True, eq=False)
class Prepared:
    """A model ready to sample.

    Attributes:
        layout: Its parameters.
        data: Its arrays.
        scales: The scales that were used.
        counts: 1 for the cells of the series likelihood, 0 for those left out, shape (geos, periods).
        usual: 0 for the cells whose spend a test set, which follows no demand, same shape.
        noise: What was fixed about the residual beforehand.
        groups: How many groups of tests share a between-test spread, padding not counted.
        places: Where the columns of ``Design.matrix`` stand among the padded ones.
    """

    layout: Layout
    data: ModelData
    scales: Scales
    counts: Floats
    usual: Floats
    noise: Noise
    groups: int
    places: Ints


def prepare(
    panel: Panel,
    spec: Spec,
    lifts: Sequence[Lift] = (),
    held_back: Sequence[Lift] = (),
    *,
    pad: bool = True,
    room: int = 0,
) -> Prepared:
    """Check and build everything that the density reads.

    Args:
        panel: The data.
        spec: The model.
        lifts: Lift tests for the joint likelihood.
        held_back: Lift tests whose cells are left out and whose results are not used.
        pad: Whether to pad shapes to buckets, so that a compiled program is found again next month.
        room: Periods to make room for at least, so that fits of shorter panels share one compiled program.

    Raises:
        DataError: With every reason why this cannot be fitted.
    """
    refuse([*check_spec(spec, panel), *check_holidays(spec.holidays, panel.geos)])
    scales = Scales.of(panel)
    counts = np.ones(panel.shape[:2])
    usual = np.where(masked_cells((*lifts, *held_back), panel), 0.0, counts)
    if spec.mask_tests == "yes" or (spec.mask_tests == "auto" and len(panel.geos) > 1):
        counts = usual
    if counts.mean() < 0.5:
        refuse([Problem("the tests cover more than half of the panel: set mask_tests to 'no'", code="mask")])
    forms = forms_of(spec, panel.channels)
    lags = forms.present.shape[1]
    exposure = np.ascontiguousarray(lagged(scales.scaled_exposure(panel.exposure), lags))
    tests, groups = tests_of(lifts, panel, spec, scales, lags, pad=pad)
    layout = layout_of(spec, panel, 0 if tests is None else len(tests.used), bucket(groups, 2) if pad else groups)
    plain = design_of(spec, panel, scales)
    outcome = scales.scaled_outcome(panel) - plain.offset
    typical = _typical_media(layout, spec, panel, scales, exposure, forms)
    noise = _noise_of(spec.likelihood, outcome, plain, typical)
    precision = precision_of(noise, counts)
    design = design_of(spec, panel, scales, noise, usual)
    places, columns = places_of(design, pad=pad)
    periods = bucket_of_periods(max(panel.shape[1], room)) if pad else panel.shape[1]
    if spec.likelihood != "normal":
        layout = replace(layout, columns=columns, periods=periods)
    mean, sd = prior_of(layout, spec, panel, scales, noise.sigma)
    data = ModelData(
        outcome=outcome,
        own=precision.own,
        lag=precision.lag,
        count=float(counts.sum()),
        cells=float(counts.size),
        exposure=exposure.reshape(*exposure.shape[:2], -1),
        size=scales.size,
        forms=forms,
        about=about_of(spec, panel.channels),
        prior_mean=mean,
        prior_sd=sd,
        national=design.national,
        local=design.local,
        each=design.cells,
        terms=_terms_of(spec.likelihood, panel, scales, noise, precision, counts, design, typical),
        basis=basis_of(panel.dates) if layout.varying else None,
        tests=tests,
    )
    if pad:
        data = padded(data, places, columns, periods)
    return Prepared(layout, data, scales, counts, usual, noise, groups, places)


def tests_of(
    lifts: Sequence[Lift], panel: Panel, spec: Spec, scales: Scales, lags: int, *, pad: bool
) -> tuple[Tests | None, int]:
    """The lift tests as arrays, and how many groups of them share a between-test spread."""
    if not lifts:
        return None, 0
    rows = rows_of(lifts, panel, scales, lags)
    sets = [tuple(sorted(lift.channels)) for lift in lifts]
    shared = sorted({names for names in sets if sets.count(names) > 1})
    group = np.array([shared.index(names) if names in shared else 0 for names in sets], dtype=np.int64)
    typical = dict(zip(panel.channels, typical_roi(spec, panel), strict=True))
    roi = np.array([np.mean([typical[name] for name in lift.channels]) for lift in lifts])
    change = np.array([abs(spend_change(lift, panel)) for lift in lifts])
    std_error = np.array([lift.std_error for lift in lifts])
    tests = Tests(
        rows=rows,
        channels=np.eye(len(panel.channels))[rows.channel],
        members=(np.arange(len(lifts))[:, None] == rows.test).astype(np.float64),
        measured=np.array([lift.outcome_change for lift in lifts]) / std_error,
        std_error=std_error,
        relative_sd=np.array([lift.relative_sd for lift in lifts]),
        used=np.ones(len(lifts)),
        spread=np.where([names in shared for names in sets], roi * change / panel.kpi_value, 0.0),
        group=group,
    )
    hanging = joint_errors(lifts)
    if hanging is not None:
        tests = tests._replace(correlation=hanging[0], joint=hanging[1])
    if pad:
        tests = padded_tests(tests, bucket(len(lifts), 4), bucket(len(rows.test), 64))
    return tests, len(shared)


def _terms_of(
    likelihood: Likelihood,
    panel: Panel,
    scales: Scales,
    noise: Noise,
    precision: Precision,
    counts: Floats,
    design: Design,
    media: Floats,
) -> Collapsed | Full:
    """What is known beforehand of the linear terms and the demand."""
    if likelihood != "normal":
        return full_of(likelihood, panel, scales, noise, counts, design, media)
    spectrum = decompose(design, precision)
    return Collapsed(precision.demand, precision.log_root, spectrum.vectors, spectrum.values)


def _noise_of(likelihood: Likelihood, outcome: Floats, design: Design, media: Floats) -> Noise:
    """The residual's fixed parts, as far as the likelihood has them.

    Args:
        likelihood: The likelihood.
        outcome: Scaled KPI less the offset, shape (geos, periods).
        design: The linear terms before confounding.
        media: Effects at the priors' medians, shape (channels, geos, periods).
    """
    if likelihood == "student_t":
        outcome = tamed(outcome, np.concatenate([design.columns(), media]))
    noise = estimate_noise(outcome, design.national, design.local, design.cells, media)
    if likelihood == "negative_binomial":  # counts are independent given their mean, which says how much they vary
        return replace(noise, local_persistence=0.0, relative=np.ones(len(outcome)))
    return noise


def _typical_media(layout: Layout, spec: Spec, panel: Panel, scales: Scales, exposure: Floats, forms: Forms) -> Floats:
    """Effects at the priors' medians on the model's scale, shape (channels, geos, periods)."""
    own = [spec.channels[name] for name in panel.channels]
    values = {
        "decay": np.array([channel.decay.median for channel in own]),
        "delay": np.array([channel.delay.median for channel in own]),
        "weibull_shape": np.array([channel.weibull_shape.median for channel in own]),
        "weibull_scale": np.array([channel.weibull_scale.median for channel in own]),
        "half_saturation": np.array([channel.half_saturation.median for channel in own]),
        "slope": np.ones(len(own)),
    }
    saturated = respond(layout.kinds, forms, values, exposure)
    share = typical_share(spec, panel)
    now = np.einsum("g,cgt->c", scales.size, saturated) / panel.outcome.size
    return np.asarray(saturated * (share / now)[:, None, None])
