"""Names of estimators for readers; without Altair, so that text can use them too."""

ESTIMATORS = {
    "synthetic_control": "Synthetic control",
    "synthetic_control_unscaled": "Synthetic control, unscaled",
    "synthetic_control_classic": "Synthetic control, classic",
    "ridge_augmented": "Augmented synthetic control",
    "sdid": "Synthetic diff-in-diff",
    "difference_in_differences": "Difference in differences",
    "time_based_regression": "Time-based regression",
    "geo_based_regression": "Geo-based regression",
    "bayesian_structural": "Bayesian structural series",
    "trimmed_match": "Trimmed match",
    "welch": "Welch's t-test",
    "cuped": "CUPED",
    "score": "Score interval",
    "ratio": "Ratio (delta method)",
    "treatment_on_treated": "Treatment on the treated",
    "randomisation": "Schedule randomisation",
    "autoregressive": "Autoregressive regression",
    "newey_west": "Newey-West regression",
    "difference_in_means": "Difference in means",
}


def readable(name: str) -> str:
    """The name of an estimator for readers."""
    return ESTIMATORS.get(name, name.replace("_", " ").capitalize())
