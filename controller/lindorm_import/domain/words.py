"""Numbers as people read them. Pure."""


def counted(number: int | float, noun: str) -> str:
    """'1 row', '1,250 rows', '1.4 write units'."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
