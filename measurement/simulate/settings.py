"""What a world is made from: the company, its channels, its lift tests."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np

from measurement.errors import Problem, did_you_mean, refuse, shown

DemandDriven = Literal["no", "some", "strong"]
TrialMethod = Literal["go_dark", "geo_holdout", "heavy_up", "scale", "on_off"]
TrialEstimand = Literal["outcome_change", "incremental_outcome", "iroas"]


@dataclass(frozen=True, slots=True)
class Touches:
    """How an online channel shows up in the journeys.

    Attributes:
        on_orders: Mean touches in the journey of an order that no ad caused, at the channel's mean spend.
        reach: Its weight among people who buy nothing.
        intent: How much it prefers people about to buy: the log of the rate rises by this over the intent scale (0-1).
        lag_days: Mean days between a touch and the end of the journey.
        click_share: Share of touches that are clicks; the others are impressions.
        tracked: Share of the touches behind the orders it caused that the log holds; walled gardens show less than all.
        overclaim: What the platform claims beyond every order that had one of its touches (1 = nothing).
    """

    on_orders: float = 0.1
    reach: float = 1.0
    intent: float = 1.0
    lag_days: float = 4.0
    click_share: float = 0.5
    tracked: float = 1.0
    overclaim: float = 1.1


@dataclass(frozen=True, slots=True)
class ChannelTruth:
    """The truth about one channel.

    Attributes:
        name: Its name in every table.
        share: Its spend as a share of the company's revenue.
        iroas: Incremental revenue / spend under business as usual (tests move the realised figure a little).
        decay: Adstock retention per week, in [0, 1).
        peak: Weeks after the spend at which its effect peaks; above 0 makes the adstock a delayed geometric one.
        l_max: Number of adstock weights (the week of the spend counts as one).
        half_saturation: Half-saturation point of the Hill curve, in mean positive spend per person and week.
        slope: Slope of the Hill curve.
        geo_sd: Standard deviation of the log of its strength between geos.
        demand_driven: Whether its spend follows the latent demand.
        own_sd: Standard deviation of the log of its own week-to-week variation.
        local: Share of that variance that differs between geos.
        flight: (weeks on, weeks off), or ``None`` for always on.
        burst: By how much a campaign week raises its spend (0.8 = 80 % more); campaigns are shared by channels.
        touches: How journeys see it; ``None`` for an offline channel.
    """

    name: str
    share: float = 0.015
    iroas: float = 1.5
    decay: float = 0.4
    peak: float = 0.0
    l_max: int = 10
    half_saturation: float = 1.5
    slope: float = 1.2
    geo_sd: float = 0.1
    demand_driven: DemandDriven = "no"
    own_sd: float = 0.22
    local: float = 0.5
    flight: tuple[int, int] | None = None
    burst: float = 0.0
    touches: Touches | None = None


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """One lift test of a world.

    Attributes:
        experiment_id: Its id.
        channel: The tested channel.
        method: How spend is changed; ``on_off`` takes the whole market.
        start: First changed week, counted from 0.
        weeks: Weeks of changed spend.
        cooldown: Weeks of read-out after them.
        treated: Number of treated geos (drawn at random), or their names; ignored by ``on_off`` and off the panel.
        multiplier: What business-as-usual spend is multiplied by: 0 takes it away, 2 doubles it.
        estimand: How the result is written down.
        iroas_se: Standard error in units of iROAS; ``None`` takes it from placebo assignments in the world's own panel.
        wrong_factor: The reported estimate is multiplied by this: 1 is honest, 5 plants a wrong test.
        off_panel: Size of the other market where the test took place, relative to the whole panel; ``None``: in it.
    """

    experiment_id: str
    channel: str
    method: TrialMethod = "go_dark"
    start: int = 60
    weeks: int = 6
    cooldown: int = 2
    treated: int | tuple[str, ...] = 5
    multiplier: float = 0.0
    estimand: TrialEstimand = "outcome_change"
    iroas_se: float | None = None
    wrong_factor: float = 1.0
    off_panel: float | None = None


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """Everything that makes a world. Same settings, same world.

    Shares (``*_sd``, ``*_effect``, ``seasonality``) are relative to the geo's mean baseline revenue.

    Attributes:
        seed: Seed of everything random. Every part draws from its own stream, so that changing one part (the tests,
            the confounding, the journeys) leaves the draws of the others as they were.
        geos: Geo names; one geo makes a national world whose tables have no ``geo`` column.
        population: People per geo, as many as there are geos.
        channels: The channels.
        trials: The lift tests.
        weeks: Weeks in the panel.
        history: Weeks of spend before the first row, whose carry-over is part of the baseline.
        start: First day, the first week's Monday as a rule.
        revenue: Mean weekly revenue of the company.
        trend: Growth per year.
        seasonality: Amplitude of the yearly wave.
        peak_effect: Lift of the pre-Christmas trade at its height (control ``retail_peak`` = 1).
        price_effect: Lift when the control ``price_index`` rises by 1.
        demand_sd: Standard deviation of the latent demand, the part of sales that no table shows.
        demand_local: Share of its variance that differs between geos (0 in a national world).
        noise_sd: Standard deviation of what is left, independent by geo and week.
        confounding: Multiplies how strongly the spend of demand-driven channels follows demand; 0 makes it exogenous.
        journey_weeks: Weeks at the end of the panel whose orders are in the journeys; 0 for no journeys.
        order_value: Mean order value.
        nulls_per_order: Journeys without an order, per order.
    """

    seed: int
    geos: tuple[str, ...]
    population: tuple[float, ...]
    channels: tuple[ChannelTruth, ...]
    trials: tuple[TrialPlan, ...] = ()
    weeks: int = 117
    history: int = 0
    start: date = date(2023, 1, 2)
    revenue: float = 700_000.0
    trend: float = 0.04
    seasonality: float = 0.08
    peak_effect: float = 0.18
    price_effect: float = -0.6
    demand_sd: float = 0.02
    demand_local: float = 0.12
    noise_sd: float = 0.01
    confounding: float = 1.0
    journey_weeks: int = 0
    order_value: float = 130.0
    nulls_per_order: float = 2.5

    def __post_init__(self) -> None:
        refuse([*_company_problems(self), *_channel_problems(self), *_trial_problems(self)])


NATIONAL_METHODS = ("on_off",)
RANGES: dict[str, tuple[Callable[[float], bool], str]] = {
    "weeks": (lambda v: v >= 8, "at least 8"),
    "history": (lambda v: v >= 0, "0 or more"),
    "revenue": (lambda v: v > 0, "above 0"),
    "demand_sd": (lambda v: v >= 0, "0 or more"),
    "demand_local": (lambda v: 0 <= v <= 1, "between 0 and 1"),
    "noise_sd": (lambda v: v >= 0, "0 or more"),
    "confounding": (lambda v: v >= 0, "0 or more"),
    "order_value": (lambda v: v > 0, "above 0"),
    "nulls_per_order": (lambda v: v >= 0, "0 or more"),
}
CHANNEL_RANGES: dict[str, tuple[Callable[[float], bool], str]] = {
    "share": (lambda v: v > 0, "above 0"),
    "iroas": (lambda v: v >= 0, "0 or more"),
    "decay": (lambda v: 0 <= v < 1, "in [0, 1)"),
    "peak": (lambda v: v >= 0, "0 or more"),
    "l_max": (lambda v: v >= 1, "1 or more"),
    "half_saturation": (lambda v: v > 0, "above 0"),
    "slope": (lambda v: v > 0, "above 0"),
}


def _out_of_range(thing: object, ranges: dict[str, tuple[Callable[[float], bool], str]], what: str) -> list[Problem]:
    return [
        Problem(f"{what}: {name} is {getattr(thing, name)}, allowed is {allowed}", column=name, code="out-of-range")
        for name, (holds, allowed) in ranges.items()
        if not (math.isfinite(getattr(thing, name)) and holds(getattr(thing, name)))
    ]


def _company_problems(world: WorldSettings) -> list[Problem]:
    problems = _out_of_range(world, RANGES, "the world")
    if not world.geos or len(set(world.geos)) < len(world.geos):
        problems.append(Problem("geos must be there and have different names", column="geos", code="geos"))
    if len(world.population) != len(world.geos) or min(world.population, default=0) <= 0:
        problems.append(Problem("every geo needs a population above 0", column="population", code="population"))
    if not 0 <= world.journey_weeks <= world.weeks:
        problems.append(
            Problem(f"journey_weeks is {world.journey_weeks}, allowed is 0 to {world.weeks}", column="journey_weeks")
        )
    return problems


def _channel_problems(world: WorldSettings) -> list[Problem]:
    names = [channel.name for channel in world.channels]
    problems = [p for c in world.channels for p in _out_of_range(c, CHANNEL_RANGES, f"channel '{shown(c.name)}'")]
    if not names or len(set(names)) < len(names):
        problems.append(Problem("channels must be there and have different names", column="channels", code="channels"))
    problems += [
        Problem(f"channel '{shown(c.name)}': a peak needs a decay above 0 and an l_max beyond it", column="peak")
        for c in world.channels
        if c.peak > 0 and not (c.decay > 0 and c.peak <= c.l_max - 1)
    ]
    caused = sum(channel.share * channel.iroas for channel in world.channels)
    if caused > 0.8:
        problems.append(
            Problem(f"the channels would cause {caused:.0%} of revenue, at most 80 % is allowed", column="channels")
        )
    return problems


def _trial_problems(world: WorldSettings) -> list[Problem]:
    channels = [channel.name for channel in world.channels]
    ids = [trial.experiment_id for trial in world.trials]
    problems = [Problem("lift tests need different ids", column="trials")] if len(set(ids)) < len(ids) else []
    for trial in world.trials:
        what = f"test '{shown(trial.experiment_id)}'"
        if trial.channel not in channels:
            hint = did_you_mean(trial.channel, channels)
            problems.append(Problem(f"{what}: unknown channel '{shown(trial.channel)}'{hint}", column="channel"))
        if trial.start < 0 or trial.weeks < 1 or trial.cooldown < 0:
            problems.append(Problem(f"{what}: start, weeks and cooldown must be at least 0, 1 and 0", column="start"))
        if trial.start + trial.weeks + trial.cooldown > world.weeks:
            problems.append(Problem(f"{what}: it ends after the panel's {world.weeks} weeks", column="start"))
        if not np.isfinite(trial.multiplier) or trial.multiplier < 0 or trial.multiplier == 1:
            problems.append(Problem(f"{what}: multiplier must be 0 or more and not 1", column="multiplier"))
        if trial.off_panel is not None and not trial.off_panel > 0:
            problems.append(Problem(f"{what}: off_panel must be above 0", column="off_panel"))
        if trial.off_panel is None and trial.method not in NATIONAL_METHODS:
            problems += _treated_problems(trial, world.geos, what)
    return problems + _overlaps(world.trials)


def _overlaps(trials: tuple[TrialPlan, ...]) -> list[Problem]:
    inside = [trial for trial in trials if trial.off_panel is None]
    return [
        Problem(
            f"tests '{shown(a.experiment_id)}' and '{shown(b.experiment_id)}' of one channel overlap", column="start"
        )
        for i, a in enumerate(inside)
        for b in inside[i + 1 :]
        if a.channel == b.channel
        and a.start < b.start + b.weeks + b.cooldown
        and b.start < a.start + a.weeks + a.cooldown
    ]


def _treated_problems(trial: TrialPlan, geos: tuple[str, ...], what: str) -> list[Problem]:
    if isinstance(trial.treated, int):
        if 1 <= trial.treated < len(geos):
            return []
        return [
            Problem(
                f"{what}: {trial.treated} treated geos of {len(geos)} leave no control; use on_off", column="treated"
            )
        ]
    strangers = [geo for geo in trial.treated if geo not in geos]
    if not trial.treated or len(set(trial.treated)) >= len(geos):
        return [Problem(f"{what}: some geos must be treated and some not", column="treated")]
    return [Problem(f"{what}: unknown geo '{shown(g)}'{did_you_mean(g, geos)}", column="treated") for g in strangers]
