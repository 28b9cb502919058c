"""One port for all JobManagers: http://127.0.0.1:PORT/{namespace}/{name}/… is that JobManager's REST API."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_TIMEOUT = 60.0  # seconds
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})

FindPort = Callable[[str, str], int | None]
"""The REST port of the JobManager of (namespace, name); None where there is none."""


def serve(port: int, find_port: FindPort) -> ThreadingHTTPServer:
    """A reverse proxy on a port of 127.0.0.1 (0: any free one); call `serve_forever` on it.

    Without a JobManager, or while it does not answer, the answer is 503, as from a Service without endpoints.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Requests are not logged."""

        def _forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            _, namespace, name, *rest = [*self.path.split("/", 3), "", "", ""][:4]
            target = find_port(namespace, name)
            if target is None:
                self._answer(503, {}, f"no JobManager {namespace}/{name}\n".encode())
                return
            headers = {key: value for key, value in self.headers.items() if key.lower() not in _HOP_BY_HOP}
            connection = http.client.HTTPConnection("127.0.0.1", target, timeout=_TIMEOUT)
            try:
                connection.request(self.command, f"/{rest[0]}", body or None, headers)
                response = connection.getresponse()
                kept = {key: value for key, value in response.getheaders() if key.lower() not in _HOP_BY_HOP}
                self._answer(response.status, kept, response.read())
            except (OSError, http.client.HTTPException) as error:
                self._answer(503, {}, f"JobManager {namespace}/{name} does not answer: {error}\n".encode())
            finally:
                connection.close()

        def _answer(self, code: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(code)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _forward  # noqa: N815 - the base class names them so

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    return server
