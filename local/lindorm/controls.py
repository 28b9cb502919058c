"""What tests can set while the server runs, and what it has counted. Shared by all connections and the control port."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from local.lindorm.passwords import PLUGINS
from local.lindorm.types import TEXT_ORDERS

SERVED_KEPT = 10_000


@dataclass
class Settings:
    """All of them are JSON fields of `POST /settings`."""

    page_latency_ms: float = 0.0  # added to every read of a table
    scan_rows_per_second: float = 0.0  # how fast rows pass under a scan, served or not; 0: as fast as SQLite is
    statement_timeout_ms: int = 120_000  # https://help.aliyun.com/document_detail/445131.html
    refuse_connections: bool = False  # answer new connections with 1040
    max_connections: int = 4_000  # per node, from 2.7.0.0
    timeout_next: int = 0  # this many table reads that follow end with 3024
    resource_limit_next: int = 0  # this many table reads that follow end with 8008
    drop_next: int = 0  # this many table reads that follow close the connection half way through the answer
    # What Lindorm's documents leave open (docs/lindorm.md): each value is one answer.
    over_limit: str = "refuse"  # a read of more than 2,000 rows or 16 MB: 8008, or cut short without a word
    show_type_arguments: bool = True  # DESCRIBE says DECIMAL(10,2) and CHAR(5), or DECIMAL and CHAR
    show_create_table: bool = True  # or 9001, as of a version without the statement
    show_estimated_rows: bool = True  # likewise
    describe_shape: str = "lindorm"  # "mysql": Field, Type, Null, Key, …, as where somebody names a MySQL server
    text_order: str = "bytes"  # of the text columns of tables that are created from now on; see types.TEXT_ORDERS
    auth_plugin: str = "mysql_native_password"  # what the user's password is checked by; see passwords.PLUGINS


CHOICES = {
    "over_limit": ("refuse", "cut"),
    "describe_shape": ("lindorm", "mysql"),
    "text_order": ("bytes", *TEXT_ORDERS),
    "auth_plugin": PLUGINS,
}


@dataclass
class Counters:
    """Counts since the start or the last `POST /reset`."""

    connections: int = 0
    encrypted: int = 0  # connections that went on with TLS
    reads: int = 0
    rows: int = 0
    bytes: int = 0
    errors: int = 0
    writes: int = 0
    readable_passwords: int = 0  # logins in which whoever is at this end can read the password


@dataclass
class Controls:
    settings: Settings = field(default_factory=Settings)
    counters: Counters = field(default_factory=Counters)
    served: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=SERVED_KEPT))
    open: dict[int, Callable[[], None]] = field(default_factory=dict)  # connection number -> what closes it
    lock: threading.Lock = field(default_factory=threading.Lock)
    knows_password: bool = False  # caching_sha2_password: a full login has been; until the next reset

    def take(self, name: str) -> bool:
        """Use up one of a number of faults that were ordered."""
        with self.lock:
            left = int(getattr(self.settings, name))
            if left:
                setattr(self.settings, name, left - 1)
            return left > 0

    def count(self, **amounts: int) -> None:
        with self.lock:
            for name, amount in amounts.items():
                setattr(self.counters, name, getattr(self.counters, name) + amount)

    def served_read(self, sql: str, params: list[Any], rows: int, ms: float) -> None:
        """Remember a read that was answered: the statement as it came, its parameters, rows and milliseconds."""
        with self.lock:
            self.counters.reads += 1
            self.counters.rows += rows
            self.served.append({"sql": sql, "params": params, "rows": rows, "ms": round(ms, 3)})

    def drop_all(self) -> int:
        """Close every open connection; how many there were."""
        with self.lock:
            closers = list(self.open.values())
        for close in closers:
            close()
        return len(closers)
