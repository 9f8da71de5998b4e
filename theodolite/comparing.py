"""Comparing models: how many candidates are tried, and the chosen one as lines of theodolite.toml."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from measurement.errors import DataError
from theodolite import sources
from theodolite.template import quoted, toml_key

if TYPE_CHECKING:
    from measurement import Panel
    from measurement.mmm import Spec
    from measurement.validation.candidates import Candidate
    from measurement.validation.compared import Comparison
    from theodolite.config import Config

FULL_FOLDS = 4
ALONE = 2
"""So many channels, those with the most spend, are changed alone, unless the user names some."""


def asked(
    panel: "Panel",
    config: "Config",
    spec: "Spec",
    extent: tuple[bool, bool],
    forms: tuple[Sequence[str] | None, Sequence[str] | None, Sequence[int] | None],
    channels: Sequence[str] | None,
) -> "tuple[Candidate, ...]":
    """What a study compares: `candidates_of`, channels by any of their names, and its `own_models`.

    Args:
        panel: The data.
        config: The study's settings.
        spec: Its model.
        extent: Whether quick, whether full.
        forms: Adstocks, saturations and Fourier orders.
        channels: Channels to change alone.

    Raises:
        DataError: For what there is not, and quick with full.
    """
    spend = panel.spend.sum((0, 1))
    found = candidates_of(
        spec,
        quick=extent[0],
        full=extent[1],
        adstocks=forms[0],
        saturations=forms[1],
        seasons=forms[2],
        channels=None if channels is None else [config.aliases.get(name, name) for name in channels],
        largest=[panel.channels[c] for c in (-spend).argsort(kind="stable")],
    )
    return (*found, *own_models(panel, config))


def candidates_of(
    spec: "Spec",
    *,
    quick: bool,
    full: bool,
    adstocks: Sequence[str] | None,
    saturations: Sequence[str] | None,
    seasons: Sequence[int] | None,
    channels: Sequence[str] | None,
    largest: Sequence[str],
) -> "tuple[Candidate, ...]":
    """What is compared: one change at a time, fewer with ``quick``, every combination with ``full``.

    Beside changes to all channels at once, ``channels`` are changed alone, each by every form; where none is named, the
    first of ``largest`` (channels, the most spend first), each by one other adstock and one other saturation.

    Raises:
        DataError: For forms and channels that there are not, and quick with full.
    """
    from measurement.validation.candidates import ADSTOCKS, SATURATIONS, candidates

    if quick and full:
        raise DataError("a comparison is quick or full, not both")
    if adstocks is None:
        adstocks = ADSTOCKS[:2] if quick else ADSTOCKS
    if saturations is None:
        saturations = SATURATIONS[:2] if quick else SATURATIONS
    orders = () if quick and seasons is None else seasons
    found = candidates(
        spec, adstocks=adstocks, saturations=saturations, seasons=orders, channels=channels or (), grid=full
    )
    if quick or channels:
        return found
    largest = largest[:ALONE]
    more = candidates(spec, adstocks=adstocks[:2], saturations=saturations[:2], seasons=(), channels=largest)
    known = [one.spec for one in found]
    return (*found, *(one for one in more if one.channel is not None and one.spec not in known))


def own_models(panel: "Panel", config: "Config") -> "tuple[Candidate, ...]":
    """The models of ``[compare.NAME]``, with the study's settings where they set nothing.

    Raises:
        DataError: Where one names a channel that there is not, or sets what is not allowed.
    """
    from measurement.validation.candidates import Candidate

    return tuple(Candidate(name, sources.spec(panel, config.with_model(name))) for name in config.compare)


def folds_of(panel: "Panel", spec: "Spec") -> int:
    """Folds of the backtest of the best: four, or as many as the history holds.

    Raises:
        DataError: Where it holds none.
    """
    from measurement.plan.budget import quarter
    from measurement.validation.backtest import origins_of

    ahead = quarter(panel)
    return min(FULL_FOLDS, len(origins_of(panel, spec, ahead, None, ahead)))


def toml_of(found: "Comparison", config: "Config") -> str:
    """The chosen model's changes as lines of theodolite.toml; empty where the study's own stays."""
    chosen = found.chosen.candidate
    if chosen.name in config.compare:
        return f"# Take what [compare.{toml_key(chosen.name)}] sets over to [model] and [channels.NAME]."
    changes: dict[str, Any] = dict(chosen.changes)
    lines = []
    if "fourier_order" in changes:
        lines += ["[model]", f"fourier_order = {changes['fourier_order']}", ""]
    media = {field: value for field, value in changes.items() if field in ("adstock", "saturation")}
    if media:
        for name in found.channels if chosen.channel is None else (chosen.channel,):
            lines += [
                f"[channels.{toml_key(name)}]",
                *(f"{field} = {quoted(str(v))}" for field, v in media.items()),
                "",
            ]
    return "\n".join(lines).rstrip()
