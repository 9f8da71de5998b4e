import pytest

from measurement import metrics
from measurement.provenance import Provenance, sha256_of


def test_a_provenance_survives_the_round_trip() -> None:
    made = Provenance(data="abc", settings={"chains": 4}, seed=3, parents=("test-1",))
    again = Provenance.from_dict(made.to_dict())
    assert again == made
    assert again.sha256 == made.sha256


def test_the_hash_follows_content_and_not_key_order() -> None:
    assert sha256_of({"a": 1, "b": 2}) == sha256_of({"b": 2, "a": 1})
    assert sha256_of({"a": 1}) != sha256_of({"a": 2})


def test_numbers_that_are_not_finite_are_never_hashed() -> None:
    with pytest.raises(ValueError, match="JSON"):
        sha256_of({"a": float("nan")})


def test_the_metrics_are_their_definitions() -> None:
    assert metrics.iroas(300.0, 100.0) == 3.0
    assert metrics.icpa(100.0, 4.0) == 25.0
    assert metrics.lift(5.0, 100.0) == 0.05
    assert metrics.incrementality_factor(30.0, 60.0) == 0.5
    assert metrics.break_even_iroas(0.4) == 2.5
    assert metrics.profit_roi(metrics.break_even_iroas(0.4) * 70.0, 70.0, 0.4) == pytest.approx(0.0)
