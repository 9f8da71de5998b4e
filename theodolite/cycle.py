"""The monthly run: check, fit, attribute, reconcile, hold what came against the plan, report; one event records it.

Each step keeps what it made, so a run that is interrupted loses at most the step it was in. A step whose input has not
changed since it was last done is left out.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measurement.errors import DataError, StoreError, refuse
from measurement.reading.files import find
from measurement.typing import Json
from theodolite import changes, monitoring, results
from theodolite.changes import Changes
from theodolite.monitoring import Monitored

if TYPE_CHECKING:
    from theodolite.results import Fitted
    from theodolite.study import Study

RAN = "cycle.ran"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run.

    Attributes:
        name: What was done.
        words: What came of it.
        seconds: How long it took; 0 where it was left out.
    """

    name: str
    words: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Cycle:
    """A monthly run.

    Attributes:
        steps: What was done, in order.
        changes: The unified view beside the one before; ``None`` in the first run.
        state: Plans of record and what waits for someone, after the run.
        report: The report.
    """

    steps: tuple[Step, ...]
    changes: Changes | None
    state: Monitored
    report: Path

    @property
    def ok(self) -> bool:
        """Whether no gate failed: all converged, no plan alerts, nothing pressing waits."""
        return self.state.ok

    def to_dict(self) -> Json:
        """As ``theodolite cycle --json`` prints it."""
        return {
            "steps": [{"name": step.name, "words": step.words, "seconds": step.seconds} for step in self.steps],
            "changes": [] if self.changes is None else list(map(_change, self.changes.channels)),
            "state": self.state.to_dict(),
            "report": str(self.report),
            "ok": self.ok,
        }


def run(
    study: "Study",
    *,
    seed: int = 0,
    refit: bool = False,
    out: Path | None = None,
    progress: Callable[[Any], None] | None = None,
    say: Say = print,
) -> Cycle:
    """Do the month's work on a study.

    Args:
        study: The study.
        seed: Seed of everything random.
        refit: Fit again even where nothing has changed since the last fit.
        out: Where the report goes; ``report.html`` in the workspace otherwise.
        progress: Told how far the fits are.
        say: Told what was done, step by step.

    Raises:
        DataError: Where the data have errors. Then nothing was written.
        StoreError: Where the store cannot be written.
    """
    steps: list[Step] = []

    def done(name: str, words: str, began: float) -> None:
        steps.append(Step(name, words, round(time.perf_counter() - began, 3)))
        say(f"{name}: {words}")

    began = time.perf_counter()
    found = study.check()
    refuse([problem for problem in found if problem.level == "error"])
    done("check", f"{_counted(len(found), 'remark')}, no errors", began)
    files = dict(_fingerprints(study))
    earlier = [view for _, view in results.load_views(study.store, 1)] if study.has_store else []

    began = time.perf_counter()
    fitted, words = _fit(study, seed, refit, progress)
    done("fit", words, began)
    began = time.perf_counter()
    done("attribute", _attribute(study, seed, files), began)
    began = time.perf_counter()
    current = results.load_view(study.store)
    view = current or study.reconcile(seed=seed)
    withheld = sum(channel.iroas is None for channel in view.channels)
    kept = "nothing has changed since the last view" if current else f"{len(view.channels)} channels"
    done("reconcile", kept + (f", {withheld} withheld" if withheld else ""), began)
    moved = changes.between(earlier[0], view) if earlier and current is None else None

    began = time.perf_counter()
    state = monitoring.look(study)
    alerts = sum(plan.alert for plan in state.plans)
    plans, waiting = _counted(len(state.plans), "plan"), _counted(len(state.review), "item")
    done("monitor", f"{plans} of record, {_counted(alerts, 'alert')}; {waiting} to review", began)
    study.store.append(RAN, "cycle", _told(study, steps, state, fitted) | {"files": files}, study.actor)
    began = time.perf_counter()
    report = study.report(out)
    done("report", str(report), began)
    return Cycle(tuple(steps), moved, state, report)


def _fit(study: "Study", seed: int, refit: bool, progress: Callable[[Any], None] | None) -> "tuple[Fitted, str]":
    """The fit of today's data: the last one where nothing has changed, else a new one, warm where that can be."""
    if not refit:
        try:
            last = study.fitted()
        except StoreError:
            pass
        else:
            tests = tuple(item.to_dict() for item in study.evidence()[0])
            if last.sibling.spec == study.spec and last.evidence == tests:
                return last, "nothing has changed since the last fit"
    try:
        fitted, how = study.fit(seed=seed, warm=True, progress=progress), "warm, from the last fit"
    except StoreError:
        fitted, how = study.fit(seed=seed, progress=progress), "from the start"
    except DataError:
        fitted, how = study.fit(seed=seed, progress=progress), "from the start, as the last fit is of another model"
    state = "converged" if fitted.converged else "did NOT converge"
    return fitted, f"{how}, {_counted(len(fitted.evidence), 'test')} inside, {state}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _attribute(study: "Study", seed: int, files: dict[str, str]) -> str:
    data = study.config.data
    if data.touchpoints is None:
        return "left out: theodolite.toml names no journeys"
    last = results.last(study.store, RAN)
    named = [
        each.name
        for pattern in (data.touchpoints, data.identities, data.path_spec)
        if pattern
        for each in find(study.folder / pattern, tables=True)
    ]
    if last and all(files[name] == last["files"].get(name) for name in named) and _attributed(study):
        return "nothing has changed since the last run"
    made = study.attribute(seed=seed)
    return f"{made.conversions:,.0f} conversions, {len(made.credits)} models"


def _attributed(study: "Study") -> bool:
    """Whether there is an attribution that can be read."""
    try:
        return study.attribution() is not None
    except StoreError:  # of another version
        return False


def _told(study: "Study", steps: list[Step], state: Monitored, fitted: "Fitted") -> Json:
    """What the run's event says: the data's fingerprints, the steps, the state."""
    return {
        "panel": study.panel.sha256,
        "fit": fitted.best.provenance.sha256,
        "steps": [[step.name, step.words] for step in steps],
        "ok": state.ok,
        "alerts": [plan.plan.name for plan in state.plans if plan.alert],
        "review": [f"{item.subject} {item.words}".strip() for item in state.review],
    }


def _fingerprints(study: "Study") -> Iterator[tuple[str, str]]:
    """Each data file with the SHA-256 of its bytes."""
    for name in study.config.data.model_dump(exclude_none=True).values():
        for found in find(study.folder / name, tables=True):
            with found.path.open("rb") as file:
                yield found.name, hashlib.file_digest(file, "sha256").hexdigest()


def _change(change: changes.Change) -> Json:
    return {
        "channel": change.channel,
        "before": None if change.before is None else change.before.to_dict(),
        "now": None if change.now is None else change.now.to_dict(),
        "action_before": change.action_before,
        "action_now": change.action_now,
        "outside": change.outside,
    }
