"""The linear design in its three blocks, as both forms of the density use it: no dense (cells × columns) matrix."""

from typing import Any, NamedTuple


class Blocks(NamedTuple):
    """The blocks of `design_matrix.Design`; the columns' order is that of ``Design.matrix``, padding included.

    Attributes:
        national: Columns shared by all geos, shape (periods, columns).
        local: Columns with a coefficient per geo, shape (periods, columns).
        each: Columns of their own in every cell, shape (columns, geos, periods).
    """

    national: Any
    local: Any
    each: Any

    def project(self, x: Any) -> Any:
        """Every column's inner product with ``x`` of shape (geos, periods), shape (columns,)."""
        xp = x.__array_namespace__()
        own = self.each.reshape(len(self.each), x.size) @ x.ravel()
        return xp.concat([x.sum(0) @ self.national, (x @ self.local).ravel(), own])

    def total(self, coefficients: Any) -> Any:
        """Sum of the columns times their coefficients, shape (geos, periods)."""
        xp = coefficients.__array_namespace__()
        _, geos, periods = self.each.shape
        first = self.national.shape[1]
        last = first + geos * self.local.shape[1]
        own = coefficients[first:last].reshape(geos, self.local.shape[1]) @ self.local.T
        cells = (coefficients[last:] @ self.each.reshape(len(self.each), geos * periods)).reshape(geos, periods)
        return xp.broadcast_to(self.national @ coefficients[:first], (geos, periods)) + own + cells
