"""What to test next: from what a user writes to the ranking, and the ranking in the store."""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, cast

from measurement.errors import DataError, Problem, did_you_mean, refuse, shown
from measurement.provenance import canonical_json
from measurement.store import Store
from theodolite import results

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from calibration.next_test.asked import Budgeting, Terms
    from calibration.next_test.candidates import Wanted
    from calibration.next_test.result import NextTests
    from experiments import Experiment
    from experiments.planning.goal import Direction
    from measurement import Panel
    from measurement.plan.items import Bound, Held
    from theodolite.config import Config
    from theodolite.registry import Registry
    from theodolite.results import Fitted

RANKED = "next_test.ranked"


@dataclass(frozen=True, slots=True)
class Asked:
    """What `NextTest.rank` is asked for; texts as the command line takes them.

    Attributes:
        channels: The channels; all where empty.
        directions: ``go_dark``, ``heavy_up``, ``holdout``; the first two where empty.
        durations: Lengths in periods.
        geos: Fewest and most treated geos.
        cooldown: Periods read out afterwards.
        heavy_up: By how much a heavy-up test raises spend.
        exclude: Geos that are not treated.
        busy: Geos that take no part.
        total: Money of the budget over the horizon; that of business as usual where ``None``.
        at_most: Whether the total is the most that may be spent.
        bounds: How far channels may move, ``"0.8:1.2"`` or ``"10000EUR:50000EUR"``, or a bound.
        others: The same for all other channels; ``"0.5:1.5"`` where ``None``.
        horizon: Periods that the budget decision lasts; a year where ``None``.
        margin: In place of the study's own.
        per_test: Money that a test costs whatever it finds.
        per_market: The same for each treated geo.
        money: Most money for all tests.
        most: Most tests in the portfolio.
        seed: Seed of everything random.
    """

    channels: tuple[str, ...] = ()
    directions: tuple[str, ...] = ()
    durations: tuple[int, ...] = ()
    geos: tuple[int, int] | None = None
    cooldown: int | None = None
    heavy_up: float = 1.0
    exclude: tuple[str, ...] = ()
    busy: tuple[str, ...] = ()
    total: float | None = None
    at_most: bool = False
    bounds: "Mapping[str, Bound | str]" = field(default_factory=dict)
    others: "Bound | str | None" = None
    horizon: int | None = None
    margin: float | None = None
    per_test: float = 0.0
    per_market: float = 0.0
    money: float | None = None
    most: int = 3
    seed: int = 0


class Testable(Protocol):
    """What a ranking needs of a study."""

    @property
    def config(self) -> "Config":
        """Its theodolite.toml."""

    @property
    def panel(self) -> "Panel":
        """Its data."""

    @property
    def store(self) -> Store:
        """Its store."""

    @property
    def has_store(self) -> bool:
        """Whether anything was ever written."""

    @property
    def actor(self) -> str:
        """Who acts."""

    @property
    def registry(self) -> "Registry":
        """Its registered tests."""

    def fitted(self) -> "Fitted":
        """Its last fit."""


@dataclass(frozen=True, slots=True)
class NextTest:
    """What a study could test next."""

    study: Testable

    def rank(
        self, asked: Asked | None = None, *, progress: "Callable[[int, int, str], None] | None" = None
    ) -> "NextTests":
        """Rank the tests that could be run next by what their results are worth to the budget; keep the ranking.

        Args:
            asked: Which tests are compared, and for which decision.
            progress: Called with steps done, steps in all and what is being done; raising in it stops the work.

        Raises:
            StoreError: Where there is no fit of today's data.
            DataError: Everything that is wrong about what is asked, and a study without a margin.
            DesignError: Where no test could be planned.
        """
        from calibration.conflict import withheld
        from calibration.next_test import next_tests

        asked, study = asked or Asked(), self.study
        fitted = study.fitted()
        found = next_tests(
            fitted.best,
            study.panel,
            _budgeting(study.panel, study.config, asked),
            wanted=_wanted(study.config, asked),
            terms=_terms(asked),
            registered=_occupying(study.registry),
            withheld=withheld(fitted.conflicts),
            seed=asked.seed,
            progress=progress,
        )
        sha = study.store.put(canonical_json(found.to_dict()).encode())
        study.store.append(RANKED, "next_test", {"artifacts": {"ranking": sha}}, study.actor)
        return found

    def refuse(self, asked: Asked) -> None:
        """Refuse what cannot be ranked, before anything is worked out.

        Raises:
            DataError: With everything that is wrong about it.
        """
        panel, config = self.study.panel, self.study.config
        budgeting, wanted = _budgeting(panel, config, asked), _wanted(config, asked)
        refuse([*budgeting.problems(panel), *wanted.problems(panel), *_terms(asked).problems()])

    def register(self, experiment_id: str, *, reason: str = "") -> str:
        """Register a test of the last ranking as a draft; returns its id.

        Raises:
            DataError: Where the last ranking holds no such test, or its plan cannot be registered.
        """
        found = self.kept()
        known = {test.record.experiment_id: test for test in found.tests} if found is not None else {}
        if experiment_id not in known:
            words = f"the last ranking holds no test '{shown(experiment_id)}'{did_you_mean(experiment_id, known)}"
            raise DataError([Problem(words if known else f"{words}: rank the tests first", code="no-such-test")])
        (made,) = self.study.registry.register(known[experiment_id].record.to_dict(), reason=reason)
        return made.experiment_id

    def kept(self) -> "NextTests | None":
        """The last ranking; ``None`` where there is none or it is older than the last fit."""
        from calibration.next_test import NextTests

        events = self.study.store.events() if self.study.has_store else []
        newest = [event for event in events if event.kind in (RANKED, results.FIT)][-1:]
        if not newest or newest[0].kind != RANKED:
            return None
        return NextTests.from_dict(json.loads(self.study.store.get(newest[0].payload["artifacts"]["ranking"])))


def _occupying(registry: "Registry") -> "list[Experiment]":
    """Records of the tests that hold their markets, for the days that they hold them; a blackout holds all markets."""
    from experiments.records import Experiment

    found = [
        Experiment(
            experiment_id=f"blackout: {blackout.reason}"[:200],
            channel=("all",),
            method="geo_holdout",
            start_date=blackout.start,
            end_date=blackout.end,
        )
        for blackout in registry.blackouts
    ]
    for test in registry.list():
        if test.occupied is not None:
            first, last = test.occupied
            days = {"start_date": first, "end_date": last, "cooldown_end_date": None}
            found.append(test.conducted.model_copy(update=days))
    return found


def _budgeting(panel: "Panel", config: "Config", asked: Asked) -> "Budgeting":
    from calibration.next_test import Budgeting
    from theodolite.plans import bound_of

    margin = config.study.margin if asked.margin is None else asked.margin
    if margin is None:
        words = (
            "theodolite.toml states no margin, and without it a sale has no value to weigh against spend: set margin"
        )
        raise DataError([Problem(f"{words} = 0.4 under [study], or give --margin 0.4", code="no-margin")])
    bounds: dict[Held, Bound] = {
        config.aliases.get(name, name): bound_of(bound, panel.currency) if isinstance(bound, str) else bound
        for name, bound in asked.bounds.items()
    }
    others = bound_of(asked.others, panel.currency) if isinstance(asked.others, str) else asked.others
    return Budgeting(margin, asked.total, not asked.at_most, bounds, others, asked.horizon)


def _wanted(config: "Config", asked: Asked) -> "Wanted":
    from calibration.next_test import Wanted
    from calibration.next_test.candidates import USUAL

    return Wanted(
        channels=tuple(dict.fromkeys(config.aliases.get(name, name) for name in asked.channels)),
        directions=cast("tuple[Direction, ...]", asked.directions) or USUAL,
        durations=asked.durations,
        geos=asked.geos,
        cooldown=asked.cooldown,
        heavy_up=asked.heavy_up,
        exclude=asked.exclude,
        busy=asked.busy,
    )


def _terms(asked: Asked) -> "Terms":
    from calibration.next_test import Terms

    return Terms(fixed=asked.per_test, per_market=asked.per_market, money=asked.money, most=asked.most)
