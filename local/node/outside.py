"""The node's process on the machine: starts the node in namespaces of its own, and carries connections into them.

A port of 127.0.0.1 here is the same port of 127.0.0.1 there, for the API server, AWS and Lindorm: so kubectl, the AWS
CLI and the tests reach them as they reach the embedded stack, and nothing on the machine is configured for it.
The node ends with this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from local.node.parts import node_layout
from local.processes import Process, free_port

PORTS = ("kube-apiserver", "moto", "dynamodb-gate", "lindorm")
_CLONE_NEWNET = 0x40000000


def _listener(taken: set[int]) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", free_port(taken)))
    made.listen(128)
    return made


def _first_process(unshare: subprocess.Popen[bytes]) -> int:
    """The first process of the namespaces, once they are there. Raises OSError when unshare has ended."""
    children = Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children")
    while unshare.poll() is None:
        if found := children.read_text().split():
            return int(found[0])
        time.sleep(0.01)
    raise OSError(f"unshare ended with {unshare.returncode}: this machine may not make namespaces")


def _enter_network(pid: int) -> None:
    """Lets the sockets that this thread makes from now on be in the network of a process."""
    library = ctypes.CDLL(None, use_errno=True)
    with Path(f"/proc/{pid}/ns/net").open() as namespace:
        if library.setns(namespace.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


async def _serve(listeners: dict[str, socket.socket], unshare: subprocess.Popen[bytes]) -> int:
    """Carries connections until the node ends; its exit code."""

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = writer.get_extra_info("sockname")[1]
        with contextlib.suppress(OSError):
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_carry(reader, there_writer), _carry(there_reader, writer))
            there_writer.close()
        writer.close()

    servers = [await asyncio.start_server(connect, sock=listener) for listener in listeners.values()]
    while unshare.poll() is None:
        await asyncio.sleep(0.2)
    for server in servers:
        server.close()
    return unshare.returncode


def main() -> int:
    """`python -m local.node.outside FOLDER`; FOLDER holds `images.json`."""
    folder = Path(sys.argv[1])
    lock = (node_layout().root / "lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        print(
            f"Another node runs on this machine, in {lock.read()}: end it there with make node-down.", file=sys.stderr
        )
        return 1
    lock.truncate(0)
    lock.write(str(folder))
    lock.flush()
    taken: set[int] = set()
    listeners = {name: _listener(taken) for name in PORTS}
    given = {
        "images": json.loads((folder / "images.json").read_text()),
        "ports": {name: listener.getsockname()[1] for name, listener in listeners.items()},
    }
    (folder / "inside.json").write_text(json.dumps(given, indent=1))
    namespaces = ["--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--mount-proc", "--kill-child"]
    # The kernel kills unshare with this process, unshare's death kills the first process, and that one's all others.
    command = ["setpriv", "--pdeathsig", "KILL", "unshare", *namespaces]
    unshare = subprocess.Popen([*command, sys.executable, "-m", "local.node.inside", str(folder)])
    first = _first_process(unshare)
    (folder / "first.json").write_text(json.dumps(Process.running(first).as_json()))
    while os.readlink(f"/proc/{first}/ns/net") == os.readlink("/proc/self/ns/net"):
        time.sleep(0.01)
    _enter_network(first)
    return asyncio.run(_serve(listeners, unshare))


if __name__ == "__main__":
    sys.exit(main())
