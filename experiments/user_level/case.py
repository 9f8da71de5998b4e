"""Case: a design laid over a table of users — who is compared with whom, on which columns.

Conversion lift compares the arms as they were drawn. Ghost ads and PSA compare the exposed with those who would have
been (Johnson, Lewis and Nubbemeyer 2017); where exposure was predicted by one rule for both arms, all whose exposure
was predicted, reached or not.
"""

from dataclasses import dataclass

import numpy as np

from experiments.records import ON_USERS, Experiment
from experiments.user_level.moments import Cells
from experiments.user_level.users import Users
from measurement.errors import DesignError, Problem, did_you_mean, refuse, shown

FEWEST_USERS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A design with its names turned into cells and columns.

    Attributes:
        kpi: Name of the KPI: the first column of the cells.
        binary: Whether it is 0 or 1 for every user.
        assigned: All users.
        analysed: Those who are compared; the same, or a part.
        restricted: What the part is (``exposed``, ``predicted``); empty where it is all.
        denominator: Name of a ratio's denominator, the second column; ``None`` without one.
        covariates: Names of the columns after that.
        reach: Whether it is known who was reached among the analysed, in treatment at least.
        notes: What a reader should know about how the design met the data.
    """

    kpi: str
    binary: bool
    assigned: Cells
    analysed: Cells
    restricted: str
    denominator: str | None
    covariates: tuple[str, ...]
    reach: bool
    notes: tuple[str, ...]


def resolve(users: Users, design: Experiment, kpi: str | None) -> Case:
    """Lay a design over a table of users.

    Raises:
        DataError: An unknown KPI, or several and none named; users enrolled outside the test; exposure unknown in
            control where the method needs it.
        DesignError: A method that is no test on users; too few users; a KPI that is the same for all.
    """
    if design.method not in ON_USERS:
        raise DesignError(
            f"test '{shown(design.experiment_id)}' has the method '{design.method}', which is no test on users: those "
            f"are {', '.join(ON_USERS)}"
        )
    name = chosen_kpi(users, kpi or design.kpi)
    refuse([*_outside(users, design), *_unknown_exposure(users, design)])
    chosen = [name, *([users.denominator] if users.denominator else []), *users.covariates]
    cells = users.cells.columns(np.array([users.column(each) for each in chosen]))
    analysed, restricted, notes = _population(users, design, cells)
    _refuse_small(analysed, name, restricted)
    return Case(
        kpi=name,
        binary=name in users.binary,
        assigned=cells,
        analysed=analysed,
        restricted=restricted,
        denominator=users.denominator,
        covariates=users.covariates,
        reach=users.has_exposure and restricted != "exposed",
        notes=(*notes, *(str(problem) for problem in users.problems)),
    )


def chosen_kpi(users: Users, name: str | None) -> str:
    """The KPI of that name, or the only one.

    Raises:
        DataError: Where there is none of that name, or none is named and there are several.
    """
    have = ", ".join(shown(each, 30) for each in users.kpis)
    if name is None and len(users.kpis) > 1:
        words = f"the table has the KPIs {have}; say which one the test is about"
        refuse([Problem(words, users.source, column="kpi", code="which-kpi")])
    if name is not None and name not in users.kpis:
        words = f"unknown KPI '{shown(name)}'{did_you_mean(name, users.kpis)}; the table has {have}"
        refuse([Problem(words, users.source, column="kpi", code="unknown-kpi")])
    return name or users.kpis[0]


def _outside(users: Users, design: Experiment) -> list[Problem]:
    """Users enrolled before or after the test."""
    if not users.has_days:
        return []
    first, last = np.datetime64(design.start_date, "D"), np.datetime64(design.end_date, "D")
    cells = users.cells
    early, late = (int(cells.count[off].sum()) for off in (cells.day < first, cells.day > last))
    found = ((early, f"before the test begins ({first})"), (late, f"after the test ends ({last})"))
    return [
        Problem(f"{count:,} users were enrolled {when}", users.source, column="date", code="window-outside")
        for count, when in found
        if count
    ]


def _unknown_exposure(users: Users, design: Experiment) -> list[Problem]:
    if design.method == "conversion_lift" or users.has_prediction:
        return []
    if users.has_exposure and not users.control_exposure:
        words = f"is blank in control; a {design.method} test logs who would have been exposed"
        return [Problem(words, users.source, column="exposed", code="blank")]
    return []


def _population(users: Users, design: Experiment, cells: Cells) -> tuple[Cells, str, list[str]]:
    if design.method == "conversion_lift":
        return cells, "", []
    if users.has_prediction:
        return cells.where(cells.predicted), "predicted", []
    if users.has_exposure:
        return cells.where(cells.exposed), "exposed", []
    note = "the table does not say who was exposed: all of its users are taken to be, or to have been without the test"
    return cells, "", [note]


def _refuse_small(cells: Cells, kpi: str, restricted: str) -> None:
    for arm, own in (("treatment", cells.treatment), ("control", ~cells.treatment)):
        count = int(cells.count[own].sum())
        if count < FEWEST_USERS:
            who = f"{restricted} users" if restricted else "users"
            raise DesignError(f"{count} {who} in {arm} are too few: a test on users needs {FEWEST_USERS} in each arm")
    if not cells.joined().scatter[0, 0] > 0:
        raise DesignError(f"the KPI '{shown(kpi)}' is the same for every user, so there is nothing to compare")
