"""docs/lindorm.md: every belief has an address or tests with both answers, and every switch is told."""

import re
from dataclasses import fields
from pathlib import Path

from local.lindorm.controls import CHOICES, Settings
from tests.controller.test_failure_modes import existing

ROOT = Path(__file__).parents[2]
KNOWN, UNKNOWN = (ROOT / "docs" / "lindorm.md").read_text().split("## What is unknown")


def rows(part: str) -> list[list[str]]:
    cells = [[c.strip() for c in line.strip("|").split(" | ")] for line in part.splitlines() if line[:1] == "|"]
    return cells[2:]


def test_each_belief_has_the_address_of_who_says_so() -> None:
    assert len(rows(KNOWN)) > 10
    for row in rows(KNOWN):
        assert re.search(r"\]\(https://[^)]+\)|beside it", row[-1]), f"no source: {row[0]}"


def test_each_open_question_names_tests_and_each_of_them_exists() -> None:
    python = existing()
    java = {
        name
        for file in (ROOT / "flink_job/connectors/src/test").rglob("*.java")
        for name in (file.stem, *re.findall(r"void (\w+)\(", file.read_text()))
    }
    assert len(rows(UNKNOWN)) > 10
    for row in rows(UNKNOWN):
        named = re.findall(r"`(\w+)`", row[-1])
        assert named, f"no test: {row[0]}"
        assert set(named) <= python | java, f"no such test: {set(named) - python - java}"


def test_every_switch_between_two_answers_is_on_the_page_with_its_answers() -> None:
    switches = {f.name for f in fields(Settings) if f.name in CHOICES or f.name.startswith("show_")}
    assert switches <= set(re.findall(r"`(\w+)`", UNKNOWN))
