"""The page that `make bench` writes."""

import json
import xml.etree.ElementTree as ElementTree

import pytest

from bench.__main__ import PAGE, RESULTS
from bench.chart import Bar, Panel, svg
from bench.report import BEGIN, END, PICTURE, picture, replace_section, section

MACHINE = {
    "processor": "a processor",
    "cores": 2,
    "memoryGiB": 24.0,
    "kernel": "6.1",
    "java": "17.0.9",
    "python": "3.11.7",
    "measuredAt": "2026-11-24 19:00 UTC",
    "commit": "abc1234",
    "loadBefore": 0.1,
}
RESULTS_OF_A_RUN = {
    "machine": MACHINE,
    "quick": False,
    "direct.project": {
        "rowsPerSecond": 50_000.0,
        "rowsPerCpuSecond": 48_000.0,
        "cpuSecondsPerMillionRows": 20.8,
        "cpuPerRowTimesStock": 0.55,
        "rowsPerCpuSecondTimesScript": 7.5,
        "rounds": {},
    },
    "capacity.even": {"capacityUsed": 0.97, "usedOfAllowed": 0.97, "throttledShare": 0.01, "rounds": {}},
    "capacity.even.stock": {"capacityUsed": 0.8, "usedOfAllowed": 0.8, "throttledShare": 0.2, "rounds": {}},
    "resume": {"rowsReadAgain": 5_000.0, "rounds": {}},
}


def test_a_target_that_is_missed_is_shown_as_missed() -> None:
    page = section(RESULTS_OF_A_RUN)

    assert "| CPU per row, times the stock pipeline's | ≤ 0.6 | 0.55 | met |" in page
    assert "| rows per CPU second, times the script's | ≥ 8 | 7.5 | **missed** |" in page


def test_every_case_of_the_results_is_on_the_page() -> None:
    page = section(RESULTS_OF_A_RUN)

    assert "| this project | 50,000 | 48,000 | 20.8 |" in page
    assert "| evenly spread keys | stock sink | 80.0% | 80.0% | 20.0% |" in page
    assert "| case | rows read again |\n| --- | ---: |\n| resume | 5,000 |" in page


def test_the_section_takes_the_place_of_the_one_before_and_nothing_else() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"

    assert replace_section(page, "new \\1") == f"before\n{BEGIN}\n\nnew \\1\n\n{END}\nafter\n"


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="bench: begin"):
        replace_section("nothing", "new")


def test_the_picture_is_well_formed_and_its_longest_bar_fits() -> None:
    drawn = svg([Panel("a & b", [Bar("one", 10, "10 rows", "project", 12), Bar("two", 5, "5", "stock")])])

    root = ElementTree.fromstring(drawn)
    widths = [float(rect.attrib["width"]) for rect in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert widths[1] == pytest.approx(2 * widths[2], abs=0.2)
    assert max(widths[1:]) < widths[0]


def test_the_page_in_the_repository_shows_the_results_in_the_repository() -> None:
    results = json.loads(RESULTS.read_text())

    assert section(results) in PAGE.read_text()
    assert (PAGE.parent / PICTURE).read_text() == picture(results)
