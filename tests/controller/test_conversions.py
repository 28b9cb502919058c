"""Every conversion is known wherever one is decided on, and every mode of capacity at the one place that tells them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_args

import pytest

from lindorm_import.api.modes import CapacityMode, is_provisioned
from lindorm_import.api.spec import AttributeType
from lindorm_import.plan.items import value_bytes
from lindorm_import.plan.mapping import CHOICES, key_type
from local.bootstrap import REPOSITORY

# Of each conversion a value, its bytes in an item, and the type of a key made of it.
EXAMPLES: dict[AttributeType, tuple[Any, int, str | None]] = {
    "String": ("four", 4, "S"),
    "Json": ("{}", 2, "S"),
    "Iso8601": (datetime(2026, 1, 1, tzinfo=UTC), 24, "S"),
    "Number": (Decimal(12), 2, "N"),
    "EpochMillis": (datetime(1970, 1, 1, 0, 0, 1), 2, "N"),
    "EpochSeconds": (datetime(1970, 1, 1, 0, 0, 1), 2, "N"),
    "Binary": (b"123", 3, "B"),
    "Boolean": (True, 1, None),
    "JsonDocument": ("[]", 3, None),
}


@pytest.mark.parametrize("as_", get_args(AttributeType))
def test_every_conversion_has_a_size_and_a_key_type_and_is_a_choice(as_: AttributeType) -> None:
    value, size, key = EXAMPLES[as_]
    assert value_bytes(value, as_) == size
    assert key_type(as_) == key
    assert any(as_ in choices for choices in CHOICES.values())


@pytest.mark.parametrize("mode", get_args(CapacityMode))
def test_every_mode_of_capacity_is_told(mode: CapacityMode) -> None:
    assert is_provisioned(mode) is (mode == "Provisioned")


def test_a_mode_of_capacity_is_compared_nowhere_else() -> None:
    package = REPOSITORY / "controller" / "lindorm_import"
    comparing = [
        path.name
        for path in package.rglob("*.py")
        for mode in get_args(CapacityMode)
        if any(f'{operator} "{mode}"' in path.read_text() for operator in ("==", "!=", "case"))
    ]
    assert set(comparing) <= {"modes.py"}
