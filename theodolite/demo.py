"""The demo: a simulated company with known truth, and all that a measurement team does in a month, end to end."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measurement.errors import DataError, shown
from measurement.typing import Json
from theodolite import workspace
from theodolite.config import FILE_NAME
from theodolite.scoreboard import Score, scoreboard
from theodolite.study import Study
from theodolite.template import template

if TYPE_CHECKING:
    from calibration import View
    from measurement.simulate import World

MARGIN = 0.65
SHOWN_TEST = "social-heavy-up-2024"


@dataclass(frozen=True)
class Demo:
    """What the demo made.

    Attributes:
        folder: The workspace.
        report: The report.
        view: The unified view.
        truth: True iROAS per channel.
        scores: Each method against the truth.
        seconds: How long it took.
    """

    folder: Path
    report: Path
    view: "View"
    truth: dict[str, float]
    scores: tuple[Score, ...]
    seconds: float

    def to_dict(self) -> Json:
        """As ``theodolite demo --json`` prints it."""
        return {
            "workspace": str(self.folder),
            "report": str(self.report),
            "truth": self.truth,
            "scores": [score.to_dict() for score in self.scores],
            "view": self.view.to_dict(),
            "seconds": self.seconds,
        }


def run(
    folder: Path, *, seed: int, progress: Callable[[Any], None] | None = None, say: Callable[[str], None] = print
) -> Demo:
    """Run the whole product on a simulated company.

    Args:
        folder: A new folder, or that of an earlier demo with the same seed.
        seed: Seed of the company and of everything after it.
        progress: Told how far the fits are.
        say: Told what happens, line by line.

    Raises:
        DataError: Where the folder holds something else.
    """
    from measurement.simulate import demo, simulate

    began = time.perf_counter()
    earlier = _earlier_demo(folder, seed)
    world = simulate(demo(seed=seed))
    world.write(folder, overwrite=earlier)
    if not earlier:
        workspace.write_new(folder, _configuration(world))
    say(_company(world, folder))

    study = Study.open(folder)
    found = study.check()
    say(f"Checked the data: {len(found)} remarks (theodolite check -w {folder}).")
    study.import_experiments(folder / "experiments.json")
    say(f"Imported {len(study.experiments())} lift tests (theodolite experiments list -w {folder}).")
    say(_read_out(study, world))
    fitted = study.fit(seed=seed, progress=progress)
    state = "converged" if fitted.converged else "did NOT converge"
    seconds = fitted.sibling.diagnostics.seconds + (fitted.calibrated.diagnostics.seconds if fitted.calibrated else 0)
    say(f"Fitted the mix model without and with the tests inside: {state} in {seconds:.0f} s.")
    judged = study.validate(seed=seed)
    say(f"Judged the fit: {judged.verdict} (theodolite mmm validate -w {folder}).")
    credit = study.attribute(seed=seed)
    say(f"Attributed {credit.conversions:,.0f} orders of the journeys by {len(credit.credits)} models.")
    audited = study.audit_journeys(seed=seed)
    say(f"Audited the journeys: {audited.verdict} (theodolite attribution audit -w {folder}).")
    brought = study.calibrated_credit().to_frame()["conversions"]
    caused = brought.iloc[:-1].sum() / credit.conversions
    say(f"Calibrated their credit by the tests: {caused:.0%} of the orders caused, the rest baseline.")
    view = study.reconcile(seed=seed)
    say(_next(study, seed))
    truth = world.truth.iroas
    report = study.report(truth=truth)
    say("Reconciled model, tests and attribution into one number per channel.")
    return Demo(folder, report, view, truth, scoreboard(view, truth), time.perf_counter() - began)


def _next(study: Study, seed: int) -> str:
    """Which test is worth most next."""
    from theodolite.next_tests import Asked
    from theodolite.report.next_test import lead
    from theodolite.report.page import plain

    return f"{plain(lead(study.next_test.rank(Asked(seed=seed))))} (theodolite experiments next -w {study.folder})"


def _earlier_demo(folder: Path, seed: int) -> bool:
    """Whether the folder holds a demo of this seed; anything else in it is refused."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    try:
        before = json.loads((folder / "truth.json").read_text(encoding="utf-8"))["seed"]
        same = (folder / FILE_NAME).is_file()
    except (OSError, ValueError, KeyError, TypeError):
        before, same = None, False
    if not same:
        raise DataError(f"{shown(folder)} holds something else than a demo: name a new folder")
    if before != seed:
        raise DataError(f"{shown(folder)} holds the demo of seed {before}: name a new folder for seed {seed}")
    return True


def _configuration(world: "World") -> str:
    channels = world.truth.settings
    data = {
        "media": "media.csv",
        "outcome": "outcome.csv",
        "touchpoints": "touchpoints.parquet",
        "platform": "platform.csv",
    }
    return template(
        name="demo",
        data=data,
        channels=[channel.name for channel in channels],
        kpi=world.kpi,
        margin=MARGIN,
        population="population",
        controls=world.controls,
        demand_driven={channel.name: channel.demand_driven for channel in channels},
    )


def _company(world: "World", folder: Path) -> str:
    truth = world.truth
    return (
        f"A simulated company: {len(truth.geos)} markets, {len(truth.dates)} weeks, {len(truth.channels)} channels, "
        f"{len(world.experiments)} lift tests, {len(world.touchpoints):,} touchpoints, in {folder}."
    )


def _read_out(study: Study, world: "World") -> str:
    """Analyse one geo test from the sales themselves, beside the truth."""
    result = study.analyse(SHOWN_TEST)
    change, true = result.outcome_change, world.truth.test_effects[SHOWN_TEST]
    return (
        f"Analysed {SHOWN_TEST} from sales: {change.estimate:,.0f} [{change.low:,.0f}, {change.high:,.0f}] "
        f"{study.config.study.currency}; the truth is {true:,.0f}."
    )
