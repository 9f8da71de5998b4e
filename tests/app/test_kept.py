"""What takes seconds is made once, in a thread, while whoever asks is told that it is under way."""

import threading
from collections.abc import Callable

import pytest

from measurement.errors import DesignError, StoreError
from theodolite.app.kept import MOST_UNDER_WAY, Kept

LONG = 60.0


def held(gate: threading.Event, value: str, made: list[str]) -> Callable[[], str]:
    """Work that lasts until a gate opens, and takes down that it was done."""

    def make() -> str:
        assert gate.wait(LONG)
        made.append(value)
        return value

    return make


def test_who_asks_meanwhile_is_told_so_and_it_is_made_once() -> None:
    kept, gate, made = Kept(), threading.Event(), list[str]()
    work = held(gate, "split", made)
    assert [kept.soon("budget", 1, work, patience=0.0) for _ in range(3)] == [None, None, None]
    gate.set()
    assert kept.soon("budget", 1, work, patience=None) == "split"
    assert kept.soon("budget", 1, work, patience=0.0) == "split"
    assert made == ["split"]


def test_a_new_version_is_made_anew_whatever_becomes_of_the_old() -> None:
    kept, old, new, made = Kept(), threading.Event(), threading.Event(), list[str]()
    assert kept.soon("budget", 1, held(old, "old", made), patience=0.0) is None
    assert kept.soon("budget", 2, held(new, "new", made), patience=0.0) is None
    new.set()
    assert made == [], "one after another"
    old.set()
    assert kept.soon("budget", 2, held(new, "new", made), patience=None) == "new"
    assert made == ["old", "new"]


def test_a_refusal_is_kept_as_well_and_told_to_everybody() -> None:
    kept, calls = Kept(), list[int]()

    def refused() -> str:
        calls.append(1)
        raise DesignError("no plan keeps to these limits")

    for _ in range(2):
        with pytest.raises(DesignError, match="no plan"):
            kept.soon("budget", 1, refused, patience=None)
    assert calls == [1]


def test_only_so_much_is_under_way() -> None:
    kept, gate, made = Kept(), threading.Event(), list[str]()
    for i in range(MOST_UNDER_WAY):
        assert kept.soon(i, 1, held(gate, str(i), made), patience=0.0) is None
    with pytest.raises(StoreError, match="read this page later"):
        kept.soon("one more", 1, held(gate, "x", made), patience=0.0)
    gate.set()
    assert [kept.soon(i, 1, held(gate, "y", made), patience=None) for i in range(MOST_UNDER_WAY)] == list(
        map(str, range(MOST_UNDER_WAY))
    )
    assert kept.soon("one more", 1, held(gate, "x", made), patience=None) == "x"


def test_what_is_forgotten_is_made_again() -> None:
    kept, made = Kept(), list[int]()

    def make() -> int:
        made.append(1)
        return len(made)

    assert [kept.get("page", 1, make), kept.get("page", 1, make)] == [1, 1]
    kept.forget("page")
    assert kept.get("page", 1, make) == 2
