"""The control port, for tests: HTTP and JSON on 127.0.0.1.

GET  /state       {"settings": {...}, "counters": {...}, "open": n}
POST /settings    {"page_latency_ms": 20, ...}: fields of `controls.Settings`; those not named keep their value
POST /reset       settings and counters as at the start, the list of served reads empty
POST /drop        close every open connection: {"dropped": n}
GET  /served      the last 10,000 table reads, oldest first: [{"sql", "params", "rows", "ms"}]
POST /load        {"table": "readings", "rows": 100000, ...}: see `data.Shape`; answers {"rows": n, "seconds": s}
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, fields
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from local.lindorm import data
from local.lindorm.controls import CHOICES, Controls, Counters, Settings
from local.lindorm.store import Store


class ControlServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, controls: Controls, store: Store) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.controls = controls
        self.store = store


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Requests are not logged."""

    def _answer(self, value: object, status: int = 200) -> None:
        body = json.dumps(value, default=str).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")  # Java's client keeps a connection of HTTP/1.0 too, unless it is told
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        controls = cast(ControlServer, self.server).controls
        with controls.lock:
            if self.path == "/state":
                return self._answer(
                    {
                        "settings": asdict(controls.settings),
                        "counters": asdict(controls.counters),
                        "open": len(controls.open),
                    }
                )
            if self.path == "/served":
                return self._answer(list(controls.served))
        return self._answer({"error": f"unknown path {self.path}"}, 404)

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        try:
            given = json.loads(self.rfile.read(size) or b"{}")
            self._answer(self._change(given))
        except (KeyError, TypeError, ValueError) as error:
            self._answer({"error": f"{type(error).__name__}: {error}"}, 400)

    def _change(self, given: dict[str, Any]) -> dict[str, Any]:
        server = cast(ControlServer, self.server)
        controls = server.controls
        if self.path == "/settings":
            known = {item.name for item in fields(Settings)}
            if set(given) - known:
                raise ValueError(f"unknown settings {sorted(set(given) - known)}; there are {sorted(known)}")
            for name, choices in CHOICES.items():
                if name in given and given[name] not in choices:
                    raise ValueError(f"{name} is one of {', '.join(choices)}")
            with controls.lock:
                for name, value in given.items():
                    setattr(controls.settings, name, value)
            return asdict(controls.settings)
        if self.path == "/reset":
            with controls.lock:
                controls.settings, controls.counters = Settings(), Counters()
                controls.knows_password = False
                controls.served.clear()
            return {}
        if self.path == "/drop":
            return {"dropped": controls.drop_all()}
        if self.path == "/load":
            start = time.monotonic()
            rows = data.load(server.store, data.Shape(**given))
            return {"rows": rows, "seconds": round(time.monotonic() - start, 3)}
        raise ValueError(f"unknown path {self.path}")
