"""The linear terms: intercepts, trend, seasonality, holidays, controls and confounding, as one prior-scaled design.

Every column is multiplied by its prior standard deviation, so that all coefficients are standard normal a priori. The
design comes in three blocks, so that a gradient never multiplies by a dense (cells × columns) matrix:

- ``national`` columns are functions of time that all geos share, shape (periods, columns);
- ``local`` columns are functions of time with a coefficient for each geo, shape (periods, columns);
- ``cells`` columns differ by geo and period, shape (columns, geos, periods).
"""

from dataclasses import dataclass

import numpy as np

from measurement.mmm.calendar import holiday_columns
from measurement.mmm.carry_in import carry_in_columns, local_carry_in_columns
from measurement.mmm.noise import Noise, Precision
from measurement.mmm.scaling import Scales
from measurement.mmm.spec import Spec
from measurement.panel import Panel, Period
from measurement.typing import Bools, Dates, Floats

# Prior standard deviations, in means of the KPI.
INTERCEPT, TREND, BEND, FOURIER, CONTROL = 1.0, 0.5, 0.2, 0.15, 0.15
LOCAL_INTERCEPT, LOCAL_TREND, LOCAL_FOURIER = 0.5, 0.1, 0.05
# Prior standard deviation of the confounding coefficient, per standard deviation of spend, as a share of what the KPI
# moves beyond trend, season, holidays and controls (`noise.Noise.swing`).
CONFOUNDING = {"no": 0.0, "some": 0.4, "strong": 1.0}
LOCAL_CONFOUNDING = 0.3
LOG_FLOOR = 0.05  # added to spend in means, so that weeks without spend have a logarithm

Label = tuple[str, str]
Column = tuple[Floats, Label]


@dataclass(frozen=True, eq=False)
class Design:
    """The linear terms of a model.

    Attributes:
        national: Columns shared by all geos, prior-scaled, shape (periods, columns).
        local: Columns with a coefficient per geo, shape (periods, columns).
        cells: Columns of their own in every cell, shape (columns, geos, periods).
        national_labels: (term, name) of each national column.
        local_labels: (term, name) of each local column.
        cells_labels: (term, name) of each cell column.
        offset: Fixed part of the baseline, in means of the KPI: the intercept's prior mean.
    """

    national: Floats
    local: Floats
    cells: Floats
    national_labels: tuple[Label, ...]
    local_labels: tuple[Label, ...]
    cells_labels: tuple[Label, ...]
    offset: float = 0.8

    def matrix(self) -> Floats:
        """The whole design, shape (geos × periods, columns): for the one decomposition, and for tests."""
        _, geos, periods = self.cells.shape
        local = np.einsum("gh,tk->gthk", np.eye(geos), self.local).reshape(geos * periods, -1 if self.local.size else 0)
        own = self.cells.reshape(len(self.cells), geos * periods).T
        return np.concatenate([np.tile(self.national, (geos, 1)), local, own], axis=1)

    def columns(self) -> Floats:
        """The columns of `matrix` over the panel, shape (columns, geos, periods)."""
        return self.matrix().T.reshape(-1, *self.cells.shape[1:])

    def labels(self) -> list[Label]:
        """(term, name) of every column of `matrix`."""
        geos = self.cells.shape[1]
        return [*self.national_labels, *(list(self.local_labels) * geos), *self.cells_labels]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Eigen-decomposition of the weighted design's Gram matrix: its singular values squared and right vectors."""

    vectors: Floats
    values: Floats


def design_of(
    spec: Spec, panel: Panel, scales: Scales, noise: Noise | None = None, usual: Floats | None = None
) -> Design:
    """The linear terms of a spec for a panel.

    Args:
        spec: The model.
        panel: The data.
        scales: Scales of the fit.
        noise: What was fixed about the residual beforehand; without it, the terms before confounding.
        usual: 0 for the cells whose spend a test set, shape (geos, periods); none where not given.
    """
    geos, periods, _ = panel.shape
    national: list[Column] = [(np.full(periods, INTERCEPT), ("baseline", "intercept"))]
    national += trend_columns(spec, periods, np.linspace(-1.0, 1.0, periods))
    national += fourier_columns(spec, panel.dates, panel.period, FOURIER)
    days = holiday_columns(spec.holidays, panel.geos, panel.dates, panel.period)
    national += [(column, label) for column, label in days if column.ndim == 1]
    national += [
        (column, ("baseline", f"carry-in {k + 1}")) for k, column in enumerate(carry_in_columns(spec, panel).T)
    ]
    local: list[Column] = []
    if geos > 1:
        local.append((np.full(periods, LOCAL_INTERCEPT), ("baseline", "geo intercept")))
        if spec.trend != "none":
            local.append((LOCAL_TREND * np.linspace(-1.0, 1.0, periods), ("baseline", "geo trend")))
        local += fourier_columns(spec, panel.dates, panel.period, LOCAL_FOURIER)
        carried = local_carry_in_columns(spec, panel, scales)
        local += [(column, ("baseline", f"carry-in {k + 1}")) for k, column in enumerate(carried.T)]
    cells = [(column, label) for column, label in days if column.ndim == 2]
    cells += control_columns(spec, panel, scales, panel.controls)
    if noise is not None:
        free = np.ones((geos, periods), dtype=np.bool_) if usual is None else usual > 0
        shared, own = _confounding(spec, panel, scales, noise, free)
        national += shared
        cells += own
    return Design(
        national=np.stack([column for column, _ in national], axis=1),
        local=np.stack([column for column, _ in local], axis=1) if local else np.zeros((periods, 0)),
        cells=np.stack([column for column, _ in cells]) if cells else np.zeros((0, geos, periods)),
        national_labels=tuple(label for _, label in national),
        local_labels=tuple(label for _, label in local),
        cells_labels=tuple(label for _, label in cells),
    )


def decompose(design: Design, precision: Precision) -> Spectrum:
    """Decompose the design once; every draw of the sampler and of the linear terms uses the result.

    Args:
        design: The linear terms.
        precision: The residual's inverse covariance.
    """
    columns = design.matrix().T
    weighted = precision.times(columns.reshape(-1, *precision.own.shape)).reshape(columns.shape)
    values, vectors = np.linalg.eigh(columns @ weighted.T)
    return Spectrum(vectors, np.maximum(values, 0.0))


def trend_columns(spec: Spec, periods: int, time: Floats) -> list[Column]:
    """Trend and bends at some times, on the clock of a panel of ``periods``: from -1 at its first to 1 at its last."""
    if spec.trend == "none":
        return []
    own = np.linspace(-1.0, 1.0, periods)
    columns: list[Column] = [(TREND * time, ("baseline", "trend"))]
    if spec.trend == "piecewise":
        for at in range(spec.changepoint_every, periods - spec.changepoint_every // 2, spec.changepoint_every):
            bend = np.maximum(time - own[at], 0.0)
            columns.append((BEND * bend / (spec.changepoint_every * (own[1] - own[0])), ("baseline", "bend")))
    return columns


def fourier_columns(spec: Spec, dates: Dates, period: Period, sd: float) -> list[Column]:
    """Yearly sines and cosines; a prior that shrinks with the order keeps the season smooth."""
    days = dates.astype("datetime64[D]").astype(np.float64)
    angle = 2 * np.pi * (days + _middle(period)) / 365.25
    columns: list[Column] = []
    for k in range(1, spec.fourier_order + 1):
        columns.append((sd / k**0.5 * np.sin(k * angle), ("seasonality", f"sin {k}")))
        columns.append((sd / k**0.5 * np.cos(k * angle), ("seasonality", f"cos {k}")))
    return columns


def control_columns(spec: Spec, panel: Panel, scales: Scales, values: Floats) -> list[Column]:
    """Controls about their mean; those that are treatments about their baseline, with a prior of their own.

    Args:
        spec: The model.
        panel: The data, which set the baselines.
        scales: Scales of the fit.
        values: The controls' values, the panel's or later ones, shape (geos, periods, controls).
    """
    columns: list[Column] = []
    for j, name in enumerate(panel.control_names):
        lever, now = spec.treatments.get(name), values[..., j]
        if lever is None:
            columns.append((CONTROL * (now - scales.control_mean[j]) / scales.control_sd[j], ("controls", name)))
        else:
            baseline = lever.level(panel.controls[..., j])
            columns.append((lever.effect * (now - baseline) / scales.control_sd[j], ("treatments", name)))
    return columns


def _confounding(
    spec: Spec, panel: Panel, scales: Scales, noise: Noise, free: Bools
) -> tuple[list[Column], list[Column]]:
    """The confounding term: the channel's own spend, nationally and (less suspect) as local deviations.

    The shape is the logarithm of spend per head, less its mean in each geo. Demand moves budgets and sales by
    percentages, so what it adds to both is linear in log spend; against raw spend, a saturating effect would fit the
    confounded part better than this term does, and take it. What a test spent follows no demand: its cells,
    whether the likelihood leaves them out or not, stand at their geo's mean, and no mean or standard deviation is taken
    over them.
    """
    shared: list[Column] = []
    own: list[Column] = []
    weight = scales.size[:, None] * free
    share = weight / np.maximum(weight.sum(0), np.finfo(np.float64).tiny)
    for c, name in enumerate(panel.channels):
        scale = CONFOUNDING[spec.channels[name].demand_driven]
        if scale == 0.0:
            continue
        seen = panel.spend if panel.spend[..., c].any() else panel.exposure
        spend = seen[..., c] / scales.size[:, None]
        usual = spend[(spend > 0) & free]
        if not usual.size:
            continue
        shape = _about_mean(np.log(spend / usual.mean() + LOG_FLOOR), free)
        country = (share * shape).sum(0)
        national = _about_mean(country, free.any(0))
        if national.std() > 1e-9:
            shared.append((scale * noise.swing * _standard(national, free.any(0)), ("confounding", name)))
        deviation = np.where(free, shape - country, 0.0)
        if len(panel.geos) > 1 and deviation.std() > 1e-9:
            own.append(
                (LOCAL_CONFOUNDING * scale * noise.local_swing * _standard(deviation, free), ("confounding", name))
            )
    return shared, own


def _about_mean(x: Floats, free: Bools) -> Floats:
    """Less the mean over the last axis of what is free, and 0 where nothing does."""
    number = np.maximum(free.sum(-1, keepdims=True), 1)
    mean = np.where(free, x, 0.0).sum(-1, keepdims=True) / number
    return np.where(free, x - mean, 0.0)


def _standard(x: Floats, free: Bools) -> Floats:
    """Of standard deviation 1 over what is free, about which ``x`` has mean 0."""
    return np.asarray(x / x[free].std(), dtype=np.float64)


def _middle(period: Period) -> float:
    return {"day": 0.5, "week": 3.5, "month": 15.0}[period]
