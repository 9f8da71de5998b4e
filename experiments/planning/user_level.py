"""Plan a test on users (conversion lift, ghost ads, public service ads): how many users, how long, what it finds."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from math import ceil, floor, isfinite
from typing import Literal

import numpy as np

from experiments.planning.cost import Cost, Moved, priced
from experiments.planning.plans import Plan, Plans, identity, ranked
from experiments.records import Experiment
from experiments.user_level.sample_size import Metric, minimum_detectable_effect, power, sample_size
from measurement.errors import DesignError, Problem, refuse, shown

UserMethod = Literal["conversion_lift", "ghost_ads", "psa"]

CURVE_POINTS = 41
CURVE_REACH = 2.0

_READ = {
    "conversion_lift": "all users as they were drawn, by the share of them that the ads reached",
    "ghost_ads": "users whom the ads reached or would have reached, in both arms",
    "psa": "users who saw the ads or the public service ads in their place",
}


@dataclass(frozen=True)
class UserGoal:
    """What a test on users is to find out.

    Attributes:
        channel: The channels that are tested.
        metric: KPI per user without the ads (`Metric.per_user`, `Metric.rate` or `Metric.ratio`).
        durations: Days to compare.
        users_per_day: New users a day, over both arms.
        users: All users, where the audience is fixed; in place of ``users_per_day``.
        method: ``conversion_lift`` draws users and reads all of them; ``ghost_ads`` and ``psa`` know whom the ads would
            have reached among the controls too, and read those only.
        allocation: Share of users in treatment.
        reach: Share of the treatment arm that the ads reach.
        pre_correlation: Correlation of the KPI with the same user's before the test (CUPED); 0 without.
        lift: The relative lift that should be found; ``None`` just says what can be.
        spend_per_user: Money per user reached.
        iroas: Expected incremental money per unit of money.
        icpa: Expected money per incremental unit of KPI; in place of ``iroas``.
        budget: Most money.
        alpha: One minus the level of the interval.
        power: Wanted power.
        kpi: Name of the KPI.
        kpi_value: Money per unit of KPI; ``None`` where it has no price.
        currency: Of all money.
    """

    channel: tuple[str, ...]
    metric: Metric
    durations: tuple[int, ...] = (7, 14, 21, 28)
    users_per_day: float | None = None
    users: int | None = None
    method: UserMethod = "conversion_lift"
    allocation: float = 0.5
    reach: float = 1.0
    pre_correlation: float = 0.0
    lift: float | None = None
    spend_per_user: float | None = None
    iroas: float | None = None
    icpa: float | None = None
    budget: float | None = None
    alpha: float = 0.1
    power: float = 0.8
    kpi: str = "conversions"
    kpi_value: float | None = None
    currency: str = "EUR"

    def __post_init__(self) -> None:
        channel: object = self.channel
        object.__setattr__(self, "channel", (channel,) if isinstance(channel, str) else tuple(self.channel))


def design_users(goal: UserGoal) -> Plans:
    """Plan a test on users, in closed form.

    Args:
        goal: What is asked.

    Returns:
        A plan for every duration (for a fixed audience: one for the longest), ranked.

    Raises:
        DataError: Everything wrong about the goal.
        DesignError: Where the budget pays for no duration.
    """
    refuse([Problem(words, column=name, code=name) for name, words in _faults(goal)])
    plans = [_plan(goal, days) for days in (goal.durations if goal.users is None else (max(goal.durations),))]
    within = [each for each in plans if goal.budget is None or _paid(goal, each) <= goal.budget]
    notes = [
        f"{each.duration} days: {_money(goal, _paid(goal, each))} is over the budget of {_money(goal, goal.budget)}"
        for each in plans
        if each not in within and goal.budget is not None
    ]
    if not within:
        raise DesignError(f"no duration is within the budget: {'; '.join(notes)}")
    best = ranked(within) if goal.lift is None else _by_lift(goal.lift, within)
    return Plans(tuple(best), _recommended(goal, best), tuple(notes))


def _faults(goal: UserGoal) -> Iterator[tuple[str, str]]:
    """Field and words of everything wrong; what `Metric` and the closed forms check themselves is left to them."""
    if not goal.channel:
        yield "channel", "is missing; name the channel that is tested"
    if goal.method not in _READ:
        yield "method", f"found '{shown(goal.method)}'; allowed are {', '.join(_READ)}"
    if (goal.users is None) == (goal.users_per_day is None):
        yield "users", "give the users of a fixed audience, or users_per_day, and not both"
    for name in ("users", "users_per_day", "spend_per_user", "iroas", "icpa", "budget", "kpi_value"):
        value = getattr(goal, name)
        if value is not None and not (isfinite(value) and value > 0):
            yield name, f"found {value:g}; it must be above 0"
    if not goal.durations:
        yield "durations", "is missing; say how many days the test may take"
    for days in goal.durations:
        if days < 1:
            yield "durations", f"found {days}; a test takes 1 day or more"
    if goal.iroas is not None and goal.icpa is not None:
        yield "icpa", "stands beside iroas, and both say what the ads bring: give one of them"
    if goal.iroas is not None and goal.kpi_value is None:
        yield "iroas", f"needs kpi_value, the money that one of the {shown(goal.kpi)} is worth"
    if goal.budget is not None and goal.spend_per_user is None:
        yield "budget", "cannot be held without spend_per_user, the money per user reached"
    for name, low, high in (("alpha", 0.01, 0.5), ("power", 0.5, 0.99)):
        if not low <= getattr(goal, name) <= high:
            yield name, f"found {getattr(goal, name):g}; it lies between {low:g} and {high:g}"
    if goal.lift == 0:
        yield "lift", "is 0; no number of users finds an effect of nothing"


@dataclass(frozen=True, slots=True)
class _Read:
    """What a method reads: the KPI, the share of users, and how much of an effect on the reached is left in them."""

    metric: Metric
    share: float
    compliance: float

    def users(self, users: float) -> int:
        """Users that are read."""
        return floor(users * self.share)


def _read(goal: UserGoal) -> _Read:
    metric = goal.metric.with_cuped(goal.pre_correlation)
    return _Read(metric, 1.0, goal.reach) if goal.method == "conversion_lift" else _Read(metric, goal.reach, 1.0)


def _plan(goal: UserGoal, days: int) -> Plan:
    read = _read(goal)
    users = goal.users if goal.users is not None else floor((goal.users_per_day or 0.0) * days)
    among = {"alpha": goal.alpha, "allocation": goal.allocation, "compliance": read.compliance}
    mde = minimum_detectable_effect(read.metric, read.users(users), power=goal.power, **among)
    reached = users * goal.allocation * goal.reach
    absolute = mde * goal.metric.mean * reached
    most = (1 / goal.metric.mean - 1) / read.compliance if goal.metric.proportion else np.inf
    effects = np.linspace(0.0, min(CURVE_REACH * mde, 0.999 * most), CURVE_POINTS)
    curve = np.array([power(read.metric, float(lift), read.users(users), **among) for lift in effects])
    needed = None
    if goal.lift is not None:
        needed = ceil(sample_size(read.metric, goal.lift, power=goal.power, **among) / read.share)
    return Plan(
        method=goal.method,
        duration=days,
        mde=mde,
        mde_absolute=absolute,
        wanted=goal.power,
        effects=effects,
        power=curve,
        low=curve,
        high=curve,
        cost=_cost(goal, reached, absolute),
        inference=f"the difference between the arms: {_READ[goal.method]}",
        details={
            "users": users,
            "users_in_treatment": round(users * goal.allocation),
            "users_read": read.users(users),
            "users_needed": needed,
            "days_needed": _days(goal, needed),
            "allocation": goal.allocation,
            "reach": goal.reach,
        },
        draft=partial(_record, goal, days),
        reasons=_reasons(goal, mde, users, needed),
        notes=_notes(goal, users, days),
    )


def _cost(goal: UserGoal, reached: float, mde: float) -> Cost:
    """Money of the treatment arm, against an arm that sees no ads."""
    delta = None if goal.spend_per_user is None else goal.spend_per_user * reached
    worth = None if goal.icpa is None else 1.0 / goal.icpa
    if goal.iroas is not None and goal.kpi_value is not None:
        worth = goal.iroas / goal.kpi_value
    moved = Moved("unknown" if delta is None else "users", None, delta, False, goal.currency, goal.kpi)
    return priced(moved, worth, goal.kpi_value, mde if isfinite(mde) else None)


def _placebo_ads(goal: UserGoal, users: int) -> float:
    """Money for the public service ads that controls see in place of the ads."""
    if goal.method != "psa" or goal.spend_per_user is None:
        return 0.0
    return goal.spend_per_user * users * (1 - goal.allocation) * goal.reach


def _paid(goal: UserGoal, plan: Plan) -> float:
    return (plan.cost.spend_delta or 0.0) + _placebo_ads(goal, plan.details["users"])


def _record(goal: UserGoal, days: int, start: date) -> Experiment:
    users = goal.users if goal.users is not None else floor((goal.users_per_day or 0.0) * days)
    delta = None if goal.spend_per_user is None else goal.spend_per_user * users * goal.allocation * goal.reach
    return Experiment(
        experiment_id=identity(*goal.channel, goal.method, days),
        channel=goal.channel,
        method=goal.method,
        start_date=start,
        end_date=start + timedelta(days=days - 1),
        spend_delta=delta,
        kpi=goal.kpi,
        allocation=goal.allocation,
    )


def _days(goal: UserGoal, needed: int | None) -> int | None:
    return None if needed is None or goal.users_per_day is None else ceil(needed / goal.users_per_day)


def _reasons(goal: UserGoal, mde: float, users: int, needed: int | None) -> tuple[str, ...]:
    if not isfinite(mde):
        return (f"{users:,} users find no effect of any size with {goal.power:.0%} probability",)
    found = [f"{users:,} users find a lift of {mde:.2%} among those reached with {goal.power:.0%} probability"]
    if needed is not None and goal.lift is not None:
        enough = "which these are" if users >= needed else "which these are not"
        found.append(f"a lift of {goal.lift:.2%} takes {needed:,} users, {enough}")
    return tuple(found)


def _notes(goal: UserGoal, users: int, days: int) -> tuple[str, ...]:
    found = []
    if goal.users_per_day is not None:
        found.append(f"counts {goal.users_per_day:,.0f} new users on each day; a user who comes back is not a new one")
    if days % 7:
        found.append(f"{days} days are not whole weeks: the days of the week weigh unevenly in it")
    if _placebo_ads(goal, users):
        found.append(f"the public service ads for controls cost {_money(goal, _placebo_ads(goal, users))} besides")
    if goal.method == "conversion_lift" and goal.reach < 1:
        found.append(
            f"the ads reach {goal.reach:.0%} of the treatment arm, so the arms differ by {goal.reach:.0%} of the "
            "effect; ghost ads would read the reached alone"
        )
    return tuple(found)


def _by_lift(lift: float, plans: list[Plan]) -> list[Plan]:
    """Plans that find the wanted lift, the shortest first; then the others, the nearest to it first.

    What a plan finds beyond the wanted lift earns nothing. Those that do not find it stay below a score of 50.
    """
    shortest = min(each.duration for each in plans)
    scored = [
        replace(
            each,
            score=round(60 + 40 * shortest / each.duration, 1) if _finds(each) else round(50 * abs(lift) / each.mde, 1),
        )
        for each in plans
    ]
    return sorted(scored, key=lambda each: (not _finds(each), -each.score, each.duration))


def _finds(plan: Plan) -> bool:
    """Whether a plan has the users that the wanted lift takes."""
    return bool(plan.details["users"] >= plan.details["users_needed"])


def _recommended(goal: UserGoal, plans: list[Plan]) -> str:
    """What to do, in one sentence."""
    best, users = plans[0], f"{plans[0].details['users']:,}"
    if goal.lift is None and not isfinite(best.mde):
        return f"No lift of any size would be found reliably with {users} users."
    run = f"Run it for {best.duration} days with {users} users"
    if goal.lift is None:
        return f"{run}: a lift of {best.mde:.2%} is found with {goal.power:.0%} probability."
    needed = f"{best.details['users_needed']:,}"
    if _finds(best):
        return (
            f"{run}: a lift of {goal.lift:.2%}, which takes {needed}, is found with {goal.power:.0%} probability or "
            "more."
        )
    days = best.details["days_needed"]
    more = f" ({days} days)" if days is not None else ""
    return f"None of these finds a lift of {goal.lift:.2%}: it takes {needed} users{more}, and the nearest has {users}."


def _money(goal: UserGoal, value: float) -> str:
    return f"{goal.currency} {value:,.0f}"
