"""Records of tests: the one door to reading them, placing them on a panel and writing them down again."""

from experiments.experiment import (
    CI_LEVEL,
    ESTIMANDS,
    GRADES,
    METHODS,
    Estimand,
    Experiment,
    Grade,
    Method,
    resolved,
    std_error_of,
)
from experiments.placement import place
from experiments.reading import parse, read

__all__ = [
    "CI_LEVEL",
    "ESTIMANDS",
    "GRADES",
    "METHODS",
    "Estimand",
    "Experiment",
    "Grade",
    "Method",
    "parse",
    "place",
    "read",
    "resolved",
    "std_error_of",
]
