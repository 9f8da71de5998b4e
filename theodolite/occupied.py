"""What keeps a new test off some days and markets: the study's blackouts, and the tests that hold markets already."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from measurement.errors import Problem, refuse, shown
from theodolite.days import day

if TYPE_CHECKING:
    from experiments.planning.goal import Goal
    from experiments.registry import Registered
    from measurement import Panel
    from theodolite.registry import Registry


@dataclass(frozen=True, slots=True)
class Span:
    """The days of a test that is asked for, its cool-down included."""

    length: int
    first: date
    last: date


def around(goal: "Goal", panel: "Panel", start: str | None, registry: "Registry") -> "Goal":
    """A goal that keeps clear of the tests that hold markets on its days; their controls may be shared.

    Args:
        goal: What is asked.
        panel: The data.
        start: First day; the day after the data where ``None``.
        registry: The study's tests and blackouts.

    Raises:
        DataError: Where its days meet a blackout, or a test that holds every market; each says when it could begin.
    """
    from experiments.registry.blackouts import met

    spans = _spans(goal, panel, day(start, "--start"))
    if not spans:
        return goal
    found = [(span, words) for span in spans for words in met(span.first, span.last, registry.blackouts)]
    problems = [
        Problem(f"{span.length} {panel.period}s: {words}", column="durations", code="blackout") for span, words in found
    ]
    longest = max(spans, key=lambda span: span.last)
    busy, treated = set(goal.busy), set(goal.exclude)
    for test in registry.ledger.tests.values():
        held = test.occupied
        if held is None or test.conducted.off_panel or held[1] < longest.first or longest.last < held[0]:
            continue
        if _everywhere(goal, test):
            words = f"test '{shown(test.experiment_id)}' ({test.state.replace('_', ' ')}) holds every market until "
            free = held[1] + timedelta(days=1)
            problems.append(
                Problem(f"{words}{held[1]}: begin on {free} or later", column="start", code="test-conflict")
            )
        elif not _on_users(test):
            busy |= _treated(test) & {*panel.geos}
            treated |= {*test.conducted.control_geos, *(pair[1] for pair in test.conducted.pairs)} & {*panel.geos}
    refuse(problems)
    return replace(goal, busy=tuple(sorted(busy)), exclude=tuple(sorted(treated - busy)))


def _spans(goal: "Goal", panel: "Panel", start: date | None) -> list[Span]:
    from experiments.planning.proposal import last_of
    from measurement.periods import last_day

    after = np.datetime64(last_day(panel.dates[-1].astype("datetime64[D]"), panel.period)) + np.timedelta64(1, "D")
    first = np.datetime64(start, "D") if start else after
    lengths = [length for length in goal.durations if length > 0]
    return [
        Span(length, first.tolist(), last_of(first, length + max(goal.cooldown, 0), panel.period)) for length in lengths
    ]


def _everywhere(goal: "Goal", test: "Registered") -> bool:
    """Whether a test leaves no market to a geo test of this goal."""
    record = test.conducted
    if _on_users(test):
        return not record.treatment_geos and bool({*record.channel} & {*goal.channel})
    return not _treated(test) or (not record.control_geos and not record.pairs and not record.schedule)


def _treated(test: "Registered") -> set[str]:
    record = test.conducted
    geos = {*record.treatment_geos, *(pair[0] for pair in record.pairs), *(block.geo for block in record.schedule)}
    return set() if "" in geos else geos


def _on_users(test: "Registered") -> bool:
    from experiments.records import ON_USERS

    return test.conducted.method in ON_USERS
