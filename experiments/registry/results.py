"""Results of registered tests: each analysis is kept as a new version, whole, and none replaces another."""

import math
from collections.abc import Mapping
from typing import Any

from experiments.registry.details import Analysis, Line
from experiments.registry.ledger import Registered, Version, fold
from experiments.registry.states import LIFECYCLE
from experiments.registry.verbs import Asked, load, record
from experiments.result import Result
from measurement.errors import DataError, shown
from measurement.provenance import canonical_json
from measurement.store import Store


def ready(test: Registered) -> None:
    """Refuse to read out a test that may not be analysed yet: whoever looks early will stop when it looks good.

    Raises:
        DataError: Where the test is not completed.
    """
    LIFECYCLE.after("analyse", test.state, test.experiment_id)


def keep(
    store: Store, result: Result, actor: str, *, estimator: str = "default", seed: int = 0, reason: str = ""
) -> Version:
    """Keep a result as the newest version; the same result again is the version that is there.

    Args:
        store: The workspace's store.
        result: What the analysis of the registered test said.
        actor: Who analysed it.
        estimator: The estimator that was asked for, by name.
        seed: The seed that was asked for.
        reason: Why it was analysed, or analysed again.

    Raises:
        DataError: When there is no such test, or it may not be analysed now.
        StoreError: When the store is damaged or cannot be written.
    """
    name = result.experiment.experiment_id
    test = load(store)[name]
    ready(test)
    artifact = store.put(canonical_json(_finite(result.to_dict())).encode())
    same = [v for v in test.versions if v.analysis is not None and v.analysis.artifact == artifact]
    if same:
        return same[-1]
    made = Analysis(
        record=result.to_record(),
        estimator=estimator,
        alpha=result.alpha,
        kpi=result.kpi,
        grade=result.grade,
        checks=tuple(Line(check=c.name, passed=bool(c.passed), text=c.text, hard=c.hard) for c in result.checks),
        p_value=float(result.p_value) if math.isfinite(result.p_value) else None,
        data=result.provenance.data,
        seed=seed,
        versions=dict(result.provenance.versions),
        artifact=artifact,
        reason=reason,
    )
    event = record(store, Asked("analyse", name, actor, made))
    found = fold(e for e in store.events(subject=name) if e.sequence <= event.sequence)[name]
    return found.versions[-1]


def whole(store: Store, version: Version) -> Mapping[str, Any]:
    """All of a version's result, as `Result.to_dict` wrote it.

    Raises:
        DataError: Where it was measured elsewhere, so that only its record is known.
        StoreError: Where it is damaged.
    """
    import json

    if version.analysis is None:
        raise DataError(
            f"test '{shown(version.record.experiment_id)}' was measured elsewhere: its record is all there is"
        )
    found: Mapping[str, Any] = json.loads(store.get(version.analysis.artifact))
    return found


def _finite(value: Any) -> Any:
    """JSON knows no infinity: a number that is not finite becomes null."""
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
