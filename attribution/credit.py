"""Credit: what each model gives to each channel, with joint draws; and the attribution that holds several models."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pandas as pd

from attribution.path_table import BASELINE, NO_TOUCH
from measurement import archive
from measurement.errors import DataError, Problem, did_you_mean, shown
from measurement.estimate import LEVEL
from measurement.provenance import Provenance
from measurement.typing import Floats, Json

_ARRAYS = ("conversions", "conversions_draws", "value", "value_draws", "removal_effect", "baseline")


@dataclass(frozen=True, eq=False)
class Credit:
    """What one model gives to each channel. Draws of all models of an attribution are joint.

    Attributes:
        model: The model's name.
        channels: Channel names, shape (channels,).
        conversions: Conversions, shape (channels,).
        conversions_draws: Shape (draws, channels).
        value: Money, shape (channels,); ``None`` where the paths have no value.
        value_draws: Shape (draws, channels).
        removal_effect: Relative loss of conversions without the channel, shape (channels,); Markov only.
        conversion_probability: Modelled probability that a journey with a touch converts; Markov only.
        baseline: Conversions on paths (and their money, where there is any) that the model puts down to no touch, shape
            (1 or 2, 1 + draws), the estimate first; ``None`` for models that credit all of them to touches.
        about: What else is known about the fit, as plain JSON values: the order that was chosen and why, for instance.
    """

    model: str
    channels: tuple[str, ...]
    conversions: Floats
    conversions_draws: Floats
    value: Floats | None = None
    value_draws: Floats | None = None
    removal_effect: Floats | None = None
    conversion_probability: float | None = None
    baseline: Floats | None = None
    about: Json = field(default_factory=dict)

    def ranks(self, top: int = 3) -> pd.DataFrame:
        """How firm the order of the channels is: one row per channel, most conversions first.

        Args:
            top: How many channels count as the top.

        Returns:
            ``channel, rank`` (1 is the most), ``rank_low`` and ``rank_high`` (90 %), and ``in_top``: the share of draws
            in which it is among the first ``top``; ties share the better rank. NaN where nothing was drawn.
        """
        drawn = _rank(self.conversions_draws)
        low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0) if len(drawn) else (np.nan, np.nan)
        inside = (drawn <= top).mean(axis=0) if len(drawn) else np.nan
        rank = _rank(self.conversions[None])[0]
        frame = pd.DataFrame(
            {"channel": self.channels, "rank": rank, "rank_low": low, "rank_high": high, "in_top": inside}
        )
        return frame.sort_values(["rank", "channel"], ignore_index=True)


@dataclass(frozen=True, eq=False)
class Attribution:
    """Credits by several models on the same paths.

    Attributes:
        credits: Per model, in the order asked for.
        channels: Channel names.
        conversions: All conversions, those without a touch included.
        value: Their money; ``None`` where the paths have no value.
        no_touch: Conversions that no touch preceded, and their money.
        no_touch_draws: Draws of the two, shape (2, draws); joint with nothing.
        spend: Money per channel over the window, where it was given.
        window: First and last day covered; ``None`` for aggregated paths.
        spec_hash: Of the `PathSpec`.
        provenance: What made it.
        findings: Those of the paths, and models that were left out.
    """

    credits: Mapping[str, Credit]
    channels: tuple[str, ...]
    conversions: float
    value: float | None
    no_touch: tuple[float, float]
    no_touch_draws: Floats
    spend: Mapping[str, float]
    window: tuple[date, date] | None
    spec_hash: str
    provenance: Provenance
    findings: tuple[Problem, ...] = field(default=())

    def __getitem__(self, model: str) -> Credit:
        if model not in self.credits:
            raise DataError(f"no credit by '{shown(model)}'{did_you_mean(model, self.credits)}")
        return self.credits[model]

    def to_frame(self) -> pd.DataFrame:
        """One row per model and channel: each quantity with ``_low`` and ``_high``, its share, removal effect and ROAS.

        Conversions that no touch preceded are the channel ``(no touch)`` of every model, so that each model's rows
        sum to all conversions. Money columns are NaN where there is no value, ``roas`` where there is no spend.
        """
        rows = []
        for name, credit in self.credits.items():
            for row in self._rows(credit):
                flat = {"model": name, "channel": row["channel"]}
                for key in ("conversions", "value"):
                    known = row[key] or {"estimate": None, "low": None, "high": None}
                    flat |= {key: known["estimate"], f"{key}_low": known["low"], f"{key}_high": known["high"]}
                rows.append(flat | {key: row[key] for key in ("share", "removal_effect", "roas")})
        frame = pd.DataFrame(rows)
        numbers = [name for name in frame.columns if name not in ("model", "channel")]
        return frame.astype(dict.fromkeys(numbers, "float64"))

    def to_dict(self) -> Json:
        """As ``theodolite attribution run --json`` prints it."""
        return {
            "spec_hash": self.spec_hash,
            "paths_hash": self.provenance.data,
            "seed": self.provenance.seed,
            "window": None if self.window is None else [day.isoformat() for day in self.window],
            "conversions": self.conversions,
            "value": self.value,
            "no_touch": {"conversions": self.no_touch[0], "value": None if self.value is None else self.no_touch[1]},
            "models": {
                name: {"channels": self._rows(credit), "conversion_probability": credit.conversion_probability}
                | ({"about": credit.about} if credit.about else {})
                for name, credit in self.credits.items()
            },
            "findings": [{"level": p.level, "code": p.code, "message": p.message} for p in self.findings],
        }

    def to_bytes(self) -> bytes:
        """Everything, draws included, as a compressed npz without objects; the same result gives the same bytes."""
        header: Json = {
            "models": [[c.model, c.conversion_probability, c.about] for c in self.credits.values()],
            "channels": list(self.channels),
            "totals": [self.conversions, self.value, *self.no_touch],
            "spend": dict(self.spend),
            "window": None if self.window is None else [day.isoformat() for day in self.window],
            "spec_hash": self.spec_hash,
            "provenance": self.provenance.to_dict(),
            "findings": [[p.message, p.file, p.line, p.column, p.level, p.code] for p in self.findings],
        }
        arrays = {"no_touch": self.no_touch_draws}
        for i, credit in enumerate(self.credits.values()):
            for name in _ARRAYS:
                array = getattr(credit, name)
                if array is not None:
                    arrays[f"{i}.{name}"] = array
        return archive.pack(header, arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Attribution":
        """Read what `to_bytes` wrote.

        Raises:
            DataError: Where it is anything else.
        """
        header, arrays = archive.unpack(data, "attribution")
        channels = tuple(header["channels"])
        found = {}
        for i, (name, probability, about) in enumerate(header["models"]):
            found[name] = Credit(
                model=name,
                channels=channels,
                conversions=arrays[f"{i}.conversions"],
                conversions_draws=arrays[f"{i}.conversions_draws"],
                value=arrays.get(f"{i}.value"),
                value_draws=arrays.get(f"{i}.value_draws"),
                removal_effect=arrays.get(f"{i}.removal_effect"),
                baseline=arrays.get(f"{i}.baseline"),
                conversion_probability=probability,
                about=about,
            )
        window = header["window"]
        conversions, value, *no_touch = header["totals"]
        return cls(
            credits=found,
            channels=channels,
            conversions=conversions,
            value=value,
            no_touch=(no_touch[0], no_touch[1]),
            no_touch_draws=arrays["no_touch"],
            spend=header["spend"],
            window=None if window is None else (date.fromisoformat(window[0]), date.fromisoformat(window[1])),
            spec_hash=header["spec_hash"],
            provenance=Provenance.from_dict(header["provenance"]),
            findings=tuple(Problem(*each) for each in header["findings"]),
        )

    def _rows(self, credit: Credit) -> list[Json]:
        rows = []
        for i, channel in enumerate(self.channels):
            effect = None if credit.removal_effect is None else float(credit.removal_effect[i])
            value = None if credit.value is None else _quantity(credit.value[i], _column(credit.value_draws, i))
            conversions = _quantity(credit.conversions[i], _column(credit.conversions_draws, i))
            rows.append(self._row(channel, conversions, value, effect))
        if credit.baseline is not None:
            quantities = [_quantity(float(each[0]), each[1:]) for each in credit.baseline]
            rows.append(self._row(BASELINE, quantities[0], quantities[1] if len(quantities) > 1 else None, None))
        if self.no_touch[0]:
            conversions = _quantity(self.no_touch[0], self.no_touch_draws[0])
            value = None if self.value is None else _quantity(self.no_touch[1], self.no_touch_draws[1])
            rows.append(self._row(NO_TOUCH, conversions, value, None))
        return rows

    def _row(self, channel: str, conversions: Json, value: Json | None, effect: float | None) -> Json:
        spend = self.spend.get(channel)
        share = conversions["estimate"] / self.conversions
        row = {"channel": channel, "conversions": conversions, "value": value, "share": share, "removal_effect": effect}
        return row | {"spend": spend} | _roas(value, spend) | _cpa(conversions, spend)


def _rank(credit: Floats) -> Floats:
    """Rank of each channel in each row, 1 for the most; shape (rows, channels)."""
    best = -np.sort(-credit, axis=1)
    found = [np.searchsorted(-each, -row, side="left") + 1.0 for each, row in zip(best, credit, strict=True)]
    return np.array(found).reshape(credit.shape)


def _column(draws: Floats | None, channel: int) -> Floats:
    return np.zeros(0) if draws is None else draws[:, channel]


def _quantity(estimate: float, draws: Floats) -> Json:
    """``{"estimate", "low", "high"}`` (90 %); no interval where nothing was drawn."""
    if not draws.size:
        return {"estimate": float(estimate), "low": None, "high": None}
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return {"estimate": float(estimate), "low": float(low), "high": float(high)}


def _roas(value: Json | None, spend: float | None) -> Json:
    """Attributed money per money spent, with its interval; empty of numbers where either is unknown."""
    if value is None or not spend:
        return {"roas": None, "roas_interval": None}
    over = {key: None if amount is None else amount / spend for key, amount in value.items()}
    return {"roas": over["estimate"], "roas_interval": {"low": over["low"], "high": over["high"]}}


def _cpa(conversions: Json, spend: float | None) -> Json:
    """Money per attributed conversion, with its interval; empty of numbers where either is unknown or 0."""
    if not spend:
        return {"cpa": None, "cpa_interval": None}
    one, low, high = (spend / won if won else None for won in map(conversions.get, ("estimate", "high", "low")))
    return {"cpa": one, "cpa_interval": {"low": low, "high": high}}
