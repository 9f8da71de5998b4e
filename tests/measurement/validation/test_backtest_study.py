"""The committed study of backtests keeps its promises."""

from collections.abc import Callable


def test_the_committed_backtests_hold_what_came_and_beat_last_year(
    study_table: Callable[[str], list[dict[str, str]]],
) -> None:
    lines = study_table("backtest")
    kinds = {line["panel"] for line in lines}
    assert {kind.split(",")[0] for kind in kinds} == {"national", "geo", "public"}
    for line in lines:
        public = line["panel"] == "public"
        assert float(line["high"]) >= 0.9, line
        assert float(line["covered 90%"]) >= (0.7 if public else 0.88), line
        assert abs(float(line["bias"])) < (0.06 if public else 0.005), line
        for column, least in (("skill", 0.55), ("last", 0.65)):
            low = float(line[column].partition("[")[2].partition(",")[0])
            assert public or low > least, line
