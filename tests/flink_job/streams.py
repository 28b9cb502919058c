"""Connections of asyncio's for what stands between two programs in a test: each is closed before its test ends."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_MOST = 64 * 1024 * 1024  # bytes of a part of a message that is read at once
_PATIENCE = 60  # seconds for what takes none


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a port of this machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_MOST)
    try:
        yield reader, writer
    finally:
        await close(writer)


async def close(writer: asyncio.StreamWriter) -> None:
    """Closes a connection when all is sent, or at once where the other side does not take it; then it is closed."""
    writer.close()
    try:
        async with asyncio.timeout(_PATIENCE):
            await writer.wait_closed()
    except OSError:
        pass  # the other side was the first
    finally:
        writer.transport.abort()


@contextlib.contextmanager
def listening(serve: Serve) -> Iterator[int]:
    """A port of this machine on which each connection is served, in a thread of its own, until it returns."""
    loop = asyncio.new_event_loop()
    port = 0
    done, ready = asyncio.Event(), threading.Event()
    served: set[asyncio.Task[None] | None] = set()  # asyncio itself may forget a task whose connection was lost

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.add(asyncio.current_task())
        try:
            await serve(reader, writer)
        finally:
            await close(writer)
            served.discard(asyncio.current_task())

    async def run() -> None:
        nonlocal port
        server = await asyncio.start_server(accepted, "127.0.0.1", 0, limit=_MOST)
        async with server:
            port = server.sockets[0].getsockname()[1]
            ready.set()
            await done.wait()

    def run_to_the_end() -> None:
        # It cancels what is still served, and waits for it.
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(run())

    thread = threading.Thread(target=run_to_the_end)
    thread.start()
    try:
        assert ready.wait(_PATIENCE), "the port is not listened on"
        yield port
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
