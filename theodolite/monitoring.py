"""What new data say of the plans of record and of the study's numbers, and what waits for someone. Writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from measurement.errors import StoreError
from measurement.typing import Json
from theodolite import attention, results
from theodolite.attention import Item

if TYPE_CHECKING:
    from measurement.plan.deviation import Deviation
    from theodolite.plan_records import PlanOfRecord
    from theodolite.study import Study


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """A plan of record and what came against it.

    Attributes:
        plan: The plan.
        found: What came; ``None`` where none of its periods has come yet.
    """

    plan: "PlanOfRecord"
    found: "Deviation | None"

    @property
    def alert(self) -> bool:
        """Whether it is off by more than a fifth and outside its interval."""
        return self.found is not None and self.found.alert

    def words(self) -> str:
        """In one sentence, with what other spend explains apart from what the model missed."""
        if self.found is None:
            return f"begins on {self.plan.told['from']}: nothing of it has come yet."
        total = self.found.total
        share = "" if total.share is None else f" ({total.share:+.0%})"
        where = "outside" if total.outside else "inside"
        return (
            f"{self.found.came} of {self.plan.told['periods']} periods came: {total.actual or 0.0:,.0f} against "
            f"{total.predicted.median:,.0f} predicted{share}, {where} the 90 % interval; other spend explains "
            f"{self.found.spend.median:+,.0f}, the model missed {self.found.missed.median:+,.0f}."
        )

    def to_dict(self) -> Json:
        """As plain JSON values."""
        against = None if self.found is None else self.found.to_dict()
        return {"name": self.plan.name, "recorded_at": self.plan.at, "alert": self.alert, "against": against}


@dataclass(frozen=True, slots=True, eq=False)
class Monitored:
    """The state of a study.

    Attributes:
        day: The day of the look.
        data: Hash of the panel.
        last: The panel's last period.
        fresh: Whether the last fit is of these data.
        plans: Each plan of record.
        review: What waits for someone, the most pressing first.
    """

    day: date
    data: str
    last: str
    fresh: bool
    plans: tuple[Watched, ...]
    review: tuple[Item, ...]

    @property
    def ok(self) -> bool:
        """Whether no plan alerts and nothing pressing waits."""
        return not any(plan.alert for plan in self.plans) and not any(item.pressing for item in self.review)

    def to_dict(self) -> Json:
        """As ``theodolite monitor --json`` prints it."""
        review = [
            {"kind": item.kind, "subject": item.subject, "words": item.words, "pressing": item.pressing}
            for item in self.review
        ]
        return {
            "day": str(self.day),
            "data": self.data,
            "last_period": self.last,
            "fit_is_of_these_data": self.fresh,
            "plans": [plan.to_dict() for plan in self.plans],
            "review": review,
            "ok": self.ok,
        }


def look(study: "Study", day: date | None = None) -> Monitored:
    """Look at a study.

    Args:
        study: The study.
        day: Today, for tests.

    Raises:
        DataError: Where the data cannot be read.
    """
    today = day or datetime.now(UTC).date()
    panel = study.panel
    view = results.load_view(study.store) if study.has_store else None
    converged, fresh = _fit(study)
    known = view, converged, study.check(), study.registry.rows(), today
    ranked = study.next_tests_kept() if fresh else None
    pays = None if ranked is None else ranked.pays
    review = attention.items(*known, study.decisions.list(), study.plans.states(), pays)
    last = str(panel.dates[-1])[:10]
    return Monitored(today, panel.sha256, last, fresh, watched(study), tuple(_stale(fresh, converged)) + tuple(review))


def watched(study: "Study") -> tuple[Watched, ...]:
    """Every plan of record with what came against it."""
    last = str(study.panel.dates[-1])[:10]
    plans = study.plans.all()
    return tuple(Watched(plan, study.plans.against(plan.name) if plan.told["from"] <= last else None) for plan in plans)


def _fit(study: "Study") -> tuple[bool | None, bool]:
    """Whether the last fit converged (``None`` without one), and whether it is of today's data."""
    try:
        return study.fitted().converged, True
    except StoreError:
        return None, False


def _stale(fresh: bool, converged: bool | None) -> Sequence[Item]:
    if fresh or converged is not None:
        return ()
    return (Item("fit", "", "There is no fit of these data: run `theodolite cycle`, or `theodolite mmm fit`."),)
