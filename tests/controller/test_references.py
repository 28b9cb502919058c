"""What the code and the pages cite can be opened: files that are there, headings by their names."""

import re
import subprocess
from functools import cache

from local.bootstrap import REPOSITORY

_ROOMS = "bench|controller|crds|dev|docs|examples|flink_job|gitops|helm|infra|local|requirements|tests|tools"
PATH = re.compile(rf"(?<![\w/.<{{*-])(?:{_ROOMS})/[\w./-]+\.(?:ini|java|json|md|py|sh|toml|tpl|txt|yaml)\b(?![\w*])")
HEADING = re.compile(r'(docs/[\w-]+\.md)\)?,\s+(?:#\s+|\*\s+|//\s+)?"([^"]+)"')
# Written by a measurement or a test, or named as an example.
NOT_HERE = {"tests/local/data/recordings.json"}


@cache
def texts() -> dict[str, str]:
    """Every text file of the repository that people write."""
    kinds = ("*.py", "*.md", "*.java", "*.yaml", "*.toml", "*.sh", "*.tpl", "Dockerfile", "Makefile")
    listed = subprocess.run(["git", "ls-files", *kinds], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return {name: (REPOSITORY / name).read_text() for name in listed.stdout.split() if name != "CHANGELOG.md"}


def headings(page: str) -> list[str]:
    return re.findall(r"^#+ (.*)$", (REPOSITORY / page).read_text(), re.MULTILINE)


def test_every_file_that_is_cited_is_there() -> None:
    cited = {(name, path) for name, text in texts().items() for path in PATH.findall(text)}
    assert len(cited) > 200
    assert sorted((n, p) for n, p in cited if p not in NOT_HERE and not (REPOSITORY / p).exists()) == []


def test_every_heading_that_is_cited_is_there() -> None:
    cited = {(name, page, title) for name, text in texts().items() for page, title in HEADING.findall(text)}
    assert len(cited) > 10
    missing = [c for c in cited if not any(h.startswith(" ".join(c[2].split())) for h in headings(c[1]))]
    assert sorted(missing) == []


def test_nothing_is_cited_by_a_number_or_from_outside_the_repository() -> None:
    numbered = re.compile(r"contracts\.md\)?,?\s+sections? \d|\(facts: |\bfacts/")
    own = "tests/controller/test_references.py"
    assert [name for name, text in texts().items() if name != own and numbered.search(text)] == []
