"""A fitted model as tidy frames: what charts draw and reports quote (`measurement.charts` draws them).

Everything is summed over markets and stated as median and 90 % interval. A few hundred draws, evenly taken from all
chains, are enough for pictures and keep this fast.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from measurement import mmm
from measurement.estimate import LEVEL
from measurement.mmm import Posterior
from measurement.panel import Panel, expected_dates
from measurement.typing import Floats

TAILS = ((1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2)
MOST_DRAWS = 200
CURVE = np.linspace(0.0, 2.0, 17)
BASELINE = "Without advertising"


@dataclass(frozen=True, slots=True)
class FitQuality:
    """How close the model comes to what happened, on the sum of all markets.

    Attributes:
        r2: Share of the variance over periods that the model follows, the national demand that it infers included.
        r2_known: The same without that demand: by media, trend, season, holidays and controls alone.
        error: Sum of absolute errors / sum of the outcome.
        inside: Share of periods within the model's 90 % predictive interval.
    """

    r2: float
    r2_known: float
    error: float
    inside: float


@dataclass(frozen=True, eq=False)
class ModelFrames:
    """What a fit says, ready to be drawn.

    Attributes:
        fit: ``date, actual, fitted, low, high``: the KPI, and the model's median and predictive interval.
        quality: Of that fit.
        decomposition: ``date, part, value, order``: medians; the baseline is what media do not explain.
        parts: Names of the parts, the baseline first.
        contributions: ``channel, median, low, high``: shares of the outcome over the whole panel, largest first.
        media: Revenue of all media together, in money: low, median, high.
        curves: ``channel, spend, median, low, high, seen``: money per period, if all spend were scaled.
        now: ``channel, spend, median``: today's average period.
        half_life: Periods until half of the effect has come in: low, median, high per channel.
        over_time: `EffectOverTime.to_frame` of the channels whose effect varies; no rows where none does.
    """

    fit: pd.DataFrame
    quality: FitQuality
    decomposition: pd.DataFrame
    parts: tuple[str, ...]
    contributions: pd.DataFrame
    media: tuple[float, float, float]
    curves: pd.DataFrame
    now: pd.DataFrame
    half_life: dict[str, tuple[float, float, float]]
    over_time: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"channel": []}))


def model_frames(posterior: Posterior, panel: Panel, *, draws: int = MOST_DRAWS, seed: int = 0) -> ModelFrames:
    """Make every frame of a fit.

    Args:
        posterior: The fit.
        panel: The data it was fitted to.
        draws: How many draws to use at most.
        seed: Seed of the draws of the linear terms and of the predictive noise.
    """
    post = posterior.thinned(draws)
    terms = mmm.decomposition(post, panel, seed=seed)
    mean = np.asarray(sum(terms.values()))
    effects = np.stack([terms[f"media: {name}"] for name in panel.channels], axis=1)  # (draws, channels, periods)
    fit = _fit_frame(post, panel, mean, seed)
    parts, decomposition = _decomposition(panel, mean, effects)
    curves, now = _curves(post, panel)
    halves = np.quantile(mmm.half_life(post), TAILS, axis=0)
    media = np.quantile(effects.sum(axis=(1, 2)) * panel.kpi_value, TAILS)
    return ModelFrames(
        fit=fit,
        quality=_quality(fit, np.median(mean - terms.get("demand", 0.0), axis=0)),
        decomposition=decomposition,
        parts=parts,
        contributions=_contributions(panel, effects.sum(axis=2)),
        media=(float(media[0]), float(media[1]), float(media[2])),
        curves=curves,
        now=now,
        half_life={
            name: (float(halves[0, c]), float(halves[1, c]), float(halves[2, c]))
            for c, name in enumerate(panel.channels)
        },
        over_time=_over_time(post, panel),
    )


def _over_time(post: Posterior, panel: Panel) -> pd.DataFrame:
    varying = [name for name, channel in post.spec.channels.items() if channel.varies != "no"]
    if not varying:
        return pd.DataFrame({"channel": []})
    frame = mmm.effect_over_time(post, panel).to_frame()
    return frame[frame["channel"].isin(varying)]


def spend_calendar(panel: Panel) -> pd.DataFrame:
    """``date, end, channel, spend, share``: when each channel spent, all markets together."""
    dates = panel.dates.astype("datetime64[D]")
    one_more = expected_dates(dates[0], dates[-1] + np.timedelta64(31, "D"), panel.period)
    frames = []
    for c, name in enumerate(panel.channels):
        spend = panel.spend[:, :, c].sum(axis=0)
        share = spend / spend.max() if spend.max() > 0 else spend
        ends = one_more[1 : len(dates) + 1].astype("datetime64[s]")
        frames.append(
            pd.DataFrame(
                {"date": dates.astype("datetime64[s]"), "end": ends, "channel": name, "spend": spend, "share": share}
            )
        )
    return pd.concat(frames, ignore_index=True)


def _dates(panel: Panel) -> Floats:
    return np.asarray(panel.dates.astype("datetime64[s]"))


def _fit_frame(post: Posterior, panel: Panel, mean: Floats, seed: int) -> pd.DataFrame:
    """The band adds the cells' own noise to the uncertainty of the mean."""
    low, _, high = np.quantile(mmm.replicated(post, panel, seed=seed).sum(axis=1), TAILS, axis=0)
    return pd.DataFrame(
        {
            "date": _dates(panel),
            "actual": panel.outcome.sum(axis=0),
            "fitted": np.median(mean, axis=0),
            "low": low,
            "high": high,
        }
    )


def _quality(fit: pd.DataFrame, known: Floats) -> FitQuality:
    actual, fitted = fit["actual"].to_numpy(), fit["fitted"].to_numpy()
    around = float(((actual - actual.mean()) ** 2).sum())

    def explained(by: Floats) -> float:
        return 1.0 - float(((actual - by) ** 2).sum()) / around if around > 0 else float("nan")

    return FitQuality(
        r2=explained(fitted),
        r2_known=explained(known),
        error=float(np.abs(actual - fitted).sum() / actual.sum()),
        inside=float(np.mean((fit["low"] <= actual) & (actual <= fit["high"]))),
    )


def _decomposition(panel: Panel, mean: Floats, effects: Floats) -> tuple[tuple[str, ...], pd.DataFrame]:
    rest = BASELINE
    while rest in panel.channels:
        rest += " "
    layers = [np.median(mean - effects.sum(axis=1), axis=0), *np.median(effects, axis=0)]
    parts = (rest, *panel.channels)
    frames = [
        pd.DataFrame({"date": _dates(panel), "part": part, "value": layer, "order": i})
        for i, (part, layer) in enumerate(zip(parts, layers, strict=True))
    ]
    return parts, pd.concat(frames, ignore_index=True)


def _contributions(panel: Panel, totals: Floats) -> pd.DataFrame:
    low, median, high = np.quantile(totals / panel.outcome.sum(), TAILS, axis=0)
    frame = pd.DataFrame({"channel": panel.channels, "median": median, "low": low, "high": high})
    return frame.sort_values("median", ascending=False, ignore_index=True, kind="stable")


def _curves(post: Posterior, panel: Panel) -> tuple[pd.DataFrame, pd.DataFrame]:
    periods = len(panel.dates)
    curves, now = [], []
    for c, name in enumerate(panel.channels):
        mean = float(panel.spend[:, :, c].sum() / periods)
        if mean <= 0:
            continue
        money = mmm.response_curve(post, panel, name, CURVE) * panel.kpi_value / periods
        low, median, high = np.quantile(money, TAILS, axis=0)
        seen = mmm.observed_range(panel, name)[1] >= CURVE
        curves.append(
            pd.DataFrame(
                {"channel": name, "spend": CURVE * mean, "median": median, "low": low, "high": high, "seen": seen}
            )
        )
        now.append({"channel": name, "spend": mean, "median": float(np.interp(1.0, CURVE, median))})
    return pd.concat(curves, ignore_index=True), pd.DataFrame(now)
