"""What to test next: the value of each feasible test to the budget decision, less its cost."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from calibration.next_test.asked import Budgeting, Terms
    from calibration.next_test.candidates import Wanted
    from calibration.next_test.ranking import next_tests
    from calibration.next_test.result import NextTests, TestValue

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "asked": ["Budgeting", "Terms"],
        "candidates": ["Wanted"],
        "ranking": ["next_tests"],
        "result": ["NextTests", "TestValue"],
    },
)

__all__ = ["Budgeting", "NextTests", "Terms", "TestValue", "Wanted", "next_tests"]
