"""Registering and importing: what is registered stays, as it was, once."""

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from experiments import registry
from experiments.records import Experiment
from measurement.errors import DataError, StoreError
from measurement.store import Store

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path, clock=lambda: datetime(2026, 5, 4, 9, tzinfo=UTC))


def record(name: str = "tv-north", **changes: Any) -> Experiment:
    fields: dict[str, Any] = {
        "experiment_id": name,
        "channel": ("tv",),
        "method": "go_dark",
        "start_date": date(2025, 9, 1),
        "end_date": date(2025, 9, 28),
        "treatment_geos": ("Zürich", "NA", "01"),
    }
    return Experiment(**(fields | changes))


MEASURED = {"estimand": "iroas", "estimate": 0.1 + 0.2, "std_error": 1e-9, "spend_delta": -12_345.67, "grade": "B"}


def test_what_was_added_is_loaded_as_it_was(store: Store) -> None:
    plan = record()
    result = record("search", **MEASURED, channel=("search", "social"), pairs=(("a", "b"),), notes="=1+1\n\u2028")
    events = registry.add(store, [plan, result], "Ada")
    assert [event.subject for event in events] == ["tv-north", "search"]
    first, second = registry.load(store).tests.values()
    assert (first.experiment, second.experiment) == (plan, result)
    assert (first.state, second.state) == ("draft", "accepted")
    assert (first.outside, second.outside) == (False, True), "what comes with its result was measured elsewhere"
    assert registry.evidence(registry.load(store)) == [result]
    assert (first.plan_version, first.actor, first.hash) == (1, "Ada", events[0].hash)
    assert first.registered_at == "2026-05-04T09:00:00.000000Z"


def test_the_same_record_again_is_no_new_event(store: Store) -> None:
    registry.add(store, [record()], "Ada")
    head = store.head()
    assert registry.add(store, [record(), record()], "Grace") == []
    assert store.head() == head
    assert [e.subject for e in registry.add(store, [record(), record("new"), record("new")], "Grace")] == ["new"]
    assert [found.actor for found in registry.load(store).tests.values()] == ["Ada", "Grace"]


def test_other_content_under_a_registered_id_is_refused_and_all_of_the_batch_with_it(store: Store) -> None:
    registry.add(store, [record(), record("search")], "Ada")
    registry.add(store, [record("result", **MEASURED)], "Ada")
    head = store.head()
    other = record("result", **(MEASURED | {"grade": "C"}))
    with pytest.raises(DataError, match=r"other content \(grade: B -> C\).* supersede"):
        registry.add(store, [other], "Ada")
    changed = [record(end_date=date(2025, 10, 5)), record("search", **MEASURED), record("new")]
    with pytest.raises(DataError, match="revise") as caught:
        registry.add(store, changed, "Ada")
    first, second = caught.value.problems
    assert "'tv-north' was registered on 2026-05-04" in first.message
    assert "end_date: 2025-09-28 -> 2025-10-05" in first.message
    assert "estimate: None -> 0.30000000000000004" in second.message
    assert store.head() == head
    assert [found.experiment for found in registry.load(store).tests.values()] == [
        record(),
        record("search"),
        record("result", **MEASURED),
    ]


def test_an_id_that_stands_twice_with_different_content_is_refused(store: Store) -> None:
    with pytest.raises(DataError, match=r"'tv-north' stands twice .*method: go_dark -> heavy_up"):
        registry.add(store, [record(), record(method="heavy_up")], "Ada")
    assert registry.load(store).tests == {}


def test_ids_are_only_values(store: Store) -> None:
    names = ["../../etc", "'; drop table events; --", "<script>", "NA", "01", "東京", "x" * 400]
    registry.add(store, [record(name) for name in names], "Ada")
    assert list(registry.load(store).tests) == names


def test_every_field_is_written_so_that_a_later_default_changes_no_record(store: Store) -> None:
    (event,) = registry.add(store, [record()], "Ada")
    assert event.payload["experiment"]["market_share"] == 1.0
    assert event.payload["experiment"]["adstock"] == "steady_state"


def test_a_record_from_before_plans_had_protocols_is_read(store: Store) -> None:
    content = record().model_dump(mode="json", exclude_none=True)
    store.append("experiment.registered", "tv-north", {"experiment": content}, "Ada")
    (found,) = registry.load(store).tests.values()
    assert (found.experiment, found.state) == (record(), "draft")
    assert found.protocol == registry.Protocol()


def test_events_of_other_rooms_are_left_alone(store: Store) -> None:
    store.append("mmm.fitted", "fit-1", {"experiment": "not a record"}, "Ada")
    registry.add(store, [record()], "Ada")
    assert [found.experiment for found in registry.load(store).tests.values()] == [record()]


def test_a_record_of_another_version_is_said_to_be_so(store: Store) -> None:
    store.append(registry.EVENTS["register"], "tv", {"experiment": {"experiment_id": "tv", "colour": "red"}}, "Ada")
    with pytest.raises(StoreError, match="event 1 holds the test 'tv' in a form that cannot be read"):
        registry.load(store)


def test_two_processes_that_register_different_content_at_once_leave_one(store: Store) -> None:
    code = """
import sys
from datetime import date
from experiments import registry
from experiments.records import Experiment
from measurement.errors import DataError
from measurement.store import Store
store, refused = Store.open(sys.argv[1]), 0
for number in range(10):
    plan = Experiment(experiment_id=f"test-{number}", channel=("tv",), method="go_dark", source=sys.argv[2],
                      start_date=date(2025, 1, 1), end_date=date(2025, 1, 28))
    try:
        registry.add(store, [plan], sys.argv[2])
    except DataError:
        refused += 1
print(refused)
"""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(store.home), name], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for name in ("left", "right")
    ]
    refused = sum(int(worker.communicate()[0]) for worker in workers)
    found = registry.load(store).tests.values()
    assert sorted(test.experiment.experiment_id for test in found) == [f"test-{number}" for number in range(10)]
    assert refused == 10
    assert all(test.actor == test.experiment.source for test in found)
