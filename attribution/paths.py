"""Read an event log, or a table of aggregated paths, into distinct paths.

The log stays in DuckDB, which spills to disk what does not fit: it judges the rows, packs time, event and channel of
each into one integer, and sorts by user and that. Numpy cuts the sorted stream into journeys a million rows at a time
(`attribution.journeys`) and counts distinct paths (`attribution.distinct`); memory does not grow with the log.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from attribution import aggregated, distinct, findings, ga4
from attribution import identities as identity_map
from attribution.event_log import Codes, clock_of, codes_of, table_of, unknown_geos, unusable_names
from attribution.events import SECOND, Clock, Tally
from attribution.findings import Profile
from attribution.journeys import build, nothing
from attribution.path_spec import PathSpec
from attribution.path_table import Paths
from attribution.spill import spill_folder
from attribution.stream import whole_users
from attribution.users import Exposure
from measurement.errors import DataError, Problem, did_you_mean, refuse, shown
from measurement.reading import source
from measurement.reading.engine import interruptible, no_room
from measurement.reading.source import Column, Contract, Loaded

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TOUCHPOINTS = Contract(
    "touchpoints",
    (
        Column("user_id", "text", blank=True),
        Column("timestamp", "timestamp"),
        Column("channel", "text", blank=True),
        Column("event", "text", choices=("click", "impression", "conversion")),
        Column("value", "number", required=False, blank=True, minimum=0.0),
        Column("campaign", "text", required=False, blank=True),
        Column("geo", "text", required=False, blank=True),
    ),
)
CHUNK = 1 << 18
"""Rows that are cut into journeys at once: few enough for the processor's cache and for memory that is used again."""
BATCH = 1 << 15
"""Rows that come from DuckDB at once."""
MEMORY = "1GB"
"""What DuckDB may hold before it spills to disk."""


def read_paths(
    log: str | Path | pd.DataFrame,
    spec: PathSpec | None = None,
    aliases: Mapping[str, str] | None = None,
    *,
    channels: Sequence[str] = (),
    identities: str | Path | pd.DataFrame | None = None,
    memory: str = MEMORY,
    spill: str | Path | None = None,
) -> Paths:
    """Read an event log or a table of aggregated paths; a column ``path`` tells the two apart.

    An export of GA4 (`attribution.ga4`) is known by its columns too.

    Args:
        log: Csv or parquet (a path, or a glob of many files, also larger than memory), a table of a DuckDB file
            (``FILE::TABLE``), or a frame. Events:
            ``user_id, timestamp, channel, event`` (click, impression, conversion), ``value``, ``campaign``, ``geo``.
            Aggregated paths: ``path`` (channels joined by `` > ``), ``conversions, value, nulls``.
        spec: The choices; ``None`` for the defaults.
        aliases: Other names of channels, mapped to their names; added to those of ``spec``.
        channels: Names that are known; others are reported, and kept under their own name.
        identities: Which users are one person: ``user_id, person``; users who are not in it stay who they are.
        memory: What DuckDB may hold before it spills to disk.
        spill: Where it spills to: in this folder, one of its own that is removed afterwards, or by the next run where
            this one is killed; ``None`` for the system's temporary folder.

    Returns:
        The distinct paths. The order of rows and files does not change them; ties in time go by channel name.

    Raises:
        DataError: With file, line and column of everything that breaks the contract.
    """
    spec = (spec or PathSpec()).with_aliases(aliases or {})
    with spill_folder(spill) as folder:
        persons = None if identities is None else _as_file(identities, folder / "identities.parquet")
        if not isinstance(log, pd.DataFrame):
            return _read(log, spec, channels, persons, memory, folder)
        place = folder / "frame.parquet"
        with called(place, "frame"):
            return _read(_as_file(log, place), spec, channels, persons, memory, folder)


@contextmanager
def as_events(
    log: str | Path | pd.DataFrame, spec: PathSpec, spill: str | Path | None = None
) -> Iterator[str | Path | pd.DataFrame]:
    """An export of GA4 as an event log, which is removed afterwards; any other log as it is."""
    if isinstance(log, pd.DataFrame) or not ga4.is_export(source.header(log)):
        yield log
        return
    with spill_folder(spill) as folder:
        place = folder / "ga4.parquet"
        with source.connect() as connection, worked_through(log):
            limit(connection, folder, MEMORY)
            ga4.convert(connection, log, place, spec)
        with called(place, str(log)):
            yield place


@contextmanager
def called(ours: Path, name: str) -> Iterator[None]:
    """Let problems of a file of ours name what the user gave in its place."""
    try:
        yield
    except DataError as error:
        raise DataError([replace(p, file=name if p.file == str(ours) else p.file) for p in error.problems]) from None


def _as_file(table: str | Path | pd.DataFrame, place: Path) -> str | Path:
    """A frame by way of a parquet file, so that it obeys the very rules of one; problems name its rows from 1."""
    if not isinstance(table, pd.DataFrame):
        return table
    try:
        table.to_parquet(place, index=False)
    except (pa.ArrowException, ValueError, TypeError, OSError) as error:
        words = no_room(error) or f"cannot be read as a table: {shown(error, 200)}"
        raise DataError(f"the frame {words}") from None
    return place


def _read(
    log: str | Path, spec: PathSpec, channels: Sequence[str], persons: str | Path | None, memory: str, folder: Path
) -> Paths:
    header = source.header(log)
    if "path" in header and "user_id" not in header:
        if persons is not None:
            raise DataError("aggregated paths have no users, so an identity map cannot be applied to them")
        return aggregated.read(log, spec, channels)
    with source.connect() as connection:
        limit(connection, folder, memory)
        place = folder / "ga4.parquet"
        with called(place, str(log)), worked_through(log):
            extra: dict[str, int] = {}
            if ga4.is_export(header):
                extra, log = ga4.convert(connection, log, place, spec), place
            if persons is not None:
                identity_map.load(connection, persons)
            return _from_log(connection, log, spec, channels, persons is not None, extra)


def limit(connection: "DuckDBPyConnection", folder: Path, memory: str) -> None:
    """Let a connection hold so much, and spill the rest to a folder."""
    connection.execute(f"SET temp_directory = {_quoted(folder / 'memory')}")
    connection.execute(f"SET memory_limit = {_quoted(memory)}")


@contextmanager
def worked_through(log: str | Path) -> Iterator[None]:
    """Turn a full disk, too little memory and damaged pages into a `DataError` about the log."""
    import duckdb

    try:
        with interruptible():
            yield
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.InternalException, duckdb.ParserException):
        raise  # ours to mend
    except (duckdb.Error, pa.ArrowException, MemoryError, OSError) as error:
        room = no_room(error)
        words = room or f"could not be worked through: {shown(str(error).partition('\n')[0], 300)}"
        raise DataError([Problem(words, str(log), code="no-room" if room else "unreadable")]) from None


def _quoted(text: object) -> str:
    return "'" + str(text).replace("'", "''") + "'"


def _from_log(
    connection: "DuckDBPyConnection",
    log: str | Path,
    spec: PathSpec,
    channels: Sequence[str],
    mapped: bool,
    extra: Mapping[str, int],
) -> Paths:
    loaded, profile = looked_through(connection, log, spec, mapped, extra)
    codes = codes_of(profile, spec)
    clock = clock_of(profile, spec, codes.bits, profile.whole_seconds)
    connection.execute(f"SET VARIABLE all_known = {'false' if any(profile.nobody) else 'true'}")
    connection.execute("SET preserve_insertion_order = false")
    order = _sql("sorted_by_second" if clock.tick == SECOND else "sorted")
    found, tally = built(connection, f"WITH coded AS ({_sql('coded')}) {order}", codes, clock, spec)
    no_touch = found.users.no_touch.sum(axis=1)
    said = findings.of_log(profile, tally, float(no_touch[0]), spec, channels)
    return table_of(found, codes.names, no_touch, profile, spec, tally, [*_mild(loaded), *said])


def looked_through(
    connection: "DuckDBPyConnection",
    log: str | Path,
    spec: PathSpec,
    mapped: bool = False,
    extra: Mapping[str, int] | None = None,
) -> tuple[Loaded, Profile]:
    """Load a log, make the view ``events`` of what ``spec`` asks for, and count what is in it.

    Raises:
        DataError: With everything that breaks the contract.
    """
    loaded = source.load(connection, TOUCHPOINTS, log, "touchpoints")
    if not loaded.complete:
        refuse(source.ordered(loaded.problems))
    chosen = _choose(loaded, spec, mapped)
    profile = replace(_profile(connection, not mapped and loaded.filled("user_id")), extra={**(extra or {}), **chosen})
    refuse(source.ordered([*loaded.problems, *_broken(loaded, profile, spec)]))
    return loaded, profile


def _choose(loaded: Loaded, spec: PathSpec, mapped: bool) -> dict[str, int]:
    """Make the view ``events``: the rows, users and names that ``spec`` asks for; and count what that changes."""
    connection, columns = loaded.connection, loaded.aliases
    extra: dict[str, int] = {}
    absent = [
        Problem(f"is missing, and {asked} asks for it{did_you_mean(name, columns)}", column=name, code="missing-column")
        for name, asked, wanted in (
            ("campaign", "grain = 'campaign'", spec.grain == "campaign"),
            ("geo", "'geos'", bool(spec.geos)),
        )
        if wanted and name not in columns
    ]
    if absent:
        refuse(source.ordered([*loaded.problems, *absent]))
    rows = ""
    if mapped:
        extra |= identity_map.counts(connection)
        rows += "LEFT JOIN persons ON touchpoints.user_id = persons.user_id "
    if spec.geos:
        connection.register("markets", pa.table({"geo": list(spec.geos)}))
        there = [geo for (geo,) in connection.execute(_sql("geos")).fetchall()]
        refuse(unknown_geos(there, spec))
        ((extra["other_geos"],),) = connection.execute(_sql("other_geos")).fetchall()
        rows += "WHERE geo IN (SELECT geo FROM markets)"
    pieces = {
        "user": "coalesce(person, touchpoints.user_id)" if mapped else "user_id",
        "channel": _sql("channel_and_campaign") if spec.grain == "campaign" else "channel",
        "value": "value" if "value" in columns else "NULL::DOUBLE",
        "rows": rows,
    }
    connection.execute(_sql("events").format(**pieces))
    return extra


def _mild(loaded: Loaded) -> list[Problem]:
    return [problem for problem in loaded.problems if problem.level != "error"]


@cache
def _statements() -> dict[str, str]:
    text = files("attribution").joinpath("paths.sql").read_text(encoding="utf-8")
    pieces = (piece.partition("\n") for piece in text.split("-- name: ")[1:])
    return {name.strip(): body for name, _, body in pieces}


def _sql(name: str) -> str:
    return _statements()[name]


def _profile(connection: "DuckDBPyConnection", all_known: bool) -> Profile:
    """Counts over the events; those without a user are looked for unless all are known to have one."""
    asked = {name: connection.execute(_sql(name)).fetchall() for name in ("profile", "days")}
    days = [tuple(counts) for *counts, _ in asked["days"]]
    lone = [] if all_known else connection.execute(_sql("without_user")).fetchall()
    nobody = {(channel, event): rows for channel, event, rows in lone}
    groups = {
        (channel, event): (*counts, nobody.get((channel, event), 0)) for channel, event, *counts in asked["profile"]
    }
    return Profile(groups, days, whole_seconds=all(whole for *_, whole in asked["days"]))


def _broken(loaded: Loaded, profile: Profile, spec: PathSpec) -> list[Problem]:
    """What breaks the rules that go beyond single values."""
    problems = []
    touches = {key: group for key, group in profile.groups.items() if key[1] != "conversion"}
    if any(not (name or "").strip(" ") for name, _ in touches):
        words = "is blank; every click and impression needs a channel"
        problems += _at(loaded, "blank_channel", words, "blank", "channel")
    if any(group[2] for group in touches.values()):
        words = "a click or impression has a value; only conversions have one"
        problems += _at(loaded, "value_without_conversion", words, "value-without-conversion", "value")
    judged = not any(problem.column == "value" for problem in loaded.problems)
    if judged and 0 < profile.valued < profile.conversions:
        words = "is blank; where conversions have values all of them need one (0 where it brought nothing)"
        problems += _at(loaded, "conversion_without_value", words, "conversion-without-value", "value")
    return problems + unusable_names(profile, spec)


def _at(loaded: Loaded, statement: str, words: str, code: str, column: str) -> list[Problem]:
    rows = [row for (row,) in loaded.connection.execute(_sql(statement)).fetchall()]
    return loaded.at(rows, words, code, column)


def _code_table(codes: Codes) -> pa.Table:
    """One row per channel and event, as the statement ``sorted`` joins it."""
    rows = [{"channel": channel, "event": event, "code": code} for (channel, event), code in codes.of.items()]
    schema = pa.schema([("channel", pa.string()), ("event", pa.string()), ("code", pa.int64())])
    return pa.Table.from_pylist(rows, schema)


def built(
    connection: "DuckDBPyConnection", statement: str, codes: Codes, clock: Clock, spec: PathSpec
) -> tuple[distinct.Distinct, Tally]:
    """Distinct paths of the events that a statement ``sorted`` gives over the table ``codes``, and what was counted."""
    connection.register("codes", _code_table(codes))
    room = clock.span.bit_length() + codes.bits
    layout = {"origin": clock.origin, "tick": clock.tick, "bits": codes.bits, "room": room, "spare": min(63 - room, 32)}
    for name, number in layout.items():
        connection.execute(f"SET VARIABLE {name} = {number:d}::BIGINT")
    batches = connection.sql(statement).to_arrow_reader(min(BATCH, CHUNK))
    tally, parts, exposure = Tally(), [], Exposure()
    for events in whole_users(batches, codes.kinds, codes.channels, codes.bits, room, CHUNK):
        made = build(events, clock, spec, codes.direct)
        parts.append(distinct.of(made))
        exposure.add(made.exposed)
        tally += made.tally
    found = distinct.merge(parts or [distinct.of(nothing(tally))])
    cell, group, touches = exposure.sums()
    users = replace(found.users, exposed=cell, exposed_group=group, exposed_touches=touches)
    return replace(found, users=users), tally
