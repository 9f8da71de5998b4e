"""Tests on users: conversion lift, ghost ads and PSA; the table of users, its analysis, and how many users it takes.

How many users (`sample_size`, `minimum_detectable_effect`, `power`) stands in `experiments.user_level.sample_size`.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from experiments.user_level.analysis import analyse_users
    from experiments.user_level.table import read_users
    from experiments.user_level.users import Users

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={"analysis": ["analyse_users"], "table": ["read_users"], "users": ["Users"]},
)

__all__ = ["Users", "analyse_users", "read_users"]
