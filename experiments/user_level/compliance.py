"""Effect on those whom the ads reached, where not everyone in the treatment arm was (Angrist, Imbens and Rubin 1996).

The difference between the arms as they were drawn, over the difference in the share reached (Wald 1940; two-stage
least squares with the arm as the instrument gives the same number). Its test is Fieller's: an effect ``h`` is tested
by ``difference - h × difference in reach``, which holds however few were reached, and whose p-value of no effect is
that of the arms as they were drawn. Level without the ads of those reached: their mean in treatment less the effect
(Abadie 2002 where some of the control arm were reached too).
"""

from math import sqrt

import numpy as np

from experiments.user_level.comparison import Arms, Comparison, fieller, spread
from experiments.user_level.difference import adjustment


def treatment_on_treated(arms: Arms) -> Comparison:
    """Effect per user reached; the arms' difference is adjusted for the covariates where there are any."""
    picked, exposure, reached = adjustment(arms), arms.column(-2), arms.column(-1)
    apart = arms.treatment.mean - arms.control.mean
    whole, reach = float(picked @ apart), float(exposure @ apart)
    slopes = np.stack([picked, exposure, reached - picked])
    covariance, df = spread(arms, slopes, -slopes, len(arms.covariates))
    effect = fieller((whole, reach), covariance[:2, :2], df)
    pair = np.ix_([0, 2], [0, 2])
    lift = fieller((whole, float((reached - picked) @ apart)), covariance[pair], df)
    units = arms.treatment.count * float(arms.treatment.mean[-2])
    ratio = whole / reach if reach > 0 else float("nan")
    linear = np.array([1.0, -ratio])
    error = sqrt(max(float(linear @ covariance[:2, :2] @ linear), 0.0)) / reach if reach > 0 else float("inf")
    how = "difference between the arms as they were drawn over the difference in the share reached, Fieller's test"
    details = {
        "reached": {"treatment": float(arms.treatment.mean[-2]), "control": float(arms.control.mean[-2])},
        "difference": reach,
        "difference_z": reach / sqrt(float(covariance[1, 1])) if covariance[1, 1] > 0 else None,
        "delta_method_std_error": error,
    }
    return Comparison(effect, lift, units, "exposed user", error, how, details)
