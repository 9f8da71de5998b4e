"""View: the unified answer per channel, with what every method said, as data that can be printed, stored and drawn."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import pandas as pd

from measurement.estimate import Estimate
from measurement.provenance import Provenance
from measurement.typing import Json

State = Literal[
    "agree",
    "differ, same action",
    "differ, action changes",
    "single source",
    "not comparable",
    "stale",
    "conflict, withheld",
]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A median with its 90 % interval; all three are equal where nothing is known of the error."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, estimate: Estimate) -> Self:
        """The median and 90 % interval of an estimate."""
        return cls(estimate.median, estimate.low, estimate.high)

    @classmethod
    def from_dict(cls, raw: Mapping[str, float] | None) -> "Quantity | None":
        """Read what `to_dict` wrote; ``None`` stays ``None``."""
        return None if raw is None else cls(raw["median"], raw["low"], raw["high"])

    def to_dict(self) -> Json:
        """As ``{"median", "low", "high"}``."""
        return {"median": self.median, "low": self.low, "high": self.high}


@dataclass(frozen=True, eq=True)
class ChannelView:
    """One channel in the unified view. Ratios are money per money over the view's window.

    Attributes:
        channel: Its name.
        spend: Money spent in the window.
        iroas: Unified iROAS; ``None`` where it is withheld or nothing is known.
        mmm: iROAS by the fit without tests.
        mmm_calibrated: iROAS by the fit with tests.
        experiments: iROAS by the tests alone, carried from the spend they moved to the channel's average.
        attribution: ROAS by attribution model, over attribution's own window.
        platform: ROAS as the platform reports it.
        weights: How far the unified number moves, as a share, when a source's own number for this channel moves:
            ``mmm``, ``experiments``, ``attribution``; ``prior`` is the rest (other channels and what was believed).
        incrementality_factor: Incremental / attributed, by the view's primary attribution model.
        mroas: Unified return of the next unit of money.
        evidence_grade: Best grade among the channel's tests; ``None`` without a test.
        evidence_age: Years since the youngest test's read-out.
        above_break_even: Probability that the unified iROAS exceeds break-even.
        next_above_break_even: Probability that the unified mROAS does.
        state: How the methods stand to each other.
        reason: Why, in words.
        action: What to do, in words.
    """

    channel: str
    spend: float
    iroas: Quantity | None
    mmm: Quantity | None = None
    mmm_calibrated: Quantity | None = None
    experiments: Quantity | None = None
    attribution: Mapping[str, Quantity] = field(default_factory=dict)
    platform: Quantity | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    incrementality_factor: Quantity | None = None
    mroas: Quantity | None = None
    evidence_grade: str | None = None
    evidence_age: float | None = None
    above_break_even: float | None = None
    next_above_break_even: float | None = None
    state: State = "agree"
    reason: str = ""
    action: str = ""

    def sources(self) -> Iterator[tuple[str, str, Quantity]]:
        """Every number as (source, model, quantity); the model is empty but for attribution."""
        named = (
            ("unified", self.iroas),
            ("mmm", self.mmm),
            ("mmm_calibrated", self.mmm_calibrated),
            ("experiments", self.experiments),
        )
        for source, quantity in named:
            if quantity is not None:
                yield source, "", quantity
        for model, quantity in self.attribution.items():
            yield "attribution", model, quantity
        if self.platform is not None:
            yield "platform", "", self.platform

    def to_dict(self) -> Json:
        """The channel's entry in ``reconcile --json``."""
        return {
            "channel": self.channel,
            "spend": self.spend,
            "iroas": _plain(self.iroas),
            "sources": {
                "mmm": _plain(self.mmm),
                "mmm_calibrated": _plain(self.mmm_calibrated),
                "experiments": _plain(self.experiments),
                "attribution": {model: quantity.to_dict() for model, quantity in self.attribution.items()},
                "platform": _plain(self.platform),
            },
            "weights": dict(self.weights),
            "incrementality_factor": _plain(self.incrementality_factor),
            "mroas": _plain(self.mroas),
            "evidence_grade": self.evidence_grade,
            "state": f"{self.state}: {self.reason}" if self.iroas is None and self.reason else self.state,
            "action": self.action,
        }


@dataclass(frozen=True, eq=True)
class View:
    """The unified view of a study. Make it with `calibration.reconcile`.

    Attributes:
        channels: One entry per channel of the panel, in its order.
        derived_from: Everything that went in, by id or hash: tests, the data, the fits, the paths.
        converged: Whether the fit and the integration can be trusted.
        seed: Seed of everything random.
        versions: Distribution versions.
        window: First and last day that the numbers cover.
        currency: Currency of the money.
        break_even: iROAS at which the margin just pays for the spend.
        primary: Attribution model that entered the unified number; empty without attribution.
        notes: What a reader should know, in words.
        diagnostics: Effective draws, k-hat, log evidence and the methods' biases.
        provenance: What made it.
    """

    channels: tuple[ChannelView, ...]
    derived_from: tuple[str, ...]
    converged: bool
    seed: int
    versions: Mapping[str, str]
    window: tuple[str, str] = ("", "")
    currency: str = "EUR"
    break_even: float = 1.0
    primary: str = ""
    notes: tuple[str, ...] = ()
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    provenance: Provenance | None = None

    def __getitem__(self, channel: str) -> ChannelView:
        """The entry of a channel."""
        return next(view for view in self.channels if view.channel == channel)

    def to_dict(self, full: bool = False) -> Json:
        """As ``reconcile --json`` prints it; ``full`` adds what else the view holds, so that it can be read back."""
        plain: Json = {
            "channels": [view.to_dict() for view in self.channels],
            "derived_from": list(self.derived_from),
            "converged": self.converged,
            "seed": self.seed,
            "versions": dict(self.versions),
        }
        if not full:
            return plain
        for entry, view in zip(plain["channels"], self.channels, strict=True):
            entry["more"] = {
                name: getattr(view, name)
                for name in ("evidence_age", "above_break_even", "next_above_break_even", "state", "reason")
            }
        return plain | {
            "window": list(self.window),
            "currency": self.currency,
            "break_even": self.break_even,
            "primary": self.primary,
            "notes": list(self.notes),
            "diagnostics": dict(self.diagnostics),
            "provenance": None if self.provenance is None else self.provenance.to_dict(),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Read what ``to_dict(full=True)`` wrote."""
        provenance = raw.get("provenance")
        return cls(
            channels=tuple(_channel(entry) for entry in raw["channels"]),
            derived_from=tuple(raw["derived_from"]),
            converged=raw["converged"],
            seed=raw["seed"],
            versions=dict(raw["versions"]),
            window=(raw["window"][0], raw["window"][1]),
            currency=raw["currency"],
            break_even=raw["break_even"],
            primary=raw["primary"],
            notes=tuple(raw["notes"]),
            diagnostics=dict(raw["diagnostics"]),
            provenance=None if provenance is None else Provenance.from_dict(provenance),
        )

    def to_frame(self) -> pd.DataFrame:
        """Tidy and long: ``channel, source, model, quantity, median, low, high, unit``, one row per number.

        ``quantity`` is ``iroas``, ``roas`` (attribution and platform), ``mroas``, ``incrementality_factor``,
        ``spend`` or ``weight`` (its ``source`` says whose); intervals are 90 %.
        """
        ratio = f"{self.currency} per {self.currency}"
        rows: list[tuple[str, str, str, str, float, float, float, str]] = []
        for view in self.channels:
            name = view.channel
            rows.append((name, "data", "", "spend", view.spend, view.spend, view.spend, self.currency))
            for source, model, q in view.sources():
                what = "roas" if source in ("attribution", "platform") else "iroas"
                rows.append((name, source, model, what, q.median, q.low, q.high, ratio))
            if view.mroas is not None:
                q = view.mroas
                rows.append((name, "unified", "", "mroas", q.median, q.low, q.high, ratio))
            if view.incrementality_factor is not None:
                q = view.incrementality_factor
                rows.append((name, "unified", self.primary, "incrementality_factor", q.median, q.low, q.high, "share"))
            rows += [(name, source, "", "weight", w, w, w, "share") for source, w in view.weights.items()]
        return pd.DataFrame(rows, columns=["channel", "source", "model", "quantity", "median", "low", "high", "unit"])

    def chart(self, truth: Mapping[str, float] | None = None) -> Any:
        """The forest plot of every source per channel (an Altair chart); ``truth`` marks known iROAS by channel."""
        from calibration.charts import forest

        return forest(self.to_frame(), self.break_even, truth)


def _plain(quantity: Quantity | None) -> Json | None:
    return None if quantity is None else quantity.to_dict()


def _channel(raw: Mapping[str, Any]) -> ChannelView:
    sources, more = raw["sources"], raw["more"]
    attribution = {model: Quantity(q["median"], q["low"], q["high"]) for model, q in sources["attribution"].items()}
    return ChannelView(
        channel=raw["channel"],
        spend=raw["spend"],
        iroas=Quantity.from_dict(raw["iroas"]),
        mmm=Quantity.from_dict(sources["mmm"]),
        mmm_calibrated=Quantity.from_dict(sources["mmm_calibrated"]),
        experiments=Quantity.from_dict(sources["experiments"]),
        attribution=attribution,
        platform=Quantity.from_dict(sources["platform"]),
        weights=dict(raw["weights"]),
        incrementality_factor=Quantity.from_dict(raw["incrementality_factor"]),
        mroas=Quantity.from_dict(raw["mroas"]),
        evidence_grade=raw["evidence_grade"],
        evidence_age=more["evidence_age"],
        above_break_even=more["above_break_even"],
        next_above_break_even=more["next_above_break_even"],
        state=more["state"],
        reason=more["reason"],
        action=raw["action"],
    )
