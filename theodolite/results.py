"""Results in the store: big parts as artifacts by content hash, and one event that names them."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from measurement.errors import DataError, StoreError
from measurement.provenance import canonical_json, finite, sha256_of
from measurement.typing import Json

if TYPE_CHECKING:
    from attribution import Attribution, Audit
    from calibration import Conflict, View
    from calibration.calibrated_credit import CalibratedCredit
    from measurement.mmm import Posterior
    from measurement.store import Event, Store
    from measurement.validation.backtested import Backtest
    from measurement.validation.validate import Validation

FIT, ATTRIBUTION, VIEW, REPORT = "mmm.fitted", "attribution.run", "view.reconciled", "report.written"
AUDIT, BACKTEST, VALIDATION = "attribution.audited", "mmm.backtested", "mmm.validated"
CALIBRATED = "attribution.calibrated"


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fit as the study keeps it.

    Attributes:
        sibling: The fit without tests.
        calibrated: The fit with them; ``None`` where there are no tests.
        conflicts: The judgement on each test.
        evidence: Each test as the model took it, with its widening waterfall, as plain values.
    """

    sibling: "Posterior"
    calibrated: "Posterior | None"
    conflicts: "tuple[Conflict, ...]"
    evidence: tuple[Json, ...]

    @property
    def best(self) -> "Posterior":
        """The calibrated fit where there is one."""
        return self.calibrated or self.sibling

    @property
    def converged(self) -> bool:
        """Whether every fit has converged."""
        return all(fit.diagnostics.converged for fit in (self.sibling, self.calibrated) if fit is not None)


@contextmanager
def _of_this_version(what: str, command: str) -> Iterator[None]:
    """Say what to do about a result that another version has written in a form that cannot be read here."""
    try:
        yield
    except (DataError, ValueError, KeyError, TypeError) as error:
        words = f"the stored {what} was written by another version of Theodolite and cannot be read here"
        raise StoreError(f"{words}: run `{command}` again") from error


def save_fit(store: "Store", fitted: Fitted, actor: str) -> None:
    """Keep a fit: its artifacts first, then the event that makes it the current one."""
    artifacts = {"sibling": store.put(fitted.sibling.to_bytes())}
    if fitted.calibrated is not None:
        artifacts["calibrated"] = store.put(fitted.calibrated.to_bytes())
    payload: Json = {
        "artifacts": artifacts,
        "conflicts": [_plain(conflict) for conflict in fitted.conflicts],
        "evidence": list(fitted.evidence),
        "data": fitted.sibling.provenance.data,
        "converged": fitted.converged,
    }
    store.append(FIT, "mmm", payload, actor)


def load_fit(store: "Store") -> Fitted | None:
    """The last fit, or ``None``."""
    from measurement.mmm import Posterior

    payload = last(store, FIT)
    if payload is None:
        return None
    with _of_this_version("fit", "theodolite mmm fit"):
        kept = {name: Posterior.from_bytes(store.get(sha)) for name, sha in payload["artifacts"].items()}
        return Fitted(
            sibling=kept["sibling"],
            calibrated=kept.get("calibrated"),
            conflicts=_judgements(payload),
            evidence=tuple(payload["evidence"]),
        )


def judged(store: "Store") -> "tuple[Conflict, ...]":
    """The judgements of the last fit on its tests, as they were made; none without a fit."""
    payload = last(store, FIT)
    if payload is None:
        return ()
    with _of_this_version("fit", "theodolite mmm fit"):
        return _judgements(payload)


def _judgements(payload: Json) -> "tuple[Conflict, ...]":
    from calibration import Conflict

    return tuple(Conflict(**_restored(raw)) for raw in payload["conflicts"])


def save_backtest(store: "Store", made: "Backtest", actor: str) -> None:
    """Keep what a backtest found, under the data and the model that it is of."""
    spec = sha256_of(made.provenance.settings["spec"])
    payload = {"artifacts": {"backtest": store.put(_text(made.to_dict()))}, "data": made.provenance.data, "spec": spec}
    store.append(BACKTEST, "mmm", payload, actor)


def load_backtest(store: "Store", fit: "Posterior") -> Json | None:
    """What the last backtest of a fit's data and model found (`Backtest.to_dict`), or ``None``."""
    wanted = (fit.provenance.data, sha256_of(fit.spec.to_dict()))
    for event in reversed(store.events(kind=BACKTEST)):
        if (event.payload["data"], event.payload["spec"]) == wanted:
            return _json(store, event.payload["artifacts"]["backtest"])
    return None


def save_validation(store: "Store", made: "Validation", actor: str) -> None:
    """Keep what a validation found, under the fit that it is of."""
    artifacts = {"validation": store.put(_text(made.to_dict()))}
    payload = {"artifacts": artifacts, "fit": made.provenance.parents[0], "verdict": made.verdict}
    store.append(VALIDATION, "mmm", payload, actor)


def load_validation(store: "Store", fit: "Posterior") -> Json | None:
    """What the last validation of a fit found (`Validation.to_dict`), or ``None``."""
    for event in reversed(store.events(kind=VALIDATION)):
        if event.payload["fit"] == fit.provenance.sha256:
            return _json(store, event.payload["artifacts"]["validation"])
    return None


def _text(value: Json) -> bytes:
    return canonical_json(finite(value)).encode()


def _json(store: "Store", digest: str) -> Json:
    found: Json = json.loads(store.get(digest))
    return found


def _plain(conflict: "Conflict") -> Json:
    return {key: None if value != value else value for key, value in asdict(conflict).items()}  # NaN is not JSON


def _restored(raw: Json) -> Json:
    from calibration.quantity import Quantity

    lists = {key: tuple(value) for key, value in raw.items() if isinstance(value, list)}
    khat = math.nan if raw["khat"] is None else raw["khat"]
    return raw | lists | {"khat": khat, "expected": Quantity.from_dict(raw.get("expected"))}


def save_attribution(store: "Store", made: "Attribution", actor: str) -> None:
    """Keep an attribution."""
    payload = {"artifacts": {"attribution": store.put(made.to_bytes())}, "spec": made.spec_hash}
    store.append(ATTRIBUTION, "attribution", payload, actor)


def load_attribution(store: "Store") -> "Attribution | None":
    """The last attribution, or ``None``."""
    from attribution import Attribution

    payload = last(store, ATTRIBUTION)
    if payload is None:
        return None
    with _of_this_version("attribution", "theodolite attribution run"):
        return Attribution.from_bytes(store.get(payload["artifacts"]["attribution"]))


def save_calibrated(store: "Store", made: "CalibratedCredit", of: str, actor: str) -> None:
    """Keep calibrated credit; ``of`` is a hash of all that it was made of."""
    payload = {"artifacts": {"calibrated": store.put(made.to_bytes())}, "of": of}
    store.append(CALIBRATED, "attribution", payload, actor)


def load_calibrated(store: "Store", of: str) -> "CalibratedCredit | None":
    """The last calibrated credit; ``None`` where there is none, or where it was made of something else."""
    from calibration.calibrated_credit import CalibratedCredit

    payload = last(store, CALIBRATED)
    if payload is None or payload["of"] != of:
        return None
    return CalibratedCredit.from_bytes(store.get(payload["artifacts"]["calibrated"]))


def save_audit(store: "Store", made: "Audit", actor: str) -> None:
    """Keep an audit of the journeys."""
    text = canonical_json(made.to_dict()).encode()
    store.append(AUDIT, "attribution", {"artifacts": {"audit": store.put(text)}, "verdict": made.verdict}, actor)


def load_audit(store: "Store") -> "Audit | None":
    """The last audit, or ``None``."""
    from attribution import Audit

    payload = last(store, AUDIT)
    if payload is None:
        return None
    with _of_this_version("audit", "theodolite attribution audit"):
        return Audit.from_dict(json.loads(store.get(payload["artifacts"]["audit"])))


def save_view(store: "Store", view: "View", actor: str) -> None:
    """Keep a unified view."""
    text = canonical_json(view.to_dict(full=True)).encode()
    payload = {"artifacts": {"view": store.put(text)}, "derived_from": list(view.derived_from)}
    store.append(VIEW, "view", payload, actor)


def load_view(store: "Store") -> "View | None":
    """The last unified view, or ``None`` where there is none or a fit, attribution or decision is newer."""
    from calibration.resolution import RESOLVED

    newest = [event for event in store.events() if event.kind in (FIT, ATTRIBUTION, VIEW, RESOLVED)][-1:]
    if not newest or newest[0].kind != VIEW:
        return None
    return _view(store, newest[0])


def parents(event: "Event") -> frozenset[str]:
    """Ids of the tests that a fit or a view was made from; none for other events."""
    if event.kind == FIT:
        return frozenset(item["experiment_id"] for item in event.payload["evidence"])
    return frozenset(event.payload["derived_from"]) if event.kind == VIEW else frozenset()


def load_views(store: "Store", most: int) -> "list[tuple[str, View]]":
    """The last views with their times, oldest first."""
    events = store.events(kind=VIEW)[-most:]
    return [(event.at, found) for event in events if (found := _view(store, event)) is not None]


def _view(store: "Store", event: "Event") -> "View | None":
    """A kept view; ``None`` where an earlier version kept it, with less in it."""
    from calibration import View

    try:
        return View.from_dict(json.loads(store.get(event.payload["artifacts"]["view"])))
    except KeyError:
        return None


def last(store: "Store", kind: str) -> dict[str, Any] | None:
    """The payload of the newest event of a kind."""
    events = store.events(kind=kind)
    return dict(events[-1].payload) if events else None
