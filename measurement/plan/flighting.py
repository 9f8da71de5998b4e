"""Flighting: when to spend a channel's money over the coming periods, and what better timing is worth.

How much each channel gets is the question of `measurement.plan.budget`; here its money is given and its weeks are
chosen. Carry-over from the panel's end counts, and so does what the plan's last periods carry into the time after it.
The plan stands beside the same money spent evenly, and in the pattern of business as usual.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from measurement.errors import DesignError, Problem, did_you_mean, refuse, shown
from measurement.estimate import Estimate
from measurement.mmm import Posterior
from measurement.panel import Panel
from measurement.plan.carry import After, carry_of
from measurement.plan.horizon import Horizon, business_as_usual
from measurement.plan.periods import Periods, window_of
from measurement.plan.timing import Window, best_timing
from measurement.provenance import Provenance, versions
from measurement.typing import Floats, Json

if TYPE_CHECKING:
    import pandas as pd

SEARCH_DRAWS = 150
MOST_DRAWS = 1000
EVEN, PATTERN = "evenly", "as usual"


@dataclass(frozen=True, slots=True)
class Against:
    """The plan against the same money spent otherwise.

    Attributes:
        spend: The other timing, money of each period, shape (periods,).
        gain: What the plan brings more, money.
        better: Share of draws in which it brings more.
        allowed: Whether the other timing keeps to the limits that the plan keeps to.
    """

    spend: Floats
    gain: Estimate
    better: float
    allowed: bool

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {"gain": self.gain.to_dict(), "probability_better": self.better, "keeps_to_limits": self.allowed}


@dataclass(frozen=True, slots=True)
class Flight:
    """One channel's plan.

    Attributes:
        channel: The channel.
        spend: Money of each period, shape (periods,).
        revenue: What it brings beyond spending nothing, carry-over after the plan included, money.
        even: Against the same money spent evenly.
        usual: Against the same money in the pattern of business as usual; ``None`` where that spends nothing.
        expected: What it brings in expectation over the draws that were searched.
        bound: No timing within the limits brings more in expectation.
        gap: Share of the bound that may still be missing.
        s_shaped: Share of draws whose curve is not concave, so that money works better together.
        beyond: Whether a period costs more than any of the data did.
    """

    channel: str
    spend: Floats
    revenue: Estimate
    even: Against
    usual: Against | None
    expected: float
    bound: float
    gap: float
    s_shaped: float
    beyond: bool

    @property
    def total(self) -> float:
        """Money over all periods."""
        return float(self.spend.sum())

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {
            "channel": self.channel,
            "total": self.total,
            "spend": self.spend.tolist(),
            "revenue": self.revenue.to_dict(),
            "against_even": self.even.to_dict(),
            "against_usual": None if self.usual is None else self.usual.to_dict(),
            "expected": self.expected,
            "bound": self.bound,
            "gap": self.gap,
            "s_shaped": self.s_shaped,
            "extrapolates": self.beyond,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Flighting:
    """The plans of several channels.

    Attributes:
        flights: One per channel.
        horizon: Business as usual in these periods.
        after: What is spent after the plan, into which it carries over.
        currency: Of all money.
        converged: Whether the fit behind it may be used.
        gain_even: What all plans together bring more than even spending, money.
        gain_usual: The same against the pattern of business as usual.
        better_even: Share of draws in which it is more than nothing.
        better_usual: The same.
        provenance: Data, settings, seed and versions.
    """

    flights: tuple[Flight, ...]
    horizon: Horizon
    after: After
    currency: str
    converged: bool
    gain_even: Estimate
    gain_usual: Estimate
    better_even: float
    better_usual: float
    provenance: Provenance

    def to_dict(self) -> Json:
        """As plain JSON values: what ``theodolite flight --json`` prints."""
        days = self.horizon.dates.astype("datetime64[D]").astype(str).tolist()
        return {
            "from": days[0],
            "dates": days,
            "business_as_usual": self.horizon.like,
            "after": self.after,
            "currency": self.currency,
            "converged": self.converged,
            "channels": [flight.to_dict() for flight in self.flights],
            "against_even": {"gain": self.gain_even.to_dict(), "probability_better": self.better_even},
            "against_usual": {"gain": self.gain_usual.to_dict(), "probability_better": self.better_usual},
            "versions": dict(self.provenance.versions),
            "data": self.provenance.data,
        }

    def to_frame(self) -> "pd.DataFrame":
        """The plan as ``date, channel, spend``: what ``forecast --plan`` and ``scenario --plan`` read."""
        import pandas as pd

        dates = self.horizon.dates.astype("datetime64[s]")
        parts = [pd.DataFrame({"date": dates, "channel": f.channel, "spend": f.spend}) for f in self.flights]
        return pd.concat(parts, ignore_index=True)

    def chart(self) -> Any:
        """Spend over the periods per channel, beside even spending and business as usual (an Altair chart)."""
        import pandas as pd

        from measurement.plan.charts import flights

        dates = self.horizon.dates.astype("datetime64[s]")
        rows = []
        for flight in self.flights:
            others = {EVEN: flight.even} | ({} if flight.usual is None else {PATTERN: flight.usual})
            spends = {"planned": flight.spend} | {name: other.spend for name, other in others.items()}
            for what, spend in spends.items():
                rows.append(pd.DataFrame({"date": dates, "channel": flight.channel, "what": what, "spend": spend}))
        return flights(pd.concat(rows, ignore_index=True), self.currency)


def flighting(
    post: Posterior,
    panel: Panel,
    *,
    horizon: Horizon | None = None,
    periods: int = 13,
    money: Mapping[str, float] | None = None,
    limits: Mapping[str, Periods] | None = None,
    otherwise: Periods | None = None,
    after: After = "usual",
    held: Mapping[str, str] | None = None,
    draws: int = SEARCH_DRAWS,
) -> Flighting:
    """Find the best timing of each channel's money.

    Args:
        post: The fit.
        panel: Its data.
        horizon: Business as usual in the periods planned; made for ``periods`` where not given.
        periods: Number of periods.
        money: The channels to plan, with their money over all periods; every channel that costs money with that of
            business as usual by default.
        limits: What the periods of a channel must keep to.
        otherwise: The same for all other channels.
        after: What is spent after the plan: the average period of business as usual, or nothing. What the plan carries
            over is counted by what it adds there, in full.
        held: Channels that no advice may be given on, with the reason: they are left out.
        draws: Draws searched at most; what is compared in money is compared over 1,000.

    Raises:
        DataError: For unknown channels and numbers that are not allowed.
        DesignError: Where no plan of a channel keeps to all limits.
    """
    plan = horizon or business_as_usual(panel, periods)
    own = dict(limits or {})
    refuse(_unknown(panel, [*own, *(money or {})]))
    usual = dict(zip(panel.channels, plan.by_channel.tolist(), strict=True))
    wanted = dict(money) if money is not None else {name: total for name, total in usual.items() if total > 0}
    refuse(_problems(panel, wanted, own))
    for name in held or {}:
        wanted.pop(name, None)
    if not wanted:
        refuse([Problem("no channel is left to plan: each is free, spends nothing or is withheld", code="no-channel")])
    few, many = post.thinned(draws), post.thinned(MOST_DRAWS)
    windows = {n: window_of(own.get(n, otherwise or Periods()), panel, plan, n, total) for n, total in wanted.items()}
    flights = tuple(_flight(few, many, panel, plan, name, window, after) for name, window in windows.items())
    even, rest = (_added([getattr(flight, name) for flight in flights]) for name in ("even", "usual"))
    return Flighting(
        flights=flights,
        horizon=plan,
        after=after,
        currency=panel.currency,
        converged=post.converged,
        gain_even=Estimate.from_draws(even, panel.currency),
        gain_usual=Estimate.from_draws(rest, panel.currency),
        better_even=float(np.mean(even > 0)),
        better_usual=float(np.mean(rest > 0)),
        provenance=Provenance(
            data=panel.sha256,
            settings={"money": wanted, "after": after, "spend": plan.like},
            seed=post.provenance.seed,
            versions=versions("numpy", "scipy"),
            parents=post.provenance.parents,
        ),
    )


def _flight(
    few: Posterior, many: Posterior, panel: Panel, plan: Horizon, name: str, window: Window, after: After
) -> Flight:
    c, periods = panel.channels.index(name), len(plan.dates)
    pattern = plan.spend[..., c].sum(axis=0)
    total = window.most
    even = np.full(periods, total / periods)
    shaped = total * pattern / pattern.sum() if pattern.sum() > 0 else None
    starts = (even,) if shaped is None else (even, shaped)
    try:
        found = best_timing(carry_of(few, panel, plan, c, after), window, starts=starts)
    except DesignError as error:
        raise DesignError(f"channel '{shown(name)}': {error}; widen its bounds or its ramp") from None
    carry = carry_of(many, panel, plan, c, after)
    brought = carry.money(found.spend)

    def against(spend: Floats) -> Against:
        gain = brought - carry.money(spend)
        better = float(np.mean(gain > 1e-9 * np.abs(brought)))
        return Against(spend, Estimate.from_draws(gain, panel.currency), better, window.keeps(spend))

    return Flight(
        channel=name,
        spend=found.spend,
        revenue=Estimate.from_draws(brought, panel.currency),
        even=against(even),
        usual=None if shaped is None else against(shaped),
        expected=found.objective,
        bound=found.bound,
        gap=found.gap,
        s_shaped=carry.s_shaped(),
        beyond=bool(found.spend.max() > panel.spend[..., c].sum(axis=0).max() * (1 + 1e-6)),
    )


def _added(parts: list[Against | None]) -> Floats:
    """Gains of all channels draw by draw; a channel without a pattern to compare with gains nothing."""
    draws = [part.gain.draws for part in parts if part is not None and part.gain.draws is not None]
    return np.asarray(np.sum(draws, axis=0)) if draws else np.zeros(1)


def _unknown(panel: Panel, names: list[str]) -> list[Problem]:
    return [
        Problem(f"unknown channel '{shown(name)}'{did_you_mean(name, panel.channels)}", code="unknown-channel")
        for name in dict.fromkeys(names)
        if name not in panel.channels
    ]


def _problems(panel: Panel, money: Mapping[str, float], limits: Mapping[str, Periods]) -> list[Problem]:
    paid = dict(zip(panel.channels, panel.spend.sum(axis=(0, 1)) > 0, strict=True))
    found = [
        Problem(f"channel '{shown(name)}' costs no money, so there is none to plan", code="no-spend")
        for name in money
        if not paid[name]
    ]
    found += [
        Problem(f"found {total:g} {panel.currency} for channel '{shown(name)}'; it is above 0", code="budget-total")
        for name, total in money.items()
        if not (np.isfinite(total) and total > 0)
    ]
    found += [
        Problem(f"channel '{shown(name)}' has limits and is not planned: give it money", code="budget-total")
        for name in limits
        if name not in money
    ]
    return found
