"""What a backtest says for a verdict: only what is sure speaks against a model."""

from typing import Any

import pytest

from measurement.validation.backtest_reasons import backtest_reasons


def told(held: float = 0.9, skill: tuple[float, float | None, float | None] | None = (0.4, 0.2, 0.6)) -> dict[str, Any]:
    """A backtest of six folds of 13 weeks, worth 40 independent ones."""
    coverage = {"level": 0.9, "held": held, "low": 0.0, "high": 1.0, "trials": 78, "independent": 40.0}
    figure = None if skill is None else dict(zip(("value", "low", "high"), skill, strict=True))
    naive = {"words": "the same week a year ago", "skill": figure}
    return {
        "period": "week",
        "horizon": 13,
        "folds": [{}] * 6,
        "converged": True,
        "reference": "year_ago",
        "scores": {"periods": {"model": {"coverage": [coverage]}, "naive": {"year_ago": naive}}},
    }


@pytest.mark.parametrize(
    ("found", "level", "words"),
    [
        (told(0.6), "care", "only 60% of the weeks lay in their 90% interval"),
        (told(1.0), "note", "100% of the weeks lay"),
        (told(skill=(-0.3, -0.5, -0.1)), "care", "predicted worse than the same week a year ago: skill -30%"),
        (told(skill=(0.1, -0.2, 0.3)), "note", "not clear that it predicts better"),
        (told() | {"converged": False}, "note", "not every fit converged"),
    ],
)
def test_what_is_wrong_is_said_with_its_weight(found: dict[str, Any], level: str, words: str) -> None:
    (reason,) = backtest_reasons(found)
    assert reason.level == level
    assert words in reason.words


@pytest.mark.parametrize(
    "found",
    [
        told(),
        told(0.84),
        told(skill=None),
        told(skill=(-0.3, None, None)),
        told() | {"reference": None},
    ],
)
def test_what_may_be_chance_is_no_reason(found: dict[str, Any]) -> None:
    assert backtest_reasons(found) == []
