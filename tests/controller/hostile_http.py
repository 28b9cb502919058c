"""A server that answers a request as it likes: too much, too slowly, somewhere else. On real sockets."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Answer = Callable[["Peer"], None]


@dataclass
class Peer:
    """The client of one request, as the server sees it. head: its request line and headers."""

    connection: socket.socket
    head: bytes
    stop: threading.Event

    @property
    def path(self) -> str:
        return self.head.split(b" ", 2)[1].decode()

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def answer(self, body: bytes, status: str = "200 OK", *headers: str, length: int | None = None) -> None:
        told = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
        self.send("\r\n".join([*told, "", ""]).encode() + body)

    def drip(self, data: bytes, seconds: float) -> None:
        """A byte each so many seconds, and when they are over, from the beginning again."""
        while True:
            for byte in data:
                if self.stop.wait(seconds):
                    return
                self.send(bytes([byte]))

    def pour(self, data: bytes) -> None:
        """As fast as the client reads, for ever."""
        while not self.stop.is_set():
            self.send(data)


@dataclass
class HostileServer:
    """answer: what a request gets; it may be exchanged. requests: the paths so far; open: connections now."""

    address: str
    answer: Answer
    requests: list[str] = field(default_factory=list)
    open: int = 0


@contextmanager
def hostile_server(answer: Answer) -> Iterator[HostileServer]:
    stop, listener = threading.Event(), socket.create_server(("127.0.0.1", 0), backlog=64)
    server = HostileServer(f"http://127.0.0.1:{listener.getsockname()[1]}", answer)
    lock = threading.Lock()

    def serve(connection: socket.socket) -> None:
        with lock:
            server.open += 1
        try:
            with connection, suppress(OSError):
                connection.settimeout(120)
                while head := _head(connection):
                    server.requests.append(head.split(b" ", 2)[1].decode())
                    server.answer(Peer(connection, head, stop))
        finally:
            with lock:
                server.open -= 1

    def listen() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    accepting = threading.Thread(target=listen, daemon=True)
    accepting.start()
    try:
        yield server
    finally:
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join(10)


def _head(connection: socket.socket) -> bytes:
    """The next request, without its body; empty when the client has closed."""
    head = b""
    while b"\r\n\r\n" not in head:
        part = connection.recv(65536)
        if not part:
            return b""
        head += part
    head, _, body = head.partition(b"\r\n\r\n")
    length = next((int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head


def eventually(holds: Callable[[], bool], seconds: float = 120) -> bool:
    """Whether it holds at last."""
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True
