"""What a ranking of tests is asked for, read from texts: those of a form, or of a job over the API."""

from collections.abc import Callable, Mapping
from typing import Any

from experiments.planning.goal_text import names, number, whole, whole_list, whole_range
from measurement.errors import Problem, did_you_mean, refuse, shown
from theodolite.next_tests import Asked


def asked_of(texts: Mapping[str, str]) -> Asked:
    """What is asked for.

    Args:
        texts: Fields of `theodolite.next_tests.Asked` as texts: names and lengths with commas between, markets as
            ``2:6``, money and shares as numbers, ``at_most`` as ``yes``; bounds of single channels are left out.

    Raises:
        DataError: With every field that is unknown or cannot be read.
    """
    told: dict[str, Any] = {}
    problems = []
    for name, text in texts.items():
        if name not in READERS:
            problems.append(Problem(f"unknown setting{did_you_mean(name, READERS)}", column=name, code="unknown-name"))
        elif text.strip():
            try:
                told[name] = READERS[name](text)
            except ValueError as wrong:
                problems.append(Problem(str(wrong), column=name, code="not-readable"))
    refuse(problems)
    return Asked(**told)


def _yes(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError(f"found '{shown(text)}', expected yes or no")
    return text == "yes"


READERS: Mapping[str, Callable[[str], Any]] = {
    "channels": names,
    "directions": names,
    "durations": whole_list,
    "geos": whole_range,
    "cooldown": whole,
    "heavy_up": number,
    "exclude": names,
    "busy": names,
    "total": number,
    "at_most": _yes,
    "others": str.strip,
    "horizon": whole,
    "margin": number,
    "per_test": number,
    "per_market": number,
    "money": number,
    "most": whole,
    "seed": whole,
}
