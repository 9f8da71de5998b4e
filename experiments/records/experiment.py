"""Experiment: the record of one test, as users write it (json, csv) and as every other room reads it."""

from collections.abc import Mapping
from datetime import date
from statistics import NormalDist
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

Method = Literal[
    "geo_holdout", "go_dark", "heavy_up", "scale", "conversion_lift", "ghost_ads", "psa", "switchback", "on_off"
]
Estimand = Literal["outcome_change", "incremental_outcome", "iroas", "icpa", "relative_lift"]
Grade = Literal["A", "B", "C", "D", "E"]

METHODS: tuple[Method, ...] = get_args(Method)
ESTIMANDS: tuple[Estimand, ...] = get_args(Estimand)
GRADES: tuple[Grade, ...] = get_args(Grade)

ON_USERS: tuple[Method, ...] = ("conversion_lift", "ghost_ads", "psa")
"""Methods that draw users within markets, and not markets."""

CI_LEVEL = 0.90
"""Level of a reported interval that does not name it."""


class Assignment(BaseModel):
    """How the treated geos were drawn, so that the null distribution is the design's own.

    ``uniform``: any set of as many of the ``eligible`` geos (of all treated and control geos where none are named).
    ``near_best``: one of the ``candidates``, each as likely. ``pairs``: one geo of each of the record's ``pairs``.

    For a ``schedule`` it says how the blocks' states were drawn, in each geo by itself where geos switch apart:
    ``pairs``: one of every two neighbouring blocks is on; ``uniform``: any as many blocks (a coin for each block is
    that too, given how many came up on).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    rule: Literal["uniform", "near_best", "pairs"]
    seed: int | None = None
    eligible: tuple[str, ...] = ()
    candidates: tuple[tuple[str, ...], ...] = ()


class Block(BaseModel):
    """A stretch of a switchback's schedule: the days (inclusive) in which the treatment was on or off.

    ``geo`` is empty where the whole market switches together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    start: date
    end: date
    on: bool
    geo: str = ""


class Experiment(BaseModel):
    """One test: what was changed, where and when, and (once known) what it measured.

    Money is in the study's currency, dates are inclusive, ``estimate`` is over the treated geos from ``start_date`` to
    ``cooldown_end_date``. A record without ``estimate`` is a plan that `experiments.analyse` turns into a result.

    A test with several cells has one record per cell; those that share ``cell_of`` share their control geos, and none
    of them serves another as a control. ``allocation`` is the planned share of users in treatment (user-level tests).
    ``correlations`` says how the error of its estimate hangs together with those of other cells, by their ids.
    ``geo_share`` is below 1 where only a part of the treated geos was tested: that part's share of their usual spend.
    ``placebo_sd`` is the spread of placebo runs of the same analysis, in the unit of the estimate.
    ``schedule`` holds the blocks of a switchback or on-off test, one for each draw (neighbours of one state stay two
    blocks); ``burn_in`` is the number of periods dropped at the start of each block.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    experiment_id: str
    channel: tuple[str, ...]
    method: Method
    start_date: date
    end_date: date
    cooldown_end_date: date | None = None
    treatment_geos: tuple[str, ...] = ()
    control_geos: tuple[str, ...] = ()
    estimand: Estimand | None = None
    estimate: float | None = None
    std_error: float | None = None
    ci_lower: float | None = None
    ci_upper: float | None = None
    ci_level: float | None = None
    spend_delta: float | None = None
    counterfactual_spend: float | None = None
    kpi: str | None = None
    grade: Grade | None = None
    preregistered: bool = False
    off_panel: bool = False
    market_share: float = 1.0
    adstock: Literal["steady_state", "cold_start"] = "steady_state"
    pairs: tuple[tuple[str, str], ...] = ()
    assignment: Assignment | None = None
    cell_of: str | None = None
    correlations: tuple[tuple[str, float], ...] = ()
    geo_share: float = 1.0
    placebo_sd: float | None = None
    allocation: float | None = None
    schedule: tuple[Block, ...] = ()
    burn_in: int | None = None
    source: str = ""
    notes: str = Field(default="", max_length=10_000)

    @property
    def read_out_end(self) -> date:
        """Last day of the read-out, cool-down included."""
        return self.cooldown_end_date or self.end_date

    @property
    def has_result(self) -> bool:
        """Whether the record says what the test measured."""
        return self.estimate is not None

    @property
    def standard_error(self) -> float | None:
        """The reported standard error, or that of the Normal with the reported interval; ``None`` without either."""
        if self.std_error is not None or self.ci_lower is None or self.ci_upper is None:
            return self.std_error
        return std_error_of(self.ci_lower, self.ci_upper, self.ci_level or CI_LEVEL)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values, without the fields that were left at their default."""
        return self.model_dump(mode="json", exclude_defaults=True)


def std_error_of(lower: float, upper: float, level: float = CI_LEVEL, df: float = float("inf")) -> float:
    """Standard error behind an interval: half its width over the quantile of the Normal, or of Student's t.

    Args:
        lower: Lower end.
        upper: Upper end, above ``lower``.
        level: Level of the interval, between 0 and 1.
        df: Degrees of freedom of the t; infinity for the Normal.
    """
    probability = (1 + level) / 2
    if df == float("inf"):
        return (upper - lower) / (2 * NormalDist().inv_cdf(probability))
    from scipy import stats

    return float((upper - lower) / (2 * stats.t.ppf(probability, df)))


def resolved(experiment: Experiment, aliases: Mapping[str, str]) -> Experiment:
    """The same test with its channels under the study's names.

    Args:
        experiment: The record.
        aliases: From another name to the study's.
    """
    channels = tuple(dict.fromkeys(aliases.get(name, name) for name in experiment.channel))
    return experiment if channels == experiment.channel else experiment.model_copy(update={"channel": channels})
