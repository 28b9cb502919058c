"""Where text goes: colours and width on a terminal, plain lines elsewhere."""

import sys

from rich.console import Console

_WIDTH = 160  # of what goes to a file or a pipe, where nothing says how wide it may be


def console(stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, highlight=False, soft_wrap=False, width=None if stream.isatty() else _WIDTH)
