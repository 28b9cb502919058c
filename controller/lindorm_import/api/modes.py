"""The modes in which DynamoDB gives a table its capacity. Nowhere else are they compared."""

from typing import Literal, assert_never

CapacityMode = Literal["OnDemand", "Provisioned"]


def is_provisioned(mode: CapacityMode | None) -> bool:
    """Whether capacity is bought by the hour; not on demand, nor where the mode is left open (None)."""
    match mode:
        case "Provisioned":
            return True
        case "OnDemand" | None:
            return False
        case _:
            assert_never(mode)
