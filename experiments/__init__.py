"""Experiments: lift tests planned, drawn, recorded and analysed, with honest inference."""

from typing import TYPE_CHECKING

import lazy_loader

import measurement

if "TheodoliteError" not in getattr(measurement, "__all__", ()):
    raise ImportError(
        f"the package 'measurement' found at {getattr(measurement, '__file__', None)} is not Theodolite's: "
        "another distribution installs that name too; remove it, or give Theodolite an environment of its own"
    )

if TYPE_CHECKING:
    from experiments.analysis import analyse, analyse_cells, analyse_kpis
    from experiments.geo.cells import CellResults
    from experiments.planning.goal import Goal
    from experiments.planning.multi_cell import design_cells
    from experiments.planning.on_off import design_on_off
    from experiments.planning.plan import design, power
    from experiments.planning.proposal import Design, Designs
    from experiments.planning.switchback import design_switchback
    from experiments.planning.user_level import UserGoal, design_users
    from experiments.records import Experiment
    from experiments.result import Result
    from experiments.user_level import Users, analyse_users, read_users

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "analysis": ["analyse", "analyse_cells", "analyse_kpis"],
        "geo.cells": ["CellResults"],
        "planning.goal": ["Goal"],
        "planning.multi_cell": ["design_cells"],
        "planning.on_off": ["design_on_off"],
        "planning.plan": ["design", "power"],
        "planning.proposal": ["Design", "Designs"],
        "planning.switchback": ["design_switchback"],
        "planning.user_level": ["UserGoal", "design_users"],
        "records": ["Experiment"],
        "result": ["Result"],
        "user_level": ["Users", "analyse_users", "read_users"],
    },
)

__all__ = [
    "CellResults",
    "Design",
    "Designs",
    "Experiment",
    "Goal",
    "Result",
    "UserGoal",
    "Users",
    "analyse",
    "analyse_cells",
    "analyse_kpis",
    "analyse_users",
    "design",
    "design_cells",
    "design_on_off",
    "design_switchback",
    "design_users",
    "power",
    "read_users",
]
