"""The report in a real browser, where one is installed: charts drawn under the policy, names literal, nothing sent."""

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

from theodolite.report.page import ChartBlock, Name, Page, Section
from theodolite.report.render import write_page

HOSTILE = [
    "<script>document.title='gone'</script>",
    "</script><img src=x onerror=document.title='gone'>",
    "=1+1",
    "قناة 📺",
]


class Svg(HTMLParser):
    """The text inside drawn charts, and every tag of the page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.depth = 0
        self.words: list[str] = []
        self.title = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.depth += tag == "svg"

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag == "svg"

    def handle_data(self, data: str) -> None:
        if self.depth:
            self.words.append(data)
        if self.tags and self.tags[-1] == "title" and not self.title:
            self.title = data


def spec(kind: str) -> dict[str, object]:
    rows = [{"channel": name, "x": i + 1.0} for i, name in enumerate(HOSTILE)]
    unit = {
        "mark": {"type": "bar", "tooltip": True},
        "encoding": {"x": {"field": "x", "type": "quantitative"}, "y": {"field": "channel", "type": "nominal"}},
    }
    if kind == "unit":
        return {"width": "container", "data": {"values": rows}, **unit}
    return {"data": {"values": rows}, "facet": {"field": "channel", "type": "nominal"}, "columns": 2, "spec": unit}


def test_every_chart_is_drawn_and_every_name_is_shown(
    tmp_path: Path, browse: Callable[[Path], tuple[str, str]]
) -> None:
    charts = tuple(ChartBlock(spec(kind), title=(Name(HOSTILE[0]),), file="c.csv") for kind in ("unit", "facet") * 4)
    page = Page("A study", sections=(Section("a", "A", "decide", blocks=charts),))
    document, console = browse(write_page(page, tmp_path / "report.html"))
    seen = Svg()
    seen.feed(document)
    assert seen.tags.count("svg") == len(charts) + 1, "eight charts and the mark in the header"
    assert seen.title == "A study"
    assert "img" not in seen.tags
    assert seen.tags.count("script") == len(charts) + 2
    drawn = set(seen.words)
    assert {HOSTILE[2], HOSTILE[3]} <= drawn
    assert any(word.startswith("<script>") for word in drawn)
    assert any(word.startswith("</script>") for word in drawn)
    assert "Refused" not in console
    assert "rror" not in console
