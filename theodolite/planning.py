"""Plans of tests: from options and tables to a goal, and from a goal to designs."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measurement.errors import DataError, Problem, did_you_mean, shown

if TYPE_CHECKING:
    from experiments.design.goal import Goal
    from experiments.design.proposal import Design, Designs
    from experiments.records import Experiment
    from measurement import Panel
    from theodolite.report.experiment import About, Dossier

type Progress = Callable[[int, int, str], None]


def goal_of(given: "Goal | Mapping[str, Any]", aliases: Mapping[str, str] | None = None) -> "Goal":
    """A goal, from fields whose values are texts or of their own type; channels under the study's names.

    Raises:
        DataError: Every field that cannot be read.
    """
    from experiments.design.goal import Goal
    from experiments.design.goal_text import goal_from_mapping

    goal = given if isinstance(given, Goal) else goal_from_mapping(given)
    names = aliases or {}
    return replace(goal, channel=tuple(dict.fromkeys(names.get(name, name) for name in goal.channel)))


def designs(panel: "Panel", goal: "Goal", progress: Progress | None = None) -> "Designs":
    """Designs that answer a goal, ranked; for given markets, what each duration can find.

    Raises:
        DataError: Where the goal or the data are wrong.
        DesignError: Where no design meets the constraints.
    """
    from experiments.design.plan import design

    return design(panel, goal, progress=progress)


def by_kpi(panel: "Panel", chosen: "Design", kpis: tuple[str, ...]) -> "dict[str, Design]":
    """What a chosen design can find in other KPIs."""
    from experiments.design.plan import power

    goal = replace(
        chosen.goal, treatment_geos=chosen.treatment_geos, durations=(chosen.duration,), iroas=None, icpa=None
    )
    return {kpi: power(panel, replace(goal, kpi=kpi, budget=None)) for kpi in kpis}


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


def record_of(chosen: "Design", start: str | None, name: str | None) -> "Experiment":
    """The record of a design, ready to be analysed once the test has run.

    Raises:
        DataError: Where the first day is none, or the name cannot name a test.
    """
    from experiments import records

    try:
        first = date.fromisoformat(start) if start else None
    except ValueError:
        raise DataError(f"--start: found '{shown(start)}', a day is written YYYY-MM-DD") from None
    return records.parse(chosen.record(first, name).to_dict(), results=False)[0]


def dossier(
    panel: "Panel",
    goal: "Goal",
    *,
    kpis: tuple[str, ...] = (),
    pick: int = 1,
    start: str | None = None,
    name: str | None = None,
    about: "About | None" = None,
    progress: Progress | None = None,
) -> "Dossier":
    """Designs that answer a goal, with what a page and a table tell of them.

    Args:
        panel: KPI and media.
        goal: What is asked.
        kpis: KPIs; the first is the goal's, of the others it is said what the chosen design can find.
        pick: Rank of the chosen design, from 1.
        start: First day of the test; the day after the data where ``None``.
        name: Name of the test.
        about: The study it belongs to.
        progress: Called with steps done, steps in all and what was done.

    Raises:
        DataError: Where goal, data, day or name are wrong, or there are fewer designs than ``pick``.
        DesignError: Where no design meets the constraints.
    """
    from theodolite.report.experiment import About, Dossier

    found = designs(panel, goal, progress)
    if pick > len(found.designs):
        raise DataError(f"--pick: found {pick}; there are {len(found.designs)} designs")
    chosen = found.designs[pick - 1]
    return Dossier(
        record_of(chosen, start, name),
        panel,
        designs=found,
        chosen=chosen,
        other_kpis=by_kpi(panel, chosen, kpis[1:]),
        about=about or About(currency=panel.currency),
    )
