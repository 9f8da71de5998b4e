"""A fit as frames: parts add up, curves pass through today, intervals are ordered."""

from dataclasses import replace

import numpy as np
import pytest

from measurement import mmm
from measurement.mmm import Posterior, Sampling
from measurement.model_frames import BASELINE, ModelFrames, model_frames, spend_calendar
from measurement.panel import Panel
from measurement.simulate import national, simulate

Fit = tuple[Panel, Posterior, ModelFrames]


@pytest.fixture(scope="module")
def fit() -> Fit:
    panel = simulate(national(weeks=60, channels=2, seed=3)).panel()
    post = mmm.fit(panel, seed=1, sampling=Sampling(chains=2, warmup=100, draws=60))
    return panel, post, model_frames(post, panel, draws=1000)


def test_the_parts_add_up_to_the_model(fit: Fit) -> None:
    panel, _, frames = fit
    assert frames.parts == (BASELINE, *panel.channels)
    total = frames.decomposition.groupby("date")["value"].sum().to_numpy()
    # Medians of parts need not add up exactly; the parts' means would.
    assert total == pytest.approx(frames.fit["fitted"].to_numpy(), rel=0.05)


def test_shares_are_those_of_the_models_own_contribution(fit: Fit) -> None:
    panel, post, frames = fit
    whole = panel.outcome.sum()
    for name, median in zip(frames.contributions["channel"], frames.contributions["median"], strict=True):
        draws = post.draws["contribution"][:, panel.channels.index(name)]
        assert median == pytest.approx(np.median(draws) / whole, rel=1e-6)
    assert frames.contributions["median"].is_monotonic_decreasing


def test_curves_start_at_nothing_and_pass_through_today(fit: Fit) -> None:
    panel, post, frames = fit
    for c, name in enumerate(panel.channels):
        curve = frames.curves[frames.curves["channel"] == name]
        assert curve.iloc[0][["spend", "median"]].tolist() == [0.0, 0.0]
        today = panel.spend[..., c].sum() / len(panel.dates)
        now = frames.now.set_index("channel").loc[name]
        contribution = np.median(post.draws["contribution"][:, c]) * panel.kpi_value / len(panel.dates)
        assert now["spend"] == pytest.approx(today)
        assert now["median"] == pytest.approx(contribution, rel=1e-6)
        assert (np.diff(curve["median"]) >= 0).all()
        reach = panel.spend[..., c].sum(0).max()
        assert curve["seen"].tolist() == (curve["spend"] <= reach * (1 + 1e-9)).tolist()


def test_intervals_are_ordered_and_the_band_is_wider_than_nothing(fit: Fit) -> None:
    _, _, frames = fit
    for frame in (frames.contributions, frames.curves):
        assert (frame["low"] <= frame["median"]).all()
        assert (frame["median"] <= frame["high"]).all()
    assert (frames.fit["low"] < frames.fit["fitted"]).all()
    low, middle, high = frames.media
    assert low < middle < high
    assert all(0 < low <= middle <= high for low, middle, high in frames.half_life.values())


def test_quality_is_that_of_the_drawn_line(fit: Fit) -> None:
    _, _, frames = fit
    actual, fitted = frames.fit["actual"].to_numpy(), frames.fit["fitted"].to_numpy()
    correlation_free = 1 - np.sum((actual - fitted) ** 2) / np.sum((actual - actual.mean()) ** 2)
    assert frames.quality.r2 == pytest.approx(correlation_free)
    assert frames.quality.error == pytest.approx(np.abs(actual - fitted).sum() / actual.sum())
    held = (frames.fit["low"] <= actual) & (actual <= frames.fit["high"])
    assert frames.quality.inside == pytest.approx(held.mean())


def test_the_same_fit_gives_the_same_frames(fit: Fit) -> None:
    panel, post, frames = fit
    again = model_frames(post, panel, draws=1000)
    assert again.fit.equals(frames.fit)
    assert again.curves.equals(frames.curves)


def test_thinning_takes_draws_evenly_from_first_to_last(fit: Fit) -> None:
    _, post, _ = fit
    few = post.thinned(10)
    assert few.size == 10
    assert few.draws["sigma"][[0, -1]].tolist() == post.draws["sigma"][[0, -1]].tolist()
    assert post.thinned(10_000) is post


def test_a_channel_called_like_the_baseline_stays_apart(fit: Fit) -> None:
    panel, post, _ = fit
    names = (BASELINE, "b")
    spec = post.spec.model_copy(
        update={"channels": dict(zip(names, (post.spec.channels[n] for n in panel.channels), strict=True))}
    )
    frames = model_frames(replace(post, channels=names, spec=spec), replace(panel, channels=names), draws=5)
    assert len(set(frames.parts)) == 3


def test_the_calendar_holds_every_period_and_ends_where_the_next_begins(fit: Fit) -> None:
    panel, _, _ = fit
    calendar = spend_calendar(panel)
    assert len(calendar) == len(panel.dates) * len(panel.channels)
    one = calendar[calendar["channel"] == panel.channels[0]]
    assert (one["end"].to_numpy()[:-1] == one["date"].to_numpy()[1:]).all()
    assert one["spend"].to_numpy() == pytest.approx(panel.spend[..., 0].sum(0))
    assert one["share"].max() == 1.0
