"""Run models on paths: estimates, and joint draws of all of them."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from attribution import models as registry
from attribution import path_table, sums
from attribution.credit import Attribution, Credit
from attribution.path_table import Paths
from measurement.errors import DataError, Problem, did_you_mean, shown
from measurement.provenance import Provenance, versions
from measurement.typing import Floats

MOST_DRAWS = 10_000
FEW = 20
"""Conversions below which a channel's credit is called rough."""


def attribute(
    paths: Paths,
    models: Sequence[str] | None = None,
    *,
    seed: int = 0,
    draws: int = 200,
    spend: Mapping[str, float] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Attribution:
    """Credit conversions, and their money, to channels.

    Credits describe who was present before conversions; they do not prove who caused them.

    Args:
        paths: From `read_paths`.
        models: Names of `attribution.models.MODELS`; ``None`` for those of `attribution.models.DEFAULT` that these
            paths can carry, with a note on each that they cannot.
        seed: Seed of the resampling.
        draws: Resamplings of users for the 90 % intervals, at most 10,000; 0 for estimates alone.
        spend: Money per channel over the window of the paths, for ROAS.
        progress: Told the name of each model before it is worked out, how many are done, and of how many.

    Returns:
        Per model, credits that sum (with conversions that no touch preceded) to all conversions and all money.

    Raises:
        DataError: Where a model is unknown or cannot be had from these paths, nothing converted, or spend is negative.
    """
    _sound(paths, draws, spend or {})
    names = registry.known(list(registry.DEFAULT) if models is None else models)
    resampling = sums.Resampling.of(paths, draws, seed)
    credits_: dict[str, Credit] = {}
    left_out: list[Problem] = []
    said: list[Problem] = []
    for place, name in enumerate(names):
        if progress is not None:
            progress(name, place, len(names))
        try:
            model = registry.MODELS[name](paths)
            credits_[name] = _credit(name, paths, model, resampling)
            said += model.findings
        except DataError as error:
            if models is not None:
                raise
            left_out.append(
                Problem(f"model '{name}' is left out: {error.problems[0].message}", level="note", code=name)
            )
    settings = {"models": list(credits_), "draws": draws, "spec": paths.spec.to_dict()}
    return Attribution(
        credits=credits_,
        channels=paths.channels,
        conversions=paths.total_conversions,
        value=paths.total_value,
        no_touch=paths.no_touch,
        no_touch_draws=resampling.no_touch_draws,
        spend=dict(spend or {}),
        window=paths.window,
        spec_hash=paths.spec.sha256,
        provenance=Provenance(paths.sha256, settings, seed, versions("numpy", "scipy", "duckdb")),
        findings=(*paths.findings, *left_out, *said, *_rare(paths), *_unseen(paths, spend or {})),
    )


def _credit(name: str, paths: Paths, model: sums.Prepared, resampling: sums.Resampling) -> Credit:
    point = sums.estimate(paths, model)
    blocks = resampling.solutions(model)
    empty = np.zeros((0, len(paths.channels)))
    value = [block.value for block in blocks if block.value is not None]
    base = [each.baseline for each in (point, *blocks) if each.baseline is not None]
    return Credit(
        model=name,
        channels=paths.channels,
        conversions=point.conversions[:, 0],
        conversions_draws=_rows([block.conversions for block in blocks], empty),
        value=None if point.value is None else point.value[:, 0],
        value_draws=None if point.value is None else _rows(value, empty),
        removal_effect=None if point.removal_effect is None else point.removal_effect[:, 0],
        baseline=np.concatenate(base, axis=1) if base else None,
        conversion_probability=None if point.probability is None else float(point.probability[0]),
        about=model.about,
    )


def _rows(parts: Sequence[Floats], empty: Floats) -> Floats:
    return np.ascontiguousarray(np.concatenate(parts, axis=1).T) if parts else empty


def _sound(paths: Paths, draws: int, spend: Mapping[str, float]) -> None:
    problems = []
    if not 0 <= draws <= MOST_DRAWS:
        problems.append(Problem(f"draws is 0 to {MOST_DRAWS:,}, found {draws:,}", code="draws"))
    if not paths.conversions.sum() > 0:
        message = "no journey with a touch converts, so there is nothing to credit"
        if paths.no_touch[0]:
            message += f": all {paths.no_touch[0]:,.0f} conversions have no touch within the lookback before them"
        problems.append(Problem(message, code="no-conversions"))
    problems += [
        Problem(f"spend of '{shown(name)}' is {money}; it is a number of at least 0", code="spend")
        for name, money in spend.items()
        if not 0 <= money < float("inf")
    ]
    if problems:
        raise DataError(problems)


def _rare(paths: Paths) -> list[Problem]:
    """Channels whose credit rests on few conversions."""
    sold = _sold(paths)
    few = [i for i in range(len(sold)) if 0 < sold[i] < FEW]
    if not few:
        return []
    named = ", ".join(f"'{shown(paths.channels[i])}' ({sold[i]:,.0f})" for i in few[:10]) + (
        ", ..." if few[10:] else ""
    )
    message = (
        f"fewer than {FEW} conversions have a touch of {named}: the credit of these channels is rough in every model"
    )
    return [Problem(message, column="channel", level="note", code="rare-channel")]


def _sold(paths: Paths) -> Floats:
    """Conversions of the paths that each channel is on, shape (channels,); some that are not rare may come as 0."""
    channels = len(paths.channels)
    if channels <= path_table.FEW:
        by_set = np.bincount(paths.masks, paths.conversions, 1 << channels)
        return np.array([by_set.reshape(-1, 2, 1 << bit)[:, 1].sum() for bit in range(channels)])
    # channels that come first on enough of them are not rare; only the others' paths have to be told apart
    open_ = np.bincount(paths.touches[paths.offsets[:-1]], paths.conversions, channels) < FEW
    looked_at = np.flatnonzero(open_[paths.touches])
    met = np.unique(paths.owner[looked_at] * channels + paths.touches[looked_at])
    return np.bincount(met % channels, paths.conversions[met // channels], channels)


def _unseen(paths: Paths, spend: Mapping[str, float]) -> list[Problem]:
    return [
        Problem(
            f"money was spent on '{shown(name)}' and no journey has a touch of it{did_you_mean(name, paths.channels)}",
            level="note",
            code="unseen-channel",
        )
        for name, money in spend.items()
        if money > 0 and name not in paths.channels
    ]
