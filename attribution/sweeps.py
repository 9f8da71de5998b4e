"""What credit hangs on: the same log with other lookbacks, and with users who were not recognised."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from attribution.path_spec import PathSpec
from attribution.path_table import NO_TOUCH, Paths
from attribution.paths import read_paths
from attribution.relog import opened, with_users
from attribution.run import attribute

LOOKBACKS = (1.0, 3.0, 7.0, 14.0, 30.0, 60.0, 90.0)
LOSSES = (0.1, 0.2, 0.4)


def windows(
    log: str | Path | pd.DataFrame,
    spec: PathSpec,
    model: str,
    lookbacks: Sequence[float] = LOOKBACKS,
    identities: str | Path | None = None,
    spill: str | Path | None = None,
) -> pd.DataFrame:
    """Credit by lookback: clicks and impressions count for at most so many days.

    Lookbacks that the log is too short for (over half its days) are left out; that of ``spec`` is always there.

    Args:
        log: An event log.
        spec: The choices; only its lookbacks are varied.
        model: The model whose credit is shown.
        lookbacks: Days.
        identities: As `read_paths` takes it.
        spill: The same.

    Returns:
        ``days, channel, conversions, share`` (of all conversions) per lookback and channel, conversions that no touch
        preceded as ``(no touch)``; ``current`` marks the lookback of ``spec``.
    """
    whole = read_paths(log, spec, identities=identities, spill=spill)
    length = ((whole.window[1] - whole.window[0]) / timedelta(days=1) + 1) if whole.window else 0.0
    asked = sorted({*(d for d in lookbacks if d <= length / 2), spec.lookback_days})
    parts = []
    for days in asked:
        current = days == spec.lookback_days
        other = {"click_lookback_days": days, "impression_lookback_days": days}
        if not current:
            paths = read_paths(log, spec.model_copy(update=other), identities=identities, spill=spill)
        parts.append(_shares(whole if current else paths, model).assign(days=days, current=current))
    return pd.concat(parts, ignore_index=True)[["days", "current", "channel", "conversions", "share"]]


def identity_loss(
    log: str | Path | pd.DataFrame,
    spec: PathSpec,
    model: str,
    losses: Sequence[float] = LOSSES,
    seed: int = 0,
    identities: str | Path | None = None,
    spill: str | Path | None = None,
) -> pd.DataFrame:
    """Credit if a share of users were two: each of their events falls to one of two ids, as two devices would have it.

    Args:
        log: An event log.
        spec: The choices.
        model: The model whose credit is shown.
        losses: Shares of users who are split, 0 to 1; 0 is always there.
        seed: Who is split, and how.
        identities: As `read_paths` takes it; the second id of a user who is split is in no map.
        spill: The same.

    Returns:
        ``loss, channel, conversions, share``, as `windows`.
    """
    parts = [_shares(read_paths(log, spec, identities=identities, spill=spill), model).assign(loss=0.0)]
    with opened(log, spill) as connection:
        for loss in sorted(set(losses) - {0.0}):
            split = f"hash(user_id, {int(seed)}) % 10000 < {round(loss * 10_000)}"
            second = f"hash(user_id, timestamp, channel, event, {int(seed)}) % 2 = 1"
            user = f"CASE WHEN {split} AND {second} THEN user_id || chr(31) || '2' ELSE user_id END"
            with with_users(connection, user, spill) as file:
                paths = read_paths(file, spec, identities=identities, spill=spill)
                parts.append(_shares(paths, model).assign(loss=loss))
    return pd.concat(parts, ignore_index=True)[["loss", "channel", "conversions", "share"]]


def moved(frame: pd.DataFrame, by: str, here: float, there: float) -> float:
    """Which part of the credit that channels have goes to other channels between two rows of a sweep, 0 to 1.

    Half the sum of absolute differences of the channels' shares of credit (total variation).
    """
    table = frame[frame["channel"] != NO_TOUCH].pivot_table(index=by, columns="channel", values="conversions")
    table = table.fillna(0.0)
    one, other = (table.loc[place] / max(table.loc[place].sum(), 1e-300) for place in (here, there))
    return float(np.abs(one - other).sum() / 2)


def _shares(paths: Paths, model: str) -> pd.DataFrame:
    names: tuple[str, ...] = (NO_TOUCH,)
    won = np.array([paths.total_conversions])
    if paths.conversions.sum() > 0:  # else a lookback is too short for any touch
        made = attribute(paths, [model], draws=0)
        names, won = (*made.channels, NO_TOUCH), np.append(made[model].conversions, made.no_touch[0])
    total = max(float(won.sum()), 1e-300)
    return pd.DataFrame({"channel": names, "conversions": won, "share": won / total})
