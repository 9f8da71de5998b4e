"""Moments: number of users, means and co-variation of some columns, which is all that the estimators need of a group.

Groups are joined by the pairwise formulas of Chan, Golub and LeVeque (1983), so no sum of squares loses its digits.
"""

from dataclasses import dataclass

import numpy as np

from measurement.typing import Bools, Dates, Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """A group of users.

    Attributes:
        count: Users, at least 2.
        mean: Mean of each column, shape (columns,).
        scatter: Sums of products of deviations from the means, shape (columns, columns).
        nonzero: Users whose value is not 0, per column, shape (columns,).
    """

    count: int
    mean: Floats
    scatter: Floats
    nonzero: Ints

    @property
    def covariance(self) -> Floats:
        """Covariance of the columns between users (denominator: users less one), shape (columns, columns)."""
        return np.asarray(self.scatter / (self.count - 1))


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Users in cells: one per arm, exposure and day, each with its moments.

    Attributes:
        treatment: Whether the cell is of the treatment arm, shape (cells,).
        exposed: Whether its users were exposed (or would have been), shape (cells,).
        predicted: Whether their exposure was predicted, shape (cells,).
        day: Day of enrolment, ``datetime64[D]``; not-a-time where the table has none, shape (cells,).
        count: Users, shape (cells,).
        mean: Shape (cells, columns).
        scatter: Shape (cells, columns, columns).
        nonzero: Shape (cells, columns).
    """

    treatment: Bools
    exposed: Bools
    predicted: Bools
    day: Dates
    count: Ints
    mean: Floats
    scatter: Floats
    nonzero: Ints

    def where(self, keep: Bools) -> "Cells":
        """The cells for which ``keep`` holds, shape (cells,)."""
        return Cells(*(getattr(self, name)[keep] for name in self.__slots__))

    def columns(self, chosen: Ints) -> "Cells":
        """The same cells with these columns, in this order, shape (columns,)."""
        picked = (self.mean[:, chosen], self.scatter[:, chosen][:, :, chosen], self.nonzero[:, chosen])
        return Cells(self.treatment, self.exposed, self.predicted, self.day, self.count, *picked)

    def joined(self) -> Moments:
        """All cells as one group; at least 1."""
        count = int(self.count.sum())
        mean = self.count @ self.mean / count
        apart = self.mean - mean
        between = np.einsum("c,ci,cj->ij", self.count.astype(np.float64), apart, apart)
        return Moments(count, mean, self.scatter.sum(axis=0) + between, self.nonzero.sum(axis=0))

    def with_exposure(self) -> "Cells":
        """The same cells with two more columns, the exposure (0 or 1) and the first column times it."""
        cells, width = self.mean.shape
        reach = self.exposed.astype(np.float64)
        mean = np.column_stack([self.mean, reach, reach * self.mean[:, 0]])
        scatter = np.zeros((cells, width + 2, width + 2))
        scatter[:, :width, :width] = self.scatter
        scatter[:, width + 1, :width] = scatter[:, :width, width + 1] = reach[:, None] * self.scatter[:, 0]
        scatter[:, width + 1, width + 1] = reach * self.scatter[:, 0, 0]
        reached = self.exposed[:, None] * np.column_stack([self.count, self.nonzero[:, 0]])
        nonzero = np.concatenate([self.nonzero, reached], axis=1)
        return Cells(self.treatment, self.exposed, self.predicted, self.day, self.count, mean, scatter, nonzero)
