"""HTTP answers that are bounded, in bytes and in time from the request to the last byte.

The clients have a limit for each read only: a server that sends a byte every few seconds holds them for ever, and one
that never stops has them keep everything. All of them (botocore, the Kubernetes client, urllib3 itself) read through
urllib3's connections, so the bounds are there: below headers, chunks and trailers, whoever reads them.
"""

import functools
import http.client
import io
import socket
import time
from collections.abc import Mapping
from typing import Any

import urllib3

MB = 1024 * 1024


class TooMuchError(OSError):
    """The other end sends more, or otherwise, than was asked for. An OSError, so that each client calls the connection
    broken and closes it."""


class _Bytes(io.RawIOBase):
    """What comes from a socket, until the answer's time or its size is used up."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, seconds: float, size: int) -> None:
        self._raw, self._sock, self.left, self._size = raw, sock, size, size
        self._each, self._until = sock.gettimeout(), time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left if self._each is None else min(left, self._each))
        read = self._raw.readinto(buffer)
        self.left -= read or 0
        if self.left < 0:
            raise TooMuchError(f"answers with more than {self._size:,} bytes")
        return read

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Reader(io.BufferedReader):
    """Makes no room for what the other end only says that it will send."""

    raw: _Bytes

    def read(self, size: int | None = -1) -> bytes:
        return super().read(size if size is None or size < 0 else min(size, self.raw.left + io.DEFAULT_BUFFER_SIZE + 1))


class _Response(http.client.HTTPResponse):
    """seconds, size: of the whole answer, headers included."""

    def __init__(self, seconds: float, size: int, sock: Any, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = _Reader(_Bytes(self.fp.detach(), sock, seconds, size))

    def begin(self) -> None:
        super().begin()
        # Nothing here asks for it, and a few kilobytes may become gigabytes.
        encoding = self.headers.get("Content-Encoding", "identity")
        if encoding.lower() not in ("identity", ""):
            raise TooMuchError(f"answers in an encoding that was not asked for ({encoding[:20]!r})")


Pools = Mapping[str, type[urllib3.HTTPConnectionPool]]


def bounded(pools: Pools, seconds: float, size: int) -> dict[str, Any]:
    """The same classes of pools by scheme, with answers of so many seconds and bytes at most. What does not end in time
    is a read timeout for the client, what is too much a broken connection."""

    def of(pool: type[urllib3.HTTPConnectionPool]) -> type:
        response = functools.partial(_Response, seconds, size)
        connection = type(f"Bounded{pool.ConnectionCls.__name__}", (pool.ConnectionCls,), {"response_class": response})
        return type(f"Bounded{pool.__name__}", (pool,), {"ConnectionCls": connection})

    return {scheme: of(pool) for scheme, pool in pools.items()}


def bound(manager: urllib3.PoolManager, seconds: float, size: int) -> None:
    """Bounds what the manager will read."""
    pools: Any = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = bounded(pools, seconds, size)


def bound_aws(client: Any, seconds: float, size: int) -> None:
    """Bounds what a client of boto3's will read, through a proxy as well. botocore has no option for its session's
    pools; what is used of it here is tested with real sockets."""
    session = client._endpoint.http_session
    session._pool_classes_by_scheme = bounded(session._pool_classes_by_scheme, seconds, size)
    session._manager.pool_classes_by_scheme = session._pool_classes_by_scheme


def close_aws(client: Any) -> None:
    """Closes its connections: those in use when they have their answer, the others now. Its own close() leaves both to
    the garbage collector, as urllib3 2 does where a manager forgets its pools."""
    session = client._endpoint.http_session
    for manager in (session._manager, *session._proxy_managers.values()):
        for key in manager.pools.keys():  # noqa: SIM118  (no mapping to iterate over)
            if pool := manager.pools.get(key):
                pool.close()
    client.close()
