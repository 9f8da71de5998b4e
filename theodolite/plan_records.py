"""Plans of record: forecasts and scenarios frozen in the store, and what came against them.

One event per plan, `plan.recorded`, with the plan's name as its subject; what happens to a plan later is told by
further events of the same subject, and nothing recorded is ever changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from measurement.errors import DataError, StoreError, did_you_mean, shown
from measurement.store import Entry, Event, Store
from measurement.typing import Json
from theodolite.plan_states import RECORDED, PlanState, move, states

if TYPE_CHECKING:
    from measurement import Panel
    from measurement.plan.deviation import Deviation
    from measurement.plan.forecast import Forecast, Scenario
    from theodolite.results import Fitted

LONGEST_NAME = 80


class Plannable(Protocol):
    """What plans of record need of a study."""

    @property
    def has_store(self) -> bool:
        """Whether anything was ever written."""

    @property
    def panel(self) -> "Panel":
        """Its data."""

    @property
    def store(self) -> Store:
        """Its store."""

    @property
    def actor(self) -> str:
        """Who acts."""

    def fitted(self) -> "Fitted":
        """Its last fit."""


@dataclass(frozen=True, slots=True)
class PlanOfRecord:
    """A recorded plan, as the store knows it.

    Attributes:
        name: Its name.
        at: When it was recorded, UTC.
        actor: Who recorded it.
        hash: Hash of the event.
        told: What the event says: kind, data, fit, seed, periods, money per channel, what was promised.
    """

    name: str
    at: str
    actor: str
    hash: str
    told: Json

    def to_dict(self) -> Json:
        """As plain JSON values."""
        return {"name": self.name, "recorded_at": self.at, "by": self.actor, "event": self.hash} | self.told


@dataclass(frozen=True, slots=True)
class Plans:
    """The plans of record of a study."""

    study: Plannable

    def all(self) -> list[PlanOfRecord]:
        """Every recorded plan, oldest first."""
        if not self.study.has_store:
            return []
        return [_read(event) for event in self.study.store.events(kind=RECORDED)]

    def find(self, name: str) -> PlanOfRecord:
        """The plan of a name.

        Raises:
            DataError: Where there is none, with the nearest name.
        """
        known = {plan.name: plan for plan in self.all()}
        if name not in known:
            some = f"recorded are {', '.join(map(shown, sorted(known)[:10]))}" if known else "none is recorded yet"
            raise DataError(f"there is no plan of record '{shown(name)}'{did_you_mean(name, known)}: {some}")
        return known[name]

    def states(self) -> dict[str, PlanState]:
        """Where every plan stands, by name: draft, submitted, approved, committed or withdrawn."""
        return states(self.study.store.events()) if self.study.has_store else {}

    def move(
        self, action: str, name: str, *, by: str | None = None, reason: str = "", self_approve: bool = False
    ) -> PlanState:
        """Submit, approve, commit or withdraw a plan; see `theodolite.plan_states.move`."""
        self.find(name)
        return move(self.study.store, action, name, by or self.study.actor, reason=reason, self_approve=self_approve)

    def refuse(self, name: str) -> None:
        """Refuse a name that is taken or is none, before anything is worked out.

        Raises:
            DataError: Says which.
        """
        _refuse_name(name, self.all())

    def record(self, name: str, made: "Forecast | Scenario") -> PlanOfRecord:
        """Freeze a forecast or a scenario of the study's last fit under a name, for good.

        Raises:
            DataError: Where the name is taken or is none, or the forecast was made on another fit than the last one.
            StoreError: Where it cannot be kept; then nothing was.
        """
        from measurement.plan.forecast import Scenario
        from measurement.plan.recorded import Recorded

        self.refuse(name)
        best, panel = self.study.fitted().best, self.study.panel
        ahead = made.plan if isinstance(made, Scenario) else made
        if ahead.provenance.data != panel.sha256 or best.provenance.sha256 not in ahead.provenance.parents:
            raise DataError("this forecast is not of the study's last fit: make it again, then record it")
        kept = Recorded.of(ahead, panel, "scenario" if isinstance(made, Scenario) else "forecast")
        store = self.study.store
        artifacts = {"plan": store.put(kept.to_bytes()), "fit": store.put(best.to_bytes())}
        entry = Entry(RECORDED, name, {"artifacts": artifacts} | _told(made, ahead, panel), self.study.actor)

        def decide(events: list[Event]) -> Sequence[Entry]:
            _refuse_name(name, [_read(event) for event in events if event.kind == RECORDED])
            return [entry]

        return _read(store.append_decided(decide)[0])

    def against(self, name: str) -> "Deviation":
        """What came in the study's data against a plan.

        Raises:
            DataError: Where there is no such plan, the data are of another study than it, or nothing has come yet.
        """
        from measurement.mmm import Posterior
        from measurement.plan.deviation import deviation
        from measurement.plan.recorded import Recorded

        artifacts, store = self.find(name).told["artifacts"], self.study.store
        plan = Recorded.from_bytes(store.get(artifacts["plan"]))
        return deviation(Posterior.from_bytes(store.get(artifacts["fit"])), plan, self.study.panel)


def _told(made: "Forecast | Scenario", ahead: "Forecast", panel: "Panel") -> Json:
    """What an event says of a plan without its artifacts."""
    from measurement.plan.forecast import Scenario

    days, plan = ahead.horizon.dates.astype("datetime64[D]").astype(str).tolist(), ahead.horizon
    promised: dict[str, Any] = {"total": ahead.total.to_dict()}
    if isinstance(made, Scenario):
        promised |= {"change": made.change.to_dict(), "revenue_change": made.revenue_change.to_dict()}
        promised |= {"profit_change": made.profit_change.to_dict(), "probability_better": made.better}
    return {
        "of": "scenario" if isinstance(made, Scenario) else "forecast",
        "data": ahead.provenance.data,
        "seed": ahead.provenance.seed,
        "settings": dict(ahead.provenance.settings),
        "versions": dict(ahead.provenance.versions),
        "from": days[0],
        "to": days[-1],
        "periods": len(days),
        "spend": dict(zip(panel.channels, plan.by_channel.tolist(), strict=True)),
        "currency": panel.currency,
        "kpi": panel.kpi,
        "promised": promised,
        "converged": ahead.converged,
    }


def _read(event: Event) -> PlanOfRecord:
    if not {"artifacts", "from", "periods"} <= set(event.payload):
        words = f"event {event.sequence} holds the plan '{shown(event.subject)}' in a form that cannot be read here"
        raise StoreError(f"{words}; was it written by another version of Theodolite?")
    return PlanOfRecord(event.subject, event.at, event.actor, event.hash, dict(event.payload))


def _refuse_name(name: str, known: Sequence[PlanOfRecord]) -> None:
    path = name.startswith(".") or "/" in name or "\\" in name
    if not name.strip() or name != name.strip() or not name.isprintable() or len(name) > LONGEST_NAME or path:
        allowed = f"1 to {LONGEST_NAME} printable characters, no slash, no dot in front and no blanks around them"
        raise DataError(f"found '{shown(name)}' as a plan's name; it has {allowed}")
    for plan in known:
        if plan.name == name:
            raise DataError(
                f"a plan of record '{shown(name)}' was recorded on {plan.at[:10]} by {shown(plan.actor)}, and is never "
                "changed: record the new one under a name of its own"
            )
