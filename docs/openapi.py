"""Write ``docs/reference/openapi.json``, the description of the REST API: ``python -m docs.openapi``."""

import json
from pathlib import Path

from theodolite.app.application import create
from theodolite.app.settings import Settings

FILE = Path(__file__).parent / "reference" / "openapi.json"


def text() -> str:
    """The OpenAPI document of this version, in a stable form."""
    described = create(Settings(Path()), warm=False).openapi()
    return json.dumps(described, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the file."""
    FILE.write_text(text(), encoding="utf-8", newline="\n")
    print(f"Wrote {FILE}")


if __name__ == "__main__":
    main()
