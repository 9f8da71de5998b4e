"""What would have been spent without the test, by geo, period and channel.

A test's record gives at most totals: the change of spend, or the business-as-usual money. The model needs cells. Where
the treated geos still spent during the test, the actual pattern is scaled to the total; where they went dark, each
geo's level before the test is used, moved with the control geos' spend over the window. Where a schedule switched the
treatment on and off, only the periods that were on changed, and those that were off say what is usual. Where only a
part of the treated geos was tested, the cells are those of the whole geos.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np

from measurement.errors import DataError, Problem, shown
from measurement.panel import Panel
from measurement.typing import Bools, Floats

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
        part: Share of the usual spend that lies in the part of the geos that was tested.
    """

    __test__ = False

    actual: Floats
    counterfactual: Floats
    expected: Floats
    imputed: bool
    part: float = 1.0

    @property
    def delta(self) -> Floats:
        """Actual minus counterfactual money per channel, shape (channels,)."""
        return np.asarray((self.actual - self.counterfactual).sum(axis=(0, 1)))

    @property
    def of_part(self) -> "TestSpend":
        """The money of the tested part alone: all of the change, its share of what is usual."""
        usual = self.part * self.counterfactual
        return TestSpend(usual + self.actual - self.counterfactual, usual, self.part * self.expected, self.imputed)


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
    part: float = 1.0,
    on: Bools | None = None,
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
        registered: Counterfactual money over the same (of the tested part; of the periods that were on), or ``None``.
        part: Share of the geos' usual spend that lies in the part that was tested.
        on: Where a schedule had the treatment on, shape (geos, test periods); everywhere where not given.

    Raises:
        DataError: Where neither total is given and nothing was spent before the test, or where the spend change is
            larger than what was spent.
    """
    window = panel.window(start, end)
    actual = panel.spend[panel.geo_index(geos)][:, window][:, :, panel.channel_index(channels)]
    if on is None:
        expected = expected_spend(panel, geos, control, channels, start, end)
        changed = np.ones(actual.shape[:2], dtype=np.bool_)
    else:
        expected, changed = between_switches(actual, on), on
    moved = np.where(changed[..., None], actual, 0.0)
    spent = float(moved.sum())
    if registered is not None and (part == 1.0 or spend_delta is None):
        total = registered / part
    elif spend_delta is not None:
        total = spent - spend_delta
    elif expected.sum() > 0:
        return TestSpend(actual, np.where(changed[..., None], expected, actual), expected, True, part)
    else:
        raise DataError(
            [_problem("spend_delta", "is needed: the panel holds no spend before the test to work it out from")]
        )
    if total < -0.02 * max(spent, abs(spend_delta or 0.0)):
        raise DataError([_problem("spend_delta", _too_large(spend_delta, spent, panel.currency))])
    # What was spent while a schedule had the treatment on is the treatment, and says nothing of what is usual.
    pattern = _pattern(moved if on is None else np.zeros_like(moved), expected, total) * changed[..., None]
    usual = pattern * (max(total, 0.0) / pattern.sum())
    return TestSpend(actual, np.where(changed[..., None], usual, actual), expected, registered is None, part)


def between_switches(actual: Floats, on: Bools) -> Floats:
    """Usual spend where a schedule switched: each geo's mean while it was off, and the actual one there.

    Args:
        actual: Money spent, shape (geos, periods, channels).
        on: Where the treatment was on, shape (geos, periods).
    """
    off = ~on[..., None]
    mean = (actual * off).sum(axis=1, keepdims=True) / np.maximum(off.sum(axis=1, keepdims=True), 1)
    return np.asarray(np.where(off, actual, mean))


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
