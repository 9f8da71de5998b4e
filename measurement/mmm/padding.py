"""Padding to size buckets, so that next month's data find this month's compiled program."""

from typing import Any

import numpy as np

from measurement.mmm.density import Collapsed, ModelData, Tests
from measurement.mmm.design_matrix import Design
from measurement.mmm.full_form import Full
from measurement.mmm.lifts import Rows
from measurement.typing import Floats, Ints


def bucket(n: int, step: int) -> int:
    """The next multiple of ``step``."""
    return -(-n // step) * step


def bucket_of_periods(periods: int) -> int:
    """Periods after padding: steps of 16, and of 64 beyond 256."""
    return bucket(periods, 16 if periods <= 256 else 64)


def places_of(design: Design, *, pad: bool) -> tuple[Ints, int]:
    """Where the columns of ``Design.matrix`` stand among the padded ones, and how many these are."""
    first, middle, last = design.national.shape[1], design.local.shape[1] * design.cells.shape[1], len(design.cells)
    national, cells = (bucket(first, 8), bucket(last, 4)) if pad else (first, last)
    blocks = (np.arange(first), national + np.arange(middle), national + middle + np.arange(last))
    return np.concatenate(blocks), national + middle + cells


def padded(data: ModelData, places: Ints, columns: int, periods: int) -> ModelData:
    """Pad periods and design columns; a padded cell does not count, a padded column is 0.

    Args:
        data: The arrays.
        places: Where the design's columns go (`places_of`).
        columns: How many there are then.
        periods: How many periods there are then.
    """
    shape = data.outcome.shape
    spread = np.eye(columns)[places]
    last = bucket(len(data.each), 4)
    first = columns - last - data.local.shape[1] * shape[0]
    return data._replace(
        outcome=_grown(data.outcome, 1, periods),
        own=_grown(data.own, 1, periods),
        lag=_grown(data.lag, 1, periods),
        exposure=_grown(data.exposure.reshape(*data.exposure.shape[:2], *shape), 3, periods).reshape(
            *data.exposure.shape[:2], -1
        ),
        national=_grown(_grown(data.national, 0, periods), 1, first),
        local=_grown(data.local, 0, periods),
        each=_grown(_grown(data.each, 2, periods), 0, last),
        terms=_padded_terms(data.terms, spread, periods),
        basis=None if data.basis is None else _grown(data.basis, 0, periods),
    )


def _padded_terms(terms: Collapsed | Full, spread: Floats, periods: int) -> Collapsed | Full:
    """The same of what is known beforehand; ``spread`` takes the design's columns to the padded ones."""
    vectors, values = spread.T @ terms.vectors @ spread, terms.values @ spread
    if isinstance(terms, Collapsed):
        return terms._replace(
            demand=_grown(_grown(terms.demand, 0, periods), 1, periods), vectors=vectors, values=values
        )
    return terms._replace(
        own=_grown(terms.own, 1, periods),
        lag=_grown(terms.lag, 1, periods),
        vectors=vectors,
        values=values,
        cross=_grown(terms.cross @ spread, 0, periods),
        root=_grown(_grown(terms.root, 0, periods), 1, periods),
        strength=_grown(terms.strength, 0, periods),
        kpi=_grown(terms.kpi, 1, periods),
    )


def padded_tests(tests: Tests, count: int, cells: int) -> Tests:
    """A padded row belongs to no test; a padded test is not used."""
    rows = Rows(_grown(tests.rows.exposure, 1, cells), *(_grown(array, 0, cells) for array in tests.rows[1:]))
    channels = _grown(tests.channels, 0, cells)
    channels[len(tests.channels) :, 0] = 1.0  # a half-saturation of 0 would have no logarithm
    members = _grown(_grown(tests.members, 0, count), 1, cells)
    grown = [_grown(array, 0, count) for array in tests[3:-2]]
    out = Tests(rows, channels, members, *grown)
    out = out._replace(std_error=np.where(out.used > 0, out.std_error, 1.0))
    if tests.correlation is None:
        return out
    square = [_grown(_grown(array, 0, count), 1, count) for array in (tests.correlation, tests.joint)]
    return out._replace(correlation=square[0] + np.diag(1.0 - out.used), joint=square[1])


def _grown(array: Any, axis: int, size: int) -> Any:
    wide = [(0, 0)] * array.ndim
    wide[axis] = (0, size - array.shape[axis])
    return np.pad(array, wide)
