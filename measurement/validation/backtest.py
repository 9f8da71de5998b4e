"""Rolling-origin backtest: fit on what was known at an origin, predict what followed, score it.

At each origin the model is fitted on the panel up to there, with the tests that had ended by then, and predicts the
next periods from the spend and the controls that they really had: what is judged is the model and not the guess at next
quarter's budget. Naive methods predict the same periods from the same history.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from measurement.errors import DataError
from measurement.lift import Lift
from measurement.mmm import Posterior, Sampling, Spec
from measurement.mmm.sampling import ProgressCallback
from measurement.mmm.spec import check_spec
from measurement.panel import Panel
from measurement.parallel import each
from measurement.plan.budget import quarter
from measurement.plan.forecast import Forecast, forecast
from measurement.plan.horizon import YEAR, Horizon
from measurement.provenance import Provenance, versions
from measurement.typing import Floats
from measurement.validation.backtested import BANDS, MODEL, Backtest, Fold
from measurement.validation.naive import naives
from measurement.validation.scores import FEWEST_FOLDS, Scored, scored
from measurement.validation.telling import telling

if TYPE_CHECKING:
    import pandas as pd

MOST_FOLDS = 6
"""Folds where none are asked for."""


def backtest(
    panel: Panel,
    spec: Spec | None = None,
    lifts: Sequence[Lift] = (),
    *,
    horizon: int | None = None,
    folds: int | None = None,
    every: int | None = None,
    seed: int = 0,
    sampling: Sampling | None = None,
    n_jobs: int | None = None,
    progress: ProgressCallback | None = None,
) -> Backtest:
    """Predict the panel's last stretches from what came before them.

    Args:
        panel: The data.
        spec: The model, the same at every origin; `Spec.default` of the panel when not given.
        lifts: Lift tests; each origin knows those that had ended.
        horizon: Periods that each origin predicts; a quarter of a year by default.
        folds: How many origins; by default as many as there is history for, at most six.
        every: Periods between origins; the horizon by default, so that no period is predicted twice.
        seed: Seed; the same seed gives the same answer, however many fits run at a time.
        sampling: How long each fit samples.
        n_jobs: Fits at a time; as many as there are cores by default.
        progress: Told how many fits are done; raising in it (Ctrl-C does) stops the others.

    Raises:
        DataError: Where the panel is too short for the folds, with the most that it holds.
    """
    chosen, ahead = spec or Spec.default(panel), quarter(panel) if horizon is None else horizon
    step = ahead if every is None else every
    origins = origins_of(panel, chosen, ahead, folds, step)
    length = sampling or Sampling()
    work = partial(fold_of, panel, chosen, tuple(lifts), ahead, length)
    tasks = [(origin, seed + i) for i, origin in enumerate(origins)]
    found = each(work, tasks, workers=n_jobs, progress=telling(progress, "backtest", len(tasks)))
    return Backtest(
        folds=tuple(found),
        horizon=ahead,
        geos=panel.geos,
        kpi=panel.kpi,
        period=panel.period,
        naive={
            name: method.words
            for name, method in naives(panel.period).items()
            if sum(name in fold.scored for fold in found) >= min(FEWEST_FOLDS, len(found))
        },
        provenance=Provenance(
            data=panel.sha256,
            settings={
                "spec": chosen.to_dict(),
                "horizon": ahead,
                "folds": len(found),
                "every": step,
                "sampling": length.model_dump(),
            },
            seed=seed,
            versions=versions("numpy", "jax", "numpyro"),
            parents=tuple(lift.experiment_id for lift in lifts),
        ),
    )


def origins_of(panel: Panel, spec: Spec, horizon: int, folds: int | None, every: int) -> list[int]:
    """Positions of the first predicted period of each fold, ascending.

    Raises:
        DataError: Where a number is below 1 or the panel is too short.
    """
    wrong = [f"{name} {n}" for name, n in (("horizon", horizon), ("folds", folds), ("every", every)) if n == 0]
    wrong += [f"{name} {n}" for name, n in (("horizon", horizon), ("folds", folds), ("every", every)) if (n or 0) < 0]
    if wrong:
        raise DataError(f"a backtest needs whole numbers of 1 or more; found {', '.join(wrong)}")
    length, unit = panel.shape[1], panel.period
    least, why = least_history(panel, spec)
    last = length - horizon
    most = 0 if last < least else 1 + (last - least) // every
    needed = f"the first fit needs {least} {unit}s{why}"
    if most == 0:
        raise DataError(
            f"{length} {unit}s are too few for a backtest that predicts {horizon}: {needed}. "
            + (f"Predict at most {length - least}" if length > least else "Bring a longer history")
        )
    if folds is not None and folds > most:
        raise DataError(
            f"found {folds} folds, {every} {unit}s apart, that predict {horizon} {unit}s each: {length} {unit}s hold "
            f"{most} at most, since {needed}"
        )
    count = min(most, MOST_FOLDS) if folds is None else folds
    return [last - every * i for i in reversed(range(count))]


def least_history(panel: Panel, spec: Spec) -> tuple[int, str]:
    """The shortest beginning of a panel that the model can be fitted to, and why it is no shorter, in words.

    Raises:
        DataError: With the reasons, where even the whole panel cannot be fitted.
    """
    if problems := check_spec(spec, panel):
        raise DataError(problems)
    year = YEAR[panel.period] if spec.fourier_order else 0
    low, high = 1, panel.shape[1]
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if check_spec(spec, panel.part(slice(0, middle))) else (low, middle)
    if year >= low:
        return year, ", a year, since the model has a season"
    problems = check_spec(spec, panel.part(slice(0, low - 1))) if low > 1 else []
    return low, f" (in fewer, {problems[0].message})" if problems else ""


def fold_of(
    panel: Panel, spec: Spec, lifts: tuple[Lift, ...], horizon: int, sampling: Sampling, task: tuple[int, int]
) -> Fold:
    """One fold: fit on the periods before ``task[0]`` with the seed ``task[1]``, predict the next ones, score them."""
    from measurement.mmm import fit

    origin, seed = task
    known, came = panel.part(slice(0, origin)), panel.part(slice(origin, origin + horizon))
    first = panel.dates[origin].astype("datetime64[D]")
    ended = [lift for lift in lifts if np.datetime64(lift.cooldown_end, "D") < first]
    post = fit(known, spec, ended, seed=seed, sampling=sampling, room=panel.shape[1] - horizon)
    draws = as_it_came(post, known, came, seed=seed).draws
    found = {MODEL: targets(draws, came.outcome)}
    for name, method in naives(panel.period).items():
        ensemble = method.draws(known.outcome, horizon)
        if ensemble is not None:
            found[name] = targets(ensemble, came.outcome)
    return Fold(
        dates=came.dates,
        history=origin,
        tests=tuple(lift.experiment_id for lift in ended),
        scored=found,
        bands=np.quantile(draws.sum(axis=1), BANDS, axis=0),
        diagnostics=post.diagnostics,
    )


def as_it_came(post: Posterior, known: Panel, came: Panel, *, seed: int = 0) -> Forecast:
    """The forecast of periods that have come: with the spend, the exposure and the controls that they had."""
    happened = Horizon(came.dates, came.spend, "as it came", came.exposure)
    return forecast(post, known, happened, controls=_controls(came), seed=seed)


def targets(draws: Floats, came: Floats) -> dict[str, Scored]:
    """Predictions of shape (draws, geos, periods) scored by period and over the horizon, together and by geo."""
    found = {
        "periods": scored(draws.sum(axis=1), came.sum(axis=0)),
        "horizon": scored(draws.sum(axis=(1, 2))[:, None], came.sum(keepdims=True)[0]),
    }
    if draws.shape[1] > 1:
        found["geo periods"] = scored(draws, came)
        found["geo horizons"] = scored(draws.sum(axis=2), came.sum(axis=1))
    return found


def _controls(came: Panel) -> "pd.DataFrame":
    import pandas as pd

    days, geos = np.tile(came.dates, len(came.geos)), np.repeat(came.geos, len(came.dates))
    values = {name: came.controls[..., j].ravel() for j, name in enumerate(came.control_names)}
    return pd.DataFrame({"date": days, "geo": geos} | values)
