"""Study: a workspace and its verbs. Every face (command line, report, notebook) calls these and nothing below them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from measurement.errors import DataError, Problem, StoreError
from measurement.store import Store
from measurement.typing import Json
from theodolite import checking, config, fits, flights, journeys, next_tests, reconciling, results, sources
from theodolite.keys import Keys
from theodolite.track_records import TrackRecord

if TYPE_CHECKING:
    import pandas as pd

    from attribution import Attribution, Audit, Paths
    from calibration import Conflict, View
    from calibration.calibrated_credit import CalibratedCredit
    from calibration.evidence import Evidence
    from calibration.next_test.result import NextTests
    from calibration.resolution import Resolution
    from experiments import Experiment, Result
    from experiments.planning.goal import Goal
    from experiments.planning.proposal import Design, Designs
    from measurement import Panel
    from measurement.mmm import EffectOverTime, Spec
    from measurement.mmm.prior_predictive import PriorPredictive
    from measurement.model_frames import ModelFrames
    from measurement.plan.budget import Budget
    from measurement.plan.flighting import Flighting
    from measurement.plan.forecast import Forecast, Scenario
    from measurement.plan.items import Bound
    from measurement.plan.response import ResponseCurves
    from measurement.validation.backtested import Backtest
    from measurement.validation.compared import Comparison
    from measurement.validation.validate import Validation
    from theodolite.analysis import Asked
    from theodolite.decisions import Decisions
    from theodolite.plan_records import Plans
    from theodolite.registry import Registry
    from theodolite.report.experiment import About, Dossier
    from theodolite.report.standing import Standing

ProgressCallback = Callable[[Any], None]


@dataclass(frozen=True)
class Study:
    """A workspace folder with its theodolite.toml, its data and its store. Open it with `open`.

    Attributes:
        folder: The workspace.
        config: What its theodolite.toml says.
        actor: Who acts; written into every event of the store.
    """

    folder: Path
    config: config.Config
    actor: str = "local"

    @classmethod
    def open(cls, folder: Path | str, actor: str = "local") -> Self:
        """Open a workspace.

        Raises:
            DataError: Where there is no theodolite.toml, or something in it is wrong.
        """
        where = Path(folder)
        return cls(where, config.load(where / config.FILE_NAME), actor)

    # -- what there is ------------------------------------------------------------------------------------------------

    @cached_property
    def panel(self) -> "Panel":
        """Media and outcome."""
        return self._loaded.panel

    @cached_property
    def spec(self) -> "Spec":
        """The model's specification: defaults for the panel, and what theodolite.toml says of the channels."""
        return sources.spec(self.panel, self.config)

    @cached_property
    def _loaded(self) -> sources.Loaded:
        return sources.panel(self.folder, self.config)

    @cached_property
    def store(self) -> Store:
        """The study's store, made when something is written for the first time."""
        server = self.config.store.server
        return (Store.open if self.has_store else Store.create)(self.folder, server=server)

    @property
    def has_store(self) -> bool:
        """Whether anything was ever written."""
        return Store.exists(self.folder, server=self.config.store.server)

    @property
    def outcome_file(self) -> str:
        """Where its outcome table lies, seen from where the user stands."""
        return sources.located(self.folder, self.config.data.outcome)

    @property
    def head(self) -> str | None:
        """Hash of the newest event of the store; ``None`` where nothing was ever written."""
        return self.store.head().hash if self.has_store else None

    @property
    def plans(self) -> "Plans":
        """Its plans of record: `record` a forecast or a scenario, and hold what came `against` it."""
        from theodolite.plan_records import Plans

        return Plans(self)

    @property
    def track_record(self) -> TrackRecord:
        """What each method said of tests before their read-out, frozen, and how right it was."""
        return TrackRecord(self)

    @property
    def registry(self) -> "Registry":
        """The study's tests from the first draft to the evidence, and the verbs of their life."""
        from theodolite.registry import Registry

        gives = (lambda: self.has_store), (lambda: self.store), (lambda: self.panel)
        own = partial(sources.experiments, self.folder, self.config)
        return Registry(*gives, self.config.aliases, own, self.actor, self.config.closed)

    @property
    def decisions(self) -> "Decisions":
        """The log of its decisions: what was decided on which evidence, what it should bring, and what came."""
        from theodolite.decisions import Decisions

        tests, channels = lambda: self.registry.ledger.tests, lambda: self.panel.channels
        return Decisions(lambda: self.has_store, lambda: self.store, tests, channels, self.actor)

    def experiments(self) -> "list[Experiment]":
        """Every result that counts as evidence: the file that theodolite.toml names, and what the registry accepted.

        Raises:
            DataError: Where a record is wrong, or one id has two contents.
        """
        return list(self.registry.evidence())

    def experiment(self, experiment_id: str) -> Json:
        """One test: its record, how its standard error is widened on the way into the model, what the registry says."""
        return self.registry.describe(experiment_id)

    def check(self) -> list[Problem]:
        """Everything that is wrong with the data, or hard about them: errors, warnings, notes. Writes nothing."""
        return checking.check_study(self.folder, self.config, self._tests_or_problems)

    # -- verbs --------------------------------------------------------------------------------------------------------

    def import_experiments(
        self, file: Path | str, *, format: str | None = None, given: Mapping[str, str] | None = None
    ) -> "list[Experiment]":
        """Import results of tests as evidence: all of the file or, where something is wrong, nothing.

        Args:
            file: Records in json or csv, or another tool's file.
            format: Which form that is, for another tool's (`calibration.exchange.FORMATS`).
            given: Fields that such a file does not say, for all of its rows.

        Returns:
            The tests that were new.
        """
        from experiments import registry

        tests = self.check_experiments(file, format=format, given=given)
        events = registry.add(self.store, tests, self.actor)
        added = {event.subject for event in events}
        return [test for test in tests if test.experiment_id in added]

    def check_experiments(
        self, file: Path | str, *, format: str | None = None, given: Mapping[str, str] | None = None
    ) -> "list[Experiment]":
        """The tests of a file that could be imported; arguments as in `import_experiments`. Writes nothing.

        Raises:
            DataError: With everything that is in the way.
        """
        from theodolite import exchanging

        own = sources.experiments(self.folder, self.config)
        return exchanging.importable(Path(file), format, given or {}, self.panel, self.config.aliases, own)

    def export_experiments(self, file: Path | str, *, format: str, force: bool = False) -> list[Problem]:
        """Write the study's evidence for another tool; returns what the form cannot hold.

        Args:
            file: Where to.
            format: ``meridian``, ``pymc-marketing`` or ``robyn``.
            force: Whether to replace a file that is there.
        """
        from theodolite import exchanging

        return exchanging.write(self.evidence()[0], self.panel, format, Path(file), force=force)

    def analyse(
        self,
        experiment_id: str,
        *,
        kpi: str | None = None,
        estimator: str = "default",
        alpha: float = 0.1,
        seed: int = 0,
    ) -> "Result":
        """Analyse a test of the study on its own panel."""
        from experiments import analyse

        test = self.registry.record(experiment_id)
        named = test.model_copy(update={"kpi": kpi}) if kpi else test
        return analyse(self.panel, named, estimator=estimator, alpha=alpha, seed=seed)

    def dossier(self, experiment: "str | Experiment", asked: "Asked | None" = None) -> "Dossier":
        """A test with its analysis on the study's panel, as its page and the command line tell it.

        Args:
            experiment: Id of a test of the study, or the record of one that is not in it yet.
            asked: KPIs, estimator, level, seed; the table of users for a test on users.
        """
        from theodolite.analysis import Asked, results
        from theodolite.report.experiment import Dossier

        test, asked = self.registry.record(experiment) if isinstance(experiment, str) else experiment, asked or Asked()
        panel = None if asked.users else self.panel
        made = results(test, panel, asked, self.config.study.currency)
        standing = self.standing(experiment) if isinstance(experiment, str) else None
        return Dossier(test, panel, results=made, about=self.about, standing=standing)

    def standing(self, experiment_id: str) -> "Standing":
        """Where a test stands: its state, the grade that counts, whether it is in question, and what it waits for.

        Raises:
            DataError: Where there is no such test.
        """
        from theodolite.report.standing import Standing

        return Standing.of(self.experiment(experiment_id), self.judged(), self.resolutions().get(experiment_id))

    @property
    def about(self) -> "About":
        """What the page of an experiment says of the study."""
        from theodolite.report.experiment import About

        settings = self.config.study
        return About(settings.name, settings.currency, 1.0 / settings.margin if settings.margin else None, self.head)

    def experiment_page(self, experiment_id: str, out: Path | str | None = None, asked: "Asked | None" = None) -> Path:
        """Analyse a test of the study and write its page: one HTML file to hand on.

        Args:
            experiment_id: The test.
            out: The file; ``experiments/ID.html`` in the workspace otherwise.
            asked: As for `dossier`.
        """
        from theodolite.report.experiment import file_name, write

        target = Path(out) if out else self.folder / "experiments" / file_name(experiment_id)
        return write(self.dossier(experiment_id, asked), target)

    def design(
        self, goal: "Goal | Mapping[str, Any]", *, progress: Callable[[int, int, str], None] | None = None
    ) -> "Designs":
        """Designs of a test that answer a goal, ranked, with a recommendation.

        Args:
            goal: What is asked; fields as texts (``{"channel": "tv", "geos": "2:6", "durations": "21,28"}``) will do.
            progress: Called with steps done, steps in all and what was done.

        Raises:
            DataError: Where the goal is wrong.
            DesignError: Where no design meets its constraints.
        """
        from theodolite import planning

        return planning.designs(self.panel, planning.goal_of(goal, self.config.aliases), progress)

    def power(self, goal: "Goal | Mapping[str, Any]") -> "Design":
        """What a test of given markets (``treatment_geos``) can find; of several durations the best."""
        from experiments.planning.plan import power
        from theodolite import planning

        return power(self.panel, planning.goal_of(goal, self.config.aliases))

    @property
    def next_test(self) -> next_tests.NextTest:
        """What to test next: `rank` the tests that could be run by what their results are worth; the last is `kept`."""
        return next_tests.NextTest(self)

    def next_tests_kept(self) -> "NextTests | None":
        """The last ranking of tests; ``None`` where there is none for the last fit."""
        return self.next_test.kept()

    def evidence(self) -> "tuple[tuple[Evidence, ...], tuple[Problem, ...]]":
        """Every test with a result as the model takes it, less those set aside, and what was noted on the way."""
        from calibration import evidence
        from calibration.resolution import set_aside

        aside = set_aside(self.resolutions())
        kept = [test for test in self.experiments() if test.experiment_id not in aside]
        return evidence.gather(kept, self.panel, self.config.aliases)

    def resolve(self, experiment_id: str, *, keep: str, reason: str, by: str | None = None) -> "Resolution":
        """Decide about a test that contradicts the model or another test; see `calibration.resolution`.

        Args:
            experiment_id: The test.
            keep: What is believed: ``test``, ``model`` (the test is set aside) or ``neither``.
            reason: Why.
            by: Who decides; the study's actor otherwise.

        Raises:
            StoreError: Where there is no fit.
            DataError: Where the test is not in question, or the decision says nothing.
        """
        from calibration import resolution

        judged = self._last_fit().conflicts
        return resolution.resolve(
            self.store, judged, experiment_id, keep=keep, reason=reason, by=self.actor if by is None else by
        )

    def judged(self) -> "tuple[Conflict, ...]":
        """How the last fit judged each test, with what was decided since; none without a fit."""
        from calibration.resolution import decided

        return decided(results.judged(self.store), self.resolutions()) if self.has_store else ()

    def resolutions(self) -> "dict[str, Resolution]":
        """The last decision on each test that was decided on."""
        from calibration import resolution

        return resolution.resolutions(self.store) if self.has_store else {}

    def fit(
        self,
        *,
        seed: int = 0,
        chains: int = 4,
        warmup: int | None = None,
        draws: int = 500,
        warm: bool = False,
        progress: ProgressCallback | None = None,
    ) -> results.Fitted:
        """Fit the model with the tests inside, and its sibling without them; keep both.

        Args:
            seed: Seed of both fits.
            chains: Independent chains.
            warmup: Warm-up draws per chain; 300, or 100 for a warm fit, where ``None``.
            draws: Draws per chain that are kept.
            warm: Begin where the study's last fit found its posterior, as next month's fit of the same model does.
            progress: Told how far both fits have come; raising in it stops the work, and nothing is kept.

        Raises:
            StoreError: Where a warm fit is asked for and there is no fit yet.
            DataError: With every reason why spec, panel and tests do not go together, or the last fit is of another
                model.
        """
        from calibration import calibrate, readings
        from measurement.mmm import Sampling

        earlier = self._last_fit() if warm else None
        gathered, _ = self.evidence()
        made = calibrate(
            self.panel,
            self.spec,
            [item.lift for item in gathered],
            seed=seed,
            sampling=Sampling(chains=chains, warmup=warmup or (100 if warm else 300), draws=draws),
            progress=progress,
            begin_from=None if earlier is None else (earlier.sibling, earlier.best),
            readings=readings(gathered, self.panel, seed=seed),
        )
        plain = tuple(item.to_dict() for item in gathered)
        fitted = results.Fitted(made.sibling, made.calibrated, made.conflicts, plain)
        results.save_fit(self.store, fitted, self.actor)
        return fitted

    def fitted(self) -> results.Fitted:
        """The last fit.

        Raises:
            StoreError: Where there is none, or the data have changed since.
        """
        found = self._last_fit()
        if found.sibling.provenance.data != self.panel.sha256:
            raise StoreError("media or outcome have changed since the last fit: run `theodolite mmm fit` again")
        return found

    def _last_fit(self) -> results.Fitted:
        from calibration.resolution import decided

        found = results.load_fit(self.store) if self.has_store else None
        if found is None:
            raise StoreError("there is no fit yet: run `theodolite mmm fit` first")
        return replace(found, conflicts=decided(found.conflicts, self.resolutions()))

    def fit_summary(self, fitted: results.Fitted | None = None) -> Json:
        """A fit in numbers, as ``theodolite mmm fit --json`` prints it."""
        return fits.summary(fitted or self.fitted(), self.panel)

    def validate(
        self, *, origins: int = 26, refits: int = 0, seed: int = 0, progress: ProgressCallback | None = None
    ) -> "Validation":
        """Judge the last fit: predictions, errors, what the data taught, its backtest, a verdict in words; keep it.

        Args:
            origins: How many of the last periods are predicted from those before them.
            refits: How often the past may be fitted anew for that, where weighting the draws is not enough.
            seed: Seed of everything random.
            progress: Told what is being worked on.

        Raises:
            StoreError: Where there is no fit of today's data.
            DataError: Where a setting is out of range.
        """
        from theodolite import validating

        lifts, fitted = [item.lift for item in self.evidence()[0]], self.fitted()
        made = validating.validated(
            fitted.best,
            self.panel,
            lifts,
            besides=validating.besides(fitted, results.load_backtest(self.store, fitted.best)),
            origins=origins,
            refits=refits,
            seed=seed,
            progress=progress,
        )
        results.save_validation(self.store, made, self.actor)
        return made

    def validation(self) -> Json | None:
        """What the last validation of the last fit found (`Validation.to_dict`), or ``None``."""
        return results.load_validation(self.store, self.fitted().best)

    def backtest(
        self,
        *,
        horizon: int | None = None,
        folds: int | None = None,
        every: int | None = None,
        seed: int = 0,
        jobs: int | None = None,
        progress: ProgressCallback | None = None,
    ) -> "Backtest":
        """Predict the last stretches of the data from what came before them; no fit is needed, and scores are kept.

        Args:
            horizon: Periods that each fold predicts; a quarter of a year by default.
            folds: How many; by default as many as the history allows, six at most.
            every: Periods between folds; the horizon by default.
            seed: Seed of all fits.
            jobs: Fits at a time; as many as there are cores by default.
            progress: Told how many fits are done.

        Raises:
            DataError: Where the data are too short, with the most that they hold.
        """
        from measurement.validation.backtest import backtest

        lifts = [item.lift for item in self.evidence()[0]]
        made = backtest(
            self.panel,
            self.spec,
            lifts,
            horizon=horizon,
            folds=folds,
            every=every,
            seed=seed,
            n_jobs=jobs,
            progress=progress,
        )
        results.save_backtest(self.store, made, self.actor)
        return made

    def compare(
        self,
        *,
        quick: bool = False,
        full: bool = False,
        adstocks: Sequence[str] | None = None,
        saturations: Sequence[str] | None = None,
        seasons: Sequence[int] | None = None,
        channels: Sequence[str] | None = None,
        seed: int = 0,
        jobs: int | None = None,
        progress: ProgressCallback | None = None,
    ) -> "Comparison":
        """Compare the study's model with others, those of ``[compare.NAME]`` too; none of the fits is kept.

        Args:
            quick: One other adstock and one other saturation only.
            full: Every combination and not one change at a time; the best are backtested too.
            adstocks: Forms of carry-over to try; geometric, delayed and weibull by default.
            saturations: Forms of saturation to try; hill, exponential and logistic by default.
            seasons: Fourier orders to try; two fewer and two more than the study's own by default.
            channels: Channels that are changed alone too, by every form; by default, and but for ``quick``, the two
                with the most spend, each by one other adstock and one other saturation.
            seed: Seed of all fits.
            jobs: Fits at a time; as many as there are cores by default.
            progress: Told how many fits are done.

        Raises:
            DataError: For forms and channels that there are not, and where nothing is left to compare.
        """
        from measurement.validation.compare import compare
        from theodolite import comparing

        forms = (adstocks, saturations, seasons)
        asked = comparing.asked(self.panel, self.config, self.spec, (quick, full), forms, channels)
        lifts = [item.lift for item in self.evidence()[0]]
        folds = comparing.folds_of(self.panel, self.spec) if full else 0
        return compare(self.panel, asked, lifts, folds=folds, seed=seed, n_jobs=jobs, progress=progress)

    def prior(self, *, seed: int = 0) -> "PriorPredictive":
        """What the priors of the study's model claim in money, before any fit. Writes nothing."""
        from measurement.mmm.prior_predictive import prior_predictive

        return prior_predictive(self.panel, self.spec, seed=seed)

    def curves(self, channels: Sequence[str] | None = None) -> "ResponseCurves":
        """Response and marginal curves of the last fit, all channels or the named ones."""
        from measurement.plan.response import response_curves

        names = None if channels is None else [self.config.aliases.get(name, name) for name in channels]
        return response_curves(self.fitted().best, self.panel, names)

    def effect_over_time(self) -> "EffectOverTime":
        """How each channel's effect changed over the panel, by quarter, in the last fit."""
        from measurement.mmm import effect_over_time

        return effect_over_time(self.fitted().best, self.panel)

    def export_fit(self, file: Path | str, *, draws: bool = False, force: bool = False) -> Path:
        """Write the last fit's summary, or its draws, to a csv, parquet or nc file."""
        from theodolite import fit_export

        fit_export.refuse(Path(file), force=force)
        return fit_export.export(self.fitted().best, self.panel, Path(file), draws=draws, force=force)

    def budget(
        self,
        total: float | None = None,
        *,
        periods: int | None = None,
        at_most: bool = False,
        bounds: "Mapping[str, Bound | str] | None" = None,
        otherwise: "Bound | str | None" = None,
        groups: Mapping[tuple[str, ...], str] | None = None,
        iroas: float | None = None,
        target_mroas: float | None = None,
        target_iroas: float | None = None,
        ramp: float | None = None,
        ramps: Mapping[str, float] | None = None,
        geos: Mapping[tuple[str, ...], str] | None = None,
        by_geo: bool = False,
        aim: str = "mean",
        level: float | None = None,
        goal: float | None = None,
    ) -> "Budget":
        """Advise how to split a budget, on the last fit; channels withheld by a conflict of tests stay as they are.

        Args:
            total: Money over all periods; that of business as usual where not given.
            periods: How many periods ahead; a quarter of a year by default.
            at_most: Whether the total is the most that may be spent.
            bounds: How far channels may move: ``"0.8:1.2"`` times business as usual, ``"10000EUR:50000EUR"``.
            otherwise: The same for all others; ``"0.5:1.5"`` by default.
            groups: The same for channels together.
            iroas: Least expected incremental revenue per money of the whole plan.
            target_mroas: Spend as long as the next money brings this much revenue; a total is then the most to spend.
            target_iroas: Spend as much as keeps the whole plan's revenue per money at this; a total as above.
            ramp: Largest change of every channel (by geo in each) against business as usual, as a share of it.
            ramps: The same for single channels.
            geos: How much a geo, or several together, may spend, as for ``groups``; with ``by_geo``.
            by_geo: Whether each geo's spend may move on its own; ``bounds`` and ``ramps`` then take ``"tv@north"`` too.
            aim: ``mean``, ``worst``, ``cautious`` or ``goal``, of the profit (`measurement.plan.allocation.Objective`).
            level: Of the aims ``worst`` (0.1 by default) and ``cautious`` (1 by default).
            goal: Profit to reach, of the aim ``goal``.

        Raises:
            StoreError: Where there is no fit of today's data.
            DataError: With everything that is wrong about the settings.
            DesignError: Where no plan keeps to all limits.
        """
        from theodolite import plans

        asked = plans.Asked(total, periods, at_most, bounds or {}, otherwise, groups or {}, iroas, by_geo)
        asked = replace(asked, target_mroas=target_mroas, target_iroas=target_iroas)
        asked = replace(asked, ramp=ramp, ramps=ramps or {}, geos=geos or {})
        return plans.advise(self.panel, self.fitted(), self.config, asked, plans.objective_of(aim, level, goal))

    def flight(self, asked: "flights.Asked | None" = None, *, periods: int | None = None) -> "Flighting":
        """Advise when to spend each channel's money, on the last fit; channels withheld by a conflict are left out.

        Args:
            asked: The channels, their money and the limits of their periods (`theodolite.flights.Asked`); every channel
                with the money of business as usual, between half and twice its average period, by default.
            periods: How many periods ahead; a quarter of a year by default.

        Raises:
            StoreError: Where there is no fit of today's data.
            DataError: With everything that is wrong about the settings.
            DesignError: Where no plan of a channel keeps to all limits.
        """
        return flights.advise(self.panel, self.fitted(), self.config, asked or flights.Asked(), periods)

    def forecast(
        self,
        periods: int | None = None,
        *,
        plan: "Path | str | pd.DataFrame | None" = None,
        controls: "Path | str | pd.DataFrame | None" = None,
        seed: int = 0,
    ) -> "Forecast":
        """Predict the KPI of the periods ahead, on the last fit.

        Args:
            periods: How many; a quarter of a year by default, with ``plan`` as many as it holds.
            plan: What is to be spent, ``date, (geo,) channel, spend``; business as usual otherwise.
            controls: The controls of these periods, ``date, (geo,)`` and controls; as a year ago otherwise.
            seed: Seed of the demand and noise to come.

        Raises:
            StoreError: Where there is no fit of today's data.
            DataError: With everything that is wrong about the plan or the controls.
        """
        from measurement.plan.budget import quarter
        from measurement.plan.forecast import forecast
        from measurement.plan.horizon import business_as_usual
        from theodolite import plans

        if plan is not None and periods is not None:
            raise DataError("a plan says itself how many periods it holds: leave the number of periods out")
        best, panel = self.fitted().best, self.panel
        if plan is None:
            ahead = business_as_usual(panel, quarter(panel) if periods is None else periods)
        else:
            ahead = plans.plan_of(panel, self.config, plan)
        return forecast(best, panel, ahead, controls=plans.controls_of(panel, controls), seed=seed)

    def scenario(
        self,
        plan: "Path | str | pd.DataFrame",
        *,
        controls: "Path | str | pd.DataFrame | None" = None,
        seed: int = 0,
    ) -> "Scenario":
        """What a plan of spend changes against business as usual, on the last fit; arguments as for `forecast`."""
        from measurement.plan.forecast import scenario
        from measurement.plan.horizon import business_as_usual
        from theodolite import plans

        best, panel = self.fitted().best, self.panel
        planned = plans.plan_of(panel, self.config, plan)
        usual = business_as_usual(panel, len(planned.dates))
        later = plans.controls_of(panel, controls)
        margin = self.config.study.margin or 1.0
        return scenario(best, panel, planned, usual, margin=margin, controls=later, seed=seed)

    def paths(self, spec: Path | None = None) -> "Paths":
        """The study's journeys as distinct paths."""
        return journeys.read_journeys(
            self.touchpoints_file, self.path_spec(spec), self.config.aliases, self.identities_file, spill=self.folder
        )

    def path_spec(self, given: Path | None = None) -> Path | None:
        """The file of its path specification: the one that is given, else the one that theodolite.toml names."""
        named = self.config.data.path_spec
        return given if given or named is None else Path(sources.located(self.folder, named))

    @property
    def touchpoints_file(self) -> str:
        """Where its journeys lie, seen from where the user stands.

        Raises:
            DataError: Where theodolite.toml names none.
        """
        if self.config.data.touchpoints is None:
            raise DataError("theodolite.toml names no touchpoints, so there are no journeys to read")
        return sources.located(self.folder, self.config.data.touchpoints)

    @property
    def identities_file(self) -> str | None:
        """Where its identity map lies; ``None`` where theodolite.toml names none."""
        named = self.config.data.identities
        return None if named is None else sources.located(self.folder, named)

    def attribute(
        self, *, models: Sequence[str] | None = None, spec: Path | None = None, seed: int = 0
    ) -> "Attribution":
        """Credit conversions and value to channels by each model, and keep the result."""
        made = journeys.credit(self.paths(spec), models, seed=seed, panel=self.panel)
        results.save_attribution(self.store, made, self.actor)
        return made

    def attribution(self) -> "Attribution | None":
        """The last attribution, or ``None``."""
        return results.load_attribution(self.store) if self.has_store else None

    def audit_journeys(self, *, spec: Path | None = None, seed: int = 0) -> "Audit":
        """Audit the journeys, with other lookbacks and with users split; keep the result."""
        choices = journeys.choices_of(self.path_spec(spec), self.config.aliases)
        made = journeys.audit_log(
            self.touchpoints_file,
            choices,
            spend=sources.window_spend(self.panel, self.paths(spec).window),
            identities=self.identities_file,
            seed=seed,
            spill=self.folder,
        )
        results.save_audit(self.store, made, self.actor)
        return made

    def journeys_audit(self) -> "Audit | None":
        """The last audit of the journeys, or ``None``."""
        return results.load_audit(self.store) if self.has_store else None

    def calibrated_credit(self, *, spec: Path | None = None, seed: int | None = None) -> "CalibratedCredit":
        """The last attribution calibrated by the study's tests; what is left is baseline. It is kept, and found again.

        Args:
            spec: The path specification of that run.
            seed: Seed of the draws; that of the run where ``None``.

        Raises:
            StoreError: Where there is no attribution.
            DataError: Where there is no test that could calibrate it, or ``spec`` is another than that run's.
        """
        from theodolite.calibrating import Log, kept

        made = self.attribution()
        if made is None:
            raise StoreError("there is no attribution yet: run `theodolite attribution run` first")
        choices = journeys.choices_of(self.path_spec(spec), self.config.aliases)
        if choices.sha256 != made.spec_hash:
            raise DataError("the last attribution was run with another path specification: give the same --spec")
        kinds = {name: str(channel.demand_driven) for name, channel in self.spec.channels.items()}
        log = Log(self.touchpoints_file, choices, self.identities_file, self.folder)
        asked = made, self.evidence()[0], self.panel, kinds, log
        return kept(self.store, self.actor, *asked, seed=(made.provenance.seed or 0) if seed is None else seed)

    def reconcile(
        self,
        *,
        start: str | None = None,
        end: str | None = None,
        by: Literal["month", "quarter"] = "quarter",
        markets: Sequence[str] = (),
        seed: int = 0,
    ) -> "View":
        """Bring the fit without tests, the raw tests and attribution together, each once; keep the view.

        Journeys that were not attributed yet are attributed first.

        Args:
            start: First day that the numbers cover, YYYY-MM-DD; the panel's by default.
            end: Last day.
            by: Whether the view's cells are months or quarters.
            markets: Markets that the cells tell apart; ``all`` for every one.
            seed: Seed of the integration.

        Raises:
            StoreError: Where there is no fit of today's data.
            DataError: Where ``start`` or ``end`` are no days of the data, or a market is none of it.
        """
        fitted, credit = self.fitted(), self.attribution()
        if credit is None and self.config.data.touchpoints is not None:
            credit = self.attribute(seed=seed)
        platform, margin = sources.platform(self.folder, self.config), self.config.study.margin or 1.0
        known = self.panel, fitted, self.evidence()[0], credit, self.resolutions(), platform, margin
        view = reconciling.unified(*known, reconciling.Asked(start, end, by, markets, seed))
        results.save_view(self.store, view, self.actor)
        return view

    def last_view(self) -> "View | None":
        """The unified view of the last fit and attribution; ``None`` where it was not made yet. Writes nothing."""
        return results.load_view(self.store) if self.has_store else None

    def views(self, most: int = 12) -> "list[tuple[str, View]]":
        """The last unified views that were kept, with when they were made (UTC), oldest first."""
        return results.load_views(self.store, most) if self.has_store else []

    def view(self) -> "View":
        """The last unified view; made now where there is none for the last fit."""
        return self.last_view() or self.reconcile()

    def frames(self, fitted: results.Fitted | None = None) -> "ModelFrames":
        """A fit (the last one otherwise) as tidy frames: what charts draw and reports quote."""
        from measurement.model_frames import model_frames

        return model_frames((fitted or self.fitted()).best, self.panel)

    @property
    def keys(self) -> Keys:
        """The API keys of the workspace."""
        return Keys(self.has_store, lambda: self.store, self.actor)

    def report(self, out: Path | str | None = None, *, truth: Mapping[str, float] | None = None) -> Path:
        """Write one self-contained HTML report that works offline.

        Args:
            out: The file; ``report.html`` in the workspace otherwise.
            truth: True iROAS per channel, where it is known (a simulated company).

        Returns:
            The file.
        """
        from theodolite.report import write

        return write(self, Path(out) if out else self.folder / "report.html", truth=truth)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _tests_or_problems(self) -> "tuple[list[Experiment], list[Problem]]":
        try:
            return self.experiments(), []
        except DataError as error:
            return [], list(error.problems)
