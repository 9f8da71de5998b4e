"""What lies below and beside a view's channels, as tidy frames for charts and csv.

What each number hangs on, cells, campaigns, and each test beside the model that has not seen it.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pandas as pd

from calibration.conflict import Conflict
from calibration.parts import Without
from calibration.verdict import money
from calibration.view import View

LEFT_OUT = ("", "mmm", "experiments", "attribution")
Z90 = 1.6448536269514722
FEW_DAYS = pd.Timedelta(days=28)


def left_out(view: View) -> pd.DataFrame:
    """The unified iROAS of each channel with all sources, then with each one left out.

    Returns:
        ``channel, left_out`` (a source, empty for none), ``median, low, high, unit, action`` and ``turns``: whether the
        money would move otherwise than with all sources.
    """
    rows = []
    for entry in view.channels:
        if entry.iroas is None or entry.move is None or not entry.without:
            continue
        known = {"": Without(entry.iroas, entry.move), **entry.without}
        for source in (source for source in LEFT_OUT if source in known):
            q, action = known[source].iroas, known[source].action
            turns = money(action) != money(entry.move)
            rows.append((entry.channel, source, q.median, q.low, q.high, _ratio(view), action, turns))
    names = ["channel", "left_out", "median", "low", "high", "unit", "action", "turns"]
    return pd.DataFrame(rows, columns=names).astype({"turns": bool})


def tipping(view: View) -> pd.DataFrame:
    """How wrong a source would have to be about each channel before the money moved otherwise.

    Returns:
        ``channel, source, overstates`` (a factor; missing where no error up to tenfold would do), ``becomes`` and
        ``action``, the one of today. Only sources that the channel's number follows.
    """
    rows = [
        (entry.channel, source, tip.overstates if tip else None, tip.becomes if tip else "", entry.move or "")
        for entry in view.channels
        for source in ("mmm", "attribution")
        if source in entry.without
        for tip in [entry.tipping.get(source)]
    ]
    frame = pd.DataFrame(rows, columns=["channel", "source", "overstates", "becomes", "action"])
    return frame.astype({"overstates": float})


def cells(view: View) -> pd.DataFrame:
    """The cells that have a number.

    Returns:
        ``channel, market`` (empty for all together), ``start, until`` (days; the first day of what follows), ``spend,
        median, low, high, unit, pays``: the probability that it exceeds break-even.
    """
    starts = sorted({pd.Timestamp(cell.start) for cell in view.cells})
    follows = dict(pairwise(starts))
    rows = [
        (
            cell.channel,
            cell.market,
            pd.Timestamp(cell.start),
            follows.get(pd.Timestamp(cell.start), max(pd.Timestamp(cell.end), pd.Timestamp(cell.start) + FEW_DAYS)),
            cell.spend,
            cell.iroas.median,
            cell.iroas.low,
            cell.iroas.high,
            _ratio(view),
            cell.above_break_even,
        )
        for cell in view.cells
        if cell.iroas is not None
    ]
    names = ["channel", "market", "start", "until", "spend", "median", "low", "high", "unit", "pays"]
    return pd.DataFrame(rows, columns=names)


def campaigns(view: View) -> pd.DataFrame:
    """The campaigns.

    Returns:
        ``campaign`` (its channel in front), ``quantity`` (``iroas``, where its spend is known, and ``value``),
        ``median, low, high, unit``.
    """
    rows = []
    for found in view.campaigns:
        name = f"{found.channel}: {found.campaign or 'no name'}"
        for quantity, q, unit in (("iroas", found.iroas, _ratio(view)), ("value", found.value, view.currency)):
            if q is not None:
                rows.append((name, quantity, q.median, q.low, q.high, unit))
    return pd.DataFrame(rows, columns=["campaign", "quantity", "median", "low", "high", "unit"])


def unseen(conflicts: Sequence[Conflict], evidence: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Each test beside what the model expects that has not seen it, per unit of money that the test moved.

    Args:
        conflicts: The judgements.
        evidence: The tests as the model took them (`Evidence.to_dict`).

    Returns:
        ``experiment_id, source`` (``mmm``: the model without the test; ``experiments``: the test; ``panel``: the sales
        of its markets, read again), ``median, low, high`` (KPI per unit of money), ``p`` (the smaller one) and
        ``verdict``. No row for tests that moved no money in sum, or that an older version judged.
    """
    judged = {conflict.experiment_id: conflict for conflict in conflicts}
    rows: list[tuple[object, ...]] = []
    for test in evidence:
        conflict, spend = judged.get(str(test["experiment_id"])), float(sum(test["spend_delta"]))
        if conflict is None or conflict.expected is None or spend == 0:
            continue
        change, error = float(test["outcome_change"]), Z90 * float(test["std_error"])
        said = [
            ("mmm", conflict.expected.median, conflict.expected.low, conflict.expected.high),
            ("experiments", change, change - error, change + error),
        ]
        if conflict.panel_change is not None and conflict.panel_se is not None:
            again, error = conflict.panel_change, Z90 * conflict.panel_se
            said.append(("panel", again, again - error, again + error))
        for source, middle, *ends in said:
            low, high = sorted(end / spend for end in ends)
            rows.append((conflict.experiment_id, source, middle / spend, low, high, conflict.least_p, conflict.verdict))
    return pd.DataFrame(rows, columns=["experiment_id", "source", "median", "low", "high", "p", "verdict"])


def _ratio(view: View) -> str:
    return f"{view.currency} per {view.currency}"
