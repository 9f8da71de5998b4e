"""Backtests: right where the truth is known, each origin knows its past only, and naive methods are what they say."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from measurement.errors import DataError
from measurement.lift import Lift
from measurement.mmm import Progress, Sampling, Spec
from measurement.panel import Panel
from measurement.validation.backtest import backtest, fold_of, origins_of
from measurement.validation.backtested import Backtest
from measurement.validation.naive import naives

if TYPE_CHECKING:
    from datetime import date

QUICK = Sampling(chains=2, warmup=150, draws=200)


def panel_of(weeks: int = 143, geos: int = 1, season: float = 0.2, seed: int = 0) -> Panel:
    """One channel, a yearly wave, independent noise of 2 %."""
    rng = np.random.default_rng(seed)
    time = np.arange(weeks)
    spend = 1000 * rng.gamma(1.5, 1.0, (geos, weeks, 1))
    x = spend[..., 0] / 1500
    carried = sum(np.pad(x, ((0, 0), (lag, 0)))[:, :weeks] * w for lag, w in enumerate((0.5, 0.3, 0.2)))
    base = 1 + season * np.sin(2 * np.pi * time / 52.18) + 0.05 * time / weeks
    sales = 1e4 * (base + 0.02 * rng.standard_normal((geos, weeks))) + 3000 * carried / (1 + carried)
    return Panel(
        dates=np.datetime64("2022-01-03") + np.timedelta64(7, "D") * time,
        geos=tuple(f"geo {g}" for g in range(geos)),
        channels=("tv",),
        spend=spend,
        exposure=spend,
        kpis={"sales": sales},
        kpi="sales",
    )


def spec_of(panel: Panel, **fields: Any) -> Spec:
    return Spec.default(panel, channels={"tv": {"demand_driven": "no"}}, **({"fourier_order": 2} | fields))


def ran(panel: Panel, spec: Spec | None = None, **options: Any) -> Backtest:
    settings: dict[str, Any] = {"folds": 5, "seed": 1, "sampling": QUICK, "n_jobs": 1}
    return backtest(panel, spec or spec_of(panel), **(settings | options))


@pytest.fixture(scope="module")
def found() -> Backtest:
    return ran(panel_of())


def test_a_right_model_holds_what_it_promises_and_beats_last_year(found: Backtest) -> None:
    scores = found.scores()
    assert all(each.right for each in scores.coverage)
    assert scores.coverage[-1].held > 0.8
    assert scores.crps.value < 0.015, "noise of 2 % alone gives 1.1 %"
    assert found.reference == "seasonal_naive"
    better = found.skill()
    assert better is not None
    assert better.low is not None
    assert better.low > 0.3
    said = " ".join(found.verdict())
    assert "better than the same weeks a year before" in said
    assert "about as often as they say" in said


def test_a_model_without_the_season_of_the_data_is_found_out(found: Backtest) -> None:
    blind = ran(panel_of(), spec_of(panel_of(), fourier_order=0))
    assert not blind.scores().coverage[-1].right
    assert blind.scores().coverage[-1].held < 0.75
    assert blind.scores().crps.value > 4 * found.scores().crps.value
    worse = blind.skill()
    assert worse is not None
    assert worse.value < 0
    said = " ".join(blind.verdict())
    assert "WORSE than the same weeks a year before" in said
    assert "too narrow" in said


def test_folds_say_what_they_predicted_and_what_came(found: Backtest) -> None:
    panel, frame = panel_of(), found.to_frame()
    assert [fold.history for fold in found.folds] == [78, 91, 104, 117, 130]
    np.testing.assert_allclose(frame["came"], panel.outcome[0, 78:])
    assert (frame["date"].to_numpy() == panel.dates[78:].astype("datetime64[s]")).all()
    assert (frame["low"] < frame["q25"]).all()
    assert (frame["median"] < frame["high"]).all()
    plain = found.to_dict()
    assert plain["scores"]["periods"]["model"]["wmape"]["value"] == found.scores().wmape.value
    assert len(plain["by_step"]) == 13
    assert plain["by_geo"] == []
    inside = np.mean([(p["low"] <= p["came"] <= p["high"]) for fold in plain["folds"] for p in fold["periods"]])
    assert inside == pytest.approx(found.scores().coverage[-1].held)
    assert found.scores("horizon").wmape.value < found.scores().wmape.value, "errors of single weeks cancel"


def test_the_future_cannot_be_seen(found: Backtest) -> None:
    """Whatever the KPI does from an origin on, what was predicted there stays as it was."""
    panel = panel_of()
    changed = replace(panel, kpis={"sales": np.where(np.arange(143) >= 78, 3.0, 1.0) * panel.outcome})
    again = ran(changed, spec_of(panel))
    np.testing.assert_array_equal(again.folds[0].bands, found.folds[0].bands)
    assert again.folds[0].scored["model"]["periods"].came == pytest.approx(3 * panel.outcome[0, 78:91])
    assert not np.array_equal(again.folds[1].bands, found.folds[1].bands)


def test_the_same_seed_gives_the_same_answer_with_one_worker_and_two() -> None:
    panel = panel_of()
    first, second = (ran(panel, folds=2, n_jobs=jobs) for jobs in (1, 2))
    for one, two in zip(first.folds, second.folds, strict=True):
        np.testing.assert_array_equal(one.bands, two.bands)
    assert first.scores() == second.scores()


def test_geos_are_scored_on_their_own() -> None:
    panel = panel_of(120, geos=3)
    panel = replace(panel, kpis={"sales": panel.outcome * np.array([[1.0], [2.0], [4.0]])})
    told: list[Progress] = []
    found = ran(panel, folds=2, horizon=10, progress=told.append)
    names = [geo for geo, _, _ in found.by_geo()]
    assert names == ["geo 0", "geo 1", "geo 2"]
    assert found.targets == ("periods", "horizon", "geo periods", "geo horizons")
    whole = found.scores("geo periods").wmape.value
    size = panel.outcome[:, 100:].sum(axis=1)
    assert whole == pytest.approx(np.average([s.wmape.value for _, s, _ in found.by_geo()], weights=size))
    assert found.scores("periods").wmape.value < whole
    assert found.scores("geo periods").coverage[0].trials == 2 * 10 * 3
    assert [(step.done, step.total) for step in told] == [(0, 2), (1, 2), (2, 2)]


def test_an_origin_knows_the_tests_that_had_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    panel, seen = panel_of(), []

    def fit(known: Panel, spec: Spec, lifts: list[Lift], **settings: Any) -> None:
        seen.append((known.shape[1], [lift.experiment_id for lift in lifts]))
        raise InterruptedError

    monkeypatch.setattr("measurement.mmm.fit", fit)
    for days, names in ((6, ["t"]), (7, [])):
        end: date = (panel.dates[89] + np.timedelta64(days, "D")).tolist()
        lift = Lift("t", ("tv",), ("geo 0",), panel.dates[80].tolist(), end, end, 1.0, 1.0, 0.1, np.ones((1, 11, 1)))
        with pytest.raises(InterruptedError):
            fold_of(panel, spec_of(panel), (lift,), 13, QUICK, (90, 0))
        assert seen.pop() == (90, names), end


def test_too_short_a_panel_is_refused_with_the_most_that_it_holds() -> None:
    panel = panel_of(100)
    spec = spec_of(panel)
    with pytest.raises(DataError, match=r"found 9 folds.* 100 weeks hold 3 at most.*needs 52 weeks, a year, since"):
        origins_of(panel, spec, 13, 9, 13)
    assert origins_of(panel, spec, 13, 3, 13) == [61, 74, 87]
    assert origins_of(panel, spec, 13, None, 13) == [61, 74, 87]
    assert origins_of(panel, spec, 8, 40, 1) == list(range(53, 93))
    with pytest.raises(DataError, match=r"too few for a backtest that predicts 60.*Predict at most 48"):
        origins_of(panel, spec, 60, None, 60)
    with pytest.raises(DataError, match=r"horizon 0, folds -1"):
        origins_of(panel, spec, 0, -1, 1)
    late = replace(panel, spend=panel.spend * (np.arange(100) >= 70)[:, None], exposure=panel.spend)
    late = replace(late, exposure=late.spend)
    with pytest.raises(DataError, match=r"hold 2 at most.*needs 71 weeks \(in fewer, channel 'tv' was never on"):
        origins_of(late, spec, 13, 3, 13)


def test_naive_methods_are_what_they_say() -> None:
    rng = np.random.default_rng(0)
    history = rng.normal(100, 1, (2, 130)) * 1.1 ** (np.arange(130) >= 104)
    known = naives("week")
    np.testing.assert_array_equal(known["seasonal_naive"].predict(history, 13), history[:, 78:91])
    growth = history[:, 117:].sum(axis=1) / history[:, 65:78].sum(axis=1)
    np.testing.assert_allclose(known["seasonal_naive_scaled"].predict(history, 13), growth[:, None] * history[:, 78:91])
    np.testing.assert_array_equal(known["last_value"].predict(history, 3), np.repeat(history[:, [129]], 3, axis=1))
    days = naives("day")["last_value"].predict(np.arange(20.0)[None], 9)
    np.testing.assert_array_equal(days[0], [13, 14, 15, 16, 17, 18, 19, 13, 14])
    draws = known["seasonal_naive"].draws(history, 13)
    assert draws is not None
    assert draws.shape == (2 * (130 - 52 - 13 + 1), 2, 13)
    np.testing.assert_allclose(draws.mean(axis=0), history[:, 78:91])
    assert known["seasonal_naive"].draws(history[:, :70], 13) is None


def test_naive_intervals_hold_what_comes_of_a_steady_series() -> None:
    rng, held = np.random.default_rng(1), []
    for _ in range(200):
        series = rng.normal(100, 3, (1, 140))
        draws = naives("week")["seasonal_naive"].draws(series[:, :127], 13)
        assert draws is not None
        low, high = np.quantile(draws, (0.05, 0.95), axis=0)
        held.append(np.mean((low <= series[:, 127:]) & (series[:, 127:] <= high)))
    assert np.mean(held) == pytest.approx(0.9, abs=0.03)
