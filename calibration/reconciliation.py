"""Reconcile: one number per channel from the model, the tests and attribution, each piece of evidence once.

What goes in (no double counting): the fit *without* tests, the raw tests, and one attribution model as a feature with
an estimated bias. Where a calibrated fit is all there is, the tests that it was fitted with are dropped here; where
attribution was itself calibrated by tests, it is dropped. Platform reports are shown and never used: a platform's claim
is attribution by an interested party, and brings nothing that the journeys do not.

The joint model and its integration: `calibration.evidence_model`, `calibration.integrate`; rules for words:
`calibration.verdict`; formulas: ``docs/math_calibration.md``.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from attribution.credit import Attribution
from calibration.conflict import Conflict, withheld
from calibration.curves import DRAWS, Curves, days, log_ratio
from calibration.evidence import Evidence
from calibration.evidence_model import MethodPriors, Sources
from calibration.integrate import Fusion, integrate
from calibration.side_by_side import SideBySide, by_channel
from calibration.sources import Attributed, Blocks, attribution_source, gaussian, tests_of
from calibration.verdict import Verdict, in_words, move, state_of
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
    conflicts: Sequence[Conflict] = (),
    resolved: Collection[str] = (),
    platform: pd.DataFrame | None = None,
    margin: float = 1.0,
    start: date | None = None,
    end: date | None = None,
    seed: int = 0,
    priors: MethodPriors | None = None,
) -> View:
    """Unify everything that is known of each channel.

    Args:
        panel: The study's panel.
        posterior: The fit without tests (a calibrated one drops its own tests from ``evidence`` here).
        evidence: The raw tests.
        attribution: Credit by several models on the same paths.
        calibrated: The fit with tests, to be shown beside.
        conflicts: Judgements on the tests; those unresolved withhold their channels' numbers.
        resolved: Ids of tests whose conflict someone has decided on.
        platform: ``date, channel, value``: what platforms report; shown only.
        margin: Contribution margin; break-even iROAS is 1 / margin.
        start: First day that the numbers cover; the panel's by default.
        end: Last day.
        seed: Seed of the integration.
        priors: What is believed of the methods.

    Returns:
        The view; see `View`.
    """
    parents = set(posterior.provenance.parents)
    attributed = None if attribution is None else Attributed.of(attribution, panel)
    used = [item for item in evidence if item.id not in parents]
    window = panel.window(start or panel.dates[0], end or panel.dates[-1])
    blocks = Blocks.calendar(panel, "month")
    curves = Curves.of(posterior.thinned(DRAWS), panel, used, window, attributed)
    sources = _sources(panel, posterior, curves, used, attributed, blocks)
    fusion = integrate(sources, priors, seed=seed, curves=len(curves.iroas))
    numbers = _Numbers.of(panel, curves, fusion, attributed, blocks, window, np.random.default_rng(seed))
    reasons = withheld(conflicts, resolved)
    theirs = None if calibrated is None else _iroas(calibrated, panel, window)
    ours = _iroas(posterior, panel, window)
    shown = SideBySide.of(panel, ours, used, sources.tests, theirs, attributed, platform, window)
    return View(
        channels=tuple(
            _channel(c, panel, numbers, shown, fusion, used, reasons, break_even_iroas(margin), window)
            for c in range(len(panel.channels))
        ),
        derived_from=_ancestors(panel, posterior, used, attributed),
        converged=bool(posterior.diagnostics.converged) and fusion.reliable,
        seed=seed,
        versions=versions("numpy", "scipy", "arviz-stats", "numpyro", "jax"),
        window=(str(panel.dates[window.start]), str(panel.dates[window.stop - 1])),
        currency=panel.currency,
        break_even=break_even_iroas(margin),
        primary=attributed.primary if attributed else "",
        notes=_notes(evidence, used, attributed, posterior),
        diagnostics=_diagnostics(fusion),
        provenance=Provenance(
            data=panel.sha256,
            settings={"margin": margin, "start": str(start or ""), "end": str(end or ""), "resolved": sorted(resolved)},
            seed=seed,
            versions=versions("numpy", "scipy", "arviz-stats", "numpyro", "jax"),
            parents=_ancestors(panel, posterior, used, attributed),
        ),
    )


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
    paid = panel.spend.sum(axis=(0, 1)) > 0
    whole = posterior.draws["iroas"]
    centre, covariance = gaussian(np.log(np.maximum(np.where(paid, whole, 1.0), 1e-9)))
    centre = np.where(paid, centre, np.nan)
    credit, credit_sd = attribution_source(attributed, panel)
    within = None if attributed is None else panel.window(attributed.start, attributed.end)
    demand = [DEMAND.index(posterior.spec.channels[name].demand_driven) for name in panel.channels]
    return Sources(
        times=blocks.times,
        spend_share=blocks.shares(panel),
        demand_driven=np.array(demand, dtype=np.int64),
        mmm=centre,
        mmm_cov=covariance,
        attribution=credit - np.median(log_ratio(curves.credited, curves.iroas), axis=0),
        attribution_sd=credit_sd,
        attribution_share=blocks.shares(panel, within),
        tests=tests_of(evidence, curves.change, curves.iroas, panel),
    )


@dataclass(frozen=True, eq=False)
class _Numbers:
    """Unified draws, each of shape (draws, channels); the factor is NaN where attribution says nothing."""

    iroas: Floats
    mroas: Floats
    factor: Floats

    @classmethod
    def of(
        cls,
        panel: Panel,
        curves: Curves,
        fusion: Fusion,
        attributed: Attributed | None,
        blocks: Blocks,
        window: slice,
        rng: np.random.Generator,
    ) -> "_Numbers":
        truth = np.exp(fusion.theta)
        channels = len(panel.channels)
        parts = (curves.window, curves.iroas), (curves.mroas, curves.window), (curves.credited, curves.iroas)
        ratios = np.exp(fusion.shaped(np.concatenate([log_ratio(*pair) for pair in parts], axis=1)))
        iroas = np.einsum("rcp,cp->rc", truth, blocks.shares(panel, window)) * ratios[:, :channels]
        iroas = np.where(panel.spend[:, window].sum(axis=(0, 1)) > 0, iroas, np.nan)
        factor = np.full(iroas.shape, np.nan)
        if attributed is not None:
            within = blocks.shares(panel, panel.window(attributed.start, attributed.end))
            then = np.einsum("rcp,cp->rc", truth, within) * ratios[:, 2 * channels :]
            credit = attributed.roas(panel)[attributed.primary]
            credit = credit[rng.permutation(np.resize(np.arange(credit.shape[0]), len(truth)))]
            at = panel.channel_index(attributed.channels)
            with np.errstate(all="ignore"):
                factor[:, at] = then[:, at] / credit
        return cls(iroas, iroas * ratios[:, channels : 2 * channels], factor)


def _channel(
    c: int,
    panel: Panel,
    numbers: _Numbers,
    shown: SideBySide,
    fusion: Fusion,
    evidence: Sequence[Evidence],
    reasons: Mapping[str, str],
    break_even: float,
    window: slice,
) -> ChannelView:
    name = panel.channels[c]
    own = [item for item in evidence if name in item.lift.channels]
    youngest = min((item.age for item in own), default=None)
    spend = float(panel.spend[:, window, c].sum())
    known = spend > 0 and name not in reasons
    verdict = state_of(shown.heard(name), break_even, youngest, reasons.get(name))
    if not spend > 0:
        verdict = Verdict("not comparable", "nothing was spent on it in this window")
    iroas, mroas = (by_channel(draws[:, [c]], [name]).get(name) for draws in (numbers.iroas, numbers.mroas))
    pays = float(np.mean(numbers.mroas[:, c] > break_even)) if mroas is not None else None
    action = "resolve the conflict before moving money" if name in reasons else "nothing was spent"
    if known and mroas is not None and pays is not None:
        action = in_words(move(pays, mroas, break_even), pays, bool(own))
    gain = {source: float(np.clip(fusion.gain[source][c], 0.0, 1.0)) for source in fusion.gain}
    return ChannelView(
        channel=name,
        spend=spend,
        iroas=iroas if known else None,
        mmm=shown.mmm.get(name),
        mmm_calibrated=shown.calibrated.get(name),
        experiments=shown.tests.get(name),
        attribution=shown.attribution.get(name, {}),
        platform=shown.platform.get(name),
        weights=gain | {"prior": max(0.0, 1.0 - sum(gain.values()))},
        incrementality_factor=by_channel(numbers.factor[:, [c]], [name]).get(name) if known else None,
        mroas=mroas if known else None,
        evidence_grade=min((item.grade for item in own), default=None),
        evidence_age=youngest,
        above_break_even=float(np.mean(numbers.iroas[:, c] > break_even)) if known else None,
        next_above_break_even=pays if known else None,
        state=verdict.state,
        reason=verdict.reason,
        action=action,
    )


def _ancestors(
    panel: Panel, posterior: Posterior, evidence: Sequence[Evidence], attributed: Attributed | None
) -> tuple[str, ...]:
    found = [f"data:{panel.sha256}", f"fit:{posterior.provenance.sha256}", *posterior.provenance.parents]
    found += [item.id for item in evidence]
    if attributed is not None and attributed.id:
        found.append(f"paths:{attributed.id}")
    return tuple(dict.fromkeys(found))


def _notes(
    evidence: Sequence[Evidence], used: Sequence[Evidence], attributed: Attributed | None, posterior: Posterior
) -> tuple[str, ...]:
    notes = []
    dropped = [item.id for item in evidence if item not in used]
    if dropped:
        notes.append(f"these tests are part of the fit already and were not counted again: {', '.join(dropped)}")
    if attributed is not None:
        notes.append(
            f"attribution enters by its model {attributed.primary}; the spread between its models counts as error"
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
    }
