"""The desk: the study as pages and resources read it, loaded once and read again when a file or the store has changed.

Loading the data, the fit and its frames takes seconds, and a page has 200 ms. What was loaded is kept with what it was
made from: the stamp of the data files, and the last event of the kinds that it depends on.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from measurement.errors import DataError, StoreError, TheodoliteError
from measurement.store import Event, Store, utc_now
from measurement.typing import Json
from theodolite import decisions, next_tests, plan_states, results
from theodolite.app.answers import from_workspace
from theodolite.app.kept import PATIENCE, Kept
from theodolite.config import FILE_NAME, Config
from theodolite.data_files import named_files
from theodolite.keys import Key, find
from theodolite.report.material import Material, gather
from theodolite.study import Study

if TYPE_CHECKING:
    from attribution import Attribution, Audit, Paths
    from calibration import View
    from calibration.calibrated_credit import CalibratedCredit
    from calibration.next_test.result import NextTests
    from calibration.resolution import Resolution
    from calibration.track_record import Prediction, Scored
    from experiments import Experiment
    from measurement import Panel
    from measurement.errors import Problem
    from measurement.model_frames import ModelFrames
    from measurement.plan.deviation import Deviation
    from theodolite.decisions import Recorded
    from theodolite.plan_records import PlanOfRecord
    from theodolite.plan_states import PlanState
    from theodolite.registry import Registry
    from theodolite.report.experiment import Dossier
    from theodolite.results import Fitted
    from theodolite.track_records import TrackRecord

RESOLVED = "conflict."
TESTS = ("experiment.", RESOLVED)
"""Beginnings of the kinds of events that change which tests count."""

type Stamp = tuple[object, ...]


@dataclass(frozen=True, eq=False)
class Reading:
    """The study as it is now; its methods are those of `Study` that only read, and quick.

    Attributes:
        study: The study.
        events: Everything in its store, oldest first.
        data: Stamp of theodolite.toml and the data files.
    """

    study: Study
    events: tuple[Event, ...]
    data: Stamp
    _kept: Kept

    @property
    def config(self) -> Config:
        """Its theodolite.toml."""
        return self.study.config

    @property
    def panel(self) -> "Panel":
        """Its data."""
        return self._kept.get("panel", self.data, lambda: self.study.panel)

    @property
    def head(self) -> str | None:
        """Hash of the newest event of its store."""
        return self.events[-1].hash if self.events else None

    def since(self, *kinds: str) -> Stamp:
        """What changes whenever the data change or an event whose kind begins with one of ``kinds`` is added."""
        last = next((e.hash for e in reversed(self.events) if e.kind.startswith(kinds)), None)
        return (self.data, last)

    @property
    def numbers(self) -> Stamp:
        """What changes whenever a number of a page may; a test that is planned changes none before it counts."""
        judged = (results.VALIDATION, results.BACKTEST)
        made = (results.FIT, results.ATTRIBUTION, results.AUDIT, *judged, results.VIEW, next_tests.RANKED)
        return (*self.since(*made, RESOLVED), self._counted())

    @property
    def of_fit(self) -> Stamp:
        """What changes whenever a number of the last fit may."""
        return self.since(results.FIT, RESOLVED)

    @property
    def registry(self) -> "Registry":
        """Its tests, as the events say that were read."""
        return replace(self.study.registry, seen=self.events)

    def kept[T](self, name: object, version: Stamp, make: Callable[[], T]) -> T:
        """Something made of the study, kept until ``version`` changes."""
        return self._kept.get(name, version, make)

    def soon[T](
        self, name: object, version: Stamp, make: Callable[[], T], patience: float | None = PATIENCE
    ) -> T | None:
        """The same of what takes seconds; ``None`` while it is being made and ``patience`` is at its end.

        Raises:
            TheodoliteError: As ``make`` does.
        """
        return self._kept.soon(name, version, make, patience)

    def forget(self, name: object) -> None:
        """Make something again when it is asked for next."""
        self._kept.forget(name)

    def fitted(self) -> "Fitted":
        """Its last fit."""
        return self._kept.get("fitted", self.of_fit, self.study.fitted)

    def frames(self, fitted: "Fitted | None" = None) -> "ModelFrames":
        """The last fit as tidy frames."""
        found = fitted or self.fitted()
        return self._kept.get("frames", self.since(results.FIT), lambda: self.study.frames(found))

    def last_view(self) -> "View | None":
        """The view of the last fit and attribution, where it was made."""
        version = self.since(results.VIEW, results.FIT, results.ATTRIBUTION)
        return self._kept.get("view", version, self.study.last_view)

    def view(self) -> "View":
        """The view of the last fit and attribution.

        Raises:
            StoreError: Where it was not made yet; reading writes nothing.
        """
        found = self.last_view()
        if found is None:
            raise StoreError("there is no unified view of the last fit yet: run `theodolite reconcile` first")
        return found

    def views(self) -> "list[tuple[str, View]]":
        """The last views with their times, oldest first."""
        return self._kept.get("views", self.since(results.VIEW), self.study.views)

    def attribution(self) -> "Attribution | None":
        """Its last attribution."""
        return self._kept.get("attribution", self.since(results.ATTRIBUTION), self.study.attribution)

    def paths(self) -> "Paths":
        """Its journeys as distinct paths."""
        return self._kept.get("paths", self.data, self.study.paths)

    def journeys_audit(self) -> "Audit | None":
        """The last audit of its journeys."""
        return self._kept.get("audit", self.since(results.AUDIT), self.study.journeys_audit)

    def calibrated_credit(self) -> "CalibratedCredit":
        """Its last attribution calibrated by its tests."""
        version = (*self.since(results.ATTRIBUTION, RESOLVED), self._counted())
        return self._kept.get("calibrated credit", version, self.study.calibrated_credit)

    def experiments(self) -> "list[Experiment]":
        """Its tests."""
        return self._kept.get("experiments", self.since(*TESTS), lambda: list(self.registry.evidence()))

    def tests(self) -> tuple[Json, ...]:
        """Every test of the registry, one flat row each."""
        return self._kept.get("tests", (*self.since(*TESTS), utc_now().date()), self.registry.rows)

    def dossier(self, experiment_id: str, *, read: bool = True) -> "Dossier":
        """A test with its analysis as it was planned; without ``read``, as it is planned and nothing more.

        It is made again where the record, its analysis plan or the data have changed, and not with every event.
        """
        from theodolite.analysis import Asked
        from theodolite.report.experiment import Dossier

        test, study = self.registry.get(experiment_id), self.study
        about = replace(self._kept.get("about", self.data, lambda: study.about), head=self.head)
        if not read:
            return Dossier(test.conducted, self.panel, about=about)
        asked = Asked(estimator=test.protocol.estimator, alpha=test.protocol.alpha)
        version = (self.data, test.conducted, test.protocol)
        made = self._kept.get(("dossier", experiment_id), version, lambda: study.dossier(test.conducted, asked))
        return replace(made, about=about)

    def resolutions(self) -> "dict[str, Resolution]":
        """The last decision on each test that was decided on."""
        return self._kept.get("resolutions", self.since(RESOLVED), self.study.resolutions)

    def decisions(self) -> "tuple[Recorded, ...]":
        """Its decisions, oldest first."""
        return tuple(decisions.fold(self.events).values())

    def plans(self) -> "list[PlanOfRecord]":
        """Its plans of record, oldest first; none that was recorded after this reading."""
        found = self._kept.get("plans", self.since(plan_states.RECORDED), self.study.plans.all)
        known = self.plan_states()
        return [plan for plan in found if plan.name in known]

    def plan_states(self) -> "dict[str, PlanState]":
        """Where each of them stands, by name."""
        return plan_states.states(self.events)

    def against(self, plan: "PlanOfRecord") -> "Deviation | None":
        """What came against a plan of record; ``None`` where none of its periods has come yet."""
        if str(plan.told["from"]) > str(self.panel.dates[-1])[:10]:
            return None
        version = (self.data, plan.hash)
        return self._kept.get(("against", plan.name), version, lambda: self.study.plans.against(plan.name))

    def predictions(self) -> "tuple[Prediction, ...]":
        """What every source said of tests before their read-out."""
        return self._kept.get("predictions", self.since(*TESTS), self.study.track_record.predictions)

    @property
    def track_record(self) -> "TrackRecord":
        """What every source said of tests, and how right it was."""
        return self.study.track_record

    def scored(self) -> "tuple[Scored, ...]":
        """The same of tests that have been read out, scored."""
        return self._kept.get("scored", self.since(*TESTS), self.study.track_record.scored)

    def validation(self) -> Json | None:
        """What the last validation of the last fit found."""
        return self._kept.get("validation", self.since(results.FIT, results.VALIDATION), self.study.validation)

    def backtest(self) -> Json | None:
        """What the last backtest of the last fit's model and data found."""
        version = self.since(results.FIT, results.BACKTEST)
        return self._kept.get("backtest", version, lambda: results.load_backtest(self.study.store, self.fitted().best))

    def next_tests_kept(self) -> "NextTests | None":
        """Its last ranking of tests to run next."""
        return self._kept.get("next tests", self.since(results.FIT, next_tests.RANKED), self.study.next_tests_kept)

    def check(self) -> "list[Problem]":
        """What is wrong or hard about its data; the tables are looked at once, however many tests come."""
        from theodolite.checking import check_tables, check_tests

        tables = self._kept.get("tables", self.data, lambda: check_tables(self.study.folder, self.config))
        aliases, version = self.config.aliases, (self.data, self._counted())

        def made() -> "list[Problem]":
            found, folder = [*tables[0], *check_tests(self._tests, tables[1], aliases)], self.study.folder
            return [replace(each, file=each.file and from_workspace(each.file, folder)) for each in found]

        return self._kept.get("check", version, made)

    def _counted(self) -> Stamp:
        """The tests that count, or why none can."""
        found, problems = self._tests()
        return (*found, *map(str, problems))

    def _tests(self) -> "tuple[list[Experiment], list[Problem]]":
        try:
            return self.experiments(), []
        except DataError as error:
            return [], list(error.problems)

    def material(self, *, with_journeys: bool = False) -> Material:
        """Everything that the report's sections tell.

        Raises:
            StoreError: Where there is no fit of today's data, or no view of it.
        """
        return self._kept.get(
            ("material", with_journeys), self.numbers, lambda: gather(self, with_journeys=with_journeys)
        )


@dataclass(slots=True)
class Desk:
    """Hands out a `Reading` of a workspace."""

    folder: Path
    _kept: Kept = field(default_factory=Kept)

    def reading(self) -> Reading:
        """The study as it is now.

        Raises:
            DataError: Where theodolite.toml is wrong.
            StoreError: Where the store is damaged.
        """
        toml = _stat(self.folder / FILE_NAME)
        config = self._kept.get("config", toml, lambda: Study.open(self.folder).config)
        data = (toml, *((str(file), _stat(file)) for _, _, file in named_files(self.folder, config)))
        study = self._kept.get("study", data, lambda: Study(self.folder, config))
        server = config.store.server is not None
        head = study.head if server else _stat(Store.home_of(self.folder) / "head.json")
        events = self._kept.get("events", (data, head), lambda: _events(study))
        return Reading(study, events, data, self._kept)

    def key(self, text: str) -> Key | None:
        """The API key of a text; ``None`` where it opens nothing."""
        return find(self.reading().events, text)

    def study(self, actor: str) -> Study:
        """The study for someone who writes."""
        return Study(self.folder, self.reading().config, actor)

    def warm(self) -> None:
        """Load what pages need, so that the first reader does not wait for it; what is missing or wrong is left."""
        try:
            reading = self.reading()
            tests = [str(test["experiment_id"]) for test in reading.tests() if test["versions"]]
        except TheodoliteError:
            return
        for load in (reading.check, reading.material, partial(reading.material, with_journeys=True)):
            with suppress(TheodoliteError):
                load()
        for name in tests:
            with suppress(TheodoliteError):
                reading.dossier(name)


def _events(study: Study) -> tuple[Event, ...]:
    return tuple(study.store.events()) if study.has_store else ()


def _stat(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)
