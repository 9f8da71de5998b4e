"""Compare candidate specifications: what each predicts of cells it has not seen, what it says of money, what it cost.

The choice is cautious. Whoever looks at many models finds one that leads by noise, so the study's own model stays
unless another predicts better by more than the error of the paired difference, allowing for how many were tried; of
models that predict alike the simpler is taken (Sivula, Magnusson, Matamoros & Vehtari 2025 on differences below 4).
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from measurement.errors import DataError, shown
from measurement.lift import Lift
from measurement.mmm import Sampling
from measurement.mmm.sampling import ProgressCallback
from measurement.panel import Panel
from measurement.parallel import each
from measurement.provenance import Provenance, versions
from measurement.validation.backtest import backtest
from measurement.validation.candidates import OWN, Candidate
from measurement.validation.compared import Comparison, Judged
from measurement.validation.loo import loo
from measurement.validation.stacking import stacking_weights
from measurement.validation.telling import telling

KEPT_DRAWS = 1000
BACKTESTED = 3
"""So many of the best beside the study's own are backtested."""


def compare(
    panel: Panel,
    candidates: Sequence[Candidate],
    lifts: Sequence[Lift] = (),
    *,
    folds: int = 0,
    horizon: int | None = None,
    seed: int = 0,
    sampling: Sampling | None = None,
    n_jobs: int | None = None,
    progress: ProgressCallback | None = None,
) -> Comparison:
    """Fit every candidate and judge them on the same cells.

    Args:
        panel: The data.
        candidates: What to compare, the study's own first (`measurement.validation.candidates`).
        lifts: Lift tests, the same for all.
        folds: Folds of a backtest of the study's own and the best three others; none by default.
        horizon: Periods that each fold predicts; a quarter of a year by default.
        seed: Seed of all fits; the same seed gives the same answer, however many run at a time.
        sampling: How long each fit samples.
        n_jobs: Fits at a time; as many as there are cores by default.
        progress: Told how many fits are done; raising in it (Ctrl-C does) stops the others.

    Raises:
        DataError: Where there are fewer than two candidates, two of one name, or one that cannot be fitted.
    """
    names = [candidate.name for candidate in candidates]
    if len(names) < 2:
        raise DataError("there is nothing to compare: name at least one form or season that the study's model has not")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"two candidates are called {', '.join(map(shown, twice))}")
    if names[0] != OWN:
        raise DataError(f"the first candidate must be the study's own, called '{OWN}'")
    began, length = time.perf_counter(), sampling or Sampling()
    work = partial(judged, panel, tuple(lifts), length, seed)
    found = each(work, list(candidates), workers=n_jobs, progress=telling(progress, "fit candidates", len(candidates)))
    weights = stacking_weights(np.stack([one.elpd[np.isfinite(one.elpd)] for one in found]))
    found = [replace(one, weight=float(weight)) for one, weight in zip(found, weights, strict=True)]
    if folds:
        others = sorted(found[1:], key=lambda one: -one.total)[:BACKTESTED]
        tested = {}
        for one in (found[0], *others):
            tested[one.candidate.name] = backtest(
                panel,
                one.candidate.spec,
                lifts,
                horizon=horizon,
                folds=folds,
                seed=seed,
                sampling=length,
                n_jobs=n_jobs,
                progress=progress,
            )
        found = [replace(one, backtest=tested.get(one.candidate.name)) for one in found]
    return Comparison(
        judged=tuple(found),
        channels=panel.channels,
        currency=panel.currency,
        wall_seconds=time.perf_counter() - began,
        provenance=Provenance(
            data=panel.sha256,
            settings={"candidates": names, "folds": folds, "sampling": length.model_dump()},
            seed=seed,
            versions=versions("numpy", "jax", "numpyro"),
            parents=tuple(lift.experiment_id for lift in lifts),
        ),
    )


def judged(panel: Panel, lifts: tuple[Lift, ...], sampling: Sampling, seed: int, candidate: Candidate) -> Judged:
    """Fit one candidate and leave every cell out in turn."""
    from measurement.mmm import fit

    post = fit(panel, candidate.spec, lifts, seed=seed, sampling=sampling)
    left_out = loo(post, panel)
    return Judged(
        candidate=candidate,
        elpd=left_out.elpd,
        effective=left_out.parameters,
        influential=int(left_out.influential.sum()),
        iroas=post.thinned(KEPT_DRAWS).draws["iroas"],
        diagnostics=post.diagnostics,
    )
