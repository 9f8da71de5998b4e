"""Posterior: the draws of a fit, what made them, and whether they may be used. Reading one needs no JAX."""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np

from measurement.errors import DataError, StoreError, shown
from measurement.mmm.diagnostics import Diagnostics
from measurement.mmm.noise import Noise
from measurement.mmm.scaling import Scales
from measurement.mmm.shape import Shape
from measurement.mmm.spec import Spec
from measurement.panel import Panel
from measurement.provenance import Provenance
from measurement.typing import Floats, Json

FORMAT = 1
LARGEST = 4 * 2**30
META = "meta.json"


@dataclass(frozen=True, eq=False)
class Posterior:
    """Draws of a fitted model. Draw ``i`` belongs to chain ``i // (draws / chains)``.

    Attributes:
        draws: Named arrays, draws on the first axis: ``decay, delay, half_saturation, slope`` (draws, channels),
            ``coefficient`` (draws, channels, geos), ``sigma`` (draws,), ``iroas`` and ``contribution`` over the whole
            panel (draws, channels), on geo panels ``geo_spread`` (draws, channels), with grouped tests ``lift_spread``
            and ``lift_bias``, and of the channels whose effect varies ``drift`` (draws, varying) and
            ``log_multiplier`` at the knots of their random walks (draws, varying, knots; see `variation`).
        chains: Number of chains.
        channels: Channel names.
        geos: Geo names.
        spec: The model.
        scales: Scales of the fit.
        counts: 1 for the cells of the series likelihood, 0 for those left out, shape (geos, periods).
        usual: 0 for the cells whose spend a test set, which follows no demand, same shape.
        noise: What was fixed about the residual beforehand.
        diagnostics: Convergence, and what it cost.
        provenance: Data, settings, seed, versions and tests.
        start: First day of the fitted panel, from which the knots are counted; ``None`` where no effect varies.
        shape: Where the sampler found the posterior, for a later fit to begin with; ``None`` for draws of the prior.
    """

    draws: Mapping[str, Floats]
    chains: int
    channels: tuple[str, ...]
    geos: tuple[str, ...]
    spec: Spec
    scales: Scales
    counts: Floats
    usual: Floats
    noise: Noise
    diagnostics: Diagnostics
    provenance: Provenance
    start: np.datetime64 | None = None
    shape: Shape | None = None

    @property
    def size(self) -> int:
        """Number of draws over all chains."""
        return len(self.draws["sigma"])

    @property
    def converged(self) -> bool:
        """Whether the reported quantities may be used."""
        return self.diagnostics.converged

    def thinned(self, draws: int) -> "Posterior":
        """The same fit with at most ``draws`` draws, evenly taken."""
        if self.size <= draws:
            return self
        kept = np.linspace(0, self.size - 1, draws).round().astype(np.int64)
        return replace(self, draws={name: values[kept] for name, values in self.draws.items()})

    def check(self, panel: Panel) -> None:
        """Refuse a panel whose channels or geos are not those of the fit.

        Raises:
            DataError: Where they differ.
        """
        if panel.channels != self.channels or panel.geos != self.geos:
            raise DataError(
                f"the fit knows {len(self.channels)} channels and {len(self.geos)} geos, "
                f"this panel has {len(panel.channels)} and {len(panel.geos)} or other names: fit it first"
            )

    def to_bytes(self) -> bytes:
        """As an npz archive of plain arrays and one JSON text; no pickle in it."""
        meta: Json = {
            "format": FORMAT,
            "chains": self.chains,
            "channels": self.channels,
            "geos": self.geos,
            "spec": self.spec.to_dict(),
            "scalars": {"outcome": self.scales.outcome} | _scalars(self.noise),
            "diagnostics": asdict(self.diagnostics),
            "provenance": self.provenance.to_dict(),
            **({} if self.start is None else {"start": str(self.start)}),
            **({} if self.shape is None else {"blocks": self.shape.blocks}),
        }
        arrays: dict[str, Any] = {f"draws/{name}": values for name, values in self.draws.items()}
        arrays |= {f"scales/{name}": value for name, value in asdict(self.scales).items() if name != "outcome"}
        arrays |= {"counts": self.counts, "usual": self.usual, "noise/relative": self.noise.relative}
        if self.shape is not None:
            arrays |= {f"shape/{name}": values for name, values in self.shape.arrays().items()}
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr(_entry(META), json.dumps(meta, sort_keys=True))
            for name, values in sorted(arrays.items()):
                with archive.open(_entry(f"{name}.npy"), "w", force_zip64=True) as stream:
                    np.lib.format.write_array(stream, np.ascontiguousarray(values), allow_pickle=False)
        return out.getvalue()

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Read what `to_bytes` wrote.

        Raises:
            StoreError: Where it is damaged, of another format or too large to be one of ours.
        """
        try:
            with zipfile.ZipFile(io.BytesIO(raw)) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > LARGEST:
                    raise StoreError("the stored posterior is too large to be one of ours")
                meta = json.loads(archive.read(META))
                arrays = {
                    name.removesuffix(".npy"): _array(archive.read(name)) for name in archive.namelist() if name != META
                }
            if meta["format"] != FORMAT:
                raise StoreError(
                    f"the stored posterior has format {shown(meta['format'])}; this version reads {FORMAT}"
                )
            return cls(
                draws=_below(arrays, "draws/"),
                chains=int(meta["chains"]),
                channels=tuple(meta["channels"]),
                geos=tuple(meta["geos"]),
                spec=Spec.read(meta["spec"]),
                scales=Scales(outcome=float(meta["scalars"].pop("outcome")), **_below(arrays, "scales/")),
                counts=arrays["counts"],
                usual=arrays.get("usual", arrays["counts"]),  # fits before it was kept
                noise=Noise(relative=arrays["noise/relative"], **meta["scalars"]),
                diagnostics=Diagnostics.from_dict(meta["diagnostics"]),
                provenance=Provenance.from_dict(meta["provenance"]),
                start=np.datetime64(meta["start"], "D") if "start" in meta else None,
                shape=Shape.read(meta["blocks"], _below(arrays, "shape/")) if "blocks" in meta else None,
            )
        except (zipfile.BadZipFile, KeyError, ValueError, TypeError, EOFError, DataError) as error:
            raise StoreError(f"the stored posterior is damaged: {shown(error, 200)}") from None


def _scalars(noise: Noise) -> dict[str, float]:
    return {name: value for name, value in asdict(noise).items() if isinstance(value, float)}


def _entry(name: str) -> zipfile.ZipInfo:
    """An entry without a time of day, so that equal posteriors give equal bytes."""
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _array(raw: bytes) -> Floats:
    values: Floats = np.lib.format.read_array(io.BytesIO(raw), allow_pickle=False)
    return values


def _below(arrays: Mapping[str, Floats], prefix: str) -> dict[str, Floats]:
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}
