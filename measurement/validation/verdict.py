"""From diagnostics to a verdict in words: what is wrong, how grave it is, and what to do about it.

A fault counts where it can be told from chance *and* is large enough to matter; the limits stand here, all of them. The
convergence gate comes first: nothing else can be judged where the computation did not settle.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from scipy import stats

from measurement.mmm.diagnostics import Diagnostics
from measurement.panel import Panel
from measurement.typing import Json
from measurement.validation.lfo import Lfo
from measurement.validation.loo import Loo, influential_cells
from measurement.validation.predictive import Predictive
from measurement.validation.residuals import Missed, Outlier, Residuals
from measurement.validation.sensitivity import Sensitivity
from measurement.validation.shift import FAR, Shift

Verdict = Literal["good", "usable with care", "do not use"]
Level = Literal["stop", "care", "note"]

CHANCE = 1e-3
"""p-value below which a fault of the residuals is more than chance."""
SMALL = {"season": 0.01, "trend": 0.02, "spend": 0.003}
"""Size of a missed term, as a share of the KPI, from which it matters."""
GRAVE_P, GRAVE_SHARE = 1e-6, 0.05
"""A missed term surer and larger than both: do not use."""
CORRELATED, UNEVEN = 0.25, 0.25
"""Autocorrelation of one-step errors, and rank correlation of their size, from which it matters."""
ODD_Z, ODD_SHARE = 6.0, 0.5
"""A period farther off than both: do not use before it is explained."""
NARROW, TOO_NARROW = 0.85, 0.75
"""Share of cells inside their leave-one-out 90 % interval below which: with care; do not use."""
FEWEST_ORIGINS = 12
DISCOUNTED = 0.1
"""Share of cells that count for little under Student's t from which the model explains the rest only."""
INFLUENTIAL = 0.02
"""Share of influential cells from which leave-one-out itself is doubtful."""
EXTREME = 0.005
"""Posterior predictive p-value, from either end, from which a replicate is unlike the series."""
SWINGS = {
    "spread": ("swings so wide", "swings so narrow"),
    "peak": ("such a peak", "so low a peak"),
    "autocorrelation": ("swings that last so long", "swings that end so soon"),
}
UNEXPLAINED = 0.25
"""Share of the KPI's movement that trend, season, controls and media should at least explain."""
UNTAUGHT = 0.5
"""Share of the money whose ROI the data may teach nothing about before the whole model is in doubt."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that speaks against a model, or that a reader should know.

    Attributes:
        level: ``stop``, ``care`` or ``note``.
        topic: What it is about.
        words: What was found.
        advice: What to do about it.
        weight: How grave, within its level.
    """

    level: Level
    topic: str
    words: str
    advice: str
    weight: float

    def to_dict(self) -> Json:
        """As plain values."""
        return asdict(self)


def verdict_of(reasons: Sequence[Reason]) -> Verdict:
    """The verdict that follows from the gravest reason."""
    levels = {reason.level for reason in reasons}
    return "do not use" if "stop" in levels else "usable with care" if "care" in levels else "good"


def in_order(reasons: Sequence[Reason]) -> tuple[Reason, ...]:
    """Reasons, the gravest first."""
    order = {"stop": 0, "care": 1, "note": 2}
    return tuple(sorted(reasons, key=lambda reason: (order[reason.level], -reason.weight)))


def convergence(found: Diagnostics) -> list[Reason]:
    """The gate."""
    advice = "fit again with more draws: `theodolite mmm fit --warmup 1000 --draws 2000`"
    return [Reason("stop", "convergence", f"the fit did not converge: {why}", advice, 100.0) for why in found.reasons]


def residual_reasons(found: Residuals, panel: Panel) -> list[Reason]:
    """What the errors show: terms that are missing, errors that follow one another, odd periods."""
    reasons = [_missed(term, len(panel.channels)) for term in found.missed if _matters(term, len(panel.channels))]
    reasons += [_outlier(outlier, panel.period) for outlier in found.outliers]
    reasons += _discounted(found, panel)
    correlation, box = found.autocorrelation, found.ljung_box
    if box < CHANCE and abs(correlation) >= CORRELATED:
        words = f"errors follow one another: {correlation:+.2f} from one {panel.period} to the next (p = {box:.1g})"
        advice = "something that lasts is missing: see the season and trend; intervals are too narrow until it is there"
        reasons.append(Reason("care", "autocorrelation", words, advice, 10.0 * abs(correlation)))
    local = found.local_autocorrelation
    if abs(local) >= 2 * CORRELATED:
        words = f"the geos' own errors follow one another: {local:+.2f} from one {panel.period} to the next"
        advice = "local causes that last are missing: add controls by geo"
        reasons.append(Reason("care", "autocorrelation", words, advice, 10.0 * abs(local)))
    for (rank, p), beside in ((found.uneven, "the level of the KPI"), (found.drift, "time")):
        if p < CHANCE and abs(rank) >= UNEVEN:
            words = f"the size of the errors changes with {beside} (rank correlation {rank:+.2f}, p = {p:.1g})"
            advice = "read intervals of large periods with care; a KPI per head or in logarithms may be steadier"
            reasons.append(Reason("care", "uneven errors", words, advice, 5.0 * abs(rank)))
    return reasons


def _matters(term: Missed, channels: int) -> bool:
    tests = channels if term.what == "spend" else 1
    return term.p * tests < CHANCE and term.share >= SMALL[term.what]


def _missed(term: Missed, channels: int) -> Reason:
    size = f"about {term.share:.1%} of the KPI (p = {term.p:.1g})"
    words, advice = {
        "season": (f"a yearly season is missing: {size}", "raise `fourier_order` in [model], or add holidays"),
        "trend": (f"the trend bends otherwise: {size}", 'set `trend = "piecewise"` in [model], or add what changed it'),
        "spend": (
            f"errors follow the spend of '{term.name}': {size}",
            "its curve or carry-over has another form, or its spend follows demand: try another `saturation` or "
            "`adstock`, or a stronger `demand_driven`; best, test it",
        ),
    }[term.what]
    grave = term.what != "spend" and term.p < GRAVE_P and term.share >= GRAVE_SHARE
    return Reason("stop" if grave else "care", f"missed {term.what}", words, advice, 20.0 + 100.0 * term.share)


def _outlier(found: Outlier, period: str) -> Reason:
    where = f" in '{found.geo}'" if found.geo else ""
    way = "above" if found.share > 0 else "below"
    words = (
        f"the {period} of {found.date}{where} lies {abs(found.share):.0%} {way} what the others let one expect "
        f"({abs(found.z):.1f} standard deviations)"
    )
    advice = "correct the data (counted twice? missing?), or add a control that is 1 in that period and 0 elsewhere"
    grave = not found.geo and abs(found.z) >= ODD_Z and abs(found.share) >= ODD_SHARE
    return Reason("stop" if grave else "care", "outlier", words, advice, 10.0 + abs(found.z))


def _discounted(found: Residuals, panel: Panel) -> list[Reason]:
    if not found.discounted:
        return []
    count, first = len(found.discounted), found.discounted[0]
    where = f" in '{first.geo}'" if first.geo else ""
    words = f"the Student-t likelihood lets {count} of {panel.outcome.size} cells count for little, least the "
    words += f"{panel.period} of {first.date}{where} ({first.weight:.0%} of an ordinary one)"
    advice = "look at these data: counted twice? missing? An event that is known wants a control"
    share = count / panel.outcome.size
    return [Reason("care" if share > DISCOUNTED else "note", "discounted", words, advice, 100.0 * share)]


def prediction_reasons(loo: Loo, lfo: Lfo, fit: Predictive, panel: Panel) -> list[Reason]:
    """What predictions show: intervals that do not hold, cells that decide alone, a KPI that is not explained."""
    reasons = []
    held, cells = loo.coverage(0.9), int(loo.known.sum())
    if held < NARROW and stats.binom.cdf(round(held * cells), cells, 0.9) < 0.01:
        level: Level = "stop" if held < TOO_NARROW else "care"
        words = f"intervals are too narrow: {held:.0%} of the cells lie in their 90 % interval when left out"
        advice = "outliers or a missing term make the errors larger than the model believes: mend those first"
        reasons.append(Reason(level, "intervals", words, advice, 100.0 * (0.9 - held)))
    ahead, origins = lfo.coverage(0.9), len(lfo.dates)
    if origins >= FEWEST_ORIGINS and stats.binom.cdf(round(ahead * origins), origins, 0.9) < 0.01:
        words = f"one {panel.period} ahead only {ahead:.0%} of {origins} {panel.period}s lay in their 90 % interval"
        advice = "the newest periods differ from the past: look for what changed, and do not trust forecasts"
        reasons.append(Reason("care", "forecast", words, advice, 100.0 * (0.9 - ahead)))
    count = int(loo.influential.sum())
    if count:
        first = influential_cells(loo, panel, 1)[0]
        words = f"{count} of {cells} cells decide alone (k-hat too high), first {first['geo']}, {first['date']}"
        share = count / cells
        advice = "check these periods; compare models by a backtest, not by leave-one-out, where there are many"
        reasons.append(Reason("care" if share > INFLUENTIAL else "note", "influence", words, advice, 100.0 * share))
    known = fit.known.median
    if known < UNEXPLAINED:
        words = f"trend, season, controls and media explain {known:.0%} of the KPI's movement, the rest is a demand "
        words += "that the model only infers"
        advice = "add what moves sales: season, holidays, prices, distribution; what is left out can pass for media"
        reasons.append(Reason("care", "unexplained", words, advice, 20.0 * (UNEXPLAINED - known)))
    odd = [SWINGS[name][p > 0.5] for name, p in fit.p_values.items() if min(p, 1 - p) < EXTREME]
    if odd:
        words = f"the demand that the model believes in would hardly ever make a series with {' and '.join(odd)}"
        advice = "what it takes for demand is something that it lacks: see the other reasons"
        reasons.append(Reason("care", "replication", words, advice, 3.0))
    return reasons


def channel_reasons(shifts: Sequence[Shift], felt: Sequence[Sensitivity], panel: Panel) -> list[Reason]:
    """What the data taught of the channels, and where they contradict what was believed."""
    reasons = []
    sized = [shift for shift in shifts if shift.parameter in ("ROI", "contribution")]
    blind = [shift.channel for shift in sized if shift.verdict == "nothing" and abs(shift.moved) < FAR]
    if blind:
        spend = panel.spend.sum((0, 1))
        share = float(spend[panel.channel_index(blind)].sum() / max(spend.sum(), 1e-12))
        names = ", ".join(f"'{name}'" for name in blind)
        words = f"the data taught nothing about {names} ({share:.0%} of the spend): the intervals are the priors'"
        advice = "a lift test of the largest of them says more than any model of these data"
        reasons.append(Reason("care" if share >= UNTAUGHT else "note", "untaught", words, advice, 10.0 * share))
    clash = {s.channel for s in felt if s.verdict == "conflict"}
    for shift in sized:
        if abs(shift.moved) >= FAR or shift.channel in clash:
            words = f"prior and data contradict each other on the {shift.parameter} of '{shift.channel}' "
            words += f"({shift.moved:+.1f} prior standard deviations)"
            advice = "if the prior was a guess, widen it; if it was knowledge, look for what passes for the channel"
            reasons.append(Reason("care", "conflict with the prior", words, advice, 5.0 + abs(shift.moved)))
    leaning = [s for s in felt if s.looser is not None and abs(np.log(max(s.looser, 1e-9))) > np.log(1.5)]
    if leaning:
        names = ", ".join(f"'{s.channel}' {s.looser - 1:+.0%}" for s in leaning if s.looser is not None)
        words = f"with priors half as strong these numbers would move by more than half: {names}"
        advice = "say where these priors come from beside the numbers, or test the channels"
        reasons.append(Reason("note", "prior", words, advice, 1.0))
    return reasons
