"""``python -m theodolite`` is the command line."""

from theodolite.cli import main

main()
