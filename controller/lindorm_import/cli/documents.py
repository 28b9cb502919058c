"""Imports as documents: from a file, or made from flags."""

import argparse
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from lindorm_import.api import GROUP, KIND, VERSION
from lindorm_import.api.instants import parse_instant, text_of
from lindorm_import.api.modes import is_provisioned
from lindorm_import.api.spec import ImportSpec
from lindorm_import.cli.errors import BadInputError, first_error

Document = dict[str, Any]
API_VERSION = f"{GROUP}/{VERSION}"
_TOP = {"apiVersion", "kind", "metadata", "spec", "status"}


class _Loader(yaml.SafeLoader):
    """Leaves times as the text that they are, as kubectl does: a datetime ends at microseconds."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class Manifest:
    """An import as the user gave it. document: complete, for the API server; spec: the same, checked."""

    document: Document
    spec: ImportSpec

    @property
    def name(self) -> str:
        return str(self.document["metadata"]["name"])

    @property
    def namespace(self) -> str | None:
        namespace: str | None = self.document["metadata"].get("namespace")
        return namespace


def read_file(path: str) -> Manifest:
    """The one LindormImport in a YAML file; '-' is standard input. Raises BadInputError."""
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text()
        documents = [d for d in yaml.load_all(text, _Loader) if d is not None]
    except OSError as error:
        raise BadInputError(f"-f {path}: cannot be read ({error.strerror}): give the path of a manifest") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise BadInputError(f"-f {path}{line}: is not YAML: correct the file") from error
    imports = [d for d in documents if isinstance(d, dict) and d.get("kind") == KIND]
    if len(imports) != 1:
        raise BadInputError(f"-f {path}: has {len(imports)} documents of kind {KIND}: give a file with one")
    return checked(imports[0], f"-f {path}: ")


def checked(document: Document, where: str = "") -> Manifest:
    """The document, provided that it is a LindormImport that admission will take. Raises BadInputError."""
    if document.get("apiVersion") != API_VERSION:
        raise BadInputError(f"{where}apiVersion is {document.get('apiVersion')!r}: write {API_VERSION}")
    if unknown := sorted(set(document) - _TOP):
        raise BadInputError(f"{where}{unknown[0]} is not a field of a {KIND}: put it below spec, or remove it")
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise BadInputError(f"{where}metadata.name is missing: give the import a name")
    if not isinstance(document.get("spec"), dict):
        raise BadInputError(f"{where}spec is missing: say what to import (lindorm-import render writes an example)")
    try:
        return Manifest(document, ImportSpec.model_validate(document["spec"]))
    except ValidationError as error:
        raise BadInputError(where + first_error(error, ImportSpec)) from error


def warnings(spec: ImportSpec, now: datetime) -> list[str]:
    """What is allowed but worth a word."""
    time = spec.source.time_range
    if time.end > parse_instant(now):
        return [
            f"spec.source.timeRange.end {text_of(time.end)} is in the future: rows that reach Lindorm after "
            "the job has read past them are not imported"
        ]
    return []


def warn(spec: ImportSpec) -> None:
    for line in warnings(spec, datetime.now(UTC)):
        print(f"note: {line}", file=sys.stderr)


# --- from flags ----------------------------------------------------------------------------------------------------

_REQUIRED = ("bucket", "jdbc_url", "table", "start", "end", "region")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of those who come from a shell script."""
    flags = parser.add_argument_group("what to import")
    flags.add_argument("--name", help="the import's name; default: the Lindorm table's")
    flags.add_argument("--bucket", help="S3 bucket for checkpoints, rejects and the result")
    flags.add_argument("--jdbc-url", help="jdbc:mysql://HOST:33060/DATABASE (or jdbc:lindorm://…)")
    flags.add_argument("--table", help="the Lindorm table")
    flags.add_argument("--time-column", default="ts", help="the time column (default ts)")
    flags.add_argument("--time-unit", choices=["Seconds", "Milliseconds", "Microseconds", "Nanoseconds"])
    flags.add_argument("--start", help="first instant, such as 2023-01-01T00:00:00Z")
    flags.add_argument("--end", help="end of the range (exclusive)")
    flags.add_argument("--region", default=os.environ.get("AWS_REGION"), help="of the DynamoDB table (or AWS_REGION)")
    flags.add_argument("--target-table", help="the DynamoDB table; default: the Lindorm table's name")
    flags.add_argument("--secret", default="lindorm", help="Secret with username and password (default lindorm)")
    flags.add_argument("--role", help="ARN of the job's execution role")
    flags.add_argument("--write-units", type=int, help="write units a second")
    flags.add_argument("--mode", choices=["OnDemand", "Provisioned"], help="capacity mode of the table")
    flags.add_argument("--warm", action=argparse.BooleanOptionalAction, default=None, help="pre-warm to --write-units")
    flags.add_argument("--max-cost", help="budget.maxCostUSD")
    flags.add_argument("--max-duration", help="budget.maxDuration, such as 24h")


def from_flags(arguments: argparse.Namespace) -> Manifest:
    """The import that the flags describe. Raises BadInputError."""
    missing = [flag for flag in _REQUIRED if getattr(arguments, flag) is None]
    if missing:
        told = ", ".join("--" + m.replace("_", "-") for m in missing)
        raise BadInputError(f"{told} missing: give {'it' if len(missing) == 1 else 'them'}, or a manifest with -f")
    time_range = {"column": arguments.time_column, "start": arguments.start, "end": arguments.end}
    if arguments.time_unit:
        time_range["unit"] = arguments.time_unit
    spec: Document = {
        "source": {
            "url": arguments.jdbc_url,
            "table": arguments.table,
            "credentials": {"secretName": arguments.secret},
            "timeRange": time_range,
        },
        "target": {"region": arguments.region, "table": arguments.target_table or arguments.table},
        "staging": {"bucket": arguments.bucket},
    }
    if capacity := capacity_from(arguments):
        spec["target"]["capacity"] = capacity
    if arguments.role:
        spec["job"] = {"executionRoleArn": arguments.role}
    budget = {"maxCostUSD": arguments.max_cost, "maxDuration": arguments.max_duration}
    if budget := {k: v for k, v in budget.items() if v is not None}:
        spec["budget"] = budget
    metadata: Document = {"name": arguments.name or arguments.table.lower().replace("_", "-")}
    if arguments.namespace:
        metadata["namespace"] = arguments.namespace
    return checked({"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec})


def capacity_from(arguments: argparse.Namespace) -> Document:
    """spec.target.capacity from --mode, --write-units and --warm; empty where none is given. An on-demand table that
    is to take more than a new one does is warmed unless --no-warm says otherwise: that is what the rate asks for."""
    out: Document = {}
    if arguments.mode:
        out["mode"] = arguments.mode
    if arguments.write_units is not None:
        out["writeUnits"] = arguments.write_units
    warm = arguments.warm
    if warm is None and not is_provisioned(arguments.mode):
        warm = (arguments.write_units or 0) > 4_000
    if warm:
        out["warm"] = True
    return out
