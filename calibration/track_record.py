"""Track record: what each method said of a test before its read-out, frozen, and how right it was.

A prediction is an event on the study's store (time, hash of the one before): nobody can have made it afterwards. It
holds each method's distribution of the channel's iROAS. Scored against the test's own iROAS, its error allowed for:
CRPS of the prediction with that error against the read-out, whether the 90 % interval held it, and whether the
method would have moved the money as the test did. Only a prediction frozen before the read-out's end counts as clean,
and only clean ones say anything about a method's bias.

Source of the score: Gneiting & Raftery (2007), Strictly proper scoring rules, JASA 102.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Self

import numpy as np

from calibration.quantity import Quantity
from calibration.verdict import face_value, money
from calibration.view import View
from experiments.records import Experiment
from measurement.errors import DataError, Problem, did_you_mean, shown
from measurement.store import Event, Store
from measurement.typing import Json

PREDICTED = "experiment.predicted"
Z90 = 1.6448536269514722
METHODS = ("unified", "mmm", "mmm_calibrated", "experiments", "attribution")


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the methods said of a test's channel before its read-out.

    Attributes:
        experiment_id: The test.
        channel: Its channel.
        said: iROAS by method, as far as each spoke.
        break_even: iROAS at which the margin just pays.
        read_out_end: Last day of the read-out that was planned then.
        at: When it was frozen, UTC, ISO 8601.
        hash: Hash of the event.
    """

    experiment_id: str
    channel: str
    said: Mapping[str, Quantity]
    break_even: float
    read_out_end: date
    at: str = ""
    hash: str = ""

    @property
    def clean(self) -> bool:
        """Whether it was frozen before the read-out ended."""
        return datetime.fromisoformat(self.at).date() <= self.read_out_end

    @classmethod
    def of(cls, event: Event) -> Self:
        """Read an event."""
        raw = event.payload
        said = {name: Quantity(**found) for name, found in raw["said"].items()}
        end = date.fromisoformat(raw["read_out_end"])
        return cls(event.subject, raw["channel"], said, raw["break_even"], end, event.at, event.hash)


@dataclass(frozen=True, slots=True)
class Scored:
    """One method on one test.

    Attributes:
        experiment_id: The test.
        channel: Its channel.
        method: The method.
        predicted: iROAS that it said.
        measured: iROAS that the test measured.
        crps: Continuous ranked probability score, iROAS: 0 is perfect.
        inside: Whether the 90 % interval, the test's error allowed for, held the read-out.
        same_action: Whether the method alone would have moved the money as the test alone did.
        log_error: Log of predicted over measured, where the test measured more than nothing.
        clean: Whether it was frozen before the read-out ended.
    """

    experiment_id: str
    channel: str
    method: str
    predicted: Quantity
    measured: Quantity
    crps: float
    inside: bool
    same_action: bool
    log_error: float | None
    clean: bool

    def to_dict(self) -> Json:
        """As plain JSON values."""
        plain: dict[str, Any] = {name: getattr(self, name) for name in Scored.__dataclass_fields__}
        return plain | {"predicted": self.predicted.to_dict(), "measured": self.measured.to_dict()}


def freeze(store: Store, test: Experiment, view: View, actor: str) -> Prediction:
    """Freeze what every method says of a test's channel, before its read-out is known.

    Args:
        store: The study's store.
        test: The plan of the test, with or without a place in the registry.
        view: The unified view of today.
        actor: Who freezes it.

    Raises:
        DataError: Where the test has a result already, is of several channels, was predicted before, or the view has
            nothing to say of its channel.
    """
    name, found = shown(test.experiment_id), []
    if test.has_result:
        found.append(Problem(f"test '{name}' has a result already: a prediction of it would be none"))
    if len(test.channel) != 1:
        found.append(Problem(f"test '{name}' is of {len(test.channel)} channels: predictions are of one"))
    channels = [entry.channel for entry in view.channels]
    channel = test.channel[0]
    if channel not in channels:
        found.append(Problem(f"no channel is called '{shown(channel)}'{did_you_mean(channel, channels)}"))
    if any(earlier.experiment_id == test.experiment_id for earlier in predictions(store)):
        found.append(Problem(f"test '{name}' was predicted already, and a prediction is frozen"))
    if found:
        raise DataError(found)
    said: dict[str, Quantity] = {}
    for source, model, quantity in view[channel].sources():
        if source in METHODS and model in ("", view.primary):
            said[source] = quantity
    if not said:
        raise DataError([Problem(f"nothing is said of '{shown(channel)}' yet: fit and reconcile first")])
    payload = {
        "channel": channel,
        "said": {source: quantity.to_dict() for source, quantity in said.items()},
        "break_even": view.break_even,
        "read_out_end": test.read_out_end.isoformat(),
        "derived_from": list(view.derived_from),
    }
    return Prediction.of(store.append(PREDICTED, test.experiment_id, payload, actor))


def predictions(store: Store) -> tuple[Prediction, ...]:
    """Every frozen prediction, oldest first."""
    return tuple(Prediction.of(event) for event in store.events(kind=PREDICTED))


def scored(made: Sequence[Prediction], measured: Mapping[str, Quantity]) -> tuple[Scored, ...]:
    """Score predictions of the tests whose iROAS is known by now.

    Args:
        made: The predictions.
        measured: Per test id, its own iROAS with its 90 % interval.
    """
    found = []
    for prediction in made:
        if prediction.experiment_id not in measured:
            continue
        test = measured[prediction.experiment_id]
        se = (test.high - test.low) / (2 * Z90)
        done = money(face_value(test, prediction.break_even))
        for method, said in prediction.said.items():
            sd = math.hypot((said.high - said.low) / (2 * Z90), se)
            z = (test.median - said.median) / sd
            found.append(
                Scored(
                    experiment_id=prediction.experiment_id,
                    channel=prediction.channel,
                    method=method,
                    predicted=said,
                    measured=test,
                    crps=crps(z) * sd,
                    inside=abs(z) <= Z90,
                    same_action=money(face_value(said, prediction.break_even)) == done,
                    log_error=math.log(said.median / test.median) if min(said.median, test.median) > 0 else None,
                    clean=prediction.clean,
                )
            )
    return tuple(found)


def crps(z: float) -> float:
    """CRPS of the standard Normal at ``z``."""
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return z * math.erf(z / math.sqrt(2)) + 2 * density - 1 / math.sqrt(math.pi)


def summary(found: Sequence[Scored]) -> list[Json]:
    """How each method did on clean predictions: mean CRPS, shares inside and of the same action, median log error."""
    rows: list[Json] = []
    for method in METHODS:
        own = [score for score in found if score.method == method and score.clean]
        if own:
            errors = [score.log_error for score in own if score.log_error is not None]
            rows.append(
                {
                    "method": method,
                    "tests": len(own),
                    "crps": float(np.mean([score.crps for score in own])),
                    "inside": float(np.mean([score.inside for score in own])),
                    "same_action": float(np.mean([score.same_action for score in own])),
                    "median_log_error": float(np.median(errors)) if errors else None,
                }
            )
    return rows
