"""The command line: `lindorm-import controller` runs the controller."""

import argparse
import os

from controller.decide import Settings


def _controller(arguments: argparse.Namespace) -> int:
    from controller import operator  # kopf takes a second to load; other commands do not need it

    operator.run(arguments.namespace, Settings(poll=arguments.poll, image=arguments.job_image))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lindorm-import", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
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
    controller.set_defaults(run=_controller)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    arguments = _parser().parse_args(argv)
    code: int = arguments.run(arguments)
    return code
