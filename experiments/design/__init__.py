"""Design of tests: what is asked, what is allowed, and the choices that answer it best.

``experiments.design(panel, goal)`` and this room share a name, so the room itself can be called: that is
`experiments.design.plan.design`, whichever of the two was imported first.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from experiments.design.goal import Goal
    from experiments.design.proposal import Designs
    from experiments.design.search import Progress
    from measurement.panel import Panel


class _Room(ModuleType):
    """A module that plans a geo test when it is called."""

    def __call__(self, panel: "Panel", goal: "Goal", *, progress: "Progress | None" = None) -> "Designs":
        """As `experiments.design.plan.design`."""
        from experiments.design.plan import design

        return design(panel, goal, progress=progress)


sys.modules[__name__].__class__ = _Room
