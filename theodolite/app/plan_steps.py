"""What may be done with plans of record and with tests in question, and by whom, as pages and programs do it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from theodolite.keys import Role
from theodolite.plan_states import LIFECYCLE

PlanStep = Literal["submit", "approve", "commit", "withdraw"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plan.

    Attributes:
        label: What a button says.
        role: Who may take it.
        needs_reason: Whether it needs a reason.
    """

    label: str
    role: Role
    needs_reason: bool = False


PLAN_STEPS: Mapping[PlanStep, Step] = {
    "submit": Step("Hand in for approval", "editor"),
    "approve": Step("Approve the plan", "approver"),
    "commit": Step("Commit to it", "approver"),
    "withdraw": Step("Withdraw it", "approver", needs_reason=True),
}
"""Every step of a plan; its lifecycle says what may happen when, these are the buttons for it."""

RECORDS: Role = "editor"
"""Who drafts plans, records decisions and says what came of them, and freezes predictions."""
DECIDES: Role = "approver"
"""Who takes decisions back, and says which of two that contradict each other is believed."""


def plan_steps(state: str) -> dict[PlanStep, Step]:
    """The steps that a plan in a state may take."""
    return {name: step for name, step in PLAN_STEPS.items() if state in LIFECYCLE.moves[name]}
