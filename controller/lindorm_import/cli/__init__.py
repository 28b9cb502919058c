"""The command line: `lindorm-import`, also `kubectl lindorm` (the same program under kubectl's name for a plugin).

Exit codes: 0 done, 1 the import failed, 2 what was given cannot work (one sentence on stderr says why).
"""

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from lindorm_import.api.text import printable
from lindorm_import.cli import completion, doctor, edit, plan, report, watch
from lindorm_import.cli.errors import BAD_INPUT, INTERRUPTED, BadInputError
from lindorm_import.decide import Settings
from lindorm_import.domain.trouble import TroubleError
from lindorm_import.plan import Prices, PricesError
from lindorm_import.runtime.logs import LEVELS


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _controller(arguments: argparse.Namespace) -> int:
    from lindorm_import.runtime import operator  # kopf takes a second to load; other commands do not need it
    from lindorm_import.runtime.serving import ListenError

    try:
        prices = Prices.load(arguments.prices)
    except PricesError as error:
        raise BadInputError(f"--prices: {error}") from error
    settings = Settings(poll=arguments.poll, image=arguments.job_image, prices=prices)
    try:
        operator.run(arguments.namespace, settings, arguments.listen, arguments.log_level)
    except ListenError as error:
        raise BadInputError(f"--listen: {error}") from error
    return 0


def _parser() -> argparse.ArgumentParser:
    program = "kubectl lindorm" if Path(sys.argv[0]).name == "kubectl-lindorm" else "lindorm-import"
    parser = _Parser(prog=program, description="Imports a time range of a Lindorm table into DynamoDB.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (plan, watch, report, doctor, completion):
        command.add_parser(commands)
    edit.add_parsers(commands)
    controller = commands.add_parser("controller", help="run the controller")
    controller.add_argument("--namespace", action="append", default=[], help="watch only this namespace (repeatable)")
    controller.add_argument(
        "--poll", type=float, default=10.0, help="seconds between looks at a running job (default 10)"
    )
    controller.add_argument(
        "--job-image",
        default=os.environ.get("LINDORM_IMPORT_JOB_IMAGE"),
        help="image of the Flink job, where spec.job.image names none (or LINDORM_IMPORT_JOB_IMAGE)",
    )
    controller.add_argument(
        "--listen", metavar="HOST:PORT", help="serve /metrics and /healthz there; :8080 is port 8080 of all addresses"
    )
    controller.add_argument(
        "--log-level",
        choices=LEVELS,
        default="info",
        help="from which level on it logs (default info); debug: each pass",
    )
    controller.add_argument("--prices", type=Path, help="a price file instead of the bundled one")
    controller.set_defaults(run=_controller)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    parser = _parser()
    completion.answer_shell(parser)
    arguments = parser.parse_args(argv)
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except BadInputError as error:
        return _say(str(error))
    except TroubleError as error:
        return _say(error.trouble.message)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `lindorm-import … | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def complete() -> int:
    """kubectl_complete-lindorm: kubectl asks it what can follow `kubectl lindorm …`."""
    return completion.for_kubectl(_parser(), sys.argv[1:])


def _say(message: str) -> int:
    print(f"error: {printable(' '.join(message.split()))}", file=sys.stderr)
    return BAD_INPUT
