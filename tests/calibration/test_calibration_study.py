"""The table of confounded worlds holds its bars, and its short form says the same."""

import pytest


@pytest.fixture(scope="module")
def fits(study_table):
    return {(row["confounding term"], row["channels"], row["fit"]): row for row in study_table("calibration")}


def test_tests_bring_the_model_nearer_to_the_truth(fits):
    with_tests = fits["yes", "tested", "with tests"]
    assert float(with_tests["falls"]) >= 0.9
    assert float(with_tests["rmse"]) < 0.5 * float(fits["yes", "tested", "without tests"]["rmse"])


def test_intervals_cover_tested_and_untested_channels(fits):
    for group in ("tested", "untested"):
        row = fits["yes", group, "with tests"]
        assert int(row["worlds"]) >= 100
        assert 0.86 <= float(row["covered"]) <= 0.945


def test_without_the_confounding_term_tests_do_not_rescue_the_intervals(fits):
    assert float(fits["no", "brand_search", "with tests"]["covered"]) < 0.6
    assert float(fits["no", "tested", "with tests"]["rmse"]) > 1.3 * float(fits["yes", "tested", "with tests"]["rmse"])


def test_wrong_tests_are_flagged_and_sound_ones_seldom(study_table):
    rows = {(row["tests"], row["channel"]): row for row in study_table("calibration_flags")}
    assert float(rows["among three", "all"]["flagged"]) >= 0.9
    assert float(rows["among three", "all"]["flagged, worth knowing"]) >= 0.95
    alone = rows["the only test", "brand_search"]
    assert float(alone["flagged"]) > float(alone["model alone"]) + 0.15, "the second reading sees what the model cannot"
    assert float(rows["sound", "all"]["flagged"]) <= 0.05
