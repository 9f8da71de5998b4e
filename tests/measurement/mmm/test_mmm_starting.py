"""Where chains begin: at the posterior, and from last month's fit; the posterior stays what it is."""

from dataclasses import replace

import numpy as np
import pytest

from measurement import mmm
from measurement.errors import DataError
from measurement.mmm.prepare import prepare
from measurement.mmm.priors import sampled, standardised
from measurement.mmm.shape import Shape
from measurement.mmm.starting import blocks_of, by_prior, by_shape, shape_of
from measurement.mmm.transforms import Kinds
from measurement.simulate import national, simulate

PANEL = simulate(national(weeks=104, channels=3, seed=5)).panel()
SHORT = mmm.Sampling(chains=2, warmup=200, draws=300)


def test_the_samplers_coordinates_and_back() -> None:
    ready = prepare(PANEL, mmm.Spec.default(PANEL))
    given = (ready.layout, ready.data.forms.code, ready.data.prior_mean, ready.data.prior_sd)
    z = np.random.default_rng(0).normal(size=(5, ready.layout.dimension))
    assert standardised(*given, sampled(*given, z)) == pytest.approx(z, abs=1e-12)


def test_a_shape_says_where_draws_lie_whatever_the_prior() -> None:
    ready = prepare(PANEL, mmm.Spec.default(PANEL))
    layout, code = ready.layout, ready.data.forms.code
    mean, sd = ready.data.prior_mean, ready.data.prior_sd
    z = np.random.default_rng(0).normal(size=(2, 400, layout.dimension))
    shape = shape_of(layout, code, mean, sd, standardised(layout, code, mean, sd, 2.0 + 0.5 * z))
    same = by_shape(layout, shape, ready.data)
    other = by_shape(layout, shape, ready.data._replace(prior_mean=mean + sd, prior_sd=2.0 * sd))
    assert same.centre == pytest.approx(np.full(layout.dimension, 2.0), abs=0.1)
    assert same.width == pytest.approx(np.full(layout.dimension, 0.5), rel=0.1)
    assert other.centre == pytest.approx((same.centre - 1.0) / 2.0)
    assert other.width == pytest.approx(same.width / 2.0)
    with pytest.raises(DataError, match="slope \\(3 there, 0 here\\)"):
        by_shape(replace(layout, kinds=Kinds(("geometric",), ("logistic",), (False,))), shape, ready.data)


def test_tests_that_came_since_begin_at_their_prior() -> None:
    ready = prepare(PANEL, mmm.Spec.default(PANEL))
    later = replace(ready.layout, tests=4, groups=2)
    size = later.dimension - ready.layout.dimension
    data = ready.data._replace(
        prior_mean=np.append(ready.data.prior_mean, np.zeros(size)),
        prior_sd=np.append(ready.data.prior_sd, np.ones(size)),
    )
    mine = ready.layout.dimension
    shape = Shape(blocks_of(ready.layout), np.full(mine, 3.0), np.full(mine, 0.1))
    found, plain = by_shape(later, shape, data), by_prior(later, data)
    assert np.array_equal(found.centre[-size:], plain.centre[-size:])
    assert np.array_equal(found.width[-size:], plain.width[-size:])
    assert found.width[:-size] == pytest.approx(0.1 / data.prior_sd[:-size])


def test_a_fit_begun_from_last_months_agrees_and_needs_a_shorter_warm_up() -> None:
    before = mmm.fit(PANEL.part(slice(0, 100)), seed=1, sampling=SHORT)
    kept = mmm.Posterior.from_bytes(before.to_bytes())
    anew = mmm.fit(PANEL, seed=2, sampling=SHORT)
    begun = mmm.fit(PANEL, seed=3, sampling=SHORT.model_copy(update={"warmup": 80}), begin_from=kept)
    one, other = np.log(anew.draws["iroas"]), np.log(begun.draws["iroas"])
    error = np.sqrt(one.var(0) / 150 + other.var(0) / 150)
    assert (np.abs(one.mean(0) - other.mean(0)) < 4 * error).all()
    assert begun.diagnostics.rhat < 1.05
    assert begun.provenance.settings["begun_from"] == before.provenance.sha256
    assert "begun_from" not in anew.provenance.settings


def test_a_fit_of_other_data_or_none_cannot_be_begun_from() -> None:
    drawn = mmm.prior(PANEL, draws=20)
    with pytest.raises(DataError, match="draws of the prior"):
        mmm.fit(PANEL, begin_from=drawn)
    other = simulate(national(weeks=104, channels=2, seed=5)).panel()
    with pytest.raises(DataError, match="3 channels"):
        mmm.fit(other, begin_from=drawn)


def test_a_fit_that_diverges_is_made_again_with_smaller_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    short = mmm.Sampling(chains=2, warmup=60, draws=60)
    first = mmm.fit(PANEL, sampling=short.model_copy(update={"target_accept": 0.75}))
    monkeypatch.setattr("measurement.mmm.diagnostics.DIVERGENT_LIMIT", -1.0)  # whatever it draws
    again = mmm.fit(PANEL, sampling=short)
    assert again.provenance.settings["sampling"]["target_accept"] == 0.95
    assert again.diagnostics.steps > first.diagnostics.steps
    told = mmm.fit(PANEL, sampling=short.model_copy(update={"target_accept": 0.75}))
    assert np.array_equal(told.draws["iroas"], first.draws["iroas"]), "what was asked for is what is done"
