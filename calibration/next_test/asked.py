"""What a ranking of tests is asked: the decision that it is to improve, and what tests cost besides."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from measurement.errors import Problem
from measurement.panel import Panel
from measurement.plan.allocation import Objective
from measurement.plan.demands import problems_of
from measurement.plan.items import Bound, Held


@dataclass(frozen=True, slots=True)
class Budgeting:
    """The decision that tests are to improve; the fields are those of `measurement.plan.budget.budget`.

    Attributes:
        margin: Share of revenue that is left after costs.
        total: Money over the horizon; that of business as usual where ``None``.
        spend_all: Whether it must be spent.
        bounds: How far channels may move.
        otherwise: The same for all others; half to one and a half times business as usual where ``None``.
        horizon: Periods that the decision lasts, from the end of the data; a year where ``None``.
    """

    margin: float
    total: float | None = None
    spend_all: bool = True
    bounds: Mapping[Held, Bound] = field(default_factory=dict)
    otherwise: Bound | None = None
    horizon: int | None = None

    def problems(self, panel: Panel) -> list[Problem]:
        """Everything that is no number or channel that it could be."""
        found = problems_of(panel, self.total, self.margin, self.bounds, (), None, Objective(), False)
        if self.horizon is not None and self.horizon < 1:
            words = f"found a horizon of {self.horizon}; the decision lasts 1 {panel.period} or more"
            found.append(Problem(words, code="horizon"))
        return found


@dataclass(frozen=True, slots=True)
class Terms:
    """What tests cost besides spend and sales, and how many may be run.

    Attributes:
        fixed: Money per test.
        per_market: Money per treated geo.
        money: Most money for all tests: extra spend and the two above.
        most: Most tests in the portfolio.
    """

    fixed: float = 0.0
    per_market: float = 0.0
    money: float | None = None
    most: int = 3

    def problems(self) -> list[Problem]:
        """Everything that is no amount of money or number of tests."""
        amounts = {"cost of a test": self.fixed, "cost per market": self.per_market, "money for tests": self.money}
        found = [
            Problem(f"found a {name} of {value:g}; it is 0 or more", code="cost")
            for name, value in amounts.items()
            if value is not None and not (np.isfinite(value) and value >= 0)
        ]
        if self.most < 1:
            found.append(Problem(f"found {self.most} tests at most; 1 or more are chosen", code="most"))
        return found
