"""What comes out: tests ranked by what they are worth, with the reasons, to be printed, kept and drawn."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from calibration.next_test.meaning import Reading
from calibration.quantity import Quantity
from experiments.records import Experiment
from measurement.estimate import Estimate
from measurement.provenance import Provenance
from measurement.typing import Floats, Json

if TYPE_CHECKING:
    import pandas as pd


NOTHING = 0.01
"""Share of the value of perfect knowledge below which a difference, or a test, is next to nothing."""
SAME = 0.005


@dataclass(frozen=True, slots=True)
class Planned:
    """What is spent on a channel over the horizon, money.

    Attributes:
        usual: Business as usual.
        advised: The plan of today.
        low: Least that may be spent.
        high: Most.
    """

    usual: float
    advised: float
    low: float
    high: float

    @property
    def held(self) -> str:
        """At which limit the plan of today is: ``fixed``, ``low``, ``high``; empty where it could move either way."""
        room = SAME * max(self.high, 1.0)
        if self.high - self.low <= room:
            return "fixed"
        return "low" if self.advised - self.low <= room else "high" if self.high - self.advised <= room else ""


@dataclass(frozen=True, slots=True)
class Expected:
    """An expectation worked out from draws.

    Attributes:
        value: The expectation, money.
        error: Its Monte Carlo standard error: how far another run of the sampler might end up.
    """

    value: float
    error: float

    def estimate(self, currency: str) -> Estimate:
        """As an estimate; its interval is that of the computation, not of what will happen."""
        return Estimate.from_normal(self.value, self.error, currency)

    def to_dict(self) -> Json:
        """Expectation, standard error and 90 % interval of the computation."""
        return asdict(self) | self.estimate("").to_dict()


@dataclass(frozen=True, slots=True)
class Cost:
    """What a test costs against business as usual.

    Attributes:
        expected: Sales lost times margin less spend saved, or spend added less sales won times margin: expectation,
            money. Below 0 where running the test earns money, because today's spend is too high or too low.
        low: Lower end of its 90 % interval over what is believed of the channel.
        high: Upper end.
        besides: What it costs whatever it finds: analysis, people, set-up.
    """

    expected: float
    low: float
    high: float
    besides: float = 0.0

    @classmethod
    def of(cls, draws: Floats, besides: float) -> Self:
        """From draws of what it loses, shape (draws,)."""
        low, high = np.quantile(draws, [0.05, 0.95])
        return cls(float(draws.mean()), float(low), float(high), besides)

    @property
    def charged(self) -> float:
        """What is set against its value.

        A gain of the test itself is left out: it is a reason to change the budget, not a reason to test.
        """
        return max(self.expected, 0.0) + self.besides

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return asdict(self) | {"charged": self.charged}


@dataclass(frozen=True, eq=False)
class TestValue:
    """One test and what it is worth.

    Attributes:
        channel: The channel.
        direction: What is done with its spend.
        spend_change: Change as a share of business as usual.
        record: The plan as a record, ready to be registered.
        duration: Periods of changed spend.
        cooldown: Periods read out afterwards.
        known: Periods from the end of the data until its result is known.
        mde: Smallest effect that it finds, as a share of the treated geos' KPI.
        std_error: Standard error of its outcome change, KPI units.
        iroas_error: The same as iROAS.
        iroas: What is believed today of the iROAS that it will read.
        grade: Grade that its evidence will have.
        spend_delta: Change of spend, signed money.
        estimates: Value over the whole horizon by each estimator.
        agree: Whether the three say the same, as far as the draws can tell.
        evsi: Value over the whole horizon, were the result known today.
        evppi: The same of a test without any error.
        trusted: Share of simulated read-outs whose weights could be trusted.
        value: Value for what is left of the horizon once the result is known.
        cost: What it costs.
        net: Value less what is charged of its cost.
        chance_best: Chance that no other test, and not testing, has a larger net value (Monte Carlo error alone).
        readings: Results that would change the channel's spend.
        notes: What to mind.
    """

    __test__ = False

    channel: str
    direction: str
    spend_change: float
    record: Experiment
    duration: int
    cooldown: int
    known: int
    mde: float
    std_error: float
    iroas_error: float
    iroas: Quantity
    grade: str
    spend_delta: float
    estimates: Mapping[str, float]
    agree: bool
    evsi: Expected
    evppi: float
    trusted: float
    value: Expected
    cost: Cost
    net: Expected
    chance_best: float
    readings: tuple[Reading, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> Json:
        """As plain JSON values."""
        plain: Json = {
            "channel": self.channel,
            "direction": self.direction,
            "spend_change": self.spend_change,
            "treatment_geos": list(self.record.treatment_geos),
            "duration": self.duration,
            "cooldown": self.cooldown,
            "start": self.record.start_date.isoformat(),
            "known_after": self.known,
            "mde": self.mde,
            "std_error": self.std_error,
            "iroas_std_error": self.iroas_error,
            "iroas_believed": self.iroas.to_dict(),
            "grade": self.grade,
            "spend_delta": self.spend_delta,
            "evsi": self.evsi.to_dict() | {"estimators": dict(self.estimates), "agree": self.agree},
            "evppi": self.evppi,
            "trusted_weights": self.trusted,
            "value": self.value.to_dict(),
            "cost": self.cost.to_dict(),
            "net": self.net.to_dict(),
            "chance_best": self.chance_best,
            "readings": [reading.to_dict() for reading in self.readings],
            "notes": list(self.notes),
        }
        return plain | {"record": self.record.to_dict()}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote."""
        from experiments.records import parse

        return cls(
            channel=raw["channel"],
            direction=raw["direction"],
            spend_change=raw["spend_change"],
            record=parse([raw["record"]], results=False)[0],
            duration=raw["duration"],
            cooldown=raw["cooldown"],
            known=raw["known_after"],
            mde=raw["mde"],
            std_error=raw["std_error"],
            iroas_error=raw["iroas_std_error"],
            iroas=Quantity(**raw["iroas_believed"]),
            grade=raw["grade"],
            spend_delta=raw["spend_delta"],
            estimates=dict(raw["evsi"]["estimators"]),
            agree=raw["evsi"]["agree"],
            evsi=_expected(raw["evsi"]),
            evppi=raw["evppi"],
            trusted=raw["trusted_weights"],
            value=_expected(raw["value"]),
            cost=Cost(*(raw["cost"][name] for name in ("expected", "low", "high", "besides"))),
            net=_expected(raw["net"]),
            chance_best=raw["chance_best"],
            readings=tuple(Reading(**reading) for reading in raw["readings"]),
            notes=tuple(raw["notes"]),
        )


@dataclass(frozen=True, slots=True)
class Together:
    """A test of the portfolio.

    Attributes:
        channel: Its channel.
        direction: What is done with its spend.
        record: Its record, with the geos and the day that it has in the portfolio.
        adds: Value that it adds to the tests before it.
        cost: What is charged of its cost.
        known: Periods from the end of the data until its result is known.
    """

    channel: str
    direction: str
    record: Experiment
    adds: float
    cost: float
    known: int

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {
            "channel": self.channel,
            "direction": self.direction,
            "start": self.record.start_date.isoformat(),
            "treatment_geos": list(self.record.treatment_geos),
            "adds": self.adds,
            "cost": self.cost,
            "net": self.adds - self.cost,
            "known_after": self.known,
            "record": self.record.to_dict(),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote."""
        from experiments.records import parse

        record = parse([raw["record"]], results=False)[0]
        return cls(raw["channel"], raw["direction"], record, raw["adds"], raw["cost"], raw["known_after"])


@dataclass(frozen=True, eq=False)
class NextTests:
    """What to test next.

    Attributes:
        tests: The best test of each channel and direction, the largest net value first.
        left_out: Channels (or all of them) that no test is ranked for, with the reason.
        portfolio: Tests to run together or one after the other.
        plan: Spend per channel over the horizon.
        evpi: Value of knowing every response curve exactly.
        compared: How many tests were compared in all.
        horizon: Periods that the decision lasts.
        first: First day of the horizon.
        period: Cadence.
        total: Money of the plan.
        margin: Share of revenue that is left.
        currency: Of all money.
        kpi: Unit of the outcome.
        converged: Whether the fit behind it may be used.
        notes: What to mind.
        provenance: What made it.
    """

    tests: tuple[TestValue, ...]
    left_out: Mapping[str, str]
    portfolio: tuple[Together, ...]
    plan: Mapping[str, Planned]
    evpi: Expected
    compared: int
    horizon: int
    first: str
    period: str
    total: float
    margin: float
    currency: str
    kpi: str
    converged: bool
    notes: tuple[str, ...]
    provenance: Provenance = field(repr=False)

    @property
    def best(self) -> TestValue | None:
        """The test to run; ``None`` where none is worth its cost."""
        return next((test for test in self.worthwhile if test.net.value > 0), None)

    @property
    def worthwhile(self) -> tuple[TestValue, ...]:
        """Tests whose result is worth more than next to nothing, whatever they cost."""
        return tuple(test for test in self.tests if test.evsi.value > max(NOTHING * self.evpi.value, 0.0))

    @property
    def pays(self) -> frozenset[str]:
        """Channels of which a test is worth more than it costs."""
        return frozenset(test.channel for test in self.worthwhile if test.net.value > 0)

    @property
    def idle(self) -> tuple[str, ...]:
        """Channels of which no test is worth more than next to nothing."""
        busy = {test.channel for test in self.worthwhile}
        return tuple(sorted({test.channel for test in self.tests} - busy))

    def to_dict(self) -> Json:
        """As plain JSON values: what ``theodolite experiments next --json`` prints."""
        return {
            "tests": [{"rank": rank} | test.to_dict() for rank, test in enumerate(self.tests, 1)],
            "left_out": dict(self.left_out),
            "portfolio": [test.to_dict() for test in self.portfolio],
            "plan": {name: asdict(spend) for name, spend in self.plan.items()},
            "evpi": self.evpi.to_dict(),
            "compared": self.compared,
            "horizon": self.horizon,
            "from": self.first,
            "period": self.period,
            "total": self.total,
            "margin": self.margin,
            "currency": self.currency,
            "kpi": self.kpi,
            "converged": self.converged,
            "notes": list(self.notes),
            "seed": self.provenance.seed,
            "versions": dict(self.provenance.versions),
            "provenance": self.provenance.to_dict(),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote."""
        return cls(
            tests=tuple(TestValue.from_dict(test) for test in raw["tests"]),
            left_out=dict(raw["left_out"]),
            portfolio=tuple(Together.from_dict(test) for test in raw["portfolio"]),
            plan={name: Planned(**spend) for name, spend in raw["plan"].items()},
            evpi=_expected(raw["evpi"]),
            compared=raw["compared"],
            horizon=raw["horizon"],
            first=raw["from"],
            period=raw["period"],
            total=raw["total"],
            margin=raw["margin"],
            currency=raw["currency"],
            kpi=raw["kpi"],
            converged=raw["converged"],
            notes=tuple(raw["notes"]),
            provenance=Provenance.from_dict(raw["provenance"]),
        )

    def to_frame(self) -> "pd.DataFrame":
        """One row per worthwhile test: ``test, channel, direction``; value, cost and net in money, with their ends."""
        import pandas as pd

        rows = []
        for test in self.worthwhile:
            row: dict[str, Any] = {"test": f"{test.channel}, {WORDS[test.direction]}", "channel": test.channel}
            row |= {"direction": test.direction, "cost": test.cost.charged, "evppi": test.evppi}
            for name, found in (("value", test.value), ("net", test.net)):
                ends = found.estimate(self.currency)
                row |= {name: found.value, f"{name}_low": ends.low, f"{name}_high": ends.high}
            rows.append(row | {"best": test.chance_best})
        return pd.DataFrame(rows)

    def chart(self, width: int | Literal["container"] = 560) -> Any:
        """The ranking: what each test is worth, costs and leaves (an Altair chart)."""
        from calibration.next_test.charts import ranking

        return ranking(self.to_frame(), self.currency, width)


WORDS = {"go_dark": "stop", "heavy_up": "raise", "holdout": "hold out"}
"""What is done with a channel's spend, in a word."""


def _expected(raw: Mapping[str, Any]) -> Expected:
    return Expected(raw["value"], raw["error"])
