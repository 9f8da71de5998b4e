"""The Vega bundle: made once, kept, and never served when it was changed."""

from pathlib import Path

import pytest

from theodolite.report import bundle


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("THEODOLITE_CACHE", str(tmp_path))
    bundle.vega_bundle.cache_clear()
    return tmp_path


def test_it_is_kept_and_a_changed_copy_is_made_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = bundle.vega_bundle()
    (kept,) = (cache / "vega").glob("*.js")
    assert kept.read_text(encoding="utf-8") == script
    assert 500_000 < len(script.encode()) < 1_000_000
    with monkeypatch.context() as patch:
        patch.setattr("vl_convert.javascript_bundle", lambda _: pytest.fail("made twice"))
        bundle.vega_bundle.cache_clear()
        assert bundle.vega_bundle() == script
    kept.write_text("alert(1)", encoding="utf-8")
    bundle.vega_bundle.cache_clear()
    assert bundle.vega_bundle() == script
    assert kept.read_text(encoding="utf-8") == script


def test_a_cache_that_cannot_be_written_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setenv("THEODOLITE_CACHE", str(blocked))
    bundle.vega_bundle.cache_clear()
    script = bundle.vega_bundle()
    assert "theodoliteEmbed" in script
    assert "</script" not in script.lower()
    assert "<!--" not in script
    assert "\r" not in script, "a browser would read another line end than the one that was hashed"
    assert blocked.read_text() == "in the way"
