"""View: the unified answer per channel, with what every method said, as data that can be printed, stored and drawn."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import pandas as pd

from calibration.parts import Campaign, Cell, Tipping, Without
from calibration.quantity import Move, Quantity, State, plain
from measurement.provenance import Provenance
from measurement.typing import Json


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
        move: The same in a word; ``None`` where the number is withheld.
        says: What each method, believed alone, would have one do: ``mmm``, ``experiments``, ``attribution``.
        without: The unified view with each method left out.
        tipping: How wrong ``mmm`` or ``attribution`` would have to be to change the action, where no more than a factor
            of 10.
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
    move: Move | None = None
    says: Mapping[str, Move] = field(default_factory=dict)
    without: Mapping[str, Without] = field(default_factory=dict)
    tipping: Mapping[str, Tipping] = field(default_factory=dict)

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
            "iroas": plain(self.iroas),
            "sources": {
                "mmm": plain(self.mmm),
                "mmm_calibrated": plain(self.mmm_calibrated),
                "experiments": plain(self.experiments),
                "attribution": {model: quantity.to_dict() for model, quantity in self.attribution.items()},
                "platform": plain(self.platform),
            },
            "weights": dict(self.weights),
            "incrementality_factor": plain(self.incrementality_factor),
            "mroas": plain(self.mroas),
            "evidence_grade": self.evidence_grade,
            "state": f"{self.state}: {self.reason}" if self.iroas is None and self.reason else self.state,
            "action": self.action,
            "reason": self.reason,
            "evidence_age": self.evidence_age,
            "above_break_even": self.above_break_even,
            "next_above_break_even": self.next_above_break_even,
            "move": self.move,
            "says": dict(self.says),
            "without": {source: rest.to_dict() for source, rest in self.without.items()},
            "tipping": {source: tip.to_dict() for source, tip in self.tipping.items()},
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
        cells: The channels by month or quarter, and by market where asked for.
        campaigns: The channels' campaigns, where attribution tells them apart.
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
    cells: tuple[Cell, ...] = ()
    campaigns: tuple[Campaign, ...] = ()

    def __getitem__(self, channel: str) -> ChannelView:
        """The entry of a channel."""
        return next(view for view in self.channels if view.channel == channel)

    def to_dict(self, full: bool = False) -> Json:
        """As ``reconcile --json`` prints it; ``full`` adds what else the view holds, so that it can be read back."""
        printed: Json = {
            "channels": [view.to_dict() for view in self.channels],
            "derived_from": list(self.derived_from),
            "converged": self.converged,
            "seed": self.seed,
            "versions": dict(self.versions),
            "break_even": self.break_even,
            "cells": [cell.to_dict() for cell in self.cells],
            "campaigns": [campaign.to_dict() for campaign in self.campaigns],
        }
        if not full:
            return printed
        for entry, view in zip(printed["channels"], self.channels, strict=True):
            entry["state"] = view.state
        return printed | {
            "window": list(self.window),
            "currency": self.currency,
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
            cells=tuple(Cell.from_dict(cell) for cell in raw["cells"]),
            campaigns=tuple(Campaign.from_dict(campaign) for campaign in raw["campaigns"]),
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


def _channel(raw: Mapping[str, Any]) -> ChannelView:
    sources = raw["sources"]
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
        evidence_age=raw["evidence_age"],
        above_break_even=raw["above_break_even"],
        next_above_break_even=raw["next_above_break_even"],
        state=raw["state"],
        reason=raw["reason"],
        action=raw["action"],
        move=raw["move"],
        says=dict(raw["says"]),
        without={source: Without.from_dict(rest) for source, rest in raw["without"].items()},
        tipping={source: Tipping.from_dict(tip) for source, tip in raw["tipping"].items()},
    )
