"""Ridge-augmented synthetic control: what the simplex weights leave over is handed to a ridge regression on donors.

Ben-Michael, Feller and Rothstein (2021), The Augmented Synthetic Control Method, section 4, on scaled and demeaned
series. The added weights sum to zero, so all still add to one, and they may be negative: the estimate may leave the
donors' hull, by as much as the penalty lets it. The penalty comes from blocks of the pre-period, each predicted by a
fit to the others; an endless one, which is the plain synthetic control, stands among the choices.

When it helps: on 2,000 placebo sets (two real panels of cities, the trimmed-match panel, simulated factors with drift
and with unlike loadings) the root mean square effect fell most where the plain gap leaves a pattern in time. By its
lag-one correlation: below .25 the ratio of augmented to plain was 1.00, at .25–.36 .96, at .36–.5 .91, above .5 .63.
The penalty with the least held-out error did harm where there was nothing to gain (1.04 to 1.06 on one panel); the
largest penalty within one standard error of it never did (at most 1.005) and kept most of the gain (drift .67, unlike
loadings .57, trimmed match .85, other cities .97). So the automatic rule of the default estimator: augment where the
plain gap's lag-one correlation is above .2 *and* held-out blocks speak for it by a standard error. Both read the
pre-period only, and they are part of the fit: every reference set goes through them as the treated geos do.
"""

from dataclasses import dataclass

import numpy as np

from experiments.geo.estimators.block import Block, Blocks, Fit, Fits
from experiments.geo.estimators.simplex_many import simplex_weights_many
from experiments.geo.estimators.synthetic_control import Settings as Plain
from experiments.geo.estimators.synthetic_control import Shared, share
from measurement.typing import Bools, Floats, Ints

FEWEST_IN_FOLD = 4


@dataclass(frozen=True, slots=True)
class Settings:
    """How and when the synthetic control is augmented.

    Attributes:
        least_pattern: Augment only where the plain gap's lag-one correlation in the pre-period is above this.
        cautious: Take the largest penalty within one standard error of the least held-out error; else the least.
        penalties: Choices beside the endless one, falling, as shares of the geos' total sum of squares.
        folds: Blocks of the pre-period; each needs four periods, or nothing is augmented.
        weight_cap: Largest weight of one donor before augmentation.
    """

    least_pattern: float = 0.2
    cautious: bool = True
    penalties: tuple[float, ...] = (0.1, 0.01, 0.001, 0.0001)
    folds: int = 5
    weight_cap: float = 0.5


def fit(block: Block, settings: Settings | None = None) -> Fit:
    """Fit one set; only its own geos and its donors are looked at."""
    rows = np.append(block.treated, block.donors)
    treated = (np.arange(rows.size) < block.treated.size)[None, :]
    many = fit_many(Blocks(block.outcome[rows], treated, ~treated, block.start, block.onset, block.end), settings)
    weights, loadings = (values[0, block.treated.size :] for values in (many.weights, many.loadings))
    augmented = bool(many.augmented[0])
    return Fit(
        many.observed[0], many.counterfactual[0], block.pre_length, weights, loadings=loadings, augmented=augmented
    )


def fit_many(blocks: Blocks, settings: Settings | None = None, near: Floats | None = None) -> Fits:
    """Fit many sets of one window together.

    Args:
        blocks: The sets. The penalty's unit is the sum of squares of all geos that take part in any of them.
        settings: As for `fit`.
        near: Weights of a neighbouring window, shape (sets, geos), which only speed the plain weights up.
    """
    settings = settings or Settings()
    shared = share(blocks, Plain(weight_cap=settings.weight_cap))
    before = shared.before
    gram = before @ before.T
    weights = simplex_weights_many(gram, shared.mixes, blocks.donors, cap=shared.caps, start=near)
    part = (blocks.treated | blocks.donors).any(axis=0)
    penalties = float(np.trace(gram[np.ix_(part, part)])) * np.array(settings.penalties)
    augmented = np.zeros(len(weights), dtype=np.bool_)
    if shared.pre_length >= FEWEST_IN_FOLD * settings.folds and penalties[-1] > 0:
        pattern = lag_one((shared.mixes - weights) @ before)
        rows = np.flatnonzero(pattern > settings.least_pattern)
        choice = _choices(shared, blocks.donors, weights, rows, penalties, settings)
        augmented[rows] = choice >= 0
        for place in np.unique(choice[choice >= 0]):
            own = rows[choice == place]
            left = (shared.mixes[own] - weights[own]) @ gram
            weights[own] += _added(left, gram, penalties[place], blocks.donors[own])
    return shared.fits(weights, augmented)


def lag_one(gap: Floats) -> Floats:
    """Correlation of each gap with itself one period earlier, about zero; shape (sets,) of (sets, periods)."""
    return np.asarray((gap[:, 1:] * gap[:, :-1]).sum(axis=1) / np.maximum(np.square(gap).sum(axis=1), 1e-300))


def _choices(shared: Shared, donors: Bools, weights: Floats, rows: Ints, penalties: Floats, settings: Settings) -> Ints:
    """Which penalty held-out blocks speak for, -1 for the endless one, shape (rows,)."""
    if rows.size == 0:
        return np.zeros(0, dtype=np.int64)
    blocks = np.array_split(np.arange(shared.pre_length), settings.folds)
    errors = np.array([_held_out(shared, donors, weights, rows, penalties, block) for block in blocks])
    mean = errors.mean(axis=0)
    best = mean.argmin(axis=1)
    if not settings.cautious:
        return best - 1
    at_best = np.take_along_axis(errors, best[None, :, None], axis=2)[:, :, 0]
    bar = mean.min(axis=1) + at_best.std(axis=0, ddof=1) / np.sqrt(settings.folds)
    return np.asarray((mean <= bar[:, None]).argmax(axis=1) - 1)


def _held_out(shared: Shared, donors: Bools, weights: Floats, rows: Ints, penalties: Floats, block: Ints) -> Floats:
    """Mean squared gap in a block that the fit did not see, shape (rows, 1 + penalties), the endless one first."""
    seen = np.delete(shared.before, block, axis=1)
    mean = seen.mean(axis=1, keepdims=True)
    seen, held = seen - mean, shared.before[:, block] - mean
    gram = seen @ seen.T
    mixes, among = shared.mixes[rows], donors[rows]
    plain = simplex_weights_many(gram, mixes, among, cap=shared.caps[rows], start=weights[rows])
    left = mixes - plain
    gaps = [left @ held]
    gaps += [(left - _added(left @ gram, gram, penalty, among)) @ held for penalty in penalties]
    return np.stack([np.square(gap).mean(axis=1) for gap in gaps], axis=1)


def _added(left: Floats, gram: Floats, penalty: float, donors: Bools) -> Floats:
    """Ridge weights on the donors that sum to zero: ``min |gap - a' series|^2 + penalty |a|^2``, shape (sets, geos).

    One inverse serves all sets. That a set's other geos carry nothing and that the sum is zero are conditions, met by
    one multiplier each.

    Args:
        left: Inner products of each set's gap with the series, shape (sets, geos).
        gram: Inner products of the series.
        penalty: Above 0.
        donors: Shape (sets, geos).
    """
    inverse = np.linalg.inv(gram + penalty * np.eye(len(gram)))
    sums = inverse.sum(axis=1)
    free = left @ inverse
    held = np.zeros(left.shape)
    others = ~donors
    counts = others.sum(axis=1)
    for count in np.unique(counts):
        rows = np.flatnonzero(counts == count)
        places = np.argsort(donors[rows], axis=1, kind="stable")[:, :count]
        system = np.empty((len(rows), count + 1, count + 1))
        system[:, :count, :count] = inverse[places[:, :, None], places[:, None, :]]
        system[:, :count, count] = system[:, count, :count] = sums[places]
        system[:, count, count] = sums.sum()
        wanted = np.append(np.take_along_axis(free[rows], places, axis=1), free[rows].sum(axis=1)[:, None], axis=1)
        solved = np.linalg.solve(system, wanted[:, :, None])[:, :, 0]
        held[rows] = solved[:, count:]
        held[rows[:, None], places] += solved[:, :count]
    return np.where(donors, (left - held) @ inverse, 0.0)
