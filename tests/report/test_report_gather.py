"""From a real, small fit to the file: what a study gives is what the report takes."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from calibration import View, reconcile
from measurement import mmm
from measurement.errors import Problem
from measurement.mmm import Sampling
from measurement.model_frames import ModelFrames, model_frames
from measurement.panel import Panel
from measurement.simulate import national, simulate
from theodolite.config import Config, parse
from theodolite.report import write
from theodolite.report.material import diagnose, gather
from theodolite.results import Fitted

TOML = '[study]\nname = "<b>small</b>"\nkpi = "revenue"\n[data]\nmedia = "m.csv"\noutcome = "o.csv"\n'


@dataclass(frozen=True)
class Small:
    """A study without a workspace."""

    config: Config
    panel: Panel
    head: str | None
    last_fit: Fitted
    last_view: View

    def fitted(self) -> Fitted:
        return self.last_fit

    def validation(self) -> None:
        return None

    def frames(self, fitted: Fitted | None = None) -> ModelFrames:
        return model_frames((fitted or self.last_fit).best, self.panel)

    def view(self) -> View:
        return self.last_view

    def attribution(self) -> None:
        return None

    def next_tests_kept(self) -> None:
        return None

    @property
    def track_record(self) -> "Small":
        return self

    def scored(self) -> tuple[()]:
        return ()

    def experiments(self) -> list[None]:
        return []

    def resolutions(self) -> dict[str, None]:
        return {}

    def check(self) -> list[Problem]:
        return [Problem("one year of data", level="note")]


@pytest.fixture(scope="module")
def study() -> Small:
    panel = simulate(national(weeks=60, channels=2, seed=3)).panel()
    post = mmm.fit(panel, seed=1, sampling=Sampling(chains=2, warmup=100, draws=60))
    return Small(parse(TOML), panel, None, Fitted(post, None, (), ()), reconcile(panel, post))


def test_a_fit_becomes_a_report(study: Small, tmp_path: Path) -> None:
    truth = dict.fromkeys(study.panel.channels, 1.0)
    first = write(study, tmp_path / "a.html", truth).read_bytes()
    assert write(study, tmp_path / "b.html", truth).read_bytes() == first, "the same study, the same bytes"
    text = first.decode()
    assert "&lt;b&gt;small&lt;/b&gt;" in text
    assert "one year of data" in text
    assert "holds no lift test" in text
    assert len(first) < 2_000_000


def test_too_few_draws_are_not_passed_over(study: Small) -> None:
    """120 draws cannot make 400 effective ones: the fit must count as not converged everywhere."""
    material = gather(study)
    assert not material.converged
    assert "NOT CONVERGED" in material.caveat
    assert any("bulk-ESS" in reason for reason in material.diagnosis.reasons)


def test_the_diagnosis_is_the_worse_of_both_fits(study: Small) -> None:
    alone = diagnose(study.last_fit)
    both = diagnose(Fitted(study.last_fit.sibling, study.last_fit.sibling, (), ()))
    assert both.draws == 2 * alone.draws == 240
    assert both.rhat == alone.rhat == max(rhat for rhat, _ in alone.channels.values())
    assert both.ess == min(ess for _, ess in alone.channels.values())
    assert len(both.reasons) == 2 * len(alone.reasons)


def test_money_in_the_material_is_that_of_the_panel(study: Small) -> None:
    material = gather(study)
    assert material.media_spend == pytest.approx(study.panel.spend.sum())
    assert material.outcome == pytest.approx(study.panel.outcome.sum())
    assert material.periods == 60
    assert material.margin is None
