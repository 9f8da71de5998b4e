"""Single checks of the audit: each takes what it needs and gives findings."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pandas as pd

from attribution.credit import Attribution
from attribution.finding import Finding
from attribution.labels import label
from attribution.path_spec import PathSpec
from attribution.path_table import Paths
from attribution.relog import opened
from measurement.errors import shown

NEAR_HOURS = 1
"""Touches so soon after their user's conversion are more about the purchase than about the next one."""
NAMED = 5


def percent(share: float, digits: int = 0) -> str:
    """``77 %`` with a space that does not break, as the report's own words write it."""
    return f"{100 * share:.{digits}f}\u00a0%"


def _level(share: float, look: float, serious: float) -> Literal["serious", "look", "fine"]:
    return "serious" if share >= serious else "look" if share >= look else "fine"


def touched(paths: Paths) -> Finding:
    """The share of conversions that no journey explains."""
    share = paths.no_touch[0] / paths.total_conversions
    words = (
        f"{percent(share)} of {paths.total_conversions:,.0f} conversions have no touch: "
        "nothing credits anybody with them"
    )
    return Finding("no-touch", _level(share, 0.1, 0.5), words, {"share": share})


def repeated(paths: Paths) -> Finding:
    """Events that repeat another in every respect."""
    events = paths.counts.get("events", 0)
    found = paths.counts.get("duplicate_touches", 0) + paths.counts.get("duplicate_conversions", 0)
    share = found / max(events, 1)
    what = "each counted once" if paths.spec.duplicates == "drop" else "ALL COUNTED"
    words = f"{found:,} of {events:,} events ({percent(share, 1)}) repeat another in every respect; {what}"
    kept = paths.spec.duplicates == "keep"
    severity = _level(share, 1e-9, 0.01) if kept else _level(share, 0.001, 0.05)
    return Finding("duplicates", severity, words if found else "no event repeats another", {"share": share})


def spread_by_channel(credit: Attribution) -> pd.DataFrame:
    """Per channel the least and the most that a model credits, as shares of all conversions, and who says so.

    Returns:
        ``channel, low, low_model, high, high_model, ratio`` (most over least), the widest first.
    """
    table = pd.DataFrame({name: c.conversions for name, c in credit.credits.items()}, index=list(credit.channels))
    shares = table / credit.conversions
    frame = pd.DataFrame(
        {
            "channel": shares.index,
            "low": shares.min(axis=1).to_numpy(),
            "low_model": shares.idxmin(axis=1).to_numpy(),
            "high": shares.max(axis=1).to_numpy(),
            "high_model": shares.idxmax(axis=1).to_numpy(),
        }
    )
    ratio = (frame["high"] / frame["low"].where(frame["low"] > 0)).astype("float64")
    order = (frame["high"] - frame["low"]).sort_values(ascending=False, kind="stable").index
    return frame.assign(ratio=ratio).loc[order].reset_index(drop=True)


def disagreement(spread: pd.DataFrame) -> list[Finding]:
    """Channels whose credit hangs on the choice of a model."""
    wide = spread[(spread["ratio"].isna() & (spread["high"] > 0)) | (spread["ratio"] >= 1.3)]
    if wide.empty:
        return [Finding("models", "fine", "all models credit every channel alike, within 30 %")]
    parts = [
        f"'{shown(row.channel)}' {percent(float(str(row.low)), 1)} ({label(str(row.low_model))}) "
        f"to {percent(float(str(row.high)), 1)} ({label(str(row.high_model))})"
        for row in wide.head(NAMED).itertuples(index=False)
    ]
    gap = float((wide["high"] - wide["low"]).max())
    large = wide[(wide["high"] - wide["low"] >= 0.01) & ~(wide["ratio"] < 2)]
    more = f" and {len(wide) - NAMED} more" if len(wide) > NAMED else ""
    words = f"models disagree by a third or more, in shares of all conversions, on {'; '.join(parts)}{more}"
    return [Finding("models", "look" if large.empty else "serious", words, {"channels": len(wide), "gap": gap})]


def unseen(paths: Paths, spend: Mapping[str, float] | None) -> list[Finding]:
    """Channels with spend that no path can have: attribution gives them nothing, whatever they do."""
    if not spend:
        return []
    total = sum(spend.values())
    missing = {name: money for name, money in spend.items() if money > 0 and name not in paths.channels}
    if not missing or not total > 0:
        return [Finding("coverage", "fine", "every channel with spend is seen in journeys", {"share": 0.0})]
    share = sum(missing.values()) / total
    named = ", ".join(f"'{shown(name)}'" for name in sorted(missing, key=lambda n: -missing[n])[:NAMED])
    more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    words = f"{percent(share)} of the money goes to channels that no journey shows, which get no credit: {named}{more}"
    return [Finding("coverage", _level(share, 1e-9, 0.2), words, {"share": share, "channels": len(missing)})]


_TOUCHES = "SELECT count(*) FROM touchpoints WHERE event <> 'conversion'"
_AFTER = """
WITH sales AS (SELECT user_id, timestamp FROM touchpoints WHERE event = 'conversion' AND user_id IS NOT NULL),
touches AS (SELECT user_id, timestamp, channel FROM touchpoints WHERE event <> 'conversion' AND user_id IS NOT NULL),
after AS (SELECT t.channel, t.timestamp, s.timestamp AS sale FROM touches t ASOF JOIN sales s
          ON t.user_id = s.user_id AND t.timestamp >= s.timestamp),
before AS (SELECT t.channel FROM touches t ASOF JOIN sales s
           ON t.user_id = s.user_id AND t.timestamp < s.timestamp WHERE s.timestamp - t.timestamp < $near)
SELECT channel, sum(same), sum(soon), sum(early) FROM (
    SELECT channel, (timestamp = sale)::INT AS same, (timestamp > sale AND timestamp - sale < $near)::INT AS soon,
           0 AS early FROM after
    UNION ALL SELECT channel, 0, 0, 1 FROM before)
GROUP BY channel HAVING sum(same) + sum(soon) + sum(early) > 0 ORDER BY channel
"""


def events_after(log: str | Path | pd.DataFrame, spec: PathSpec, spill: str | Path | None = None) -> list[Finding]:
    """Leakage: touches that the conversion itself made.

    Touches at the very instant of a conversion count for it, and may be its own trace (a voucher, a redirect). Touches
    in the hour after it are set against those in the hour before: more of them point to the purchase as their cause.
    """
    aliases = dict(spec.aliases)
    with opened(log, spill) as connection:
        rows = connection.execute(_AFTER, {"near": timedelta(hours=NEAR_HOURS)}).fetchall()
        (touches,) = connection.execute(_TOUCHES).fetchone() or (0,)
    same, soon, early = (sum(int(row[i]) for row in rows) for i in (1, 2, 3))
    share = same / max(touches, 1)
    at_once = f"{same:,} of {touches:,} touches ({percent(share, 1)}) carry the very time of a conversion of their user"
    found = [
        Finding(
            "same-instant",
            _level(share, 0.001, 0.02),
            f"{at_once}, and are credited with it: are they its trace?" if same else "no touch has a conversion's time",
            {"share": share},
        )
    ]
    leaky = [
        f"'{shown(aliases.get(name, name))}' ({int(after):,} after, {int(before):,} before)"
        for name, _, after, before in rows
        if after > 10 and after > 2 * before
    ]
    late = soon / max(touches, 1)
    words = (
        f"{soon:,} touches ({percent(late, 1)}) come in the hour after their user's conversion, "
        f"{early:,} in the hour before"
    )
    if leaky:
        words += f"; the purchase seems to make those of {', '.join(leaky[:NAMED])}"
    numbers = {"after": float(soon), "before": float(early), "channels": float(len(leaky))}
    severity = _level(late, 0.0, 0.01) if leaky else "fine"
    return [*found, Finding("leakage", severity, words, numbers)]
