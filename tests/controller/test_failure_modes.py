"""docs/failure-modes.md: every row names tests that exist, and its figures are those of the tests."""

import ast
import re
from pathlib import Path

from tests.controller.test_many import CALLS_A_MINUTE, CALLS_TO_START

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "failure-modes.md").read_text()
_NAME = re.compile(r"`((?:test_|Test)\w+|\w+Test\.\w+)`")


def existing() -> set[str]:
    """Tests of Python by name, those of Java with their class."""
    names: set[str] = set()
    for java in (ROOT / "flink_job").rglob("*Test.java"):
        names |= {f"{java.stem}.{name}" for name in re.findall(r"^    void (\w+)\(", java.read_text(), re.MULTILINE)}
    for file in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(node.name)
            if isinstance(node, ast.Assign):
                names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def rows() -> list[list[str]]:
    """The cells of every row of the tables of faults."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line[:1] == "|"]
    return [row for row in cells if len(row) == 4 and row[0] != "What happens" and set(row[0]) != {"-"}]


def test_every_row_names_tests_and_each_of_them_exists() -> None:
    known = existing()
    assert len(rows()) > 30
    for row in rows():
        named = _NAME.findall(row[-1])
        assert named, f"no test proves: {row[0]}"
        assert set(named) <= known, f"no such test: {set(named) - known}"


def test_what_the_page_on_security_says_is_proven_is_by_tests_that_exist() -> None:
    named = set(_NAME.findall((ROOT / "docs" / "security.md").read_text()))
    assert named
    assert named - existing() == set()


def test_every_row_says_what_is_seen_and_what_to_do() -> None:
    for row in rows():
        assert all(row), row


def test_every_fault_that_a_test_puts_into_a_whole_life_has_a_row() -> None:
    """A new fault test without a row would be a fault that nobody can look up."""
    files = [ROOT / "tests" / "controller" / name for name in ("test_faults.py", "test_job_faults.py")]
    nodes = [node for file in files for node in ast.parse(file.read_text()).body]
    tests = {node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
    assert len(tests) > 30
    assert tests - set(_NAME.findall(PAGE)) == set()


def test_the_calls_a_minute_are_those_that_the_test_allows() -> None:
    told = {call: int(count) for call, count in re.findall(r"^\| `([^`]+)` \| (\d+) \|$", PAGE, re.MULTILINE)}
    assert told == CALLS_A_MINUTE


def test_the_calls_until_the_submission_are_those_that_the_test_allows() -> None:
    told = {call: int(count) for call, count in re.findall(r"^\| `([^`]+)` \| (\d+) times \|$", PAGE, re.MULTILINE)}
    assert told == CALLS_TO_START
