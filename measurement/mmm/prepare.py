"""From a panel, a spec and lift tests to the arrays that the sampler reads, padded to size buckets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from measurement.errors import Problem, refuse
from measurement.lift import Lift
from measurement.mmm.calendar import check_holidays
from measurement.mmm.density import Collapsed, ModelData, Tests
from measurement.mmm.design_matrix import decompose, design_of
from measurement.mmm.effect_size import about_of, typical_roi, typical_share
from measurement.mmm.lifts import Rows, masked_cells, rows_of, spend_change
from measurement.mmm.noise import Noise, estimate_noise, precision_of
from measurement.mmm.priors import Layout, forms_of, layout_of, prior_of
from measurement.mmm.scaling import Scales
from measurement.mmm.spec import Spec, check_spec
from measurement.mmm.transforms import Forms, lagged, respond
from measurement.mmm.variation import basis_of
from measurement.panel import Panel
from measurement.typing import Floats


@dataclass(frozen=True, eq=False)
class Prepared:
    """A model ready to sample.

    Attributes:
        layout: Its parameters.
        data: Its arrays.
        scales: The scales that were used.
        counts: 1 for the cells of the series likelihood, 0 for those left out, shape (geos, periods).
        noise: What was fixed about the residual beforehand.
        groups: How many groups of tests share a between-test spread, padding not counted.
    """

    layout: Layout
    data: ModelData
    scales: Scales
    counts: Floats
    noise: Noise
    groups: int


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
    if spec.mask_tests == "yes" or (spec.mask_tests == "auto" and len(panel.geos) > 1):
        counts = np.where(masked_cells((*lifts, *held_back), panel), 0.0, counts)
    if counts.mean() < 0.5:
        refuse([Problem("the tests cover more than half of the panel: set mask_tests to 'no'", code="mask")])
    forms = forms_of(spec, panel.channels)
    lags = forms.present.shape[1]
    exposure = np.ascontiguousarray(lagged(scales.scaled_exposure(panel.exposure), lags))
    tests, groups = tests_of(lifts, panel, spec, scales, lags, pad=pad)
    layout = layout_of(spec, panel, 0 if tests is None else len(tests.used), _bucket(groups, 2) if pad else groups)
    plain = design_of(spec, panel, scales)
    outcome = scales.scaled_outcome(panel) - plain.offset
    typical = _typical_media(layout, spec, panel, scales, exposure, forms)
    noise = estimate_noise(outcome, plain.national, plain.local, plain.cells, typical)
    precision = precision_of(noise, counts)
    design = design_of(spec, panel, scales, noise)
    spectrum = decompose(design, precision)
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
        terms=Collapsed(precision.demand, precision.log_root, spectrum.vectors, spectrum.values),
        basis=basis_of(panel.dates) if layout.varying else None,
        tests=tests,
    )
    return Prepared(layout, _padded(data, room) if pad else data, scales, counts, noise, groups)


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
    if pad:
        tests = _padded_tests(tests, _bucket(len(lifts), 4), _bucket(len(rows.test), 64))
    return tests, len(shared)


def bucket_of_periods(periods: int) -> int:
    """Periods after padding: steps of 16, and of 64 beyond 256."""
    return _bucket(periods, 16 if periods <= 256 else 64)


def _bucket(n: int, step: int) -> int:
    return -(-n // step) * step


def _padded_tests(tests: Tests, count: int, cells: int) -> Tests:
    """A padded row belongs to no test; a padded test is not used."""
    rows = Rows(_grown(tests.rows.exposure, 1, cells), *(_grown(array, 0, cells) for array in tests.rows[1:]))
    channels = _grown(tests.channels, 0, cells)
    channels[len(tests.channels) :, 0] = 1.0  # a half-saturation of 0 would have no logarithm
    members = _grown(_grown(tests.members, 0, count), 1, cells)
    grown = [_grown(array, 0, count) for array in tests[3:]]
    out = Tests(rows, channels, members, *grown)
    return out._replace(std_error=np.where(out.used > 0, out.std_error, 1.0))


def _padded(data: ModelData, room: int) -> ModelData:
    """Pad periods and design columns; a padded cell does not count, a padded column is 0."""
    shape = data.outcome.shape
    periods = bucket_of_periods(max(shape[1], room))
    first, each = data.national.shape[1], data.each.shape[0]
    middle = data.local.shape[1] * len(data.outcome)
    national, cells = _bucket(first, 8), _bucket(each, 4)
    places = np.concatenate([np.arange(first), national + np.arange(middle), national + middle + np.arange(each)])
    size = national + middle + cells
    terms = data.terms
    spread = np.eye(size)[places]
    return data._replace(
        outcome=_grown(data.outcome, 1, periods),
        own=_grown(data.own, 1, periods),
        lag=_grown(data.lag, 1, periods),
        exposure=_grown(data.exposure.reshape(*data.exposure.shape[:2], *shape), 3, periods).reshape(
            *data.exposure.shape[:2], -1
        ),
        national=_grown(_grown(data.national, 0, periods), 1, national),
        local=_grown(data.local, 0, periods),
        each=_grown(_grown(data.each, 2, periods), 0, cells),
        terms=terms._replace(
            demand=_grown(_grown(terms.demand, 0, periods), 1, periods),
            vectors=spread.T @ terms.vectors @ spread,
            values=terms.values @ spread,
        ),
        basis=None if data.basis is None else _grown(data.basis, 0, periods),
    )


def _grown(array: Any, axis: int, size: int) -> Any:
    wide = [(0, 0)] * array.ndim
    wide[axis] = (0, size - array.shape[axis])
    return np.pad(array, wide)


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
