"""A fit as files for other tools: draws or their summary, tidy, in csv, parquet or netCDF."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from measurement.errors import DataError, shown
from measurement.typing import Floats
from measurement.whole_file import whole_file

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from measurement import Panel
    from measurement.mmm import Posterior

KINDS = (".csv", ".parquet", ".nc")
QUANTILES = (0.05, 0.5, 0.95)
OF_TESTS = ("lift_spread", "lift_bias")
"""Quantities of groups of tests, not of channels."""
OF_THE_SERIES = ("linear", "demand")
"""Draws of the linear terms, where a fit holds them: `measurement.mmm.to_datatree` gives them their names."""


def refuse(file: Path, *, force: bool) -> None:
    """Refuse a file that cannot be written, before anything is worked out.

    Raises:
        DataError: Where it has another ending, or is there already and ``force`` is not set.
    """
    if file.suffix.lower() not in KINDS:
        raise DataError(f"a fit is exported to {', '.join(KINDS)}; found '{shown(file.name)}'")
    if file.is_dir():
        raise DataError(f"{shown(file)} is a folder; name a file")
    if file.exists() and not force:
        raise DataError(f"{shown(file)} is there already: name another file, or say --force")


def named(post: "Posterior", panel: "Panel") -> dict[str, Floats]:
    """Every quantity of a fit, draws first, then channels and geos where it has them; mROAS is worked out.

    A quantity that no draw knows (the iROAS of a channel without spend) is NaN.
    """
    from measurement.mmm import mroas

    held = {name: np.asarray(values) for name, values in post.draws.items() if name not in OF_THE_SERIES}
    return held | {"mroas": mroas(post, panel)}


def tidy(post: "Posterior", panel: "Panel", *, draws: bool) -> "pd.DataFrame":
    """One row per quantity, channel and geo: its draws, or its mean, standard deviation and 90 % interval.

    Args:
        post: The fit.
        panel: Its data.
        draws: Whether each draw has a row of its own (``chain, draw, value``).

    Returns:
        ``quantity, channel, geo`` (empty where it has none) and ``chain, draw, value`` or ``mean, sd, low, median,
        high``.
    """
    import pandas as pd

    frames = []
    each = post.size // post.chains
    for quantity, values in named(post, panel).items():
        for at in np.ndindex(values.shape[1:]):
            own = values[(slice(None), *at)]
            channel, geo = _labels(post, quantity, at)
            if draws:
                row = {"chain": np.arange(post.size) // each, "draw": np.arange(post.size) % each, "value": own}
            else:
                low, median, high = np.quantile(own, QUANTILES)
                found = {"mean": own.mean(), "sd": own.std(ddof=1), "low": low, "median": median, "high": high}
                row = {name: np.array([number]) for name, number in found.items()}
            frames.append(pd.DataFrame({"quantity": quantity, "channel": channel, "geo": geo} | row))
    return pd.concat(frames, ignore_index=True)


def dataset(post: "Posterior", panel: "Panel") -> "xr.Dataset":
    """The draws as a data set over ``chain, draw, channel, geo``, as ArviZ reads it."""
    import xarray as xr

    variables = {}
    for quantity, values in named(post, panel).items():
        shaped = values.reshape(post.chains, -1, *values.shape[1:])
        dimensions = ["chain", "draw", *((f"{quantity}_group",) if quantity in OF_TESTS else ("channel", "geo"))]
        variables[quantity] = (dimensions[: shaped.ndim], shaped)
    places = {"channel": list(post.channels), "geo": list(post.geos)}
    attributes = {"data": post.provenance.data, "seed": int(post.provenance.seed or 0)}
    return xr.Dataset(variables, coords=places, attrs=attributes | {"converged": int(post.converged)})


def export(post: "Posterior", panel: "Panel", file: Path, *, draws: bool, force: bool = False) -> Path:
    """Write a fit; netCDF always holds the draws. Written whole or not at all.

    Raises:
        DataError: As for `refuse`, and where the file cannot be written.
    """
    refuse(file, force=force)
    kind = file.suffix.lower()
    with whole_file(file, "the fit", over=force) as draft:
        if kind == ".nc":
            dataset(post, panel).to_netcdf(draft, engine="scipy")
        elif kind == ".csv":
            tidy(post, panel, draws=draws).to_csv(draft, index=False, lineterminator="\n")
        else:
            tidy(post, panel, draws=draws).to_parquet(draft, index=False)
    return file


def _labels(post: "Posterior", quantity: str, at: tuple[int, ...]) -> tuple[str, str]:
    """Channel and geo of a column; both empty for what belongs to no channel."""
    if quantity in OF_TESTS or not at:
        return "", ""
    return post.channels[at[0]], post.geos[at[1]] if len(at) > 1 else ""
