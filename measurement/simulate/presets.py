"""Ready-made worlds: a believable company for the demo, and random ones for studies."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np

from measurement.errors import DataError
from measurement.simulate.kinds import (
    AFFILIATES,
    BRAND_SEARCH,
    GENERIC_SEARCH,
    KINDS,
    RADIO,
    SOCIAL,
    STATES,
    TV,
    VIDEO,
)
from measurement.simulate.settings import ChannelTruth, TrialMethod, TrialPlan, WorldSettings
from measurement.simulate.streams import stream

READ_OUT = 8  # weeks of a preset's lift test: six of changed spend, two of cool-down


def demo(
    seed: int = 1, *, history: int = 0, confounding: float = 1.0, wrong_tests: Sequence[str] = ()
) -> WorldSettings:
    """A German retailer: 16 states, 130 weeks from January 2023, seven channels, five lift tests, 26 weeks of journeys.

    Every channel's truth is fixed; the seed draws demand, spend, noise and test results. A naive mix model overstates
    brand search, attribution misses tv and radio, and the lift tests know better.

    Args:
        seed: Seed of everything random.
        history: Weeks of spend before the first row. A model that knows nothing of them starts too low.
        confounding: How strongly demand pulls spend; 0 for not at all.
        wrong_tests: Ids of tests whose reported estimate is to be five times too large.
    """
    weeks, geos = 130, tuple(STATES)
    trials = (
        TrialPlan("brand-search-dark-2024", "brand_search", "go_dark", start=54, weeks=8, treated=5),
        TrialPlan("social-heavy-up-2024", "social", "heavy_up", start=66, treated=5, multiplier=2.0, estimand="iroas"),
        TrialPlan("video-holdout-2024", "video", "geo_holdout", start=80, treated=5, estimand="incremental_outcome"),
        TrialPlan("affiliates-dark-2024", "affiliates", "go_dark", start=105, weeks=8, treated=5),
        TrialPlan("generic-search-half-2025", "generic_search", "scale", start=118, treated=5, multiplier=0.5),
    )
    return WorldSettings(
        seed=seed,
        geos=geos,
        population=tuple(1_000.0 * STATES[geo] for geo in geos),
        channels=(TV, RADIO, BRAND_SEARCH, GENERIC_SEARCH, SOCIAL, VIDEO, AFFILIATES),
        trials=_planted(trials, wrong_tests),
        weeks=weeks,
        history=history,
        start=date(2023, 1, 2),
        confounding=confounding,
        journey_weeks=26,
    )


def geo(
    n_geos: int = 20,
    weeks: int = 156,
    channels: int | Sequence[str] = 8,
    seed: int = 1,
    *,
    n_tests: int = 4,
    confounding: float = 1.0,
    wrong_tests: Sequence[str] = (),
    journey_weeks: int = 0,
    geos: Sequence[str] | None = None,
) -> WorldSettings:
    """A random company with geos; the seed draws the channels' truths as well.

    Args:
        n_geos: Number of geos, at least 2.
        weeks: Weeks in the panel.
        channels: How many channels, or their names (a name of a known kind, such as ``"tv"``, keeps its nature).
        seed: Seed of everything random.
        n_tests: Number of lift tests, on demand-driven channels first, one after the other over its last 60 %.
        confounding: How strongly demand pulls spend; 0 for not at all.
        wrong_tests: Ids (``test-1``, ``test-2``, ...) of tests whose reported estimate is to be five times too large.
        journey_weeks: Weeks of journeys at the end.
        geos: Geo names in place of ``geo_01``, ``geo_02``, ...
    """
    names = tuple(geos) if geos else tuple(f"geo_{i + 1:0{max(2, len(str(n_geos)))}d}" for i in range(n_geos))
    rng = stream(seed, "geos")
    people = np.round(np.exp(0.7 * rng.standard_normal(len(names))) * 2_000_000, -3)
    truths = _random_channels(channels, seed)
    trials = _random_trials(truths, seed, weeks, n_tests, max(1, round(0.4 * len(names))))
    return WorldSettings(
        seed=seed,
        geos=names,
        population=tuple(float(p) for p in people),
        channels=truths,
        trials=_planted(trials, wrong_tests),
        weeks=weeks,
        confounding=confounding,
        journey_weeks=journey_weeks,
    )


def national(
    weeks: int = 200,
    channels: int | Sequence[str] = 8,
    seed: int = 1,
    *,
    n_tests: int = 0,
    off_panel: float | None = 0.3,
    confounding: float = 1.0,
    wrong_tests: Sequence[str] = (),
    journey_weeks: int = 0,
) -> WorldSettings:
    """A random company with one market and no ``geo`` column.

    Args:
        weeks: Weeks in the panel.
        channels: How many channels, or their names.
        seed: Seed of everything random.
        n_tests: Number of lift tests.
        off_panel: They took place in another market of this size relative to the panel; ``None``: the whole market was
            switched off and on again.
        confounding: How strongly demand pulls spend; 0 for not at all.
        wrong_tests: Ids (``test-1``, ...) of tests whose reported estimate is to be five times too large.
        journey_weeks: Weeks of journeys at the end.
    """
    truths = _random_channels(channels, seed)
    trials = _random_trials(truths, seed, weeks, n_tests, 1)
    trials = tuple(
        replace(t, method="on_off", multiplier=0.0) if off_panel is None else replace(t, off_panel=off_panel)
        for t in trials
    )
    return WorldSettings(
        seed=seed,
        geos=("national",),
        population=(83_000_000.0,),
        channels=truths,
        trials=_planted(trials, wrong_tests),
        weeks=weeks,
        confounding=confounding,
        journey_weeks=journey_weeks,
    )


def _planted(trials: tuple[TrialPlan, ...], wrong: Sequence[str]) -> tuple[TrialPlan, ...]:
    unknown = sorted(set(wrong) - {trial.experiment_id for trial in trials})
    if unknown:
        known = ", ".join(trial.experiment_id for trial in trials) or "none"
        raise DataError(f"no test is called {', '.join(unknown)}; the world's tests: {known}")
    return tuple(replace(trial, wrong_factor=5.0) if trial.experiment_id in wrong else trial for trial in trials)


def _random_channels(channels: int | Sequence[str], seed: int) -> tuple[ChannelTruth, ...]:
    """Channels of the known kinds with drawn truths; together they spend 11 % of revenue."""
    known = {kind.name: kind for kind in KINDS}
    if isinstance(channels, int):
        names = [KINDS[i].name if i < len(KINDS) else f"channel_{i + 1}" for i in range(channels)]
    else:
        names = list(channels)
    drawn = []
    for i, name in enumerate(names):
        rng = stream(seed, f"truth of channel {i}")
        kind = known.get(name, KINDS[i % len(KINDS)])
        drawn.append(
            replace(
                kind,
                name=name,
                share=kind.share * float(np.exp(0.3 * rng.standard_normal())),
                iroas=float(np.clip(kind.iroas * np.exp(0.35 * rng.standard_normal()), 0.3, 4.0)),
                decay=float(np.clip(kind.decay + 0.1 * rng.standard_normal(), 0.0, 0.85)),
                half_saturation=kind.half_saturation * float(np.exp(0.2 * rng.standard_normal())),
                slope=float(np.clip(kind.slope + 0.15 * rng.standard_normal(), 0.9, 1.8)),
            )
        )
    total = sum(channel.share for channel in drawn)
    return tuple(replace(channel, share=channel.share * 0.11 / total) for channel in drawn)


def _random_trials(
    channels: tuple[ChannelTruth, ...], seed: int, weeks: int, number: int, treated: int
) -> tuple[TrialPlan, ...]:
    """One test after the other over the last 60 % of the panel, none on a flighted channel while others are left."""
    rng = stream(seed, "tests")
    first = round(0.4 * weeks)
    step = (weeks - first) // max(number, 1)
    if number and step < READ_OUT:
        raise DataError(f"{number} lift tests of {READ_OUT} weeks need more than {weeks} weeks; ask for fewer")
    lots = {channel.name: float(rng.random()) for channel in channels}
    order = sorted(
        channels, key=lambda c: (c.flight is not None, ["strong", "some", "no"].index(c.demand_driven), lots[c.name])
    )
    plans = []
    for i in range(number):
        channel = order[i % len(order)]
        method: TrialMethod = "go_dark" if channel.demand_driven != "no" else ("heavy_up", "geo_holdout")[i % 2]
        plans.append(
            TrialPlan(
                f"test-{i + 1}",
                channel.name,
                method,
                start=first + i * step,
                weeks=READ_OUT - 2,
                treated=treated,
                multiplier=2.0 if method == "heavy_up" else 0.0,
            )
        )
    return tuple(plans)
