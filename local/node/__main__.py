"""python -m local.node setup | build | up | down | enter: a real node by hand (make node, make node-down).

setup  install the Debian packages that it takes
build  build what the cache lacks
up     start it with the controller, a Secret and a loaded source, and leave it; prints what to use
down   end it
enter  a shell in its namespaces
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from local.bootstrap import REPOSITORY, BootstrapError
from local.node.cluster import IMPORTS
from local.node.machine import MachineError, install
from local.node.node import Node, NodeError, prepare

_ROWS = 100_000
_TRY = """\
The node is up: a kubelet, the Flink operator and the controller, with {rows:,} rows in Lindorm's table readings.
Its bridge enforces NetworkPolicies: {policies}.

to use it:  . {env}
an import:  sed "s#jdbc:mysql://.*#{url}#" examples/readings.yaml | kubectl apply -n {imports} -f -
to watch:   kubectl get limport,flinkdeployment,pods -n {imports}
its logs:   {logs}
inside it:  make node-enter
to end it:  make node-down
"""


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _up(node: Node) -> None:
    if node.running:
        _say("The node is up already.")
    else:
        node.start(_say)
        began = time.monotonic()
        node.load_rows(_ROWS)
        node.create_secret()
        node.install_controller()
        _say(f"node: the controller is ready after {time.monotonic() - began:.0f} s")
    print(
        _TRY.format(
            rows=_ROWS,
            policies="no",
            env=node.folder / "env",
            url=node.pod_environment["LINDORM_URL"],
            imports=IMPORTS,
            logs=node.folder / "node" / "pods",
        ),
        end="",
    )


def _enter(node: Node) -> None:
    if not node.running:
        raise NodeError("No node is up: make node.")
    command = node.command_inside(os.environ.get("SHELL", "/bin/sh"))
    os.execvpe(command[0], command, {**os.environ, **node.environment})  # noqa: S606


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m local.node", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    parser.add_argument("command", choices=("setup", "build", "up", "down", "enter"))
    parser.add_argument("--dir", type=Path, default=REPOSITORY / ".stack" / "node", help="default: .stack/node here")
    options = parser.parse_args()
    node = Node(options.dir)
    try:
        match options.command:
            case "setup":
                install()
            case "build":
                prepare(_say)
            case "up":
                _up(node)
            case "down":
                node.stop()
            case _:
                _enter(node)
    except (MachineError, BootstrapError, NodeError) as error:
        print(f"node: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
