"""Geo tests: markets that were treated against markets that were not."""
