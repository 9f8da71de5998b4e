"""A fitted workspace, served: by the test client, and by a real server for a real browser."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from measurement.simulate import national, simulate
from theodolite.app.application import create
from theodolite.app.settings import Settings
from theodolite.study import Study
from theodolite.workspace import Settings as Named
from theodolite.workspace import initialise

TOKEN = "a-token-that-only-this-test-knows"  # noqa: S105
BASE = "http://127.0.0.1:8765"


@pytest.fixture(scope="session")
def served_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A national company with three channels, one test, journeys; fitted, attributed, reconciled. Not to be written."""
    folder = tmp_path_factory.mktemp("served") / "acme"
    world = simulate(national(weeks=80, channels=("tv", "social", "brand_search"), seed=5, n_tests=1, journey_weeks=6))
    world.write(folder / "tables")
    names = {name: str(folder / "tables" / name) for name in ("media.csv", "outcome.csv")}
    others = {
        "touchpoints": str(folder / "tables" / "touchpoints.parquet"),
        "platform": str(folder / "tables" / "platform.csv"),
    }
    named = Named(name="acme", kpi="revenue", margin=0.5)
    initialise(folder, names["media.csv"], names["outcome.csv"], None, others, named)
    study = Study.open(folder)
    study.import_experiments(folder / "tables" / "experiments.json")
    study.fit(seed=1, chains=2, warmup=100, draws=150)
    study.reconcile()
    return folder


@pytest.fixture
def folder(served_folder: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return Path(shutil.copytree(served_folder, tmp_path / "acme"))


@pytest.fixture
def client_of() -> Iterator[Callable[..., TestClient]]:
    """Serve a workspace to a client; without a key it is nobody."""
    opened: list[TestClient] = []

    def made(folder: Path, key: str | None = TOKEN, **settings: object) -> TestClient:
        app = create(Settings(folder, token=TOKEN, **settings), warm=False)  # type: ignore[arg-type]
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        client = TestClient(app, base_url=BASE, headers=headers, follow_redirects=False, client=("127.0.0.1", 50_000))
        opened.append(client.__enter__())
        return client

    yield made
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def client(folder: Path, client_of: Callable[..., TestClient]) -> TestClient:
    """The owner of a workspace that may be changed."""
    return client_of(folder)


@pytest.fixture(scope="session")
def bare_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with tables and nothing else. Not to be written."""
    folder = tmp_path_factory.mktemp("bare") / "bare"
    world = simulate(national(weeks=60, channels=("tv", "social"), seed=3))
    world.write(folder / "tables")
    media, outcome = str(folder / "tables" / "media.csv"), str(folder / "tables" / "outcome.csv")
    initialise(folder, media, outcome, None, {}, Named(name="bare", kpi="revenue"))
    return folder


@pytest.fixture
def empty(bare_folder: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return Path(shutil.copytree(bare_folder, tmp_path / "bare"))
