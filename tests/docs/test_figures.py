"""What the pages quote is what the committed tables say: studies within what another run may move, the demo exactly."""

import csv
import re
from collections.abc import Callable

import pytest

from docs import build

Table = Callable[[str], list[dict[str, str]]]
NEAR = 0.03  # a study that was made again may move a share by this much before the page has to follow

QUOTED = [
    ("mmm_coverage", {"world": "national", "truths": "priors", "follows": "no"}, "covered", 0.89),
    ("mmm_coverage", {"world": "geo", "follows": "no"}, "covered", 0.89),
    ("mmm_coverage", {"world": "national", "told": "as it is", "channels": "strong"}, "covered", 0.87),
    ("mmm_coverage", {"world": "national", "told": "no", "channels": "strong"}, "covered", 0.13),
    ("calibration", {"confounding term": "yes", "channels": "untested", "fit": "with tests"}, "covered", 0.89),
    ("calibration", {"confounding term": "yes", "channels": "tested", "fit": "with tests"}, "covered", 0.94),
    ("calibration_flags", {"reported": "five times", "tests": "among three", "channel": "all"}, "flagged", 0.93),
    ("unified", {"regime": "badly biased MMM", "rule": "unified"}, "covered", 0.89),
    ("unified_worlds", {"truths": "presets", "source": "unified", "channels": "all"}, "covered", 0.98),
    ("unified_worlds", {"truths": "presets", "source": "unified", "channels": "all"}, "rmse", 0.32),
    ("unified_worlds", {"truths": "priors", "source": "unified", "channels": "all"}, "covered", 0.87),
    ("unified_worlds", {"truths": "priors", "source": "unified", "channels": "tested"}, "covered", 0.82),
    ("unified_worlds", {"truths": "priors", "source": "unified", "channels": "all"}, "rmse", 0.61),
    ("switchback", {"world": "on-off, rho .6 and a random walk", "estimator": "autoregressive"}, "covered", 0.80),
    ("power", {"panel": "all"}, "found", 0.80),
    ("power", {"panel": "geolift"}, "found", 0.70),
    ("attribution", {"model": "shapley", "truth": "model"}, "worst_channel", 0.85),
    ("variation", {"effects": "drifting", "varies": "no", "of": "last 26 weeks"}, "covered", 0.75),
    ("validate", {"kind": "right, geo"}, "good", 0.77),
]


@pytest.mark.parametrize(("table", "where", "column", "quoted"), QUOTED)
def test_the_limits_say_what_the_tables_say(
    study_table: Table, table: str, where: dict[str, str], column: str, quoted: float
) -> None:
    (found,) = [
        line[column] for line in study_table(table) if all(line[name] == value for name, value in where.items())
    ]
    assert abs(float(found) - quoted) <= NEAR, f"{table} now says {found}: bring docs/limits.md up to date"
    written = {f"{quoted:.2f}"[1:], f"{quoted:.2f}"}
    rows = [row for row in (build.SOURCE / "limits.md").read_text("utf-8").splitlines() if f"`{table}`" in row]
    pages = " ".join(rows) + (build.SOURCE / "peers.md").read_text("utf-8")
    assert any(re.search(rf"(?<![\d]){re.escape(text)}(?!\d)", pages) for text in written)


def test_every_table_named_exists(study_table: Table) -> None:
    text = (build.SOURCE / "limits.md").read_text("utf-8")
    named = set(re.findall(r"\| `(\w+)` \|$", text, re.MULTILINE))
    assert len(named) > 10
    for name in named:
        assert study_table(name)


def demo_says(channel: str) -> dict[str, str]:
    """What the demo's unified view says of a channel, as pages write it: by source and, of attribution, by model."""
    with (build.SOURCE / "images" / "demo.csv").open(encoding="utf-8", newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["channel"] == channel]
    says = {}
    for line in lines:
        median, low, high = (float(line[name]) for name in ("median", "low", "high"))
        if line["quantity"] == "weight":
            says[f"weight of {line['source']}"] = f"{median:.0%}".replace("%", " %")
        elif line["quantity"] in {"iroas", "roas"}:
            says[line["model"] or line["source"]] = f"{median:.2f} [{low:.2f}, {high:.2f}]".replace("-", "−")
        else:
            says[line["quantity"]] = f"{median:.2f}"
    return says


def row_of(page: str, begins: str) -> str:
    text = (build.SOURCE / page).read_text("utf-8")
    (row,) = [row for row in text.splitlines() if row.startswith(f"| {begins} |")]
    return row.replace("*", "")


CHANNELS = ("affiliates", "brand_search", "generic_search", "radio", "social", "tv", "video")


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_table_of_the_analysts_tutorial_is_the_demos(channel: str) -> None:
    says = demo_says(channel)
    attribution = says["markov:1"].split()[0] if "markov:1" in says else "–"
    cells = [says["mmm"], says.get("experiments", "–"), attribution, says["unified"]]
    assert row_of("tutorial-compare.md", channel).startswith(f"| {channel} | {' | '.join(cells)} |")


@pytest.mark.parametrize(
    ("page", "begins", "source"),
    [
        ("what-each-number-means.md", "**MMM alone**", "mmm"),
        ("what-each-number-means.md", "**with the tests**", "mmm_calibrated"),
        ("what-each-number-means.md", "**lift tests**", "experiments"),
        ("what-each-number-means.md", "**attribution**", "markov:1"),
        ("what-each-number-means.md", "**unified**", "unified"),
        ("why-calibration.md", "the mix model alone", "mmm"),
        ("why-calibration.md", "the lift test", "experiments"),
        ("why-calibration.md", "**all of it together**", "unified"),
    ],
)
def test_what_pages_say_of_brand_search_is_the_demos(page: str, begins: str, source: str) -> None:
    assert f" {demo_says('brand_search')[source]} |" in row_of(page, begins)


def test_examples_of_single_numbers_are_the_demos() -> None:
    page = "what-each-number-means.md"
    brand, social, video = (demo_says(name) for name in ("brand_search", "social", "video"))
    weights = [
        f"{name} {brand[f'weight of {source}']}" for name, source in (("model", "mmm"), ("tests", "experiments"))
    ]
    assert ", ".join([*weights, f"attribution {brand['weight of attribution']}"]) in row_of(page, "**weights**")
    assert f"brand search {brand['incrementality_factor']} [" in row_of(page, "**incrementality factor**")
    assert f"video {video['incrementality_factor']}:" in row_of(page, "**incrementality factor**")
    assert f"iROAS {social['unified'].split()[0]}, mROAS {social['mroas']}." in row_of(page, "**mROAS**")
    assert f"video {video['unified']}:" in row_of(page, "**iROAS**")
