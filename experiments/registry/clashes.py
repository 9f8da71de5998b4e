"""Conflicts: two tests that disturb the same markets, or the same channel there, on the same days.

Sharing control markets is no conflict. A geo test conflicts with any other geo test that treats one of its markets,
treated or control, whatever the channel: the KPI of that market moves for two reasons. Tests on users are drawn within
markets, so that they conflict only where the channel is the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from experiments.records import ON_USERS, Experiment
from experiments.records.schedules import SCHEDULED
from experiments.registry.ledger import Registered
from measurement.errors import Problem, shown


@dataclass(frozen=True, slots=True)
class _Markets:
    """Where a test works; ``None`` is everywhere (treated), or every market that is not treated (control)."""

    treated: frozenset[str] | None
    control: frozenset[str] | None


def conflicts(test: Registered, others: Iterable[Registered]) -> list[Problem]:
    """What forbids a test to run beside those that hold their days already (approved, running, run or imported).

    Args:
        test: The test, in whatever state.
        others: All other tests.

    Returns:
        One error per conflicting test, oldest registration first.
    """
    found = []
    record = test.conducted
    for other in others:
        held = other.occupied
        days = None if held is None else _overlap((record.start_date, record.read_out_end), held)
        why = "" if days is None else _why(record, other.conducted)
        if days is None or not why:
            continue
        words = (
            f"test '{shown(test.experiment_id)}' {why} test '{shown(other.experiment_id)}' "
            f"({other.state.replace('_', ' ')}) from {days[0]} to {days[1]}, cool-down included"
        )
        found.append(Problem(words, code="test-conflict"))
    return found


def _overlap(one: tuple[date, date], other: tuple[date, date]) -> tuple[date, date] | None:
    first, last = max(one[0], other[0]), min(one[1], other[1])
    return (first, last) if first <= last else None


def _why(one: Experiment, other: Experiment) -> str:
    """What two tests at the same time share that they must not; empty where nothing."""
    if one.off_panel or other.off_panel:
        return ""
    here, there = _markets(one), _markets(other)
    if one.method in ON_USERS or other.method in ON_USERS:
        channels = [channel for channel in one.channel if channel in other.channel]
        if channels and _shared(here.treated, there.treated):
            return f"moves the channel {shown(channels[0])} in the same markets as"
        return ""
    if both := _shared(here.treated, there.treated):
        return f"treats {both}, which is treated by"
    if here.treated is None or there.treated is None:  # caught above unless one of them treats nothing
        return ""
    cells = one.cell_of is not None and one.cell_of == other.cell_of
    for treated, control, words in (
        (here.treated, there.control, "treats {}, a control of"),
        (there.treated, here.control, "has a control, {}, that is treated by"),
    ):
        if control is None and not cells:
            named = _named(treated)
            return words.format(f"{named} (every market is a control where control_geos names none)")
        if control is not None and treated & control:
            return words.format(_named(treated & control))
    return ""


def _markets(test: Experiment) -> _Markets:
    first, second = ({pair[i] for pair in test.pairs} for i in (0, 1))
    treated = {*test.treatment_geos, *first, *(block.geo for block in test.schedule)}
    everywhere = not treated or "" in treated
    if test.method in (*ON_USERS, *SCHEDULED):
        return _Markets(None if everywhere else frozenset(treated), frozenset())
    control = {*test.control_geos, *second}
    return _Markets(None if everywhere else frozenset(treated), frozenset(control) if control else None)


def _shared(one: frozenset[str] | None, other: frozenset[str] | None) -> str:
    if one is None or other is None:
        both = one if other is None else other
        return "the whole market" if both is None else _named(both)
    return _named(one & other)


def _named(geos: Iterable[str]) -> str:
    names = sorted(geos)
    return ", ".join(shown(name, 40) for name in names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
