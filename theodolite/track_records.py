"""A study's track record: predictions of tests frozen before their read-out, and how right each method was."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from measurement.errors import DataError, did_you_mean, shown
from measurement.typing import Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from calibration import View
    from calibration.evidence import Evidence
    from calibration.track_record import Prediction, Scored
    from experiments import Experiment
    from measurement.errors import Problem
    from measurement.store import Store
    from theodolite.registry import Registry


class Predictable(Protocol):
    """What a track record needs of a study."""

    @property
    def store(self) -> "Store":
        """Its store."""

    @property
    def has_store(self) -> bool:
        """Whether anything was ever written."""

    @property
    def actor(self) -> str:
        """Who acts."""

    @property
    def registry(self) -> "Registry":
        """Its registered tests."""

    def experiments(self) -> "list[Experiment]":
        """Its tests."""

    def view(self) -> "View":
        """Its last unified view."""

    def evidence(self) -> "tuple[tuple[Evidence, ...], tuple[Problem, ...]]":
        """Its tests with a result, as the model takes them."""


@dataclass(frozen=True)
class TrackRecord:
    """The track record of a study."""

    study: Predictable

    def predict(self, test: "str | Experiment") -> "Prediction":
        """Freeze what every method says of a planned test, before its read-out.

        Args:
            test: Id of a test of the study, or the plan of one that is not in it yet.

        Raises:
            DataError: Where there is no such test, it has a result already, or it was predicted before.
            StoreError: Where there is no fit of today's data.
        """
        from calibration.track_record import freeze

        plan = self._planned(test) if isinstance(test, str) else test
        return freeze(self.study.store, plan, self.study.view(), self.study.actor)

    def predictions(self) -> "tuple[Prediction, ...]":
        """Every frozen prediction, oldest first."""
        from calibration.track_record import predictions

        return predictions(self.study.store) if self.study.has_store else ()

    def scored(self) -> "tuple[Scored, ...]":
        """The predictions of tests that have been read out, scored."""
        from calibration.quantity import Quantity
        from calibration.track_record import scored

        made = self.predictions()
        if not made:
            return ()
        read = {item.id: Quantity.of(item.iroas) for item in self.study.evidence()[0] if item.iroas is not None}
        return scored(made, read)

    def to_dict(self, found: "Sequence[Scored] | None" = None) -> Json:
        """As ``theodolite experiments track-record --json`` prints it."""
        from calibration.track_record import summary

        scores = self.scored() if found is None else found
        done = {score.experiment_id for score in scores}
        waiting = [p.experiment_id for p in self.predictions() if p.experiment_id not in done]
        return {"methods": summary(scores), "scores": [score.to_dict() for score in scores], "waiting": waiting}

    def _planned(self, experiment_id: str) -> "Experiment":
        known = {found.experiment_id: found.conducted for found in self.study.registry.list()}
        known |= {test.experiment_id: test for test in self.study.experiments()}
        if experiment_id not in known:
            name = shown(experiment_id)
            raise DataError(f"there is no test '{name}' in the study{did_you_mean(experiment_id, known)}")
        return known[experiment_id]
