"""docs/types.md says what the controller does. ConversionTest compares the same table with the job."""

import re
from pathlib import Path

from lindorm_import.plan.mapping import CHOICES

PAGE = Path(__file__).parents[2] / "docs" / "types.md"
_ALIASES = {"INT"}  # another name of a type in the table


def test_the_table_of_types_is_the_controllers_own() -> None:
    rows = re.findall(r"^\| ([A-Z ]+) \| [A-Z]+ \| ([\w, ]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    told = {type_: tuple(choices.split(", ")) for type_, choices in rows}
    assert told == {type_: choices for type_, choices in CHOICES.items() if type_ not in _ALIASES}
