"""Lift: one measured effect of spend in a window and place, in the form that the MMM's likelihood takes."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from measurement.typing import Floats

CarryIn = Literal["panel", "steady_state", "cold_start"]


@dataclass(frozen=True, eq=False)
class Lift:
    """What a test says, ready to be simulated inside the model.

    The model computes ``Delta = sum over geos and read-out periods of effect(actual) - effect(counterfactual)``, both
    spends run through the same adstock and saturation, and compares it with ``outcome_change``.

    Attributes:
        experiment_id: Id of the test it comes from.
        channels: The tested channels, names of the panel.
        geos: Treated geos, names of the panel; empty for a test outside the panel.
        start: First day of the test.
        end: Last day of the changed spend, inclusive.
        cooldown_end: Last day of the read-out, inclusive (``end`` without a cool-down).
        outcome_change: Measured treated minus counterfactual, in KPI units over geos and read-out:
            negative when good ads were cut.
        std_error: Its standard error in the same unit, placebo excess included.
        relative_sd: Further standard deviation as a share of the true effect, from grade and age.
        counterfactual_spend: Business-as-usual money, shape (geos, test periods, channels), from ``start`` to ``end``;
            after ``end`` both spends are the actual one. For a test outside the panel: shape (1, test periods,
            channels), in that market's money.
        actual_spend: Money really spent, same shape, for a test outside the panel; else ``None``.
        market_share: Size of an off-panel market relative to the whole panel.
        carry_in: What came before the window: the panel's own history, or the counterfactual for ever, or nothing.
        cooldown_periods: Read-out periods after ``end``.
        imputed: Whether the counterfactual spend was imputed and not registered.
        part: Share of the treated geos that the test took place in, by usual spend; the counterfactual is that of the
            whole geos, and the change of spend and of outcome that of the part.
        cell_of: The test whose cell this is; cells of one test have one joint error.
        correlations: Of its error with those of other cells, (id, correlation).
    """

    experiment_id: str
    channels: tuple[str, ...]
    geos: tuple[str, ...]
    start: date
    end: date
    cooldown_end: date
    outcome_change: float
    std_error: float
    relative_sd: float
    counterfactual_spend: Floats
    actual_spend: Floats | None = None
    market_share: float = 1.0
    carry_in: CarryIn = "panel"
    cooldown_periods: int = 0
    imputed: bool = False
    part: float = 1.0
    cell_of: str = ""
    correlations: tuple[tuple[str, float], ...] = ()

    @property
    def off_panel(self) -> bool:
        """Whether the test took place in a market or at a time that the panel does not hold."""
        return self.carry_in != "panel"
