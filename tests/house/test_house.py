"""The rules of the house, as tests: floors, names, sizes, the public surface, what a wheel holds."""

import ast
import importlib
import inspect
import json
import pkgutil
import statistics
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("measurement", "experiments", "attribution", "calibration", "theodolite")
MODULES = sorted(path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
HEAVY = {"jax", "numpyro", "altair", "pandas", "duckdb", "scipy", "arviz_stats", "pyarrow", "pydantic", "xarray"}

MACHINE_PATHS = (*(f"/{folder}/" for folder in ("work", "root", "home")), "C:\\\\Users")
# Who alone may import what; patterns are paths in the repository.
OWNERS = {
    "altair": ("*/charts.py", "*_charts.py", "*/charts/*.py"),
    "vl_convert": ("*/charts.py", "theodolite/report/*"),
    "jax": ("measurement/mmm/*", "experiments/geo/estimators/bayesian.py", "calibration/nuts.py"),
    "jaxlib": ("measurement/mmm/*",),
    "numpyro": ("measurement/mmm/*", "experiments/geo/estimators/bayesian.py", "calibration/nuts.py"),
    "pymc": ("measurement/mmm/*",),
    "ibis": ("attribution/warehouse*.py",),
    "duckdb": (
        "measurement/reading/*.py",
        "measurement/tables.py",
        "measurement/store/*.py",
        "attribution/paths*.py",
        "attribution/path_store.py",
    ),
    "mcp": ("theodolite/mcp.py",),
    "mlflow": ("theodolite/mlflow_log.py",),
    "psycopg": ("measurement/store/postgres.py",),
    "typer": ("theodolite/cli/*",),
    "rich": ("theodolite/cli/*",),
    "jinja2": ("theodolite/report/*", "theodolite/app/shell.py"),
    "fastapi": ("theodolite/app/*",),
    "starlette": ("theodolite/app/*",),
    "uvicorn": ("theodolite/app/serving.py",),
    "pickle": (),
    "cloudpickle": (),
    "dill": (),
    "marshal": (),
    "shelve": (),
    "yaml": (),
}
LONGEST_MODULE = 450
MEDIAN_MODULE = 120
LONGEST_FUNCTION = 80


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text("utf-8"), str(path))


# -- floors and names -------------------------------------------------------------------------------------------------


def test_the_floors_hold_and_there_is_no_cycle() -> None:
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", code, "--no-cache", "--config", str(ROOT / "pyproject.toml")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def imported(tree: ast.Module) -> Iterator[str]:
    """Top-level names of all that a module imports while it runs, in functions and by text too."""
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for part in node.body
        for inner in ast.walk(part)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {"import_module", "load"}:
            texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            yield from (text.split(".")[0] for text in texts)


def test_the_reader_of_imports_sees_them_all() -> None:
    source = """
import a.b
from c.d import e
from . import own
if TYPE_CHECKING:
    import not_at_run_time
def f():
    import g
    importlib.import_module("h.i")
    lazy_loader.load("j")
"""
    assert list(imported(ast.parse(source))) != []
    assert set(imported(ast.parse(source))) == {"a", "c", "g", "h", "j"}


def test_each_library_has_its_place() -> None:
    astray = [
        f"{path.as_posix()} imports {library}, which only {OWNERS[library]} may"
        for path in MODULES
        for library in set(imported(parsed(path))) & set(OWNERS)
        if not any(fnmatch(path.as_posix(), place) for place in OWNERS[library])
    ]
    assert astray == []


def dangerous(tree: ast.Module) -> Iterator[str]:
    """Calls that run text or read objects from files."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called in {"eval", "exec", "compile", "__import__", "joblib.load", "joblib.dump"} or called.endswith(
            ("yaml.load", "read_pickle", "to_pickle", "os.system", "os.popen")
        ):
            yield called
        for keyword in node.keywords:
            if keyword.arg in {"allow_pickle", "shell"} and ast.unparse(keyword.value) != "False":
                yield f"{called}({keyword.arg}=...)"


def test_nothing_runs_text_or_unpickles() -> None:
    assert list(dangerous(ast.parse("eval('1'); np.load(f, allow_pickle=True); re.compile('x')"))) == [
        "eval",
        "np.load(allow_pickle=...)",
    ]
    assert {path.as_posix(): found for path in MODULES if (found := [*dangerous(parsed(path))])} == {}


def test_nothing_is_named_after_a_machine() -> None:
    shipped = [ROOT / path for path in MODULES] + [
        path for package in PACKAGES for path in (ROOT / package).rglob("*.sql")
    ]
    for path in shipped:
        text = path.read_text("utf-8")
        assert not any(place in text for place in MACHINE_PATHS), path


# -- sizes ------------------------------------------------------------------------------------------------------------

type Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def code_lines(path: Path) -> int:
    """Lines that are neither blank, nor comment, nor docstring."""
    prose: set[int] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, Documented.__value__) and ast.get_docstring(node) is not None:
            first = node.body[0]
            prose.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    lines = (ROOT / path).read_text("utf-8").splitlines()
    return sum(
        bool(line.strip()) and not line.strip().startswith("#") and number not in prose
        for number, line in enumerate(lines, start=1)
    )


def test_modules_are_small_and_functions_fit_a_screen() -> None:
    sizes = {path.as_posix(): code_lines(path) for path in MODULES}
    assert {path: size for path, size in sizes.items() if size > LONGEST_MODULE} == {}
    assert statistics.median(sizes.values()) <= MEDIAN_MODULE
    long = {
        f"{path.as_posix()}: {node.name}": length
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > LONGEST_FUNCTION
    }
    assert long == {}


# -- the public surface -----------------------------------------------------------------------------------------------


def test_every_module_says_what_it_is() -> None:
    assert [path.as_posix() for path in MODULES if not ast.get_docstring(parsed(path))] == []


def packages() -> list[str]:
    """The five, and every package inside them."""
    return sorted(".".join(path.parent.parts) for path in MODULES if path.name == "__init__.py")


@pytest.mark.parametrize("name", packages())
def test_the_public_surface_is_all_of_it_and_documented(name: str) -> None:
    package = importlib.import_module(name)
    public = getattr(package, "__all__", None)
    if public is None:
        assert name not in PACKAGES, f"{name} has no __all__"
        return
    assert len(public) == len(set(public))
    code = f"before = set(dir()); from {name} import *; print(*sorted(set(dir()) - before - {{'before'}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.split() == sorted(public)
    for item in public:
        thing = getattr(package, item)
        if inspect.isclass(thing) or inspect.isroutine(thing):
            assert (thing.__doc__ or "").strip(), f"{name}.{item} has no docstring"
            assert not (thing.__doc__ or "").startswith(f"{item}("), f"{name}.{item} has a generated docstring only"


# -- imports ----------------------------------------------------------------------------------------------------------


def loaded_by(statement: str) -> set[str]:
    code = f"import sys, json; {statement}; print(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("name", PACKAGES)
def test_importing_a_package_loads_nothing_heavy(name: str) -> None:
    loaded = loaded_by(f"import {name}")
    assert name in loaded
    assert loaded & HEAVY == set()


def test_the_command_line_starts_without_the_engine() -> None:
    assert loaded_by("import theodolite.cli") & HEAVY == set()
    assert loaded_by("import theodolite.doctor") & HEAVY == set()


def test_help_comes_at_once() -> None:
    took = []
    for _ in range(3):
        started = time.perf_counter()
        command = [sys.executable, "-m", "theodolite", "--help"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
        took.append(time.perf_counter() - started)
    assert "doctor" in done.stdout
    assert min(took) < 3.0, "half a second on a machine of its own"


PYPI_LIKE = '"""Easily use and manipulate unit-aware measurements in Python."""\n__version__ = "3.2.2"\n'


@pytest.mark.parametrize("name", [name for name in PACKAGES if name != "measurement"])
def test_a_foreign_measurement_package_is_refused_with_advice(name: str, tmp_path: Path) -> None:
    (tmp_path / "measurement").mkdir()
    (tmp_path / "measurement" / "__init__.py").write_text(PYPI_LIKE)
    code = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]; import {name}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError")
    assert "measurement" in last
    assert "another" in last, "it says what is in the way"


# -- the wheel --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    out = tmp_path_factory.mktemp("wheel")
    code = (
        "import sys; from hatchling.builders.wheel import WheelBuilder; "
        "print(*WheelBuilder(sys.argv[1]).build(directory=sys.argv[2], versions=['standard']))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(ROOT), str(out)], capture_output=True, text=True, cwd=out)
    assert done.returncode == 0, done.stderr
    (path,) = out.glob("*.whl")
    assert path.name.startswith("theodolite-")
    assert path.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def test_the_wheel_holds_the_five_packages_and_nothing_else(wheel: list[str]) -> None:
    tops = {name.split("/")[0] for name in wheel}
    (info,) = tops - set(PACKAGES)
    assert info.endswith(".dist-info")
    assert tops - {info} == set(PACKAGES)


def test_the_wheel_holds_every_file_of_them(wheel: list[str]) -> None:
    left_out = {"__pycache__"}
    on_disk = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and not left_out & set(path.parts)
    }
    in_wheel = {name for name in wheel if name.split("/")[0] in PACKAGES}
    assert in_wheel == on_disk
    assert {f"{package}/py.typed" for package in PACKAGES} <= in_wheel
    assert "measurement/store/migrations/0001_events.sql" in in_wheel
    for name in pkgutil.iter_modules([str(ROOT / package) for package in PACKAGES]):
        assert not name.name.startswith("test"), "tests stay out of the packages"
