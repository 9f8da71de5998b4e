"""From settings to a whole world: tables that a company would hold, and the truth behind them."""

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from measurement.errors import DataError
from measurement.panel import Panel
from measurement.simulate.demand import CONTROLS, sales_without_ads, week_starts
from measurement.simulate.journeys import MOST_RELATIVE_SPEND, Market, journeys
from measurement.simulate.media import calibrated
from measurement.simulate.reported import platform_reports
from measurement.simulate.settings import WorldSettings
from measurement.simulate.spend import usual_spend
from measurement.simulate.streams import stream
from measurement.simulate.trials import carried_out, placed, read_out, record, reported
from measurement.simulate.truth import Truth
from measurement.typing import Floats, Json

KPI = "revenue"
FILES = ("media.csv", "outcome.csv", "platform.csv", "touchpoints.parquet", "experiments.json", "truth.json")


@dataclass(frozen=True, eq=False)
class World:
    """A simulated company.

    Attributes:
        settings: What it was made from.
        media: ``date, geo, channel, spend`` (no ``geo`` in a national world).
        outcome: ``date, geo, revenue, population`` and the controls ``price_index, retail_peak``.
        platform: ``date, channel, conversions, value`` of the online channels.
        touchpoints: ``user_id, timestamp, channel, event, value, geo``; no rows without journeys.
        experiments: The lift tests' records, as in ``experiments.json``.
        truth: What the tables do not say.
    """

    settings: WorldSettings
    media: pd.DataFrame
    outcome: pd.DataFrame
    platform: pd.DataFrame
    touchpoints: pd.DataFrame
    experiments: list[Json]
    truth: Truth

    @property
    def kpi(self) -> str:
        """The KPI column of the outcome table."""
        return KPI

    @property
    def controls(self) -> tuple[str, ...]:
        """The control columns of the outcome table."""
        return CONTROLS

    def panel(self) -> Panel:
        """The panel that a study of this company would read."""
        return Panel.from_frames(
            self.outcome, self.media, kpi=KPI, population="population", controls=CONTROLS, period="week"
        )

    def write(self, folder: str | os.PathLike[str], overwrite: bool = False) -> dict[str, Path]:
        """Write the tables, the tests and ``truth.json``; each file appears whole or not at all.

        Args:
            folder: Where to; made if absent.
            overwrite: Whether a folder that already holds something is written to. Then the files of another world are
                replaced or removed, anything else stays.

        Returns:
            The path of each file written, by its name without the ending.

        Raises:
            DataError: Where the folder holds something and ``overwrite`` is not set, or is no folder.
        """
        target = Path(folder)
        if target.exists() and not target.is_dir():
            raise DataError(f"{target} is a file; a world needs a folder")
        if target.is_dir() and any(target.iterdir()) and not overwrite:
            raise DataError(
                f"{target} is not empty; a world is only written into an empty folder unless told otherwise"
            )
        target.mkdir(parents=True, exist_ok=True)
        writers: dict[str, Callable[[Path], object]] = {
            "media.csv": lambda path: self.media.to_csv(path, index=False, lineterminator="\n"),
            "outcome.csv": lambda path: self.outcome.to_csv(path, index=False, lineterminator="\n"),
            "platform.csv": lambda path: self.platform.to_csv(path, index=False, lineterminator="\n"),
            "experiments.json": lambda path: _write_json(path, self.experiments),
            "truth.json": lambda path: _write_json(path, {"seed": self.settings.seed} | self.truth.to_dict()),
        }
        if len(self.touchpoints):
            writers["touchpoints.parquet"] = lambda path: self.touchpoints.to_parquet(path, index=False)
        for name in set(FILES) - set(writers):
            (target / name).unlink(missing_ok=True)
        for name, writer in writers.items():
            _atomically(target / name, writer)
        return {Path(name).stem: target / name for name in writers}


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _atomically(path: Path, writer: Callable[[Path], object]) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    try:
        writer(Path(name))
        Path(name).chmod(0o644)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def simulate(settings: WorldSettings) -> World:
    """Make the world that the settings describe; the same settings make the same world.

    The order is that of cause and effect: demand, spend that may follow it, tests that change spend, what the spend
    causes, revenue, and from one and the same revenue the journeys and what the platforms claim.
    """
    order = np.argsort(np.array(settings.geos, dtype=object))
    geos = tuple(settings.geos[i] for i in order)
    population = np.array(settings.population, dtype=np.float64)[order]
    channels = tuple(sorted(settings.channels, key=lambda channel: channel.name))
    names = tuple(channel.name for channel in channels)

    sales = sales_without_ads(settings, population)
    lifetime = usual_spend(settings, channels, population, sales.demand)
    history, usual = lifetime[:, : settings.history], lifetime[:, settings.history :]
    differ = np.array([channel.geo_sd for channel in channels]) * (len(geos) > 1)
    strength = np.exp(differ * stream(settings.seed, "strength").standard_normal((len(geos), len(channels))))
    response = calibrated(channels, usual, history, population, strength)
    trials = placed(settings, geos, population, names)
    spend = carried_out(usual, trials)
    effect = response.effects(spend)
    left_over = response.left_over(settings.weeks).sum(axis=-1)
    expected = sales.expected + left_over
    baseline = sales.baseline + left_over
    revenue = np.round(np.maximum(baseline + effect.sum(axis=-1), 0.0), 2)

    unexplained = sales.baseline - sales.expected + response.effects(usual).sum(axis=-1)
    trials = [read_out(trial, usual, spend, response) for trial in trials]
    trials = [reported(trial, settings.seed, unexplained, sales.level) for trial in trials]
    relative = _relative(spend, population)
    touchpoints, orders = _touchpoints(settings, revenue, effect, spend, relative, response.weights, population)
    dates = week_starts(settings)
    truth = Truth(
        dates=dates,
        geos=geos,
        channels=names,
        settings=channels,
        spend=spend,
        usual_spend=usual,
        effect=effect,
        baseline=baseline,
        expected_baseline=expected,
        demand=sales.demand[:, settings.history :],
        response=response,
        test_effects={trial.plan.experiment_id: trial.outcome_change for trial in trials},
        orders=orders,
    )
    return World(
        settings=settings,
        media=_media_table(truth),
        outcome=_outcome_table(truth, revenue, population, sales.controls),
        platform=platform_reports(settings, channels, dates.astype("datetime64[s]"), revenue, effect, relative),
        touchpoints=touchpoints,
        experiments=[record(trial, settings.start, geos, KPI) for trial in trials],
        truth=truth,
    )


def _relative(spend: Floats, population: Floats) -> Floats:
    """Spend per person, relative to the channel's mean positive one."""
    exposure = spend / population[:, None, None]
    positive = np.maximum((exposure > 0).sum(axis=(0, 1)), 1)
    return np.asarray(exposure / np.maximum(exposure.sum(axis=(0, 1)) / positive, 1e-12))


def _touchpoints(
    settings: WorldSettings,
    revenue: Floats,
    effect: Floats,
    spend: Floats,
    relative: Floats,
    weights: Floats,
    population: Floats,
) -> tuple[pd.DataFrame, dict[str, int]]:
    channels = tuple(sorted(settings.channels, key=lambda channel: channel.name))
    last = slice(settings.weeks - settings.journey_weeks, settings.weeks)
    market = Market(
        revenue=np.rint(revenue[:, last] * 100).astype(np.int64),
        effect=effect[:, last],
        spend=spend[:, last],
        relative=np.minimum(relative[:, last], MOST_RELATIVE_SPEND),
        weights=weights,
        population=population,
        channels=channels,
    )
    return journeys(market, settings) if settings.journey_weeks else (_no_journeys(), {})


def _no_journeys() -> pd.DataFrame:
    frame = pd.DataFrame({name: pd.array([], dtype="str") for name in ("user_id", "timestamp", "channel", "event")})
    return frame.assign(timestamp=np.array([], dtype="datetime64[us]"), value=np.array([], dtype=np.float64))


def _grid(truth: Truth, *further: tuple[str, ...]) -> list[pd.Index]:
    """The columns of a tidy table: every date, geo and further label once, in that order."""
    index = pd.MultiIndex.from_product([truth.dates.astype("datetime64[s]"), truth.geos, *further])
    return [index.get_level_values(level) for level in range(index.nlevels)]


def _media_table(truth: Truth) -> pd.DataFrame:
    date, geo, channel = _grid(truth, truth.channels)
    money = truth.spend.transpose(1, 0, 2).ravel()
    frame = pd.DataFrame({"date": date, "geo": geo, "channel": channel, "spend": money})
    return frame.drop(columns="geo") if len(truth.geos) == 1 else frame


def _outcome_table(truth: Truth, revenue: Floats, population: Floats, controls: Floats) -> pd.DataFrame:
    date, geo = _grid(truth)
    frame = pd.DataFrame({"date": date, "geo": geo, KPI: revenue.T.ravel()})
    frame["population"] = np.tile(np.rint(population).astype(np.int64), len(truth.dates))
    for i, name in enumerate(CONTROLS):
        frame[name] = controls[..., i].T.ravel()
    return frame.drop(columns="geo") if len(truth.geos) == 1 else frame
