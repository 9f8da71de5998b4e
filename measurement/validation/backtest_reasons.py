"""What a backtest says for or against a model, for its verdict: forecasts no better than naive, intervals that fail."""

from measurement.typing import Json
from measurement.validation.scores import Coverage, Figure
from measurement.validation.verdict import Reason

TOPIC = "backtest"
NOT_YET = Reason(
    "note",
    TOPIC,
    "this model has not been backtested on these data, so how its forecasts do is not in this verdict",
    "run `theodolite mmm backtest` (a fit for each fold), then this again",
    0.0,
)


def backtest_reasons(told: Json) -> list[Reason]:
    """Reasons from a backtest of the same model and data.

    Args:
        told: `Backtest.to_dict`, as it was stored.
    """
    scores, period, horizon = told["scores"]["periods"], told["period"], told["horizon"]
    held = Coverage(**scores["model"]["coverage"][-1])
    over = f"in a backtest of {len(told['folds'])} folds, up to {horizon} {period}s ahead,"
    reasons = []
    if not held.right and held.held < held.level:
        words = f"{over} only {held.held:.0%} of the {period}s lay in their {held.level:.0%} interval"
        advice = (
            f"do not trust forecasts of {horizon} {period}s to be that sure; look for what changed from year to year"
        )
        reasons.append(Reason("care", TOPIC, words, advice, 100.0 * (held.level - held.held)))
    elif not held.right:
        words = f"{over} {held.held:.0%} of the {period}s lay in their {held.level:.0%} interval"
        advice = "forecasts are surer than they say: plans on them are too cautious"
        reasons.append(Reason("note", TOPIC, words, advice, 1.0))
    if told["reference"] is not None:
        naive = scores["naive"][told["reference"]]
        reasons += _skill(over, naive["words"], None if naive["skill"] is None else Figure(**naive["skill"]))
    if not told["converged"]:
        words, advice = f"{over} not every fit converged", "run it again with fewer folds and longer histories"
        reasons.append(Reason("note", TOPIC, words, advice, 1.0))
    return reasons


def _skill(over: str, naive: str, skill: Figure | None) -> list[Reason]:
    """Whether forecasts beat a naive one: sure that they do not speaks against the model, unsure is worth a note."""
    if skill is None or skill.low is None or skill.high is None or skill.low > 0:
        return []
    interval = f"{skill.value:+.0%} [{skill.low:+.0%}, {skill.high:+.0%}]"
    if skill.high < 0:
        words = f"{over} it predicted worse than {naive}: skill {interval}"
        advice = (
            "something that the past repeats is missing: see season, trend and holidays before you forecast with it"
        )
        return [Reason("care", TOPIC, words, advice, 20.0)]
    words = f"{over} it is not clear that it predicts better than {naive}: skill {interval}"
    return [Reason("note", TOPIC, words, "more history, or more folds, would tell", 1.0)]
