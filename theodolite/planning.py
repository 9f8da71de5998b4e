"""Plans of tests: from options and tables to a goal, and from a goal to designs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measurement.errors import DataError, Problem, did_you_mean, shown
from theodolite.occupied import around

if TYPE_CHECKING:
    from experiments.planning.goal import Goal
    from experiments.planning.proposal import Designs
    from experiments.planning.user_level import UserGoal
    from experiments.records import Experiment
    from measurement import Panel
    from theodolite.registry import Registry
    from theodolite.report.choice import Choice, Choices, Planned
    from theodolite.report.experiment import About, Dossier

METHODS = ("geo", "switchback", "on_off")


@dataclass(frozen=True, slots=True)
class How:
    """What kind of test is planned on a panel.

    Attributes:
        method: ``geo``, ``switchback`` or ``on_off``.
        blocks: Lengths of a switchback's block to compare; the usual ones where empty.
        burn_in: Periods dropped after each switch.
        per_geo: Whether each geo switches by a draw of its own.
    """

    method: str = "geo"
    blocks: tuple[int, ...] = ()
    burn_in: int = 0
    per_geo: bool = False

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            words = (
                f"found '{shown(self.method)}'{did_you_mean(self.method, METHODS)}; allowed are {', '.join(METHODS)}"
            )
            users = "; tests on users are planned by 'theodolite experiments design-users'"
            raise DataError([Problem(f"--method: {words}{users}", code="method")])


type Progress = Callable[[int, int, str], None]


def goal_of(given: "Goal | Mapping[str, Any]", aliases: Mapping[str, str] | None = None) -> "Goal":
    """A goal, from fields whose values are texts or of their own type; channels under the study's names.

    Raises:
        DataError: Every field that cannot be read.
    """
    from experiments.planning.goal import Goal
    from experiments.planning.goal_text import goal_from_mapping

    goal = given if isinstance(given, Goal) else goal_from_mapping(given)
    names = aliases or {}
    return replace(goal, channel=tuple(dict.fromkeys(names.get(name, name) for name in goal.channel)))


def planned(panel: "Panel", goal: "Goal", how: How, progress: Progress | None = None) -> "Planned":
    """Tests that answer a goal, ranked: sets of geos, cells of them, or schedules.

    Raises:
        DataError: Where the goal or the data are wrong.
        DesignError: Where no test meets the constraints.
    """
    if how.method == "switchback":
        from experiments.planning.switchback import design_switchback

        return design_switchback(panel, goal, block_lengths=how.blocks, burn_in=how.burn_in, per_geo=how.per_geo)
    if how.method == "on_off":
        from experiments.planning.on_off import design_on_off

        return design_on_off(panel, goal, burn_in=how.burn_in)
    if goal.cells > 1:
        from experiments.planning.multi_cell import design_cells

        return design_cells(panel, goal, progress=progress)
    return designs(panel, goal, progress)


def designs(panel: "Panel", goal: "Goal", progress: Progress | None = None) -> "Designs":
    """Geo tests that answer a goal, ranked; for given markets, what each duration can find.

    Raises:
        DataError: Where the goal or the data are wrong.
        DesignError: Where no design meets the constraints.
    """
    from experiments.planning.plan import design

    return design(panel, goal, progress=progress)


def by_kpi(panel: "Panel", chosen: "Choice", kpis: tuple[str, ...]) -> "dict[str, Choice]":
    """What chosen markets can find in other KPIs; nothing for tests that are not on sets of geos."""
    from experiments.planning.plan import power
    from theodolite.report.choice import of_design

    design = chosen.design
    if design is None or chosen.cells:
        return {}
    goal = replace(
        design.goal,
        treatment_geos=design.treatment_geos,
        durations=(design.duration,),
        iroas=None,
        icpa=None,
        budget=None,
    )
    return {kpi: of_design(power(panel, replace(goal, kpi=kpi))) for kpi in kpis}


def strata_of(text: str, outcome: str | None) -> dict[str, str]:
    """Stratum of each geo, from a file with ``geo, stratum`` or from a column of the outcome table.

    Raises:
        DataError: Where there is neither, or a geo has several strata.
    """
    from measurement.reading import source
    from measurement.reading.columns import Column, Contract

    if Path(text).is_file():
        contract = Contract("strata", (Column("geo", "text"), Column("stratum", "text")), key=("geo",))
        frame = source.read(contract, text).frame
        return dict(zip(frame["geo"], frame["stratum"], strict=True))
    header = source.header(outcome) if outcome else ()
    if text not in header:
        words = f"'{shown(text)}' is neither a file nor a column of the outcome table{did_you_mean(text, header)}"
        raise DataError([Problem(words, column="strata", code="unknown-strata")])
    own = (Column("date", "date"), Column("geo", "text"))
    frame = source.read(Contract("outcome", own, (Column(text, "text"),), ("date", "geo")), str(outcome)).frame
    several = frame.groupby("geo")[text].nunique()
    problems = [
        Problem(f"geo '{shown(geo)}' has {count} values of it; one is needed", column=text, code="several-strata")
        for geo, count in several.items()
        if count > 1
    ]
    if problems:
        raise DataError(problems)
    return {str(geo): str(value) for geo, value in frame.groupby("geo")[text].first().items()}


def records_of(chosen: "Choice", start: str | None, name: str | None) -> "tuple[Experiment, ...]":
    """The record of a chosen test, or of each of its cells, ready to be analysed once the test has run.

    Raises:
        DataError: Where the first day is none, or the name cannot name a test.
        DesignError: Where nothing says when the test begins.
    """
    from experiments import records
    from experiments.planning.multi_cell import CellDesign

    try:
        first = date.fromisoformat(start) if start else None
    except ValueError:
        raise DataError(f"--start: found '{shown(start)}', a day is written YYYY-MM-DD") from None
    source = chosen.source
    made = source.records(first, name) if isinstance(source, CellDesign) else (source.record(first, name),)
    return tuple(records.parse([each.to_dict() for each in made], results=False))


@dataclass(frozen=True, slots=True)
class Pick:
    """Which of the choices is taken, and how its record is named.

    Attributes:
        rank: From 1.
        start: First day; the day after the data where ``None``.
        name: Name of the test.
    """

    rank: int = 1
    start: str | None = None
    name: str | None = None


def dossier(
    panel: "Panel",
    goal: "Goal",
    how: How | None = None,
    pick: Pick | None = None,
    *,
    kpis: tuple[str, ...] = (),
    about: "About | None" = None,
    registry: "Registry | None" = None,
    progress: Progress | None = None,
) -> "Dossier":
    """Tests that answer a goal, with what a page and a table tell of them.

    Args:
        panel: KPI and media.
        goal: What is asked.
        how: What kind of test.
        pick: The choice that is taken; the best one where ``None``.
        kpis: KPIs; the first is the goal's, of the others it is said what the chosen markets can find.
        about: The study it belongs to.
        registry: The study's tests and blackouts, of which the test keeps clear; nothing where ``None``.
        progress: Called with steps done, steps in all and what was done.

    Raises:
        DataError: Where goal, data, day or name are wrong, its days meet a blackout, or there are fewer choices than
            the rank.
        DesignError: Where no test meets the constraints.
    """
    from theodolite.report.choice import of
    from theodolite.report.experiment import About

    if registry is not None:
        goal = around(goal, panel, pick.start if pick else None, registry)
    choices = of(planned(panel, goal, how or How(), progress), goal, panel.period)
    taken = _taken(choices, pick or Pick())
    made = _dossier(choices, taken, pick or Pick(), about or About(currency=panel.currency), (goal, panel.sha256))
    return replace(made, panel=panel, other_kpis=by_kpi(panel, taken, kpis[1:]))


def users_dossier(goal: "UserGoal", pick: Pick) -> "Dossier":
    """Tests on users that answer a goal, with what a page and a table tell of them.

    Raises:
        DataError: Where the goal, the day or the name are wrong.
        DesignError: Where the budget pays for no duration, or nothing says when the test begins.
    """
    from experiments.planning.user_level import design_users
    from theodolite.report.choice import of
    from theodolite.report.experiment import About

    choices = of(design_users(goal))
    return _dossier(choices, _taken(choices, pick), pick, About(currency=goal.currency), (goal, "none"))


def _taken(choices: "Choices", pick: Pick) -> "Choice":
    if pick.rank > len(choices.options):
        raise DataError(f"--pick: found {pick.rank}; there are {len(choices.options)} choices")
    return choices.options[pick.rank - 1]


def _dossier(choices: "Choices", taken: "Choice", pick: Pick, about: "About", made: tuple[Any, str]) -> "Dossier":
    from theodolite.report.experiment import Dossier
    from theodolite.report.experiment_design import made_by

    goal, data = made
    records = records_of(taken, pick.start, pick.name)
    plan = made_by(goal, data, getattr(goal, "seed", None))
    return Dossier(records[0], choices=choices, chosen=taken, records=records, plan=plan, about=about)
