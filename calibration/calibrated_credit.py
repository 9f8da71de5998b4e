"""Attribution calibrated by tests: credit × factor, draw by draw; what is left is baseline, a row of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from attribution.credit import Attribution
from calibration.credit_factors import Factors, TestedCredit
from calibration.evidence import Evidence
from calibration.sources import PRIMARY, money_of
from measurement import archive
from measurement.errors import DataError, did_you_mean, shown
from measurement.estimate import LEVEL
from measurement.panel import Panel
from measurement.provenance import Provenance, versions
from measurement.typing import Floats, Json

PART_SD = 0.2
"""Further sd, relative to the effect, of a test that changed only part of a channel's spend: what the next money brings
is not what all of it brings."""
BASELINE = "(baseline and what leaves no touch)"


def credit_of_tests(
    evidence: Sequence[Evidence],
    attribution: Attribution,
    panel: Panel,
    model: str,
    local: Mapping[str, Attribution] | None = None,
) -> tuple[tuple[TestedCredit, ...], tuple[str, ...]]:
    """What attribution credits to what each test tested: credited money per money spent × the test's change of spend.

    The ratio is that of geos whose spend was left alone, in the test's own window, where ``local`` has it: credit in
    the treated geos is already what the changed spend left. Otherwise it is that of the whole run, and the test's age
    stands for the time between.

    Args:
        evidence: The tests.
        attribution: The run to calibrate, with spend.
        panel: The study's panel.
        model: Whose credit.
        local: Per test id, an attribution of untreated geos within the test's window, with the spend there.

    Returns:
        The tests that can be used, and why the others cannot.
    """
    found, notes = [], []
    for item in evidence:
        name = item.lift.channels[0]
        made = (local or {}).get(item.id, attribution)
        if len(item.lift.channels) > 1:
            notes.append(f"test '{shown(item.id)}' is of several channels at once: no credit can be set against it")
        elif name not in made.channels or not made.spend.get(name):
            notes.append(
                f"test '{shown(item.id)}': no journey shows '{shown(name)}' where and when it could be compared"
            )
        elif not item.spend_delta.sum():
            notes.append(f"test '{shown(item.id)}' changed no spend that is known")
        else:
            draws = money_of(made[model], panel.kpi_value)[:, made.channels.index(name)] / made.spend[name]
            credit = float(np.median(draws)) * float(item.spend_delta.sum())
            if not credit:
                notes.append(f"test '{shown(item.id)}': attribution credits '{shown(name)}' with nothing")
                continue
            own = item.id in (local or {})
            found.append(
                TestedCredit(
                    experiment_id=item.id,
                    channel=name,
                    lift=item.lift.outcome_change * panel.kpi_value,
                    std_error=item.lift.std_error * panel.kpi_value,
                    relative_sd=float(np.linalg.norm([item.lift.relative_sd, _cv(draws), _of_part(item)])),
                    credit=credit,
                    where="untreated geos in its own window" if own else "the whole run",
                )
            )
    return tuple(found), tuple(notes)


def _cv(draws: Floats) -> float:
    return float(draws.std() / abs(np.median(draws)))


def _of_part(item: Evidence) -> float:
    """0 for a test that took all of the channel's spend away."""
    usual = float(item.lift.counterfactual_spend.sum())
    return 0.0 if float(item.spend_delta.sum()) <= -0.99 * usual else PART_SD


@dataclass(frozen=True, eq=False)
class CalibratedCredit:
    """Credit of one model calibrated by tests.

    Attributes:
        model: The model.
        factors: What a credited unit really brought.
        conversions: Draws, shape (draws, channels): credit × factor.
        value: Draws of money; ``None`` where the paths have no value.
        credited: The model's own credit: conversions per channel, shape (channels,).
        totals: All conversions and their money (``None`` without value).
        spend: Money per channel.
        notes: Tests that could not be used, and why.
        provenance: What made it.
    """

    model: str
    factors: Factors
    conversions: Floats
    value: Floats | None
    credited: Floats
    totals: tuple[float, float | None]
    spend: Mapping[str, float]
    notes: tuple[str, ...]
    provenance: Provenance

    @classmethod
    def of(
        cls, attribution: Attribution, factors: Factors, model: str, notes: Sequence[str] = (), seed: int = 0
    ) -> "CalibratedCredit":
        """Multiply credit by factors, draw by draw; the two are independent."""
        credit = attribution[model]
        index = [factors.channels.index(name) for name in attribution.channels]
        theta = factors.draws[:, index]
        factors = replace(factors, channels=attribution.channels, draws=theta)
        rng = np.random.default_rng([seed, 1])
        picked = rng.permutation(np.resize(np.arange(max(len(credit.conversions_draws), 1)), len(theta)))

        def times(point: Floats, draws: Floats | None) -> Floats:
            known = draws if draws is not None and len(draws) else point[None]
            return np.asarray(known[picked] * theta)

        tests = tuple(test.experiment_id for test in factors.tested)
        return cls(
            model=model,
            factors=factors,
            conversions=times(credit.conversions, credit.conversions_draws),
            value=None if credit.value is None else times(credit.value, credit.value_draws),
            credited=credit.conversions,
            totals=(attribution.conversions, attribution.value),
            spend=attribution.spend,
            notes=tuple(notes),
            provenance=Provenance(
                data=attribution.provenance.data,
                settings={"model": model, "spec": attribution.spec_hash, "identity": list(factors.identity)},
                seed=seed,
                versions=versions("numpy", "scipy"),
                parents=(attribution.provenance.sha256, *tests),
            ),
        )

    def to_bytes(self) -> bytes:
        """Everything, draws included, as a compressed npz without objects; the same result gives the same bytes."""
        header: Json = {
            "model": self.model,
            "channels": list(self.channels),
            "tested": [asdict(test) for test in self.factors.tested],
            "identity": list(self.factors.identity),
            "totals": list(self.totals),
            "spend": dict(self.spend),
            "notes": list(self.notes),
            "provenance": self.provenance.to_dict(),
        }
        arrays = {"factors": self.factors.draws, "conversions": self.conversions, "credited": self.credited}
        return archive.pack(header, arrays | ({} if self.value is None else {"value": self.value}))

    @classmethod
    def from_bytes(cls, data: bytes) -> "CalibratedCredit":
        """Read what `to_bytes` wrote.

        Raises:
            DataError: Where it is anything else.
        """
        header, arrays = archive.unpack(data, "calibrated credit")
        tested = tuple(TestedCredit(**each) for each in header["tested"])
        whole, worth = header["totals"]
        return cls(
            model=header["model"],
            factors=Factors(tuple(header["channels"]), arrays["factors"], tested, tuple(header["identity"])),
            conversions=arrays["conversions"],
            value=arrays.get("value"),
            credited=arrays["credited"],
            totals=(whole, worth),
            spend=header["spend"],
            notes=tuple(header["notes"]),
            provenance=Provenance.from_dict(header["provenance"]),
        )

    @property
    def channels(self) -> tuple[str, ...]:
        """Channel names, in the order of all columns."""
        return self.factors.channels

    def at_grain(self, credit: pd.DataFrame) -> pd.DataFrame:
        """Calibrated credit at any grain: a row per campaign, day or geo, each × its channel's factor.

        Args:
            credit: ``channel``, ``conversions`` (credited) and whatever tells the rows apart.

        Returns:
            The same with ``calibrated, calibrated_low, calibrated_high``: medians and 90 % intervals.

        Raises:
            DataError: Where a channel is none of the run's.
        """
        strangers = sorted(set(credit["channel"]) - set(self.channels))
        if strangers:
            name = strangers[0]
            raise DataError(f"channel '{shown(name)}' has no factor{did_you_mean(name, self.channels)}")
        index = [self.channels.index(name) for name in credit["channel"]]
        low, middle, high = _quantiles(self.factors.draws[:, index] * credit["conversions"].to_numpy())
        return credit.assign(calibrated=middle, calibrated_low=low, calibrated_high=high)

    def to_frame(self) -> pd.DataFrame:
        """One row per channel, the baseline last.

        Returns:
            ``channel, credited``; ``factor, conversions, value, iroas`` as medians with ``_low`` and ``_high``; and
            ``tests``, those of the channel.
        """
        rows = []
        for i, name in enumerate(self.channels):
            row: Json = {"channel": name, "credited": float(self.credited[i])}
            row |= _spread("factor", self.factors.draws[:, i]) | _spread("conversions", self.conversions[:, i])
            money = None if self.value is None else self.value[:, i]
            spend = self.spend.get(name)
            row |= _spread("value", money) | _spread("iroas", None if money is None or not spend else money / spend)
            tests = [test.experiment_id for test in self.factors.tested if test.channel == name]
            rows.append(row | {"tests": ", ".join(tests)})
        total, worth = self.totals
        rest: Json = {"channel": BASELINE, "credited": total - float(self.credited.sum())} | _spread("factor", None)
        rest |= _spread("conversions", total - self.conversions.sum(axis=1)) | _spread("iroas", None)
        left = None if worth is None or self.value is None else worth - self.value.sum(axis=1)
        rows.append(rest | _spread("value", left) | {"tests": ""})
        return pd.DataFrame(rows)

    def to_dict(self) -> Json:
        """As ``--calibrated`` adds it to ``theodolite attribution run --json``."""
        rows = self.to_frame().to_dict("records")
        plain = [{str(k): None if isinstance(v, float) and np.isnan(v) else v for k, v in row.items()} for row in rows]
        names = ("factor", "conversions", "value", "iroas")
        return {
            "model": self.model,
            "channels": [
                {"channel": row["channel"], "credited": row["credited"], "tests": row["tests"]}
                | {name: _nested(row, name) for name in names}
                for row in plain
            ],
            "tests": [test.to_dict() for test in self.factors.tested],
            "identity": list(self.factors.identity),
            "notes": list(self.notes),
            "provenance": self.provenance.to_dict(),
        }


def primary(attribution: Attribution) -> str:
    """The model that is calibrated where none is named: the one that enters the unified number."""
    return next((name for name in PRIMARY if name in attribution.credits), next(iter(attribution.credits)))


def _nested(row: Json, name: str) -> Json | None:
    if row[name] is None:
        return None
    return {"median": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"]}


def _spread(name: str, draws: Floats | None) -> Json:
    low, middle, high = (np.nan,) * 3 if draws is None else (float(each) for each in _quantiles(draws))
    return {name: middle, f"{name}_low": low, f"{name}_high": high}


def _quantiles(draws: Floats) -> Floats:
    return np.asarray(np.quantile(draws, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2], axis=0))
