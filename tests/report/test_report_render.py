"""The file: names literal, nothing outside referred to, a strict policy, the same bytes every time."""

import base64
import hashlib
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from measurement.errors import DataError
from theodolite.report.page import (
    Cell,
    ChartBlock,
    Column,
    Fact,
    Facts,
    Fold,
    Heading,
    Name,
    Page,
    Points,
    Prose,
    Range,
    Section,
    Strong,
    TableBlock,
)
from theodolite.report.render import render, write_page

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    "]]><!-- </style>",
    "\"quoted\" & 'single' &lt;b&gt;",
    "=cmd|' /C calc'!A0",
    "\u202eoverride",
    "قناة عربية",
    "📺 télé",
    "{{ 7 * 7 }}{% raw %}",
    "line\u2028separator",
    "javascript:alert(3)",
]


@dataclass
class Read(HTMLParser):
    """What a browser would see: tags, text by kind, attributes."""

    tags: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    text: str = ""
    scripts: list[tuple[str, str]] = field(default_factory=list)
    styles: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        HTMLParser.__init__(self, convert_charrefs=True)
        self.inside = ""
        self.kind = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag in ("script", "style"):
            self.inside, self.kind = tag, dict(attrs).get("type") or ""

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(f"/{tag}")
        self.inside = "" if tag == self.inside else self.inside

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            self.scripts.append((self.kind, data))
        elif self.inside == "style":
            self.styles.append(data)
        else:
            self.text += data


def read(html: str) -> Read:
    parser = Read()
    parser.feed(html)
    parser.close()
    return parser


def chart(name: str) -> ChartBlock:
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "data": {"values": [{"channel": name, "x": 1.0}]},
        "mark": "bar",
        "encoding": {"x": {"field": "x", "type": "quantitative"}, "y": {"field": "channel", "type": "nominal"}},
    }
    return ChartBlock(spec, title=("iROAS of ", Name(name)), caption=name, file="chart.csv")


def page(name: str, with_chart: bool = True) -> Page:
    table = TableBlock(
        columns=(Column("Channel"), Column("iROAS", name, numeric=True, scale=(0, 4), reference=2.5)),
        rows=((Cell(name, detail=name), Cell("1.24", "0.90 to 1.61", value=1.24, range=Range(0.9, 1.24, 1.61))),),
        caption=(Name(name),),
        file="unified.csv",
    )
    blocks = (
        Facts((Fact((Name(name),), name, (Strong(name),), tone="good"),)),
        Points((("Spend more on ", Name(name)), name), numbered=True),
        Heading(name),
        table,
        Prose((name, ("about ", Name(name))), tone="caution"),
        Fold((Name(name),), (Prose((name,)), *([chart(name)] if with_chart else []))),
    )
    sections = (Section("change", "What to change", "decide", lead=("Move ", Name(name)), blocks=blocks),)
    return Page(title=(Name(name),), subtitle=name, sections=sections, notice=name, meta={"Data": name})


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_text_and_nothing_else(name: str) -> None:
    plain = "v" * len(name)  # short cells do not wrap, so both are equally long
    harmless, hostile = read(render(page(plain))), read(render(page(name)))
    assert hostile.tags == harmless.tags
    assert [(tag, key) for tag, key, _ in hostile.attributes] == [(tag, key) for tag, key, _ in harmless.attributes]
    assert hostile.text.count(name) == harmless.text.count(plain) > 10


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(min_size=1, max_size=40).filter(lambda text: text.isprintable()))
def test_any_name_leaves_the_structure_of_the_page_alone(name: str) -> None:
    assert read(render(page(name, with_chart=False))).tags == read(render(page("tv", with_chart=False))).tags


def test_names_stand_apart_from_the_text_around_them() -> None:
    html = render(page("\u202eoverride", with_chart=False))
    assert "Spend more on <bdi>\u202eoverride</bdi>" in html


def test_nothing_outside_the_file_is_referred_to() -> None:
    found = read(render(page("tv")))
    loads = [
        value for _, key, value in found.attributes if key in {"href", "src", "action", "srcset", "data", "poster"}
    ]
    assert loads
    assert all(value.startswith(("#", "data:text/csv;")) for value in loads)
    assert not {"link", "iframe", "object", "embed", "base", "form", "img"} & set(found.tags)
    assert all("url(" not in style and "@import" not in style for style in found.styles)
    own = [text for kind, text in found.scripts if kind or len(text) < 100_000]
    assert not any("http" in text for text in own), "only the bundle holds addresses (of namespaces and documentation)"
    handlers = [key for _, key, _ in found.attributes if key.startswith("on") or key == "style"]
    assert handlers == []


def hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_policy_allows_the_files_own_scripts_and_no_others() -> None:
    found = read(render(page("tv")))
    (policy,) = [value for tag, key, value in found.attributes if tag == "meta" and "default-src" in value]
    rules = {part.split()[0]: part.split()[1:] for part in policy.split(";")}
    assert rules["default-src"] == ["'none'"]
    assert sorted(rules["script-src"]) == sorted(hashed(text) for kind, text in found.scripts if not kind)
    assert rules["style-src"] == [hashed("".join(found.styles))]
    assert "unsafe" not in policy


def test_the_policy_stands_before_everything_it_governs() -> None:
    tags = [tag for tag in read(render(page("tv"))).tags if not tag.startswith("/")]
    assert tags[:4] == ["html", "head", "meta", "meta"]
    assert tags.index("style") > 3


def test_the_same_page_gives_the_same_bytes() -> None:
    assert render(page("tv")) == render(page("tv"))


def test_a_page_without_charts_carries_no_vega() -> None:
    assert len(render(page("tv", with_chart=False)).encode()) < 60_000


def test_twelve_charts_stay_below_two_megabytes() -> None:
    rows = [{"channel": f"channel {i % 12}", "date": f"2024-01-{i % 28 + 1:02}", "value": i / 7} for i in range(800)]
    spec = chart("tv").spec | {"data": {"values": rows}}
    charts = tuple(ChartBlock(spec, f"chart {i}", file="c.csv") for i in range(12))
    assert len(render(Page("t", sections=(Section("a", "A", "decide", blocks=charts),))).encode()) < 2_000_000


def test_sections_stand_under_their_readers_in_order() -> None:
    ids = ["fit", "sources", "change"]
    readers = ["check", "understand", "decide"]
    sections = tuple(Section(i, i.title(), r) for i, r in zip(ids, readers, strict=True))  # type: ignore[arg-type]
    found = read(render(Page("t", sections=sections)))
    anchors = [value for tag, key, value in found.attributes if tag == "a" and key == "href" and value != "#content"]
    assert anchors == ["#change", "#sources", "#fit"]


def test_two_sections_of_one_id_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="share an id"):
        render(Page("t", sections=(Section("a", "A", "decide"), Section("a", "B", "check"))))


@pytest.mark.parametrize(("value", "place"), [(-1.0, "0.0%"), (0.0, "0.0%"), (2.0, "50.0%"), (9.0, "100.0%")])
def test_a_range_is_drawn_on_its_columns_scale(value: float, place: str) -> None:
    cell = Cell("x", range=Range(value, value, value))
    table = TableBlock((Column("a"), Column("b", scale=(0, 4))), ((Cell("tv"), cell),))
    html = render(Page("t", sections=(Section("a", "A", "decide", blocks=(table,)),)))
    assert f'cx="{place}"' in html


def test_it_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "new" / "report.html"
    write_page(page("tv", with_chart=False), target)
    before = target.read_bytes()
    broken = replace(page("tv"), sections=(Section("a", "A", "decide"), Section("a", "A", "decide")))
    with pytest.raises(ValueError, match="share an id"):
        write_page(broken, target)
    assert target.read_bytes() == before
    assert [file.name for file in target.parent.iterdir()] == ["report.html"]
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_page(page("tv", with_chart=False), tmp_path / "file" / "report.html")
