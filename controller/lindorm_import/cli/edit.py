"""`submit`, `render`, `suspend`, `resume`, `delete`: what changes an import, each with a word on what follows."""

import argparse
from typing import Any

import yaml

from lindorm_import.api.spec import ImportSpec
from lindorm_import.api.status import ImportStatus
from lindorm_import.cli import documents
from lindorm_import.cli.cluster import Cluster
from lindorm_import.cli.documents import Manifest
from lindorm_import.cli.errors import OK, BadInputError


def add_parsers(commands: Any) -> None:
    submit = commands.add_parser(
        "submit",
        help="create an import, from flags or a manifest",
        description="Creates the import, and the Secret with Lindorm's user and password where there is none: from "
        "LINDORM_USERNAME and LINDORM_PASSWORD, or by a prompt.",
    )
    render = commands.add_parser(
        "render", help="print the manifest for Git", description="Prints the manifest that submit would apply."
    )
    for parser in (submit, render):
        parser.add_argument("-f", "--file", help="a manifest; - for standard input")
        parser.add_argument("-n", "--namespace")
        documents.add_flags(parser)
    submit.set_defaults(run=run_submit)
    render.set_defaults(run=run_render)
    for name, run, text in (
        ("suspend", run_suspend, "stop the job; it can continue later from its last checkpoint"),
        ("resume", run_resume, "continue after suspend"),
        ("delete", run_delete, "delete the import, and say what stays"),
    ):
        parser = commands.add_parser(name, help=text, description=f"{text[:1].upper()}{text[1:]}.")
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("-n", "--namespace")
        parser.set_defaults(run=run)


def _wanted(arguments: argparse.Namespace) -> Manifest:
    wanted = documents.read_file(arguments.file) if arguments.file else documents.from_flags(arguments)
    if arguments.namespace and wanted.namespace not in (None, arguments.namespace):
        raise BadInputError(
            f"--namespace is {arguments.namespace}, metadata.namespace is {wanted.namespace}: choose one"
        )
    documents.warn(wanted.spec)
    return wanted


def run_render(arguments: argparse.Namespace) -> int:
    print(yaml.safe_dump(_wanted(arguments).document, sort_keys=False, width=120), end="")
    return OK


def run_submit(arguments: argparse.Namespace) -> int:
    wanted = _wanted(arguments)
    cluster = Cluster.connect(arguments.namespace or wanted.namespace)
    secret = wanted.spec.source.credentials.secret_name
    if cluster.ensure_secret(secret):
        print(f"secret/{secret} created in {cluster.namespace}")
    cluster.apply(wanted.document)
    print(f"limport/{wanted.name} submitted in {cluster.namespace}: lindorm-import watch {wanted.name}")
    return OK


def run_suspend(arguments: argparse.Namespace) -> int:
    _suspend(arguments, True)
    print(
        f"limport/{arguments.name} is suspending: its job stops with a checkpoint and its pods are removed; the table, "
        "its capacity (provisioned capacity still costs) and what is staged stay. lindorm-import resume continues from "
        "there"
    )
    return OK


def run_resume(arguments: argparse.Namespace) -> int:
    _suspend(arguments, False)
    print(f"limport/{arguments.name} continues from its last checkpoint: lindorm-import watch {arguments.name}")
    return OK


def _suspend(arguments: argparse.Namespace, suspend: bool) -> None:
    cluster = Cluster.connect(arguments.namespace)
    status = ImportStatus.model_validate(cluster.read(arguments.name).get("status") or {})
    ended = next((c.type for c in status.conditions if c.type in ("Complete", "Failed") and c.status == "True"), None)
    if ended:
        raise BadInputError(
            f"NAME: {arguments.name} has ended ({ended}), so it can neither be suspended nor resumed: create another"
        )
    cluster.patch(arguments.name, {"spec": {"suspend": suspend}})


def run_delete(arguments: argparse.Namespace) -> int:
    cluster = Cluster.connect(arguments.namespace)
    resource = cluster.read(arguments.name)
    status = ImportStatus.model_validate(resource.get("status") or {})
    spec = ImportSpec.model_validate(resource["spec"])
    cluster.delete(arguments.name)
    print(f"limport/{arguments.name} is being deleted: its job stops, its checkpoints are removed")
    for text in what_stays(spec, status):
        print(text)
    return OK


def what_stays(spec: ImportSpec, status: ImportStatus) -> list[str]:
    """What deleting the import leaves, and what it takes along."""
    out = []
    table, bucket = status.resource("Table"), status.resource("Bucket")
    if table:
        made = table.origin == "Created" or table.made_by is not None
        goes = made and spec.target.deletion_policy == "Delete"
        why = f"target.deletionPolicy is {spec.target.deletion_policy}" if made else "it was there before"
        told = "deleted, once no other import uses it" if goes else "stays"
        out.append(f"  {told}: DynamoDB table {table.name} with its items ({why})")
    if status.run and spec.staging.deletion_policy == "Retain":
        out.append(f"  stays: result and rejects in {status.run.prefix} (staging.deletionPolicy is Retain)")
    elif status.run:
        out.append(f"  deleted: everything in {status.run.prefix}, rejects too (staging.deletionPolicy is Delete)")
    if bucket and ((bucket.origin == "Adopted" and not bucket.made_by) or spec.staging.deletion_policy == "Retain"):
        out.append(f"  stays: bucket {bucket.name}")
    elif bucket:
        out.append(f"  deleted: bucket {bucket.name}, once nothing else is in it")
    out.append(f"  stays: Secret {spec.source.credentials.secret_name}")
    return out
