"""Where a type of Lindorm's columns must be named, so that a new one is added everywhere and nowhere else."""

import json
import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PLACES = {
    "controller/lindorm_import/domain/column_types.py": "how the controller reads it",
    "controller/lindorm_import/plan/mapping.py": "what it becomes in DynamoDB",
    "flink_job/main.py": "what it is in Flink's SQL",
    "flink_job/connectors/src/main/java/io/lindorm/flink/source/LindormType.java": "how the job reads it, keys too",
}
# Not part of the product: the stand-in for Lindorm, which the tests and the benchmarks run against.
STAND_IN = "local/lindorm/types.py"
ACCEPTED = json.loads((REPOSITORY / "tests" / "data" / "column-types.json").read_text())["accepted"]
TYPES = sorted({re.sub(r"\(.*", "", read) for read in ACCEPTED.values()})
MANY = 12  # more than any family of types has


def names(path: str) -> set[str]:
    """The types that a file names: as text of their own, or as constants of Java's."""
    found = re.findall(r"\"([A-Z][A-Z ]+)\"|^\s+([A-Z][A-Z_]+)\($", (REPOSITORY / path).read_text(), re.MULTILINE)
    inline = re.findall(r"^\s+([A-Z][A-Z_]+)\(Argument", (REPOSITORY / path).read_text(), re.MULTILINE)
    named = {(text or constant).replace("_", " ") for text, constant in found} | {c.replace("_", " ") for c in inline}
    return {"INTEGER" if name == "INT" else name for name in named} & set(TYPES)


@pytest.mark.parametrize("path", [*PLACES, STAND_IN])
def test_each_of_the_four_places_and_the_stand_in_name_every_type(path: str) -> None:
    assert sorted(set(TYPES) - names(path)) == []


def test_nothing_else_of_the_product_lists_the_types() -> None:
    product = subprocess.run(
        ["git", "ls-files", "controller/*.py", "flink_job/*.py", "flink_job/connectors/src/main/*.java", "local/*.py"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert len(product) > 100
    assert {path for path in product if len(names(path)) >= MANY} == {*PLACES, STAND_IN}
