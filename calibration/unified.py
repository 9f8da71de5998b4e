"""Unified draws: returns over the view's window, at the margin, against what attribution credits, and by cell."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.curves import Curves, days, log_ratio
from calibration.integrate import Fusion
from calibration.parts import Cell
from calibration.quantity import Quantity
from calibration.sources import Attributed, Blocks
from measurement import mmm
from measurement.mmm import Posterior
from measurement.panel import Panel
from measurement.typing import Floats


@dataclass(frozen=True, eq=False)
class Unified:
    """Joint draws of shape (draws, channels); NaN where nothing was spent, or attribution says nothing.

    Attributes:
        iroas: Over the view's window.
        mroas: Return of the next unit of money there.
        credited: iROAS over attribution's window.
        factor: That over attributed ROAS: the incrementality factor.
    """

    iroas: Floats
    mroas: Floats
    credited: Floats
    factor: Floats

    @classmethod
    def of(
        cls,
        panel: Panel,
        curves: Curves,
        fusion: Fusion,
        attributed: Attributed | None,
        blocks: Blocks,
        window: slice,
        seed: int,
    ) -> "Unified":
        """The level from the fusion, ratios from the response curves."""
        truth, channels = np.exp(fusion.theta), len(panel.channels)
        parts = (curves.window, curves.iroas), (curves.mroas, curves.window), (curves.credited, curves.iroas)
        ratios = np.exp(fusion.shaped(np.concatenate([log_ratio(*pair) for pair in parts], axis=1)))
        iroas = np.einsum("rcp,cp->rc", truth, blocks.shares(panel, window)) * ratios[:, :channels]
        iroas = np.where(panel.spend[:, window].sum(axis=(0, 1)) > 0, iroas, np.nan)
        factor = np.full(iroas.shape, np.nan)
        then = factor
        if attributed is not None:
            within = blocks.shares(panel, panel.window(attributed.start, attributed.end))
            then = np.einsum("rcp,cp->rc", truth, within) * ratios[:, 2 * channels :]
            credit = attributed.roas(panel)[attributed.primary]
            rng = np.random.default_rng(seed)
            credit = credit[rng.permutation(np.resize(np.arange(credit.shape[0]), len(truth)))]
            at = panel.channel_index(attributed.channels)
            with np.errstate(all="ignore"):
                factor[:, at] = then[:, at] / credit
        return cls(iroas, iroas * ratios[:, channels : 2 * channels], then, factor)


def cells(
    panel: Panel,
    posterior: Posterior,
    curves: Curves,
    fusion: Fusion,
    months: Blocks,
    blocks: Blocks,
    markets: Sequence[str],
    window: slice,
    break_even: float,
    withheld: Sequence[str] = (),
) -> tuple[Cell, ...]:
    """The channels by block of the calendar, all markets together and each of the named ones.

    Args:
        panel: The study's panel.
        posterior: The fit whose draws the curves are of.
        curves: Its curves.
        fusion: The unified answer by month.
        months: The months.
        blocks: The cells' months or quarters.
        markets: Markets to tell apart.
        window: Periods that the view covers.
        break_even: iROAS at which the margin just pays.
        withheld: Channels whose numbers are withheld.
    """
    truth, at = np.exp(fusion.theta), panel.geo_index(markets) if markets else np.zeros(0, dtype=np.int64)
    found = []
    inside = np.arange(len(panel.dates))[window]
    for b in np.unique(blocks.of[inside]):
        own = inside[blocks.of[inside] == b]
        part = slice(int(own[0]), int(own[-1]) + 1)
        first, last = days(panel, part)
        brought = mmm.geo_contribution(posterior, panel, first, last) * panel.kpi_value
        brought = np.concatenate([brought.sum(axis=2, keepdims=True), brought[:, :, at]], axis=2)
        spend = panel.spend[:, part].sum(axis=1).T  # (channels, geos)
        spend = np.concatenate([spend.sum(axis=1, keepdims=True), spend[:, at]], axis=1)
        with np.errstate(all="ignore"):
            part_iroas = brought / np.where(spend > 0, spend, np.nan)
        ratio = log_ratio(part_iroas, curves.iroas[:, :, None])
        ratio = np.exp(fusion.shaped(ratio.reshape(len(ratio), -1))).reshape(-1, *spend.shape)
        level = np.einsum("rcp,cp->rc", truth, months.shares(panel, part))
        draws = level[:, :, None] * ratio
        for c, channel in enumerate(panel.channels):
            for m, market in enumerate(("", *markets)):
                shown = spend[c, m] > 0 and channel not in withheld
                low, middle, high = np.quantile(draws[:, c, m], [0.05, 0.5, 0.95])
                found.append(
                    Cell(
                        channel=channel,
                        market=market,
                        start=str(first),
                        end=str(last),
                        spend=float(spend[c, m]),
                        iroas=Quantity(float(middle), float(low), float(high)) if shown else None,
                        above_break_even=float(np.mean(draws[:, c, m] > break_even)) if shown else None,
                    )
                )
    return tuple(sorted(found, key=lambda cell: (panel.channels.index(cell.channel), cell.market, cell.start)))
