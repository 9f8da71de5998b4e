"""What needs someone's attention in a study, the most pressing first, each with what to do about it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

from measurement.errors import Problem
from measurement.typing import Json

if TYPE_CHECKING:
    from calibration import View

Kind = Literal["data", "fit", "channel", "test"]
GRAVE = ("error", "warning")
WAITING = {
    "in_review": "waits for somebody to approve its plan.",
    "completed": "has ended and is not analysed yet.",
    "analysed": "is analysed: accept its result as evidence, or reject it.",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that needs attention.

    Attributes:
        kind: What it concerns.
        subject: The channel or test; empty where it concerns the whole study.
        words: What is the matter and what to do, after the subject.
        pressing: Whether numbers should not be used before it is settled.
    """

    kind: Kind
    subject: str
    words: str
    pressing: bool = False


def items(
    view: "View | None",
    converged: bool | None,
    problems: Sequence[Problem],
    tests: Sequence[Json],
    today: date,
) -> list[Item]:
    """Everything that needs attention.

    Args:
        view: The unified view, where there is one.
        converged: Whether the last fit converged; ``None`` without one.
        problems: What is wrong or hard about the data.
        tests: The rows of the registry (`Registry.rows`).
        today: The day.
    """
    found = [*_fit(converged), *_data(problems), *_channels(view), *_tests(tests, today)]
    return sorted(found, key=lambda item: not item.pressing)


def _fit(converged: bool | None) -> Iterable[Item]:
    if converged is False:
        words = "The fit did not converge, so its numbers are provisional: fit again with more draws."
        yield Item("fit", "", words, pressing=True)


def _data(problems: Sequence[Problem]) -> Iterable[Item]:
    for level in GRAVE:
        count = sum(problem.level == level for problem in problems)
        if count:
            what = level if count == 1 else f"{level}s"
            yield Item("data", "", f"The data checks found {count} {what}.", pressing=level == "error")


def _channels(view: "View | None") -> Iterable[Item]:
    for channel in view.channels if view is not None else ():
        if channel.state == "conflict, withheld":
            words = f"has no number: {channel.reason}. Find out which of the two is wrong."
            yield Item("channel", channel.channel, words, pressing=True)
        elif channel.state == "stale":
            yield Item("channel", channel.channel, "rests on tests that are old: test again.")
        elif channel.state == "differ, action changes":
            words = "gets other advice by each method: a test would settle whom to believe."
            yield Item("channel", channel.channel, words)


def _tests(tests: Sequence[Json], today: date) -> Iterable[Item]:
    ended = {"approved": "began on {start}: say so, or give it up", "running": "ended on {end}: record how it went"}
    for test in tests:
        name, state = str(test["experiment_id"]), str(test["state"])
        start, end = str(test["start_date"]), str(test["read_out_end"])
        if (state == "approved" and start <= today.isoformat()) or (state == "running" and end < today.isoformat()):
            yield Item("test", name, ended[state].format(start=start, end=end) + ".")
        elif state in WAITING:
            yield Item("test", name, WAITING[state])
