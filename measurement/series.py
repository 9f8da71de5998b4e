"""Statistics of time series that the data checks share. Shapes are (geos, periods, series) or (periods, series)."""

import numpy as np

from measurement.typing import Bools, Dates, Floats

YEAR = 365.25
_MAD_TO_SD = 1.4826


def within_geo(values: Floats) -> Floats:
    """Values of shape (geos, periods, series) over their geo's mean, less 1, stacked to (geos * periods, series).

    What is left is the variation over time that a model learns from; a geo with mean 0 has none.
    """
    geos, periods, columns = values.shape
    mean = values.mean(axis=1, keepdims=True)
    relative = np.divide(values, mean, out=np.ones_like(values), where=mean != 0) - 1.0
    return np.asarray(relative.reshape(geos * periods, columns))


def seasonless(values: Floats, dates: Dates) -> Floats:
    """Residuals of (periods, series) after a quadratic trend, yearly waves where there is a year, and weekdays.

    The yearly waves are two harmonics, fitted where the series spans 13 months; weekdays where the dates are days.
    """
    day = (dates - dates[0]).astype("timedelta64[D]").astype(np.float64)
    t = day / max(float(day[-1]), 1.0)
    columns = [np.ones_like(t), t, t**2]
    if day[-1] >= 1.08 * YEAR:
        angles = [2 * np.pi * k * day / YEAR for k in (1, 2)]
        columns += [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
    if day.size > 21 and day[1] == 1:
        columns += [(day % 7 == k).astype(np.float64) for k in range(6)]
    design = np.stack(columns, axis=1)
    return np.asarray(values - design @ np.linalg.lstsq(design, values, rcond=None)[0])


def robust_z(values: Floats) -> Floats:
    """Distance from the median in robust standard deviations (median absolute deviation), along the last axis."""
    distance = values - np.median(values, axis=-1, keepdims=True)
    scale = _MAD_TO_SD * np.median(np.abs(distance), axis=-1, keepdims=True)
    return np.divide(distance, scale, out=np.zeros_like(distance), where=scale > 0)


def beyond_fences(values: Floats, times: float = 3.0) -> Bools:
    """Whether each value lies more than ``times`` interquartile ranges outside the quartiles, along the last axis."""
    low, high = np.quantile(values, [0.25, 0.75], axis=-1, keepdims=True)
    spread = times * (high - low)
    return np.asarray((values < low - spread) | (values > high + spread))


def neighbours(values: Floats, window: int) -> Floats:
    """Median of the values around each one, itself left out, along the last axis; the ends are reflected.

    Args:
        values: At least ``window`` of them along the last axis.
        window: An odd number of values, the middle one included.
    """
    half = window // 2
    padded = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(half, half)], mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, window, axis=-1)
    return np.asarray(np.median(np.delete(windows, half, axis=-1), axis=-1))


def correlations(values: Floats) -> Floats:
    """Correlation matrix of the columns of (rows, series); 0 with a column that does not vary."""
    if values.size == 0:
        return np.zeros((values.shape[1], values.shape[1]))
    centred = values - values.mean(axis=0)
    norm = np.sqrt((centred**2).sum(axis=0))
    unit = np.divide(centred, norm, out=np.zeros_like(centred), where=norm > 0)
    return np.asarray(unit.T @ unit)


def variance_inflation(values: Floats) -> Floats:
    """Variance inflation factor of each column of (rows, series): diagonal of the inverse correlation matrix."""
    matrix = correlations(values)
    np.fill_diagonal(matrix, 1.0)
    return np.asarray(np.diag(np.linalg.pinv(matrix, hermitian=True))) if len(matrix) else np.zeros(0)


def lagged_correlation(x: Floats, y: Floats, lag: int) -> float:
    """Correlation of ``x[t]`` with ``y[t + lag]``, both of shape (periods,)."""
    first, second = (x[: x.size - lag], y[lag:]) if lag >= 0 else (x[-lag:], y[: y.size + lag])
    return float(correlations(np.stack([first, second], axis=1))[0, 1])


def effective_size(x: Floats, y: Floats) -> float:
    """Number of independent pairs that two autocorrelated series are worth (Bartlett, first order)."""
    product = lagged_correlation(x, x, 1) * lagged_correlation(y, y, 1)
    return x.size * (1 - product) / (1 + product)
