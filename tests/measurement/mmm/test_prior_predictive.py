"""What the priors claim in money: their own statements, and warnings where they claim too much."""

import numpy as np
import pytest

from measurement.mmm.prior_predictive import prior_predictive
from measurement.mmm.spec import Spec

SHARE = {"median": 0.04, "low": 0.01, "high": 0.16}


def test_it_says_the_stated_priors_again_in_money(panel_of) -> None:
    panel, _ = panel_of(2, 104, 2)
    belief = {"median": 2.0, "low": 0.5, "high": 8.0}
    spec = Spec.default(panel, channels={"channel 0": {"roi": belief}, "channel 1": {"contribution": SHARE}})
    found = prior_predictive(panel, spec, draws=3000)
    first, second = found.channels
    assert first.iroas is not None
    for end in ("median", "low", "high"):
        assert first.iroas.to_dict()[end] == pytest.approx(belief[end], rel=0.12)
        assert second.share.to_dict()[end] == pytest.approx(SHARE[end], rel=0.12)
        yearly = belief[end] * panel.spend[..., 0].sum() / (104 / 52.18)
        assert first.yearly.to_dict()[end] == pytest.approx(yearly, rel=0.12)
    assert (first.about, second.about) == ("roi", "contribution")
    whole = first.share.draws + second.share.draws
    np.testing.assert_allclose(found.share.draws, whole)
    assert found.chart().to_dict()["layer"]
    assert prior_predictive(panel, spec, draws=50).to_dict() == prior_predictive(panel, spec, draws=50).to_dict()


def test_it_warns_where_media_would_bring_nearly_all(panel_of) -> None:
    panel, _ = panel_of(1, 60, 2)
    high = {"median": 0.6, "low": 0.5, "high": 0.72}
    modest = prior_predictive(panel, draws=200)
    assert modest.too_much < 0.2
    assert not any("leaves little for all else" in words for words in modest.cautions())
    greedy = prior_predictive(panel, Spec.default(panel, channels={"channel 0": {"contribution": high}}), draws=200)
    said = " ".join(greedy.cautions())
    assert greedy.too_much > 0.5
    assert "leaves little for all else" in said
    assert "The prior of 'channel 0' alone claims " in said


def test_what_costs_nothing_has_no_return(panel_of) -> None:
    from dataclasses import replace

    panel, _ = panel_of(1, 60, 2)
    free = replace(panel, spend=panel.spend * [1.0, 0.0])
    found = prior_predictive(free, Spec.default(free, channels={"channel 1": {"organic": True}}), draws=100)
    assert found.channels[1].iroas is None
    assert found.to_dict()["channels"][1]["iroas"] is None
