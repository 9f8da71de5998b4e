"""Material: everything a report tells, gathered from a study once and plain enough to be made by hand in a test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pandas as pd

from measurement.errors import DataError, Problem
from measurement.typing import Json

if TYPE_CHECKING:
    from attribution import Attribution, Audit, Paths
    from calibration import Conflict, View
    from calibration.calibrated_credit import CalibratedCredit
    from calibration.next_test.result import NextTests
    from calibration.resolution import Resolution
    from calibration.track_record import Scored
    from experiments import Experiment
    from measurement.model_frames import ModelFrames
    from measurement.panel import Panel
    from theodolite.config import Config
    from theodolite.report.journeys import Journeys
    from theodolite.results import Fitted


class Scores(Protocol):
    """Predictions of tests, and how right they were."""

    def scored(self) -> "tuple[Scored, ...]":
        """The predictions of tests that have been read out, scored."""


class Reportable(Protocol):
    """What a report needs of a study."""

    @property
    def config(self) -> "Config":
        """Its theodolite.toml."""

    @property
    def panel(self) -> "Panel":
        """Its data."""

    @property
    def head(self) -> str | None:
        """Hash of the newest event of its store."""

    def fitted(self) -> "Fitted":
        """Its last fit."""

    def validation(self) -> Json | None:
        """What the last validation of the last fit found."""

    def view(self) -> "View":
        """Its last unified view."""

    def frames(self, fitted: "Fitted | None" = None) -> "ModelFrames":
        """A fit as tidy frames."""

    def attribution(self) -> "Attribution | None":
        """Its last attribution."""

    def paths(self) -> "Paths":
        """Its journeys as distinct paths."""

    def journeys_audit(self) -> "Audit | None":
        """The last audit of its journeys."""

    def next_tests_kept(self) -> "NextTests | None":
        """Its last ranking of tests to run next."""

    def calibrated_credit(self) -> "CalibratedCredit":
        """Its last attribution calibrated by its tests."""

    def experiments(self) -> "list[Experiment]":
        """Its tests."""

    def resolutions(self) -> "Mapping[str, Resolution]":
        """What was decided about tests in question."""

    @property
    def track_record(self) -> "Scores":
        """What each method said of tests before their read-out."""

    def check(self) -> list[Problem]:
        """What is wrong or hard about its data."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Whether the fits may be used, the worse of the two for each number, and what made them.

    Attributes:
        converged: Whether both fits have converged.
        reasons: Why not, in words.
        rhat: Largest R-hat.
        ess: Smallest bulk effective sample size.
        divergences: Divergent draws of both.
        draws: Draws of both.
        seconds: Wall seconds of both.
        channels: Per channel its largest R-hat and smallest effective sample size.
        data: Hash of the panel.
        seed: Seed of the fits.
        versions: Distribution versions.
    """

    converged: bool
    reasons: tuple[str, ...]
    rhat: float
    ess: float
    divergences: int
    draws: int
    seconds: float
    channels: Mapping[str, tuple[float, float]]
    data: str
    seed: int | None
    versions: Mapping[str, str]


def diagnose(fitted: "Fitted") -> Diagnosis:
    """Both fits of a study in one diagnosis."""
    named = {"without tests": fitted.sibling} | ({"with tests": fitted.calibrated} if fitted.calibrated else {})
    found = [fit.diagnostics for fit in named.values()]
    quantities = [q for d in found for q in d.quantities]
    made = fitted.sibling.provenance
    return Diagnosis(
        converged=fitted.converged,
        reasons=tuple(f"{name}: {why}" for name, fit in named.items() for why in fit.diagnostics.reasons),
        rhat=max(d.rhat for d in found),
        ess=min(d.ess_bulk for d in found),
        divergences=sum(d.divergences for d in found),
        draws=sum(d.draws for d in found),
        seconds=sum(d.seconds for d in found),
        channels={
            name: (
                max(q.rhat for q in quantities if q.channel == name),
                min(q.ess_bulk for q in quantities if q.channel == name),
            )
            for name in fitted.sibling.channels
        },
        data=made.data,
        seed=made.seed,
        versions=made.versions,
    )


@dataclass(frozen=True, eq=False)
class Material:
    """Everything a report tells.

    Attributes:
        name: The study's name.
        kpi: Name of the KPI.
        kpi_is_money: Whether a unit of the KPI is a unit of money.
        margin: Share of revenue left after costs; ``None`` where the study does not say.
        period: Cadence.
        periods: Number of periods that the view covers.
        geos: Market names.
        outcome: The whole KPI over the panel, in money.
        media_spend: All spend over the panel.
        view: The unified view.
        diagnosis: Whether the fits may be used.
        frames: The fit as frames.
        spend: The spend calendar.
        tests: Records of the tests.
        evidence: Each test as the model took it (`Evidence.to_dict`).
        conflicts: The judgement on each test.
        decisions: What was decided about tests in question.
        credit: Attribution as a frame (`Attribution.to_frame`); ``None`` without journeys.
        credit_window: First and last day of the journeys, in words.
        journeys: What the journeys are like; ``None`` without journeys, or where they have changed since the run.
        problems: Remarks on the data, journeys included.
        validation: What the last validation of the fit found (`Validation.to_dict`); ``None`` where there is none.
        head: Hash of the newest event in the store.
        truth: True iROAS per channel, where known.
        next_tests: Tests ranked by what they are worth; ``None`` where nobody has asked since the last fit.
        scored: What each method had said of tests that have been read out since.
    """

    name: str
    kpi: str
    kpi_is_money: bool
    margin: float | None
    period: Literal["day", "week", "month"]
    periods: int
    geos: tuple[str, ...]
    outcome: float
    media_spend: float
    view: "View"
    diagnosis: Diagnosis
    frames: "ModelFrames"
    spend: pd.DataFrame
    tests: "Sequence[Experiment]" = ()
    evidence: Sequence[Json] = ()
    conflicts: "Sequence[Conflict]" = ()
    decisions: "Sequence[Resolution]" = ()
    credit: pd.DataFrame | None = None
    credit_window: str = ""
    journeys: "Journeys | None" = None
    problems: Sequence[Problem] = ()
    validation: Json | None = None
    head: str | None = None
    truth: Mapping[str, float] = field(default_factory=dict)
    next_tests: "NextTests | None" = None
    scored: "Sequence[Scored]" = ()

    @property
    def currency(self) -> str:
        """Currency of all money."""
        return self.view.currency

    @property
    def markets(self) -> str:
        """How many markets there are, in words."""
        return f"{len(self.geos)} markets" if len(self.geos) > 1 else "national"

    @property
    def ratio_unit(self) -> str:
        """Unit of a return."""
        return f"{self.currency} per {self.currency}"

    @property
    def converged(self) -> bool:
        """Whether the model's numbers may be used."""
        return self.view.converged and self.diagnosis.converged

    @property
    def caveat(self) -> str:
        """What every caption of a number from the model adds where the fit has not converged."""
        return "" if self.converged else " NOT CONVERGED: provisional numbers."

    @property
    def unit(self) -> str:
        """The KPI with its unit."""
        return f"{self.kpi} ({self.currency})" if self.kpi_is_money else self.kpi


def gather(study: Reportable, truth: Mapping[str, float] | None = None, *, with_journeys: bool = True) -> Material:
    """Gather a study's material; nothing is fitted or computed anew but the frames of its last fit.

    Args:
        study: A study with a fit.
        truth: True iROAS per channel, where known.
        with_journeys: Whether what the journeys are like is read too, which takes longest.
    """
    from measurement.model_frames import spend_calendar

    panel, fitted, view, attribution = study.panel, study.fitted(), study.view(), study.attribution()
    settings = study.config.study
    covered = panel.window(*view.window)
    return Material(
        name=settings.name,
        kpi=settings.kpi,
        kpi_is_money=settings.kpi_value == 1.0,
        margin=settings.margin,
        period=panel.period,
        periods=covered.stop - covered.start,
        geos=panel.geos,
        outcome=float(panel.outcome.sum() * panel.kpi_value),
        media_spend=float(panel.spend.sum()),
        view=view,
        diagnosis=diagnose(fitted),
        frames=study.frames(fitted),
        spend=spend_calendar(panel),
        tests=study.experiments(),
        evidence=fitted.evidence,
        conflicts=fitted.conflicts,
        decisions=tuple(study.resolutions().values()),
        credit=None if attribution is None else attribution.to_frame(),
        credit_window=_window(attribution),
        journeys=_journeys(study, attribution) if attribution is not None and with_journeys else None,
        problems=study.check(),
        validation=study.validation(),
        head=study.head,
        truth=dict(truth or {}),
        next_tests=study.next_tests_kept(),
        scored=study.track_record.scored(),
    )


def _journeys(study: Reportable, attribution: "Attribution") -> "Journeys | None":
    from theodolite.report.journeys import Journeys

    paths = study.paths()
    if paths.sha256 != attribution.provenance.data:
        return None
    try:
        calibrated = study.calibrated_credit()
    except DataError:  # no test that speaks of a channel of the journeys
        calibrated = None
    return Journeys.of(paths, attribution, study.journeys_audit(), calibrated)


def _window(attribution: "Attribution | None") -> str:
    window: Any = None if attribution is None else attribution.window
    return f"{window[0]} to {window[1]}" if window else ""
