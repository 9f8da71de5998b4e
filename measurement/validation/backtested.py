"""What a backtest found: scores, skill against naive methods, and the verdict in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from measurement.mmm.diagnostics import Diagnostics
from measurement.panel import Period
from measurement.provenance import Provenance
from measurement.typing import Dates, Floats, Json
from measurement.validation.scores import Figure, Scored, Scores, skill, summarised

if TYPE_CHECKING:
    import pandas as pd

MODEL = "model"
BANDS = (0.05, 0.25, 0.5, 0.75, 0.95)
Target = Literal["periods", "horizon", "geo periods", "geo horizons"]
WORDS: dict[Target, str] = {
    "periods": "each {period}",
    "horizon": "all {horizon} {period}s together",
    "geo periods": "each {period} in each geo",
    "geo horizons": "all {horizon} {period}s in each geo",
}


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """One origin.

    Attributes:
        dates: First day of each predicted period, shape (periods,).
        history: Periods that the fit knew.
        tests: Ids of the lift tests that it knew.
        scored: For the model and each naive method what was predicted and what came: ``periods`` (all geos together),
            ``horizon`` (all periods too) and on geo panels ``geo periods`` (geos, periods) and ``geo horizons``.
        bands: Quantiles `BANDS` of the KPI of all geos, shape (5, periods).
        diagnostics: Of the fit.
    """

    dates: Dates
    history: int
    tests: tuple[str, ...]
    scored: Mapping[str, Mapping[str, Scored]]
    bands: Floats
    diagnostics: Diagnostics


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """Predictions of the panel's last stretches from what came before them.

    Attributes:
        folds: One per origin, the earliest first.
        horizon: Periods predicted at each.
        geos: Geo names.
        kpi: Name of the KPI, its unit.
        period: Cadence.
        naive: The naive methods that enough folds have the history for, in words; the first is the reference.
        provenance: Data, settings, seed, versions and tests.
    """

    folds: tuple[Fold, ...]
    horizon: int
    geos: tuple[str, ...]
    kpi: str
    period: Period
    naive: Mapping[str, str]
    provenance: Provenance

    @property
    def reference(self) -> str | None:
        """The naive method that skill is first counted against; ``None`` where the history is too short for any."""
        return next(iter(self.naive), None)

    @property
    def converged(self) -> int:
        """How many of the fits converged."""
        return sum(fold.diagnostics.converged for fold in self.folds)

    @property
    def seconds(self) -> float:
        """Seconds of all fits together."""
        return sum(fold.diagnostics.seconds for fold in self.folds)

    @property
    def targets(self) -> tuple[Target, ...]:
        """What is scored; by geo where there are several."""
        return tuple(target for target in WORDS if target in self.folds[0].scored[MODEL])

    def scores(self, target: Target = "periods", method: str = MODEL) -> Scores:
        """Scores of a method (the model's without a name) over the folds that have it."""
        return summarised(self._of(target, method))

    def skill(self, target: Target = "periods", naive: str | None = None) -> Figure | None:
        """One less the ratio of the model's CRPS to that of a naive method, the reference without a name."""
        name = naive or self.reference
        return None if name is None else skill(self._of(target, MODEL, name), self._of(target, name))

    def by_geo(self) -> list[tuple[str, Scores, Figure | None]]:
        """Scores of each geo's periods, and the skill against the reference; empty on a national panel."""
        if "geo periods" not in self.targets:
            return []
        found = []
        for g, geo in enumerate(self.geos):
            ours = [_at(fold, g) for fold in self._of("geo periods", MODEL)]
            better = None
            if (name := self.reference) is not None:
                first, second = (
                    [_at(fold, g) for fold in self._of("geo periods", method, name)] for method in (MODEL, name)
                )
                better = skill(first, second)
            found.append((geo, summarised(ours), better))
        return found

    def by_step(self) -> list[tuple[int, Scores]]:
        """Scores of all geos together, so many periods ahead."""
        periods = self._of("periods", MODEL)
        return [(t + 1, summarised([_at(fold, t) for fold in periods])) for t in range(self.horizon)]

    def verdict(self) -> list[str]:
        """What it says, in sentences."""
        return [*self._skill_in_words(), *self._coverage_in_words(), *self._caveats()]

    def to_frame(self) -> "pd.DataFrame":
        """One row per fold and period, all geos together: ``origin, date, came, low, q25, median, q75, high``."""
        import pandas as pd

        parts = []
        for fold in self.folds:
            bands = dict(zip(("low", "q25", "median", "q75", "high"), fold.bands, strict=True))
            days = fold.dates.astype("datetime64[s]")
            came = fold.scored[MODEL]["periods"].came
            parts.append(pd.DataFrame({"origin": days[0], "date": days, "came": came} | bands))
        return pd.concat(parts, ignore_index=True)

    def to_dict(self) -> Json:
        """As plain JSON values: what ``theodolite mmm backtest --json`` prints."""
        return {
            "kpi": self.kpi,
            "period": self.period,
            "horizon": self.horizon,
            "folds": [self._fold(fold) for fold in self.folds],
            "scores": {
                target: {
                    "model": self.scores(target).to_dict(),
                    "naive": {
                        name: {
                            **self.scores(target, name).to_dict(),
                            "words": words,
                            "skill": _plain(self.skill(target, name)),
                        }
                        for name, words in self.naive.items()
                    },
                }
                for target in self.targets
            },
            "by_step": [{"ahead": step, **scores.to_dict()} for step, scores in self.by_step()],
            "by_geo": [
                {"geo": geo, **scores.to_dict(), "skill": _plain(found)} for geo, scores, found in self.by_geo()
            ],
            "reference": self.reference,
            "verdict": self.verdict(),
            "converged": self.converged == len(self.folds),
            "seconds": self.seconds,
            "seed": self.provenance.seed,
            "versions": dict(self.provenance.versions),
            "data": self.provenance.data,
        }

    def chart(self) -> Any:
        """What was predicted at each origin and what came (an Altair chart)."""
        from measurement.validation.backtest_charts import predicted_and_came

        return predicted_and_came(self.to_frame(), self.kpi)

    def _of(self, target: Target, method: str, beside: str = MODEL) -> list[Scored]:
        """What a method predicted in the folds that have it and the one to compare with."""
        return [fold.scored[method][target] for fold in self.folds if {method, beside} <= set(fold.scored)]

    def _fold(self, fold: Fold) -> Json:
        days = fold.dates.astype("datetime64[D]").astype(str).tolist()
        whole = fold.scored[MODEL]["horizon"]
        return {
            "from": days[0],
            "to": days[-1],
            "history": fold.history,
            "tests": list(fold.tests),
            "came": float(whole.came[0]),
            "median": float(whole.median[0]),
            "held_90": bool(whole.held[-1, 0]),
            "periods": [
                {
                    "date": day,
                    "came": float(came),
                    **dict(zip(("low", "median", "high"), map(float, band), strict=True)),
                }
                for day, came, band in zip(
                    days, fold.scored[MODEL]["periods"].came, fold.bands[[0, 2, 4]].T, strict=True
                )
            ],
            "converged": fold.diagnostics.converged,
            "r_hat": fold.diagnostics.rhat,
            "seconds": fold.diagnostics.seconds,
        }

    def _skill_in_words(self) -> list[str]:
        if not self.naive:
            return ["The history is too short for a naive forecast to compare with."]
        return [self._beside(name) for name in self.naive]

    def _beside(self, name: str) -> str:
        """How the model stands beside one naive method."""
        found, folds = self.skill("periods", name), len(self._of("periods", name))
        if found is None:
            return ""
        errors = f"errors are {abs(found.value):.0%} {'smaller' if found.value >= 0 else 'larger'}"
        over = "" if folds == len(self.folds) else f", over the {folds} folds with history enough"
        if found.low is None or found.high is None:
            return f"Beside {self.naive[name]} its {errors} (too few folds for an interval)."
        if found.low > 0:
            words = "It predicts better than"
        elif found.high < 0:
            words = "It predicts WORSE than"
        else:
            words = "It is not clear that it predicts better than"
        return f"{words} {self.naive[name]}: {errors} [{found.low:.0%}, {found.high:.0%}]{over}."

    def _coverage_in_words(self) -> list[str]:
        coverage = self.scores("periods").coverage
        said = ", ".join(f"{each.held:.0%} of the {each.level:.0%}" for each in coverage)
        wrong = [each for each in coverage if not each.right]
        if not wrong:
            return [f"Its intervals hold about as often as they say: {said} intervals held what came."]
        narrow = wrong[-1].held < wrong[-1].level
        hint = "do not trust forecasts to be that sure" if narrow else "forecasts are surer than they say"
        return [f"Its intervals are too {'narrow' if narrow else 'wide'}: {said} intervals held what came; {hint}."]

    def _caveats(self) -> list[str]:
        lost = len(self.folds) - self.converged
        said = [f"{lost} of {len(self.folds)} fits did NOT converge: sample longer."] if lost else []
        off = self.scores("horizon").bias
        if off.low is not None and off.high is not None and (off.low > 0 or off.high < 0):
            where = "high" if off.value > 0 else "low"
            said.append(f"It comes out too {where} by {abs(off.value):.1%} [{off.low:+.1%}, {off.high:+.1%}].")
        return said


def _at(fold: Scored, index: int) -> Scored:
    """One geo's, or one period's, part."""
    parts: Sequence[Floats] = (fold.came, fold.median, fold.crps, fold.width, fold.rank)
    came, median, crps, width, rank = (np.atleast_1d(part[index]) for part in parts)
    held = fold.held[:, index].reshape(len(fold.held), -1)
    return Scored(came, median, crps, held, width, rank)


def _plain(found: Figure | None) -> Json | None:
    return None if found is None else found.to_dict()
