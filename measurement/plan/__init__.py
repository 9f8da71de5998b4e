"""Decisions from response curves: how to spend a budget, what a plan should bring, how sure that is."""
