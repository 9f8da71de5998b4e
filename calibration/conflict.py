"""Does a test contradict the model, or another test? Asked of every test before anything is recommended.

For each test: the two-sided predictive p-value of its result under the model fitted *without* it,

    p = 2 min(P(y_rep <= y), P(y_rep >= y)),   y_rep ~ StudentT(6, Delta_e, s_e),

averaged over the posterior draws. A lone test is judged by the sibling fit, one of several by Pareto-smoothed
leave-one-out from the calibrated fit (k-hat < 0.7), else by a refit without it where one is allowed, else by the
sibling. A geo test inside the panel is judged a second time by the sibling's draws weighted by what the panel's own
sales say of it (`calibration.second_reading`): where spend follows demand the model alone allows nearly everything.
Either p < .01 is a conflict. Two tests of one channel disagree where what they say of the channel's iROAS differs with
p < .01, their widened errors and a spread between tests allowed for.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np
from scipy import stats

from calibration.quantity import Quantity, plain
from calibration.second_reading import Reading
from measurement.lift import Lift
from measurement.mmm.lifts import joint_errors
from measurement.psis import TRUSTED, smoothed
from measurement.typing import Floats, Json

Judge = Literal["agrees", "conflict", "tests disagree"]

DEGREES = 6.0
LIMIT = 0.01
SMALL = 0.0001
"""What a p-value is called smaller than; nobody reads exponents."""
BETWEEN_TESTS = 0.15
"""Relative sd between two sound tests of one channel, beyond their errors."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """The judgement on one test.

    Attributes:
        experiment_id: The test.
        channels: Its channels.
        p: Predictive p-value under the model without it.
        verdict: What follows.
        method: How the model without it was had: ``sibling``, ``psis`` or ``refit``.
        khat: Pareto k of the leave-one-out weights; NaN where they were not needed.
        against: The tests that it disagrees with.
        panel_p: The same p-value once the panel's own sales have been read again; ``None`` where they cannot be, or
            where model and reading lie too far apart to be weighed together.
        panel_change: What these sales say of the test, KPI units.
        panel_se: Standard error of that.
        keep: What somebody decided to believe (`calibration.resolution`); ``None`` as long as nobody has.
        decision: Who decided, and why, in words.
        expected: What the model without the test says that it changed, KPI units, the test's own error not in it;
            ``None`` in fits of versions that did not keep it.
    """

    experiment_id: str
    channels: tuple[str, ...]
    p: float
    verdict: Judge
    method: Literal["sibling", "psis", "refit"] = "sibling"
    khat: float = math.nan
    against: tuple[str, ...] = ()
    panel_p: float | None = None
    panel_change: float | None = None
    panel_se: float | None = None
    keep: Literal["test", "model", "neither"] | None = None
    decision: str | None = None
    expected: Quantity | None = None

    @property
    def withholds(self) -> bool:
        """Whether the channels' recommended numbers wait for a resolution, or one believes neither side."""
        return self.verdict != "agrees" and self.keep != "test"

    @property
    def least_p(self) -> float:
        """The smaller of both p-values."""
        return self.p if self.panel_p is None else min(self.p, self.panel_p)

    def to_dict(self) -> Json:
        """As in ``mmm fit --json``; a test of several channels lists them."""
        return {
            "experiment_id": self.experiment_id,
            "channel": self.channels[0] if len(self.channels) == 1 else list(self.channels),
            "p": self.p,
            "verdict": self.verdict,
            "method": self.method,
            "khat": None if math.isnan(self.khat) else self.khat,
            "against": list(self.against),
            "panel_p": self.panel_p,
            "panel_change": self.panel_change,
            "panel_se": self.panel_se,
            "keep": self.keep,
            "decision": self.decision,
            "expected": plain(self.expected),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "Conflict":
        """Read what `to_dict` wrote."""
        channel, khat = raw["channel"], raw["khat"]
        return cls(
            experiment_id=raw["experiment_id"],
            channels=(channel,) if isinstance(channel, str) else tuple(channel),
            p=raw["p"],
            verdict=raw["verdict"],
            method=raw["method"],
            khat=math.nan if khat is None else khat,
            against=tuple(raw["against"]),
            panel_p=raw.get("panel_p"),
            panel_change=raw.get("panel_change"),
            panel_se=raw.get("panel_se"),
            keep=raw.get("keep"),
            decision=raw.get("decision"),
            expected=Quantity.from_dict(raw.get("expected")),
        )

    def in_words(self) -> str:
        """Why a number is withheld."""
        if self.verdict == "tests disagree":
            others = ", ".join(f"'{name}'" for name in self.against)
            return f"test '{self.experiment_id}' and {others} contradict each other"
        if self.p >= LIMIT and self.panel_p is not None and self.panel_change is not None:
            return (
                f"test '{self.experiment_id}' does not fit the sales of its own markets: read again they say "
                f"{self.panel_change:,.0f} ± {self.panel_se:,.0f} ({_p(self.panel_p)})"
            )
        return f"test '{self.experiment_id}' contradicts the model fitted without it ({_p(self.p)})"


def _p(value: float) -> str:
    """``p = 0.0023``, and no exponent."""
    return f"p = {value:.2g}" if value >= SMALL else f"p under {SMALL}"


def predictive_p(lift: Lift, delta: Floats, weight: Floats | None = None, spread: Floats | float = 0.0) -> float:
    """Two-sided predictive p-value of a test.

    Args:
        lift: The test.
        delta: Its outcome change as simulated by posterior draws of a model without it, shape (draws,).
        weight: Weights of the draws, summing to 1; equal by default.
        spread: Further sd between tests, KPI units, a number or one per draw.
    """
    below = float(np.average(stats.t.cdf(_standardised(lift, delta, spread), DEGREES), weights=weight))
    return min(1.0, 2 * min(below, 1 - below))


def log_likelihood(lift: Lift, delta: Floats, spread: Floats | float = 0.0) -> Floats:
    """Log density of the test's result for each draw, shape (draws,)."""
    scale = _scale(lift, delta, spread)
    return np.asarray(stats.t.logpdf(_standardised(lift, delta, spread), DEGREES) - np.log(scale))


def joint_log_likelihood(
    lifts: Sequence[Lift], deltas: Sequence[Floats], spreads: Sequence[Floats | float], correlation: Floats
) -> Floats:
    """Log density of the results of all cells of one test for each draw, shape (draws,), but for a constant.

    Args:
        lifts: The cells, or one test.
        deltas: Per cell, its simulated outcome change, (draws,).
        spreads: Per cell, further sd between tests, KPI units.
        correlation: Of the cells' errors, shape (cells, cells).
    """
    if len(lifts) == 1:
        return log_likelihood(lifts[0], deltas[0], spreads[0])
    own = np.array([lift.std_error for lift in lifts])
    extra = [(lift.relative_sd * d) ** 2 + np.square(s) for lift, d, s in zip(lifts, deltas, spreads, strict=True)]
    covariance = correlation * np.outer(own, own) + np.stack(extra, axis=-1)[..., None] * np.eye(len(lifts))
    off = np.stack([lift.outcome_change - d for lift, d in zip(lifts, deltas, strict=True)], axis=-1)
    square = np.einsum("di,di->d", off, np.linalg.solve(covariance, off[..., None])[..., 0])
    log_det = np.linalg.slogdet(covariance)[1]
    return np.asarray(-0.5 * log_det - (DEGREES + len(lifts)) / 2 * np.log1p(square / DEGREES))


def judge(
    lifts: Sequence[Lift],
    sibling: Sequence[Floats],
    calibrated: Sequence[Floats] | None,
    iroas: Floats,
    channels: Sequence[str],
    *,
    spread: Sequence[Floats | float] | None = None,
    refit: Callable[[int], Floats] | None = None,
    readings: Sequence[Reading | None] | None = None,
) -> tuple[Conflict, ...]:
    """Judge every test.

    Args:
        lifts: The tests.
        sibling: Per test, its outcome change simulated by the draws of the fit without any test, each (draws,).
        calibrated: The same by the fit with all tests; may be ``None`` for a single test. A test is left out with all
            of its cells.
        iroas: The sibling's iROAS, shape (draws, channels).
        channels: Names of these channels.
        spread: Per test, the calibrated fit's sd between tests of a channel, KPI units.
        refit: Fits without the test at a position and returns its simulated change; ``None`` falls back on the sibling.
        readings: Per test, what the panel's own sales say of it, where they were read again.
    """
    against = disagreements(lifts, sibling, iroas, channels)
    spreads: Sequence[Floats | float] = [0.0] * len(lifts) if spread is None else spread
    hanging = joint_errors(lifts)
    joint = np.eye(len(lifts)) if hanging is None else hanging[1]
    found = []
    for e, lift in enumerate(lifts):
        cells = np.flatnonzero(joint[joint[:, e] > 0][0]).tolist()
        likelihood = None
        if calibrated is not None and len(cells) < len(lifts):
            correlation = np.eye(1) if hanging is None else hanging[0][np.ix_(cells, cells)]
            likelihood = joint_log_likelihood(
                [lifts[i] for i in cells], [calibrated[i] for i in cells], [spreads[i] for i in cells], correlation
            )
        left = _without(e, lift, sibling[e], calibrated, likelihood, spreads[e], refit)
        reading = None if readings is None else readings[e]
        again = None if reading is None else panel_p(lift, sibling[e], reading)
        judged = Conflict(
            lift.experiment_id,
            lift.channels,
            left.p,
            "agrees",
            left.method,
            left.khat,
            against[e],
            again,
            expected=left.expected,
        )
        verdict: Judge = "tests disagree" if against[e] else "conflict" if judged.least_p < LIMIT else "agrees"
        judged = replace(judged, verdict=verdict)
        if reading is not None:
            judged = replace(judged, panel_change=reading.outcome_change, panel_se=reading.std_error)
        found.append(judged)
    return tuple(found)


def panel_p(lift: Lift, sibling: Floats, reading: Reading) -> float | None:
    """Predictive p-value of a test by the sibling's draws, weighted by what the panel's own sales say of the test.

    Args:
        lift: The test.
        sibling: Its outcome change simulated by the fit without any test, shape (draws,).
        reading: The panel's own reading of it, taken as Normal.

    Returns:
        ``None`` where the weights cannot be trusted: then model and reading contradict each other, and the model's own
        p-value speaks.
    """
    weight, khat = smoothed(-0.5 * ((reading.outcome_change - sibling) / reading.std_error) ** 2)
    return predictive_p(lift, sibling, weight) if khat < TRUSTED else None


@dataclass(frozen=True, slots=True)
class _LeftOut:
    """The model without a test, and how it was had: what it expects of the test, and how odd the result is to it."""

    p: float
    expected: Quantity
    method: Literal["sibling", "psis", "refit"]
    khat: float = math.nan


def _without(
    e: int,
    lift: Lift,
    sibling: Floats,
    calibrated: Sequence[Floats] | None,
    likelihood: Floats | None,
    spread: Floats | float,
    refit: Callable[[int], Floats] | None,
) -> _LeftOut:
    if calibrated is None or likelihood is None:
        return _LeftOut(predictive_p(lift, sibling), _weighed(sibling), "sibling")
    weight, khat = smoothed(-likelihood)
    if khat < TRUSTED:
        p = predictive_p(lift, calibrated[e], weight, spread)
        return _LeftOut(p, _weighed(calibrated[e], weight), "psis", khat)
    draws = sibling if refit is None else refit(e)
    return _LeftOut(predictive_p(lift, draws), _weighed(draws), "sibling" if refit is None else "refit", khat)


def _weighed(draws: Floats, weight: Floats | None = None) -> Quantity:
    """Median and 90 % interval of draws that count differently."""
    low, middle, high = np.quantile(draws, [0.05, 0.5, 0.95], method="inverted_cdf", weights=weight)
    return Quantity(float(middle), float(low), float(high))


def disagreements(
    lifts: Sequence[Lift], sibling: Sequence[Floats], iroas: Floats, channels: Sequence[str]
) -> tuple[tuple[str, ...], ...]:
    """For each test, the ids of tests of the same channel that it cannot be reconciled with.

    A test's result becomes the channel's iROAS through the response curve: divided by (simulated change / iROAS), draw
    by draw, so that two tests at different levels of spend can be compared. What the curve leaves open of both alike
    moves both alike and tells them no further apart or together: it is taken out. Tests of several channels are left
    out.
    """
    against: list[list[str]] = [[] for _ in lifts]
    for (i, a), (j, b) in combinations(enumerate(lifts), 2):
        if len(a.channels) != 1 or a.channels != b.channels:
            continue
        size = iroas[:, list(channels).index(a.channels[0])]
        alike = np.sqrt(np.abs(sibling[i] * sibling[j])) / size
        alike /= np.median(alike)
        both = [lift.outcome_change / (delta / size) * alike for lift, delta in ((a, sibling[i]), (b, sibling[j]))]
        gap = both[0] - both[1]
        se = [
            np.hypot(lift.std_error, lift.relative_sd * lift.outcome_change) / np.median(np.abs(delta / size))
            for lift, delta in ((a, sibling[i]), (b, sibling[j]))
        ]
        between = BETWEEN_TESTS * np.mean([abs(np.median(x)) for x in both])
        sd = np.sqrt(se[0] ** 2 + se[1] ** 2 + between**2 + np.var(gap))
        if 2 * stats.t.sf(abs(np.median(gap)) / sd, DEGREES) < LIMIT:
            against[i].append(b.experiment_id)
            against[j].append(a.experiment_id)
    return tuple(tuple(names) for names in against)


def withheld(conflicts: Sequence[Conflict], resolved: Collection[str] = ()) -> dict[str, str]:
    """Channels whose number is withheld, with the reason; ``resolved`` holds ids of tests that were decided on."""
    found: dict[str, str] = {}
    for conflict in conflicts:
        if conflict.withholds and conflict.experiment_id not in resolved:
            words = conflict.in_words()
            for channel in conflict.channels:
                found.setdefault(channel, words if conflict.decision is None else f"{words}; {conflict.decision}")
    return found


def _scale(lift: Lift, delta: Floats, spread: Floats | float) -> Floats:
    return np.sqrt(lift.std_error**2 + (lift.relative_sd * delta) ** 2 + np.square(spread))


def _standardised(lift: Lift, delta: Floats, spread: Floats | float) -> Floats:
    return np.asarray((lift.outcome_change - delta) / _scale(lift, delta, spread))
