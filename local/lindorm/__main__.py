"""Start the stand-in: `python -m local.lindorm --port 0 --data DIR --user U --password P --ready-file F`.

With `--tls DIR` connections may be encrypted, with a certificate for `localhost` whose authority is DIR/ca.crt.
The ready file, written when connections are accepted: {"port": MySQL protocol, "control": control port (HTTP)}.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import threading
from pathlib import Path

from local.lindorm.control import ControlServer
from local.lindorm.controls import Controls
from local.lindorm.server import Server
from local.lindorm.store import Store
from local.lindorm.tls import tls_context


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.lindorm", description="A stand-in for Lindorm.")
    parser.add_argument("--port", type=int, default=0, help="for the MySQL protocol; 0: any free one")
    parser.add_argument("--data", type=Path, required=True, help="folder of the tables; kept between runs")
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--tls", type=Path, metavar="DIR", help="offer TLS; keys and certificates, made if missing")
    parser.add_argument("--ready-file", type=Path, required=True)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    controls, store = Controls(), Store(options.data)
    tls = tls_context(options.tls) if options.tls else None
    server = Server(options.port, store, controls, options.user, options.password, tls)
    control = ControlServer(controls, store)
    threading.Thread(target=control.serve_forever, daemon=True).start()
    ready = {"port": server.server_address[1], "control": control.server_address[1]}
    unfinished = options.ready_file.with_suffix(".tmp")
    unfinished.write_text(json.dumps(ready))
    os.replace(unfinished, options.ready_file)
    logging.info("ready: %s", ready)
    server.serve_forever()


if __name__ == "__main__":
    main()
