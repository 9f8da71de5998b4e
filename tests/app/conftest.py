"""A fitted workspace, served: by the test client, and by a real server for a real browser."""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from starlette.testclient import TestClient

from measurement.simulate import national, simulate
from theodolite import background
from theodolite.app.application import create
from theodolite.app.serving import bound
from theodolite.app.settings import Settings
from theodolite.study import Study
from theodolite.workspace import Settings as Named
from theodolite.workspace import initialise

TOKEN = "a-token-that-only-this-test-knows"  # noqa: S105
BASE = "http://127.0.0.1:8765"
HOSTILE = "=1+<img src=x onerror=document.title='gone'>"
"""A channel of the served study: markup to a page, a formula to a spreadsheet."""


@pytest.fixture(scope="session", autouse=True)
def put_away() -> Iterator[None]:
    """Wait for threads that are at work still: a process that ends meanwhile ends badly."""
    yield
    for thread in background.alive():
        thread.join()


def worked_out(client: TestClient, path: str, seconds: float = 120.0) -> str:
    """A page once all that it works out meanwhile is there."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.text)
        if 'data-poll="/plan/now' not in answer.text:
            return answer.text
        time.sleep(0.05)
    raise AssertionError(f"{path} is still being worked out after {seconds:.0f} s")


@dataclass(frozen=True)
class Served:
    """A running server."""

    settings: Settings

    @property
    def url(self) -> str:
        """Its address."""
        return self.settings.url

    @property
    def folder(self) -> Path:
        """Its workspace."""
        return self.settings.folder


def serving(folder: Path) -> Iterator[Served]:
    """Serve a workspace on a free port of this machine."""
    listening = bound("127.0.0.1", 0)
    settings = Settings(folder, port=listening.getsockname()[1], token=TOKEN)
    server = uvicorn.Server(uvicorn.Config(create(settings), log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server ended before it began"
        time.sleep(0.02)
    yield Served(settings)
    server.should_exit = True
    thread.join()
    listening.close()


def fitted_company(folder: Path) -> None:
    """A national company with three channels, one test, journeys; fitted, attributed, reconciled."""
    world = simulate(national(weeks=80, channels=("tv", HOSTILE, "brand_search"), seed=5, n_tests=1, journey_weeks=6))
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


def made_once(base: Path, make: Callable[[Path], None]) -> Path:
    """A folder that one of several processes of a test run makes; the others wait for it as long as that one lives."""
    made = base / "made"
    claimed, folder, ready = base / "made.by", made / "acme", base / "made.ready"
    try:
        claimed.symlink_to(str(os.getpid()))
    except FileExistsError:
        while not ready.exists():
            assert alive(int(str(claimed.readlink()))), "the other process of this test run did not make the study"
            time.sleep(0.1)
        return folder
    made.mkdir()
    make(folder)
    ready.touch()
    return folder


def alive(process: int) -> bool:
    """Whether a process of ours runs."""
    try:
        os.kill(process, 0)
    except OSError:
        return False
    return True


@pytest.fixture(scope="session")
def served_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`fitted_company`, made once for all processes of a test run. Not to be written."""
    base = tmp_path_factory.getbasetemp()
    return made_once(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base, fitted_company)


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
