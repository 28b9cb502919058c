"""python -m local up | down | status | env: the embedded stack by hand.

up      start it with the controller, the Secret and a loaded source, and leave it; prints the variables to use
down    stop it
status  say what runs
env     print the variables again, as a shell file: eval "$(python -m local env)"
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from local.bootstrap import REPOSITORY
from local.demo import World
from local.lindorm.data import Shape, load
from local.lindorm.store import Store
from local.record import recorded, stop_recorded
from local.stack import Stack, StackError

_ROWS = 100_000
_TRY = """\
to use it:  . {env}
an import:  sed "s#jdbc:mysql://.*#$LINDORM_URL#" examples/readings.yaml | kubectl apply -f -
to watch:   kubectl get limport -w
"""


def _up(folder: Path) -> int:
    running = recorded(folder)
    if running and all(process.alive for process in running.values()):
        print("the stack is up already", file=sys.stderr)
    else:
        stack = Stack(folder)
        try:
            stack.start()
            world = World(stack)
            load(Store(stack.folder / "lindorm"), Shape(rows=_ROWS))
            world.create_secret()
            world.start_controller()
        except StackError as error:
            print(f"the stack did not start: {error}", file=sys.stderr)
            return 1
    print(_TRY.format(env=folder / "env"), file=sys.stderr)
    return _env(folder)


def _down(folder: Path) -> int:
    stop_recorded(folder)
    return 0


def _status(folder: Path) -> int:
    """Exit code 0 when every part runs, 1 when none or not all do."""
    processes = recorded(folder)
    for name, process in processes.items():
        print(f"{name:25} {'running' if process.alive else 'ended':8} {process.pid:8}  {process.log}")
    if not processes:
        print("no stack is up")
    return 0 if processes and all(process.alive for process in processes.values()) else 1


def _env(folder: Path) -> int:
    try:
        print((folder / "env").read_text(), end="")
    except FileNotFoundError:
        print("no stack is up", file=sys.stderr)
        return 1
    return 0


def main() -> int:
    """The command line."""
    commands = {"up": _up, "down": _down, "status": _status, "env": _env}
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__.split("\n")[0])
    parser.add_argument("command", choices=commands)
    parser.add_argument("--dir", type=Path, default=REPOSITORY / ".stack", help="default: .stack in the checkout")
    options = parser.parse_args()
    return commands[options.command](options.dir.resolve())


if __name__ == "__main__":
    sys.exit(main())
