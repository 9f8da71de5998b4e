"""Rank tests by what their results are worth to the budget, less what they cost.

The posterior is that of the fit with tests: the budget is decided on its curves, and a test's simulated change and the
return of the next money are functions of the same draws, so that a read-out of one says what it means for the other.
The unified view has no curves; what it knows beyond the fit (attribution's biased hint) changes no budget today.

All candidates are valued by the Gaussian approximation; the best of each channel and direction by all three estimators.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from calibration.next_test.asked import Budgeting, Terms
from calibration.next_test.calendar import Stretch
from calibration.next_test.calendar import registered as taken_by
from calibration.next_test.candidates import Candidate, Progress, Wanted
from calibration.next_test.decision import Decision, decision_of
from calibration.next_test.meaning import readings
from calibration.next_test.options import Option, Work, options, screened
from calibration.next_test.portfolio import Joint, Member, Offer, greedy
from calibration.next_test.result import NOTHING, Cost, Expected, NextTests, Planned, TestValue, Together
from calibration.next_test.value import (
    Believed,
    blocks_of,
    by_gaussian,
    by_regression,
    by_weights,
    jackknife_error,
    perfect,
)
from calibration.quantity import Quantity
from experiments.records import Experiment
from measurement.errors import refuse, shown
from measurement.mmm import Posterior
from measurement.panel import Panel
from measurement.plan.horizon import YEAR, business_as_usual, following
from measurement.provenance import Provenance, versions
from measurement.typing import Floats

MOST_DRAWS = 1000
CHANCES = 4000


def next_tests(
    post: Posterior,
    panel: Panel,
    budgeting: Budgeting,
    *,
    wanted: Wanted | None = None,
    terms: Terms | None = None,
    registered: Sequence[Experiment] = (),
    withheld: Mapping[str, str] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> NextTests:
    """Rank the tests that could be run next.

    Args:
        post: The fit with tests.
        panel: Its data.
        budgeting: The decision.
        wanted: Which tests are compared.
        terms: What they cost besides, and how many may be run.
        registered: Records of tests; those that run or are planned after the data keep their geos.
        withheld: Channels whose number waits for the resolution of a conflict, with the reason: they are valued as if
            they were free to move, since a test may be what resolves it.
        seed: Seed of the search and of the simulated read-outs of the portfolio.
        progress: Called with steps done, steps in all and what is being done; raising in it stops the work.

    Raises:
        DataError: Everything that is wrong about the settings.
        DesignError: Where no test of any channel could be planned.
    """
    wanted, terms = wanted or Wanted(), terms or Terms()
    refuse([*budgeting.problems(panel), *wanted.problems(panel), *terms.problems()])
    few = post.thinned(MOST_DRAWS)
    plan = business_as_usual(panel, budgeting.horizon or YEAR[panel.period])
    work = Work(few, panel, wanted, terms, seed, progress, len(plan.dates), budgeting.margin)
    groups, left_out, notes = options(work, registered)
    work.told(0, 2, "response curves")
    decision = decision_of(
        few,
        panel,
        plan,
        margin=budgeting.margin,
        total=budgeting.total,
        spend_all=budgeting.spend_all,
        bounds=budgeting.bounds,
        otherwise=budgeting.otherwise,
    )
    now = decision.best(decision.mean[None]).spend[0]
    gain = perfect(decision, now)
    evpi = Expected(float(gain.mean()), jackknife_error(_without_blocks(gain)))
    picked = [best for best in (screened(work, decision, now, group) for group in groups) if best is not None]
    late = {group[0].candidate.channel for group in groups} - {option.candidate.channel for option in picked}
    left_out |= dict.fromkeys(sorted(late), "no result would be known before the horizon ends")
    tests, offers = _ranked(work, decision, now, picked, evpi)
    taken = taken_by(registered, panel)
    waiting = [f"'{shown(name)}' is valued as if it could move: {why}" for name, why in (withheld or {}).items()]
    busy = [f"'{shown(each.name)}' keeps its markets for {each.after} {panel.period}s" for each in taken]
    return NextTests(
        tests=tests,
        left_out=left_out,
        portfolio=_portfolio(work, decision, now, offers, taken, NOTHING * evpi.value),
        plan=_planned(decision, now),
        evpi=evpi,
        compared=sum(len(group) for group in groups),
        horizon=work.horizon,
        first=str(plan.dates[0].astype("datetime64[D]")),
        period=panel.period,
        total=decision.total,
        margin=budgeting.margin,
        currency=panel.currency,
        kpi=panel.kpi,
        converged=post.converged,
        notes=(*waiting, *busy, *notes),
        provenance=_provenance(post, panel, budgeting, wanted, terms, seed),
    )


def _planned(decision: Decision, now: Floats) -> dict[str, Planned]:
    columns = (decision.usual, now, decision.spend[:, 0], decision.spend[:, -1])
    return {
        name: Planned(*map(float, row)) for name, row in zip(decision.channels, zip(*columns, strict=True), strict=True)
    }


def _portfolio(
    work: Work, decision: Decision, now: Floats, offers: Sequence[Offer], taken: Sequence[Stretch], least: float
) -> tuple[Together, ...]:
    work.told(0, 1, "tests together")
    chosen = greedy(
        work.panel,
        offers,
        Joint(decision, now, work.seed),
        work.horizon,
        most=work.terms.most,
        least=least,
        money=np.inf if work.terms.money is None else work.terms.money,
        taken=taken,
    )
    return tuple(_together(work.panel, member) for member in chosen)


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """A test's value in money: of the result today, of a perfect one, of the result when it comes, and what is left."""

    evsi: Expected
    evppi: float
    left: float
    net: Expected
    without: Floats
    agree: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Valued:
    """An option with what its simulated results are worth."""

    option: Option
    believed: Believed
    estimates: Mapping[str, float]
    evppi: float
    costs: Floats


def _valued(work: Work, decision: Decision, now: Floats, option: Option) -> _Valued:
    read_out = option.read_out()
    costs = option.costs(work.margin, work.panel.kpi_value)
    believed = by_weights(decision, read_out, now)
    estimates = {
        "psis": believed.value,
        "regression": by_regression(decision, read_out, now),
        "gaussian": by_gaussian(decision, read_out, now),
    }
    return _Valued(option, believed, estimates, by_gaussian(decision, read_out, now, kept=1.0), costs)


def _ranked(
    work: Work, decision: Decision, now: Floats, picked: Sequence[Option], evpi: Expected
) -> tuple[tuple[TestValue, ...], list[Offer]]:
    """Tests by net value, and the same as offers to the portfolio.

    The order 0 <= EVSI <= EVPPI <= EVPI holds of the true values; where Monte Carlo error breaks it, the larger one is
    brought down.
    """
    valued, rows = [], []
    for step, option in enumerate(picked):
        work.told(step, len(picked), "simulated results")
        each = _valued(work, decision, now, option)
        valued.append(each)
        evppi = min(each.evppi, evpi.value)
        scale = min(1.0, evppi / each.believed.value) if each.believed.value > 0 else 1.0
        left = 1 - each.option.known / work.horizon
        offer = each.option.offer
        lost = np.maximum(_without_blocks(each.costs), 0.0) + offer.besides
        without = scale * left * each.believed.jackknife - lost
        evsi = Expected(scale * each.believed.value, scale * each.believed.error)
        net = Expected(evsi.value * left - offer.cost, jackknife_error(without))
        rows.append(_Sums(evsi, evppi, left, net, without, _agree(each.estimates, evsi, evpi)))
    best = _chances(np.array([row.net.value for row in rows]), np.array([row.without for row in rows]), work.seed)
    tests = [
        _test_value(work, decision, now, each, row, float(chance))
        for each, row, chance in zip(valued, rows, best, strict=True)
    ]
    offers = [replace(each.option.offer, alone=row.evsi.value) for each, row in zip(valued, rows, strict=True)]
    order = sorted(range(len(tests)), key=lambda i: (-tests[i].net.value, tests[i].channel, tests[i].direction))
    return tuple(tests[i] for i in order), [offers[i] for i in order]


def _agree(estimates: Mapping[str, float], evsi: Expected, evpi: Expected) -> bool:
    """Whether estimators differ by no more than their error, a quarter, or what is next to nothing."""
    values = estimates.values()
    return max(values) - min(values) <= max(0.25 * max(values), 4 * evsi.error, NOTHING * evpi.value)


def _test_value(work: Work, decision: Decision, now: Floats, each: _Valued, sums: _Sums, best: float) -> TestValue:
    candidate, panel = each.option.candidate, work.panel
    design = candidate.design
    per_unit = panel.kpi_value / candidate.spend_delta
    believed = np.quantile(each.option.read_out().delta * per_unit, [0.5, 0.05, 0.95])
    notes = list(design.notes)
    if each.option.start:
        notes.append(f"its markets are free after {each.option.start} {panel.period}s only")
    if each.believed.trusted < 1:
        notes.append(f"weights could be trusted for {each.believed.trusted:.0%} of the simulated results")
    return TestValue(
        channel=candidate.channel,
        direction=design.goal.direction,
        spend_change=design.goal.change,
        record=_record(panel, candidate, each.option.start),
        duration=design.duration,
        cooldown=design.cooldown,
        known=each.option.known,
        mde=design.mde,
        std_error=candidate.std_error,
        iroas_error=candidate.std_error * abs(per_unit),
        iroas=Quantity(*map(float, believed)),
        grade=candidate.grade,
        spend_delta=candidate.spend_delta,
        estimates=each.estimates,
        agree=sums.agree,
        evsi=sums.evsi,
        evppi=sums.evppi,
        trusted=each.believed.trusted,
        value=Expected(sums.evsi.value * sums.left, sums.evsi.error * sums.left),
        cost=Cost.of(each.costs, each.option.offer.besides),
        net=sums.net,
        chance_best=best,
        readings=readings(decision, each.believed, now, candidate.channel, per_unit) if sums.evsi.value > 0 else (),
        notes=tuple(notes),
    )


def _chances(net: Floats, without: Floats, seed: int) -> Floats:
    """Chance of each test to be the best, not testing included, by the jackknife's joint Normal, shape (tests,)."""
    if not net.size:
        return net
    blocks = without.shape[1]
    spread = np.sqrt((blocks - 1) / blocks) * (without - without.mean(axis=1, keepdims=True))
    drawn = net + np.random.default_rng([seed, 3]).standard_normal((CHANCES, blocks)) @ spread.T
    winner = np.where(drawn.max(axis=1) > 0, drawn.argmax(axis=1), -1)
    return np.asarray(np.bincount(winner[winner >= 0], minlength=net.size) / CHANCES)


def _without_blocks(values: Floats) -> Floats:
    """The mean without each block of draws, shape (blocks,)."""
    block = blocks_of(values.size)
    sums, counts = np.bincount(block, values), np.bincount(block)
    return np.asarray((values.sum() - sums) / (values.size - counts))


def _record(panel: Panel, candidate: Candidate, start: int) -> Experiment:
    first = following(panel, start + 1)[-1].astype("datetime64[D]").item()
    return candidate.design.record(first)


def _together(panel: Panel, member: Member) -> Together:
    candidate = member.offer.candidate
    return Together(
        channel=candidate.channel,
        direction=candidate.design.goal.direction,
        record=_record(panel, candidate, member.start),
        adds=member.adds,
        cost=member.offer.cost,
        known=member.known,
    )


def _provenance(
    post: Posterior, panel: Panel, budgeting: Budgeting, wanted: Wanted, terms: Terms, seed: int
) -> Provenance:
    bounds = {str(name): str(bound) for name, bound in budgeting.bounds.items()}
    settings = {
        "margin": budgeting.margin,
        "total": budgeting.total,
        "spend_all": budgeting.spend_all,
        "bounds": bounds | {"otherwise": str(budgeting.otherwise)},
        "horizon": budgeting.horizon,
        "channels": list(wanted.channels),
        "directions": list(wanted.directions),
        "durations": list(wanted.durations),
        "geos": None if wanted.geos is None else list(wanted.geos),
        "cooldown": wanted.cooldown,
        "heavy_up": wanted.heavy_up,
        "fixed": terms.fixed,
        "per_market": terms.per_market,
        "money": terms.money,
        "most": terms.most,
        "draws": MOST_DRAWS,
    }
    return Provenance(
        data=panel.sha256,
        settings=settings,
        seed=seed,
        versions=versions("numpy", "scipy", "arviz-stats"),
        parents=(post.provenance.sha256, *post.provenance.parents),
    )
