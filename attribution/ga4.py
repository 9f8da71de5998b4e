"""A GA4 export to BigQuery (parquet, or csv with flattened columns) as touchpoints: sessions and conversions.

A session (``ga_session_id`` of a device) is one click at its first event, of the first source that its events tell
(``collected_traffic_source.manual_*``, a Google click id, or the event parameters ``source, medium, campaign``); one
without a source is direct. ``traffic_source`` is not used: it is where the *user* first came from, in every row.
A device with one ``user_id`` in all of the export belongs to that user. Repeated transactions count once.
"""

import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from attribution.path_spec import PathSpec
from measurement.errors import DataError, Problem, shown
from measurement.reading import duckdb_file
from measurement.reading import files as table_files

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MARKS = ("event_timestamp", "event_name", "user_pseudo_id")
"""Columns that tell an export from any other table."""
FIELDS: dict[str, tuple[str, ...]] = {
    "user_id": ("user_id",),
    "session": ("event_params:ga_session_id", "ga_session_id"),
    "source": ("collected_traffic_source.manual_source", "event_params:source", "manual_source", "source"),
    "medium": ("collected_traffic_source.manual_medium", "event_params:medium", "manual_medium", "medium"),
    "campaign": ("collected_traffic_source.manual_campaign_name", "event_params:campaign", "campaign"),
    "gclid": ("collected_traffic_source.gclid", "gclid"),
    "revenue": ("ecommerce.purchase_revenue", "purchase_revenue"),
    "transaction": ("ecommerce.transaction_id", "transaction_id"),
    "geo": ("geo.region",),
}
"""Where each field may stand: a column, a field of a record (also flattened by ``.`` or ``_``), a parameter."""
_SEARCH = r"google|bing|yahoo|duckduckgo|baidu|ecosia|yandex|naver|ask|aol|startpage|qwant|seznam"
_SOCIAL = r"facebook|instagram|linkedin|twitter|t\.co|x\.com|tiktok|pinterest|reddit|snapchat|quora|threads|fb|ig|xing"
_VIDEO = r"youtube|vimeo|twitch|dailymotion|netflix|hulu|disneyplus"
_SHOPPING = r"amazon|ebay|etsy|walmart|alibaba|shopify|idealo|shopping"
_PAID = re.compile(r".*cp.*|ppc|retargeting|paid.*")
_SITES = (("Shopping", _SHOPPING), ("Search", _SEARCH), ("Social", _SOCIAL), ("Video", _VIDEO))
_MEDIA = (
    ("Display", r"display|banner|expandable|interstitial|cpm"),
    ("Organic Social", r"social|social-network|social-media|sm|social network|social media"),
    ("Organic Video", r".*video.*"),
    ("Organic Search", r"organic"),
    ("Referral", r"referral|app|link"),
    ("Email", r"e[-_ ]?mail"),
    ("Affiliates", r"affiliates?"),
    ("Audio", r"audio"),
    ("SMS", r"sms"),
    ("Mobile Push", r".*push|.*mobile.*|.*notification.*"),
)


def is_export(header: Sequence[str]) -> bool:
    """Whether a table with these columns is an export; one with those of a log of touchpoints is that."""
    return set(MARKS) <= set(header) and not {"timestamp", "channel", "event"} <= set(header)


def default_group(source: str, medium: str) -> str:
    """The default channel group of a source and medium: Google's rules, without those on campaigns and other clicks.

    Args:
        source: Such as ``google``.
        medium: Such as ``cpc``.
    """
    source, medium = source.casefold(), medium.casefold()
    if source == "(direct)" and medium in ("(none)", "(not set)"):
        return "Direct"
    if re.fullmatch(_MEDIA[0][1], medium):
        return "Display"
    kind = "Paid" if _PAID.fullmatch(medium) else "Organic"
    for name, sites in _SITES:
        if re.search(rf"(^|\.|\b)({sites})(\b|$)", source) and (kind == "Paid" or medium != "email"):
            return f"{kind} {name}"
    if kind == "Paid":
        return "Paid Other"
    named = (group for group, pattern in _MEDIA if re.fullmatch(pattern, medium) or re.fullmatch(pattern, source))
    return next(named, "Unassigned")


def convert(connection: "DuckDBPyConnection", export: str | Path, target: Path, spec: PathSpec) -> dict[str, int]:
    """Write an export as a parquet file of touchpoints.

    Args:
        connection: From `source.connect`.
        export: Parquet or csv files.
        target: The file to write.
        spec: Its ``ga4_conversion`` and ``ga4_channels``.

    Returns:
        Counts, by name: events, sessions, those without a source, transactions that were there before.

    Raises:
        DataError: Where a field that is needed is in none of its places, or no event is the conversion.
    """
    _open(connection, export)
    columns = {name: kind for name, kind, *_ in connection.execute("DESCRIBE export").fetchall()}
    places = {name: _place(candidates, columns) for name, candidates in FIELDS.items()}
    absent = [
        Problem(f"is needed: one of {', '.join(FIELDS[name])}", str(export), column=name, code="missing-column")
        for name in ("session", "source", "medium")
        if places[name] is None
    ]
    if absent:
        raise DataError(absent)
    pieces = _statements()
    connection.execute(pieces["rows"].format(**{name: place or "NULL" for name, place in places.items()}))
    connection.execute("CREATE OR REPLACE TEMP TABLE wanted AS SELECT $1 AS event_name", [spec.ga4_conversion])
    connection.execute(pieces["sessions"])
    connection.execute(pieces["sales"])
    events, sessions, direct, sales, again = connection.execute(pieces["counts"]).fetchone() or (0, 0, 0, 0, 0)
    if not sales:
        raise DataError([_no_sale(connection, str(export), spec)])
    pairs = connection.execute("SELECT DISTINCT source, medium FROM sessions ORDER BY ALL").fetchall()
    grouped = spec.ga4_channels == "group"
    names = [default_group(*pair) if grouped else " / ".join(pair) for pair in pairs]
    table = {"source": [s for s, _ in pairs], "medium": [m for _, m in pairs], "channel": names}
    connection.register("pairs", pa.table(table, schema=pa.schema([(name, pa.string()) for name in table])))
    connection.sql(pieces["touchpoints"]).write_parquet(str(target))
    for name in ("sessions", "sales", "wanted"):
        connection.execute(f"DROP TABLE {name}")
    return {"ga4_events": events, "ga4_sessions": sessions, "ga4_no_source": direct, "repeated_transactions": again}


def _open(connection: "DuckDBPyConnection", export: str | Path) -> None:
    found = table_files.find(export, tables=True)
    names = [str(file.path) for file in found]
    if found[0].kind == "duckdb":
        rows = connection.sql(f"SELECT * FROM {duckdb_file.relation(connection, found[0])}")  # noqa: S608
    elif found[0].kind == "csv":
        rows = connection.read_csv(names, all_varchar=True, header=True)  # type: ignore[arg-type]
    else:
        rows = connection.read_parquet(names, union_by_name=True)
    rows.create_view("export", replace=True)


def _place(candidates: Sequence[str], columns: dict[str, str]) -> str | None:
    """SQL of the first places of a field that a table has, in order of preference."""
    found = []
    for candidate in candidates:
        record, dot, field = candidate.partition(".")
        parameters, colon, key = candidate.partition(":")
        if colon:
            kind = columns.get(parameters, "")
            if '"value"' in kind or "value STRUCT" in kind:
                value = f'list_filter({parameters}, lambda p: p."key" = \'{key}\')[1]."value"'
                found += [f"{value}.{each}::VARCHAR" for each in ("string_value", "int_value") if each in kind]
        elif dot and columns.get(record, "").startswith("STRUCT") and re.search(rf"\b{field}\b", columns[record]):
            found.append(f"{record}.{field}::VARCHAR")
        else:
            flat = (candidate, f"{record}_{field}") if dot else (candidate,)
            found += [f'"{name}"::VARCHAR' for name in flat if name in columns]
    whole = ", ".join(f"nullif(nullif(trim({each}), ''), '(not set)')" for each in found)
    return f"coalesce({whole})" if found else None


def _no_sale(connection: "DuckDBPyConnection", export: str, spec: PathSpec) -> Problem:
    query = "SELECT event_name FROM export GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 12"
    names = ", ".join(shown(name) for (name,) in connection.execute(query).fetchall())
    words = f"no event is '{shown(spec.ga4_conversion)}'; set 'ga4_conversion' to one of the events: {names}"
    return Problem(words, export, column="event_name", code="no-conversion")


def _statements() -> dict[str, str]:
    text = files("attribution").joinpath("ga4.sql").read_text(encoding="utf-8")
    pieces = (piece.partition("\n") for piece in text.split("-- name: ")[1:])
    return {name.strip(): body for name, _, body in pieces}
