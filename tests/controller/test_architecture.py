"""docs/architecture.md shows the package as it is."""

import re
import tomllib

from local.bootstrap import REPOSITORY

PACKAGE = REPOSITORY / "controller" / "lindorm_import"
CONTRACTS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def layers() -> list[list[str]]:
    """import-linter's layers from the top, each with the packages that stand side by side in it."""
    (contract,) = (c for c in CONTRACTS if c["type"] == "layers")
    return [layer.split(" | ") for layer in contract["layers"]]


def test_the_page_shows_the_layers_that_are_checked() -> None:
    page = (REPOSITORY / "docs" / "architecture.md").read_text()
    table = page.split("| layer |")[1].split("\n\n")[0].splitlines()[2:]
    assert [re.findall(r"`(\w+)`", row.split("|")[1]) for row in table] == layers()


def test_the_package_has_no_other_rooms_and_no_loose_modules() -> None:
    rooms = sorted(path.name for path in PACKAGE.iterdir() if path.name != "__pycache__")
    assert rooms == sorted(["__init__.py", *(room for layer in layers() for room in layer)])
