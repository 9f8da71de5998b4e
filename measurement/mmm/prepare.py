"""From a panel, a spec and lift tests to the arrays that the sampler reads, padded to size buckets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from measurement.errors import Problem, refuse
from measurement.lift import Lift
from measurement.mmm.density import FormArrays, ModelData, Tests
from measurement.mmm.design_matrix import Design, Spectrum, decompose, design_of
from measurement.mmm.lifts import Rows, masked_cells, rows_of, spend_change
from measurement.mmm.priors import Layout, forms_of, layout_of, prior_of
from measurement.mmm.scaling import Scales
from measurement.mmm.spec import Spec, check_spec
from measurement.mmm.transforms import adstock_weights, lagged, saturate
from measurement.panel import Panel
from measurement.typing import Floats


@dataclass(frozen=True, eq=False)
class Prepared:
    """A model ready to sample.

    Attributes:
        layout: Its parameters.
        data: Its arrays.
        scales: The scales that were used.
        weight: Row weights of the real cells, shape (geos, periods).
    """

    layout: Layout
    data: ModelData
    scales: Scales
    weight: Floats


def prepare(panel: Panel, spec: Spec, lifts: Sequence[Lift] = (), *, pad: bool = True) -> Prepared:
    """Check and build everything that the density reads.

    Args:
        panel: The data.
        spec: The model.
        lifts: Lift tests for the joint likelihood.
        pad: Whether to pad shapes to buckets, so that a compiled program is found again next month.

    Raises:
        DataError: With every reason why this cannot be fitted.
    """
    refuse(check_spec(spec, panel))
    scales = Scales.of(panel)
    weight = np.ones(panel.shape[:2])
    if spec.mask_tests == "yes" or (spec.mask_tests == "auto" and len(panel.geos) > 1):
        weight = np.where(masked_cells(lifts, panel), 0.0, weight)
    if (weight > 0).sum() < weight.size / 2:
        refuse([Problem("the tests cover more than half of the panel: set mask_tests to 'no'", code="mask")])
    forms = forms_of(spec, panel.channels)
    design = design_of(spec, panel, scales)
    spectrum = decompose(design, weight)
    exposure = lagged(scales.scaled_exposure(panel.exposure), forms.present.shape[1])
    exposure = np.ascontiguousarray(np.moveaxis(exposure, -3, 1))
    tests, groups = tests_of(lifts, panel, spec, scales, forms.present.shape[1], pad=pad)
    layout = layout_of(spec, panel, 0 if tests is None else len(tests.used), groups)
    outcome = scales.scaled_outcome(panel) - design.offset
    rough = _rough_sigma(layout, spec, panel, outcome, exposure, design, weight)
    mean, sd = prior_of(layout, spec, panel, scales, rough)
    data = ModelData(
        outcome=outcome,
        weight=weight,
        count=float((weight > 0).sum()),
        cells=float(weight.size),
        log_weight=float(np.log(weight[weight > 0]).sum()),
        exposure=exposure,
        size=scales.size,
        forms=FormArrays(forms.delayed, forms.peak, forms.present, forms.code),
        prior_mean=mean,
        prior_sd=sd,
        national=design.national,
        local=design.local,
        own=design.cells,
        vectors=spectrum.vectors,
        values=spectrum.values,
        tests=tests,
    )
    return Prepared(layout, _padded(data, design, spectrum) if pad else data, scales, weight)


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
    roi = np.array([np.mean([spec.channels[name].roi.median for name in lift.channels]) for lift in lifts])
    change = np.array([abs(spend_change(lift, panel)) for lift in lifts])
    std_error = np.array([lift.std_error for lift in lifts])
    tests = Tests(
        rows=rows,
        measured=np.array([lift.outcome_change for lift in lifts]) / std_error,
        std_error=std_error,
        relative_sd=np.array([lift.relative_sd for lift in lifts]),
        used=np.ones(len(lifts)),
        spread=np.where([names in shared for names in sets], roi * change / panel.kpi_value, 0.0),
        group=group,
    )
    groups = len(shared)
    if pad:
        tests = _padded_tests(tests, _bucket(len(lifts), 4), 2 ** int(np.ceil(np.log2(max(len(rows.test), 64)))))
        groups = _bucket(groups, 2)
    return tests, groups


def bucket_of_periods(periods: int) -> int:
    """Periods after padding: steps of 16, and of 64 beyond 256."""
    return _bucket(periods, 16 if periods <= 256 else 64)


def _bucket(n: int, step: int) -> int:
    return -(-n // step) * step


def _padded_tests(tests: Tests, count: int, cells: int) -> Tests:
    rows = Rows(*(_grown(array, 0, cells) for array in tests.rows))
    grown = [_grown(array, 0, count) for array in tests[1:]]
    out = Tests(rows, *grown)
    return out._replace(std_error=np.where(out.used > 0, out.std_error, 1.0))


def _padded(data: ModelData, design: Design, spectrum: Spectrum) -> ModelData:
    """Pad periods and design columns; a padded cell has weight 0, a padded column is 0."""
    periods = bucket_of_periods(data.outcome.shape[1])
    national = _bucket(data.national.shape[1], 8)
    own = _bucket(data.own.shape[0], 4)
    first, middle = data.national.shape[1], data.local.shape[1] * len(data.outcome)
    places = np.concatenate(
        [
            np.arange(first),
            national + np.arange(middle),
            national + middle + np.arange(data.own.shape[0]),
        ]
    )
    size = national + middle + own
    vectors, values = np.zeros((size, size)), np.zeros(size)
    vectors[np.ix_(places, places)] = spectrum.vectors
    values[places] = spectrum.values
    return data._replace(
        outcome=_grown(data.outcome, 1, periods),
        weight=_grown(data.weight, 1, periods),
        exposure=_grown(data.exposure, 3, periods),
        national=_grown(_grown(data.national, 0, periods), 1, national),
        local=_grown(data.local, 0, periods),
        own=_grown(_grown(data.own, 2, periods), 0, own),
        vectors=vectors,
        values=values,
    )


def _grown(array: Any, axis: int, size: int) -> Any:
    wide = [(0, 0)] * array.ndim
    wide[axis] = (0, size - array.shape[axis])
    return np.pad(array, wide)


def _rough_sigma(
    layout: Layout, spec: Spec, panel: Panel, outcome: Floats, exposure: Floats, design: Design, weight: Floats
) -> float:
    """Residual standard deviation of a ridge regression with the media at typical carry-over and saturation."""
    own = [spec.channels[name] for name in panel.channels]
    forms = forms_of(spec, panel.channels)
    decay = np.array([channel.decay.median for channel in own])
    delay = np.array([channel.delay.median for channel in own]) * forms.peak
    carried = np.einsum("clgt,cl->cgt", exposure, adstock_weights(decay, delay, forms.delayed, forms.present))
    half = np.array([channel.half_saturation.median for channel in own])[:, None, None]
    columns = saturate(layout.kinds, forms.code[:, None, None], carried, half, np.ones_like(half))
    rows = np.concatenate([design.matrix(), columns.reshape(len(own), -1).T], axis=1) * weight.reshape(-1, 1)
    y = (weight * outcome).ravel()
    ridge = 1e-2 * np.eye(rows.shape[1])
    fitted = rows @ np.linalg.solve(rows.T @ rows + ridge, rows.T @ y)
    left = max(float((weight > 0).sum()) - rows.shape[1], 0.3 * float((weight > 0).sum()))
    return float(max(np.sqrt(((y - fitted) ** 2).sum() / left), 1e-4))
