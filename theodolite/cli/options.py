"""Options that many commands share, and the way they open the study."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from theodolite.study import Study

Workspace = Annotated[Path, typer.Option("--workspace", "-w", help="Folder of the study (it holds theodolite.toml).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Seed = Annotated[
    int, typer.Option("--seed", min=0, max=2**31 - 1, help="Seed of everything random: same seed, same answer.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]

By = Annotated[
    str,
    typer.Option("--by", metavar="WHO", envvar="THEODOLITE_BY", help="Who does it; THEODOLITE_BY, or 'local'."),
]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; it is kept for good.")]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; needed, and kept for good.")]

Mlflow = Annotated[
    str | None,
    typer.Option(
        "--mlflow", metavar="ADDRESS", help="Log the run to MLflow too: sqlite:///runs.db, http://localhost:5000."
    ),
]

HERE = Path()
LOCAL = "local"


def open_study(workspace: Path) -> "Study":
    """The study of a workspace; imported late, so that ``--help`` stays quick."""
    from theodolite.study import Study

    return Study.open(workspace)
