"""Experiments: records of lift tests, their registry, and the analysis of a geo test with honest inference."""

from typing import TYPE_CHECKING

import lazy_loader

import measurement

if "TheodoliteError" not in getattr(measurement, "__all__", ()):
    raise ImportError(
        f"the package 'measurement' found at {getattr(measurement, '__file__', None)} is not Theodolite's: "
        "another distribution installs that name too; remove it, or give Theodolite an environment of its own"
    )

if TYPE_CHECKING:
    from experiments.analysis import analyse
    from experiments.records import Experiment
    from experiments.result import Result

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "analysis": ["analyse"],
        "records": ["Experiment"],
        "result": ["Result"],
    },
)

__all__ = ["Experiment", "Result", "analyse"]
