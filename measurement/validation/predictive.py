"""Posterior predictive checks: how closely the model follows the KPI it was fitted to, and could it have made it?

Two kinds of replicates. *Given the demand* that the fit infers, each cell gets new noise of its own: how closely the
model follows. With *a new demand* drawn from its autoregression as well (a mixed replicate: Gelman, Meng & Stern 1996),
the model has to make the whole series, and what it makes is compared with what happened: spread, peak, persistence.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from measurement.estimate import Estimate
from measurement.mmm.counterfactual import media_effect
from measurement.mmm.likelihood import draw, family_of
from measurement.mmm.linear_terms import linear_draws
from measurement.mmm.posterior import Posterior
from measurement.panel import Panel
from measurement.typing import Floats, Json
from measurement.validation.scores import crps

MOST_DRAWS = 500
CUT = 3.0


@dataclass(frozen=True, eq=False)
class Replicates:
    """Draws of the KPI in its own unit, for all cells: also those that the fit left out, where tests were read.

    Attributes:
        mean: The model's mean, demand included, shape (draws, geos, periods).
        known: The same without the demand.
        given: New noise on the mean, same shape.
        fresh: New demand and new noise, same shape.
        seen: What happened, shape (geos, periods).
    """

    mean: Floats
    known: Floats
    given: Floats
    fresh: Floats
    seen: Floats


@dataclass(frozen=True, slots=True)
class Closeness:
    """How predictions of one kind fared.

    Attributes:
        r2: Bayesian R-squared (Gelman et al. 2019), without unit.
        wmape: Mean absolute error of the median as a share of the mean KPI.
        crps: Mean continuous ranked probability score, in units of the KPI.
        coverage_50: Share inside the 50 % intervals.
        coverage_90: Share inside the 90 % intervals.
    """

    r2: Estimate
    wmape: float
    crps: float
    coverage_50: float
    coverage_90: float

    def to_dict(self) -> Json:
        """As plain values."""
        return {
            "r2": self.r2.to_dict(),
            "wmape": self.wmape,
            "crps": self.crps,
            "coverage_50": self.coverage_50,
            "coverage_90": self.coverage_90,
        }


@dataclass(frozen=True, eq=False)
class Predictive:
    """Posterior predictive checks.

    Attributes:
        cells: Of each cell that the fit has seen, demand given.
        periods: Of each period over all geos, demand given.
        known: R-squared of the periods without the demand: what trend, season, controls and media explain.
        p_values: Share of replicates with a new demand whose spread, highest period and lag-1 autocorrelation (of the
            periods' sums, about trend and season) exceed those seen.
        replicates: The draws.
    """

    cells: Closeness
    periods: Closeness
    known: Estimate
    p_values: dict[str, float]
    replicates: Replicates

    def to_dict(self) -> Json:
        """The summary as plain values."""
        return {
            "cells": self.cells.to_dict(),
            "periods": self.periods.to_dict(),
            "r2_without_demand": self.known.to_dict(),
            "p_values": self.p_values,
        }


def predictive(post: Posterior, panel: Panel, *, draws: int = MOST_DRAWS, seed: int = 0) -> Predictive:
    """Check what the model predicts of the data that it was fitted to.

    Args:
        post: The fit.
        panel: Its panel.
        draws: The most draws that are used.
        seed: Seed of demand and noise.
    """
    made = replicates(post.thinned(draws), panel, seed=seed)
    counts = post.counts > 0
    total = made.seen.sum(0)
    return Predictive(
        cells=closeness(made.mean[:, counts], made.given[:, counts], made.seen[counts]),
        periods=closeness(made.mean.sum(1), made.given.sum(1), total),
        known=_r2(made.known.sum(1), total),
        p_values=_p_values(made, post.spec.likelihood == "student_t"),
        replicates=made,
    )


def replicates(post: Posterior, panel: Panel, *, seed: int = 0) -> Replicates:
    """Draw the KPI anew from the fit.

    Args:
        post: The fit.
        panel: Its panel.
        seed: Seed of linear terms, demand and noise.
    """
    rng = np.random.default_rng([seed, 2])
    drawn, noise, family = linear_draws(post, panel, seed=seed), post.noise, family_of(post)
    sigma, shape = post.draws["sigma"][:, None, None], (post.size, *panel.outcome.shape)
    linear = (drawn.coefficients @ drawn.design.matrix().T).reshape(shape)
    known = drawn.design.offset + linear + media_effect(post, panel, lambda effect: effect)
    fresh = _autoregression(rng.standard_normal((post.size, 1, shape[-1])), noise.persistence)
    fresh = sigma * np.sqrt(noise.ratio) * fresh
    unit = family.unit[:, None]
    mean = family.mean_of(unit * (known + drawn.demand[:, None]))
    return Replicates(
        mean=mean,
        known=family.mean_of(unit * known),
        given=draw(family, mean, rng),
        fresh=draw(family, family.mean_of(unit * (known + fresh)), rng),
        seen=panel.outcome,
    )


def closeness(mean: Floats, draws: Floats, seen: Floats) -> Closeness:
    """Score predictions.

    Args:
        mean: The model's mean, shape (draws, points).
        draws: Predictive draws, same shape.
        seen: What happened, shape (points,).
    """
    low, first, middle, third, high = np.quantile(draws, [0.05, 0.25, 0.5, 0.75, 0.95], axis=0)
    return Closeness(
        r2=_r2(mean, seen),
        wmape=float(np.abs(middle - seen).sum() / np.abs(seen).sum()),
        crps=float(crps(draws, seen).mean()),
        coverage_50=float(np.mean((first <= seen) & (seen <= third))),
        coverage_90=float(np.mean((low <= seen) & (seen <= high))),
    )


def tamed(swings: Floats) -> Floats:
    """Swings cut where they lie farther from their median than `CUT` robust standard deviations, along the last axis.

    Student's t is taken where a few periods are odd, and claims to know the others only: it is judged by these.
    """
    away = swings - np.median(swings, axis=-1, keepdims=True)
    reach = CUT * stats.norm.isf(0.25) ** -1 * np.median(np.abs(away), axis=-1, keepdims=True)
    return np.clip(away, -reach, reach)


def _r2(mean: Floats, seen: Floats) -> Estimate:
    explained, left = mean.var(1), (seen - mean).var(1)
    return Estimate.from_draws(explained / (explained + left), "share")


def _autoregression(shocks: Floats, persistence: float) -> Floats:
    """Stationary paths of variance 1 along the last axis."""
    out = shocks.copy()
    for t in range(1, shocks.shape[-1]):
        out[..., t] = persistence * out[..., t - 1] + np.sqrt(1.0 - persistence**2) * shocks[..., t]
    return out


def _p_values(made: Replicates, robust: bool) -> dict[str, float]:
    """Discrepancies of the periods' sums from the model's mean without the demand, draw by draw; robust: tamed."""
    known = made.known.sum(1)
    drawn, real = made.fresh.sum(1) - known, made.seen.sum(0) - known
    if robust:
        drawn, real = tamed(drawn), tamed(real)

    def lagged(x: Floats) -> Floats:
        centred = x - x.mean(1, keepdims=True)
        return np.asarray((centred[:, 1:] * centred[:, :-1]).sum(1) / (centred**2).sum(1))

    return {
        "spread": float(np.mean(drawn.std(1) > real.std(1))),
        "peak": float(np.mean(np.abs(drawn).max(1) > np.abs(real).max(1))),
        "autocorrelation": float(np.mean(lagged(drawn) > lagged(real))),
    }
