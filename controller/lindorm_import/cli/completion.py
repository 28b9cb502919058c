"""Completion: `lindorm-import completion bash` prints what a shell needs; kubectl runs `kubectl_complete-lindorm`."""

import argparse
import os
import shlex
import sys
from typing import Any

import argcomplete
from argcomplete.completers import BaseCompleter
from argcomplete.shell_integration import shellcode

from lindorm_import.cli.errors import OK

# What ends the answer to kubectl: a sum of cobra's ShellCompDirective values; 4 is NoFileComp (its completions.go).
_FILES, _NO_FILES = ":0", ":4"


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "completion",
        help="print a shell's completion script",
        description='Prints the completion script of a shell. In ~/.bashrc: eval "$(lindorm-import completion bash)". '
        "For kubectl lindorm nothing is needed but kubectl's own completion.",
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))
    parser.set_defaults(run=run)


class _Nothing(BaseCompleter):
    def __call__(self, **_: Any) -> tuple[str, ...]:
        return ()


def answer_shell(parser: argparse.ArgumentParser, **how: Any) -> None:
    """Where a shell asks, by argcomplete's variables, answers it and ends the process; else does nothing. Files are
    left to the shell, which offers them where nothing else fits."""
    argcomplete.autocomplete(parser, default_completer=_Nothing(), **how)


def run(arguments: argparse.Namespace) -> int:
    print(shellcode(["lindorm-import"], shell=arguments.shell))
    return OK


def for_kubectl(parser: argparse.ArgumentParser, words: list[str]) -> int:
    """Answers kubectl: one completion a line, then a directive. words: those after `kubectl lindorm`, the last of them
    what is being written, "" where it has not begun (the help of `kubectl plugin`)."""
    *before, last = words or [""]
    line = shlex.join(["lindorm-import", *before]) + " " + last
    asked = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_SUPPRESS_SPACE": "1"}
    os.environ.update(asked, COMP_LINE=line, COMP_POINT=str(len(line)))
    answer_shell(parser, exit_method=lambda _: None, output_stream=sys.stdout)
    files = before and before[-1] in ("-f", "--file", "--prices", "-d", "--directory")
    print(f"\n{_FILES if files else _NO_FILES}")
    return OK
