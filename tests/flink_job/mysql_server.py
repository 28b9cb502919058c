"""The Lindorm stand-in, in this process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from local.lindorm.controls import Controls
from local.lindorm.server import Server
from local.lindorm.store import Store

USER, PASSWORD = "reader", "secret"


@contextmanager
def lindorm(store: Store) -> Iterator[int]:
    """Its port."""
    with Server(0, store, Controls(), USER, PASSWORD) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
