"""`doctor`: what a newcomer gets wrong, checked one by one, each with what it means and what to do."""

import argparse
import json
import os
from typing import Any

from rich.text import Text

from lindorm_import.api.spec import ImportSpec
from lindorm_import.cli import checks, checks_aws, checks_source, documents
from lindorm_import.cli.checks import Check
from lindorm_import.cli.cluster import Cluster, ask_credentials
from lindorm_import.cli.console import console
from lindorm_import.cli.errors import FAILED, OK
from lindorm_import.domain.words import counted

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red", "skip": "dim"}


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "doctor",
        help="check cluster, AWS and Lindorm, one by one",
        description="Checks what an import needs and changes nothing. With NAME, -f or the flags of submit it also "
        "looks at that import's Lindorm table, DynamoDB table, bucket and role. Exit code 1 where something fails.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="an import in the cluster")
    parser.add_argument("-f", "--file", help="a manifest; - for standard input")
    parser.add_argument("-n", "--namespace")
    parser.add_argument("-o", "--output", choices=["text", "json"], default="text")
    documents.add_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    given = _given(arguments)
    cluster = Cluster.connect(arguments.namespace or (given.namespace if given else None))
    found = checks.kubernetes(cluster)
    spec = given.spec if given else None
    if arguments.name and found[0].level == "ok":
        spec = documents.checked({k: v for k, v in cluster.read(arguments.name).items() if k != "status"}).spec
    if spec is not None:
        found += _of_import(cluster, spec)
    if arguments.output == "json":
        print(json.dumps([vars(check) for check in found], indent=2))
    else:
        show(found, spec)
    return FAILED if any(check.level == "fail" for check in found) else OK


def _given(arguments: argparse.Namespace) -> documents.Manifest | None:
    if arguments.file:
        return documents.read_file(arguments.file)
    return documents.from_flags(arguments) if arguments.jdbc_url else None


def _of_import(cluster: Cluster, spec: ImportSpec) -> list[Check]:
    secret, login = checks.secret(cluster, spec.source.credentials.secret_name)
    if login is None and os.environ.get("LINDORM_USERNAME") and os.environ.get("LINDORM_PASSWORD"):
        login = ask_credentials()
    source, mapping = checks_source.lindorm(spec, login)
    return [secret, *source, *checks_aws.amazon(spec, cluster.namespace, mapping)]


def show(found: list[Check], spec: ImportSpec | None) -> None:
    out = console()
    for check in found:
        out.print(Text.assemble((f"{check.level:<4}", _STYLES[check.level]), f"  {check.name}: {check.found}"))
        if check.advice and check.level in ("warn", "fail"):
            out.print(Text(f"      -> {check.advice}", "dim"))
    counts = {level: sum(1 for c in found if c.level == level) for level in ("ok", "warn", "fail")}
    out.print(f"{counts['ok']} ok, {counted(counts['warn'], 'warning')}, {counts['fail']} failed")
    if spec is None:
        out.print("Lindorm, the table, the bucket and the role: name an import, or give -f", style="dim")
