"""From fits, tests and paths to the arrays of the evidence model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import combinations
from typing import Literal

import numpy as np

from attribution.credit import Attribution, Credit
from attribution.taxonomy import WITH_CAMPAIGN
from calibration.evidence import Evidence
from calibration.evidence_model import Tests
from calibration.widening import YEAR
from measurement.lift import Lift
from measurement.mmm import Posterior, RoiPrior
from measurement.mmm.effect_size import typical_roi
from measurement.panel import Panel
from measurement.periods import last_day
from measurement.typing import Floats, Ints

type Grain = Literal["month", "quarter"]

MONTHS: Mapping[Grain, int] = {"month": 1, "quarter": 3}
SHRINK = 0.02
SILENT = 25.0
SAME_SALES = 0.98
"""Correlation of two tests' errors where they read the very same sales."""
Z90 = 1.6448536269514722
PRIMARY = ("markov:1", "markov:auto", "shapley", "linear", "position", "time_decay", "first", "last")
"""Attribution models in the order in which one is chosen for the unified number."""


@dataclass(frozen=True, eq=False)
class Blocks:
    """Calendar months or quarters of a panel.

    Attributes:
        of: Block of each period of the panel, shape (periods,).
        times: Middle of each block in years since the panel's first day, shape (blocks,).
        starts: First day of each block that the panel holds.
    """

    of: Ints
    times: Floats
    starts: tuple[date, ...]

    @classmethod
    def calendar(cls, panel: Panel, by: Grain) -> "Blocks":
        """Months or quarters; a rest of less than half of one at either end joins its neighbour."""
        month = panel.dates.astype("datetime64[M]").astype(np.int64)
        day = panel.dates.astype("datetime64[D]").astype(np.int64)
        _, of = np.unique(month // MONTHS[by], return_inverse=True)
        length = np.bincount(of)
        if length.size > 1 and length[0] < np.median(length) / 2:
            of = np.maximum(of - 1, 0)
        if length.size > 1 and length[-1] < np.median(length) / 2:
            of = np.minimum(of, of.max() - 1)
        firsts = np.flatnonzero(np.diff(of, prepend=-1))
        times = np.array([(day[of == b].mean() - day[0]) / YEAR for b in range(of.max() + 1)])
        return cls(of, times, tuple(panel.dates[i].astype("datetime64[D]").item() for i in firsts))

    def shares(self, panel: Panel, window: slice | None = None) -> Floats:
        """Each channel's spend by block within a window, as shares, shape (channels, blocks).

        A channel without spend there gets equal shares of the window's blocks.
        """
        inside = np.zeros(self.of.size)
        inside[window if window is not None else slice(None)] = 1.0
        member = (self.of[:, None] == np.arange(self.times.size)).astype(np.float64) * inside[:, None]
        money = panel.spend.sum(axis=0).T @ member
        total = money.sum(axis=1, keepdims=True)
        even = member.sum(axis=0) / member.sum()
        return np.asarray(np.where(total > 0, money / np.where(total > 0, total, 1.0), even))


def years(day: date, panel: Panel) -> float:
    """Years from the panel's first day."""
    first: date = panel.dates[0].astype("datetime64[D]").item()
    return (day - first).days / YEAR


def gaussian(log_draws: Floats) -> tuple[Floats, Floats]:
    """Centre, shape (n,), and covariance, shape (n, n), of draws of logs, shape (draws, n).

    Median, the 90 % interval's half-width over 1.645, and the correlation of draws clipped to 3 of these, shrunk a
    little to 0: a long lower tail (an effect that may be next to nothing) must not set the scale of the whole.
    """
    centre = np.median(log_draws, axis=0)
    low, high = np.quantile(log_draws, [0.05, 0.95], axis=0)
    sd = np.maximum((high - low) / (2 * Z90), 1e-4)
    z = np.clip((log_draws - centre) / sd, -3, 3)
    with np.errstate(invalid="ignore"):  # a channel without spend has the same value in all draws
        correlation = np.atleast_2d(np.corrcoef(z, rowvar=False)) if log_draws.shape[1] > 1 else np.ones((1, 1))
    correlation = (1 - SHRINK) * np.nan_to_num(correlation) + SHRINK * np.eye(sd.size)
    np.fill_diagonal(correlation, 1.0)
    return centre, correlation * np.outer(sd, sd)


def mmm_source(posterior: Posterior, panel: Panel) -> dict[str, Floats]:
    """What the data say by the model, and what the model believed before: the arrays of `Sources` about it.

    The posterior is the data's word times the model's own prior, which the joint model has once more; so it is divided
    out, as for the parts of a posterior in meta-analysis and expectation propagation (Minka 2001; Vehtari et al. 2020,
    JMLR 21). NaN for channels without spend.
    """
    paid = panel.spend.sum(axis=(0, 1)) > 0
    usual, width = RoiPrior().normal
    before = np.log(np.where(paid, typical_roi(posterior.spec, panel), 1.0))
    sd = np.array([posterior.spec.channels[name].size_prior[1].normal[1] for name in panel.channels])
    centre, covariance = gaussian(np.log(np.maximum(np.where(paid, posterior.draws["iroas"], 1.0), 1e-9)))
    centre[paid], covariance[np.ix_(paid, paid)] = divided(
        centre[paid], covariance[np.ix_(paid, paid)], before[paid], sd[paid]
    )
    return {
        "mmm": np.where(paid, centre, np.nan),
        "mmm_cov": covariance,
        "prior_centre": np.where(paid, before, usual),
        "prior_width": sd / width,
    }


def divided(centre: Floats, covariance: Floats, before: Floats, sd: Floats) -> tuple[Floats, Floats]:
    """Centre, shape (n,), and covariance, shape (n, n), of a Normal posterior over its independent Normal prior.

    Where a direction has not become narrower, the data are taken to say next to nothing in it (a variance of
    `SILENT` times the prior's).
    """
    precision = np.linalg.inv(covariance / np.outer(sd, sd))
    value, vector = np.linalg.eigh(precision - np.eye(sd.size))
    left = (vector / np.maximum(value, 1 / SILENT)) @ vector.T
    return before + sd * (left @ precision @ ((centre - before) / sd)), left * np.outer(sd, sd)


def tests_of(evidence: Sequence[Evidence], change: Sequence[Floats], iroas: Floats, panel: Panel) -> Tests:
    """The tests, mapped to the channels' average iROAS by the fit's own simulation of them.

    ``k = simulated outcome change / iROAS``, draw by draw: the effect is proportional to the channel's coefficient, so
    k depends on the shape of its curve only (average against marginal return, what the window catches). Its log's
    median is used, and its covariance over the draws says how little the shape is known. Errors of tests that read the
    same sales are correlated, and those of cells with shared controls (`joint_errors`).

    Args:
        evidence: The tests.
        change: Per test, its simulated outcome change by channel, shape (draws, channels of the test).
        iroas: The same draws' iROAS over the whole panel, shape (draws, channels of the panel).
        panel: The study's panel.
    """
    pairs = [(e, i) for e, item in enumerate(evidence) for i in range(len(item.lift.channels))]
    owner = [int(panel.channel_index([evidence[e].lift.channels[i]])[0]) for e, i in pairs]
    ratio = [change[e][:, i] / iroas[:, c] for (e, i), c in zip(pairs, owner, strict=True)]
    keep = [n for n, draws in enumerate(ratio) if np.median(np.abs(draws)) > 0]
    logs = np.log(np.abs(np.stack([ratio[n] for n in keep], axis=1))) if keep else np.zeros((1, 0))
    centre, spread = gaussian(logs) if keep else (np.zeros(0), np.zeros((0, 0)))
    sd = np.sqrt(np.diag(spread))
    middle = [item.lift.start + (item.lift.cooldown_end - item.lift.start) / 2 for item in evidence]
    return Tests(
        outcome_change=np.array([item.lift.outcome_change for item in evidence]),
        std_error=np.array([item.lift.std_error for item in evidence]),
        relative_sd=np.array([item.grade_sd for item in evidence]),
        test=np.array([pairs[n][0] for n in keep], dtype=np.int64),
        channel=np.array([owner[n] for n in keep], dtype=np.int64),
        time=np.array([years(middle[pairs[n][0]], panel) for n in keep]),
        scale=np.sign([np.median(ratio[n]) for n in keep]) * np.exp(centre),
        log_scale_cov=spread,
        correlation=joint_errors(evidence),
        log_scale_draws=np.clip(logs - centre, -3 * sd, 3 * sd) if keep else np.zeros((0, 0)),
    )


def joint_errors(evidence: Sequence[Evidence]) -> Floats:
    """Correlation of the tests' errors, shape (tests, tests); empty where all are independent.

    It is what `overlap` finds, or what two cells of one test state of each other where that is more. Cells of different
    channels stay apart: their shared controls make neither know less of its own channel.
    """
    found = overlap(evidence)
    found = found if found.size else np.eye(len(evidence))
    for (i, a), (j, b) in combinations(enumerate(evidence), 2):
        if set(a.lift.channels) & set(b.lift.channels):
            stated = dict(a.lift.correlations).get(b.id, dict(b.lift.correlations).get(a.id, 0.0))
            found[i, j] = found[j, i] = max(found[i, j], stated)
    return found if np.any(found != np.eye(len(evidence))) else np.zeros((0, 0))


def overlap(evidence: Sequence[Evidence]) -> Floats:
    """Correlation of the tests' errors, shape (tests, tests), for the sales that two of them both read.

    It is the number of days and geos that both read, over the geometric mean of what each does: records of one test
    under two names, or two analyses of it, are one measurement and not two. Outside the panel only tests of the same
    days, channels and money can be told to be the same. Empty where no two tests share any.
    """
    found = np.eye(len(evidence))
    for (i, a), (j, b) in combinations(enumerate(evidence), 2):
        found[i, j] = found[j, i] = SAME_SALES * _shared(a.lift, b.lift)
    return found if np.any(found != np.eye(len(evidence))) else np.zeros((0, 0))


def _shared(first: Lift, second: Lift) -> float:
    if first.off_panel or second.off_panel:
        same = first.off_panel == second.off_panel and first.channels == second.channels
        same &= (first.start, first.end, first.market_share) == (second.start, second.end, second.market_share)
        return float(same and np.array_equal(first.counterfactual_spend, second.counterfactual_spend))
    days = (min(first.cooldown_end, second.cooldown_end) - max(first.start, second.start)).days + 1
    both = len(set(first.geos) & set(second.geos)) * max(days, 0)
    each = [len(set(lift.geos)) * ((lift.cooldown_end - lift.start).days + 1) for lift in (first, second)]
    return float(both / np.sqrt(each[0] * each[1]))


@dataclass(frozen=True, eq=False)
class Parts:
    """A channel's credit by campaign, by the primary model.

    Attributes:
        names: The campaigns; empty for credit of the channel that names none.
        value: Credited money, shape (draws, campaigns).
        spend: Money spent on them, by campaign, where it is known.
    """

    names: tuple[str, ...]
    value: Floats
    spend: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Attributed:
    """What attribution credits, as the reconciliation takes it.

    Attributes:
        channels: Channels of the panel with credit.
        value: Per model, credited money, shape (draws, channels).
        start: First day that the credit covers.
        end: Last day.
        id: Hash of the paths, the settings and the models.
        notes: What a reader should know.
        campaigns: By channel, the parts of its credit where attribution is by campaign.
    """

    channels: tuple[str, ...]
    value: Mapping[str, Floats]
    start: date
    end: date
    id: str = ""
    notes: tuple[str, ...] = ()
    campaigns: Mapping[str, Parts] = field(default_factory=dict)

    @classmethod
    def of(cls, attribution: Attribution, panel: Panel) -> "Attributed | None":
        """Take the credit of the panel's channels; ``None`` where it cannot be compared with the panel.

        A campaign's credit (``channel / campaign``) is its channel's too.

        Money is the paths' own value, or conversions times the KPI's value where they have none. Credit of a window
        that lies outside the panel by more than a fifth of its length is not comparable with the panel's spend.
        """
        first: date = panel.dates[0].astype("datetime64[D]").item()
        last: date = last_day(panel.dates[-1], panel.period).item()
        start, end = attribution.window or (first, last)
        length, inside = (end - start).days + 1, (min(end, last) - max(start, first)).days + 1
        owner = [_owner(name, panel) for name in attribution.channels]
        index = [i for i, name in enumerate(owner) if name]
        if inside < 0.8 * length or not index or not attribution.credits:
            return None
        notes = () if attribution.window else ("the paths have no dates: their credit is set against the whole panel",)
        names = tuple(dict.fromkeys(owner[i] for i in index))
        money = {name: money_of(credit, panel.kpi_value) for name, credit in attribution.credits.items()}
        member = np.equal.outer(np.array(owner), np.array(names)).astype(np.float64)
        value = {name: draws @ member for name, draws in money.items()}
        found = cls(names, value, max(start, first), min(end, last), attribution.provenance.sha256, notes)
        parts = {name: [i for i in index if owner[i] == name] for name in names}
        campaigns = {
            name: Parts(
                names=tuple(attribution.channels[i].partition(WITH_CAMPAIGN)[2] for i in own),
                value=money[found.primary][:, own],
                spend={
                    attribution.channels[i].partition(WITH_CAMPAIGN)[2]: attribution.spend[attribution.channels[i]]
                    for i in own
                    if attribution.channels[i] in attribution.spend
                },
            )
            for name, own in parts.items()
            if len(own) > 1 or attribution.channels[own[0]] != name
        }
        return replace(found, campaigns=campaigns)

    @property
    def primary(self) -> str:
        """The model that enters the unified number: exact Markov of order 1 where it was run."""
        return next((model for model in PRIMARY if model in self.value), next(iter(self.value)))

    def roas(self, panel: Panel) -> dict[str, Floats]:
        """Per model, credited money / spend over its window, (draws, channels); NaN where nothing was spent."""
        window = panel.window(self.start, self.end)
        spend = panel.spend[:, window][:, :, panel.channel_index(self.channels)].sum(axis=(0, 1))
        return {model: value / np.where(spend > 0, spend, np.nan) for model, value in self.value.items()}


def _owner(name: str, panel: Panel) -> str:
    """The panel's channel that a name of attribution is, or is a campaign of; empty where none."""
    channel = name if name in panel.channels else name.partition(WITH_CAMPAIGN)[0]
    return channel if channel in panel.channels else ""


def money_of(credit: Credit, kpi_value: float) -> Floats:
    """Draws of credited money, shape (draws, channels); one draw where nothing was resampled."""
    if credit.value is not None:
        draws = credit.value_draws
        return draws if draws is not None and len(draws) else credit.value[None]
    draws = credit.conversions_draws
    return kpi_value * (draws if len(draws) else credit.conversions[None])


def attribution_source(attributed: Attributed | None, panel: Panel) -> tuple[Floats, Floats]:
    """Log attributed ROAS and its sd, each of shape (channels,); NaN where there is no credit.

    The centre is the primary model's; the variance is that of its bootstrap plus that of the logs between all models,
    because the choice of a model is no more than a choice.
    """
    centre, sd = np.full(len(panel.channels), np.nan), np.zeros(len(panel.channels))
    if attributed is None:
        return centre, sd
    roas = attributed.roas(panel)
    medians = np.stack([np.median(draws, axis=0) for draws in roas.values()])
    first = roas[attributed.primary]
    for i, c in enumerate(panel.channel_index(attributed.channels)):
        draws = first[:, i]
        if not (np.isfinite(draws).all() and np.median(draws) > 0):
            continue
        logs = np.log(np.maximum(draws, 1e-3 * np.median(draws)))
        seen = medians[:, i][medians[:, i] > 0]
        centre[c] = np.median(logs)
        sd[c] = np.hypot(logs.std(), np.log(seen).std(ddof=1) if seen.size > 1 else 0.0)
    return centre, sd
