"""Reconcile: one number per channel from the model, the tests and attribution, each piece of evidence once.

What goes in (no double counting): the fit *without* tests, the raw tests, and one attribution model as a feature with
an estimated bias. Where a calibrated fit is all there is, the tests that it was fitted with are dropped here; where
attribution was itself calibrated by tests, it is dropped. Platform reports are shown and never used: a platform's claim
is attribution by an interested party, and brings nothing that the journeys do not.

The joint model and its integration: `calibration.evidence_model`, `calibration.integrate`; rules for words:
`calibration.verdict`; formulas: ``docs/math_calibration.md``.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from attribution.credit import Attribution
from attribution.labels import label
from calibration import campaigns
from calibration.conflict import Conflict, judge, withheld
from calibration.curves import DRAWS, Curves, days, log_ratio
from calibration.evidence import Evidence
from calibration.evidence_model import MethodPriors, Sources
from calibration.inputs import calibrated_by, check, notes, once
from calibration.integrate import NODES, Fusion, integrate
from calibration.parts import Tipping, Without
from calibration.side_by_side import SideBySide, by_channel
from calibration.sources import Attributed, Blocks, Grain, attribution_source, mmm_source, tests_of
from calibration.unified import Unified, cells
from calibration.verdict import advised, in_words, move, rests_on, state_of, tipping
from calibration.view import ChannelView, View
from measurement import mmm
from measurement.metrics import break_even_iroas
from measurement.mmm import Posterior
from measurement.panel import Panel
from measurement.provenance import Provenance, versions
from measurement.typing import Floats

DEMAND = ("no", "some", "strong")


def reconcile(
    panel: Panel,
    posterior: Posterior,
    evidence: Sequence[Evidence] = (),
    attribution: Attribution | None = None,
    *,
    calibrated: Posterior | None = None,
    conflicts: Sequence[Conflict] | None = None,
    resolved: Collection[str] = (),
    platform: pd.DataFrame | None = None,
    margin: float = 1.0,
    start: date | None = None,
    end: date | None = None,
    by: Grain = "quarter",
    markets: Sequence[str] = (),
    seed: int = 0,
    priors: MethodPriors | None = None,
) -> View:
    """Unify everything that is known of each channel.

    Args:
        panel: Media and outcome.
        posterior: The fit without tests (a calibrated one drops its own tests from ``evidence`` here).
        evidence: The raw tests.
        attribution: Credit by several models on the same paths.
        calibrated: The fit with tests, to be shown beside.
        conflicts: Judgements on the tests; those unresolved withhold their channels' numbers. Judged here, by the fit
            without tests, where not given.
        resolved: Ids of tests whose conflict someone has decided on.
        platform: ``date, channel, value``: what platforms report; shown only.
        margin: Contribution margin; break-even iROAS is 1 / margin.
        start: First day that the numbers cover; the panel's by default.
        end: Last day.
        by: Whether the view's cells are months or quarters.
        markets: Markets that the cells tell apart.
        seed: Seed of the integration.
        priors: What is believed of the methods.

    Raises:
        DataError: With everything that is wrong about the inputs.
    """
    check(panel, evidence, platform, margin=margin, start=start, end=end, by=by, markets=markets)
    posterior.check(panel)
    used, break_even = once(evidence, posterior), break_even_iroas(margin)
    attributed = _counted(attribution, evidence, panel)
    window = panel.window(start or panel.dates[0], end or panel.dates[-1])
    months, thinned = Blocks.calendar(panel, "month"), posterior.thinned(DRAWS)
    curves = Curves.of(thinned, panel, used, window, attributed)
    sources = _sources(panel, posterior, curves, used, attributed, months)
    answers = _integrated(
        sources, priors, curves, seed, lambda f: Unified.of(panel, curves, f, attributed, months, window, seed)
    )
    reasons = withheld(_judged(used, curves, panel) if conflicts is None else conflicts, resolved)
    theirs = None if calibrated is None else _iroas(calibrated, panel, window)
    shown = SideBySide.of(
        panel, _iroas(posterior, panel, window), used, sources.tests, theirs, attributed, platform, window
    )
    parts = panel, thinned, curves, answers.fusion, months, Blocks.calendar(panel, by), markets, window, break_even
    split = () if attributed is None else campaigns.split(panel, attributed, answers.all.credited, frozenset(reasons))
    settings = {"margin": margin, "window": [str(start or ""), str(end or "")], "resolved": sorted(resolved), "by": by}
    parents = _ancestors(panel, posterior, used, attributed)
    made_by = versions("numpy", "scipy", "arviz-stats", "numpyro", "jax")
    return View(
        channels=tuple(
            _channel(c, panel, answers, shown, used, reasons, break_even, window) for c in range(len(panel.channels))
        ),
        derived_from=parents,
        converged=bool(posterior.diagnostics.converged) and answers.fusion.reliable,
        seed=seed,
        versions=made_by,
        window=(str(panel.dates[window.start]), str(panel.dates[window.stop - 1])),
        currency=panel.currency,
        break_even=break_even,
        primary=attributed.primary if attributed else "",
        notes=(*notes(evidence, used, attribution, posterior, panel), *_notes(attributed, posterior)),
        diagnostics=_diagnostics(answers.fusion),
        provenance=Provenance(panel.sha256, settings | {"markets": list(markets)}, seed, made_by, parents),
        cells=cells(*parts, tuple(reasons)),
        campaigns=split,
    )


def _counted(attribution: Attribution | None, evidence: Sequence[Evidence], panel: Panel) -> Attributed | None:
    """Attribution as it goes in; not at all where a test that is handed over went into it."""
    return None if attribution is None or calibrated_by(attribution, evidence) else Attributed.of(attribution, panel)


def _judged(evidence: Sequence[Evidence], curves: Curves, panel: Panel) -> tuple[Conflict, ...]:
    change = [change.sum(axis=1) for change in curves.change]
    return judge([item.lift for item in evidence], change, None, curves.iroas, panel.channels)


def _iroas(posterior: Posterior, panel: Panel, window: slice) -> Floats:
    whole = window == slice(0, len(panel.dates))
    return posterior.draws["iroas"] if whole else mmm.iroas(posterior, panel, *days(panel, window))


def _sources(
    panel: Panel,
    posterior: Posterior,
    curves: Curves,
    evidence: Sequence[Evidence],
    attributed: Attributed | None,
    blocks: Blocks,
) -> Sources:
    credit, credit_sd = attribution_source(attributed, panel)
    within = None if attributed is None else panel.window(attributed.start, attributed.end)
    demand = [DEMAND.index(posterior.spec.channels[name].demand_driven) for name in panel.channels]
    return Sources(
        times=blocks.times,
        spend_share=blocks.shares(panel),
        demand_driven=np.array(demand, dtype=np.int64),
        attribution=credit - np.median(log_ratio(curves.credited, curves.iroas), axis=0),
        attribution_sd=credit_sd,
        attribution_share=blocks.shares(panel, within),
        tests=tests_of(evidence, curves.change, curves.iroas, panel),
        **mmm_source(posterior, panel),
    )


@dataclass(frozen=True, eq=False)
class _Answers:
    """Unified draws with all sources, and with each of them left out."""

    fusion: Fusion
    all: Unified
    without: Mapping[str, Unified]


def _integrated(
    sources: Sources, priors: MethodPriors | None, curves: Curves, seed: int, unify: Callable[[Fusion], Unified]
) -> _Answers:
    """Integrate with every source, and on fewer nodes without each that speaks."""
    count = len(curves.iroas)
    fusion = integrate(sources, priors, seed=seed, curves=count)
    speaks = {
        "mmm": sources.has_mmm.any(),
        "experiments": sources.tests.outcome_change.size > 0,
        "attribution": sources.has_attribution.any(),
    }
    without = {
        source: unify(integrate(sources.without(source), priors, seed=seed, nodes=NODES // 4, curves=count))
        for source, here in speaks.items()
        if here
    }
    return _Answers(fusion, unify(fusion), without)


def _channel(
    c: int,
    panel: Panel,
    answers: _Answers,
    shown: SideBySide,
    evidence: Sequence[Evidence],
    reasons: Mapping[str, str],
    break_even: float,
    window: slice,
) -> ChannelView:
    name, gain = panel.channels[c], answers.fusion.gain
    own = [item for item in evidence if name in item.lift.channels]
    youngest = min((item.age for item in own), default=None)
    spend = float(panel.spend[:, window, c].sum())
    weights = {source: float(np.clip(gain[source][c], 0.0, 1.0)) for source in gain}
    view = ChannelView(
        channel=name,
        spend=spend,
        iroas=None,
        mmm=shown.mmm.get(name),
        mmm_calibrated=shown.calibrated.get(name),
        experiments=shown.tests.get(name),
        attribution=shown.attribution.get(name, {}),
        platform=shown.platform.get(name),
        weights=weights | {"prior": max(0.0, 1.0 - sum(weights.values()))},
        evidence_grade=min((item.grade for item in own), default=None),
        evidence_age=youngest,
        state="not comparable",
        reason="nothing was spent on it in this window",
        action="nothing was spent",
    )
    iroas, mroas = (by_channel(draws[:, [c]], [name]).get(name) for draws in (answers.all.iroas, answers.all.mroas))
    if not spend > 0 or iroas is None or mroas is None:
        return view
    marginal = float(np.median(answers.all.mroas[:, c] / answers.all.iroas[:, c]))
    verdict = state_of(shown.heard(name), break_even, youngest, reasons.get(name), marginal)
    view = replace(view, state=verdict.state, reason=verdict.reason, says=verdict.says)
    if name in reasons:
        return replace(view, action="resolve the conflict before moving money")
    pays = float(np.mean(answers.all.mroas[:, c] > break_even))
    decided = move(pays, mroas, break_even)
    heard = {source for source in answers.without if weights[source] > 0}
    without = {
        source: Without(by_channel(rest.iroas[:, [c]], [name])[name], advised(rest.mroas[:, c], break_even))
        for source, rest in answers.without.items()
        if source in heard
    }
    tips: dict[str, Tipping] = {
        source: tip
        for source in ("mmm", "attribution")
        if source in heard and (tip := tipping(answers.all.mroas[:, c], break_even, weights[source])) is not None
    }
    turned = rests_on(decided, without)
    return replace(
        view,
        iroas=iroas,
        incrementality_factor=by_channel(answers.all.factor[:, [c]], [name]).get(name),
        mroas=mroas,
        above_break_even=float(np.mean(answers.all.iroas[:, c] > break_even)),
        next_above_break_even=pays,
        reason=f"{verdict.reason}; {turned}" if turned else verdict.reason,
        action=in_words(decided, pays, bool(own)),
        move=decided,
        without=without,
        tipping=tips,
    )


def _ancestors(
    panel: Panel, posterior: Posterior, evidence: Sequence[Evidence], attributed: Attributed | None
) -> tuple[str, ...]:
    found = [f"data:{panel.sha256}", f"fit:{posterior.provenance.sha256}", *posterior.provenance.parents]
    found += [item.id for item in evidence]
    if attributed is not None and attributed.id:
        found.append(f"paths:{attributed.id}")
    return tuple(dict.fromkeys(found))


def _notes(attributed: Attributed | None, posterior: Posterior) -> tuple[str, ...]:
    notes = [] if attributed is None else list(attributed.notes)
    if attributed is not None:
        notes.append(
            f"attribution enters by its model {label(attributed.primary)}; the spread between its models counts as "
            "error"
        )
    if not posterior.diagnostics.converged:
        notes.append("the fit has not converged: its numbers may not be used")
    return tuple(notes)


def _diagnostics(fusion: Fusion) -> dict[str, float]:
    spreads = fusion.spreads
    return {
        "effective": fusion.effective,
        "khat": fusion.khat,
        "log_evidence": fusion.log_evidence,
        "drift": float(np.median(spreads.drift)),
        "mmm_bias": float(np.median(spreads.mmm)),
        "incrementality_spread": float(np.median(spreads.incrementality)),
        "correlation": float(np.median(spreads.correlation)),
        "attribution_loading": float(np.median(spreads.loading)),
    }
