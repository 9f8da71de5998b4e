"""The pages, one module each: from a reading of the study to a `View`."""
