"""Names of estimators for readers; without Altair, so that text can use them too."""

ESTIMATORS = {
    "synthetic_control": "Synthetic control",
    "synthetic_control_unscaled": "Synthetic control, unscaled",
    "synthetic_control_classic": "Synthetic control, classic",
    "augmented_synthetic_control": "Augmented synthetic control",
    "sdid": "Synthetic diff-in-diff",
    "difference_in_differences": "Difference in differences",
    "time_based_regression": "Time-based regression",
    "geo_based_regression": "Geo-based regression",
    "bayesian_synthetic_control": "Bayesian synthetic control",
    "trimmed_match": "Trimmed match",
}


def readable(name: str) -> str:
    """The name of an estimator for readers."""
    return ESTIMATORS.get(name, name.replace("_", " ").capitalize())
