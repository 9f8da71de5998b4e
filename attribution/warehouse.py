"""Paths from an event log in a warehouse or on Spark, through Ibis; only the distinct paths come here.

The log stays where it is. Ibis writes the same path building as `attribution.paths` in the warehouse's own SQL
(`attribution.warehouse_query`); what comes back is small, and all models then run on it here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attribution import distinct, findings
from attribution.event_log import KINDS, Codes, clock_of, codes_of, table_of, unknown_geos, unusable_names
from attribution.events import Clock, Tally
from attribution.findings import Profile
from attribution.ga4 import is_export
from attribution.path_spec import PathSpec
from attribution.path_table import Paths
from attribution.users import GROUPS, Users
from measurement.errors import Problem, did_you_mean, refuse, shown
from measurement.typing import Floats, Ints

if TYPE_CHECKING:
    import ibis

MISSING = "paths from a warehouse need Ibis, which is an extra: pip install theodolite[warehouse]"
NEEDED = ("user_id", "timestamp", "channel", "event")
MOST_CHANNELS = 1_000
"""Channel names that the SQL can spell out."""


def read_warehouse(
    log: "ibis.Table",
    spec: PathSpec | None = None,
    aliases: Mapping[str, str] | None = None,
    *,
    channels: Sequence[str] = (),
    identities: "ibis.Table | None" = None,
) -> Paths:
    """Read an event log where it lies into distinct paths, equal to those of `read_paths` on the same rows.

    Six queries are run: two count what the log holds, four build the paths. No table is written. Times are UTC.

    Args:
        log: An Ibis table with ``user_id, timestamp, channel, event`` (click, impression, conversion) and, where there
            is money, ``value``; where ``spec`` asks for them, ``campaign, geo``. Rename and filter with Ibis before. Or
            an export of GA4 to BigQuery, nested as it is, with two queries more (`attribution.warehouse_ga4`).
        spec: The choices; ``None`` for the defaults.
        aliases: Other names of channels, mapped to their names; added to those of ``spec``.
        channels: Names that are known; others are reported, and kept under their own name.
        identities: Which users are one person: a table of the same backend with ``user_id, person``.

    Returns:
        The distinct paths. Sums of money may differ from `read_paths` in the last digit: engines add in other orders.
        Intervals rest on other groups of users, as every backend has a hash of its own. Ages of single touches stay
        in the warehouse, so the hazard model cannot be fitted on what comes here.

    Raises:
        ImportError: Without Ibis, naming the extra to install.
        DataError: Where a column is missing or of the wrong kind, or its values break the contract.
    """
    query = _query_module()
    spec = (spec or PathSpec()).with_aliases(aliases or {})
    backend = log.get_backend().name
    if backend in query.SPARK:
        refuse(_zone(_rows(query.time_zone(log))["zone"], query.UTC))
    counted: dict[str, int] = {}
    if is_export(log.columns):
        from attribution import warehouse_ga4

        log, counted = warehouse_ga4.touchpoints(log, spec)
    else:
        refuse(_columns(log, spec))
    extra = counted | _extra(query, log, spec, identities)
    seen = query.events(query.chosen(log, spec, identities), backend)
    groups, days = (_rows(each) for each in query.profile(seen))
    refuse(_values(groups))
    profile = replace(_profile(groups, days), extra=extra)
    refuse(_events(profile))
    refuse(unusable_names(profile, spec))
    codes = codes_of(profile, spec)
    refuse(_too_many(codes))
    clock = clock_of(profile, spec, codes.bits)
    asked = query.query(seen, codes, clock, spec)
    lone = _by_group(_rows(asked.lone))
    found = distinct.merge([_distinct(_rows(asked.paths), _rows(asked.decay), lone)])
    no_touch = lone.sum(axis=1)
    tally = _tally(_rows(asked.counts).iloc[0], groups, clock)
    said = findings.of_log(profile, tally, float(no_touch[0]), spec, channels)
    return table_of(found, codes.names, no_touch, profile, spec, tally, said)


def warehouse_sql(log: "ibis.Table", dialect: str, profile: Profile, spec: PathSpec | None = None) -> dict[str, str]:
    """The SQL of the path building, to read or to run elsewhere: by the name of its result.

    Args:
        log: An Ibis table, of a backend or unbound.
        dialect: ``bigquery``, ``snowflake``, ``pyspark``, ``duckdb``, ... as Ibis names them.
        profile: What the log holds, as the first two queries count it.
        spec: The choices; ``None`` for the defaults.
    """
    import ibis as engine

    query = _query_module()
    chosen = spec or PathSpec()
    codes = codes_of(profile, chosen)
    asked = query.query(
        query.events(query.chosen(log, chosen), dialect), codes, clock_of(profile, chosen, codes.bits), chosen
    )
    return {name: str(engine.to_sql(getattr(asked, name), dialect=dialect)) for name in asked.__dataclass_fields__}


def _query_module() -> Any:
    try:
        from attribution import warehouse_query
    except ImportError as error:
        if (error.name or "").partition(".")[0] == "attribution":
            raise
        raise ImportError(MISSING) from None
    return warehouse_query


def _rows(table: Any) -> pd.DataFrame:
    """A result as a frame, through Arrow: not every backend knows this version of pandas."""
    frame: pd.DataFrame = table.to_pyarrow().to_pandas()
    return frame


def _extra(query: Any, log: Any, spec: PathSpec, identities: Any) -> dict[str, int]:
    """Counts of rows that are left out and of users who are joined.

    Raises:
        DataError: Where a geo has no event, or the map of identities contradicts itself.
    """
    extra: dict[str, int] = {}
    if identities is not None:
        lacks = [name for name in ("user_id", "person") if name not in identities.columns]
        refuse([Problem("is missing in the identity map", column=name, code="missing-column") for name in lacks])
        row = _rows(query.mapping(log, identities)).iloc[0]
        broken = [
            Problem(f"{words}: {int(row[name]):,}", code=code)
            for name, words, code in (
                ("two_persons", "users to whom the identity map gives several persons", "two-persons"),
                ("chains", "persons of the identity map who are another person's users", "chain"),
            )
            if row[name]
        ]
        refuse(broken)
        extra = {name: int(row[name]) for name in ("mapped_users", "mapped_persons")}
    if spec.geos:
        counted = _rows(log.group_by("geo").agg(rows=log.count()))
        inside = counted["geo"].isin(list(spec.geos))
        refuse(unknown_geos(sorted(counted["geo"].dropna()), spec))
        extra["other_geos"] = int(counted["rows"][~inside].sum())
    return extra


def _columns(log: Any, spec: PathSpec) -> list[Problem]:
    needed = [*NEEDED, *(["campaign"] if spec.grain == "campaign" else []), *(["geo"] if spec.geos else [])]
    found = [
        Problem(f"is missing{did_you_mean(name, log.columns)}", column=name, code="missing-column")
        for name in needed
        if name not in log.columns
    ]
    if not found and not log["timestamp"].type().is_timestamp():
        kind = shown(log["timestamp"].type())
        found.append(Problem(f"holds {kind}; a timestamp is needed: cast it first", column="timestamp", code="type"))
    return found


def _zone(found: pd.Series, allowed: Sequence[str]) -> list[Problem]:
    words = "set spark.sql.session.timeZone to UTC, so that days and lookbacks are those of every other engine"
    return [
        Problem(f"the session reads timestamps in {shown(zone)}: {words}", column="timestamp", code="time-zone")
        for zone in found
        if zone not in allowed
    ]


def _values(groups: pd.DataFrame) -> list[Problem]:
    """What breaks the contract, counted: a warehouse has no line numbers."""
    touch = groups["event"] != "conversion"
    blank = groups["channel"].fillna("").str.strip() == ""
    rows: list[tuple[str, str, pd.Series]] = [
        ("timestamp", "are blank", groups["untimed"]),
        (
            "event",
            f"are none of {', '.join(KINDS)}",
            groups["rows"].where(~groups["event"].isin(list(KINDS)), 0),
        ),
        ("channel", "are blank; every click and impression needs a channel", groups["rows"].where(touch & blank, 0)),
        ("value", "have a value and are no conversion", groups["other_than_0"].where(touch, 0)),
        ("value", "are below 0 or not finite", groups["unsound"]),
    ]
    found = [
        Problem(f"{int(number.sum()):,} events {words}", column=column, code=f"bad-{column}")
        for column, words, number in rows
        if number.sum()
    ]
    sales = groups[~touch]
    valued, all_of_them = int(sales["valued"].sum()), int(sales["rows"].sum())
    if 0 < valued < all_of_them:
        words = (
            f"{all_of_them - valued:,} of {all_of_them:,} conversions have no value; where conversions have values all "
            "of them need one (0 where it brought nothing)"
        )
        found.append(Problem(words, column="value", code="conversion-without-value"))
    return found


def _events(profile: Profile) -> list[Problem]:
    return [] if profile.rows else [Problem("the event log is empty", code="empty")]


def _too_many(codes: Codes) -> list[Problem]:
    if len(codes.names) <= MOST_CHANNELS:
        return []
    words = f"holds {len(codes.names):,} channels; SQL can spell out {MOST_CHANNELS:,}: join them to groups first"
    return [Problem(words, column="channel", code="too-many-channels")]


def _profile(groups: pd.DataFrame, days: pd.DataFrame) -> Profile:
    counted = groups[["rows", "valued", "other_than_0", "nobody"]].astype(np.int64)
    names = zip(groups["channel"], groups["event"], strict=True)
    known = {
        (None if pd.isna(channel) else str(channel), str(event)): (rows, valued, other, nobody)
        for (channel, event), (rows, valued, other, nobody) in zip(names, counted.to_numpy().tolist(), strict=True)
    }
    in_order = days[["day", "rows", "first", "last"]].to_numpy(dtype=np.int64).tolist()
    return Profile(known, [(day, rows, first, last) for day, rows, first, last in in_order])


def _by_group(lone: pd.DataFrame) -> Floats:
    """Conversions before any touch and their money, shape (2, groups)."""
    out = np.zeros((2, GROUPS))
    at = lone["group"].to_numpy(dtype=np.int64)
    out[0, at], out[1, at] = lone["conversions"], lone["value"]
    return out


def _distinct(rows: pd.DataFrame, decay: pd.DataFrame, lone: Floats) -> distinct.Distinct:
    """The warehouse's tables of paths as one part of a path table, converting paths first.

    Args:
        rows: ``path, group, conversions, value, nulls``.
        decay: ``path, place, decay, decay_value``.
        lone: Conversions before any touch, shape (2, groups).
    """
    rows = rows.sort_values(["path", "group"])
    paths = rows.groupby("path", sort=False)[["conversions", "value", "nulls"]].sum()
    paths = pd.concat([paths[paths["conversions"] > 0], paths[paths["conversions"] == 0]])
    channel, offsets = _touches(paths.index)
    converting = int((paths["conversions"] > 0).sum())
    number = pd.Series(np.arange(len(paths), dtype=np.int32), index=paths.index)
    at = offsets[number[decay["path"]].to_numpy()] + decay["place"].to_numpy(dtype=np.int64)
    credit = np.zeros((2, int(offsets[converting])))
    credit[0, at], credit[1, at] = decay["decay"], decay["decay_value"]
    won = paths.iloc[:converting]
    return distinct.Distinct(
        channel=channel,
        offsets=offsets,
        converting=converting,
        conversions=won["conversions"].to_numpy(dtype=np.float64),
        value=won["value"].to_numpy(dtype=np.float64),
        decay=credit[0],
        decay_value=credit[1],
        nulls=paths["nulls"].to_numpy(dtype=np.float64),
        users=_users(rows, number, lone),
    )


def _touches(paths: pd.Index) -> tuple[NDArray[np.uint16], Ints]:
    """Channel positions of all touches, path after path, and where each path begins."""
    from attribution.warehouse_query import CHANNEL, PLACE

    width = PLACE + CHANNEL
    lengths = paths.str.len().to_numpy(dtype=np.int64) // width
    digits = np.frombuffer("".join(paths).encode("ascii"), dtype=np.uint8).reshape(-1, width)[:, PLACE:] - ord("0")
    channel = (digits.astype(np.int64) @ 10 ** np.arange(CHANNEL - 1, -1, -1)).astype(np.uint16)
    return channel, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _users(rows: pd.DataFrame, number: pd.Series, lone: Floats) -> Users:
    """The journeys by group of users; those of one path and group are one sale, and ages of touches stay behind."""
    path, group = number[rows["path"]].to_numpy(), rows["group"].to_numpy(dtype=np.uint16)
    sold = (rows["conversions"] > 0).to_numpy()
    times = rows["nulls"].to_numpy(dtype=np.int64)
    return Users(
        sale_path=path[sold],
        sale_group=group[sold],
        sale_conversions=rows["conversions"].to_numpy(dtype=np.float64)[sold],
        sale_value=rows["value"].to_numpy(dtype=np.float64)[sold],
        sale_ages=np.zeros(0, np.uint8),
        sale_kinds=np.zeros(0, np.uint8),
        null_path=np.repeat(path, times),
        null_group=np.repeat(group, times),
        no_touch=lone,
        watched=np.zeros(GROUPS),
        alone=np.zeros(GROUPS),
        entered=np.zeros(GROUPS),
        exposed=np.zeros(0, np.int32),
        exposed_group=np.zeros(0, np.uint16),
        exposed_touches=np.zeros(0),
    )


def _tally(counted: pd.Series, groups: pd.DataFrame, clock: Clock) -> Tally:
    names = (
        "users",
        "duplicate_touches",
        "duplicate_conversions",
        "bot_users",
        "bot_touches",
        "bot_conversions",
        "journeys",
        "expired",
        "unfinished",
        "unfinished_touches",
        "same_instant",
        "just_after",
    )
    return Tally(
        **{name: int(counted[name]) for name in names},
        session_touches=int(counted["clean"] - counted["left"]),
        direct=int(counted["live"] - counted["indirect"]),
        repeats=int(counted["indirect"] - counted["kept"]),
        timed=int(groups["timed"].sum()),
    )
