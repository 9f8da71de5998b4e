"""The pictures of the README and the tutorials, from a real run: ``python -m docs.picture DEMO [NAME ...]``.

DEMO is the folder of a demo that has run; without names all pictures are drawn. The numbers of its unified view, which
pages quote, are written beside them (``demo.csv``): a test holds the pages to it.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import vl_convert

from theodolite import Study

IMAGES = Path(__file__).parent / "images"
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


def every_source(study: Study) -> Any:
    """Every source per channel, and the truth."""
    found = json.loads((study.folder / "truth.json").read_text(encoding="utf-8"))
    truth = {name: channel["iroas"] for name, channel in found["channels"].items()}
    return study.view().chart(truth).properties(width=760)


def test_of_social(study: Study) -> Any:
    """The treated markets of a test and what they would have sold."""
    from experiments import charts

    return charts.fit(study.analyse("social-heavy-up-2024")).properties(width=700)


def next_test(study: Study) -> Any:
    """What the tests of the planner's tutorial are worth."""
    from theodolite.next_tests import Asked

    return study.next_test.rank(Asked(channels=("generic_search", "social"), durations=(6,))).chart()


def budget(study: Study) -> Any:
    """The next quarter's money, split otherwise."""
    return study.budget().chart()


PICTURES: dict[str, Callable[[Study], Any]] = {
    "demo": every_source,
    "test-of-social": test_of_social,
    "next-test": next_test,
    "budget": budget,
}


def draw(chart: Any) -> bytes:
    """A chart as PNG, in the house's theme."""
    return bytes(vl_convert.vegalite_to_png(chart.to_dict(), scale=1.5, config=THEME))


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    company = Study.open(sys.argv[1])
    company.view().to_frame().to_csv(IMAGES / "demo.csv", index=False, float_format="%.6g", lineterminator="\n")
    for name in sys.argv[2:] or PICTURES:
        (IMAGES / f"{name}.png").write_bytes(draw(PICTURES[name](company)))
        print(f"Wrote {IMAGES / name}.png")
