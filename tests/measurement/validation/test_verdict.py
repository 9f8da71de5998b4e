"""The verdict on known truths: a right model is called good, one that lacks a season, a bend or an odd week is not."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from measurement import mmm
from measurement.mmm.diagnostics import Diagnostics
from measurement.panel import Panel
from measurement.simulate import national, simulate
from measurement.validation.charts import Labels, error_frame, fit_frame, khat_frame, shift_frame
from measurement.validation.validate import PARTS, Validation, validate
from measurement.validation.verdict import Reason, convergence, in_order, verdict_of

SHORT = mmm.Sampling(chains=4, warmup=250, draws=500)
WEEKS = 117


def company(seasonality: float = 0.08) -> Panel:
    world = national(weeks=WEEKS, channels=("tv", "social"), seed=5, confounding=0.0)
    return simulate(replace(world, seasonality=seasonality)).panel()


def times(panel: Panel, factor: np.ndarray) -> Panel:
    return replace(panel, kpis={panel.kpi: panel.outcome * factor})


def bent() -> np.ndarray:
    """Growth by a half in half the time, and back again."""
    time = np.arange(WEEKS) / WEEKS
    return 1 + np.minimum(time, 1 - time)


def doubled() -> np.ndarray:
    return np.where(np.isin(np.arange(WEEKS), (40, 41)), 2.0, 1.0)


@cache
def validated(what: str) -> Validation:
    panel, fields = {
        "right": (company(), {}),
        "no season": (company(0.25), {"fourier_order": 0}),
        "no bend": (times(company(), bent()), {"trend": "none"}),
        "doubled weeks": (times(company(), doubled()), {}),
    }[what]
    quiet = {name: {"demand_driven": "no"} for name in panel.channels}
    post = mmm.fit(
        panel, mmm.Spec.default(panel, channels=quiet, likelihood="normal", **fields), seed=1, sampling=SHORT
    )
    return validate(post, panel, seed=1)


def test_a_right_model_is_good() -> None:
    found = validated("right")
    assert found.verdict == "good", [reason.words for reason in found.reasons]
    assert 0.8 < found.loo.coverage(0.9) < 1.0
    assert len(found.lfo.dates) >= 12
    assert all(reason.level == "note" for reason in found.reasons)


def test_a_missing_season_is_named_first() -> None:
    found = validated("no season")
    assert found.verdict == "do not use"
    assert found.reasons[0].topic == "missed season"
    assert "fourier_order" in found.reasons[0].advice


def test_a_bend_that_the_trend_lacks_is_named_first() -> None:
    found = validated("no bend")
    assert found.verdict != "good"
    missed = next(reason for reason in found.reasons if reason.topic != "convergence")
    assert missed.topic == "missed trend"
    assert "piecewise" in missed.advice


def test_sales_counted_twice_are_dated() -> None:
    found = validated("doubled weeks")
    assert found.verdict == "do not use"
    dates = {str(day) for day in company().dates[[40, 41]]}
    first = [reason for reason in found.reasons if reason.level == "stop"]
    assert len(first) == 2
    assert all(reason.topic == "outlier" and any(day in reason.words for day in dates) for reason in first)
    assert {outlier.date for outlier in found.residuals.outliers} == dates


def odd_weeks() -> Panel:
    """Eight weeks of bookings gone wrong, by 40 to 70 %."""
    rng = np.random.default_rng(1)
    at, factor = rng.choice(WEEKS, 8, replace=False), np.ones(WEEKS)
    factor[at] = rng.choice([0.6, 1.4, 1.7], 8)
    return times(company(), factor)


def test_odd_weeks_are_noted_under_students_t_and_spoil_the_normal() -> None:
    panel = odd_weeks()
    quiet = {name: {"demand_driven": "no"} for name in panel.channels}
    robust, plain = (
        validate(
            mmm.fit(panel, mmm.Spec.default(panel, channels=quiet, likelihood=kind), seed=1, sampling=SHORT), panel
        )
        for kind in ("auto", "normal")
    )
    assert robust.likelihood == "student_t"
    assert robust.verdict == "good", [reason.words for reason in robust.reasons]
    assert plain.verdict != "good"
    truly = {str(day) for day in panel.dates[panel.outcome[0] != company().outcome[0]]}
    assert {cell.date for cell in robust.residuals.discounted} == truly
    noted = next(reason for reason in robust.reasons if reason.topic == "discounted")
    assert robust.residuals.discounted[0].date in noted.words
    assert robust.loo.total > plain.loo.total + 50
    assert len(robust.lfo.dates) == 0
    assert "takes a fit" in robust.to_dict()["leave_future_out"]["why"]
    assert robust.to_dict()["leave_future_out"]["coverage_90"] is None


def test_small_counts_are_good_under_the_negative_binomial(panel_of: Callable[..., tuple[Panel, np.ndarray]]) -> None:
    panel, _ = panel_of(4, 78, 2, seed=2, roi=15.0, noise=0.0)
    rate, rng = 24.0 * panel.outcome / panel.outcome.mean(1, keepdims=True).mean(), np.random.default_rng(0)
    orders = rng.poisson(rate * rng.gamma(15.0, 1 / 15.0, rate.shape)).astype(float)
    truth = 15.0 * orders.sum() / panel.outcome.sum()
    roi = {"median": truth, "low": truth / 8, "high": truth * 8}
    channels = {name: {"demand_driven": "no", "roi": roi} for name in panel.channels}
    panel = replace(panel, kpis={"orders": orders}, kpi="orders")
    sampling = mmm.Sampling(chains=4, warmup=300, draws=600)
    found = validate(mmm.fit(panel, mmm.Spec.default(panel, channels=channels), seed=1, sampling=sampling), panel)
    assert found.likelihood == "negative_binomial"
    assert found.verdict == "good", [reason.words for reason in found.reasons]
    assert found.loo.coverage(0.9) == pytest.approx(0.9, abs=0.05)


def test_a_fit_that_did_not_converge_is_stopped_whatever_else_is_true() -> None:
    bad = Diagnostics(False, 1.2, 40.0, 300, 1000, 10.0, 1.0, 0.5, ())
    reasons = in_order([Reason("care", "forecast", "", "", 1e9), *convergence(bad)])
    assert verdict_of(reasons) == "do not use"
    assert {reason.topic for reason in reasons[:3]} == {"convergence"}
    assert verdict_of([]) == "good"
    assert verdict_of([Reason("note", "prior", "", "", 1.0)]) == "good"
    assert verdict_of([Reason("care", "prior", "", "", 1.0)]) == "usable with care"


def test_the_same_seed_gives_the_same_validation_and_it_says_what_made_it() -> None:
    panel = company()
    post = mmm.fit(
        panel,
        mmm.Spec.default(
            panel, channels={name: {"demand_driven": "no"} for name in panel.channels}, likelihood="normal"
        ),
        seed=1,
        sampling=SHORT,
    )
    told = []
    again = validate(post, panel, seed=1, progress=told.append)
    assert again.to_dict() == validated("right").to_dict()
    assert [step.phase for step in told] == list(PARTS)
    assert again.provenance.data == panel.sha256
    assert post.provenance.sha256 in again.provenance.parents


@pytest.mark.parametrize("what", ["right", "doubled weeks"])
def test_charts_show_what_was_found(what: str) -> None:
    found, labels = validated(what), Labels(company().dates, company().geos, company().kpi)
    fit = fit_frame(found.predictive, found.residuals, labels)
    assert (fit["low"] <= fit["median"]).all()
    assert (fit["median"] <= fit["high"]).all()
    assert fit["odd"].sum() == len(found.residuals.outliers)
    assert len(error_frame(found.residuals, labels)) == WEEKS
    assert khat_frame(found.loo, labels)["khat"].notna().all()
    learnt = shift_frame(found.shifts)
    assert learnt.groupby("channel").size().to_dict() == {"social": 2, "tv": 2}
    assert len(found.chart().to_dict()["vconcat"]) == 2
