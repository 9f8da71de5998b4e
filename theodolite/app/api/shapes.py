"""What the API takes and gives. Numbers with uncertainty are medians with 90 % intervals; money is in the study's."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

JsonObject = dict[str, Any]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Out(BaseModel):
    model_config = ConfigDict(extra="allow")


class Problem(_Out):
    """Why there is no answer (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    problems: list[JsonObject] = []


class QuantityOut(BaseModel):
    """A median with its 90 % interval."""

    median: float | None
    low: float | None
    high: float | None


class ChannelOut(_Out):
    """One channel in the unified view; ``iroas`` is null where it is withheld, and ``state`` says why."""

    channel: str
    spend: float
    iroas: QuantityOut | None
    mroas: QuantityOut | None
    sources: JsonObject
    weights: dict[str, float | None]
    incrementality_factor: QuantityOut | None
    evidence_grade: str | None
    state: str
    action: str


class ViewOut(_Out):
    """The unified view, as ``theodolite reconcile --json`` prints it."""

    channels: list[ChannelOut]
    derived_from: list[str]
    converged: bool
    seed: int
    versions: dict[str, str]


class StudyOut(_Out):
    """What the study is about, and how far it is."""

    name: str
    kpi: str
    currency: str
    period: str
    first: str
    last: str
    markets: int
    channels: list[str]
    data: str
    head: str | None
    state: Literal["no fit", "data changed", "no view", "ready"]


class FitOut(_Out):
    """The last fit, as ``theodolite mmm fit --json`` prints it."""

    channels: list[JsonObject]
    converged: bool
    conflicts: list[JsonObject]


class PageOut[T](BaseModel):
    """Some of a list; ``next`` is the ``after`` of the next request, null at the end."""

    items: list[T]
    next: int | None


class JobOut(_Out):
    """One piece of long work."""

    id: str
    kind: str
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    doing: str
    share: float | None
    result: JsonObject
    problems: list[str]
    actor: str
    begun_at: str
    ended_at: str | None


class JobIn(_In):
    """Long work to begin: ``fit``, ``reconcile``, ``attribution`` or ``design``, and its settings."""

    kind: str = Field(max_length=40)
    settings: JsonObject = {}


class RecordsIn(_In):
    """Records of tests with results, as in experiments.json."""

    records: list[JsonObject] = Field(min_length=1, max_length=1_000)


class RecordsOut(BaseModel):
    """What was recorded: tests that were known already are left as they are."""

    imported: list[str]
    total: int


class ActualsIn(_In):
    """What really happened, where the study's media do not tell: money, and days that were not as planned."""

    spend: dict[Literal["treatment", "control"], Annotated[float, Field(ge=0, le=1e15)]] | None = None
    spend_delta: Annotated[float, Field(ge=-1e15, le=1e15)] | None = None
    start_date: Annotated[date, Field(strict=False)] | None = None
    end_date: Annotated[date, Field(strict=False)] | None = None
    cooldown_end_date: Annotated[date, Field(strict=False)] | None = None


class MoveIn(_In):
    """A step in the life of a test, and why.

    ``incidents`` and ``actuals`` go with ``complete``, ``self_approve`` with ``approve``, ``on`` with ``start``,
    ``version`` with ``accept`` and ``regrade``, ``grade`` with ``regrade``, ``successor`` with ``supersede``.
    """

    reason: str = Field(default="", max_length=2_000)
    incidents: list[Annotated[str, Field(min_length=1, max_length=2_000)]] = Field(default=[], max_length=100)
    self_approve: bool = False
    on: Annotated[date, Field(strict=False)] | None = None
    actuals: ActualsIn | None = None
    version: Annotated[int, Field(ge=1, le=10_000)] | None = None
    grade: str = Field(default="", max_length=1)
    successor: str = Field(default="", max_length=200)


class PlanIn(_In):
    """A budget to split. Bounds are ranges: ``0.8:1.2`` times business as usual, or ``10000EUR:50000EUR``."""

    total: Annotated[float, Field(gt=0, le=1e15)] | None = None
    periods: Annotated[int, Field(ge=1, le=1_000)] | None = None
    at_most: bool = False
    bounds: dict[str, str] = {}
    otherwise: str | None = Field(default=None, max_length=100)


class ForecastIn(_In):
    """Periods to predict under business as usual; a quarter of a year where none are given."""

    periods: Annotated[int, Field(ge=1, le=1_000)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0


class KeyIn(_In):
    """A key to make."""

    name: str = Field(min_length=1, max_length=80)
    role: Literal["viewer", "editor", "approver", "admin"]


class KeyOut(BaseModel):
    """A key without its secret."""

    id: str
    name: str
    role: str
    added_at: str
    added_by: str


class NewKeyOut(KeyOut):
    """A new key with its text, which is shown this once."""

    key: str


class HealthOut(BaseModel):
    """Whether the server answers."""

    status: Literal["ok"]
