"""Plan an on-off test: the spend of the whole market changes once and is compared with the market's own past.

The weakest design: nothing is drawn, so whatever else happens in those weeks counts as the effect. It is rehearsed on
the panel's history with the inference that the analysis uses, so its false positives are seen and not hoped for.
"""

from dataclasses import replace
from datetime import date
from functools import partial

import numpy as np

from experiments.geo.inference.self_calibration import wilson
from experiments.planning.cost import Cost, cost
from experiments.planning.goal import Goal, part_weeks
from experiments.planning.plans import Plan, Plans, identity, ranked
from experiments.planning.proposal import day_after
from experiments.planning.switchback import EFFECTS, rows_that_switch
from experiments.records import Experiment
from experiments.switchback.case import resolve
from experiments.switchback.estimators import choose, fit_all
from measurement.errors import DesignError, Problem, refuse
from measurement.panel import Panel
from measurement.periods import Period, last_day
from measurement.typing import Floats, Ints

FEWEST_BEFORE = 8
MOST_WINDOWS = 40
WEAKEST = "the weakest design: nothing is drawn, so whatever else happens meanwhile counts as the effect (a D at best)"


def design_on_off(panel: Panel, goal: Goal, *, burn_in: int = 0) -> Plans:
    """Rehearse on-off tests of the goal's durations on the panel's history.

    Args:
        panel: KPI by geo and period; media too where money should be known.
        goal: What is asked; its ``treatment_geos`` are the market (all geos but those that are excluded or busy where
            none are named). What it asks of the number of geos and their share does not apply.
        burn_in: Periods dropped after each switch: as long as the ads work on.

    Returns:
        Plans, ranked, every one with the warning that a switchback or a geo test says more.

    Raises:
        DataError: Where the goal makes no sense.
        DesignError: Where the history holds no window to rehearse any duration in.
    """
    goal.check(panel)
    if not 0 <= burn_in < min(goal.durations):
        words = f"found {burn_in}; from 0 to less than the shortest test of {min(goal.durations)}"
        refuse([Problem(words, column="burn_in", code="burn-in")])
    rows = rows_that_switch(panel, goal)
    panel = panel.with_kpi(goal.kpi) if goal.kpi else panel
    plans, notes = [], []
    for duration in goal.durations:
        onsets = _onsets(panel, duration + goal.cooldown)
        if onsets.size < 2:
            notes.append(f"{duration} {panel.period}s: the history of {len(panel.dates)} holds no two windows for it")
            continue
        plans.append(_plan(panel, goal, rows, duration, burn_in, onsets))
    if not plans:
        raise DesignError(f"no on-off test can be rehearsed: {'; '.join(notes)}")
    best = ranked(plans)
    return Plans(tuple(best), _recommended(goal, best[0], panel.period), tuple(notes))


def _onsets(panel: Panel, length: int) -> Ints:
    """First periods of the windows: each with a quarter of the history before it, spread evenly."""
    first, last = max(FEWEST_BEFORE, len(panel.dates) // 4, length), len(panel.dates) - length
    if last < first:
        return np.zeros(0, dtype=np.int64)
    return np.unique(np.linspace(first, last, MOST_WINDOWS).astype(np.int64))


def _plan(panel: Panel, goal: Goal, rows: Ints, duration: int, burn_in: int, onsets: Ints) -> Plan:
    found = np.array([_rehearsed(panel, goal, rows, duration, burn_in, int(onset)) for onset in onsets])
    lows, highs, errors = found.T
    effects = np.asarray(EFFECTS)
    thresholds = np.append(np.maximum(-lows, 0.0), np.maximum(highs, 0.0))
    share = (thresholds[None] < effects[:, None]).mean(axis=1)
    mde = float(np.quantile(thresholds, goal.power, method="higher"))
    wrong = float(((lows > 0) | (highs < 0)).mean())
    apart = max(int((onsets[-1] - onsets[0]) // (duration + goal.cooldown)) + 1, 1)
    bands = np.array([wilson(each, apart) for each in share])
    absolute = mde * float(panel.outcome[rows].mean(axis=1).sum()) * duration
    money = cost(panel, goal, rows, duration, absolute if np.isfinite(absolute) else None)
    low, high = wilson(wrong, apart)
    geos = tuple(panel.geos[row] for row in rows)
    notes = [WEAKEST, *part_weeks(panel, duration)]
    if wrong > 1.5 * goal.alpha:
        notes.append(
            f"in the history {wrong:.0%} of tests without an effect find one, not {goal.alpha:.0%}: its intervals are "
            "too narrow here, and the effect that it can find is larger than it looks"
        )
    return Plan(
        method="on_off",
        duration=duration,
        mde=mde,
        mde_absolute=absolute,
        wanted=goal.power,
        effects=effects,
        power=share,
        low=np.maximum(bands[:, 0], 0.0),
        high=np.minimum(bands[:, 1], 1.0),
        cost=money,
        inference="regression on the market's own past with autoregressive noise; nothing was drawn",
        details={
            "cooldown": goal.cooldown,
            "burn_in": burn_in,
            "rmse": float(np.sqrt(np.square(errors).mean())),
            "bias": float(errors.mean()),
            "windows": apart,
        },
        draft=partial(_record, panel.period, goal, geos, duration, burn_in, money),
        next_day=day_after(panel),
        treatment_geos=geos,
        false_positives=(wrong, max(low, 0.0), min(high, 1.0)),
        reasons=_reasons(goal, mde, money),
        notes=tuple(notes),
    )


def _rehearsed(panel: Panel, goal: Goal, rows: Ints, duration: int, burn_in: int, onset: int) -> Floats:
    """Interval and estimate of a test in one window, as shares of the KPI."""
    end = onset + duration + goal.cooldown
    seen = replace(
        panel,
        dates=panel.dates[:end],
        spend=panel.spend[:, :end],
        exposure=panel.exposure[:, :end],
        kpis={panel.kpi: panel.outcome[:, :end]},
        controls=np.zeros((len(panel.geos), end, 0)),
        control_names=(),
    )
    names = tuple(panel.geos[row] for row in rows)
    start: date = panel.dates[onset].tolist()
    record = _record(panel.period, goal, names, duration, burn_in, None, start)
    case = resolve(seen, record)
    main = choose("default", record, fit_all(case, goal.seed), goal.alpha, case)
    level = float(np.abs(case.values[case.exposed & case.read]).mean())
    return np.array([*main.test.interval(goal.alpha), main.test.estimate]) / level


def _record(
    period: Period,
    goal: Goal,
    geos: tuple[str, ...],
    duration: int,
    burn_in: int,
    money: Cost | None,
    start: date,
) -> Experiment:
    days = [start]
    for _ in range(duration + goal.cooldown):
        following: date = (last_day(np.datetime64(days[-1], "D"), period) + np.timedelta64(1, "D")).tolist()
        days.append(following)
    end, until = (_before(days[count]) for count in (duration, duration + goal.cooldown))
    return Experiment(
        experiment_id=identity(*goal.channel, "on_off", duration),
        channel=goal.channel,
        method="on_off",
        start_date=start,
        end_date=end,
        cooldown_end_date=until if goal.cooldown else None,
        treatment_geos=geos,
        spend_delta=None if money is None else money.spend_delta,
        kpi=goal.kpi,
        burn_in=burn_in or None,
    )


def _before(day: date) -> date:
    return date.fromordinal(day.toordinal() - 1)


def _reasons(goal: Goal, mde: float, money: Cost) -> tuple[str, ...]:
    if not np.isfinite(mde):
        return (f"no effect of any size is found with {goal.power:.0%} probability",)
    return f"finds an effect of {mde:.1%} with {goal.power:.0%} probability", money.sentence


def _recommended(goal: Goal, best: Plan, period: Period) -> str:
    instead = "Prefer a geo test or a switchback, where chance decides who is treated"
    if not np.isfinite(best.mde):
        return f"{instead}: on and off over the whole market would find no effect of any size reliably."
    return (
        f"{instead}; on and off over the whole market for {best.duration} {period}s finds an effect of {best.mde:.1%} "
        f"with {goal.power:.0%} probability, if nothing else changes meanwhile."
    )
