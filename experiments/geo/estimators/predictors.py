"""Matching on predictors: weights of donors under weights of predictors, the latter found by nested optimisation.

Abadie and Gardeazabal (2003); Abadie, Diamond and Hainmueller (2010), section 2.3. For given predictor weights ``v``
the donors' weights solve ``min sum_k v_k (x_1k - sum_j w_j x_jk)^2`` over the simplex; ``v`` minimises the outcome's
squared error in the loss window. The published figures start the simplex search from equal ``v``, and so does this.
"""

from dataclasses import dataclass

import numpy as np

from experiments.geo.estimators.block import Block
from experiments.geo.estimators.simplex import simplex_weights
from measurement.typing import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Predictors:
    """What to match on.

    Attributes:
        values: Shape (geos, predictors); rows as the block's outcome.
        loss: Periods (of the block's outcome) whose squared error chooses the importance.
        importance: Weight of each predictor, shape (predictors,); searched for where ``None``.
    """

    values: Floats
    loss: slice
    importance: Floats | None = None


def matched_weights(block: Block, predictors: Predictors) -> tuple[Floats, Floats]:
    """Weights of the donors, shape (donors,), and of the predictors, shape (predictors,)."""
    treated = predictors.values[block.treated].mean(axis=0)
    donors = predictors.values[block.donors]
    spread = np.vstack([donors, treated]).std(axis=0, ddof=1)
    treated, donors = treated / spread, donors / spread
    target = block.outcome[block.treated, predictors.loss].mean(axis=0)
    pool = block.outcome[block.donors, predictors.loss]

    def weights(importance: Floats) -> Floats:
        root = np.sqrt(np.abs(importance) / np.abs(importance).sum())
        return simplex_weights((donors * root).T, treated * root)

    def loss(importance: Floats) -> float:
        return float(np.square(target - weights(importance) @ pool).mean())

    importance = predictors.importance
    if importance is None:
        from scipy.optimize import minimize

        equal = np.full(donors.shape[1], 1.0 / donors.shape[1])
        found = minimize(loss, equal, method="Nelder-Mead", options={"maxiter": 1000})
        importance = np.abs(found.x) / np.abs(found.x).sum()
    return weights(importance), importance
