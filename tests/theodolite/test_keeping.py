"""Keeping a workspace safe: the store moved to PostgreSQL and back, the whole of it in an archive."""

import hashlib
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from measurement.errors import DataError, StoreError
from measurement.store import Server, Store, archive
from theodolite import Study, doctor, keeping

TOML = """# Our study.
[study]
name = "acme"   # as finance calls it

[data]
media = "data/media.csv"
outcome = "data/*.csv"

[channels.tv]
demand_driven = "no"
"""
STORED = '\n[store]\npostgres = "host=db"\nschema_name = "acme"\n'


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "acme"
    (folder / "data").mkdir(parents=True)
    (folder / "theodolite.toml").write_text(TOML, "utf-8")
    (folder / "data" / "media.csv").write_text("date,channel,spend\n2024-01-01,tv,1\n", "utf-8")
    (folder / "data" / "outcome.csv").write_text("date,outcome\n2024-01-01,5\n", "utf-8")
    store = Store.create(folder)
    store.append("a.b", "x", {"artifact": store.put(b"a model" * 1000), "n": 0.1}, "Ada")
    store.append("a.b", "y", {"text": "Zürich"}, "Grace")
    return folder


# -- moving -----------------------------------------------------------------------------------------------------------


def test_a_workspace_moves_to_postgresql_and_back_with_one_command(
    workspace: Path, postgres: str, run: Callable[..., Any], tmp_path: Path
) -> None:
    before = Store.open(workspace).rows()
    there = run("store", "move", "--postgres", postgres, "--schema", "acme", "--by", "Ada", "-w", workspace, "--json")
    assert there.code == 0, there.err
    told = json.loads(there.out)
    assert (told["events"], told["artifacts"]) == (3, 1)
    text = (workspace / "theodolite.toml").read_text("utf-8")
    assert text.startswith(TOML), "nothing else of the file was touched"
    study = Study.open(workspace)
    assert study.store.server == Server(postgres, "acme")
    assert study.store.rows()[:2] == before
    assert study.store.head().hash == told["head"] == study.head
    study.store.append("a.b", "z", {}, "Ada")
    with pytest.raises(StoreError, match="has moved"):
        Store.open(workspace).append("a.b", "late", {}, "a process that did not notice")
    findings = {finding.name: finding for finding in doctor.store(workspace)}
    assert findings["store events"].ok
    assert "PostgreSQL, database postgres, schema acme" in findings["store events"].detail

    again = run("store", "move", "--postgres", postgres, "--schema", "acme", "-w", workspace)
    assert again.code == 2
    assert "lies there already" in again.err

    # A colleague clones the folder (settings and data) and sees the same study.
    shutil.copytree(workspace, tmp_path / "grace", ignore=shutil.ignore_patterns(".theodolite"))
    assert Study.open(tmp_path / "grace").store.rows() == study.store.rows()

    back = run("store", "move", "--to-workspace", "-w", workspace)
    assert back.code == 0, back.err
    assert (workspace / "theodolite.toml").read_text("utf-8").rstrip() == TOML.rstrip()
    assert [event.kind for event in Study.open(workspace).store.events()] == [
        "a.b",
        "a.b",
        "store.moved",
        "a.b",
        "store.moved",
    ]


@pytest.mark.parametrize(
    "options",
    [[], ["--to-workspace", "--postgres", "host=x", "--schema", "y"], ["--postgres", "host=x"], ["--schema", "y"]],
)
def test_a_move_needs_one_place(workspace: Path, run: Callable[..., Any], options: list[str]) -> None:
    ended = run("store", "move", *options, "-w", workspace)
    assert ended.code == 2
    assert "give either --to-workspace" in ended.err


def test_a_move_that_fails_changes_nothing(workspace: Path, run: Callable[..., Any], tmp_path: Path) -> None:
    before = Store.open(workspace).rows()
    for conninfo, words in ((f"host={tmp_path}", "cannot be reached"), ("host=x password=y", "a password")):
        ended = run("store", "move", "--postgres", conninfo, "--schema", "acme", "-w", workspace)
        assert ended.code == 2
        assert words in ended.err
    assert (workspace / "theodolite.toml").read_text("utf-8") == TOML
    assert Store.open(workspace).rows() == before


def test_a_move_that_was_interrupted_is_named_by_doctor_and_finished_by_the_same_command(
    workspace: Path, postgres: str, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = Store.open(workspace).rows()
    with monkeypatch.context() as patch:
        patch.setattr(Store, "verify", interrupted)  # everything has arrived, and theodolite.toml names the old place
        with pytest.raises(KeyboardInterrupt):
            keeping.move(workspace, Server(postgres, "half"), "Ada")
    assert (workspace / "theodolite.toml").read_text("utf-8") == TOML
    events = {finding.name: finding for finding in doctor.store(workspace)}["store events"]
    assert not events.ok
    assert "has moved to PostgreSQL, database postgres, schema half: finish that move" in events.detail
    with pytest.raises(StoreError, match="finished by the same `theodolite store move`"):
        Study.open(workspace).store.append("a.b", "late", {}, "Grace")

    keeping.pack(workspace, tmp_path / "rescue.zip")  # where that server is lost for good
    keeping.unpack(tmp_path / "rescue.zip", tmp_path / "rescued", "Grace")
    assert Study.open(tmp_path / "rescued").store.rows()[:2] == before
    assert Study.open(tmp_path / "rescued").store.append("a.b", "z", {}, "Grace").sequence == 5

    ended = run("store", "move", "--postgres", postgres, "--schema", "half", "-w", workspace)
    assert ended.code == 0, ended.err
    assert [event.kind for event in Study.open(workspace).store.events()] == ["a.b", "a.b", "store.moved"]
    assert all(finding.ok for finding in doctor.store(workspace))


def test_a_move_whose_settings_cannot_be_written_does_not_begin(
    workspace: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "mkstemp", refused)
    with pytest.raises(DataError, match="Read-only file system"):
        keeping.move(workspace, Server(postgres, "never"), "Ada")
    assert Store.open(workspace).append("a.b", "z", {}, "Ada").sequence == 3


def test_only_the_section_of_the_store_is_rewritten() -> None:
    from theodolite import config

    for text in (TOML, TOML + STORED, STORED + TOML, TOML.replace("[channels", STORED.lstrip() + "\n[channels")):
        before = config.parse(text)
        server = Server('host=db dbname="odd \\ name"', "other")
        there = keeping._rewritten(text, server, before)
        assert config.parse(there).store.server == server
        back = keeping._rewritten(there, None, config.parse(there))
        assert config.parse(back) == config.parse(TOML)
        assert "# as finance calls it" in back
    inline = 'store = { postgres = "host=db", schema_name = "acme" }\n' + TOML
    with pytest.raises(DataError, match="cannot be changed safely"):
        keeping._rewritten(inline, None, config.parse(inline))


# -- archives ---------------------------------------------------------------------------------------------------------


def test_a_workspace_comes_back_from_its_archive(workspace: Path, run: Callable[..., Any], tmp_path: Path) -> None:
    file, copy = tmp_path / "acme.zip", tmp_path / "copy"
    packed = run("store", "export", file, "-w", workspace, "--json")
    assert packed.code == 0, packed.err
    told = json.loads(packed.out)
    assert told["files"] == ["data/media.csv", "data/outcome.csv", "theodolite.toml"]
    made = run("store", "import", file, copy, "--by", "Grace")
    assert made.code == 0, made.err
    for name in told["files"]:
        assert (copy / name).read_bytes() == (workspace / name).read_bytes()
    ours, theirs = Store.open(workspace), Store.open(copy)
    assert theirs.rows()[:-1] == ours.rows()
    last = theirs.events()[-1]
    assert (last.kind, last.actor, last.payload["archive"]) == ("store.restored", "Grace", told["sha256"])
    assert [theirs.get(name) for name in theirs.artifacts()] == [ours.get(name) for name in ours.artifacts()]
    assert theirs.verify() == []
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    second = run("store", "export", tmp_path / "again.zip", "-w", workspace, "--json")
    assert json.loads(second.out)["sha256"] == told["sha256"], "the same workspace packs the same"


def test_an_archive_of_a_team_s_store_comes_back_into_a_workspace(
    workspace: Path, postgres: str, tmp_path: Path
) -> None:
    keeping.move(workspace, Server(postgres, "packed"), "Ada")
    keeping.pack(workspace, tmp_path / "acme.zip")
    keeping.unpack(tmp_path / "acme.zip", tmp_path / "copy", "Ada")
    copy = Study.open(tmp_path / "copy")
    assert copy.config.store.server is None
    assert copy.store.append("a.b", "z", {}, "Ada").sequence == 5
    assert Study.open(workspace).store.head().sequence == 3, "the team's store did not notice"


def test_nothing_is_overwritten(workspace: Path, run: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "acme.zip"
    file.write_text("mine")
    ended = run("store", "export", file, "-w", workspace)
    assert (ended.code, file.read_text()) == (2, "mine")
    file.unlink()
    keeping.pack(workspace, file)
    ended = run("store", "import", file, workspace)
    assert ended.code == 2
    assert "is not an empty folder" in ended.err


def test_data_outside_the_workspace_are_said_to_stay_behind(workspace: Path, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere.csv"
    (workspace / "data" / "media.csv").rename(outside)
    text = TOML.replace('"data/media.csv"', '"../elsewhere.csv"')
    (workspace / "theodolite.toml").write_text(text, "utf-8")
    found = keeping.pack(workspace, tmp_path / "acme.zip")
    assert [Path(name).name for name in found.left_out] == ["elsewhere.csv"]
    outside.unlink()
    with pytest.raises(DataError, match=r"elsewhere\.csv"):
        keeping.pack(workspace, tmp_path / "again.zip")
    assert not (tmp_path / "again.zip").exists()


@pytest.fixture
def packed(workspace: Path, tmp_path: Path) -> Path:
    keeping.pack(workspace, tmp_path / "whole.zip")
    return tmp_path / "whole.zip"


def repacked(source: Path, target: Path, change: Callable[[dict[str, bytes], dict[str, Any]], None]) -> Path:
    """Write an archive anew after a change to its entries or its manifest."""
    with zipfile.ZipFile(source) as file:
        entries = {name: file.read(name) for name in file.namelist()}
    manifest = json.loads(entries.pop("manifest.json"))
    change(entries, manifest)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in {**entries, "manifest.json": json.dumps(manifest).encode()}.items():
            file.writestr(name, data)
    return target


def added(name: str, data: bytes = b"x") -> Callable[[dict[str, bytes], dict[str, Any]], None]:
    def change(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
        entries[name] = data
        manifest["entries"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}

    return change


@pytest.mark.parametrize(
    "name",
    ["workspace/../../escaped", "workspace//etc/escaped", "workspace/a\\..\\escaped", "workspace/C:escaped", "escaped",
     "workspace/.theodolite/head.json", "workspace/nul", "workspace/a/./b", "workspace/bell\x07", "artifacts/../x"],
)  # fmt: skip
def test_a_name_that_leaves_the_folder_is_refused(packed: Path, tmp_path: Path, name: str) -> None:
    crafted = repacked(packed, tmp_path / "crafted.zip", added(name))
    with pytest.raises(DataError):
        archive.unpack(crafted, tmp_path / "inner" / "copy", "me")
    assert not (tmp_path / "inner").exists()
    assert not list(tmp_path.rglob("*escaped*"))


def test_more_bytes_than_the_manifest_says_are_not_read(packed: Path, tmp_path: Path) -> None:
    def bomb(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
        added("workspace/bomb", b"\0" * 50_000_000)(entries, manifest)
        manifest["entries"]["workspace/bomb"]["bytes"] = 10

    crafted = repacked(packed, tmp_path / "crafted.zip", bomb)
    assert crafted.stat().st_size < 1_000_000
    with pytest.raises(DataError, match="is not what its manifest says"):
        archive.unpack(crafted, tmp_path / "copy", "me")


def test_a_link_is_refused(packed: Path, tmp_path: Path) -> None:
    crafted = tmp_path / "crafted.zip"
    entry = zipfile.ZipInfo("workspace/link")
    entry.external_attr = 0o120777 << 16
    repacked(packed, crafted, added("workspace/link", b"/etc/passwd"))
    with zipfile.ZipFile(crafted) as file:
        rest = {name: file.read(name) for name in file.namelist() if name != "workspace/link"}
    with zipfile.ZipFile(crafted, "w") as file:
        for name, data in rest.items():
            file.writestr(name, data)
        file.writestr(entry, b"/etc/passwd")
    with pytest.raises(DataError, match="a link"):
        archive.unpack(crafted, tmp_path / "copy", "me")


def test_events_that_were_changed_are_refused(packed: Path, tmp_path: Path) -> None:
    def forge(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
        lines = entries["events.jsonl"].replace(b"Ada", b"Eve")
        entries["events.jsonl"] = lines
        manifest["entries"]["events.jsonl"] = {"sha256": hashlib.sha256(lines).hexdigest(), "bytes": len(lines)}

    def cut(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
        added("events.jsonl", entries["events.jsonl"].splitlines(keepends=True)[0])(entries, manifest)

    for change in (forge, cut):
        with pytest.raises((DataError, StoreError), match="damaged"):
            archive.unpack(repacked(packed, tmp_path / "crafted.zip", change), tmp_path / "copy", "me")
        assert not (tmp_path / "copy").exists()


def test_any_flipped_byte_or_cut_is_found_or_harmless(packed: Path, tmp_path: Path) -> None:
    rng, whole, found = np.random.default_rng(8), packed.read_bytes(), 0
    for trial in range(120):
        data = bytearray(whole)
        if trial % 3:
            data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
        else:
            del data[int(rng.integers(len(data))) :]
        victim = tmp_path / "victim.zip"
        victim.write_bytes(data)
        try:
            seen = archive.inspect(victim)
        except DataError:
            found += 1
        else:  # a date or a flag that no reader looks at
            assert seen.head == archive.inspect(packed).head
    assert found > 90


@pytest.mark.parametrize("left", [False, True], ids=["empty", "with the rest of an import that was killed"])
def test_an_import_fills_the_folder_that_one_stands_in(
    packed: Path, tmp_path: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, left: bool
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    monkeypatch.chdir(copy)
    if left:
        with monkeypatch.context() as patch:
            patch.setattr(archive, "_settle", interrupted)
            patch.setattr(shutil, "rmtree", lambda *_, **__: None)
            with pytest.raises(KeyboardInterrupt):
                keeping.unpack(packed, Path(), "me")
        assert [path.name[:8] for path in copy.iterdir()] == [".import-"]
    ended = run("store", "import", packed, ".")
    assert ended.code == 0, ended.err
    assert sorted(path.name for path in copy.iterdir()) == [".theodolite", "data", "theodolite.toml"]
    assert Path.cwd() == copy
    assert Store.open(copy).verify() == []


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_an_import_into_a_folder_that_fails_half_way_leaves_it_empty(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, replace, done = tmp_path / "copy", Path.replace, list[Path]()
    copy.mkdir()

    def failing(self: Path, target: Path) -> Path:
        if Path(target).parent == copy and len(done) == 2:
            raise OSError(28, "No space left on device")
        if Path(target).parent == copy:
            done.append(self)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(StoreError, match="No space left"):
        keeping.unpack(packed, copy, "me")
    assert list(copy.iterdir()) == []


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        (None, "holds no theodolite.toml"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"[study", "theodolite.toml"),
        (b'[study]\nname = "x"\nnme = 1\n[data]\nmedia = "m.csv"\noutcome = "o.csv"\n', "nme"),
    ],
)
def test_an_archive_without_settings_that_can_be_read_makes_no_workspace(
    packed: Path, tmp_path: Path, run: Callable[..., Any], toml: bytes | None, words: str
) -> None:
    def change(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
        entries.pop("workspace/theodolite.toml")
        manifest["entries"].pop("workspace/theodolite.toml")
        if toml is not None:
            added("workspace/theodolite.toml", toml)(entries, manifest)

    ended = run("store", "import", repacked(packed, tmp_path / "crafted.zip", change), tmp_path / "copy")
    assert ended.code == 2
    assert words in ended.err
    assert not (tmp_path / "copy").exists()


def test_an_archive_larger_than_the_disk_or_than_what_is_held_in_memory_is_not_read(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def claiming(size: int) -> Callable[[dict[str, bytes], dict[str, Any]], None]:
        def change(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
            manifest["entries"]["events.jsonl"]["bytes"] = size

        return change

    def unread(*_: object) -> None:
        raise AssertionError("nothing may be unpacked")

    monkeypatch.setattr(archive, "_checked", unread)
    for size, words in ((5_000_000_000, "are allowed"), (3_999_999_999, "bytes left|are [0-9,]+ left")):
        crafted = repacked(packed, tmp_path / "crafted.zip", claiming(size))
        monkeypatch.setattr(archive, "_room", lambda _: 1_000_000)
        with pytest.raises(DataError, match=words):
            archive.unpack(crafted, tmp_path / "copy", "me")
    assert not (tmp_path / "copy").exists()


def test_an_import_names_the_data_that_the_archive_does_not_hold(
    workspace: Path, tmp_path: Path, run: Callable[..., Any]
) -> None:
    (workspace / "data" / "media.csv").rename(tmp_path / "elsewhere.csv")
    text = TOML.replace('"data/media.csv"', '"../elsewhere.csv"')
    (workspace / "theodolite.toml").write_text(text, "utf-8")
    keeping.pack(workspace, tmp_path / "acme.zip")
    ended = run("store", "import", tmp_path / "acme.zip", tmp_path / "far" / "copy")
    assert ended.code == 0, ended.err
    assert "outside the workspace: ../elsewhere.csv" in ended.out


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip", None])
def test_a_file_that_is_no_archive_is_said_so(content: bytes | None, tmp_path: Path, run: Callable[..., Any]) -> None:
    file = tmp_path / "some.zip"
    if content is not None:
        file.write_bytes(content)
    ended = run("store", "import", file, tmp_path / "copy")
    assert ended.code == 2
    assert ended.err.startswith("error: ")
    assert not (tmp_path / "copy").exists()


def test_a_zip_of_something_else_is_said_so(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("manifest.json", "[" * 100_000)
    (tmp_path / "some.zip").write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match="its manifest"):
        archive.inspect(tmp_path / "some.zip")
