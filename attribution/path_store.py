"""Paths that grow day by day: new events are added to a file of finished journeys and open tails.

A user's events fall into *chains*, parted by silences longer than every lookback: no rule looks across one. Chains that
no later event can join are finished: their distinct paths add up. The events of the others are kept, users by their
hashes, until they are finished too. So adding days one by one gives the table that reading all of them at once gives.
The file is replaced whole or not at all. It holds personal data (hashed ids, times): keep it in the workspace.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from importlib.resources import files
from pathlib import Path
from tokenize import TokenError  # what NumPy lets through where an array's header is damaged
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from attribution import ages, distinct, findings, ga4
from attribution import paths as whole
from attribution.event_log import Codes, clock_of, codes_of, table_of, unusable_names
from attribution.events import Clock, Tally
from attribution.findings import Profile
from attribution.path_spec import PathSpec
from attribution.path_table import Paths
from attribution.spill import alone, spill_folder
from attribution.users import GROUPS, Users
from measurement.errors import DataError, Problem, refuse, shown
from measurement.provenance import versions
from measurement.reading import source
from measurement.typing import Floats
from measurement.whole_file import whole_file

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_EVENT = pa.schema(
    [
        ("user", pa.uint64()),
        ("twin", pa.uint32()),
        ("moment", pa.int64()),
        ("channel", pa.string()),
        ("event", pa.string()),
        ("value", pa.float64()),
    ]
)
_USER = pa.schema(
    [
        ("user", pa.uint64()),
        ("twin", pa.uint32()),
        ("touches", pa.int64()),
        ("sales", pa.int64()),
        ("since", pa.int64()),
        ("entered", pa.int64()),
    ]
)
_ARRAYS = [each.name for each in fields(distinct.Distinct) if each.name not in ("converting", "users")]


@dataclass(frozen=True, eq=False)
class _State:
    """What the file holds.

    Attributes:
        profile: Counts over all events so far.
        names: Channel names of ``finished``.
        finished: Distinct paths of the finished chains.
        tally: What was counted in them.
        tails: Events of the open chains.
        users: Touches and conversions of every user, the moment of the first event, and the conversions at that moment
            where there was no touch.
    """

    profile: Profile
    names: tuple[str, ...]
    finished: distinct.Distinct
    tally: Tally
    tails: pa.Table
    users: pa.Table


class PathStore:
    """A path table in a file, to which days are added.

    Attributes:
        file: The file; it need not be there.
        spec: The choices.
    """

    def __init__(self, file: str | Path, spec: PathSpec | None = None) -> None:
        """See the class.

        Raises:
            DataError: Where users are left out as bots, which would have to take back what was added before.
        """
        self.file = Path(file)
        self.spec = spec or PathSpec()
        if self.spec.bots == "drop":
            words = (
                "'drop' looks at all that a user ever did, so days cannot be added one by one: read all logs at once"
            )
            raise DataError([Problem(words, column="bots", code="not-additive")])

    def extend(self, log: str | Path, *, memory: str = whole.MEMORY) -> None:
        """Add events, all later than those that are there; the file is replaced once all is done.

        What does not fit into memory, and the draft of the file, lie in a folder beside it until then; one that a
        killed run left is removed by the next.

        Args:
            log: As in `read_paths`, but for aggregated paths and exports of GA4.
            memory: What DuckDB may hold before it spills to disk.

        Raises:
            DataError: Where the log breaks its contract, begins before the end of what is there, or has a wrong clock;
                the disk is full, the file damaged, or another addition to a store in this folder is under way.
        """
        header = source.header(log)
        if "path" in header or ga4.is_export(header):
            raise DataError([Problem("only an event log can be added day by day", str(log), code="no-log")])
        folder = self.file.absolute().parent
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder, "events to a path store"), spill_folder(folder) as spilled, source.connect() as connection:
            before = self._read() if self.file.exists() else None
            whole.limit(connection, spilled, memory)
            with whole.worked_through(log):
                state = _extended(connection, log, self.spec, before)
            with whole_file(self.file, "the path store", folder=spilled) as draft:
                _write(draft, state, self.spec)

    def paths(self, channels: Sequence[str] = ()) -> Paths:
        """The table of all events so far, equal to that of `read_paths` on all logs at once.

        Args:
            channels: Names that are known; others are reported.

        Raises:
            DataError: Where nothing was added yet, or the file is damaged or of other choices.
        """
        state = self._read()
        codes = codes_of(state.profile, self.spec)
        clock = _clock(state.profile, self.spec, codes)
        with source.connect() as connection:
            connection.register("chosen", state.tails)
            tails, more = whole.built(connection, _statements()["sorted"], codes, clock, self.spec)
        found = distinct.merge([state.finished, tails])
        watched, entered = _entries(state.users, clock)
        found = replace(found, users=replace(found.users, watched=watched, entered=entered))
        touches, sales = (state.users[name].to_numpy() for name in ("touches", "sales"))
        bots = touches > self.spec.bot_touches
        tally = replace(
            state.tally + more,
            users=len(touches),
            bot_users=int(bots.sum()),
            bot_touches=int(touches[bots].sum()),
            bot_conversions=int(sales[bots].sum()),
        )
        no_touch = found.users.no_touch.sum(axis=1)
        said = findings.of_log(state.profile, tally, float(no_touch[0]), self.spec, channels)
        return table_of(found, codes.names, no_touch, state.profile, self.spec, tally, said)

    def _read(self) -> _State:
        try:
            with self.file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
                told = json.loads(arrays["told"].tobytes())
                refuse(_other(told, self.spec, str(self.file)))
                return _state(told, arrays)
        except FileNotFoundError:
            raise DataError([Problem("is not there: add events first", str(self.file), code="no-store")]) from None
        except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error, TokenError, SyntaxError) as error:
            words = f"is no path store, or a damaged one: {shown(error, 100)}; delete it and add all logs again"
            raise DataError([Problem(words, str(self.file), code="damaged")]) from None


def _entries(users: pa.Table, clock: Clock) -> tuple[Floats, Floats]:
    """Since when users were watched, and with how many conversions they came, by group; chains do not know that."""
    group = users["user"].to_numpy() % np.uint64(GROUPS)
    since = users["since"].to_numpy() - clock.origin
    inside = (since >= clock.first) & (since <= clock.last)
    entered = np.where(inside, users["entered"].to_numpy(), 0)
    return np.bincount(group, clock.watched(since), GROUPS), np.bincount(group, entered, GROUPS)


def _extended(connection: "DuckDBPyConnection", log: str | Path, spec: PathSpec, before: _State | None) -> _State:
    _, profile = whole.looked_through(connection, log, spec)
    if before is not None:
        newest = before.profile.days[-1][3]
        if profile.days[0][2] <= newest:
            end, begin = (np.datetime64(each, "us") for each in (newest, profile.days[0][2]))
            words = f"begins at {begin}, not after the events that are there, which end at {end}; read all logs anew"
            raise DataError([Problem(words, str(log), column="timestamp", code="not-later")])
        profile = _added(before.profile, profile)
    refuse(unusable_names(profile, spec))
    if len(profile.body()) != len(profile.days):
        words = "a few events lie far from all others (a wrong clock?), so no end of the log is known: take them out"
        raise DataError([Problem(words, str(log), column="timestamp", code="stray-clock")])
    statements = _statements()
    connection.execute(statements["hashed"])
    connection.execute(statements["seen_once" if spec.duplicates == "drop" else "seen_all"])
    connection.register("users_before", _USER.empty_table() if before is None else before.users)
    connection.register("tails_before", _EVENT.empty_table() if before is None else before.tails)
    users = connection.sql(statements["users"]).to_arrow_table().cast(_USER)
    silence = max(spec.lookback_days * 1_440, spec.session_gap_minutes, 1.0) * 60_000_000
    for name, number in (("silence", int(silence)), ("newest", profile.days[-1][3])):
        connection.execute(f"SET VARIABLE {name} = {number:d}::BIGINT")
    connection.execute(statements["parted"])
    connection.execute("CREATE TEMP VIEW chosen AS SELECT * FROM parted WHERE NOT is_open")
    codes = codes_of(profile, spec)
    finished, tally = whole.built(connection, statements["sorted"], codes, _clock(profile, spec, codes), spec)
    if before is not None:
        finished = distinct.merge([_renamed(before, codes.names), finished])
        tally += before.tally
    tails = connection.sql(statements["tails"]).to_arrow_table().cast(_EVENT)
    return _State(profile, codes.names, finished, tally, tails, users)


def _clock(profile: Profile, spec: PathSpec, codes: Codes) -> Clock:
    clock = clock_of(profile, spec, codes.bits)
    if clock.tick != 1:
        words = "spans more years and channels than times to the microsecond have room for: read all logs at once"
        raise DataError([Problem(words, column="timestamp", code="too-long")])
    return clock


def _added(one: Profile, other: Profile) -> Profile:
    groups = dict(one.groups)
    for key, counts in other.groups.items():
        had = groups.get(key, (0, 0, 0, 0))
        groups[key] = (had[0] + counts[0], had[1] + counts[1], had[2] + counts[2], had[3] + counts[3])
    days = {day[0]: day for day in one.days}
    for day, rows, first, last in other.days:
        had_day = days.get(day, (day, 0, first, last))
        days[day] = (day, had_day[1] + rows, min(had_day[2], first), max(had_day[3], last))
    extra = {name: one.extra.get(name, 0) + other.extra.get(name, 0) for name in {*one.extra, *other.extra}}
    return Profile(groups, [days[day] for day in sorted(days)], extra)


def _renamed(state: _State, names: Sequence[str]) -> distinct.Distinct:
    """The finished paths with channels by their positions in a longer list of names."""
    place = {name: i for i, name in enumerate(names)}
    new = np.array([place[name] for name in state.names], dtype=np.int64)
    users = state.finished.users
    step, spell = np.divmod(users.exposed, ages.BINS)
    cell = ((new[step // 2] * 2 + step % 2) * ages.BINS + spell).astype(np.int32)
    channel = new[state.finished.channel].astype(np.uint16)
    return replace(state.finished, channel=channel, users=replace(users, exposed=cell))


def _write(place: Path, state: _State, spec: PathSpec) -> None:
    told = {
        "spec": spec.sha256,
        "duckdb": duckdb.__version__,
        "versions": versions(),
        "names": state.names,
        "groups": [[*key, *counts] for key, counts in state.profile.groups.items()],
        "days": [list(day) for day in state.profile.days],
        "extra": dict(state.profile.extra),
        "tally": asdict(state.tally),
        "converting": state.finished.converting,
        "tail_names": (tail_names := sorted(set(state.tails["channel"].to_pylist()))),
    }
    at = {name: i for i, name in enumerate(tail_names)}
    kinds = {"click": 0, "impression": 1, "conversion": 2}
    arrays: dict[str, NDArray[Any]] = {name: getattr(state.finished, name) for name in _ARRAYS}
    arrays |= {f"users_{each.name}": getattr(state.finished.users, each.name) for each in fields(Users)}
    arrays |= {f"tail_{name}": state.tails[name].to_numpy() for name in ("user", "twin", "moment", "value")}
    arrays["tail_channel"] = np.array([at[name] for name in state.tails["channel"].to_pylist()], dtype=np.uint16)
    arrays["tail_event"] = np.array([kinds[name] for name in state.tails["event"].to_pylist()], dtype=np.uint8)
    arrays |= {f"user_{name}": state.users[name].to_numpy() for name in _USER.names}
    arrays["told"] = np.frombuffer(json.dumps(told).encode(), dtype=np.uint8)
    with place.open("wb") as opened:
        np.savez(opened, **arrays)  # type: ignore[arg-type]


def _other(told: Mapping[str, Any], spec: PathSpec, file: str) -> list[Problem]:
    """What makes a file one that cannot be added to."""
    found = []
    if told["spec"] != spec.sha256:
        found.append(Problem("was made with another path specification; name another file", file, code="other-spec"))
    if told["duckdb"] != duckdb.__version__:
        words = f"was made with DuckDB {shown(told['duckdb'])}, which may hash users otherwise; add all logs anew"
        found.append(Problem(words, file, code="other-version"))
    return found


def _state(told: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> _State:
    groups = {(channel, event): tuple(counts) for channel, event, *counts in told["groups"]}
    profile = Profile(groups, [tuple(day) for day in told["days"]], told["extra"])
    users = Users(**{each.name: arrays[f"users_{each.name}"] for each in fields(Users)})
    own = {name: arrays[name] for name in _ARRAYS}
    finished = distinct.Distinct(**own, converting=int(told["converting"]), users=users)
    names, kinds = np.array(told["tail_names"], dtype=object), np.array(["click", "impression", "conversion"])
    tails = {name: arrays[f"tail_{name}"] for name in ("user", "twin", "moment")}
    value = arrays["tail_value"]
    columns = {
        **tails,
        "channel": names[arrays["tail_channel"]] if len(names) else [],
        "event": kinds[arrays["tail_event"]].astype(object),
        "value": pa.array(value, pa.float64(), mask=np.isnan(value)),
    }
    table = pa.table(columns, schema=_EVENT)
    people = pa.table({name: arrays[f"user_{name}"] for name in _USER.names}, schema=_USER)
    return _State(profile, tuple(told["names"]), finished, Tally(**told["tally"]), table, people)


def _statements() -> dict[str, str]:
    text = files("attribution").joinpath("path_store.sql").read_text(encoding="utf-8")
    pieces = (piece.partition("\n") for piece in text.split("-- name: ")[1:])
    return {name.strip(): body for name, _, body in pieces}
