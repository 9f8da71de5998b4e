"""The audit: what could be wrong with the journeys, and how much of the credit hangs on choices.

Each finding is a sentence with a severity and the numbers behind it. The limits are conventions, stated here; what is
*measured* beside them is not: the same log is cut again with other lookbacks, and again with users split in two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import pandas as pd

from attribution import sweeps
from attribution.audit_checks import disagreement, events_after, percent, repeated, spread_by_channel, touched, unseen
from attribution.credit import Attribution
from attribution.finding import Finding
from attribution.path_spec import PathSpec
from attribution.path_table import NO_TOUCH
from attribution.paths import as_events, read_paths
from attribution.run import attribute
from measurement.provenance import Provenance, versions
from measurement.reading import source
from measurement.typing import Json

SERIOUS_MOVE, SOME_MOVE = 0.10, 0.03
"""Part of the channels' credit that changes hands."""
SPLIT = 0.2
"""Share of users whose split is judged."""
Verdict = Literal["serious", "look", "fine"]


@dataclass(frozen=True, eq=False)
class Audit:
    """What was looked at, and what was found.

    Attributes:
        findings: The gravest first.
        windows: Credit by lookback (`attribution.sweeps.windows`); ``None`` for aggregated paths.
        identity: Credit by share of users split (`attribution.sweeps.identity_loss`); ``None`` for aggregated paths.
        models: Per channel, the least and the most that a model credits, as shares of all conversions.
        model: The model that the sweeps follow.
        spec_hash: Of the `PathSpec`.
        provenance: What made it.
    """

    findings: tuple[Finding, ...]
    windows: pd.DataFrame | None
    identity: pd.DataFrame | None
    models: pd.DataFrame
    model: str
    spec_hash: str
    provenance: Provenance

    @property
    def verdict(self) -> Verdict:
        """The gravest severity."""
        found = {finding.severity for finding in self.findings}
        return "serious" if "serious" in found else "look" if "look" in found else "fine"

    def to_dict(self) -> Json:
        """As ``theodolite attribution audit --json`` prints it."""
        return {
            "verdict": self.verdict,
            "findings": [finding.to_dict() for finding in self.findings],
            "model": self.model,
            "windows": None if self.windows is None else self.windows.to_dict("records"),
            "identity_loss": None if self.identity is None else self.identity.to_dict("records"),
            "models": [row | {"ratio": _or_none(row["ratio"])} for row in self.models.to_dict("records")],
            "spec_hash": self.spec_hash,
            "paths_hash": self.provenance.data,
            "seed": self.provenance.seed,
            "provenance": self.provenance.to_dict(),
        }

    @classmethod
    def from_dict(cls, raw: Json) -> Self:
        """Read what `to_dict` made."""
        sweeps_ = [None if raw[name] is None else pd.DataFrame(raw[name]) for name in ("windows", "identity_loss")]
        return cls(
            findings=tuple(Finding(**each) for each in raw["findings"]),
            windows=sweeps_[0],
            identity=sweeps_[1],
            models=pd.DataFrame(raw["models"]).astype({"ratio": "float64"}),
            model=raw["model"],
            spec_hash=raw["spec_hash"],
            provenance=Provenance.from_dict(raw["provenance"]),
        )


def audit(
    log: str | Path | pd.DataFrame,
    spec: PathSpec | None = None,
    aliases: Mapping[str, str] | None = None,
    *,
    spend: Mapping[str, float] | None = None,
    identities: str | Path | None = None,
    lookbacks: Sequence[float] = sweeps.LOOKBACKS,
    losses: Sequence[float] = sweeps.LOSSES,
    seed: int = 0,
    spill: str | Path | None = None,
) -> Audit:
    """Audit journeys: an event log, an export of GA4, or aggregated paths (no times and users: less can be asked).

    Args:
        log: As `read_paths` takes it.
        spec: The choices.
        aliases: Other names of channels.
        spend: Money per channel of the study: those that no journey can show are named.
        identities: Which users are one person, as `read_paths` takes it.
        lookbacks: Days of the window sweep.
        losses: Shares of users split in the identity sweep.
        seed: Seed of the splits.
        spill: Where what does not fit into memory goes, as in `read_paths`.

    Raises:
        DataError: Where the log breaks its contract, or nothing converted.
    """
    spec = (spec or PathSpec()).with_aliases(aliases or {})
    with as_events(log, spec, spill) as events:
        paths = read_paths(events, spec, identities=identities, spill=spill)
        credit = attribute(paths, draws=0, spend=spend, seed=seed)
        model = next((name for name in ("markov:1", "linear") if name in credit.credits), next(iter(credit.credits)))
        spread = spread_by_channel(credit)
        found = [touched(paths), *disagreement(spread), *unseen(paths, spend), *_told(credit)]
        windows = identity = None
        if _is_log(events):
            windows = sweeps.windows(events, spec, model, lookbacks, identities, spill)
            identity = sweeps.identity_loss(events, spec, model, losses, seed, identities, spill)
            found += [*_of_windows(windows, spec), *_of_identity(identity), repeated(paths)]
            found += events_after(events, spec, spill)
        else:
            words = "lookbacks, split users, duplicates and touches after the conversion were not checked: "
            words += "that takes an event log of user_id, timestamp, channel"
            found.append(Finding("aggregated", "look", words))
    order = {"serious": 0, "look": 1, "fine": 2}
    settings: Json = {"spec": spec.to_dict(), "lookbacks": list(lookbacks), "losses": list(losses), "model": model}
    return Audit(
        findings=tuple(sorted(found, key=lambda finding: order[finding.severity])),
        windows=windows,
        identity=identity,
        models=spread,
        model=model,
        spec_hash=spec.sha256,
        provenance=Provenance(paths.sha256, settings, seed, versions("numpy", "scipy", "duckdb")),
    )


def _or_none(number: float) -> float | None:
    return None if number != number else float(number)


def _is_log(log: str | Path | pd.DataFrame) -> bool:
    names = [str(name) for name in log.columns] if isinstance(log, pd.DataFrame) else list(source.header(log))
    return "user_id" in names


def _of_windows(frame: pd.DataFrame, spec: PathSpec) -> list[Finding]:
    here = spec.lookback_days
    others = sorted(set(frame["days"]) - {here})
    if not others:
        return [Finding("window", "look", "the log is too short to try other lookbacks: half its days is the limit")]
    near = min(others, key=lambda days: (abs(days / here - 0.5), days))
    share = sweeps.moved(frame, "days", here, near)
    reach = {days: 1 - float(_lone(frame, "days", days)) for days in (near, here)}
    words = (
        f"a lookback of {near:g} instead of {here:g} days moves {percent(share)} of the channels' credit to other "
        "channels; "
        f"{percent(reach[near])} instead of {percent(reach[here])} of conversions have a touch"
    )
    return [Finding("window", _of_move(share), words, {"moved": share, "from_days": here, "to_days": near})]


def _of_identity(frame: pd.DataFrame) -> list[Finding]:
    tried = sorted(set(frame["loss"]) - {0.0})
    if not tried:
        return []
    at = min(tried, key=lambda loss: abs(loss - SPLIT))
    share = sweeps.moved(frame, "loss", 0.0, at)
    lone = [float(_lone(frame, "loss", loss)) for loss in (0.0, at)]
    lost = (lone[1] - lone[0]) / max(1 - lone[0], 1e-12)
    severity = max(_of_move(share), _of_move(lost / 3), key=("fine", "look", "serious").index)
    words = (
        f"if {percent(at)} of users were known by two ids, {percent(lost)} of the conversions with a touch would "
        "lose it, and "
        f"{percent(share)} of the channels' credit would go to other channels"
    )
    return [Finding("identity-loss", severity, words, {"loss": at, "moved": share, "lost": lost})]


def _lone(frame: pd.DataFrame, by: str, at: float) -> float:
    return float(frame.loc[(frame[by] == at) & (frame["channel"] == NO_TOUCH), "share"].sum())


def _of_move(share: float) -> Verdict:
    return "serious" if share >= SERIOUS_MOVE else "look" if share >= SOME_MOVE else "fine"


TOLD: dict[str, Verdict] = {"rare-channel": "look", "bot": "look", "stray-clock": "look", "no-time-of-day": "serious",
        "missing-user": "look", "unknown-channel": "look", "similar-names": "look", "unfinished": "fine"}  # fmt: skip
"""Findings of reading and crediting that the audit repeats, with their severity here."""


def _told(credit: Attribution) -> list[Finding]:
    return [Finding(p.code, TOLD[p.code], p.message) for p in credit.findings if p.code in TOLD]
