"""The models by name: the only dispatch."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from attribution.models import hazard, hazard_baseline, markov, markov_auto, rules, shapley
from attribution.path_table import Paths
from attribution.sums import Prepared
from measurement.errors import DataError, Problem, did_you_mean, shown

MODELS: Mapping[str, Callable[[Paths], Prepared]] = MappingProxyType(
    {
        "first": rules.first,
        "last": rules.last,
        "last_non_direct": rules.last_non_direct,
        "linear": rules.linear,
        "position": rules.position,
        "time_decay": rules.time_decay,
        **{f"markov:{order}": partial(markov.prepare, order=order) for order in markov_auto.ORDERS},
        "markov:auto": markov_auto.prepare,
        "shapley": shapley.prepare,
        "shapley:ordered": partial(shapley.prepare, ordered=True),
        "shapley:unanimity": rules.unique,
        "hazard": hazard.prepare,
        "hazard:baseline": hazard_baseline.prepare,
    }
)
DEFAULT = tuple(
    name
    for name in MODELS
    if name not in ("markov:2", "markov:3", "markov:4", "shapley:ordered", "shapley:unanimity", "hazard:baseline")
)
"""What is worked out where no model is named."""


def known(names: Sequence[str]) -> list[str]:
    """The names, each once.

    Raises:
        DataError: With every unknown name and the nearest known one; and where there is no name.
    """
    strangers = [name for name in names if name not in MODELS]
    if strangers or not names:
        allowed = ", ".join(MODELS)
        found = [f"unknown attribution model '{shown(n)}'{did_you_mean(n, MODELS)}" for n in strangers]
        raise DataError(
            [Problem(f"{text}; there are {allowed}", code="unknown-model") for text in found]
            or f"name at least one attribution model: {allowed}"
        )
    return list(dict.fromkeys(names))
