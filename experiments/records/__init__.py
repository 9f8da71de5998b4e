"""Records of tests: the one door to reading them, placing them on a panel and writing them down again."""

from experiments.records.experiment import (
    CI_LEVEL,
    ESTIMANDS,
    GRADES,
    METHODS,
    ON_USERS,
    Assignment,
    Block,
    Estimand,
    Experiment,
    Grade,
    Method,
    resolved,
    std_error_of,
)
from experiments.records.placement import place
from experiments.records.reading import cell, parse, read

__all__ = [
    "CI_LEVEL",
    "ESTIMANDS",
    "GRADES",
    "METHODS",
    "ON_USERS",
    "Assignment",
    "Block",
    "Estimand",
    "Experiment",
    "Grade",
    "Method",
    "cell",
    "parse",
    "place",
    "read",
    "resolved",
    "std_error_of",
]
