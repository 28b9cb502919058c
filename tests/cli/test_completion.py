"""What a shell and kubectl are offered."""

import os
import subprocess
import sys

import pytest

from local.bootstrap import REPOSITORY

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPOSITORY / "controller")}


def kubectl(*words: str) -> list[str]:
    """What kubectl reads of a process of its own: completions, then the directive."""
    program = "import sys; from lindorm_import.cli import complete; sys.exit(complete())"
    command = [sys.executable, "-c", program, *words]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("su",), {"submit", "suspend"}),
        (("completion", ""), {"bash", "zsh", "fish"}),
        (("plan", "--ro"), {"--rows", "--rows-per-second"}),
        (("watch", "--namespace", "default", "--int"), {"--interval"}),
    ],
)
def test_kubectl_is_offered_what_can_follow(words: tuple[str, ...], offered: set[str]) -> None:
    *completions, directive = kubectl(*words)
    assert offered <= set(completions)
    assert all(c.startswith(words[-1]) for c in completions)
    assert directive == ":4"


def test_a_file_is_left_to_the_shell() -> None:
    assert kubectl("plan", "-f", "ex")[-1] == ":0"


def test_bash_completes_a_command() -> None:
    """The printed script, in a shell that has the program on its path as an installation has it."""
    program = f'lindorm-import() {{ "{sys.executable}" -m lindorm_import.cli "$@"; }}\n'
    ask = """
    eval "$(lindorm-import completion bash)"
    export -f lindorm-import
    COMP_LINE="lindorm-import susp" COMP_POINT=19 COMP_WORDS=(lindorm-import susp) COMP_CWORD=1 COMP_TYPE=9
    _python_argcomplete lindorm-import susp lindorm-import
    echo "offered: ${COMPREPLY[*]}"
    """
    command = ["bash", "--norc", "-c", program + ask]
    said = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert "offered: suspend" in said.stdout, said.stderr
