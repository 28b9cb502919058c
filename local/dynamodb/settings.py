"""What `POST /_gate` can set."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Settings:
    """scale multiplies every capacity (0.1: a table of 1,000 write units takes 100 a second); units count whole."""

    scale: float = 1.0
    partition_write_units: float = 1_000.0
    partition_read_units: float = 3_000.0
    table_quota: int = 40_000
    burst_seconds: float = 1.0
    latency_ms: float = 0.0
    create_seconds: float = 1.0
    update_seconds: float = 1.0
    delete_seconds: float = 1.0
    import_seconds: float = 1.0  # an import or bulk operation takes at least that long


@dataclass
class Fault:
    """The next `count` requests of an operation (or "*") get it.

    kind: throttle (nothing goes through) | unprocessed (BatchWriteItem only: `count` items come back) | error (500,
    nothing done) | limit (LimitExceededException, nothing done) | fails (ImportTable and StartBulkPutItems: accepted,
    and FAILED when half of the objects are read) | denied (AccessDeniedException) | lost-reply (done, but answered with
    500).
    """

    operation: str
    kind: str
    count: int = 1

    KINDS = ("throttle", "unprocessed", "error", "denied", "limit", "fails", "lost-reply")

    def __post_init__(self) -> None:
        if self.kind not in self.KINDS:
            raise ValueError(f"unknown kind {self.kind}; there are {', '.join(self.KINDS)}")
