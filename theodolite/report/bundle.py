"""The Vega libraries as one script, made from an installed package once and kept in the user's cache folder.

`vl_convert` carries Vega, Vega-Lite and Vega-Embed and needs no network to bundle them; that takes a second or so.
"""

import hashlib
import tempfile
from functools import cache
from importlib import metadata
from pathlib import Path

from measurement.cache import cache_folder

_SNIPPET = "window.theodoliteEmbed=vegaEmbed"


@cache
def vega_bundle() -> str:
    """The script that defines ``theodoliteEmbed`` (Vega-Embed with its dependencies), about 0.9 MB.

    The cached file carries its own SHA-256 in its name and is made again where its content does not match. Where the
    cache folder cannot be written, the script is simply made each time.
    """
    version = metadata.version("vl-convert-python")
    key = hashlib.sha256(f"{version} {_SNIPPET}".encode()).hexdigest()[:12]
    folder = cache_folder() / "vega"
    for file in sorted(folder.glob(f"{key}-*.js")):
        if (script := _verified(file)) is not None:
            return script
    import vl_convert

    script = str(vl_convert.javascript_bundle(_SNIPPET))
    if "</script" in script.lower() or "<!--" in script:
        raise RuntimeError("the Vega bundle cannot stand inside a script element")
    _keep(folder / f"{key}-{_digest(script)}.js", script)
    return script


def _digest(script: str) -> str:
    return hashlib.sha256(script.encode()).hexdigest()


def _verified(file: Path) -> str | None:
    try:
        script = file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return script if file.stem.endswith(_digest(script)) else None


def _keep(target: Path, script: str) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="", dir=target.parent, delete=False) as file:
            file.write(script)
        Path(file.name).replace(target)
    except OSError:
        return
