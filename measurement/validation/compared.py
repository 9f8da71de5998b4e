"""What a comparison found: who predicts better, what that changes in money, and the choice with its reasons."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from measurement.estimate import Estimate
from measurement.mmm.diagnostics import Diagnostics
from measurement.provenance import Provenance
from measurement.typing import Floats, Json
from measurement.validation.backtested import MODEL, Backtest
from measurement.validation.candidates import Candidate
from measurement.validation.scores import Figure, ratio
from measurement.validation.stacking import mixed

ALIKE = 4.0
"""Differences of elpd below this are no difference, whatever their standard error says (Sivula et al. 2025)."""
ERROR = 0.05
STACKED_DRAWS = 2000


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One candidate.

    Attributes:
        candidate: What it is.
        elpd: Leave-one-out log density of each cell, shape (geos, periods); NaN for cells that no fit saw.
        effective: Effective number of parameters.
        influential: Cells whose leave-one-out density is rough (k-hat too high).
        iroas: Draws of iROAS, shape (draws, channels); NaN for channels that cost nothing.
        diagnostics: Of the fit, with its seconds.
        weight: Its stacking weight.
        backtest: Where it was backtested.
    """

    candidate: Candidate
    elpd: Floats
    effective: float
    influential: int
    iroas: Floats
    diagnostics: Diagnostics
    weight: float = 0.0
    backtest: Backtest | None = None

    @property
    def total(self) -> float:
        """Expected log predictive density of all cells; higher is better."""
        return float(np.nansum(self.elpd))

    def beyond(self, other: "Judged") -> tuple[float, float]:
        """How much better than another it predicts, with the paired standard error, in elpd.

        Cells of one period are taken together: geos share their demand.
        """
        each = np.nansum(self.elpd - other.elpd, axis=0)
        return float(each.sum()), float(np.sqrt(each.size * each.var(ddof=1)))


@dataclass(frozen=True, eq=False)
class Comparison:
    """Candidates on the same cells, the study's own first.

    Attributes:
        judged: One per candidate.
        channels: Channel names.
        currency: Of all money.
        wall_seconds: Wall seconds of all of it; `seconds` adds up the fits'.
        provenance: Data, settings, seed, versions and tests.
    """

    judged: tuple[Judged, ...]
    channels: tuple[str, ...]
    currency: str
    wall_seconds: float
    provenance: Provenance

    @property
    def own(self) -> Judged:
        """The study's own."""
        return self.judged[0]

    @property
    def ranked(self) -> list[Judged]:
        """The best first."""
        return sorted(self.judged, key=lambda one: -one.total)

    @property
    def fits(self) -> int:
        """How many models were fitted, backtests included."""
        return len(self.judged) + sum(len(one.backtest.folds) for one in self.judged if one.backtest)

    @property
    def seconds(self) -> float:
        """Seconds of all fits."""
        tests = sum(one.backtest.seconds for one in self.judged if one.backtest)
        return tests + sum(one.diagnostics.seconds for one in self.judged)

    def alike(self, one: Judged, other: Judged) -> bool:
        """Whether two predict alike: a small difference, or one within its error, allowing for all that were tried."""
        from scipy.special import ndtri

        gap, error = one.beyond(other)
        tries = max(len(self.judged) - 1, 1)
        return abs(gap) <= max(ALIKE, float(ndtri(1.0 - ERROR / (2 * tries))) * error)

    @cached_property
    def chosen(self) -> Judged:
        """The study's own, unless others predict better beyond error; then the simplest as good as the best."""
        usable = [one for one in self.ranked if one.diagnostics.converged] or self.ranked
        good = [one for one in usable if self.alike(one, usable[0])]
        if self.own in good:
            return self.own
        return min(good, key=lambda one: (one.candidate.complexity, -one.total))

    def as_good(self) -> list[Judged]:
        """Those that predict as well as the chosen one, itself included."""
        return [one for one in self.ranked if self.alike(one, self.chosen)]

    def stacked(self) -> dict[str, Estimate]:
        """The iROAS of each priced channel over all candidates, each with its stacking weight."""
        draws = mixed([one.iroas for one in self.judged], np.array([one.weight for one in self.judged]), STACKED_DRAWS)
        return {name: Estimate.from_draws(draws[:, c], "iROAS") for c, name in self._priced()}

    def iroas(self, one: Judged) -> dict[str, Estimate]:
        """The iROAS of each channel under one candidate."""
        return {name: Estimate.from_draws(one.iroas[:, c], "iROAS") for c, name in self._priced()}

    def spread(self) -> dict[str, tuple[float, float, bool]]:
        """Per channel the lowest and highest median of the candidates that predict as well as the chosen one.

        The third says whether one of them lies outside the chosen one's 90 % interval: there the choice matters.
        """
        found, inside = {}, self.iroas(self.chosen)
        for c, name in self._priced():
            medians = [float(np.median(one.iroas[:, c])) for one in self.as_good()]
            low, high = min(medians), max(medians)
            found[name] = (low, high, bool(low < inside[name].low or high > inside[name].high))
        return found

    def beside_own(self, one: Judged) -> Figure | None:
        """CRPS of its backtest over that of the study's own, where both were backtested: below 1 is better."""
        if one.backtest is None or self.own.backtest is None:
            return None
        ours, theirs = (
            np.array([fold.scored[MODEL]["periods"].crps.sum() for fold in test.folds])
            for test in (one.backtest, self.own.backtest)
        )
        return ratio(ours, theirs)

    def why(self) -> list[str]:
        """The choice in sentences."""
        best, chosen, tried = self.ranked[0], self.chosen, len(self.judged)
        said = []
        if chosen is self.own:
            if best is self.own:
                others = "the other one does not predict" if tried == 2 else f"none of {tried - 1} others predicts"
                said.append(f"Keep the model as it is: {others} better.")
            else:
                gap, error = best.beyond(self.own)
                other = "the other one" if tried == 2 else f"the best of {tried - 1} others"
                said.append(
                    f"Keep the model as it is: {other} ({best.candidate.name}) leads by "
                    f"{gap:.1f} ± {error:.1f} elpd, which is within the error of so many tries."
                )
        else:
            gap, error = chosen.beyond(self.own)
            said.append(
                f"Take {chosen.candidate.name}: it predicts better than the model as it is by {gap:.1f} ± {error:.1f} "
                "elpd, beyond the error of so many tries."
            )
            if best is not chosen:
                lead, off = best.beyond(chosen)
                said.append(
                    f"{best.candidate.name} leads it by {lead:.1f} ± {off:.1f}, which is within the error; "
                    f"{chosen.candidate.name} is the simpler."
                )
        return [*said, *self._money(), *self._caveats()]

    def to_dict(self) -> Json:
        """As plain JSON values: what ``theodolite mmm compare --json`` prints."""
        return {
            "candidates": [self._plain(one) for one in self.ranked],
            "chosen": self.chosen.candidate.name,
            "changes": dict(self.chosen.candidate.changes),
            "why": self.why(),
            "stacked_iroas": {name: found.to_dict() for name, found in self.stacked().items()},
            "iroas_spread": {
                name: {"low": low, "high": high, "matters": matters}
                for name, (low, high, matters) in self.spread().items()
            },
            "cost": {"fits": self.fits, "fit_seconds": self.seconds, "wall_seconds": self.wall_seconds},
            "converged": self.chosen.diagnostics.converged,
            "seed": self.provenance.seed,
            "versions": dict(self.provenance.versions),
            "data": self.provenance.data,
        }

    def chart(self) -> Any:
        """The iROAS by channel and candidate, those that predict as well as the chosen one (an Altair chart)."""
        import pandas as pd

        from measurement.validation.backtest_charts import iroas_by_candidate

        rows = []
        for one in self.as_good():
            rows += [
                {"channel": name, "candidate": one.candidate.name, **found.to_dict()}
                for name, found in self.iroas(one).items()
            ]
        rows += [
            {"channel": name, "candidate": "all, stacked", **found.to_dict()} for name, found in self.stacked().items()
        ]
        return iroas_by_candidate(pd.DataFrame(rows))

    def _priced(self) -> list[tuple[int, str]]:
        return [(c, name) for c, name in enumerate(self.channels) if np.isfinite(self.own.iroas[:, c]).all()]

    def _plain(self, one: Judged) -> Json:
        gap, error = one.beyond(self.own)
        crps = self.beside_own(one)
        return {
            "name": one.candidate.name,
            "changes": dict(one.candidate.changes),
            "channel": one.candidate.channel,
            "elpd": one.total,
            "elpd_beyond_own": gap,
            "std_error": error,
            "as_good_as_chosen": one in self.as_good(),
            "weight": one.weight,
            "p_loo": one.effective,
            "influential_cells": one.influential,
            "complexity": one.candidate.complexity,
            "backtest_crps_ratio": None if crps is None else crps.to_dict(),
            "iroas": {name: found.to_dict() for name, found in self.iroas(one).items()},
            "converged": one.diagnostics.converged,
            "r_hat": one.diagnostics.rhat,
            "seconds": one.diagnostics.seconds,
        }

    def _money(self) -> list[str]:
        if len(self.as_good()) < 2:
            return []
        moved = {name: (low, high) for name, (low, high, matters) in self.spread().items() if matters}
        if not moved:
            return [
                f"The choice hardly matters for money: under all {len(self.as_good())} models that predict as well, "
                "every channel's iROAS stays inside the chosen one's 90 % interval."
            ]
        spans = _listed([f"{name} ({low:.2f} to {high:.2f})" for name, (low, high) in moved.items()])
        return [
            f"The choice matters for {spans}: models that predict as well disagree beyond the interval of one. "
            "Use the stacked iROAS, or test."
        ]

    def _caveats(self) -> list[str]:
        said = []
        lost = [one.candidate.name for one in self.judged if not one.diagnostics.converged]
        if lost:
            said.append(f"NOT converged, so not to be chosen: {_listed(lost)}.")
        rough = max(one.influential for one in self.judged)
        if rough:
            said.append(
                f"Up to {rough} cells have a rough leave-one-out density (k-hat); backtests (--full) do without."
            )
        return said


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
