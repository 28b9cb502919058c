"""What did not work outside, told to the user."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Trouble:
    """Something outside did not work, told to the user.

    reason: one CamelCase word for a condition; message: what happened, to which thing, what to do.
    spec: True when only another spec can help (no retry); False when the world must change (retry with backoff).
    """

    reason: str
    message: str
    spec: bool = False


class TroubleError(Exception):
    """Carries a Trouble from an adapter to the pass."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble
