"""The controller's HTTP port: /metrics for Prometheus, /healthz for the kubelet (docs/metrics.md)."""

import socket
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from lindorm_import.runtime.metrics import Metrics

LOOP_SILENT = 60.0
PASS_STUCK = 20 * 60.0  # every call outside has a timeout, and a pass makes some tens of them


class Health:
    """Whether the controller makes progress. Not whether the world outside does: no restart would fix that."""

    def __init__(self, longest_pass: Callable[[], float], clock: Callable[[], float] = time.monotonic) -> None:
        """longest_pass: seconds that the oldest running pass has run."""
        self._longest_pass, self._clock = longest_pass, clock
        self._beat = clock()

    def beat(self) -> None:
        """The event loop turns."""
        self._beat = self._clock()

    def problem(self) -> str | None:
        """Why the process should be restarted; None while it should not."""
        silent = self._clock() - self._beat
        if silent > LOOP_SILENT:
            return f"the event loop has not turned for {silent:.0f} s"
        longest = self._longest_pass()
        if longest > PASS_STUCK:
            return f"a pass has not come back for {longest:.0f} s"
        return None


class ListenError(ValueError):
    """The controller cannot listen on the address; the message says why."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True


def serve(listen: str, metrics: Metrics, health: Health) -> ThreadingHTTPServer:
    """Serves in a thread of its own. listen: 'HOST:PORT'; without HOST all addresses, IPv4 and IPv6.

    Raises ListenError when the port is taken, or when listen is no such text.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(metrics.registry))
            elif self.path == "/healthz":
                problem = health.problem()
                self._answer(503 if problem else 200, "text/plain", (problem or "ok").encode())
            else:
                self._answer(404, "text/plain", b"/metrics and /healthz are here")

        def _answer(self, code: int, kind: str, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Every probe is no news."""

    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ListenError(f"{listen!r} is not HOST:PORT, such as :8080")
    server = _Server(("", 0), Handler, bind_and_activate=False)
    server.socket.close()
    try:
        server.socket = _bound(host.strip("[]"), int(port))
    except OSError as error:
        raise ListenError(f"cannot listen on {listen}: {error.strerror or error}") from error
    server.server_address = server.socket.getsockname()[:2]
    Thread(target=server.serve_forever, name="http", daemon=True).start()
    return server


def _bound(host: str, port: int) -> socket.socket:
    if host:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    dual = socket.has_dualstack_ipv6()
    return socket.create_server(("", port), family=socket.AF_INET6 if dual else socket.AF_INET, dualstack_ipv6=dual)
