"""Carry: what one channel brings period by period, as a function of what it spends in each period ahead.

With carry-over the periods hang together: what is spent in one of them works in the next ones too, on top of what they
spend themselves. Every term here is a saturation of a linear function of the spends, so that its gradient, and the
least concave function above it, are known in closed form or by one bisection. The latter gives the bounds of
`measurement.plan.timing`.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from measurement.mmm import Posterior
from measurement.mmm.counterfactual import TRANSFORM
from measurement.mmm.priors import forms_of, kinds_of
from measurement.mmm.transforms import MARGINALS, adstock_weights, saturate
from measurement.mmm.variation import multiplier_at
from measurement.panel import Panel
from measurement.plan.horizon import Horizon, following
from measurement.typing import Floats, Ints

After = Literal["usual", "nothing"]

TINY = 1e-6
HALVINGS = 40


@dataclass(frozen=True, slots=True, eq=False)
class Carry:
    """One channel's response to its spend ahead.

    Attributes:
        weights: Carry-over weights, shape (draws, lags); of one lag where the channel saturates before it carries over.
        given: Adstocked exposure of each term without the plan's own spend, shape (draws, geos, terms).
        per_money: Scaled exposure that one unit of money in a period buys in each geo, shape (geos,).
        height: Money that one unit of saturated exposure brings, shape (draws, geos, terms).
        periods: Number of periods planned.
        form: The saturation's name.
        code: Its position among the saturations, shape (1,).
        half: Half-saturation, shape (draws, 1, 1).
        slope: Slope, same shape.
    """

    weights: Floats
    given: Floats
    per_money: Floats
    height: Floats
    periods: int
    form: str
    code: Ints
    half: Floats
    slope: Floats

    @property
    def terms(self) -> int:
        """Periods in which the plan works: its own and those that it is carried into."""
        return int(self.given.shape[2])

    def exposed(self, spend: Floats) -> Floats:
        """Adstocked exposure of every term, shape (draws, geos, terms)."""
        lags = self.weights.shape[1]
        spread = np.zeros((lags, self.terms))
        for lag in range(lags):
            spread[lag, lag : lag + self.periods] = spend
        return np.asarray(self.given + (self.weights @ spread)[:, None] * self.per_money[:, None])

    def saturated(self, x: Floats) -> Floats:
        """The saturation at exposures of shape (draws, geos, terms)."""
        return np.asarray(saturate((self.form,), self.code, x, self.half, self.slope))

    def slopes(self, x: Floats) -> Floats:
        """Its derivative, same shape; close to 0 that of a very small exposure, as some forms are vertical at 0."""
        near = np.maximum(x, TINY)
        return np.asarray(saturate((self.form,), self.code, near, self.half, self.slope, MARGINALS) / near)

    def money(self, spend: Floats) -> Floats:
        """What the plan brings beyond spending nothing in its periods, money of each draw, shape (draws,)."""
        change = self.saturated(self.exposed(spend)) - self.saturated(self.given)
        return np.asarray((self.height * change).sum(axis=(1, 2)))

    def expected(self, spend: Floats) -> tuple[float, Floats]:
        """The mean of `money` over draws, and its gradient, shape (periods,)."""
        x = self.exposed(spend)
        value = (self.height * (self.saturated(x) - self.saturated(self.given))).sum(axis=(1, 2)).mean()
        return float(value), self.pulled(self.height * self.slopes(x)).sum(axis=0)

    def pulled(self, by_term: Floats) -> Floats:
        """Mean over draws of what a unit of spend in each period adds to each term, shape (terms, periods).

        Args:
            by_term: What a unit of adstocked exposure adds, shape (draws, geos, terms).
        """
        rise = np.einsum("dgt,g,dl->tl", by_term, self.per_money, self.weights) / len(self.weights)
        out = np.zeros((self.terms, self.periods))
        for lag in range(self.weights.shape[1]):
            at = np.arange(self.periods)
            out[at + lag, at] = rise[at + lag, lag]
        return out

    def s_shaped(self) -> float:
        """Share of draws whose curve is not concave: it rises ever faster at first."""
        steep = self.slope > 1.0 if self.form in ("hill", "root") else np.zeros_like(self.slope)
        return float(steep.mean())

    def bend(self, low: Floats, high: Floats) -> Floats:
        """A matrix that is nowhere in a box below the second derivative of `expected`, shape (periods, periods).

        Below in the sense of quadratic forms. Single draws may rise ever faster where the mean over all draws does not:
        if no direction has a positive curvature in this matrix, the mean is concave in the box.

        Args:
            low: Least spend of each period.
            high: Most spend.
        """
        most = self._greatest_curvature(self.exposed(low), self.exposed(high))
        by_term = np.einsum("dgt,g,dl,dm->tlm", self.height * most, self.per_money**2, self.weights, self.weights)
        out, at = np.zeros((self.periods, self.periods)), np.arange(self.terms)
        for first, second in np.ndindex(by_term.shape[1:]):
            inside = (at >= max(first, second)) & (at - min(first, second) < self.periods)
            out[at[inside] - first, at[inside] - second] += by_term[inside, first, second] / len(self.weights)
        return out

    def _greatest_curvature(self, low: Floats, high: Floats) -> Floats:
        """Greatest second derivative of the saturation between two exposures; infinite where it is not bounded."""
        slope = self.slope
        if self.form == "root":
            ends = [slope * (slope - 1.0) * np.maximum(x, TINY) ** (slope - 2.0) for x in (low, high)]
        else:

            def curvature(x: Floats) -> Floats:
                near = np.maximum(x, TINY)
                y = self.saturated(near)
                return np.asarray(slope / near**2 * y * (1 - y) * (slope * (1 - 2 * y) - 1))

            # Of x^s / (x^s + h^s) it has one peak, where s > 2: a root of the third derivative, quadratic in 1 - 2 y.
            peaked = slope > 2.0
            y = np.where(peaked, 0.5 - (1.0 + np.sqrt(np.maximum(slope**2 - 1, 0) / 3)) / (2 * slope), 0.1)
            peak = np.where(peaked, self.half * (y / (1 - y)) ** (1 / slope), 0.0)
            ends = [curvature(x) for x in (low, high, np.clip(peak, low, high))]
        unbounded = (low < TINY) & (slope > 1.0) & (slope < 2.0)
        return np.asarray(np.where(unbounded, np.inf, np.maximum.reduce(ends)))


@dataclass(frozen=True, slots=True, eq=False)
class Roof:
    """The least concave function above each saturation where the spends lie in a box.

    Every saturation is concave, or convex up to a point and concave from there on. Above such a curve on an interval
    lies the chord from its lower end to the point where the chord touches the curve, then the curve itself.

    Attributes:
        carry: The response.
        low_spend: The box's least spends, shape (periods,).
        high_spend: Its most.
        low: Least exposure of each term, shape (draws, geos, terms).
        touch: Where the chord touches, same shape.
        base: The saturation at ``low``.
        chord: Slope of the chord.
    """

    carry: Carry
    low_spend: Floats
    high_spend: Floats
    low: Floats
    touch: Floats
    base: Floats
    chord: Floats

    @classmethod
    def over(cls, carry: Carry, low: Floats, high: Floats) -> "Roof":
        """The roof over the box between two spends, each of shape (periods,)."""
        least, most = carry.exposed(low), carry.exposed(high)
        base, left, right = carry.saturated(least), least, most
        if carry.s_shaped() == 0.0:
            right = least
        else:
            for _ in range(HALVINGS):
                middle = 0.5 * (left + right)
                above = carry.saturated(middle) - base >= carry.slopes(middle) * (middle - least)
                left, right = np.where(above, left, middle), np.where(above, middle, right)
        width = right - least
        wide = width > 0
        rise = np.divide(carry.saturated(right) - base, width, out=np.zeros_like(width), where=wide)
        return cls(carry, low, high, least, right, base, rise)

    def at(self, spend: Floats) -> tuple[Floats, Floats, Floats]:
        """Mean over draws of each term's roof, its slopes in the spends, and the curves below it.

        Returns:
            Money, shape (terms,); slopes, shape (terms, periods); money, shape (terms,). Beyond spending nothing.
        """
        carry = self.carry
        x = carry.exposed(spend)
        near = np.maximum(x, TINY)
        on = x < self.touch
        slope = np.where(on, self.chord, carry.slopes(near))
        touching = carry.saturated(near)
        roof = np.where(on, self.base + self.chord * (x - self.low), touching + slope * (x - near))
        nothing = carry.saturated(carry.given)

        def mean(values: Floats) -> Floats:
            return np.asarray((carry.height * (values - nothing)).sum(axis=1).mean(axis=0))

        return mean(roof), carry.pulled(carry.height * slope), mean(carry.saturated(x))


def carry_of(post: Posterior, panel: Panel, plan: Horizon, channel: int, after: After) -> Carry:
    """A channel's response to what it spends in the periods of a plan.

    Args:
        post: The fit.
        panel: Its data: what is carried over from them counts.
        plan: The periods, and what business as usual spends in them: it says how money is split over geos.
        channel: The channel's position.
        after: Spend after the plan, into which its last periods carry over: its average period, or nothing. What is
            carried over counts by what it adds there.
    """
    post.check(panel)
    forms, name = forms_of(post.spec, post.channels).only(channel), post.channels[channel]
    kinds = kinds_of(post.spec, (name,))
    values = {key: post.draws[key][:, [channel]] for key in TRANSFORM if key in post.draws}
    weights = adstock_weights(kinds, forms, values)[:, 0]
    reach = min(post.spec.channels[name].l_max, weights.shape[1])
    weights, periods = weights[:, :reach], len(plan.dates)
    size = post.scales.size
    own = plan.spend[..., channel].sum(axis=1)
    share = own / own.sum() if own.sum() > 0 else size / size.sum()
    scale = 1.0 / (size * post.scales.exposure[channel])
    per_money = share * post.scales.exposure_per_money[channel] * scale
    unit = size * post.scales.outcome * panel.kpi_value * post.draws["coefficient"][:, channel]
    then = multiplier_at(post, channel, following(panel, periods + reach - 1))
    then = np.ones((post.size, periods + reach - 1)) if then is None else then
    if forms.first[0]:
        then = sum((weights[:, [lag]] * then[:, lag : lag + periods] for lag in range(reach)), np.zeros(1))
        weights, given = np.ones((post.size, 1)), np.zeros((post.size, len(size), periods))
    else:
        later = own.sum() / periods if after == "usual" else 0.0
        before = panel.exposure[:, max(0, panel.shape[1] - reach + 1) :, channel] * scale[:, None]
        rest = np.tile(later * per_money[:, None], (1, reach - 1))
        series = np.concatenate([before, np.zeros((len(size), periods)), rest], axis=1)
        start, given = before.shape[1], np.zeros((post.size, len(size), periods + reach - 1))
        for lag in range(reach):
            first = start - lag
            own_part = series[:, max(0, first) : first + given.shape[2]]
            given[..., max(0, -first) :] += weights[:, lag, None, None] * own_part
    return Carry(
        weights=weights,
        given=given,
        per_money=per_money,
        height=unit[..., None] * then[:, None],
        periods=periods,
        form=kinds.saturations[0],
        code=forms.code[0],
        half=values["half_saturation"][:, :, None],
        slope=values["slope"][:, :, None],
    )
