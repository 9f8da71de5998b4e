"""Read an event log, or a table of aggregated paths, into distinct paths.

The log stays in DuckDB, which spills to disk what does not fit: it judges the rows, packs time, event and channel of
each into one integer, and sorts by user and that. Numpy cuts the sorted stream into journeys a million rows at a time
(`attribution.journeys`) and counts distinct paths (`attribution.distinct`); memory does not grow with the log.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from attribution import aggregated, distinct, findings
from attribution.findings import Profile, day_of
from attribution.journeys import CLICK, CONVERSION, IMPRESSION, Clock, Events, Tally, build
from attribution.path_spec import DIRECT_NAMES, SECONDS_PER_DAY, PathSpec
from attribution.path_table import NO_TOUCH, Paths
from attribution.stream import whole_users
from measurement.errors import DataError, Problem, refuse, shown
from measurement.reading import source
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
    ),
)
KINDS = {"click": CLICK, "impression": IMPRESSION, "conversion": CONVERSION}
CHUNK = 1 << 20
"""Rows that are cut into journeys at once."""
MEMORY = "1GB"
"""What DuckDB may hold before it spills to disk."""
MOST_CHANNELS = 30_000
DAY = SECONDS_PER_DAY * 1_000_000


@dataclass(frozen=True, slots=True)
class _Codes:
    """The integer code of every channel and event: touches before conversions, then by channel name.

    Attributes:
        names: Channel names, sorted, aliases applied.
        table: Columns ``channel, event, code`` over the names in the log; '' for a conversion.
        kinds: Kind of event of each code.
        channels: Channel position of each code.
    """

    names: tuple[str, ...]
    table: pa.Table
    kinds: NDArray[np.uint8]
    channels: NDArray[np.uint16]

    @property
    def bits(self) -> int:
        """Bits that hold a code."""
        return max(len(self.kinds) - 1, 1).bit_length()


def read_paths(
    log: str | Path | pd.DataFrame,
    spec: PathSpec | None = None,
    aliases: Mapping[str, str] | None = None,
    *,
    channels: Sequence[str] = (),
    memory: str = MEMORY,
) -> Paths:
    """Read an event log or a table of aggregated paths; a column ``path`` tells the two apart.

    Args:
        log: Csv or parquet (a path, or a glob of many files, also larger than memory), or a frame. Events:
            ``user_id, timestamp, channel, event`` (click, impression, conversion), ``value``. Aggregated paths:
            ``path`` (channels joined by `` > ``), ``conversions, value, nulls``.
        spec: The choices; ``None`` for the defaults.
        aliases: Other names of channels, mapped to their names; added to those of ``spec``.
        channels: Names that are known; others are reported, and kept under their own name.
        memory: What DuckDB may hold before it spills to disk (to a folder that is removed afterwards).

    Returns:
        The distinct paths. The order of rows and files does not change them; ties in time go by channel name.

    Raises:
        DataError: With file, line and column of everything that breaks the contract.
    """
    spec = (spec or PathSpec()).with_aliases(aliases or {})
    with tempfile.TemporaryDirectory(prefix="theodolite-") as folder:
        if not isinstance(log, pd.DataFrame):
            return _read(log, source.header(log), spec, channels, memory, Path(folder))
        # by way of a parquet file, so that a frame obeys the very rules of a file; problems name its rows from 1
        place = Path(folder) / "frame.parquet"
        try:
            log.to_parquet(place, index=False)
        except (pa.ArrowException, ValueError, TypeError) as error:
            raise DataError(f"the frame cannot be read as a table: {shown(error, 200)}") from None
        try:
            return _read(place, [str(name) for name in log.columns], spec, channels, memory, Path(folder))
        except DataError as error:
            raise DataError([replace(p, file="frame" if p.file else None) for p in error.problems]) from None


def _read(
    log: str | Path, header: Sequence[str], spec: PathSpec, channels: Sequence[str], memory: str, folder: Path
) -> Paths:
    if "path" in header and "user_id" not in header:
        return aggregated.read(log, spec, channels)
    import duckdb

    with source.connect() as connection:
        connection.execute(f"SET temp_directory = {_quoted(folder / 'spill')}")
        connection.execute(f"SET memory_limit = {_quoted(memory)}")
        try:
            return _from_log(connection, log, spec, channels)
        except (duckdb.BinderException, duckdb.CatalogException, duckdb.InternalException, duckdb.ParserException):
            raise  # ours to mend
        except duckdb.Error as error:  # a full disk, too little memory, damaged pages
            first = shown(str(error).partition("\n")[0], 300)
            raise DataError([Problem(f"could not be worked through: {first}", str(log), code="unreadable")]) from None


def _quoted(text: object) -> str:
    return "'" + str(text).replace("'", "''") + "'"


def _from_log(connection: "DuckDBPyConnection", log: str | Path, spec: PathSpec, channels: Sequence[str]) -> Paths:
    loaded = source.load(connection, TOUCHPOINTS, log, "touchpoints")
    if not loaded.complete:
        refuse(source.ordered(loaded.problems))
    connection.execute(_sql("events_with_value" if "value" in loaded.aliases else "events_without_value"))
    profile = _profile(connection)
    refuse(source.ordered([*loaded.problems, *_broken(loaded, profile, spec)]))
    codes = _codes(profile, spec)
    clock = _clock(profile, spec, codes.bits)
    direct = np.array([name.casefold() in DIRECT_NAMES for name in codes.names], dtype=bool)
    tally, no_touch, parts = Tally(), np.zeros(3), []
    for events in _events(connection, codes, clock, not any(profile.nobody)):
        made = build(events, clock, spec, direct)
        parts.append(distinct.of(made))
        tally, no_touch = tally + made.tally, no_touch + made.no_touch
    found = distinct.merge(parts)
    said = findings.of_log(profile, tally, float(no_touch[0]), spec, channels)
    return _table(found, codes.names, no_touch, profile, spec, tally, [*_mild(loaded), *said])


def _mild(loaded: Loaded) -> list[Problem]:
    return [problem for problem in loaded.problems if problem.level != "error"]


def _table(
    found: distinct.Distinct,
    names: tuple[str, ...],
    no_touch: NDArray[np.float64],
    profile: Profile,
    spec: PathSpec,
    tally: Tally,
    said: Sequence[Problem],
) -> Paths:
    lost = len(found.nulls) - found.converting
    rest = np.zeros(len(found.channel) - len(found.decay))
    valued = profile.valued > 0
    counts = {"events": profile.rows, "conversions": profile.conversions, **asdict(tally)}
    counts.pop("timed")
    return Paths(
        channels=names,
        touches=found.channel.astype(np.int32),
        offsets=found.offsets,
        conversions=np.concatenate([found.conversions, np.zeros(lost)]),
        nulls=found.nulls,
        value=np.concatenate([found.value, np.zeros(lost)]) if valued else None,
        squares=np.concatenate([found.squares, np.zeros(lost)]) if valued else None,
        decay=np.concatenate([found.decay, rest]),
        decay_value=np.concatenate([found.decay_value, rest]),
        no_touch=(float(no_touch[0]), float(no_touch[1]), float(no_touch[2])),
        window=_window(profile, spec),
        spec=spec,
        counts=counts,
        findings=tuple(said),
    )


@cache
def _statements() -> dict[str, str]:
    text = files("attribution").joinpath("paths.sql").read_text(encoding="utf-8")
    pieces = (piece.partition("\n") for piece in text.split("-- name: ")[1:])
    return {name.strip(): body for name, _, body in pieces}


def _sql(name: str) -> str:
    return _statements()[name]


def _profile(connection: "DuckDBPyConnection") -> Profile:
    groups = {
        (channel, event): tuple(counts) for channel, event, *counts in connection.execute(_sql("profile")).fetchall()
    }
    return Profile(groups, connection.execute(_sql("days")).fetchall())


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
    aliases = dict(spec.aliases)
    if any(aliases.get(name, name) == NO_TOUCH for name in profile.names):
        message = (
            f"no channel can be called '{NO_TOUCH}': it names conversions that no touch preceded; give it an alias"
        )
        problems.append(Problem(message, column="channel", code="reserved-name"))
    if len(profile.names) > MOST_CHANNELS:
        message = f"holds {len(profile.names):,} different names, at most {MOST_CHANNELS:,} are channels; is it an id?"
        problems.append(Problem(message, column="channel", code="too-many-channels"))
    return problems


def _at(loaded: Loaded, statement: str, words: str, code: str, column: str) -> list[Problem]:
    rows = [row for (row,) in loaded.connection.execute(_sql(statement)).fetchall()]
    return loaded.at(rows, words, code, column)


def _codes(profile: Profile, spec: PathSpec) -> _Codes:
    aliases = dict(spec.aliases)
    raw = profile.names
    names = tuple(sorted({aliases.get(name, name) for name in raw}))
    place = {name: i for i, name in enumerate(names)}
    positions = [place[aliases.get(name, name)] for name in raw]
    columns = {
        "channel": [*raw, *raw, ""],
        "event": ["click"] * len(raw) + ["impression"] * len(raw) + ["conversion"],
        "code": [2 * p for p in positions] + [2 * p + 1 for p in positions] + [2 * len(names)],
    }
    kinds = np.append(np.tile([CLICK, IMPRESSION], len(names)), CONVERSION).astype(np.uint8)
    channels = np.append(np.repeat(np.arange(len(names)), 2), 0).astype(np.uint16)
    schema = pa.schema([("channel", pa.string()), ("event", pa.string()), ("code", pa.int64())])
    return _Codes(names, pa.table(columns, schema=schema), kinds, channels)


def _clock(profile: Profile, spec: PathSpec, bits: int) -> Clock:
    """Microseconds where a key has room for them over the whole log, else milliseconds."""
    body = profile.body()
    origin = profile.days[0][2]
    tick = 1 if (profile.days[-1][3] - origin).bit_length() + bits < 63 else 1_000
    limits = np.iinfo(np.int64)

    def moment(day: date | None, otherwise: int) -> int:
        return otherwise if day is None else ((day - date(1970, 1, 1)).days * DAY - origin) // tick

    first = moment(spec.start, int(limits.min))
    last = moment(spec.end and spec.end + timedelta(days=1), int(limits.max)) - 1
    window = _window(profile, spec)
    if window[0] > day_of(body[-1][0]) or window[1] < day_of(body[0][0]):
        covered = f"{day_of(body[0][0])} to {day_of(body[-1][0])}"
        message = f"no event lies between {window[0]} and {window[1]}: the log runs from {covered}"
        raise DataError([Problem(message, column="timestamp", code="empty-window")])
    return Clock(origin, tick, (body[-1][3] - origin) // tick, first, last)


def _window(profile: Profile, spec: PathSpec) -> tuple[date, date]:
    body = profile.body()
    return spec.start or day_of(body[0][0]), spec.end or day_of(body[-1][0])


def _events(connection: "DuckDBPyConnection", codes: _Codes, clock: Clock, all_known: bool) -> Iterator[Events]:
    connection.register("codes", codes.table)
    for name, number in (("origin", clock.origin), ("tick", clock.tick), ("bits", codes.bits)):
        connection.execute(f"SET VARIABLE {name} = {number:d}::BIGINT")
    connection.execute(f"SET VARIABLE all_known = {'true' if all_known else 'false'}")
    connection.execute("SET preserve_insertion_order = false")
    batches = connection.sql(_sql("sorted")).to_arrow_reader(CHUNK)
    return whole_users(batches, codes.kinds, codes.channels, codes.bits, CHUNK)
