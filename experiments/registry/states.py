"""The lifecycle of a test: one table of what may happen in which state, and where it leads.

::

    draft -> in_review -> approved -> running -> completed -> analysed -> accepted | rejected
       any of the first five -> cancelled              any that is not cancelled -> superseded

A result that was measured elsewhere is imported: it arrives accepted. A test may be analysed again at any later time;
its last accepted result counts until another one is accepted, or the test is rejected or superseded.
"""

from collections.abc import Mapping
from typing import Literal, get_args

from measurement.lifecycle import Lifecycle

State = Literal[
    "draft",
    "in_review",
    "approved",
    "running",
    "completed",
    "analysed",
    "accepted",
    "rejected",
    "cancelled",
    "superseded",
]
Action = Literal[
    "register",
    "import",
    "revise",
    "submit",
    "approve",
    "start",
    "complete",
    "analyse",
    "accept",
    "reject",
    "cancel",
    "supersede",
    "deviate",
    "regrade",
]
STATES: tuple[State, ...] = get_args(State)
ACTIONS: tuple[Action, ...] = get_args(Action)

READ_OUT: tuple[State, ...] = ("analysed", "accepted", "rejected")


def _staying(*states: State) -> dict[str | None, str]:
    return {state: state for state in states}


def _to(target: State, *states: State | None) -> dict[str | None, str]:
    return dict.fromkeys(states, target)


_MOVES: Mapping[Action, Mapping[str | None, str]] = {
    "register": _to("draft", None),
    "import": _to("accepted", None),
    "revise": _to("draft", "draft", "in_review"),
    "submit": _to("in_review", "draft"),
    "approve": _to("approved", "in_review"),
    "start": _to("running", "approved"),
    "complete": _to("completed", "running"),
    "analyse": _to("analysed", "completed", *READ_OUT),
    "accept": _to("accepted", *READ_OUT),
    "reject": _to("rejected", "analysed", "accepted"),
    "cancel": _to("cancelled", "draft", "in_review", "approved", "running", "completed"),
    "supersede": _to("superseded", *(state for state in STATES if state not in ("cancelled", "superseded"))),
    "deviate": _staying("approved", "running", "completed", *READ_OUT),
    "regrade": _staying(*READ_OUT),
}
LIFECYCLE = Lifecycle("test", {str(action): moves for action, moves in _MOVES.items()})

EVENTS: Mapping[Action, str] = {
    "register": "experiment.registered",
    "import": "experiment.registered",
    "revise": "experiment.revised",
    "submit": "experiment.submitted",
    "approve": "experiment.approved",
    "start": "experiment.started",
    "complete": "experiment.completed",
    "analyse": "experiment.analysed",
    "accept": "experiment.accepted",
    "reject": "experiment.rejected",
    "cancel": "experiment.cancelled",
    "supersede": "experiment.superseded",
    "deviate": "experiment.deviated",
    "regrade": "experiment.regraded",
}
"""The event that records an action. A registered record that says what was measured is an import."""

KINDS: Mapping[str, Action] = {kind: action for action, kind in EVENTS.items() if action != "import"}
