"""What people read in place of the ids of the models; ids stay in files, options and answers for machines."""

from collections.abc import Mapping
from types import MappingProxyType

LABELS: Mapping[str, str] = MappingProxyType(
    {
        "first": "First touch",
        "last": "Last touch",
        "linear": "Linear",
        "position": "Position",
        "time_decay": "Time decay",
        "last_non_direct": "Last non-direct",
        **{f"markov:{order}": f"Markov, order {order}" for order in range(1, 5)},
        "markov:auto": "Markov, best order",
        "shapley": "Shapley",
        "shapley:unanimity": "Shapley, unanimity",
        "shapley:ordered": "Shapley, ordered",
        "hazard": "Additive hazard",
        "hazard:baseline": "Hazard and baseline",
    }
)


def label(model: str) -> str:
    """The name of a model for people; its id where it has none."""
    return LABELS.get(model, model)
