"""Calibrate a study's attribution by its tests, each against the credit of geos that it left alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from measurement.errors import DataError
from measurement.provenance import sha256_of
from theodolite import results, sources

if TYPE_CHECKING:
    from attribution import Attribution, PathSpec
    from calibration.calibrated_credit import CalibratedCredit
    from calibration.evidence import Evidence
    from measurement import Panel
    from measurement.store import Store


@dataclass(frozen=True, slots=True)
class Log:
    """A study's journeys: the file, the choices of the run, the identity map, and where memory spills to."""

    file: str
    spec: "PathSpec"
    identities: str | None = None
    spill: Path | None = None


def calibrated(
    attribution: "Attribution",
    evidence: "Sequence[Evidence]",
    panel: "Panel",
    kinds: Mapping[str, str],
    log: Log,
    *,
    seed: int = 0,
) -> "CalibratedCredit":
    """Credit × what a credited unit really brought, by the tests.

    Args:
        attribution: The run to calibrate.
        evidence: The tests.
        panel: Media and outcome.
        kinds: Per channel how far its spend follows demand; ``no`` for those not named.
        log: The journeys.
        seed: Seed of the draws.

    Raises:
        DataError: Where no test can be set against any credit.
    """
    from calibration.calibrated_credit import CalibratedCredit, credit_of_tests, primary
    from calibration.credit_factors import factors

    model = primary(attribution)
    local = _local(attribution, evidence, panel, log, model)
    tested, notes = credit_of_tests(evidence, attribution, panel, model, local)
    if not tested:
        raise DataError("; ".join(["attribution cannot be calibrated: no test speaks of a channel of it", *notes]))
    found = factors(tested, {name: kinds.get(name, "no") for name in attribution.channels}, seed=seed)
    return CalibratedCredit.of(attribution, found, model, notes, seed)


def kept(
    store: "Store",
    actor: str,
    attribution: "Attribution",
    evidence: "Sequence[Evidence]",
    panel: "Panel",
    kinds: Mapping[str, str],
    log: Log,
    *,
    seed: int = 0,
) -> "CalibratedCredit":
    """The calibrated credit that the store has of the very same; made and kept where it has none.

    Args:
        store: Where it is kept.
        actor: Who asks.
        attribution: This and the others as for `calibrated`.
        evidence: The tests.
        panel: Media and outcome.
        kinds: How far spend follows demand.
        log: The journeys.
        seed: Seed of the draws.
    """
    tests = [item.to_dict() for item in evidence]
    of = sha256_of([attribution.provenance.sha256, tests, panel.sha256, dict(kinds), seed])
    found = results.load_calibrated(store, of)
    if found is None:
        found = calibrated(attribution, evidence, panel, kinds, log, seed=seed)
        results.save_calibrated(store, found, of, actor)
    return found


def _local(
    attribution: "Attribution", evidence: "Sequence[Evidence]", panel: "Panel", log: Log, model: str
) -> "dict[str, Attribution]":
    """Per test within the journeys' window, the credit of the geos it left alone, with their spend."""
    from attribution import attribute, read_paths

    found = {}
    for item in evidence:
        lift = item.lift
        alone = [name for name in panel.geos if name not in lift.geos]
        if (
            lift.off_panel
            or not lift.geos
            or not alone
            or not _covers(attribution.window, lift.start, lift.cooldown_end)
        ):
            continue
        part = {"start": lift.start, "end": lift.cooldown_end, "geos": tuple(alone)}
        try:
            choices = log.spec.model_copy(update=part)
            paths = read_paths(log.file, choices, identities=log.identities, spill=log.spill)
            spend = sources.window_spend(panel, (lift.start, lift.cooldown_end), alone)
            found[item.id] = attribute(paths, [model], spend=spend)
        except DataError:  # journeys without geos, or of other geos, or no conversion there: the whole run speaks
            continue
    return found


def _covers(window: "tuple[date, date] | None", start: date, end: date) -> bool:
    return window is not None and window[0] <= start and end <= window[1]
