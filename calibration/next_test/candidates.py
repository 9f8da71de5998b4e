"""Candidates: tests that could be run next, each with what it can find on the study's own panel.

Which geos make a good test does not depend on the channel (the search looks at the KPI alone), so sets of geos are
searched once for each direction and priced for every channel.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from calibration.widening import GRADE_SD
from experiments.planning.cost import cost, usual_spend
from experiments.planning.goal import DIRECTIONS, Direction, Goal
from experiments.planning.plan import design
from experiments.planning.proposal import Design
from experiments.records import Grade
from measurement.errors import DesignError, Problem, did_you_mean, refuse, shown
from measurement.panel import Panel
from measurement.typing import Floats

type Progress = Callable[[int, int, str], None]
"""Called with steps done, steps in all and what is being done; it may raise to stop."""

DURATIONS = {"day": (28, 42), "week": (4, 6, 8), "month": (2, 3)}
COOLDOWN = {"day": 14, "week": 2, "month": 1}
SIZES = (1 / 8, 1 / 4, 2 / 5)
"""Shares of the geos that are treated, where nobody asks for others."""
USUAL: tuple[Direction, ...] = ("go_dark", "heavy_up")
CHANGES: Mapping[Direction, float] = {"go_dark": -1.0, "holdout": -1.0, "heavy_up": 1.0}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which tests are compared.

    Attributes:
        channels: The channels; all that cost money where empty.
        directions: ``go_dark``, ``heavy_up``, ``holdout``.
        durations: Lengths in periods; usual ones for the cadence where empty.
        geos: Fewest and most treated geos; an eighth to two fifths of them where ``None``.
        cooldown: Periods read out afterwards; two weeks (a month of monthly data) where ``None``.
        heavy_up: By how much a heavy-up test raises spend, as a share of business as usual.
        exclude: Geos that are not treated.
        busy: Geos that take no part.
    """

    channels: tuple[str, ...] = ()
    directions: tuple[Direction, ...] = USUAL
    durations: tuple[int, ...] = ()
    geos: tuple[int, int] | None = None
    cooldown: int | None = None
    heavy_up: float = 1.0
    exclude: tuple[str, ...] = ()
    busy: tuple[str, ...] = ()

    def problems(self, panel: Panel) -> list[Problem]:
        """Everything that is no channel, direction or number that it could be."""
        found = [
            Problem(f"unknown channel '{shown(name)}'{did_you_mean(name, panel.channels)}", code="unknown-channel")
            for name in dict.fromkeys(self.channels)
            if name not in panel.channels
        ]
        allowed = [name for name in DIRECTIONS if name in CHANGES]
        found += [
            Problem(
                f"unknown direction '{shown(name)}'{did_you_mean(name, allowed)}; allowed are {', '.join(allowed)}",
                code="unknown-direction",
            )
            for name in self.directions
            if name not in allowed
        ]
        if self.geos is not None and not 1 <= self.geos[0] <= self.geos[1]:
            words = f"found {self.geos[0]}:{self.geos[1]} geos; a test treats 1 geo or more, the smaller number first"
            found.append(Problem(words, column="geos", code="reversed-range"))
        if not (np.isfinite(self.heavy_up) and self.heavy_up > 0):
            words = f"a heavy-up test of {self.heavy_up:g}: it raises spend by a share above 0, such as 1 for double"
            found.append(Problem(words, code="spend-change"))
        return found

    def lengths(self, panel: Panel) -> tuple[int, ...]:
        """Lengths to compare."""
        return self.durations or DURATIONS[panel.period]

    def after(self, panel: Panel) -> int:
        """Periods read out after a test."""
        return COOLDOWN[panel.period] if self.cooldown is None else self.cooldown

    def sizes(self, panel: Panel) -> tuple[int, ...]:
        """Numbers of treated geos to compare, three at most."""
        if self.geos is not None:
            low, high = self.geos
            return tuple(dict.fromkeys((low, (low + high) // 2, high)))
        count = len(panel.geos)
        return tuple(sorted({max(1, round(share * count)) for share in SIZES}))

    def change(self, direction: Direction) -> float:
        """Change of spend in the treated geos as a share of business as usual."""
        return self.heavy_up if direction == "heavy_up" else CHANGES[direction]


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One test of one channel.

    Attributes:
        channel: The channel.
        design: Its geos, length, power and money.
        usual: Business-as-usual money per period by geo of the panel, shape (geos,).
        treated: Rows of the treated geos.
        std_error: Standard error of its outcome change, KPI units over treated geos and read-out.
        grade: Grade that its evidence will have.
        spend_delta: Change of spend, signed.
    """

    channel: str
    design: Design
    usual: Floats
    treated: tuple[int, ...]
    std_error: float
    grade: Grade
    spend_delta: float

    @property
    def relative_sd(self) -> float:
        """Further error as a share of the effect, by the grade."""
        return GRADE_SD[self.grade]

    @property
    def length(self) -> int:
        """Periods from its first day until its result is known."""
        return self.design.duration + self.design.cooldown


def searched(
    panel: Panel, wanted: Wanted, *, seed: int, progress: Progress | None = None
) -> tuple[dict[Direction, list[Design]], list[str]]:
    """Sets of geos and lengths by direction, whatever the channel, and what could not be had.

    Raises:
        DataError: Where what is wanted makes no sense on this panel.
        DesignError: Where there is one market only.
    """
    refuse(wanted.problems(panel))
    if len(panel.geos) == 1:
        raise DesignError(
            "the study has one market, and a lift test compares markets: plan a switchback (theodolite experiments "
            "design --method switchback) or a test on users (experiments design-users)"
        )
    found: dict[Direction, list[Design]] = {}
    notes: list[str] = []
    steps = [(direction, size) for direction in dict.fromkeys(wanted.directions) for size in wanted.sizes(panel)]
    for step, (direction, size) in enumerate(steps):
        if progress is not None:
            progress(step, len(steps), "sets of markets")
        goal = Goal(
            channel=panel.channels[:1],
            durations=wanted.lengths(panel),
            geos=(size, size),
            direction=direction,
            spend_change=wanted.change(direction),
            cooldown=wanted.after(panel),
            exclude=wanted.exclude,
            busy=wanted.busy,
            seed=seed,
        )
        try:
            made = design(panel, goal)
        except DesignError as error:
            notes.append(f"{direction} with {size} geos: {error}")
            continue
        found.setdefault(direction, []).extend(made.designs)
        notes += made.notes
    return found, list(dict.fromkeys(notes))


def priced(panel: Panel, found: Sequence[Design], channel: str) -> list[Candidate]:
    """The same sets of geos and lengths as tests of one channel; none where nothing is spent on it."""
    made = []
    for each in found:
        goal = replace(each.goal, channel=(channel,))
        usual = usual_spend(panel, goal, each.duration)
        rows = panel.geo_index(each.treatment_geos)
        if usual is None or not usual[rows].sum() > 0 or not np.isfinite(each.mde):
            continue
        made.append(placed(panel, replace(each, goal=goal), usual / each.duration))
    return made


def placed(panel: Panel, each: Design, usual: Floats) -> Candidate:
    """A design with its own treated geos as a candidate, priced for its goal's channel."""
    rows = panel.geo_index(each.treatment_geos)
    level = float(np.abs(panel.outcome[rows, -(each.duration + each.cooldown) :]).sum())
    money = cost(panel, each.goal, rows, each.duration)
    return Candidate(
        channel=each.goal.channel[0],
        design=replace(each, cost=money, mde_absolute=each.mde * level, detectable_return=None),
        usual=usual,
        treated=tuple(rows.tolist()),
        std_error=relative_error(each) * level,
        grade="A" if each.inference.startswith("exact") else "B",
        spend_delta=float(usual[rows].sum() * each.duration * each.goal.change),
    )


def relative_error(each: Design) -> float:
    """Standard error of a design as a share of the treated geos' KPI.

    What it missed in rehearsals without an effect, or what its smallest detectable effect implies, whichever is larger:
    the second is what the analysis, with its own stretched intervals, will report.
    """
    normal = NormalDist()
    reach = normal.inv_cdf(1 - each.goal.alpha / 2) + normal.inv_cdf(each.goal.power)
    return max(each.power.rmse, each.mde / reach)


def lacking(panel: Panel, channel: str) -> str:
    """Why no test of a channel can be planned; empty where one can."""
    c = panel.channels.index(channel)
    if not panel.spend[..., c].sum() > 0:
        return "it costs no money, so no budget decision hangs on it"
    goal = Goal(channel=(channel,), durations=(1,), geos=(1, 1))
    usual = usual_spend(panel, goal, 1)
    if usual is None or not usual.sum() > 0:
        return "nothing was spent on it in the last quarter: there is nothing to change"
    return ""
