"""What would have been spent without the test, by geo, period and channel.

A test's record gives at most totals: the change of spend, or the business-as-usual money. The model needs cells. Where
the treated geos still spent during the test, the actual pattern is scaled to the total; where they went dark, each
geo's level before the test is used, moved with the control geos' spend over the window.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np

from measurement.errors import DataError, Problem, shown
from measurement.panel import Panel
from measurement.typing import Floats

DARK_SHARE = 0.05
"""Actual spend below this share of business as usual counts as dark: its pattern says nothing."""
HISTORY = 365
"""Days before the test that the usual level is taken from, at most."""


@dataclass(frozen=True, eq=False)
class TestSpend:
    """Spend of a test's treated geos in its window.

    Attributes:
        actual: Money spent, shape (geos, test periods, channels).
        counterfactual: Business-as-usual money, same shape.
        expected: What the time before the test and the control geos lead to expect, same shape; all zero when unknown.
        imputed: Whether the total of ``counterfactual`` was worked out and not registered.
    """

    __test__ = False

    actual: Floats
    counterfactual: Floats
    expected: Floats
    imputed: bool

    @property
    def delta(self) -> Floats:
        """Actual minus counterfactual money per channel, shape (channels,)."""
        return np.asarray((self.actual - self.counterfactual).sum(axis=(0, 1)))


def expected_spend(
    panel: Panel, geos: tuple[str, ...], control: tuple[str, ...], channels: tuple[str, ...], start: date, end: date
) -> Floats:
    """Usual spend of the treated geos in the window, shape (geos, test periods, channels).

    Each geo's mean over as many periods before ``start`` as lie within a year, times the control geos' spend in each
    period relative to their own mean before the test (1 without control geos or without their spend).
    """
    window = panel.window(start, end)
    treated, picked = panel.geo_index(geos), panel.channel_index(channels)
    first = int(np.searchsorted(panel.dates, panel.dates[window.start] - np.timedelta64(HISTORY, "D")))
    periods = window.stop - window.start
    if first == window.start:
        return np.zeros((len(geos), periods, len(channels)))
    spend = panel.spend[:, :, picked]
    level = spend[treated, first : window.start].mean(axis=1)
    shape = np.ones((periods, len(channels)))
    if control:
        others = spend[panel.geo_index(control)].sum(axis=0)
        before = others[first : window.start].mean(axis=0)
        shape = np.where(before > 0, others[window] / np.where(before > 0, before, 1.0), 1.0)
    return np.asarray(level[:, None, :] * shape[None])


def spend_of_test(
    panel: Panel,
    geos: tuple[str, ...],
    control: tuple[str, ...],
    channels: tuple[str, ...],
    start: date,
    end: date,
    *,
    spend_delta: float | None,
    registered: float | None,
) -> TestSpend:
    """Actual and counterfactual spend of a test inside the panel.

    Args:
        panel: The study's panel.
        geos: Treated geos.
        control: Control geos, may be empty.
        channels: Tested channels; the total is split between them as the pattern is.
        start: First day of the changed spend.
        end: Its last day.
        spend_delta: Actual minus counterfactual money over geos, window and channels, or ``None``.
        registered: Counterfactual money over the same, or ``None``.

    Raises:
        DataError: Where neither total is given and nothing was spent before the test, or where the spend change is
            larger than what was spent.
    """
    window = panel.window(start, end)
    actual = panel.spend[panel.geo_index(geos)][:, window][:, :, panel.channel_index(channels)]
    expected = expected_spend(panel, geos, control, channels, start, end)
    spent = float(actual.sum())
    if registered is not None:
        total = registered
    elif spend_delta is not None:
        total = spent - spend_delta
    elif expected.sum() > 0:
        return TestSpend(actual, expected, expected, imputed=True)
    else:
        raise DataError(
            [_problem("spend_delta", "is needed: the panel holds no spend before the test to work it out from")]
        )
    if total < -0.02 * max(spent, abs(spend_delta or 0.0)):
        raise DataError([_problem("spend_delta", _too_large(spend_delta, spent, panel.currency))])
    pattern = _pattern(actual, expected, total)
    return TestSpend(actual, pattern * (max(total, 0.0) / pattern.sum()), expected, imputed=registered is None)


def off_panel_spend(periods: int, counterfactual: float, spend_delta: float, shares: Floats) -> tuple[Floats, Floats]:
    """Flat actual and counterfactual spend of a test outside the panel, each of shape (1, periods, channels).

    Args:
        periods: Periods of changed spend.
        counterfactual: Business-as-usual money over all of them.
        spend_delta: Actual minus counterfactual money.
        shares: Each channel's share of the money, shape (channels,), summing to 1.
    """
    flat = np.ones((1, periods, 1)) / periods * shares[None, None, :]
    return flat * counterfactual, flat * max(counterfactual + spend_delta, 0.0)


def contradictions(spend: TestSpend, go_dark: bool, spend_delta: float | None, currency: str) -> list[Problem]:
    """Where the panel's spend and the test's record tell different stories.

    A go-dark test during which the treated geos spent more than half of business as usual did not happen as recorded:
    an error. Spend left over in a go-dark test, a registered total that does not fit the recorded change, and a change
    of more than twice or less than half of what the geos' own history suggests are warnings.
    """
    spent, business, expected = (float(part.sum()) for part in (spend.actual, spend.counterfactual, spend.expected))
    problems = []
    usual = min(business, expected) if expected > 0 else business
    if go_dark and usual > 0 and spent > 0.5 * usual:
        problems.append(
            _problem(
                "method",
                f"is go_dark, yet the panel shows {money(spent, currency)} spent in the treated geos during the test, "
                f"where {money(usual, currency)} would have been usual; a partial cut is called 'scale'",
            )
        )
    elif go_dark and usual > 0 and spent > DARK_SHARE * usual:
        problems.append(
            _problem(
                "method", f"is go_dark, yet {spent / usual:.0%} of the usual spend is left in the panel", "warning"
            )
        )
    if spend_delta is None:
        return problems
    if abs((spent - business) - spend_delta) > 0.2 * max(abs(spend_delta), 1e-9):
        problems.append(
            _problem(
                "spend_delta",
                f"is {money(spend_delta, currency)}, but the panel's spend minus counterfactual_spend is "
                f"{money(spent - business, currency)}; the panel's is used",
                "warning",
            )
        )
    seen = spent - expected
    if expected > 0 and abs(seen - spend_delta) > 0.5 * max(abs(seen), abs(spend_delta)):
        problems.append(
            _problem(
                "spend_delta",
                f"is {money(spend_delta, currency)}, while the panel's spend, compared with the time before the test "
                f"and the control geos, moved by {money(seen, currency)}",
                "warning",
            )
        )
    return problems


def money(amount: float, currency: str) -> str:
    """An amount for a message: ``12,300 EUR``."""
    return f"{amount:,.0f} {shown(currency)}"


def _pattern(actual: Floats, expected: Floats, total: float) -> Floats:
    for shape, enough in ((actual, DARK_SHARE * total), (expected, 0.0), (actual, 0.0)):
        if shape.sum() > enough:
            return shape
    return np.ones_like(actual)


def _too_large(spend_delta: float | None, spent: float, currency: str) -> str:
    return (
        f"is {money(spend_delta or 0.0, currency)}, more than all that the panel shows for the treated geos during the "
        f"test ({money(spent, currency)}); it is the money over the treated geos, negative when spend was cut"
    )


def _problem(column: str, message: str, level: str = "error") -> Problem:
    return Problem(f"{column} {message}", column=column, level="error" if level == "error" else "warning", code="spend")
