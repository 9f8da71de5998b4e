"""Switchback and on-off tests: a market that switches the treatment on and off, block by block."""
