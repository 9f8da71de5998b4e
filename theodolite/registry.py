"""The registry of a study: the verbs of a test's life, by the names of the commands."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from experiments.records import GRADES, Experiment, Grade, place
from experiments.registry import details, plan, results, rows, verbs
from experiments.registry.assessment import Assessment
from experiments.registry.blackouts import Blackout, blacked_out
from experiments.registry.clashes import conflicts
from experiments.registry.details import Actuals
from experiments.registry.drawer import Drawer, file_drawer
from experiments.registry.ledger import Ledger, Registered, Version, after, fold, of_file
from experiments.registry.plan import Plan, Protocol
from experiments.registry.states import KINDS, LIFECYCLE, STATES, Action
from measurement.errors import DataError, Problem, did_you_mean, refuse, shown
from measurement.store import Event, Store, utc_now
from measurement.typing import Json
from theodolite.days import iso
from theodolite.results import parents

if TYPE_CHECKING:
    from experiments import Result
    from measurement import Panel
    from measurement.charts import Layers

CHART_WIDTH = 820


@dataclass(frozen=True)
class Registry:
    """The tests of a study, from the first draft to the evidence. Get it as `Study.registry`.

    Attributes:
        written: Whether the study has a store yet.
        store: Gives the study's store, made where there is none yet.
        panel: Gives the study's data, to place tests on.
        aliases: Other names of its channels.
        file: The tests of the file that theodolite.toml names, which were measured elsewhere.
        actor: Who acts; every verb may name someone else as ``by``.
        blackouts: Days on which no test may run.
        seen: Every event of the store, where they were read already: what is told is told from these.
    """

    written: Callable[[], bool]
    store: Callable[[], Store]
    panel: "Callable[[], Panel]"
    aliases: Mapping[str, str]
    file: Callable[[], Sequence[Experiment]]
    actor: str = "local"
    blackouts: tuple[Blackout, ...] = ()
    seen: tuple[Event, ...] | None = None

    # -- what there is ------------------------------------------------------------------------------------------------

    @property
    def ledger(self) -> Ledger:
        """Every test: those of the study's file, which were measured elsewhere, and the registered ones.

        Raises:
            DataError: Where the file gives a registered test another content.
        """
        found = {test.experiment_id: of_file(test) for test in self.file()}
        known = fold(self._events()).tests
        other = [name for name, test in known.items() if name in found and found[name].experiment != test.experiment]
        refuse(
            [
                Problem(f"test '{shown(name)}' is registered with other content than the study's file of tests gives")
                for name in other
            ]
        )
        return Ledger({**found, **known})

    def list(self, *, state: str | None = None, channel: str | None = None) -> tuple[Registered, ...]:
        """The registered tests, oldest first.

        Args:
            state: Only those in this state.
            channel: Only those of this channel.

        Raises:
            DataError: Where there is no such state or channel.
        """
        found = tuple(self.ledger.tests.values())
        if state is not None and state.replace(" ", "_") not in STATES:
            near = did_you_mean(state, STATES)
            raise DataError(f"'{shown(state)}' is no state of a test{near}; there are {', '.join(STATES)}")
        channels = {name for test in found for name in test.experiment.channel}
        wanted = None if channel is None else self.aliases.get(channel, channel)
        if wanted is not None and wanted not in channels:
            near = did_you_mean(wanted, channels)
            raise DataError(f"no test is registered for the channel '{shown(wanted)}'{near}")
        return tuple(
            test
            for test in found
            if state in (None, test.state, test.state.replace("_", " "))
            if wanted is None or wanted in test.experiment.channel
        )

    def get(self, experiment_id: str) -> Registered:
        """One test."""
        return self.ledger[experiment_id]

    def grade(self, experiment_id: str) -> Assessment | None:
        """The grade of the result that counts, or of the last one, with its reasons; ``None`` without a result."""
        ledger = self.ledger
        return rows.graded(ledger, ledger[experiment_id])

    def show(self, experiment_id: str) -> Json:
        """Everything about one test: plan, results, grade with its reasons, conflicts, where it was used, history."""
        ledger = self.ledger
        test = ledger[experiment_id]
        return rows.everything(ledger, test, self.today, self._used_in(test), self.blackouts)

    def record(self, experiment_id: str) -> Experiment:
        """A test as it counts as evidence; as it was conducted where it does not.

        Raises:
            DataError: Where there is no such test.
        """
        tests = {test.experiment_id: test.conducted for test in self.list()}
        tests |= {test.experiment_id: test for test in self.evidence()}
        if experiment_id not in tests:
            raise DataError(
                f"there is no test '{shown(experiment_id)}' in the study{did_you_mean(experiment_id, tests)}"
            )
        return tests[experiment_id]

    def describe(self, experiment_id: str) -> Json:
        """The same beside the record, and how its standard error is widened on the way into the model, or why not.

        Raises:
            DataError: Where there is no such test.
        """
        from calibration import evidence

        test = self.record(experiment_id)
        waterfall: list[Json] = []
        left_out = "" if test.has_result else "it has no result yet"
        if test.has_result:
            try:
                waterfall = evidence.to_evidence(test, self.panel(), self.aliases).to_dict()["waterfall"]
            except DataError as error:
                left_out = error.problems[0].message
        told = {"waterfall": waterfall, "left_out": left_out}
        return {"record": test.to_dict(), **told, "registry": self.show(test.experiment_id)}

    def rows(self, tests: Sequence[Registered] | None = None) -> tuple[Json, ...]:
        """One flat row per test."""
        ledger = self.ledger
        wanted = ledger.tests.values() if tests is None else tests
        return tuple(rows.row(ledger, test, self.today) for test in wanted)

    def records(self, tests: Sequence[Registered]) -> tuple[Json, ...]:
        """The same rows, each beside all fields of its record."""
        kept = [(test.counting.record if test.counting else test.conducted).to_dict() for test in tests]
        return tuple(record | row for record, row in zip(kept, self.rows(tests), strict=True))

    def evidence(self) -> tuple[Experiment, ...]:
        """The accepted results, each with the grade that counts."""
        return tuple(rows.evidence(self.ledger))

    def conflicts(self, experiment_id: str) -> tuple[Problem, ...]:
        """The tests beside which this one must not run, and the blackouts that it would run into."""
        ledger = self.ledger
        test = ledger[experiment_id]
        return (*conflicts(test, ledger.others(experiment_id)), *blacked_out(test, self.blackouts))

    def file_drawer(self) -> tuple[Drawer, ...]:
        """Per channel, what became of every test that was registered."""
        return file_drawer(self.ledger.tests.values(), self.today)

    def calendar(self, tests: Sequence[Registered] | None = None) -> "Layers":
        """All tests over time, by channel, coloured by state; an Altair chart."""
        from experiments.charts import calendar

        return calendar(self.rows(tests), self.today, self.blackouts).properties(width=CHART_WIDTH)

    def export(self, file: Path | str, *, force: bool = False) -> Path:
        """Write the registry: one row per test (csv, parquet), or everything with its history (json).

        Raises:
            DataError: Where the file has another ending, is there already, or cannot be written.
        """
        from theodolite import registry_files

        target = Path(file)
        registry_files.refuse_export(target, force=force)
        tests = self.ledger.tests
        everything: Json = {
            "head": self.store().head().hash if self.written() else None,
            "file_drawer": [drawer.to_dict() for drawer in self.file_drawer()],
            "experiments": [self.show(name) for name in tests] if target.suffix.lower() == ".json" else [],
        }
        return registry_files.export(target, self.rows(), everything, force=force)

    @property
    def today(self) -> date:
        """The day now, UTC, by the store's clock."""
        return (self.store().clock if self.written() else utc_now)().date()

    # -- verbs --------------------------------------------------------------------------------------------------------

    def register(
        self, source: "Path | str | Plan | Mapping[str, Any]", *, by: str | None = None, reason: str = ""
    ) -> tuple[Registered, ...]:
        """Register plans as drafts, from a file, one plan or its fields: all of them, or none.

        Raises:
            DataError: Where a plan is wrong, cannot be placed on the data, or its id has other content already.
        """
        return self.register_all(self._plans(source), by=by, reason=reason)

    def register_all(self, found: Sequence[Plan], *, by: str | None = None, reason: str = "") -> tuple[Registered, ...]:
        """Register several plans: all of them, or none; as `register`."""
        self._placed(found)
        known = {test.experiment_id for test in self.file()}
        refuse(
            [
                Problem(f"test '{shown(p.experiment.experiment_id)}' stands in the study's own file of results already")
                for p in found
                if p.experiment.experiment_id in known
            ]
        )
        verbs.add(self.store(), found, by or self.actor, details.reason_of(reason))
        ledger = self.ledger
        return tuple(ledger[each.experiment.experiment_id] for each in found)

    def check(self, values: Mapping[str, Any], *, revise: bool = False) -> tuple[Plan, tuple[Problem, ...]]:
        """A plan from its fields as it would be registered (or revised), and the tests that it must not run beside.

        Writes nothing.

        Raises:
            DataError: As `register`; and where its id is taken, or its plan cannot be changed any more.
        """
        (made,) = self._plans(values)
        name, ledger = made.experiment.experiment_id, self.ledger
        if revise:
            LIFECYCLE.after("revise", ledger[name].state, name)
        elif name in ledger.tests:
            words = (
                f"'{shown(name)}' is registered already ({ledger[name].state.replace('_', ' ')}); one name, one test"
            )
            raise DataError([Problem(words, column="experiment_id", code="duplicate-id")])
        return made, tuple(conflicts(of_file(made.experiment), ledger.others(name)))

    def register_or_revise(
        self,
        source: Path | str | None,
        fields: Mapping[str, Any],
        *,
        revise: bool = False,
        by: str | None = None,
        reason: str = "",
    ) -> tuple[Registered, ...]:
        """Register or revise the plans of a file with further fields, or one plan from fields alone.

        Raises:
            DataError: As `register`; and where fields are given for a file of several plans that name one of them.
        """
        values = [dict(fields)] if source is None else [plan.fields(each) | dict(fields) for each in plan.read(source)]
        if len(values) > 1 and "experiment_id" in fields:
            raise DataError(f"--id: the file holds {len(values)} tests, and an id names one of them")
        changed = plan.parse(values)
        if revise:
            return tuple(self.revise(each, by=by, reason=reason) for each in changed)
        return self.register_all(changed, by=by, reason=reason)

    def revise(
        self, source: "Path | str | Plan | Mapping[str, Any]", *, by: str | None = None, reason: str = ""
    ) -> Registered:
        """Write a plan anew that is not approved yet; it becomes a draft again."""
        (changed,) = self._plans(source)
        name = changed.experiment.experiment_id
        return self._record("revise", name, details.Registration(plan=changed, reason=details.reason_of(reason)), by)

    def submit(self, experiment_id: str, *, by: str | None = None, reason: str = "") -> Registered:
        """Hand a draft in for review."""
        return self._record("submit", experiment_id, _detail(reason), by)

    def approve(
        self, experiment_id: str, *, by: str | None = None, reason: str = "", self_approve: bool = False
    ) -> Registered:
        """Approve a plan: from here on it is frozen under its hash. Someone else than its author does it.

        Args:
            experiment_id: The test.
            by: Who approves it.
            reason: Why.
            self_approve: Whether its author may, which the record then says.
        """
        return self._record(
            "approve", experiment_id, verbs.approval(self_approved=self_approve, reason=details.reason_of(reason)), by
        )

    def start(
        self, experiment_id: str, *, on: date | None = None, by: str | None = None, reason: str = ""
    ) -> Registered:
        """Say that a test has begun, on its planned day or on another one."""
        return self._record(
            "start",
            experiment_id,
            lambda test: details.Start(on=on or test.experiment.start_date, reason=details.reason_of(reason)),
            by,
        )

    def complete(
        self,
        experiment_id: str,
        actuals: "Actuals | Mapping[str, Any]",
        *,
        by: str | None = None,
        reason: str = "",
    ) -> Registered:
        """Say that a test has ended, and what happened.

        Args:
            experiment_id: The test.
            actuals: Incidents (an empty list where there were none) and spend; see `Actuals`.
            by: Who says so.
            reason: Why, where it ended otherwise than planned.
        """
        told = actuals if isinstance(actuals, Actuals) else actuals_of(actuals)
        return self._record(
            "complete", experiment_id, details.Completion(actuals=told, reason=details.reason_of(reason)), by
        )

    def keep(
        self,
        result: "Result",
        *,
        estimator: str = "default",
        seed: int = 0,
        by: str | None = None,
        reason: str = "",
    ) -> Version:
        """Keep the result of a completed test as the newest version; see `Study.dossier` for how it is made."""
        actor = by or self.actor
        return results.keep(
            self.store(), result, actor, estimator=estimator, seed=seed, reason=details.reason_of(reason)
        )

    def analyse(
        self,
        experiment_id: str,
        *,
        estimator: str | None = None,
        alpha: float | None = None,
        seed: int = 0,
        by: str | None = None,
        reason: str = "",
    ) -> Version:
        """Analyse a completed test on the study's panel as its plan says, and keep the result as a version.

        Args:
            experiment_id: The test.
            estimator: Another estimator than the plan's; the record shows it.
            alpha: Another error rate than the plan's; the record shows it.
            seed: Seed of everything random.
            by: Who analyses it.
            reason: Why it is analysed, or analysed again.
        """
        from experiments import analyse

        test = self.get(experiment_id)
        results.ready(test)
        how = estimator or test.protocol.estimator
        level = test.protocol.alpha if alpha is None else alpha
        made = analyse(self.panel(), test.conducted, estimator=how, alpha=level, seed=seed)
        return self.keep(made, estimator=how, seed=seed, by=by, reason=reason)

    def planned(self, experiment_id: str) -> Protocol | None:
        """The analysis plan of a test that may be analysed now; ``None`` for one that was measured elsewhere.

        Raises:
            DataError: Where there is no such test, or it is not completed.
        """
        test = self.get(experiment_id)
        if test.outside:
            return None
        results.ready(test)
        return test.protocol

    def told(
        self, experiment_id: str, file: Path | None, fields: Mapping[str, Any], *, from_data: bool = False
    ) -> Actuals:
        """Actuals from a file (json or toml), further fields and, where it is wanted, the study's media.

        Raises:
            DataError: With everything that is wrong about them.
        """
        from theodolite import registry_files

        read = {} if file is None else registry_files.actuals(file)
        found = read | dict(fields)
        if from_data:
            found = registry_files.with_spend(self.get(experiment_id), found, self.panel(), self.aliases)
        if "incidents" not in found:
            raise DataError("say what disturbed the test (--incident), or that nothing did (--no-incidents)")
        return actuals_of(found)

    def accept(
        self, experiment_id: str, *, version: int | None = None, by: str | None = None, reason: str = ""
    ) -> Registered:
        """Accept a version of the result as evidence; the newest where none is named.

        Raises:
            DataError: Where it may not be accepted, or the model could not take it: it contradicts the study's data.
        """
        from calibration import evidence

        test = self.get(experiment_id)
        chosen = test.versions[(version or len(test.versions)) - 1 : version or len(test.versions)]
        evidence.gather([each.record for each in chosen], self.panel(), self.aliases)
        return self._record(
            "accept",
            experiment_id,
            lambda test: details.Acceptance(
                version=len(test.versions) if version is None else version, reason=details.reason_of(reason)
            ),
            by,
        )

    def reject(self, experiment_id: str, reason: str, *, by: str | None = None) -> Registered:
        """Reject a test's result: it is no evidence, and stays on record."""
        return self._record("reject", experiment_id, _detail(reason), by)

    def cancel(self, experiment_id: str, reason: str, *, by: str | None = None) -> Registered:
        """Give a test up before it is read out; it stays on record and is counted."""
        return self._record("cancel", experiment_id, _detail(reason), by)

    def supersede(self, experiment_id: str, new: str, reason: str, *, by: str | None = None) -> Registered:
        """Let another test take a test's place; it is no evidence any more."""
        return self._record(
            "supersede", experiment_id, details.Supersession(by=new, reason=details.reason_of(reason)), by
        )

    def deviate(self, experiment_id: str, reason: str, *, by: str | None = None) -> Registered:
        """Record a departure from the approved plan."""
        return self._record("deviate", experiment_id, _detail(reason), by)

    def regrade(
        self, experiment_id: str, grade: str, reason: str, *, version: int | None = None, by: str | None = None
    ) -> Registered:
        """Give a version of the result (the newest by default) another grade than its checklist does."""

        def given(test: Registered) -> details.Detail:
            number = len(test.versions) if version is None else version
            return details.Regrade(grade=_grade(grade), version=number, reason=details.reason_of(reason))

        return self._record("regrade", experiment_id, given, by)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _record(self, action: Action, experiment_id: str, detail: Any, by: str | None) -> Registered:
        self.get(experiment_id)  # a mistyped id makes no store
        verbs.record(self.store(), verbs.Asked(action, experiment_id, by or self.actor, detail), self.blackouts)
        return self.get(experiment_id)

    def _plans(self, source: "Path | str | Plan | Mapping[str, Any]") -> tuple[Plan, ...]:
        if isinstance(source, Plan):
            found = [source]
        else:
            found = plan.parse([source]) if isinstance(source, Mapping) else plan.read(source)
        self._placed(found)
        return tuple(found)

    def _placed(self, found: Sequence[Plan]) -> None:
        """Refuse plans that name what the data do not know; that they lie ahead of the data is as it should be."""
        problems = place([each.experiment for each in found], self.panel(), self.aliases)
        refuse([problem for problem in problems if problem.code != "window-outside"])

    def _events(self) -> Iterable[Event]:
        if self.seen is not None:
            return self.seen
        return self.store().events() if self.written() else ()

    def _used_in(self, test: Registered) -> Mapping[int, Sequence[Json]]:
        """For each version the fits and views that were made while it counted."""
        used: dict[int, tuple[Json, ...]] = {}
        then = None if test.history else test
        for event in self._events():
            action = KINDS.get(event.kind)
            if action is not None and event.subject == test.experiment_id:
                then = after(then, event, action)
            elif then is not None and then.accepted is not None and test.experiment_id in parents(event):
                seen = {"kind": event.kind, "at": event.at, "hash": event.hash}
                used[then.accepted] = (*used.get(then.accepted, ()), seen)
        return used


def actuals_of(raw: Mapping[str, Any]) -> Actuals:
    """Actuals from plain values.

    Raises:
        DataError: With everything that is wrong about them.
    """
    try:
        text = json.dumps(dict(raw), default=iso)
        return Actuals.model_validate_json(text)
    except ValidationError as error:
        raise DataError(details.problems(error, "actuals", Actuals.model_fields)) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f"actuals: {shown(error, 200)}") from None


def _grade(text: str) -> Grade:
    found: Grade | None = next((grade for grade in GRADES if grade == text.strip().upper()), None)
    if found is None:
        raise DataError(f"'{shown(text)}' is no grade; there are {', '.join(GRADES)}")
    return found


def _detail(reason: str) -> details.Detail:
    return details.Detail(reason=details.reason_of(reason))
