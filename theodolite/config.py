"""theodolite.toml: the study, where its data lie, and what is known about its channels."""

import re
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from measurement.errors import DataError, Problem, did_you_mean, shown
from measurement.mmm.spec import (
    SIZES,
    Adstock,
    DemandDriven,
    Order,
    PositivePrior,
    Saturation,
    Trend,
    UnitPrior,
    Varies,
)
from measurement.store import Server

if TYPE_CHECKING:
    from experiments.registry.blackouts import Blackout

FILE_NAME = "theodolite.toml"

Whole = Annotated[int, BeforeValidator(lambda v: int(v) if isinstance(v, float) and v.is_integer() else v)]
"""A whole number; `_numbers` has made a float of it."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class StudySection(_Section):
    """What is studied, in which money and at which cadence."""

    name: str = Field(min_length=1, max_length=200)
    kpi: str = "outcome"
    kpi_value: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    margin: float | None = Field(default=None, gt=0, le=1)
    currency: str = Field(default="EUR", min_length=1, max_length=10)
    period: Literal["day", "week", "month"] = "week"
    population: str | None = None
    controls: list[str] = []
    holidays: list[str] | dict[str, list[str]] = []

    @field_validator("holidays", mode="before")
    @classmethod
    def _codes(cls, given: Any) -> Any:
        tables = given.values() if isinstance(given, dict) else [given]
        if not all(isinstance(codes, list) and all(isinstance(code, str) for code in codes) for codes in tables):
            raise ValueError(
                'holidays are a list of codes, ["DE"], or one list per market, { Munich = ["DE-BY"], "*" = ["DE"] }, '
                f"found {shown(given)!r}"
            )
        return given


class DataSection(_Section):
    """Files, relative to theodolite.toml; csv, parquet or ``FILE::TABLE`` of DuckDB, globs allowed."""

    media: str
    outcome: str
    experiments: str | None = None
    touchpoints: str | None = None
    identities: str | None = None
    path_spec: str | None = None
    platform: str | None = None


class ReachSection(_Section):
    """The columns of the media table whose product is a channel's exposure."""

    reach: str
    frequency: str


class ChannelSection(_Section):
    """What is known about one channel; what is left out is the model's default (`measurement.mmm.ChannelSpec`)."""

    exposure: str | ReachSection | None = None
    aliases: list[str] = []
    organic: bool = False
    demand_driven: DemandDriven = "some"
    roi: PositivePrior | None = None
    mroi: PositivePrior | None = None
    contribution: PositivePrior | None = None
    coefficient: PositivePrior | None = None
    adstock: Adstock | None = None
    saturation: Saturation | None = None
    order: Order | None = None
    l_max: Whole | None = Field(default=None, ge=1, le=400)
    decay: UnitPrior | None = None
    delay: UnitPrior | None = None
    half_saturation: PositivePrior | None = None
    slope: PositivePrior | None = None
    exponent: PositivePrior | None = None
    weibull_shape: PositivePrior | None = None
    weibull_scale: PositivePrior | None = None
    varies: Varies | None = None
    drift: PositivePrior | None = None

    @field_validator("exposure", mode="before")
    @classmethod
    def _columns(cls, given: Any) -> Any:
        columns = (
            list(given.values()) if isinstance(given, dict) and given.keys() == {"reach", "frequency"} else [given]
        )
        if not all(isinstance(column, str) for column in columns):
            raise ValueError(
                'an exposure is a column of the media table, "impressions", or two whose product it is, '
                f'{{ reach = "reach", frequency = "frequency" }}, found {shown(given)!r}'
            )
        return given

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        given = [name for name in SIZES if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"an effect has one size: give a prior of one of {', '.join(given)}")
        if self.drift is not None and self.varies != "slow":
            raise ValueError('a drift is that of an effect which varies: write varies = "slow" beside it')
        return self

    @property
    def seen(self) -> str | tuple[str, str] | None:
        """The column of its exposure, or those of reach and frequency; ``None`` where it is spend."""
        given = self.exposure
        return (given.reach, given.frequency) if isinstance(given, ReachSection) else given

    @property
    def model(self) -> dict[str, Any]:
        """What it says to the model."""
        return self.model_dump(exclude_none=True, exclude={"exposure", "aliases"})


class ModelSection(_Section):
    """What holds for all channels; what is left out is the model's default (`measurement.mmm.Spec`)."""

    trend: Trend | None = None
    changepoint_every: Whole | None = Field(default=None, ge=2)
    fourier_order: Whole | None = Field(default=None, ge=0, le=20)
    geo_spread: PositivePrior | None = None
    likelihood: Literal["auto", "normal", "student_t", "negative_binomial"] | None = None
    mask_tests: Literal["auto", "yes", "no"] | None = None


class CompareSection(_Section):
    """A model of one's own to compare with the study's: what it sets otherwise (`theodolite mmm compare`)."""

    model: ModelSection = ModelSection()
    channels: dict[str, ChannelSection] = {}

    @model_validator(mode="after")
    def _same_data(self) -> Self:
        odd = [name for name, own in self.channels.items() if own.model_fields_set & {"exposure", "aliases", "organic"}]
        if odd:
            raise ValueError(
                f"exposure, aliases and organic belong to the data and cannot differ between models; channel {odd[0]!r}"
            )
        return self


class TreatmentSection(_Section):
    """A column of the outcome table that is a lever of the business (`measurement.mmm.TreatmentSpec`)."""

    baseline: Literal["min", "mean", "max"] | float = "min"
    effect: float = Field(default=0.15, gt=0, le=10, allow_inf_nan=False)


class StoreSection(_Section):
    """Where the study's store lies: in the workspace, or on the PostgreSQL of a team."""

    postgres: str | None = Field(default=None, min_length=1)
    schema_name: str | None = Field(default=None, pattern="^[a-z_][a-z0-9_]{0,62}$")

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.postgres is None) != (self.schema_name is None):
            raise ValueError(
                "postgres (how to reach the database) and schema_name (the study's own schema) go together"
            )
        return self

    @property
    def server(self) -> Server | None:
        """The server; ``None`` for the workspace."""
        return None if self.postgres is None or self.schema_name is None else Server(self.postgres, self.schema_name)


class BlackoutSection(_Section):
    """Days on which no test may run."""

    start: date
    end: date
    reason: str = Field(min_length=1, max_length=500)

    @field_validator("start", "end", mode="before")
    @classmethod
    def _days(cls, given: Any) -> Any:
        if type(given) is not date:
            raise ValueError(f"a day is written 2026-11-23, without quotes and time of day, found {shown(given)!r}")
        return given

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end < self.start:
            raise ValueError(f"a blackout ends on {self.end}, before its start on {self.start}")
        return self


class Config(_Section):
    """The whole file."""

    study: StudySection
    data: DataSection
    model: ModelSection = ModelSection()
    channels: dict[str, ChannelSection] = {}
    treatments: dict[str, TreatmentSection] = {}
    compare: dict[str, CompareSection] = {}
    store: StoreSection = StoreSection()
    blackouts: list[BlackoutSection] = []

    @property
    def controls(self) -> list[str]:
        """Columns of the outcome table that the model takes in, the treatments among them."""
        return [*self.study.controls, *(name for name in self.treatments if name not in self.study.controls)]

    @property
    def closed(self) -> "tuple[Blackout, ...]":
        """Days on which no test may run, earliest first."""
        from experiments.registry.blackouts import Blackout

        found = [Blackout(each.start, each.end, each.reason) for each in self.blackouts]
        return tuple(sorted(found, key=lambda each: each.start))

    def with_model(self, name: str) -> Self:
        """The same study with one of the models of ``[compare.NAME]`` as its own."""
        own = self.compare[name]
        channels = self.channels | {
            channel: _overlaid(self.channels.get(channel, ChannelSection()), fields)
            for channel, fields in own.channels.items()
        }
        return self.model_copy(update={"model": _overlaid(self.model, own.model), "channels": channels})

    @property
    def aliases(self) -> dict[str, str]:
        """Every other name of a channel, mapped to its name in the media table."""
        return {alias: name for name, channel in self.channels.items() for alias in channel.aliases}


def _overlaid[S: _Section](base: S, own: S) -> S:
    """A section with the fields that another sets."""
    return base.model_copy(update={name: getattr(own, name) for name in own.model_fields_set})


def load(path: Path) -> Config:
    """Read a theodolite.toml.

    Raises:
        DataError: With file, line and field of everything that is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        hint = f"there is no {FILE_NAME} in {path.parent}; make one with `theodolite init`"
        raise DataError(hint) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError([Problem(f"cannot be read as UTF-8 text: {error}", file=str(path))]) from None
    return parse(text, str(path))


def parse(text: str, file: str = FILE_NAME) -> Config:
    """Read the text of a theodolite.toml; errors as in `load`."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        raise DataError([Problem(str(error), file=file, line=int(line.group(1)) if line else None)]) from None
    except RecursionError:
        raise DataError([Problem("is nested too deeply", file=file)]) from None
    try:
        config = Config.model_validate(_numbers(raw))
    except ValidationError as error:
        lines = _lines(text)
        raise DataError([_problem(dict(item), lines, file) for item in error.errors()]) from None
    _refuse_shared_names(config, file)
    return config


def _numbers(value: Any) -> Any:
    """TOML writes 1 for 1.0: whole numbers are numbers (strict mode would refuse them); booleans stay what they are."""
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _problem(item: Mapping[str, Any], lines: Mapping[tuple[str, ...], int], file: str) -> Problem:
    where = tuple(str(part) for part in item["loc"])
    line = next((lines[where[:n]] for n in range(len(where), 0, -1) if where[:n] in lines), None)
    field = ".".join(where)
    match item["type"]:
        case "extra_forbidden":
            message = f"unknown setting{did_you_mean(where[-1], _known(where))}"
        case "missing":
            message = "is needed and missing"
        case "value_error":
            message = str(item["ctx"]["error"])
        case _:
            message = f"{item['msg']}, found {shown(item['input'])!r}"
    return Problem(message, file=file, line=line, column=field, code=str(item["type"]))


def _known(where: tuple[str, ...]) -> list[str]:
    sections: dict[str, type[BaseModel]] = {
        "study": StudySection,
        "data": DataSection,
        "model": ModelSection,
        "channels": ChannelSection,
        "treatments": TreatmentSection,
        "compare": CompareSection,
        "store": StoreSection,
        "blackouts": BlackoutSection,
    }
    if len(where) == 1:
        return list(sections)
    field = where[1 if where[0] == "model" else 2] if len(where) > (2 if where[0] == "model" else 3) else None
    model: type[BaseModel] = PositivePrior if field else sections.get(where[0], Config)
    return list(model.model_fields)


def _lines(text: str) -> dict[tuple[str, ...], int]:
    """Where each ``[section]`` and ``key =`` stands; good enough to point at, the parser stays tomllib."""
    found: dict[tuple[str, ...], int] = {}
    section: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if table := re.match(r"\s*\[\[\s*([\w-]+)\s*\]\]", line):
            number_of_it = sum(where[:1] == (table.group(1),) and len(where) == 2 for where in found)
            section = (table.group(1), str(number_of_it))
            found[section] = number
        elif header := re.match(r"\s*\[([^\[\]]+)\]", line):
            section = tuple(
                part.strip().strip("\"'") for part in re.findall(r"\"[^\"]*\"|'[^']*'|[^.]+", header.group(1))
            )
            found.setdefault(section, number)
        elif key := re.match(r"\s*([\w\"'-]+)\s*=", line):
            found.setdefault((*section, key.group(1).strip("\"'")), number)
    return found


def _refuse_shared_names(config: Config, file: str) -> None:
    owner: dict[str, str] = {}
    problems = []
    for name, channel in config.channels.items():
        for alias in channel.aliases:
            other = owner.get(alias) or (alias if alias in config.channels and alias != name else None)
            if other is not None and other != name:
                message = (
                    f"'{shown(alias)}' names both '{shown(other)}' and '{shown(name)}'; it can name one channel only"
                )
                problems.append(Problem(message, file=file, column=f"channels.{name}.aliases", code="shared-alias"))
            owner[alias] = name
    if problems:
        raise DataError(problems)
