"""Figures that publications and their packages print, from the same public data and the same specifications."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments import Experiment, analyse
from experiments.geo.estimators import (
    Block,
    difference_in_differences,
    geo_based_regression,
    sdid,
    synthetic_control,
    time_based_regression,
)
from experiments.geo.estimators.predictors import Predictors
from measurement import Panel

OUTCOMES_ONLY = synthetic_control.Settings(scale=False, fixed_effect=False, whole_weeks=False, weight_cap=1.0)


def wide(frame: pd.DataFrame, unit: str, time: str, value: str, first: str) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Outcome with the treated unit in the first row, the units' names, and the times."""
    table = frame.pivot(index=unit, columns=time, values=value)
    names = [first, *(name for name in table.index if name != first)]
    return table.loc[names].to_numpy(np.float64), names, table.columns.to_numpy()


def one_against_all(outcome: np.ndarray, start: int, onset: int, end: int) -> Block:
    return Block(outcome, np.array([0]), np.arange(1, len(outcome)), start, onset, end)


@pytest.fixture
def california(reference_data: Path) -> Block:
    frame = pd.read_csv(reference_data / "california_prop99.csv", sep=";")
    outcome, _, years = wide(frame, "State", "Year", "PacksPerCapita", "California")
    return one_against_all(outcome, 0, int(np.flatnonzero(years == 1989)[0]), len(years))


def test_california_by_synthetic_control(california: Block) -> None:
    """Outcomes only, no fixed effect: the synthetic control of the synthdid package's comparison."""
    assert -19.6 <= synthetic_control.fit(california, OUTCOMES_ONLY).effect <= -19.5


def test_california_by_synthetic_difference_in_differences(california: Block) -> None:
    """The paper's algorithm 1; its package stops the weight search early, hence the last digit."""
    assert sdid.fit(california).effect == pytest.approx(-15.60, abs=0.01)


def test_california_by_difference_in_differences(california: Block) -> None:
    assert difference_in_differences.fit(california).effect == pytest.approx(-27.35, abs=0.005)


def mean_of(frame: pd.DataFrame, unit: str, names: list[str], column: str, years: list[int]) -> np.ndarray:
    chosen = frame[frame["year"].isin(years)]
    return chosen.groupby(unit)[column].mean().reindex(names).to_numpy(np.float64)


def test_basque_country(reference_data: Path) -> None:
    """Abadie and Gardeazabal (2003): 14 predictors, their weights by the outcome's error in 1960-69, effect 1975-97."""
    frame = pd.read_csv(reference_data / "basque.csv")
    outcome, names, years = wide(frame, "regionname", "year", "gdpcap", "Basque Country (Pais Vasco)")
    specification = [(f"school.{level}", range(1964, 1970)) for level in ("illit", "prim", "med", "high", "post.high")]
    specification += [("invest", range(1964, 1970)), ("gdpcap", range(1960, 1970)), ("popdens", range(1969, 1970))]
    sectors = ("agriculture", "energy", "industry", "construction", "services.venta", "services.nonventa")
    specification += [(f"sec.{sector}", range(1961, 1970, 2)) for sector in sectors]
    values = np.column_stack([mean_of(frame, "regionname", names, c, list(when)) for c, when in specification])
    place = {int(year): i for i, year in enumerate(years)}
    matched = Predictors(values, slice(place[1960], place[1970]))
    block = one_against_all(outcome, 0, place[1975], len(years))
    fit = synthetic_control.fit(block, synthetic_control.Settings(False, False, False, 1.0, matched))
    weights = dict(zip(names[1:], fit.weights, strict=True))
    assert fit.effect == pytest.approx(-0.6996, abs=0.0005)
    assert weights["Cataluna"] == pytest.approx(0.851, abs=0.001)
    assert weights["Madrid (Comunidad De)"] == pytest.approx(0.149, abs=0.001)


def test_west_germany(reference_data: Path) -> None:
    """Abadie, Diamond and Hainmueller (2015): predictor weights from a training stage (1971-80, error 1981-90),
    then matching on predictors of 1981-90; effect 1990-2003."""
    frame = pd.read_csv(reference_data / "germany.csv")
    outcome, names, years = wide(frame, "country", "year", "gdp", "West Germany")
    place = {int(year): i for i, year in enumerate(years)}

    def predictors(decade: range, schooling: list[int], invest: str) -> np.ndarray:
        columns = [mean_of(frame, "country", names, c, list(decade)) for c in ("gdp", "trade", "infrate", "industry")]
        columns.append(mean_of(frame, "country", names, "schooling", schooling))
        columns.append(mean_of(frame, "country", names, invest, [1980]))
        return np.column_stack(columns)

    def settings(values: np.ndarray, loss: slice, importance: np.ndarray | None) -> synthetic_control.Settings:
        return synthetic_control.Settings(False, False, False, 1.0, Predictors(values, loss, importance))

    block = one_against_all(outcome, 0, place[1990], len(years))
    early = predictors(range(1971, 1981), [1970, 1975], "invest70")
    training = synthetic_control.fit(block, settings(early, slice(place[1981], place[1991]), None))
    late = predictors(range(1981, 1991), [1980, 1985], "invest80")
    fit = synthetic_control.fit(block, settings(late, slice(place[1960], place[1990]), training.importance))
    weights = dict(zip(names[1:], fit.weights, strict=True))
    assert fit.effect == pytest.approx(-1557, abs=5)
    assert weights["Austria"] == pytest.approx(0.415, abs=0.005)
    assert weights["USA"] == pytest.approx(0.216, abs=0.005)


@pytest.fixture
def google(reference_data: Path) -> tuple[Block, Block]:
    """Sales and cost of Google's example: six weeks before, four weeks of test, group 2 treated."""
    frame = pd.read_csv(reference_data / "GeoexperimentsResearch_salesandcost.csv")
    groups = pd.read_csv(reference_data / "GeoexperimentsResearch_geoassignment.csv").set_index("geo")["geo.group"]
    treated, control = (np.flatnonzero(groups.sort_index().to_numpy() == group) for group in (2, 1))

    def block(column: str) -> Block:
        table = frame.pivot(index="geo", columns="date", values=column).sort_index().fillna(0.0)  # as its totals do
        onset, end = (int(table.columns.get_loc(day)) for day in ("2015-02-16", "2015-03-16"))
        return Block(table.to_numpy(np.float64), treated, control, 0, onset, end)

    return block("sales"), block("cost")


def test_google_by_time_based_regression(google: tuple[Block, Block]) -> None:
    """The package's vignette: iROAS 2.9467, 95 % interval from 2.760 to 3.134; cost by the same regression."""
    sales, cost = (time_based_regression.fit(block) for block in google)
    assert sales.classical is not None
    assert cost.effect * 50 * 28 == pytest.approx(50_000)
    assert sales.effect / cost.effect == pytest.approx(2.9467, abs=0.00005)
    low, high = sales.classical.interval(0.05)
    assert low / cost.effect == pytest.approx(2.760, abs=0.0005)
    assert high / cost.effect == pytest.approx(3.134, abs=0.0005)


def test_google_by_geo_based_regression(google: tuple[Block, Block]) -> None:
    sales, cost = google
    before, after = (
        sales.outcome[:, span].sum(axis=1) for span in (slice(0, sales.onset), slice(sales.onset, sales.end))
    )
    found = geo_based_regression.return_on_spend(before, after, cost.outcome[:, cost.onset : cost.end].sum(axis=1))
    assert found.estimate == pytest.approx(3.2334, abs=0.00005)


@pytest.fixture
def geolift(reference_data: Path) -> tuple[Panel, Experiment]:
    frame = pd.read_csv(reference_data / "GeoLift_Test.csv").rename(columns={"location": "geo", "Y": "outcome"})
    frame["date"] = pd.to_datetime(frame["date"]).astype("datetime64[s]")
    start = date(2021, 1, 1) + timedelta(days=90)
    design = Experiment(
        experiment_id="geolift-walkthrough",
        channel=("all",),
        method="geo_holdout",
        treatment_geos=("chicago", "portland"),
        start_date=start,
        end_date=start + timedelta(days=14),
        spend_delta=1.0,
    )
    return Panel.from_frames(frame, period="day"), design


def test_geolift_walkthrough(geolift: tuple[Panel, Experiment]) -> None:
    """The package's own specification: unscaled outcomes with a fixed effect, every day before the test."""
    panel, design = geolift
    result = analyse(panel, design, estimator="synthetic_control_unscaled")
    assert result.average_effect.estimate == pytest.approx(155.55, abs=0.01)
    assert result.relative_lift.estimate == pytest.approx(0.054, abs=0.0005)
    assert result.incremental_outcome.estimate == pytest.approx(4667, abs=1)
    assert sum(period.effect for period in result.periods) == pytest.approx(4667, abs=1)


def test_geolift_p_value_is_conformal(geolift: tuple[Panel, Experiment]) -> None:
    """The package permutes the gaps of a fit to all 105 days (no effect assumed) at random: p is about .01."""
    panel, design = geolift
    treated = panel.geo_index(design.treatment_geos)
    donors = np.setdiff1d(np.arange(40), treated)
    as_fitted = synthetic_control.Settings(scale=False, whole_weeks=False, weight_cap=1.0)
    # the whole series as pre-period; the last column only stands in for a read-out
    everything = np.hstack([panel.outcome, panel.outcome[:, -1:]])
    gap = np.abs(synthetic_control.fit(Block(everything, treated, donors, 0, 105, 106), as_fitted).gap[:105])
    rng = np.random.default_rng(0)
    seen = gap[90:].sum()
    shuffled = np.array([rng.permutation(gap)[90:].sum() for _ in range(2000)])
    assert float(np.mean(shuffled >= seen)) == pytest.approx(0.01, abs=0.01)


def test_geolift_by_the_default_agrees_on_the_effect_and_is_franker_about_its_error(
    geolift: tuple[Panel, Experiment],
) -> None:
    """Placebo pairs of untreated cities moved just as much in those two weeks as chicago and portland did."""
    panel, design = geolift
    result = analyse(panel, design)
    published = result.alternates["synthetic_control_unscaled"]["average_effect"]["estimate"]
    assert published == pytest.approx(155.55, abs=0.01)
    assert abs(result.average_effect.estimate - published) < result.average_effect.std_error / 2
    assert result.diagnostics["p_values"]["block_conformal"] < 0.02
    assert 0.1 < result.p_value < 0.35
    assert result.average_effect.low < 0 < result.average_effect.high
