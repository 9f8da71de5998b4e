"""Whether a fitted model may be believed: what it predicts, what it misses, what the data taught it, and a verdict."""
