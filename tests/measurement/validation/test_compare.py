"""Comparison: the true form wins where the data can tell, the study's own stays where they cannot."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from measurement.errors import DataError
from measurement.mmm import Sampling, Spec
from measurement.mmm.diagnostics import Diagnostics
from measurement.panel import Panel
from measurement.provenance import Provenance
from measurement.validation.candidates import OWN, Candidate, candidates, changed, named
from measurement.validation.compare import compare
from measurement.validation.compared import Comparison, Judged
from measurement.validation.stacking import mixed, share_out, stacking_weights

SAMPLING = Sampling(chains=2, warmup=200, draws=600)


def panel_of(weeks: int = 120, noise: float = 0.01, share: float = 0.5, seed: int = 0) -> Panel:
    """One channel that saturates at once (its root) and carries nothing over: far from linear."""
    rng = np.random.default_rng(seed)
    time = np.arange(weeks)
    spend = 1000 * rng.gamma(0.6, 1.0, (1, weeks, 1))
    effect = np.sqrt(spend[..., 0] / 1000)
    sales = 1e4 * (1 + 0.1 * np.sin(2 * np.pi * time / 52.18) + noise * rng.standard_normal((1, weeks)))
    return Panel(
        dates=np.datetime64("2022-01-03") + np.timedelta64(7, "D") * time,
        geos=("national",),
        channels=("tv",),
        spend=spend,
        exposure=spend,
        kpis={"sales": sales + share * 1e4 * effect},
        kpi="sales",
    )


def spec_of(panel: Panel, **channel: Any) -> Spec:
    return Spec.default(panel, channels={"tv": {"demand_driven": "no"} | channel}, fourier_order=1)


def made(*elpds: Any, complexity: tuple[int, ...] = (), iroas: tuple[float, ...] = ()) -> Comparison:
    """A comparison of models with these leave-one-out densities, the study's own first."""
    spec, rng = spec_of(panel_of()), np.random.default_rng(0)
    diagnostics = Diagnostics(True, 1.0, 1000.0, 0, 400, 7.0, 2.0, 0.5, ())
    judged = []
    for i, elpd in enumerate(elpds):
        order = complexity[i] if complexity else 1
        candidate = Candidate(OWN if i == 0 else f"other {i}", spec.model_copy(update={"fourier_order": order}))
        draws = (iroas[i] if iroas else 1.0) + 0.1 * rng.standard_normal((500, 1))
        judged.append(Judged(candidate, np.asarray(elpd)[None], 3.0, 0, draws, diagnostics))
    weights = stacking_weights(np.stack([one.elpd[0] for one in judged]))
    judged = [replace(one, weight=float(w)) for one, w in zip(judged, weights, strict=True)]
    return Comparison(tuple(judged), ("tv",), "EUR", 4.0, Provenance("data", seed=0))


@pytest.fixture(scope="module")
def told() -> Comparison:
    panel = panel_of()
    own = spec_of(panel, saturation="none", adstock="none")
    return compare(panel, candidates(own, adstocks=(), saturations=("root",), seasons=()), sampling=SAMPLING, n_jobs=1)


def test_the_true_form_is_found_where_the_data_can_tell(told: Comparison) -> None:
    gap, error = told.chosen.beyond(told.own)
    assert told.chosen.candidate.name == "root saturation"
    assert gap > 5 * error
    assert told.chosen.weight > 0.9
    assert told.why()[0].startswith("Take root saturation: it predicts better")
    plain = told.to_dict()
    assert plain["changes"] == {"saturation": "root"}
    assert plain["cost"]["fits"] == 2
    assert plain["cost"]["fit_seconds"] > 0
    assert sum(one["weight"] for one in plain["candidates"]) == pytest.approx(1.0)


def test_the_study_keeps_its_own_where_the_data_cannot_tell() -> None:
    panel = panel_of(noise=0.2, share=0.02)
    own = spec_of(panel, saturation="none", adstock="none")
    found = compare(panel, candidates(own, adstocks=(), saturations=("root",), seasons=()), sampling=SAMPLING, n_jobs=1)
    assert found.chosen is found.own
    assert len(found.as_good()) == 2
    assert found.why()[0].startswith("Keep the model as it is")


def test_one_worker_and_two_give_the_same_answer(told: Comparison) -> None:
    panel = panel_of()
    own = spec_of(panel, saturation="none", adstock="none")
    again = compare(panel, candidates(own, adstocks=(), saturations=("root",), seasons=()), sampling=SAMPLING, n_jobs=2)
    for one, two in zip(told.judged, again.judged, strict=True):
        np.testing.assert_array_equal(one.elpd, two.elpd)
        np.testing.assert_array_equal(one.iroas, two.iroas)
        assert one.weight == two.weight


def test_a_lead_within_the_error_changes_nothing_and_one_beyond_it_does() -> None:
    rng = np.random.default_rng(1)
    base = rng.normal(-2.0, 0.5, 150)
    lucky = base + rng.normal(0.05, 0.5, 150)
    better = base + rng.normal(0.5, 0.5, 150)
    assert made(base, lucky).chosen.candidate.name == OWN
    assert "within the error of so many tries" in made(base, base - 0.1, lucky + 0.05).why()[0]
    assert made(base, lucky, better).chosen.candidate.name == "other 2"
    assert made(base, base + 0.02).chosen.candidate.name == OWN, "3 elpd without any error are no difference"


def test_of_models_that_predict_alike_the_simpler_is_taken() -> None:
    rng = np.random.default_rng(2)
    base = rng.normal(-2.0, 0.5, 150)
    better = base + rng.normal(0.8, 0.3, 150)
    found = made(base, better + 0.005, better, complexity=(1, 5, 2))
    assert found.chosen.candidate.name == "other 2"
    assert "other 2 is the simpler" in found.why()[1]


def test_the_winner_of_many_equal_models_is_seldom_taken() -> None:
    rng = np.random.default_rng(3)
    kept = 0
    for _ in range(100):
        base = rng.normal(-2.0, 0.5, 120)
        kept += made(base, *(base + rng.normal(0.0, 0.6, (8, 120)))).chosen.candidate.name == OWN
    assert kept >= 92


def test_money_is_said_to_matter_where_equal_models_disagree() -> None:
    base = np.random.default_rng(4).normal(-2.0, 0.5, 100)
    agree, differ = made(base, base, iroas=(1.0, 1.05)), made(base, base, iroas=(1.0, 2.0))
    assert not agree.spread()["tv"][2]
    assert "hardly matters" in " ".join(agree.why())
    assert differ.spread()["tv"] == (pytest.approx(1.0, abs=0.02), pytest.approx(2.0, abs=0.02), True)
    assert "matters for tv (1.00 to 2.00)" in " ".join(differ.why()).replace("0.99", "1.00").replace("1.99", "2.00")
    stacked = differ.stacked()["tv"]
    assert stacked.low < 1.1
    assert stacked.high > 1.9


def test_a_model_that_has_not_converged_is_not_chosen() -> None:
    rng = np.random.default_rng(5)
    base = rng.normal(-2.0, 0.5, 150)
    found = made(base, base + 1.0)
    broken = replace(found.judged[1].diagnostics, converged=False)
    found = replace(found, judged=(found.own, replace(found.judged[1], diagnostics=broken)))
    assert found.chosen is found.own
    assert "NOT converged, so not to be chosen: other 1" in " ".join(found.why())


def test_stacking_finds_the_mixture() -> None:
    rng = np.random.default_rng(6)
    elpd = rng.normal(-1.0, 0.7, (2, 400)) + np.array([[0.0], [0.15]])
    weights = stacking_weights(elpd)
    grid = np.linspace(0, 1, 1001)
    score = [np.log(w * np.exp(elpd[0]) + (1 - w) * np.exp(elpd[1])).sum() for w in grid]
    assert weights.sum() == pytest.approx(1.0)
    assert weights[0] == pytest.approx(grid[int(np.argmax(score))], abs=2e-3)
    np.testing.assert_allclose(stacking_weights(np.repeat(elpd[:1], 3, axis=0)), 1 / 3)
    assert stacking_weights(np.stack([elpd[0], elpd[0] - 1.0]))[0] == pytest.approx(1.0, abs=1e-6)


def test_a_mixture_holds_each_models_draws_by_weight() -> None:
    np.testing.assert_array_equal(share_out(np.array([0.5, 0.3, 0.2]), 7), [4, 2, 1])
    draws = mixed([np.zeros(100), np.ones(30)], np.array([0.25, 0.75]), 1000)
    assert draws.size == 1000
    assert draws.mean() == pytest.approx(0.75)


def test_candidates_change_one_thing_at_a_time_or_everything() -> None:
    spec = Spec.default(panel_of(), channels={"tv": {"saturation": "logistic"}})
    names = [one.name for one in candidates(spec)]
    assert names == [
        OWN,
        "season of 1 wave",
        "season of 5 waves",
        "hill saturation",
        "exponential saturation",
        "delayed adstock",
        "weibull adstock",
    ]
    assert len(candidates(spec, grid=True)) == 27
    first = candidates(spec, grid=True)[-1]
    assert changed(spec, dict(first.changes)) == first.spec
    with pytest.raises(DataError, match=r"unknown adstock 'weibul'; did you mean 'weibull'|did you mean 'weibull'"):
        candidates(spec, adstocks=("weibul",), seasons=(99,))
    with pytest.raises(DataError, match="name of the study's own"):
        named(spec, {OWN: spec})


def test_nothing_to_compare_is_refused() -> None:
    panel = panel_of()
    own = Candidate(OWN, spec_of(panel))
    for given, words in (
        ([own], "nothing to compare"),
        ([own, own], "two candidates"),
        ([replace(own, name="a"), own], "first"),
    ):
        with pytest.raises(DataError, match=words):
            compare(panel, given)
