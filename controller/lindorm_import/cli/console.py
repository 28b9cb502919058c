"""Where text goes: colours and width on a terminal, plain lines elsewhere."""

import sys

from rich.console import Console

_WIDTH = 160  # of what goes to a file or a pipe, where nothing says how wide it may be


def console(stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    # What is printed is text, and no marks of rich's: [link=…] in a name is a name.
    width = None if stream.isatty() else _WIDTH
    return Console(file=stream, markup=False, emoji=False, highlight=False, soft_wrap=False, width=width)
