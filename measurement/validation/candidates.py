"""Candidate specifications: the study's own, and others that change how media act or how the season bends."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, get_args

from measurement.errors import DataError, Problem, did_you_mean, refuse, shown
from measurement.mmm.spec import Adstock, Saturation, Spec

OWN = "as it is"
ADSTOCKS: tuple[Adstock, ...] = ("geometric", "delayed", "weibull")
SATURATIONS: tuple[Saturation, ...] = ("hill", "exponential", "logistic")
SEASON_STEP = 2
"""Fourier orders tried: the study's own, so many fewer and so many more."""

SHAPE: dict[str, int] = {"none": 0, "geometric": 1, "binomial": 1, "delayed": 2, "weibull": 2}
CURVE: dict[str, int] = {"none": 0, "hill": 2, "logistic": 1, "exponential": 1, "michaelis_menten": 1, "tanh": 1}


@dataclass(frozen=True, slots=True)
class Candidate:
    """One specification to compare.

    Attributes:
        name: What it changes, for readers; `OWN` for the study's own.
        spec: The model.
        changes: The fields that differ from the study's own: ``adstock`` and ``saturation`` of every channel,
            ``fourier_order``.
        channel: The one channel whose forms they are; ``None`` for all.
    """

    name: str
    spec: Spec
    changes: tuple[tuple[str, str | int], ...] = ()
    channel: str | None = None

    @property
    def complexity(self) -> int:
        """Parameters of shape and season: of models that predict alike, the smaller is taken."""
        media = sum(SHAPE[own.adstock] + CURVE.get(own.saturation, 1) for own in self.spec.channels.values())
        return media + 2 * self.spec.fourier_order


def candidates(
    spec: Spec,
    *,
    adstocks: Sequence[str] = ADSTOCKS,
    saturations: Sequence[str] = SATURATIONS,
    seasons: Sequence[int] | None = None,
    channels: Sequence[str] = (),
    grid: bool = False,
) -> tuple[Candidate, ...]:
    """The study's own specification first, then what differs from it.

    Args:
        spec: The study's own.
        adstocks: Forms of carry-over to try, for all channels at once.
        saturations: Forms of saturation to try, for all channels at once.
        seasons: Fourier orders to try; two fewer and two more than the study's own by default, none where it has none.
        channels: Channels that also take each of these forms alone, all others as they are.
        grid: Every combination; otherwise one change at a time.

    Raises:
        DataError: For forms and channels that there are not.
    """
    problems = [_unknown("adstock", name, get_args(Adstock)) for name in adstocks if name not in get_args(Adstock)]
    problems += [
        _unknown("saturation", name, get_args(Saturation)) for name in saturations if name not in get_args(Saturation)
    ]
    orders = _seasons(spec) if seasons is None else tuple(seasons)
    problems += [Problem(f"a season has 0 to 20 waves; found {n}", code="season") for n in orders if not 0 <= n <= 20]
    problems += [_unknown("channel", name, tuple(spec.channels)) for name in channels if name not in spec.channels]
    refuse(problems)
    options: list[list[tuple[str, str | int] | None]] = [
        [None, *(("adstock", name) for name in adstocks)],
        [None, *(("saturation", name) for name in saturations)],
        [None, *(("fourier_order", order) for order in orders)],
    ]
    found: dict[str, Candidate] = {}
    for picked in product(*options):
        changes = tuple(change for change in picked if change is not None)
        made = changed(spec, dict(changes))
        real = tuple(change for change in changes if changed(spec, dict([change])) != spec)
        if grid or len(real) <= 1:
            found.setdefault(made.model_dump_json(), Candidate(_name(real), made, real))
    for name, change in product(channels, [form for forms in options[:2] for form in forms if form is not None]):
        made = changed(spec, dict([change]), name)
        alone = Candidate(f"{_name((change,))} for {shown(name)} alone", made, (change,), name)
        found.setdefault(made.model_dump_json(), alone)
    return tuple(found.values())


def changed(spec: Spec, changes: dict[str, Any], channel: str | None = None) -> Spec:
    """A specification with other forms for every channel, or for one, or with another season."""
    media = {name: value for name, value in changes.items() if name in ("adstock", "saturation")}
    other = {name: value for name, value in changes.items() if name not in media}
    channels = {
        name: own.model_copy(update=media) if channel in (None, name) else own for name, own in spec.channels.items()
    }
    return spec.model_copy(update={"channels": channels, **other})


def named(spec: Spec, others: dict[str, Spec]) -> tuple[Candidate, ...]:
    """The study's own specification and others that the user wrote, by name.

    Raises:
        DataError: Where one takes the name of the study's own.
    """
    if OWN in others:
        raise DataError(f"'{OWN}' is the name of the study's own model: give the other another")
    return (Candidate(OWN, spec), *(Candidate(name, other) for name, other in others.items()))


def _seasons(spec: Spec) -> tuple[int, ...]:
    own = spec.fourier_order
    return (max(1, own - SEASON_STEP), own + SEASON_STEP) if own else ()


def _name(changes: tuple[tuple[str, str | int], ...]) -> str:
    words = {"fourier_order": "season of {} waves", "adstock": "{} adstock", "saturation": "{} saturation"}
    said = ", ".join(words[field].format(value) for field, value in changes)
    return said.replace("of 1 waves", "of 1 wave").replace("none adstock", "no adstock") or OWN


def _unknown(what: str, name: str, known: Sequence[str]) -> Problem:
    words = f"unknown {what} '{shown(name)}'{did_you_mean(name, known)}; there are {', '.join(known)}"
    return Problem(words, code=f"unknown-{what}")
