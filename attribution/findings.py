"""What is known about an event log before it is cut into journeys, and what its reader should be told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from attribution.events import Tally
from attribution.path_spec import PathSpec
from attribution.path_table import NO_TOUCH, SEPARATOR
from attribution.taxonomy import channel_of, names_of
from measurement.errors import Level, Problem, did_you_mean, shown
from measurement.reading.columns import plain

EPOCH = date(1970, 1, 1).toordinal()

PAUSE = 30
"""Days without any event that part stray clocks from the log."""
STRAY = 0.001
"""Largest share of events beyond a pause that is still taken for stray clocks."""


type _Row = tuple[float, Level, str, str, str]
"""A count, its level and code, what is counted, and more about it."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Counts over a whole log.

    Attributes:
        groups: Per channel (``None`` for a blank one) and event: rows, rows with a value, with one other than 0,
            without a user.
        days: Days with events, in order: day since 1970, events, first and last microsecond since 1970.
        extra: Counts of rows and users that were left out or joined before, by name.
        whole_seconds: Whether all events are known to be at whole seconds.
    """

    groups: Mapping[tuple[str | None, str], tuple[int, int, int, int]]
    days: Sequence[tuple[int, int, int, int]]
    extra: Mapping[str, int] = field(default_factory=dict)
    whole_seconds: bool = False

    @property
    def nobody(self) -> tuple[int, int]:
        """Touches and conversions without a user."""
        lone = [(event == "conversion", group[3]) for (_, event), group in self.groups.items()]
        return sum(n for converts, n in lone if not converts), sum(n for converts, n in lone if converts)

    @property
    def rows(self) -> int:
        """All events."""
        return sum(group[0] for group in self.groups.values())

    @property
    def conversions(self) -> int:
        """All conversions."""
        return sum(group[0] for (_, event), group in self.groups.items() if event == "conversion")

    @property
    def valued(self) -> int:
        """Conversions with a value."""
        return sum(group[1] for (_, event), group in self.groups.items() if event == "conversion")

    @property
    def names(self) -> list[str]:
        """Channel names of the touches."""
        return sorted({name for name, event in self.groups if event != "conversion" and name is not None})

    def body(self) -> Sequence[tuple[int, int, int, int]]:
        """The days of the log without stray clocks: few events, parted from the rest by a long pause."""
        runs: list[list[tuple[int, int, int, int]]] = []
        for day in self.days:
            if not runs or day[0] - runs[-1][-1][0] > PAUSE:
                runs.append([])
            runs[-1].append(day)
        sizes = [sum(day[1] for day in run) for run in runs]
        kept = [run for run, size in zip(runs, sizes, strict=True) if size > STRAY * self.rows]
        return [day for run in kept for day in run]


def of_log(profile: Profile, tally: Tally, no_touch: float, spec: PathSpec, known: Sequence[str]) -> list[Problem]:
    """Warnings and notes about an event log and the journeys made of it."""
    found = [*_clocks(profile, tally), *of_names(profile.names, spec, known)]
    found += _counted(profile, tally, no_touch, spec)
    return found


def _counted(profile: Profile, tally: Tally, no_touch: float, spec: PathSpec) -> list[Problem]:
    days = f"{spec.lookback_days:g} days"
    once = {"drop": "each counted once", "keep": "all of them counted"}[spec.duplicates]
    bots = {"drop": "who are left out", "keep": "who are kept"}[spec.bots]
    tail = {"leave_out": "are left out", "null": "are taken for journeys that did not"}[spec.unfinished]
    repeated = tally.duplicate_touches + tally.duplicate_conversions
    rows: list[_Row] = [
        *_chosen(profile, spec),
        (profile.nobody[0], "warning", "missing-user", "touches without a user_id, which are in no journey", ""),
        (profile.nobody[1], "warning", "missing-user", f"conversions without a user_id, counted as '{NO_TOUCH}'", ""),
        (
            repeated,
            "warning",
            "duplicate-event",
            f"events that repeat another in user, time, channel, event and value, {once}",
            f"conversions among them: {tally.duplicate_conversions:,}",
        ),
        (
            tally.bot_users,
            "warning",
            "bot",
            f"users of more than {spec.bot_touches:,} touches, as bots have, {bots}",
            f"touches: {tally.bot_touches:,}, conversions: {tally.bot_conversions:,}",
        ),
        (
            tally.session_touches,
            "note",
            "session",
            f"touches at most {spec.session_gap_minutes:g} minutes after another of their user, channel and kind, "
            "which are one with it",
            "",
        ),
        (
            tally.same_instant,
            "note",
            "same-instant",
            "touches at the very instant of a conversion, taken to come before it",
            "",
        ),
        (
            tally.just_after,
            "note",
            "just-after",
            "conversions that a touch of the same user follows within a minute; where clocks differ it came before",
            "",
        ),
        (
            no_touch,
            "note",
            "no-touch",
            f"conversions with no touch of their own in the {days} before, counted as '{NO_TOUCH}'",
            "",
        ),
        (
            tally.expired,
            "note",
            "expired-touch",
            "touches past their lookback when their journey ended, which are in no path",
            "",
        ),
        (
            tally.unfinished,
            "note",
            "unfinished",
            f"journeys younger than {days} when the log ends, which may still convert and {tail}",
            "",
        ),
    ]
    return [
        Problem(f"{words}: {n:,.0f}{f' ({more})' if more else ''}", level=level, code=code)
        for n, level, code, words, more in rows
        if n
    ]


def _chosen(profile: Profile, spec: PathSpec) -> list[_Row]:
    """What was left out or joined before the events were looked at."""
    return [
        (
            profile.extra.get("other_geos", 0),
            "note",
            "other-geo",
            f"events of no geo in {', '.join(map(shown, spec.geos[:5]))}{', ...' if len(spec.geos) > 5 else ''}, "
            "which are left out",
            "",
        ),
        (
            profile.extra.get("repeated_transactions", 0),
            "warning",
            "repeated-transaction",
            "conversions of the GA4 export whose transaction was there before, left out",
            "",
        ),
        (
            profile.extra.get("ga4_no_source", 0),
            "note",
            "ga4-no-source",
            "sessions of the GA4 export without a source, taken for direct",
            f"of {profile.extra.get('ga4_sessions', 0):,}",
        ),
        (
            profile.extra.get("mapped_users", 0),
            "note",
            "identity-map",
            "users whom the identity map joins to persons",
            f"persons: {profile.extra.get('mapped_persons', 0):,}",
        ),
    ]


def _clocks(profile: Profile, tally: Tally) -> list[Problem]:
    found = []
    body = profile.body()
    inside = {day[0] for day in body}
    stray = [day for day in profile.days if day[0] not in inside]
    if stray:
        count = sum(day[1] for day in stray)
        examples = ", ".join(str(day_of(day[0])) for day in stray[:3]) + (", ..." if len(stray) > 3 else "")
        message = (
            f"{count:,} {'event lies' if count == 1 else 'events lie'} more than {PAUSE} days from all others "
            f"({examples}): a clock was wrong? They stay in; the log is taken to run from {day_of(body[0][0])} "
            f"to {day_of(body[-1][0])}"
        )
        found.append(Problem(message, level="warning", code="stray-clock"))
    if not tally.timed:
        message = "no timestamp has a time of day; touches of one user and day are taken in order of channel name"
        found.append(Problem(message, column="timestamp", level="warning", code="no-time-of-day"))
    return found


def of_names(names: Sequence[str], spec: PathSpec, known: Sequence[str]) -> list[Problem]:
    """Warnings about channel names: unknown ones, and ones that look alike.

    Args:
        names: Names in the source, sorted.
        spec: Its aliases are applied first.
        known: Names that are known; none for any.
    """
    ours = sorted(set(names_of(names, spec)))
    found = []
    if known:
        found += [
            Problem(
                f"channel '{shown(name)}' of the journeys is not known{did_you_mean(name, known)}; it is kept as it is",
                column="channel",
                level="warning",
                code="unknown-channel",
            )
            for name in sorted({channel_of(name, spec) for name in ours})
            if name not in known
        ]
    looks: dict[str, list[str]] = {}
    for name in ours:
        looks.setdefault(plain(name), []).append(name)
    for twins in looks.values():
        if len(twins) > 1:
            listed = ", ".join(f"'{shown(name)}'" for name in twins)
            message = f"channels {listed} differ only in case or in what cannot be seen; alias them if they are one"
            found.append(Problem(message, column="channel", level="warning", code="similar-names"))
    for name in ours:
        if SEPARATOR.strip() in name:
            message = f"channel '{shown(name)}' holds '{SEPARATOR.strip()}', which parts the touches of a written path"
            found.append(Problem(message, column="channel", level="warning", code="separator-in-name"))
    return found


def day_of(day: int) -> date:
    """The date of a day counted from 1970; the last or first that a calendar holds for one beyond it."""
    return date.fromordinal(min(max(day + EPOCH, date.min.toordinal()), date.max.toordinal()))
