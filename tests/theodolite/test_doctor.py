"""The doctor: sound where all is well, and plain about what is not."""

import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from measurement.store import Store
from theodolite import doctor

ROOT = Path(__file__).parents[2]


def told(findings: list[doctor.Finding]) -> dict[str, doctor.Finding]:
    return {finding.name: finding for finding in findings}


def test_this_installation_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "devices", lambda: doctor.Finding("jax devices", True, "left out"))
    findings = told(doctor.examine())
    assert [name for name, finding in findings.items() if not finding.ok] == []
    assert {"python", "measurement", "duckdb", "jax", "cache"} <= set(findings)
    assert "store events" not in findings


def test_a_package_that_is_missing_is_named() -> None:
    finding = doctor.package("no-such-distribution")
    assert not finding.ok
    assert "not installed" in finding.detail


def test_an_old_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PYTHON", (9, 1))
    assert not doctor.python().ok
    assert "9.1" in doctor.python().detail


def test_a_cache_folder_that_cannot_be_written_is_found(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert not doctor.cache(tmp_path / "file" / "cache").ok
    assert doctor.cache(tmp_path / "cache").ok
    assert list((tmp_path / "cache").iterdir()) == []


def test_jax_is_asked_in_a_process_of_its_own() -> None:
    def ask(code: str, timeout: float = 30.0) -> doctor.Finding:
        return doctor.devices([sys.executable, "-c", code], timeout)

    assert ask("print('cpu 1')") == doctor.Finding("jax devices", True, "cpu 1")
    assert "boom" in ask("raise RuntimeError('boom')").detail
    assert "exit -" in ask("import os; os.abort()").detail
    assert "did not start within" in ask("import time; time.sleep(60)", 0.2).detail
    assert not doctor.devices(["/no/such/program"]).ok


def test_a_foreign_measurement_package_is_found(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "measurement", tmp_path / "measurement", ignore=shutil.ignore_patterns("__pycache__"))
    code = "from theodolite import doctor; print(doctor.ours().ok, doctor.ours().detail)"
    shadowed = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]; {code}"
    done = subprocess.run([sys.executable, "-c", shadowed], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.startswith("False")
    assert "pip uninstall measurement" in done.stdout


def test_a_whole_store_shows_its_head(tmp_path: Path) -> None:
    assert told(doctor.store(tmp_path))["store"].ok
    store = Store.create(tmp_path)
    name = store.put(b"model")
    event = store.append("mmm.fitted", "fit", {"artifact": name}, "Ada")
    findings = told(doctor.store(tmp_path))
    assert all(finding.ok for finding in findings.values())
    assert event.hash in findings["store events"].detail
    assert "1 whole" in findings["store artifacts"].detail


def test_damage_is_found_and_nothing_is_changed(tmp_path: Path) -> None:
    store = Store.create(tmp_path)
    name = store.put(b"model")
    store.append("mmm.fitted", "fit", {"artifact": name}, "Ada")
    (store.home / "artifacts" / name[:2] / name).write_bytes(b"m0del")
    database = (store.home / "store.duckdb").read_bytes()
    findings = told(doctor.store(tmp_path))
    assert findings["store events"].ok
    assert not findings["store artifacts"].ok
    (store.home / "store.duckdb").write_bytes(database[: len(database) // 2])
    findings = told(doctor.store(tmp_path))
    assert not findings["store events"].ok
    assert (store.home / "store.duckdb").read_bytes() == database[: len(database) // 2]


def test_the_first_broken_link_is_named(tmp_path: Path) -> None:
    store = Store.create(tmp_path)
    for number in range(1, 5):
        store.append("study.noted", f"note {number}", {"n": number}, "Ada")
    with duckdb.connect(str(store.home / "store.duckdb")) as connection:
        connection.execute("update events set actor = 'Mallory' where sequence = 2")
    findings = told(doctor.store(tmp_path))
    assert "event 2 is not what was recorded" in findings["store events"].detail
    assert "registry" not in findings, "nothing is read out of a broken chain"


def test_an_event_that_cannot_have_happened_is_found_though_the_chain_holds(tmp_path: Path) -> None:
    store = Store.create(tmp_path)
    store.append("experiment.accepted", "tv", {"version": 1}, "Mallory")
    findings = told(doctor.store(tmp_path))
    assert findings["store events"].ok
    assert not findings["registry"].ok
    assert "event 1 cannot have happened" in findings["registry"].detail


def test_a_head_that_was_printed_is_found_again_or_missed(tmp_path: Path) -> None:
    store = Store.create(tmp_path)
    first = store.append("study.noted", "note", {}, "Ada").hash
    store.append("study.noted", "note", {}, "Ada")
    assert told(doctor.store(tmp_path, first))["head"].detail.startswith("event 1 of 2")
    assert told(doctor.store(tmp_path, first[:12]))["head"].ok
    for other in ("f" * 64, first[:5], "x"):
        assert not told(doctor.store(tmp_path, other))["head"].ok
