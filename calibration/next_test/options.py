"""Options: candidates with their simulated change and the first period in which their markets are free."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calibration.next_test.asked import Terms
from calibration.next_test.calendar import free_from
from calibration.next_test.calendar import registered as taken_by
from calibration.next_test.candidates import Candidate, Progress, Wanted, lacking, priced, searched
from calibration.next_test.decision import Decision
from calibration.next_test.portfolio import Offer
from calibration.next_test.simulated import Change, changed
from calibration.next_test.value import ReadOut, by_gaussian
from experiments.records import Experiment
from measurement.errors import DesignError
from measurement.mmm import Posterior
from measurement.panel import Panel
from measurement.typing import Floats

SCREENED = 64
"""Quantiles by which a candidate is valued at first."""


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What every step needs."""

    post: Posterior
    panel: Panel
    wanted: Wanted
    terms: Terms
    seed: int
    progress: Progress | None
    horizon: int
    margin: float

    def told(self, done: int, total: int, what: str) -> None:
        """Tell how far the work has come."""
        if self.progress is not None:
            self.progress(done, total, what)


@dataclass(frozen=True, slots=True, eq=False)
class Option:
    """A candidate with its simulated change and the first period in which its geos are free."""

    offer: Offer
    change: Change
    start: int

    @property
    def candidate(self) -> Candidate:
        """The test."""
        return self.offer.candidate

    @property
    def known(self) -> int:
        """Periods from the end of the data until its result is known."""
        return self.start + self.candidate.length

    def read_out(self) -> ReadOut:
        """Its result before it is known."""
        delta = self.change.read_out[:, list(self.candidate.treated)].sum(axis=1)
        return ReadOut(delta, self.candidate.std_error, self.candidate.relative_sd)

    def costs(self, margin: float, kpi_value: float) -> Floats:
        """What it loses in each draw against business as usual, shape (draws,)."""
        sales = self.change.whole[:, list(self.candidate.treated)].sum(axis=1)
        return np.asarray(self.candidate.spend_delta - margin * kpi_value * sales)


def options(work: Work, registered: Sequence[Experiment]) -> tuple[list[list[Option]], dict[str, str], list[str]]:
    """Options by channel and direction, channels that have none with the reason, and notes.

    Raises:
        DesignError: Where there is no option at all.
    """
    panel, wanted = work.panel, work.wanted
    taken = taken_by(registered, panel)
    now = [stretch for stretch in taken if stretch.first < min(wanted.lengths(panel)) + wanted.after(panel)]
    treated = {geo for stretch in now for geo in stretch.treated}
    others = {geo for stretch in now for geo in stretch.geos} - treated
    kept = replace(
        wanted,
        busy=tuple(sorted(treated | set(wanted.busy))),
        exclude=tuple(sorted((others | set(wanted.exclude)) - treated)),
    )
    found, notes = searched(panel, kept, seed=work.seed, progress=work.progress)
    if not found and now:  # the markets are all taken: plan for the time after
        found, notes = searched(panel, wanted, seed=work.seed, progress=work.progress)
    names = wanted.channels or panel.channels
    left_out = {name: why for name in names if (why := lacking(panel, name))}
    if not found:
        raise DesignError("no test of any channel could be planned: " + "; ".join(notes[:3]))
    groups = []
    for step, name in enumerate(names):
        work.told(step, len(names), "effects of tests")
        runs: dict[tuple[float, int], Change] = {}
        for designs in found.values() if name not in left_out else ():
            group = []
            for candidate in priced(panel, designs, name):
                design = candidate.design
                key = (design.goal.change, design.duration)
                if key not in runs:
                    length = (design.goal.change, design.duration, design.cooldown)
                    runs[key] = changed(work.post, panel, name, candidate.usual, *length)
                start = free_from(design.treatment_geos, candidate.length, taken)
                group.append(Option(_offer(work, candidate, runs[key]), runs[key], start))
            if group:
                groups.append(group)
            else:
                left_out[name] = "no set of markets that spends on it would find an effect of any size"
    return groups, left_out, notes


def _offer(work: Work, candidate: Candidate, change: Change) -> Offer:
    goal = candidate.design.goal
    spend = candidate.usual * candidate.design.duration * goal.change
    sales = work.margin * work.panel.kpi_value * change.whole.mean(axis=0)
    return Offer(candidate, change.read_out, spend - sales, work.terms.per_market, work.terms.fixed, 0.0)


def screened(work: Work, decision: Decision, now: Floats, group: Sequence[Option]) -> Option | None:
    """The best of the tests of one channel and direction; ``None`` where none is known before the horizon ends."""
    best, most = None, -np.inf
    for option in group:
        left = 1 - option.known / work.horizon
        if left <= 0:
            continue
        net = by_gaussian(decision, option.read_out(), now, count=SCREENED) * left - option.offer.cost
        if net > most:
            best, most = option, net
    return best
