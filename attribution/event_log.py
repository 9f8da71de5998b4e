"""What every engine that builds paths shares: the codes of channels and events, the log's clock, the finished table."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from attribution import distinct
from attribution.events import CLICK, CONVERSION, IMPRESSION, SECOND, Clock, Tally
from attribution.findings import Profile, day_of
from attribution.path_spec import SECONDS_PER_DAY, PathSpec
from attribution.path_table import BASELINE, NO_TOUCH, Paths
from attribution.taxonomy import is_direct, names_of
from measurement.errors import DataError, Problem, did_you_mean, shown
from measurement.typing import Bools

KINDS = {"click": CLICK, "impression": IMPRESSION, "conversion": CONVERSION}
MOST_CHANNELS = 30_000
HALF_KEY = 32
DAY = SECONDS_PER_DAY * SECOND


@dataclass(frozen=True, slots=True)
class Codes:
    """The integer code of every channel and event: touches before conversions, then by channel name.

    Attributes:
        names: Channel names, sorted, aliases applied.
        of: Code of every (channel, event) in the log; also of ('', conversion), whatever channels conversions name.
        kinds: Kind of event of each code.
        channels: Channel position of each code.
    """

    names: tuple[str, ...]
    of: Mapping[tuple[str | None, str], int]
    kinds: NDArray[np.uint8]
    channels: NDArray[np.uint16]

    @property
    def bits(self) -> int:
        """Bits that hold a code."""
        return max(len(self.kinds) - 1, 1).bit_length()

    @property
    def direct(self) -> Bools:
        """Per channel, whether it is direct traffic."""
        return np.array([is_direct(name) for name in self.names], dtype=bool)


def codes_of(profile: Profile, spec: PathSpec) -> Codes:
    """The codes of a log's channels, aliases applied."""
    raw = profile.names
    ours = names_of(raw, spec)
    names = tuple(sorted(set(ours)))
    place = {name: i for i, name in enumerate(names)}
    positions = [place[name] for name in ours]
    named = {channel for channel, event in profile.groups if event == "conversion"}
    of: dict[tuple[str | None, str], int] = {(channel, "conversion"): 2 * len(names) for channel in {"", *named}}
    for name, position in zip(raw, positions, strict=True):
        of |= {(name, "click"): 2 * position, (name, "impression"): 2 * position + 1}
    kinds = np.append(np.tile([CLICK, IMPRESSION], len(names)), CONVERSION).astype(np.uint8)
    channels = np.append(np.repeat(np.arange(len(names)), 2), 0).astype(np.uint16)
    return Codes(names, of, kinds, channels)


def clock_of(profile: Profile, spec: PathSpec, bits: int, seconds: bool = False) -> Clock:
    """The log's clock: microseconds where a key of 64 bits has room for them over the whole log, else milliseconds.

    Args:
        profile: The log's profile.
        spec: The choices.
        bits: Bits that hold the code of a channel and event.
        seconds: Whether to count by seconds where nothing is lost by it and they take, with a code, half a key.

    Raises:
        DataError: Where no event lies in the period asked for.
    """
    body = profile.body()
    origin = profile.days[0][2]
    span = profile.days[-1][3] - origin
    tick = 1 if span.bit_length() + bits < 63 else 1_000
    if seconds and spec.in_seconds and (span // SECOND).bit_length() + bits <= HALF_KEY:
        tick = SECOND
    limits = np.iinfo(np.int64)

    def moment(day: date | None, otherwise: int) -> int:
        return otherwise if day is None else ((day - date(1970, 1, 1)).days * DAY - origin) // tick

    first = moment(spec.start, int(limits.min))
    last = moment(spec.end and spec.end + timedelta(days=1), int(limits.max)) - 1
    window = window_of(profile, spec)
    if window[0] > day_of(body[-1][0]) or window[1] < day_of(body[0][0]):
        covered = f"{day_of(body[0][0])} to {day_of(body[-1][0])}"
        message = f"no event lies between {window[0]} and {window[1]}: the log runs from {covered}"
        raise DataError([Problem(message, column="timestamp", code="empty-window")])
    return Clock(origin, tick, (body[-1][3] - origin) // tick, first, last, span // tick)


def window_of(profile: Profile, spec: PathSpec) -> tuple[date, date]:
    """First and last day that the journeys' ends cover."""
    body = profile.body()
    return spec.start or day_of(body[0][0]), spec.end or day_of(body[-1][0])


def unknown_geos(there: Sequence[str], spec: PathSpec) -> list[Problem]:
    """Geos that are asked for and have no event."""
    return [
        Problem(f"no event is of geo '{shown(geo)}'{did_you_mean(geo, there)}", column="geo", code="unknown-geo")
        for geo in spec.geos
        if geo not in there
    ]


def unusable_names(profile: Profile, spec: PathSpec) -> list[Problem]:
    """What is wrong with the channel names as a whole."""
    problems = []
    reserved = {
        NO_TOUCH: "conversions that no touch preceded",
        BASELINE: "conversions that no touch is responsible for",
    }
    for name in set(reserved) & set(names_of(profile.names, spec)):
        message = f"no channel can be called '{name}': it names {reserved[name]}; give it an alias"
        problems.append(Problem(message, column="channel", code="reserved-name"))
    if len(profile.names) > MOST_CHANNELS:
        message = f"holds {len(profile.names):,} different names, at most {MOST_CHANNELS:,} are channels; is it an id?"
        problems.append(Problem(message, column="channel", code="too-many-channels"))
    return problems


def table_of(
    found: distinct.Distinct,
    names: tuple[str, ...],
    no_touch: NDArray[np.float64],
    profile: Profile,
    spec: PathSpec,
    tally: Tally,
    said: Sequence[Problem],
) -> Paths:
    """The finished table.

    Args:
        found: Distinct paths in canonical order.
        names: Channel names by position.
        no_touch: Conversions before any touch: number and money.
        profile: The log's profile.
        spec: The choices.
        tally: What was counted.
        said: Findings.
    """
    lost = len(found.nulls) - found.converting
    rest = np.zeros(len(found.channel) - len(found.decay))
    valued = profile.valued > 0
    counts = {"events": profile.rows, "conversions": profile.conversions, **profile.extra, **asdict(tally)}
    counts.pop("timed")
    return Paths(
        channels=names,
        touches=found.channel.astype(np.int32),
        offsets=found.offsets,
        conversions=np.concatenate([found.conversions, np.zeros(lost)]),
        nulls=found.nulls,
        value=np.concatenate([found.value, np.zeros(lost)]) if valued else None,
        decay=np.concatenate([found.decay, rest]),
        decay_value=np.concatenate([found.decay_value, rest]),
        no_touch=(float(no_touch[0]), float(no_touch[1])),
        users=found.users,
        window=window_of(profile, spec),
        spec=spec,
        counts=counts,
        findings=tuple(said),
    )
