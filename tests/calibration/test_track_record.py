import json
from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from calibration import View
from calibration.quantity import Quantity
from calibration.track_record import crps, freeze, predictions, scored, summary
from calibration.view import ChannelView
from experiments import Experiment
from measurement.errors import DataError
from measurement.store import Store

TODAY = date.today()


def plan(**changes):
    fields = {
        "experiment_id": "tv-dark",
        "channel": ["tv"],
        "method": "go_dark",
        "start_date": TODAY.isoformat(),
        "end_date": TODAY.replace(year=TODAY.year + 1).isoformat() if TODAY.day < 29 else "2099-01-01",
        "treatment_geos": ["a"],
        "control_geos": ["b"],
    }
    return Experiment.model_validate_json(json.dumps(fields | changes))


def view():
    tv = ChannelView("tv", 100.0, Quantity(1.0, 0.8, 1.2), mmm=Quantity(2.0, 1.5, 2.5), attribution={
        "markov:1": Quantity(4.0, 3.9, 4.1), "last": Quantity(5.0, 4.9, 5.1),
    })  # fmt: skip
    return View((tv,), ("x",), True, 0, {}, primary="markov:1", break_even=1.5)


@pytest.fixture
def store(tmp_path):
    return Store.create(tmp_path)


def test_a_prediction_is_frozen_once_and_read_back(store):
    made = freeze(store, plan(), view(), "me")
    assert made.clean
    assert made.said["attribution"] == Quantity(4.0, 3.9, 4.1)
    assert set(made.said) == {"unified", "mmm", "attribution"}
    assert predictions(store) == (made,)
    with pytest.raises(DataError, match="frozen"):
        freeze(store, plan(), view(), "me")
    assert len(store.events()) == 1


def test_what_cannot_be_predicted_is_refused_with_every_reason(store):
    wrong = plan(channel=["tvv"], experiment_id="b")
    with pytest.raises(DataError, match="did you mean 'tv'"):
        freeze(store, wrong, view(), "me")
    with pytest.raises(DataError, match="2 channels"):
        freeze(store, plan(channel=["tv", "radio"]), view(), "me")
    assert store.events() == []


def test_a_prediction_after_the_read_out_is_not_clean(store):
    late = freeze(store, plan(start_date="2020-01-06", end_date="2020-02-02"), view(), "me")
    assert not late.clean
    found = scored([late], {"tv-dark": Quantity(1.1, 0.7, 1.5)})
    assert found
    assert summary(found) == []


def test_scores_say_who_was_right(store):
    made = freeze(store, plan(), view(), "me")
    found = {score.method: score for score in scored([made], {"tv-dark": Quantity(1.1, 0.7, 1.5)})}
    assert found["unified"].crps < found["mmm"].crps < found["attribution"].crps
    assert [found[name].inside for name in ("unified", "mmm", "attribution")] == [True, False, False]
    assert [found[name].same_action for name in ("unified", "mmm", "attribution")] == [True, False, False]
    assert found["mmm"].log_error == pytest.approx(np.log(2.0 / 1.1))
    rows = {row["method"]: row for row in summary(list(found.values()))}
    assert rows["unified"]["tests"] == 1
    assert rows["mmm"]["median_log_error"] == pytest.approx(np.log(2.0 / 1.1))
    assert scored([made], {}) == ()


@pytest.mark.parametrize("z", [-2.0, 0.0, 0.7])
def test_crps_is_the_integral_that_it_stands_for(z):
    grid = np.linspace(-12, 12, 40_001)
    square = (stats.norm.cdf(grid) - (grid >= z)) ** 2
    assert crps(z) == pytest.approx(square.sum() * (grid[1] - grid[0]), abs=1e-3)


def test_a_study_scores_its_predictions(store):
    from theodolite.track_records import TrackRecord

    read, draft = SimpleNamespace(id="tv-dark", iroas=None), plan()
    study = SimpleNamespace(
        store=store,
        has_store=True,
        actor="me",
        registry=SimpleNamespace(
            list=lambda: [
                SimpleNamespace(experiment_id=draft.experiment_id, conducted=draft)
            ]  # planned, no evidence yet
        ),
        experiments=list,
        view=view,
        evidence=lambda: ((read,), ()),
    )
    record = TrackRecord(study)
    record.predict("tv-dark")
    assert record.to_dict() == {"methods": [], "scores": [], "waiting": ["tv-dark"]}
    with pytest.raises(DataError, match="did you mean 'tv-dark'"):
        record.predict("tv-drk")
