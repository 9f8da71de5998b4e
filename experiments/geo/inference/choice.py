"""Choice of the default's estimator for matched pairs: the one that would have been the most precise before the test.

Between well-matched pairs the plain difference is a far better comparison than any weighting of many geos; between
badly matched ones it is far worse, and only the panel can say which it is. So both measure all flips of the pairs in
windows before the test, where nothing happened, and the default gives way where the plain difference has a root mean
square smaller by a fifth; less is as likely luck, and cost width where the two are close. All flips that the draw could
have made are looked at, the real one among them and no different from the others, so that any of them would have led to
the same choice: given the choice, the real draw is still one of the flips at random, and randomisation inference stays
exact. SDID stands aside: its counterfactual is not linear in its donors, so the treated geos could not be donors of the
other flips, which would then be measured by other means than the real one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from experiments.geo.case import Case
from experiments.geo.estimators import DEFAULT, ESTIMATORS, Estimator
from experiments.geo.inference.draws import Draws
from experiments.geo.inference.self_calibration import past_effects, stretches
from measurement.typing import Json

RIVAL = "difference_in_differences"
CLEARLY = 0.8
"""The rival's root mean square must be below this share of the default's."""


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """The estimator that a paired test is analysed with, and why.

    Attributes:
        estimator: The chosen one.
        errors: Root mean square of each candidate's relative effects before the test, as a share of the KPI; empty
            where the history holds no window of the test's length.
        sets: Flips that were measured, the real one among them.
        windows: Windows before the test in which each was measured.
    """

    estimator: Estimator
    errors: Mapping[str, float]
    sets: int
    windows: int

    @property
    def words(self) -> str:
        """Why, as a part of a sentence."""
        if not self.errors:
            return f"{self.estimator.name} without a choice, as the history before the test is too short to make one"
        return (
            f"{self.estimator.name} was chosen from the history alone: in {self.windows} windows before the test, all "
            f"{self.sets} draws alike, {DEFAULT} missed zero by {self.errors[DEFAULT]:.2%} of the KPI (root mean "
            f"square) and {RIVAL}, which is taken where it misses by a fifth less, by {self.errors[RIVAL]:.2%}"
        )

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {
            "estimator": self.estimator.name,
            "errors": dict(self.errors),
            "sets": self.sets,
            "windows": self.windows,
            "why": self.words,
        }


def choose(case: Case, draws: Draws) -> Choice:
    """Choose the estimator of a paired test.

    Args:
        case: The test; only periods before its onset are read.
        draws: All its reference sets; the real one is added here.
    """
    own = np.isin(np.arange(len(case.geos)), case.treated)
    members = np.vstack([own, draws.members])
    length = case.end - case.onset
    squares, windows = dict.fromkeys((DEFAULT, RIVAL), 0.0), 0
    for anchor, until in stretches(case.onset, length):
        levels = members @ np.abs(case.outcome[:, :anchor]).mean(axis=1) / members.sum(axis=1)
        for name in squares:
            means, _ = past_effects(case, members, ESTIMATORS[name], anchor, until)
            squares[name] += float(np.square(means / levels[:, None]).mean(axis=0).sum())
        windows += until - anchor - length + 1
    errors = {name: float(np.sqrt(total / windows)) for name, total in squares.items()} if windows else {}
    better = bool(errors) and errors[RIVAL] < CLEARLY * errors[DEFAULT]
    return Choice(ESTIMATORS[RIVAL if better else DEFAULT], errors, len(members), windows)
