"""Lift tests that really happen: spend is changed in the panel, the truth is known, a noisy result is written down."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from measurement.errors import DataError, shown
from measurement.simulate.media import Response
from measurement.simulate.settings import TrialPlan, WorldSettings
from measurement.simulate.streams import stream
from measurement.typing import Bools, Floats, Ints, Json

PRE_WEEKS = 26
PLACEBOS = 400
TREATED_SHARE = (0.35, 0.5)


@dataclass(frozen=True, eq=False)
class Trial:
    """One test, placed in the world.

    Attributes:
        plan: Its settings.
        channel: Position of its channel.
        treated: Which geos are treated, shape (geos,); none for a test off the panel.
        outcome_change: True revenue with the test minus without it, over the treated geos and the read-out.
        spend_delta: Money spent with the test minus without it.
        usual: Money that would have been spent in the treated geos while the test ran.
        std_error: Standard error of the reported result, in revenue.
        estimate: The reported result in revenue, noise and planted error included.
    """

    plan: TrialPlan
    channel: int
    treated: Bools
    outcome_change: float = 0.0
    spend_delta: float = 0.0
    usual: float = 0.0
    std_error: float = 0.0
    estimate: float = 0.0

    @property
    def window(self) -> slice:
        """The weeks of changed spend."""
        return slice(self.plan.start, self.plan.start + self.plan.weeks)

    @property
    def read_out(self) -> slice:
        """The weeks of changed spend and of the cool-down."""
        return slice(self.plan.start, self.plan.start + self.plan.weeks + self.plan.cooldown)


def placed(settings: WorldSettings, geos: Sequence[str], population: Floats, channels: Sequence[str]) -> list[Trial]:
    """Choose the treated geos of every test at random."""
    return [
        Trial(plan, list(channels).index(plan.channel), _treated(settings.seed, plan, geos, population))
        for plan in settings.trials
    ]


def _treated(seed: int, plan: TrialPlan, geos: Sequence[str], population: Floats) -> Bools:
    if plan.off_panel is not None:
        return np.zeros(len(geos), dtype=np.bool_)
    if plan.method == "on_off":
        return np.ones(len(geos), dtype=np.bool_)
    if not isinstance(plan.treated, int):
        return np.isin(np.array(geos, dtype=object), np.array(plan.treated, dtype=object))
    rng = stream(seed, f"assignment of {plan.experiment_id}")
    sets = np.array([rng.permutation(len(geos))[: plan.treated] for _ in range(200)])
    share = population[sets].sum(axis=1) / population.sum()
    fair = np.flatnonzero((share >= TREATED_SHARE[0]) & (share <= TREATED_SHARE[1]))
    chosen = fair[0] if fair.size else np.argmin(np.abs(share - np.mean(TREATED_SHARE)))
    return np.isin(np.arange(len(geos)), sets[chosen])


def carried_out(usual: Floats, trials: Sequence[Trial]) -> Floats:
    """The spend that is really spent: business as usual, changed by every test, shape (geos, weeks, channels)."""
    spend = usual.copy()
    for trial in trials:
        if trial.plan.off_panel is None:
            cells = np.ix_(trial.treated, np.arange(usual.shape[1])[trial.window], [trial.channel])
            spend[cells] = np.round(spend[cells] * trial.plan.multiplier, 2)
    return spend


def read_out(trial: Trial, usual: Floats, spend: Floats, response: Response) -> Trial:
    """Work out what the test changed, in truth: with it against without it, all other tests as they were.

    Raises:
        DataError: Where the test changed nothing, because nothing would have been spent there and then.
    """
    if trial.plan.off_panel is not None:
        return _elsewhere(trial, usual, response)
    without = spend.copy()
    cells = np.ix_(trial.treated, np.arange(spend.shape[1])[trial.window], [trial.channel])
    without[cells] = usual[cells]
    if np.array_equal(spend, without):
        raise DataError(
            f"test '{shown(trial.plan.experiment_id)}' changes no spend: '{shown(trial.plan.channel)}' spends nothing "
            "in its weeks"
        )
    change = response.effects(spend) - response.effects(without)
    return replace(
        trial,
        outcome_change=float(change[trial.treated, trial.read_out].sum()),
        spend_delta=round(float((spend - without).sum()), 2),
        usual=round(float(without[cells].sum()), 2),
    )


def _elsewhere(trial: Trial, usual: Floats, response: Response) -> Trial:
    """A test in another market: like the whole panel but for its size, in its steady state before the test."""
    share, channel = trial.plan.off_panel or 1.0, trial.channel
    people = response.population.sum() * share
    strength = (response.strength * response.population[:, None]).sum(axis=0) / response.population.sum()
    run_in = len(response.weights)
    periods = trial.plan.weeks + trial.plan.cooldown
    weekly = np.round(usual.sum(axis=0).mean(axis=0) * share, 2)
    market = replace(
        response,
        strength=strength[None],
        population=np.array([people]),
        history=np.broadcast_to(weekly, (1, run_in, len(weekly))),
    )
    before = np.broadcast_to(weekly, (1, periods, len(weekly)))
    after = before.copy()
    after[:, : trial.plan.weeks, channel] = np.round(weekly[channel] * trial.plan.multiplier, 2)
    return replace(
        trial,
        outcome_change=float((market.effects(after) - market.effects(before)).sum()),
        spend_delta=round(float((after - before).sum()), 2),
        usual=round(float(weekly[channel] * trial.plan.weeks), 2),
    )


def reported(trial: Trial, seed: int, unexplained: Floats, level: Floats) -> Trial:
    """Add the noise of an analysis: the truth plus one draw of its standard error, times the planted error.

    Args:
        trial: The test with its truth.
        seed: The world's seed.
        unexplained: Revenue less what season, trend and controls explain, in the world without tests, (geos, weeks).
        level: Mean baseline revenue of each geo, shape (geos,).
    """
    rng = stream(seed, f"result of {trial.plan.experiment_id}")
    if trial.plan.iroas_se is not None:
        std_error = trial.plan.iroas_se * abs(trial.spend_delta)
    elif trial.plan.off_panel is not None:
        std_error = 0.25 * abs(trial.spend_delta)
    else:
        std_error = placebo_error(trial, unexplained, level, rng)
    noisy = trial.outcome_change + std_error * rng.standard_normal()
    return replace(trial, std_error=std_error, estimate=noisy * trial.plan.wrong_factor)


def placebo_error(trial: Trial, unexplained: Floats, level: Floats, rng: np.random.Generator) -> float:
    """Standard error that a difference in differences would have: its spread over placebo tests that changed nothing.

    Random treated sets of the same size and random windows of the same length, level-weighted, against the mean of the
    26 weeks before. A whole-market test has no controls: its placebo is a before-and-after comparison.

    Returns:
        Revenue over the treated geos and the read-out.
    """
    relative = unexplained / level[:, None]
    geos, weeks = relative.shape
    length = trial.plan.weeks + trial.plan.cooldown
    pre = min(PRE_WEEKS, max(1, weeks - length))
    gaps = np.empty(PLACEBOS)
    for i in range(PLACEBOS):
        start = int(rng.integers(pre, max(weeks - length, pre) + 1))
        change = relative[:, start : start + length].mean(axis=1) - relative[:, start - pre : start].mean(axis=1)
        treated = rng.permutation(geos) < trial.treated.sum()
        gaps[i] = _mean(change, level, treated) - (0.0 if treated.all() else _mean(change, level, ~treated))
    return float(np.sqrt(np.mean(gaps**2)) * length * level[trial.treated].sum())


def _mean(change: Floats, level: Floats, of: Bools) -> float:
    return float(np.average(change[of], weights=level[of]))


def record(trial: Trial, first_day: date, geos: Sequence[str], kpi: str) -> Json:
    """The test as an experiments record, in the form of ``experiments.json``."""
    plan = trial.plan

    def day(week: int) -> date:
        return first_day + timedelta(days=7 * week)

    last = day(plan.start + plan.weeks) - timedelta(days=1)
    read_out_end = day(plan.start + plan.weeks + plan.cooldown) - timedelta(days=1)
    sign = np.sign(trial.spend_delta)
    per_unit = {"outcome_change": 1.0, "incremental_outcome": sign, "iroas": 1.0 / trial.spend_delta}[plan.estimand]
    digits = 4 if plan.estimand == "iroas" else 2
    entry: Json = {
        "experiment_id": plan.experiment_id,
        "channel": plan.channel,
        "method": plan.method,
        "start_date": day(plan.start).isoformat(),
        "end_date": last.isoformat(),
        "estimand": plan.estimand,
        "estimate": round(float(trial.estimate * per_unit), digits),
        "std_error": round(float(trial.std_error * abs(per_unit)), digits),
        "spend_delta": trial.spend_delta,
        "counterfactual_spend": trial.usual,
        "kpi": kpi,
        "source": "simulated",
    }
    if plan.cooldown:
        entry["cooldown_end_date"] = read_out_end.isoformat()
    if plan.off_panel is not None:
        return entry | {"off_panel": True, "market_share": plan.off_panel, "grade": "B"}
    positions: Ints = np.arange(len(geos))
    entry["treatment_geos"] = [geos[i] for i in positions[trial.treated]]
    entry["control_geos"] = [geos[i] for i in positions[~trial.treated]]
    if plan.method == "on_off":
        return entry | {"grade": "C"}
    return entry | {"grade": "A", "preregistered": True}
