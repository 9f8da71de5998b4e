"""Lift tests inside the model: which cells to simulate, and the full counterfactual that they must equal.

A test is simulated from its own cells only: the treated geos, the tested channels and the read-out window, each cell
with the exposures of its carry-over, once as they were and once as they would have been. `delta` of these rows equals
the difference of two full model runs (`naive_exposure` gives the second run's input); a test holds that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from measurement.errors import DataError, Problem, shown
from measurement.lift import Lift
from measurement.mmm.scaling import Scales
from measurement.mmm.spec import PERIODS_PER_YEAR
from measurement.mmm.transforms import Forms, Kinds, adstock_weights, in_order, saturate
from measurement.panel import Panel
from measurement.typing import Bools, Floats, Ints

CORRELATIONS_AGREE = 0.01
"""How far two cells may be apart in what they say of their correlation."""


class Rows(NamedTuple):
    """The cells of all tests, one row per (test, geo, period, channel).

    Attributes:
        exposure: Scaled exposures at the lags, as they were and under business as usual, shape (2, rows, lags).
        channel: Channel of the row, shape (rows,).
        geo: Geo of the row; ``geos`` (one past the last) stands for a market outside the panel.
        test: Test of the row.
        unit: KPI units of one scaled unit in the row's market, shape (rows,).
        period: Period of the panel whose effect the row has.
    """

    exposure: Any
    channel: Any
    geo: Any
    test: Any
    unit: Any
    period: Any


@dataclass(frozen=True, eq=False)
class Window:
    """Where a test stands in a panel.

    Attributes:
        geos: Positions of the treated geos.
        channels: Positions of the tested channels.
        spend: Periods of the changed spend.
        read_out: Periods of the read-out, cool-down included.
    """

    geos: Ints
    channels: Ints
    spend: slice
    read_out: slice


def window_of(lift: Lift, panel: Panel) -> Window:
    """Place a test that is part of the panel.

    Raises:
        DataError: Where geos, channels, dates or the counterfactual's shape do not fit.
    """
    found = Window(
        geos=panel.geo_index(lift.geos),
        channels=panel.channel_index(lift.channels),
        spend=panel.window(lift.start, lift.end),
        read_out=panel.window(lift.start, lift.cooldown_end),
    )
    _refuse_shape(lift, (len(found.geos), found.spend.stop - found.spend.start, len(found.channels)))
    return found


def counterfactual_exposure(lift: Lift, panel: Panel, scales: Scales) -> Floats:
    """The whole panel's exposure as it would have been without the test, shape (geos, periods, channels).

    Exposure follows money: it is the actual exposure times counterfactual over actual spend, or, where nothing was
    spent, what the money would have bought at the channel's mean cost.
    """
    place = window_of(lift, panel)
    cells = np.ix_(place.geos, np.arange(place.spend.start, place.spend.stop), place.channels)
    exposure, spend = panel.exposure[cells], panel.spend[cells]
    bought = (spend > 0) & (exposure > 0)
    ratio = lift.counterfactual_spend / np.where(bought, spend, 1.0)
    out = panel.exposure.copy()
    out[cells] = np.where(
        bought, exposure * ratio, lift.counterfactual_spend * scales.exposure_per_money[place.channels]
    )
    return out


def tested_exposure(lift: Lift, panel: Panel, usual: Floats) -> Floats:
    """The whole panel's exposure with the test, per head of the part that was tested, shape (geos, periods, channels).

    A part of a geo is a small geo of its own: it has the geo's usual exposure per head, and all of the change.

    Args:
        lift: The test.
        panel: The data.
        usual: Exposure without the test (`counterfactual_exposure`).
    """
    return panel.exposure if lift.part == 1.0 else np.maximum(usual + (panel.exposure - usual) / lift.part, 0.0)


def rows_of(lifts: Sequence[Lift], panel: Panel, scales: Scales, lags: int) -> Rows:
    """The cells of every test, in the order of ``lifts``.

    Raises:
        DataError: Where a test cannot be placed.
    """
    parts = [
        _outside(e, lift, panel, scales, lags) if lift.off_panel else _inside(e, lift, panel, scales, lags)
        for e, lift in enumerate(lifts)
    ]
    first = np.concatenate([part.exposure for part in parts], axis=1)
    return Rows(first, *(np.concatenate([part[i] for part in parts]) for i in range(1, len(Rows._fields))))


def delta(kinds: Kinds, forms: Forms, values: Any, coefficient: Any, rows: Rows) -> Any:
    """Effect under actual minus counterfactual exposure, per row, in KPI units; a varying effect's multiplier aside.

    Args:
        kinds: The forms that occur.
        forms: The channels' forms.
        values: Named parameters (`priors.unpack`), of one draw or with draws as the leading axis.
        coefficient: Coefficients, shape (..., channels, geos + 1); the last column is the market outside.
        rows: The cells.

    Returns:
        Shape (..., rows).
    """
    at = rows.channel
    weights = adstock_weights(kinds, forms, values)[..., at, :]
    half, slope = values["half_saturation"][..., at], values["slope"][..., at]
    return coefficient[..., at, rows.geo] * row_change(kinds, forms, weights, half, slope, rows)


def row_change(kinds: Kinds, forms: Forms, weights: Any, half: Any, slope: Any, rows: Rows) -> Any:
    """Response to the exposure as it was minus as it would have been, times the market's unit, per row.

    Args:
        kinds: The forms that occur.
        forms: The channels' forms.
        weights: Carry-over weights of the row's channel, shape (..., rows, lags).
        half: Half-saturation, shape (..., rows).
        slope: Slope, same shape.
        rows: The cells.
    """
    xp, code, table = weights.__array_namespace__(), forms.code[rows.channel], kinds.saturations
    half, slope = half[..., None, :], slope[..., None, :]

    def carried() -> Any:
        series = xp.einsum("kml,...ml->...km", rows.exposure, weights)
        return saturate(table, code, series, half, slope)

    def saturated() -> Any:
        now = saturate(table, code[:, None], rows.exposure, half[..., None], slope[..., None])
        return xp.einsum("...kml,...ml->...km", now, weights)

    response = in_order(kinds, forms.first[rows.channel], carried, saturated)
    return rows.unit * (response[..., 0, :] - response[..., 1, :])


def masked_cells(lifts: Sequence[Lift], panel: Panel) -> Bools:
    """Cells of treated geos within a read-out, shape (geos, periods)."""
    cells = np.zeros(panel.shape[:2], dtype=bool)
    for lift in lifts:
        if not lift.off_panel:
            place = window_of(lift, panel)
            cells[place.geos, place.read_out] = True
    return cells


def joint_errors(lifts: Sequence[Lift]) -> tuple[Floats, Floats] | None:
    """How the tests' errors hang together: the cells of one test share their control geos.

    Returns:
        Their correlation, and 1 where a test (column) belongs to a joint one (row) or stands alone, each of shape
        (tests, tests), rows that are not needed at the end; ``None`` where no test states a correlation with another.

    Raises:
        DataError: Where two cells state different correlations, or all of them cannot be true together.
    """
    position = {lift.experiment_id: e for e, lift in enumerate(lifts)}
    out, problems = np.eye(len(lifts)), []
    for e, lift in enumerate(lifts):
        for name, value in lift.correlations:
            other = position.get(name)
            if other is None:  # that cell is no evidence: its error does not matter
                continue
            before = out[e, other]
            if lifts[other].cell_of != lift.cell_of:
                problems.append(_unfit(lift, f"is correlated with '{shown(name)}', which is no cell of the same test"))
            elif before != 0 and abs(before - value) > CORRELATIONS_AGREE:
                problems.append(_unfit(lift, f"and '{shown(name)}' state different correlations with each other"))
            out[e, other] = out[other, e] = value
    if lifts and not problems and np.linalg.eigvalsh(out).min() < 1e-6:
        odd = [lift for lift in lifts if lift.correlations]
        problems = [_unfit(lift, "has correlations with other cells that cannot all be true together") for lift in odd]
    if problems:
        raise DataError(problems)
    together = (out != 0).sum(0) > 1
    if not together.any():
        return None
    names = [(lift.cell_of, -1) if together[e] else ("", e) for e, lift in enumerate(lifts)]
    joint = np.array([[name == first for name in names] for first in dict.fromkeys(names)], dtype=np.float64)
    return out, np.pad(joint, ((0, len(lifts) - len(joint)), (0, 0)))


def _unfit(lift: Lift, words: str) -> Problem:
    return Problem(f"test '{shown(lift.experiment_id)}' {words}", column="correlations", code="correlations")


def spend_change(lift: Lift, panel: Panel) -> float:
    """Actual minus counterfactual money over the test."""
    if lift.off_panel:
        return float((_actual_outside(lift) - lift.counterfactual_spend).sum())
    place = window_of(lift, panel)
    cells = np.ix_(place.geos, np.arange(place.spend.start, place.spend.stop), place.channels)
    return float((panel.spend[cells] - lift.counterfactual_spend).sum())


def _inside(test: int, lift: Lift, panel: Panel, scales: Scales, lags: int) -> Rows:
    place = window_of(lift, panel)
    other = counterfactual_exposure(lift, panel, scales)
    actual = _windows(tested_exposure(lift, panel, other), place, lags) / _unit(place, scales)
    counterfactual = _windows(other, place, lags) / _unit(place, scales)
    g, t, c = actual.shape[:3]
    geo = np.broadcast_to(place.geos[:, None, None], (g, t, c)).ravel()
    return Rows(
        np.stack([actual.reshape(-1, lags), counterfactual.reshape(-1, lags)]),
        np.broadcast_to(place.channels, (g, t, c)).ravel(),
        geo,
        np.full(g * t * c, test, dtype=np.int64),
        lift.part * scales.size[geo] * scales.outcome,
        np.broadcast_to(np.arange(place.read_out.start, place.read_out.stop)[:, None], (g, t, c)).ravel(),
    )


def _outside(test: int, lift: Lift, panel: Panel, scales: Scales, lags: int) -> Rows:
    """A market that the panel does not hold: ``market_share`` of the panel's size, with the panel's mean effect.

    Its periods have the effect that the panel has at their dates; before the panel its first, after it its last.
    """
    channels = panel.channel_index(lift.channels)
    periods = lift.counterfactual_spend.shape[1] if lift.counterfactual_spend.ndim == 3 else 0
    _refuse_shape(lift, (1, max(periods, 1), len(channels)))
    size = lift.market_share * scales.size.sum()
    usual = lift.counterfactual_spend[0].mean(0) if lift.carry_in == "steady_state" else np.zeros(len(channels))
    before, after = np.tile(usual, (lags - 1, 1)), np.tile(usual, (lift.cooldown_periods, 1))
    per_scaled = scales.exposure_per_money[channels] / (scales.exposure[channels] * size)
    both = []
    for spend in (_actual_outside(lift)[0], lift.counterfactual_spend[0]):
        series = np.concatenate([before, spend, after]) * per_scaled
        windows = np.lib.stride_tricks.sliding_window_view(series, lags, axis=0)[..., ::-1]
        both.append(windows.reshape(-1, lags))
    rows = len(both[0])
    return Rows(
        np.stack(both),
        np.tile(channels, rows // len(channels)),
        np.full(rows, len(panel.geos), dtype=np.int64),
        np.full(rows, test, dtype=np.int64),
        np.full(rows, size * scales.outcome),
        np.repeat(_periods_outside(lift, panel, rows // len(channels)), len(channels)),
    )


def _periods_outside(lift: Lift, panel: Panel, periods: int) -> Ints:
    days = (np.datetime64(lift.start, "D") - panel.dates[0]).astype(np.int64)
    first = int(np.floor(days * PERIODS_PER_YEAR[panel.period] / 365.25))
    return np.clip(first + np.arange(periods), 0, panel.shape[1] - 1)


def _windows(exposure: Floats, place: Window, lags: int) -> Floats:
    """Lagged exposures of a test's cells, shape (geos, read-out periods, channels, lags)."""
    padded = np.concatenate([np.zeros((exposure.shape[0], lags - 1, exposure.shape[2])), exposure], axis=1)
    part = padded[place.geos][:, place.read_out.start : place.read_out.stop + lags - 1][..., place.channels]
    return np.lib.stride_tricks.sliding_window_view(part, lags, axis=1)[..., ::-1]


def _unit(place: Window, scales: Scales) -> Floats:
    return scales.size[place.geos][:, None, None, None] * scales.exposure[place.channels][:, None]


def _actual_outside(lift: Lift) -> Floats:
    if lift.actual_spend is None:
        raise DataError(f"test '{shown(lift.experiment_id)}' is outside the panel and needs its actual spend")
    return lift.actual_spend


def _refuse_shape(lift: Lift, wanted: tuple[int, ...]) -> None:
    arrays = [lift.counterfactual_spend] + ([lift.actual_spend] if lift.actual_spend is not None else [])
    problems = [
        Problem(
            f"test '{shown(lift.experiment_id)}': spend has shape {array.shape}, the test has {wanted} "
            "(geos, periods, channels)",
            code="lift-shape",
        )
        for array in arrays
        if array.shape != wanted
    ]
    if not (lift.std_error > 0 and np.isfinite(lift.std_error) and np.isfinite(lift.outcome_change)):
        problems.append(
            Problem(
                f"test '{shown(lift.experiment_id)}' needs a finite result and a standard error above 0",
                code="lift-result",
            )
        )
    if problems:
        raise DataError(problems)
