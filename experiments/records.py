"""Experiment: the record of one test, as users write it (json, csv) and as every other room reads it."""

from datetime import date
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


class Experiment(BaseModel):
    """One test: what was changed, where and when, and (once known) what it measured.

    Money is in the study's currency, dates are inclusive, ``estimate`` is over the treated geos from ``start_date`` to
    ``cooldown_end_date``. A record without ``estimate`` is a plan that `experiments.analyse` turns into a result.
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

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values, without the fields that were left at their default."""
        return self.model_dump(mode="json", exclude_defaults=True)
