"""What needs someone's attention in a study, the most pressing first, each with what to do about it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

from measurement.errors import Problem
from measurement.typing import Json

if TYPE_CHECKING:
    from calibration import View
    from theodolite.decisions import Recorded
    from theodolite.plan_states import PlanState

Kind = Literal["data", "fit", "channel", "test", "decision", "plan"]
GRAVE = ("error", "warning")
SETTLED_BY_NO_TEST = "differ, no test pays"
"""State of a channel whose sources differ, where the ranking of tests knows none of it that is worth its cost."""
WAITING = {
    "in_review": "waits for somebody to approve its plan.",
    "completed": "has ended and is not analysed yet.",
    "analysed": "is analysed: accept its result as evidence, or reject it.",
}
PLANS = {
    "submitted": "waits for somebody to approve it.",
    "approved": "is approved: commit to it, and it is the plan that is spent by.",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that needs attention.

    Attributes:
        kind: What it concerns.
        subject: The channel, test, decision (its id) or plan; empty where it concerns the whole study.
        words: What is the matter and what to do, after the subject.
        pressing: Whether numbers should not be used before it is settled.
        state: How the channel's sources stand, or where the test stands.
    """

    kind: Kind
    subject: str
    words: str
    pressing: bool = False
    state: str = ""


def items(
    view: "View | None",
    converged: bool | None,
    problems: Sequence[Problem],
    tests: Sequence[Json],
    today: date,
    decided: "Sequence[Recorded]" = (),
    plans: "Mapping[str, PlanState] | None" = None,
    worth_testing: Collection[str] | None = None,
) -> list[Item]:
    """Everything that needs attention.

    Args:
        view: The unified view, where there is one.
        converged: Whether the last fit converged; ``None`` without one.
        problems: What is wrong or hard about the data.
        tests: The rows of the registry (`Registry.rows`).
        today: The day.
        decided: The log of decisions.
        plans: Where the plans of record stand.
        worth_testing: Channels of which a test is worth its cost; ``None`` where tests were not ranked.
    """
    found = [*_fit(converged), *_data(problems), *_channels(view, worth_testing), *_tests(tests, today)]
    found += [*_decisions(decided, today), *_plans(plans or {}, today)]
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


def _channels(view: "View | None", worth_testing: Collection[str] | None) -> Iterable[Item]:
    for channel in view.channels if view is not None else ():
        if channel.state == "conflict, withheld":
            words = f"has no number: {channel.reason}. Find out which of the two is wrong."
            yield Item("channel", channel.channel, words, pressing=True, state=channel.state)
        elif channel.state == "stale":
            yield Item("channel", channel.channel, "rests on tests that are old: test again.", state=channel.state)
        elif channel.state == "differ, action changes":
            words, state = "gets other advice by each method: a test would settle whom to believe.", str(channel.state)
            if worth_testing is not None and channel.channel not in worth_testing:
                words = "gets other advice by each method, and no test of it would pay now: see who says what."
                state = SETTLED_BY_NO_TEST
            yield Item("channel", channel.channel, words, state=state)


def _tests(tests: Sequence[Json], today: date) -> Iterable[Item]:
    ended = {"approved": "began on {start}: say so, or give it up", "running": "ended on {end}: record how it went"}
    for test in tests:
        name, state = str(test["experiment_id"]), str(test["state"])
        start, end = str(test["start_date"]), str(test["read_out_end"])
        if (state == "approved" and start <= today.isoformat()) or (state == "running" and end < today.isoformat()):
            yield Item("test", name, ended[state].format(start=start, end=end) + ".", state=state)
        elif state in WAITING:
            yield Item("test", name, WAITING[state], state=state)


def _decisions(decided: "Sequence[Recorded]", today: date) -> Iterable[Item]:
    for each in decided:
        if each.due(today):
            words = f"was to be held against what came on {each.decision.review}: say what came of it."
            yield Item("decision", each.id, words, state=each.state)


def _plans(plans: "Mapping[str, PlanState]", today: date) -> Iterable[Item]:
    for name, plan in plans.items():
        if plan.state in PLANS and plan.last >= today:
            yield Item("plan", name, PLANS[plan.state], state=plan.state)
