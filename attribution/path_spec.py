"""PathSpec: every choice that turns an event log into paths and rule-based credit; its hash travels along."""

import json
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError, model_validator

from measurement.errors import DataError, Problem, did_you_mean, shown
from measurement.provenance import sha256_of

DIRECT_NAMES = frozenset({"direct", "(direct)"})
"""Names (any case) that the rule for direct traffic means; give others an alias."""

SECONDS_PER_DAY = 86_400


def _pairs(raw: Any) -> Any:
    return tuple(sorted(raw.items())) if isinstance(raw, Mapping) else raw


def _names(raw: Any) -> Any:
    listed = isinstance(raw, list | tuple) and all(isinstance(name, str) for name in raw)
    return tuple(sorted(set(raw))) if listed else raw


type Aliases = Annotated[
    tuple[tuple[str, str], ...], BeforeValidator(_pairs), PlainSerializer(lambda pairs: dict(pairs), return_type=dict)
]
type Geos = Annotated[tuple[str, ...], BeforeValidator(_names)]
type Days = Annotated[float, Field(strict=True, gt=0, le=1_100, allow_inf_nan=False)]
type Minutes = Annotated[float, Field(strict=True, ge=0, le=1_440, allow_inf_nan=False)]
type Weight = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]


class PathSpec(BaseModel):
    """How events become paths, and what the rules that have a free setting use.

    Attributes:
        click_lookback_days: A click counts for a conversion at most this many days later.
        impression_lookback_days: The same for an impression. The longer of the two is *the* lookback: a journey ends
            with a conversion or after a silence longer than the lookback.
        conversion_window_days: Longest time from the first touch of a path to its conversion: it caps both lookbacks;
            ``None`` leaves them as they are.
        after_conversion: After a conversion the path starts empty (``reset``: a touch counts for one conversion), or
            later conversions of the user see its touches too, within their lookbacks (``reuse``).
        session_gap_minutes: Touches of a user on one channel, of one kind (click, impression), each at most this long
            after the one before, are one touch, at the time of the first; 0 for none.
        unfinished: A journey without conversion that is younger than the lookback when the log ends may still
            convert: ``leave_out`` counts it apart, ``null`` takes it for a journey that did not convert.
        repeats: ``collapse`` keeps one touch (the last) of several in a row on the same channel.
        direct: ``drop_unless_only`` takes direct traffic out of every path that has another touch.
        duplicates: Events equal in user, time, channel, event and value are counted once (``drop``) or as they are.
        bots: What to do with users of more than ``bot_touches`` touches; they are reported either way.
        bot_touches: Touches in the log beyond which nobody is human.
        start: First day (UTC) of conversions, and of the last touches of journeys without one; ``None``: all.
        end: Last such day, inclusive. Touches before ``start`` still count for conversions after it.
        grain: What a step of a path is: a ``channel``, or a ``campaign`` of one (optional column ``campaign``), called
            ``channel / campaign``.
        geos: Only events of these markets (optional column ``geo``); empty for all.
        ga4_conversion: In an export of GA4, the event that is the conversion.
        ga4_channels: Its channels are default channel groups (``group``), or ``source / medium``.
        null_journeys: Markov models need journeys that did not convert; ``optional`` lets them go on without any.
        half_life_days: In time decay, a touch this much older weighs half.
        position_weights: In the position rule, the weights of the first touch, all touches between, the last touch.
        aliases: Other names of a channel, mapped to its name; ``*`` in one stands for any text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    click_lookback_days: Days = 30.0
    impression_lookback_days: Days = 30.0
    conversion_window_days: Days | None = None
    after_conversion: Literal["reset", "reuse"] = "reset"
    session_gap_minutes: Minutes = 0.0
    unfinished: Literal["leave_out", "null"] = "leave_out"
    repeats: Literal["keep", "collapse"] = "keep"
    direct: Literal["keep", "drop_unless_only"] = "keep"
    duplicates: Literal["drop", "keep"] = "drop"
    bots: Literal["keep", "drop"] = "keep"
    bot_touches: Annotated[int, Field(strict=True, ge=1)] = 1_000
    start: date | None = None
    end: date | None = None
    grain: Literal["channel", "campaign"] = "channel"
    geos: Geos = ()
    ga4_conversion: Annotated[str, Field(min_length=1)] = "purchase"
    ga4_channels: Literal["group", "source_medium"] = "group"
    null_journeys: Literal["needed", "optional"] = "needed"
    half_life_days: Days = 7.0
    position_weights: tuple[Weight, Weight, Weight] = (0.4, 0.2, 0.4)
    aliases: Aliases = ()

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.start is not None and self.end is not None and self.end < self.start:
            raise ValueError(f"end {self.end} lies before start {self.start}")
        if sum(self.position_weights) == 0:
            raise ValueError("position_weights cannot all be 0")
        return self

    @property
    def click_days(self) -> float:
        """Days that a click counts: its lookback, within the conversion window."""
        return min(self.click_lookback_days, self.conversion_window_days or self.click_lookback_days)

    @property
    def impression_days(self) -> float:
        """The same for an impression."""
        return min(self.impression_lookback_days, self.conversion_window_days or self.impression_lookback_days)

    @property
    def lookback_days(self) -> float:
        """The longest lookback, within the conversion window."""
        return max(self.click_days, self.impression_days)

    @property
    def in_seconds(self) -> bool:
        """Whether every span of time in it is of whole seconds."""
        days = (self.click_days, self.impression_days, self.half_life_days, self.session_gap_minutes / 1_440)
        return all((each * SECONDS_PER_DAY).is_integer() for each in days)

    @property
    def sha256(self) -> str:
        """Fingerprint of every setting."""
        return sha256_of(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return self.model_dump(mode="json")

    def with_aliases(self, aliases: Mapping[str, str]) -> Self:
        """The same with further aliases, which win over those that are there."""
        return self.model_copy(update={"aliases": _pairs(dict(self.aliases) | dict(aliases))})

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any], file: str | None = None) -> Self:
        """From plain values.

        Raises:
            DataError: With every setting that is unknown or has a value that is not allowed.
        """
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            raise DataError([_problem(dict(item), file) for item in error.errors()]) from None

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """From a JSON file of one object, or a TOML file.

        Raises:
            DataError: Where the file is missing, cannot be read as such, or holds what `from_dict` refuses.
        """
        name = str(path)
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
            is_toml = Path(path).suffix.lower() == ".toml"
            raw = tomllib.loads(text) if is_toml else json.loads(text, object_pairs_hook=_no_twins)
        except OSError as error:
            raise DataError([Problem(f"cannot be read ({error.strerror})", name, code="unreadable")]) from None
        except json.JSONDecodeError as error:
            raise DataError([Problem(f"is no JSON: {error.msg}", name, error.lineno, code="json")]) from None
        except (ValueError, RecursionError) as error:
            raise DataError([Problem(f"cannot be read: {shown(error, 200)}", name, code="unreadable")]) from None
        if not isinstance(raw, dict):
            raise DataError([Problem('is no JSON object of settings, such as {"repeats": "keep"}', name, code="json")])
        return cls.from_dict(raw, name)


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"{', '.join(sorted(map(shown, twice)))} given twice")
    return dict(pairs)


def _problem(item: Mapping[str, Any], file: str | None) -> Problem:
    where = ".".join(map(str, item["loc"])) or None
    if item["type"] == "extra_forbidden":
        message = f"unknown setting{did_you_mean(str(item['loc'][-1]), PathSpec.model_fields)}"
    elif item["type"] == "value_error":
        message = str(item["ctx"]["error"])
    else:
        message = f"{item['msg']}, found {shown(repr(item['input']))}"
    return Problem(message, file, column=where, code=str(item["type"]))
