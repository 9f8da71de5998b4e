"""What the reconciliation is given: everything wrong about it at once, and each piece of evidence once."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from attribution.credit import Attribution
from calibration.evidence import Evidence
from calibration.sources import MONTHS, overlap
from measurement.errors import Problem, did_you_mean, refuse, shown
from measurement.mmm import Posterior
from measurement.panel import Panel
from measurement.typing import Bools

PLATFORM = ("date", "channel", "value")


def check(
    panel: Panel,
    evidence: Sequence[Evidence],
    platform: pd.DataFrame | None,
    *,
    margin: float,
    start: date | None,
    end: date | None,
    by: str,
    markets: Sequence[str],
) -> None:
    """Refuse inputs that are wrong or contradict each other.

    Raises:
        DataError: With every reason.
    """
    found = [*_records(evidence, panel), *_platform(platform)]
    if not (np.isfinite(margin) and 0 < margin <= 1):
        found.append(Problem(f"the margin is {margin:g}; it is a share of revenue, above 0 and at most 1"))
    if start is not None and end is not None and end < start:
        found.append(Problem(f"the window ends on {end}, before it starts on {start}"))
    if by not in MONTHS:
        found.append(Problem(f"cells can be by {' or '.join(MONTHS)}, not by '{shown(by)}'"))
    found += [
        Problem(f"no market is called '{shown(name)}'{did_you_mean(name, panel.geos)}")
        for name in markets
        if name not in panel.geos
    ]
    refuse(found)


def _records(evidence: Sequence[Evidence], panel: Panel) -> list[Problem]:
    first: dict[str, Evidence] = {}
    found = []
    for item in evidence:
        before = first.setdefault(item.id, item)
        if before.experiment != item.experiment:
            name = shown(item.id)
            found.append(Problem(f"test '{name}' comes twice with different content: give the second an id of its own"))
        found += [
            Problem(f"test '{shown(item.id)}': no channel is called '{shown(c)}'{did_you_mean(c, panel.channels)}")
            for c in item.lift.channels
            if c not in panel.channels
        ]
    return found


def _platform(platform: pd.DataFrame | None) -> list[Problem]:
    if platform is None:
        return []
    missing = [name for name in PLATFORM if name not in platform.columns]
    if missing:
        return [Problem(f"the platform reports lack the column{'s' * (len(missing) > 1)} {', '.join(missing)}")]
    if not np.isfinite(pd.to_numeric(platform["value"], errors="coerce").to_numpy(np.float64)).all():
        return [Problem("the platform reports hold values that are no finite numbers", column="value")]
    return []


def once(evidence: Sequence[Evidence], posterior: Posterior) -> tuple[Evidence, ...]:
    """Each test once, without those that the fit was made with."""
    inside = set(posterior.provenance.parents)
    return tuple({item.id: item for item in evidence if item.id not in inside}.values())


def notes(
    evidence: Sequence[Evidence],
    used: Sequence[Evidence],
    attribution: Attribution | None,
    posterior: Posterior,
    panel: Panel,
) -> tuple[str, ...]:
    """What a reader should know about how often each piece of evidence counts."""
    said = []
    dropped = [item.id for item in evidence if item.id not in {kept.id for kept in used}]
    if dropped:
        said.append(f"these tests are part of the fit already and were not counted again: {', '.join(dropped)}")
    ids = [item.id for item in evidence]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        said.append(f"handed over more than once, counted once: {', '.join(twice)}")
    shared = overlap(used)
    for i, j in zip(*np.nonzero(np.triu(shared, 1)), strict=True) if shared.size else ():
        share = f"{shared[i, j]:.0%}"
        said.append(
            f"tests '{used[i].id}' and '{used[j].id}' read the same sales in part: {share} of their errors is one"
        )
    if attribution is not None and calibrated_by(attribution, evidence):
        said.append("attribution was calibrated by these tests already, so it was left out")
    seen = [item.id for item in used if _saw(posterior, panel, item).any()]
    if seen and len(panel.geos) > 1:
        said.append(
            f"the fit without tests saw the sales that these tests read, so they count in both: {', '.join(seen)}"
        )
    return tuple(said)


def calibrated_by(attribution: Attribution, evidence: Sequence[Evidence]) -> bool:
    """Whether a test that is handed over went into the attribution."""
    return bool(set(attribution.provenance.parents) & {item.id for item in evidence})


def _saw(posterior: Posterior, panel: Panel, item: Evidence) -> Bools:
    if item.lift.off_panel:
        return np.zeros(0, dtype=np.bool_)
    window = panel.window(item.lift.start, item.lift.cooldown_end)
    return np.asarray(posterior.counts[panel.geo_index(item.lift.geos)][:, window] > 0)
