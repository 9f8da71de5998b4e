"""Plans that somebody gives: a table of spend, or of controls, for the periods that follow a panel."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from measurement.errors import Problem, did_you_mean, refuse, shown
from measurement.frames import NATIONAL
from measurement.panel import Panel, expected_dates
from measurement.plan.horizon import Horizon, business_as_usual, following, same_periods
from measurement.typing import Dates, Floats


def planned_spend(panel: Panel, frame: pd.DataFrame, aliases: Mapping[str, str] | None = None) -> Horizon:
    """A plan from a tidy table.

    Channels that the table does not name go on as usual. Without a ``geo`` column money is split over geos as business
    as usual splits it, or by their size where nothing was spent.

    Args:
        panel: The data; the plan begins with the first period after them.
        frame: ``date, (geo,) channel, spend`` with a row for every date, channel and geo (`measurement.tables`).
        aliases: Other names of channels.

    Raises:
        DataError: For other dates, channels or geos than there are.
    """
    named = frame.assign(channel=frame["channel"].map(lambda name: (aliases or {}).get(name, name)))
    dates = _dates(panel, named, "plan")
    problems = [
        Problem(f"unknown channel '{shown(name)}'{did_you_mean(name, panel.channels)}", code="unknown-channel")
        for name in sorted(set(named["channel"]) - set(panel.channels))
    ]
    problems += _strange_geos(panel, named)
    refuse(problems)
    usual = business_as_usual(panel, len(dates))
    spend = usual.spend.copy()
    at = np.searchsorted(dates, named["date"].to_numpy().astype("datetime64[D]"))
    channel = pd.Index(panel.channels).get_indexer(pd.Index(named["channel"]))
    money = named["spend"].to_numpy(dtype=np.float64)
    if "geo" in named.columns and not _whole(panel, named):
        geo = pd.Index(panel.geos).get_indexer(pd.Index(named["geo"]))
        spend[:, :, np.unique(channel)] = 0.0
        np.add.at(spend, (geo, at, channel), money)
    else:
        size = panel.population if panel.population is not None else np.abs(panel.outcome).mean(axis=1)
        total = usual.spend.sum(axis=1)
        share = np.where(
            total.sum(axis=0) > 0, total / np.maximum(total.sum(axis=0), 1e-300), (size / size.sum())[:, None]
        )
        spend[:, :, np.unique(channel)] = 0.0
        for t, c, amount in zip(at, channel, money, strict=True):
            spend[:, t, c] += amount * share[:, c]
    return replace(usual, spend=spend, like="as planned")


def planned_controls(panel: Panel, frame: pd.DataFrame | None, dates: Dates) -> Floats:
    """Controls of the periods ahead, shape (geos, periods, controls).

    Args:
        panel: The data.
        frame: ``date, (geo,)`` and the controls; those that it lacks, and all without it, repeat the same periods a
            year ago (`measurement.plan.horizon.same_periods`).
        dates: The periods ahead.

    Raises:
        DataError: For other dates or geos than there are.
    """
    if not panel.control_names:
        return np.zeros((len(panel.geos), len(dates), 0))
    values = panel.controls[:, same_periods(panel, len(dates))].copy()
    if frame is None:
        return values
    given = _dates(panel, frame, "controls")
    refuse(_strange_geos(panel, frame))
    if len(given) < len(dates):
        words = f"the controls end on {given[-1]}; {len(dates)} periods are asked for, up to {dates[-1]}"
        refuse([Problem(words, column="date", code="gap")])
    at = np.searchsorted(given, frame["date"].to_numpy().astype("datetime64[D]"))
    near = at < len(dates)
    for j, name in enumerate(panel.control_names):
        if name in frame.columns:
            column = frame[name].to_numpy(dtype=np.float64)[near]
            if "geo" in frame.columns and not _whole(panel, frame):
                geo = pd.Index(panel.geos).get_indexer(pd.Index(frame["geo"]))[near]
                values[geo, at[near], j] = column
            else:
                values[:, at[near], j] = column
    return values


def _dates(panel: Panel, frame: pd.DataFrame, what: str) -> Dates:
    """The periods of a table, which must follow the panel without a gap."""
    given = np.unique(frame["date"].to_numpy().astype("datetime64[D]"))
    first = following(panel, 1)[0].astype("datetime64[D]")
    expected = expected_dates(first, max(given[-1], first), panel.period)
    if given.shape == expected.shape and (given == expected).all():
        return expected
    odd = [str(day) for day in np.setdiff1d(given, expected)] or [str(day) for day in np.setdiff1d(expected, given)]
    words = (
        f"the {what} must hold every {panel.period} from {first} on, without a gap: look at {', '.join(odd[:3])}"
        f"{'' if len(odd) <= 3 else f' and {len(odd) - 3} more'}"
    )
    refuse([Problem(words, column="date", code="unknown-date")])
    return expected


def _whole(panel: Panel, frame: pd.DataFrame) -> bool:
    """Whether the table speaks of all geos together though it has a geo column."""
    return set(frame["geo"]) == {NATIONAL} and NATIONAL not in panel.geos


def _strange_geos(panel: Panel, frame: pd.DataFrame) -> list[Problem]:
    if "geo" not in frame.columns or _whole(panel, frame):
        return []
    return [
        Problem(f"unknown geo '{shown(name)}'{did_you_mean(name, panel.geos)}", code="unknown-geo")
        for name in sorted(set(frame["geo"]) - set(panel.geos))
    ]
