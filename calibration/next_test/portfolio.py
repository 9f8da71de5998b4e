"""Portfolio: several tests together, chosen one by one for what each adds to those before it.

Two tests are not worth the sum of both: what one of them has settled the other cannot change again. So read-outs of all
chosen tests are simulated together, the draws weighted by all of them, and the plan decided once more. Each result
counts from the day on which it is known until the horizon ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from calibration.next_test.calendar import Stretch, free_from
from calibration.next_test.candidates import Candidate, placed
from calibration.next_test.decision import Decision
from calibration.next_test.value import ReadOut
from experiments.geo.case import FEWEST_DONORS
from experiments.geo.inference.draws import needed_sets
from measurement.panel import Panel
from measurement.typing import Floats

READ_OUTS = 256


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """A test that may join the portfolio.

    Attributes:
        candidate: The test.
        read_outs: Its outcome change, were each geo treated, KPI units, shape (draws, geos).
        costs: What it is expected to lose, were each geo treated, money, shape (geos,).
        per_market: What it costs besides, per treated geo.
        fixed: What it costs besides, once.
        alone: Its value over the whole horizon by itself, money.
    """

    candidate: Candidate
    read_outs: Floats
    costs: Floats
    per_market: float
    fixed: float
    alone: float

    @property
    def besides(self) -> float:
        """What it costs whatever it finds."""
        return self.per_market * len(self.candidate.treated) + self.fixed

    @property
    def cost(self) -> float:
        """What is charged of its cost (`calibration.next_test.result.Cost`)."""
        return max(float(self.costs[list(self.candidate.treated)].sum()), 0.0) + self.besides

    @property
    def extra(self) -> float:
        """Money that has to be found: spend above business as usual, and what the test costs besides."""
        return max(self.candidate.spend_delta, 0.0) + self.besides


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A test of the portfolio.

    Attributes:
        offer: The test, with the geos that it has here.
        start: First period, 0 being the one after the panel.
        adds: Value that it adds to the tests before it, money.
        net: The same less what is charged of its cost.
    """

    offer: Offer
    start: int
    adds: float
    net: float

    @property
    def known(self) -> int:
        """Period in which its result is known."""
        return self.start + self.offer.candidate.length


@dataclass(eq=False)
class Joint:
    """Values of sets of tests, each worked out once.

    Attributes:
        decision: What is decided.
        now: The plan of today.
        seed: Seed of the simulated read-outs.
    """

    decision: Decision
    now: Floats
    seed: int
    _draws: Floats = field(init=False)
    _known: dict[frozenset[tuple[str, tuple[int, ...]]], float] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.decision.value)
        rng = np.random.default_rng([self.seed, 1])
        self._draws = np.floor(np.linspace(0, count, READ_OUTS, endpoint=False) + rng.random(READ_OUTS)).astype(int)
        self._draws = np.minimum(rng.permutation(count)[np.minimum(self._draws, count - 1)], count - 1)

    def value(self, offers: Sequence[Offer]) -> float:
        """Expected gain over the whole horizon of knowing all these results."""
        if not offers:
            return 0.0
        key = frozenset((_name(offer), offer.candidate.treated) for offer in offers)
        if key not in self._known:
            self._known[key] = self._simulated(offers)
        return self._known[key]

    def _simulated(self, offers: Sequence[Offer]) -> float:
        log = np.zeros((READ_OUTS, len(self.decision.value)))
        for offer in sorted(offers, key=_name):
            found = offer.candidate
            delta = offer.read_outs[:, list(found.treated)].sum(axis=1)
            read_out = ReadOut(delta, found.std_error, found.relative_sd)
            # The error of a channel's test is the same in whatever company it is simulated.
            place = sum(map(ord, found.channel)) * 4 + len(found.design.goal.direction)
            rng = np.random.default_rng([self.seed, 2, place])
            even = (rng.permutation(READ_OUTS) + rng.random(READ_OUTS)) / READ_OUTS
            noise = read_out.drawn(np.clip(even, 1e-4, 1 - 1e-4)[:, None])
            log += read_out.log_likelihood(noise[np.arange(READ_OUTS), self._draws])
        weights = np.exp(log - log.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        means = np.tensordot(weights, self.decision.value, axes=1)
        return float(self.decision.gains(means, self.now)[0].mean())


def greedy(
    panel: Panel,
    offers: Sequence[Offer],
    joint: Joint,
    horizon: int,
    *,
    most: int,
    least: float = 0.0,
    money: float = np.inf,
    taken: Sequence[Stretch] = (),
) -> tuple[Member, ...]:
    """Choose tests one by one, each of another channel, as long as the next one earns more than it costs.

    Args:
        panel: The data.
        offers: The tests.
        joint: Values of sets of them.
        horizon: Periods that the decision lasts.
        most: How many tests at most.
        least: Money that a test must leave to be worth the trouble.
        money: Money that may be spent on tests, above business as usual.
        taken: Registered tests.
    """
    chosen: list[Member] = []
    while len(chosen) < most:
        left = money - sum(member.offer.extra for member in chosen)
        busy = [*taken, *(_stretch(member) for member in chosen)]
        open_to = [o for o in offers if all(o.candidate.channel != m.offer.candidate.channel for m in chosen)]
        tried = [member for offer in open_to for member in _placed(panel, offer, busy, chosen, horizon)]
        before = _worth(chosen, joint, horizon)
        priced = []
        for member in tried:
            adds = _worth([*chosen, member], joint, horizon) - before
            priced.append(replace(member, adds=adds, net=adds - member.offer.cost))
        affordable = [member for member in priced if member.offer.extra <= left and member.net > least]
        if not affordable:
            break
        chosen.append(max(affordable, key=lambda member: member.net))
    return tuple(chosen)


def _placed(
    panel: Panel, offer: Offer, busy: Sequence[Stretch], chosen: Sequence[Member], horizon: int
) -> list[Member]:
    """The test with its own geos when they are free, and at once with others of its draw that meet nobody."""
    found, length = offer.candidate, offer.candidate.length
    start = free_from(found.design.treatment_geos, length, busy)
    members = [Member(offer, start, 0.0, 0.0)]
    other = _elsewhere(panel, offer, busy) if start > 0 else None
    if other is not None:
        members.append(Member(other, 0, 0.0, 0.0))
    enough = partial(_has_controls, panel, chosen)
    return [member for member in members if member.known < horizon and enough(member)]


def _elsewhere(panel: Panel, offer: Offer, busy: Sequence[Stretch]) -> Offer | None:
    """The same test on another set of its own draw that is free now; enough sets must be left to draw from."""
    design = offer.candidate.design
    if design.assignment is None:
        return None
    length = offer.candidate.length
    sets = tuple(each for each in design.assignment.candidates if free_from(each, length, busy) == 0)
    if len(sets) < needed_sets(design.goal.alpha):
        return None
    taken = sets[int(np.random.default_rng(design.goal.seed).integers(len(sets)))]
    assignment = design.assignment.model_copy(update={"candidates": sets})
    controls = tuple(geo for geo in design.assignment.eligible if geo not in taken)
    moved = replace(design, treatment_geos=taken, control_geos=controls, assignment=assignment)
    return replace(offer, candidate=placed(panel, moved, offer.candidate.usual))


def _has_controls(panel: Panel, chosen: Sequence[Member], member: Member) -> bool:
    """Whether enough geos are treated by no test while this one runs."""
    others = [m for m in chosen if m.start < member.known and member.start < m.known]
    treated = {row for m in (*others, member) for row in m.offer.candidate.treated}
    return len(panel.geos) - len(treated) >= FEWEST_DONORS


def _worth(members: Sequence[Member], joint: Joint, horizon: int) -> float:
    """Value of tests whose results come in one after the other, each counting until the horizon ends."""
    ordered = sorted(members, key=lambda member: member.known)
    ends = [*(member.known for member in ordered), horizon]
    total = 0.0
    for count in range(1, len(ordered) + 1):
        part = [member.offer for member in ordered[:count]]
        total += _level(part, joint) * max(ends[count] - ends[count - 1], 0) / horizon
    return total


def _level(offers: Sequence[Offer], joint: Joint) -> float:
    """Value over the whole horizon: that of the best by itself, and what the joint simulation says the rest adds."""
    best = max(offers, key=lambda offer: offer.alone)
    return best.alone + joint.value(offers) - joint.value([best])


def _stretch(member: Member) -> Stretch:
    found = member.offer.candidate
    geos = frozenset(found.design.treatment_geos)
    return Stretch(_name(member.offer), geos, geos, member.start, member.known)


def _name(offer: Offer) -> str:
    return f"{offer.candidate.channel}/{offer.candidate.design.goal.direction}"
