"""A study's numbers as a run in MLflow: settings, hashes, metrics, verdict and report, where the user says.

Nothing is logged unless a tracking address is given, and nothing goes anywhere else: MLflow's own usage reports are
switched off before it is loaded. One run per call; a run is never changed afterwards.
"""

import json
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from measurement.errors import DataError, StoreError, shown
from measurement.provenance import finite
from measurement.typing import Json
from theodolite import fits

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from theodolite.cycle import Cycle
    from theodolite.study import Study

SCHEMES = ("sqlite", "postgresql", "mysql", "mssql", "http", "https", "databricks")
LONGEST = 200
"""Characters of a key, of MLflow's 250: a prefix and a channel's name."""


@dataclass(frozen=True, slots=True)
class Logged:
    """Where a run was written.

    Attributes:
        uri: The tracking address.
        experiment: The experiment's name in MLflow: that of the study.
        run: The run's id.
    """

    uri: str
    experiment: str
    run: str


def refuse(uri: str | None) -> None:
    """Refuse an address that nothing can be logged to, before anything is worked out.

    Raises:
        DataError: Where it has no scheme that MLflow writes to, or MLflow is not installed.
    """
    if uri is None:
        return
    scheme = uri.partition(":")[0].partition("+")[0].lower()
    if ":" not in uri or scheme not in SCHEMES:
        raise DataError(
            f"'{shown(_public(uri))}' is no address that MLflow writes to: give a database (sqlite:///runs.db) or a "
            f"server (http://localhost:5000); schemes: {', '.join(SCHEMES)}"
        )
    _client(uri)


def log(study: "Study", uri: str, *, cycle: "Cycle | None" = None) -> Logged:
    """Write the study's last fit, and what is known of it, as one run.

    Args:
        study: The study.
        uri: MLflow's tracking address: ``sqlite:///runs.db``, ``http://localhost:5000``.
        cycle: The monthly run that made it, whose state and report are logged as well.

    Returns:
        Where it was written.

    Raises:
        StoreError: Where there is no fit of today's data, or the address cannot be written.
        DataError: Where the address is none.
    """
    refuse(uri)
    fitted, view = study.fitted(), study.last_view()
    summary, judged = fits.summary(fitted, study.panel), study.validation()
    state = None if cycle is None else cycle.to_dict()
    files = {"fit.json": summary, "view.json": None if view is None else view.to_dict(), "validation.json": judged}
    files |= {"cycle.json": state, "specification.json": fitted.best.spec.to_dict()}
    tags = {
        "theodolite.data": study.panel.sha256,
        "theodolite.fit": fitted.best.provenance.sha256,
        "theodolite.store_head": study.head or "",
        "theodolite.actor": study.actor,
        "theodolite.verdict": judged["verdict"] if judged else "not judged",
        "theodolite.ok": "" if state is None else str(state["ok"]).lower(),
    }
    settings = {"likelihood": summary["likelihood"]["name"], "seed": summary["seed"], "kpi": study.panel.kpi}
    settings |= {f"version.{name}": version for name, version in summary["versions"].items()}
    settings |= {"last_period": str(study.panel.dates[-1])[:10], "tests": len(fitted.evidence)}
    report = study.folder / "report.html" if cycle is None else cycle.report
    made = _Run(tags, settings, dict(_metrics(summary, view.to_dict() if view else None, state)), files, report)
    return _write(uri, study.config.study.name, settings["last_period"], made)


@dataclass(frozen=True, slots=True)
class _Run:
    """What a run holds."""

    tags: Mapping[str, str]
    settings: Mapping[str, Any]
    metrics: Mapping[str, float]
    files: Mapping[str, Json | None]
    report: Path


def _write(uri: str, experiment: str, name: str, made: _Run) -> Logged:
    client = _client(uri)
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    now = int(time.time() * 1000)
    try:
        found = client.get_experiment_by_name(experiment)
        at = found.experiment_id if found else client.create_experiment(experiment, _artifacts(uri))
        run = client.create_run(at, run_name=f"{experiment} {name}").info.run_id
        client.log_batch(
            run,
            metrics=[Metric(key, value, now, 0) for key, value in made.metrics.items()],
            params=[Param(key, str(value)) for key, value in made.settings.items()],
            tags=[RunTag(key, value) for key, value in made.tags.items() if value],
        )
        for file, content in made.files.items():
            if content is not None:
                client.log_text(run, json.dumps(finite(content), indent=1, ensure_ascii=False), file)
        if made.report.is_file():
            client.log_artifact(run, str(made.report))
        client.set_terminated(run)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        words = f"MLflow at {_public(uri)} took no run: {_first_line(error)}"
        raise StoreError(f"{words}. What the study made is kept") from error
    return Logged(_public(uri), experiment, run)


def _client(uri: str) -> "MlflowClient":
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError:
        raise DataError("this needs the extra: pip install 'theodolite[mlflow]'") from None
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    try:
        return MlflowClient(tracking_uri=uri)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise DataError(f"MLflow cannot write to {_public(uri)}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return shown((str(error).strip().splitlines() or [type(error).__name__])[0], 300)


def _artifacts(uri: str) -> str | None:
    """Beside a SQLite file, where nothing else says; a server knows its own place."""
    if not uri.startswith("sqlite:///"):
        return None
    return (Path(uri.removeprefix("sqlite:///")).resolve().parent / "mlflow-artifacts").as_uri()


def _public(uri: str) -> str:
    """The address without user and password."""
    parts = urlsplit(uri)
    return uri if parts.password is None else uri.replace(f"{parts.username}:{parts.password}@", "***@")


def _metrics(summary: Json, view: Json | None, state: Json | None) -> Iterator[tuple[str, float]]:
    """Numbers by key; the key of a channel's number holds its name, without the characters that MLflow forbids."""
    for name in ("r_hat", "ess_bulk", "divergences", "draws", "seconds", "converged", "calibrated"):
        yield f"fit.{name}", float(summary[name])
    yield "fit.conflicts", float(sum(item["verdict"] != "agrees" for item in summary["conflicts"]))
    for quantity in ("iroas", "iroas_uncalibrated", "mroas"):
        yield from _by_channel("fit", quantity, summary["channels"])
    if view is not None:
        yield "view.withheld", float(sum(channel["iroas"] is None for channel in view["channels"]))
        for quantity in ("iroas", "mroas"):
            yield from _by_channel("view", quantity, view["channels"])
    if state is not None:
        yield "cycle.alerts", float(sum(plan["alert"] for plan in state["state"]["plans"]))
        yield "cycle.review", float(len(state["state"]["review"]))
        yield "cycle.seconds", float(sum(step["seconds"] for step in state["steps"]))


def _by_channel(prefix: str, quantity: str, channels: list[Json]) -> Iterator[tuple[str, float]]:
    seen: dict[str, int] = {}
    for channel in channels:
        plain = re.sub(r"[^\w .-]", "_", channel["channel"])[:LONGEST]
        seen[plain] = seen.get(plain, 0) + 1
        name = plain if seen[plain] == 1 else f"{plain} {seen[plain]}"
        found = channel[quantity]
        for end in ("median", "low", "high") if found is not None else ():
            yield f"{prefix}.{quantity}_{end}.{name}", float(found[end])
