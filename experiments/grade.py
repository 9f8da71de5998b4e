"""Grade: how far a result may be trusted, A to E, from a checklist whose every line is shown.

An A needs everything, a locked plan and random assignment included; a clean list without those is a B; one or two
failed checks make a C, more make a D. A hard failure (a test that moved no money, say) is an E whatever else it did.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.records import Grade
from measurement.typing import Json


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the checklist.

    Attributes:
        name: Short stable name.
        passed: Whether it holds.
        text: What was seen.
        hard: Whether failing it alone makes an E.
    """

    name: str
    passed: bool
    text: str
    hard: bool = False

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {"check": self.name, "passed": self.passed, "text": self.text}


def letter(top: Sequence[Check], checks: Sequence[Check]) -> Grade:
    """The grade that a checklist gives.

    Args:
        top: What an A needs besides a clean list (a locked plan, random assignment).
        checks: All other lines.
    """
    if any(check.hard and not check.passed for check in checks):
        return "E"
    failed = sum(not check.passed for check in checks)
    if failed == 0:
        return "A" if all(check.passed for check in top) else "B"
    return "C" if failed <= 2 else "D"
