"""The picture of the README, from a real run: ``python -m docs.picture DEMO``, where DEMO is the demo's folder."""

import json
import sys
from pathlib import Path

import vl_convert

from theodolite import Study

PICTURE = Path(__file__).parent / "images" / "demo.png"
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
INK, MUTED, LINE = "#1d2630", "#5b6571", "#e3e2de"
THEME = {
    "font": FONT,
    "background": "#ffffff",
    "padding": 14,
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK,
        "titleColor": MUTED,
        "gridColor": LINE,
        "domainColor": LINE,
        "tickColor": LINE,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    },
    "legend": {"labelColor": INK, "labelFontSize": 12},
}


def draw(folder: Path) -> bytes:
    """Every source per channel and the truth, of a demo that has run in ``folder``, as PNG."""
    found = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    truth = {name: channel["iroas"] for name, channel in found["channels"].items()}
    chart = Study.open(folder).view().chart(truth).properties(width=760)
    return bytes(vl_convert.vegalite_to_png(chart.to_dict(), scale=1.5, config=THEME))


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_bytes(draw(Path(sys.argv[1])))
    print(f"Wrote {PICTURE}")
