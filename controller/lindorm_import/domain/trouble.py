"""What did not work outside, told to the user."""

from dataclasses import dataclass

from lindorm_import.api.text import printable


@dataclass(frozen=True)
class Trouble:
    """Something outside did not work, told to the user.

    reason: one CamelCase word for a condition; message: what happened, to which thing, what to do.
    spec: True when only another spec can help (no retry); False when the world must change (retry with backoff).
    """

    reason: str
    message: str
    spec: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", printable(self.message))  # much of it is others' words


class TroubleError(Exception):
    """Carries a Trouble from an adapter to the pass."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble
