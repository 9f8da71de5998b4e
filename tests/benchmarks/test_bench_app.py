"""The committed table of the app's pages, and that the benchmark reads every page."""

from theodolite.app.shell import MENU


def test_every_page_answers_within_200_ms_of_the_processor(study_table) -> None:
    rows = {row["page"]: row for row in study_table("app")}
    assert {path for _, path, _ in MENU} <= set(rows)
    assert {"/next-tests", "/experiments/register", "/experiments/record", "/experiments/design"} <= set(rows)
    assert [page for page, row in rows.items() if float(row["new"]) > 200.0] == []
    assert [page for page, row in rows.items() if float(row["again"]) > 20.0] == []
