"""Blackouts: which tests they forbid and when those could begin, against a search day by day."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments import registry
from experiments.charts import calendar
from experiments.registry import Blackout, details, plan, rows
from experiments.registry.blackouts import first_free, met
from measurement.errors import DataError
from measurement.store import Store

SALE = Blackout(date(2026, 11, 23), date(2026, 11, 30), "Black Friday")
PLAN: dict[str, Any] = {
    "experiment_id": "tv",
    "channel": "tv",
    "method": "go_dark",
    "treatment_geos": ["berlin"],
    "control_geos": ["bonn"],
    "start_date": "2026-10-26",
    "end_date": "2026-11-22",
    "spend_delta": -10.0,
}

days = st.integers(0, 60).map(lambda n: date(2026, 1, 1) + timedelta(days=n))
blackouts = st.lists(
    st.builds(lambda first, length: Blackout(first, first + timedelta(days=length), "x"), days, st.integers(0, 9)),
    max_size=5,
)


@given(start=days, length=st.integers(1, 30), closed=blackouts)
def test_the_first_free_day_is_that_of_a_search_day_by_day(start: date, length: int, closed: list[Blackout]) -> None:
    def free(first: date) -> bool:
        last = first + timedelta(days=length - 1)
        return all(last < each.start or each.end < first for each in closed)

    found = start
    while not free(found):
        found += timedelta(days=1)
    assert first_free(start, length, closed) == found
    assert (found == start) == (met(start, start + timedelta(days=length - 1), closed) == [])


def made(memory_store: type[Store], **changed: Any) -> Store:
    """A store with a plan in review."""
    store = memory_store(clock=lambda: datetime(2026, 10, 1, tzinfo=UTC))  # type: ignore[call-arg]
    registry.add(store, plan.parse([{**PLAN, **changed}]), "Ada")
    registry.record(store, registry.Asked("submit", "tv", "Ada"))
    return store


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        ({}, False),
        ({"end_date": "2026-11-23"}, True),
        ({"cooldown_end_date": "2026-11-23"}, True),
        ({"start_date": "2026-11-30", "end_date": "2026-12-20"}, True),
        ({"start_date": "2026-12-01", "end_date": "2026-12-20"}, False),
    ],
)
def test_a_test_on_a_blackout_is_not_approved(
    memory_store: type[Store], changed: dict[str, str], refused: bool
) -> None:
    store = made(memory_store, **changed)
    approve = registry.Asked("approve", "tv", "Grace", registry.approval())
    if refused:
        with pytest.raises(DataError, match=r"2026-11-23 to 2026-11-30 \(Black Friday\).*it could begin on 2026-12-01"):
            registry.record(store, approve, [SALE])
        assert registry.load(store)["tv"].state == "in_review"
    else:
        assert registry.record(store, approve, [SALE]).kind == "experiment.approved"


def test_a_test_does_not_begin_so_that_it_runs_into_one(memory_store: type[Store]) -> None:
    store = made(memory_store)
    registry.record(store, registry.Asked("approve", "tv", "Grace", registry.approval()))
    sooner = Blackout(date(2026, 10, 20), date(2026, 10, 25), "elections")
    begin = registry.Asked("start", "tv", "Ada", details.Start(on=date(2026, 10, 25)))
    with pytest.raises(DataError, match="elections"):
        registry.record(store, begin, [sooner])
    begin = registry.Asked("start", "tv", "Ada", details.Start(on=date(2026, 10, 26)))
    assert registry.record(store, begin, [sooner]).kind == "experiment.started"


def test_one_that_is_named_later_is_told_as_long_as_the_test_runs(memory_store: type[Store]) -> None:
    store = made(memory_store, end_date="2026-11-25")

    def told() -> list[str]:
        ledger = registry.load(store)
        found = rows.everything(ledger, ledger["tv"], date(2026, 10, 1), {}, [SALE])["conflicts"]
        assert isinstance(found, list)
        return found

    for action, detail in (("approve", registry.approval()), ("start", details.Start(on=date(2026, 10, 26)))):
        assert "Black Friday" in told()[0]
        registry.record(store, registry.Asked(action, "tv", "Grace", detail))  # type: ignore[arg-type]
    actuals = details.Actuals(incidents=(), spend_delta=-10.0, end_date=date(2026, 10, 30))
    later = type(store)(clock=lambda: datetime(2026, 12, 1, tzinfo=UTC), rows=store.rows)  # type: ignore[call-arg]
    registry.record(later, registry.Asked("complete", "tv", "Ada", details.Completion(actuals=actuals)))
    assert told() == []


def test_the_calendar_shows_them_as_bands(memory_store: type[Store]) -> None:
    ledger = registry.load(made(memory_store))
    table = [rows.row(ledger, test, date(2026, 10, 1)) for test in ledger.tests.values()]
    old = Blackout(date(2020, 1, 1), date(2020, 1, 9), "long ago")
    plain, drawn = (calendar(table, date(2026, 10, 1), closed).to_dict() for closed in ((), (old, SALE)))
    assert len(drawn["layer"]) == len(plain["layer"]) + 1
    assert "Black Friday" in drawn["title"]["text"]
    assert "long ago" not in str(drawn), "what ended before the first test stretches no axis"
