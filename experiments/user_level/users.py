"""Users: the table of a test on users, as the sums that its analysis needs; no row and no id is kept."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from experiments.user_level.moments import Cells
from measurement.errors import Problem

BEFORE = "pre_"
"""What the name of a covariate begins with: a number known of each user before the test."""


@dataclass(frozen=True, eq=False)
class Users:
    """Users of a test, summed up by arm, exposure and day of enrolment. `read_users` makes it.

    Attributes:
        names: Names of the columns that were summed: KPIs, denominator, covariates, shape (columns,).
        kpis: Names of the KPIs among them.
        binary: Names of the columns that are 0 or 1 for every user.
        denominator: Name of the column that a ratio divides by; ``None`` without one.
        cells: The sums.
        has_exposure: Whether the table says who was exposed.
        control_exposure: Whether it says so of control users too.
        has_prediction: Whether the table says whose exposure was predicted.
        has_days: Whether the table says when users were enrolled.
        problems: What looked odd and was let pass.
        source: Name of the file, for messages.
    """

    names: tuple[str, ...]
    kpis: tuple[str, ...]
    binary: frozenset[str]
    denominator: str | None
    cells: Cells
    has_exposure: bool = False
    control_exposure: bool = False
    has_prediction: bool = False
    has_days: bool = False
    problems: tuple[Problem, ...] = ()
    source: str = ""

    @property
    def covariates(self) -> tuple[str, ...]:
        """Columns known of each user before the test."""
        return tuple(name for name in self.names if name.startswith(BEFORE) and name not in self.kpis)

    def column(self, name: str) -> int:
        """Position of a column among the sums."""
        return self.names.index(name)

    @property
    def count(self) -> int:
        """Users in both arms."""
        return int(self.cells.count.sum())

    @cached_property
    def sha256(self) -> str:
        """Fingerprint of names and sums; the order of rows and columns, and who the users are, do not change it."""
        cells = self.cells
        labels = (self.names, sorted(self.kpis), sorted(self.binary), self.denominator)
        known = (self.has_exposure, self.control_exposure, self.has_prediction, self.has_days)
        digest = hashlib.sha256(repr((labels, known)).encode("utf-8", "surrogatepass"))
        days = cells.day.astype("datetime64[D]").astype(np.int64)
        flags = (cells.treatment, cells.exposed, cells.predicted)
        for array in (*flags, days, cells.count, cells.mean, cells.scatter, cells.nonzero):
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()
