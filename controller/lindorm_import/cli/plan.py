"""`plan`: what an import will take, before a cent is spent."""

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.table import Table

from lindorm_import import plan
from lindorm_import.adapters.lindorm import look_at_source
from lindorm_import.api.durations import format_duration
from lindorm_import.api.spec import Budget, Capacity, ImportSpec, Job
from lindorm_import.api.status import ImportStatus
from lindorm_import.api.text import printable
from lindorm_import.cli import documents
from lindorm_import.cli.aws import look_at_target
from lindorm_import.cli.cluster import Cluster, ask_credentials
from lindorm_import.cli.console import console
from lindorm_import.cli.documents import Manifest
from lindorm_import.cli.errors import BAD_INPUT, OK, BadInputError, first_error
from lindorm_import.domain.observed import SourceSeen, TableSeen
from lindorm_import.domain.trouble import Trouble, TroubleError
from lindorm_import.domain.words import counted
from lindorm_import.plan.mapping import map_table
from lindorm_import.plan.status import load_from, over_budget

Document = dict[str, Any]
_MOST_ROWS = 10**15
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Basis:
    """What a plan is made from. notes: what the user should know about where it comes from."""

    load: plan.Load
    capacity: Capacity
    table: TableSeen | None = None
    job: Job | None = None
    rows_per_second: int | None = None
    budget: Budget | None = None
    region: str | None = None
    notes: tuple[str, ...] = ()


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "plan",
        help="rows, write units, time and cost, before the start",
        description="What an import will take: rows, write units, time and cost of every way to pay. With --rows and "
        "--item-bytes it needs no cluster, no network and no credentials.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="an import in the cluster")
    parser.add_argument("-f", "--file", help="a manifest; - for standard input")
    parser.add_argument("-n", "--namespace")
    parser.add_argument("-o", "--output", choices=["table", "json", "yaml"], default="table")
    parser.add_argument("--prices", type=Path, help="a price file instead of the bundled one")
    offline = parser.add_argument_group("what is known already (the rest is looked up)")
    offline.add_argument("--rows", type=int, help="rows in the range")
    offline.add_argument("--item-bytes", type=int, help="bytes of an item: names and values")
    offline.add_argument("--indexes", type=int, default=0, help="global secondary indexes that hold the whole item")
    offline.add_argument("--rows-per-second", type=int, help="limit on reading the source")
    documents.add_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the plan. 2 when it is over the budget."""
    _check(arguments)
    try:
        prices = plan.Prices.load(arguments.prices)
    except plan.PricesError as error:
        raise BadInputError(f"--prices: {error}") from error
    basis = _basis(arguments)
    made = plan.make_plan(
        basis.load, basis.capacity, prices, basis.table, basis.job, basis.rows_per_second, basis.budget
    )
    notes = basis.notes
    if basis.region and basis.region != prices.region:
        notes += (
            f"the prices are those of {prices.region} as of {prices.as_of}; no others are bundled, and those of "
            f"{basis.region}, where the table is, differ: give them with --prices",
        )
    document = to_document(made, notes)
    if arguments.output == "json":
        print(json.dumps(document, indent=2))
    elif arguments.output == "yaml":
        print(yaml.safe_dump(document, sort_keys=False, width=120), end="")
    else:
        show(console(), made, notes)
    over = over_budget(made, basis.budget) if basis.budget else None
    if over:
        print(f"over budget: {over}", file=sys.stderr)
    return BAD_INPUT if over else OK


def _check(arguments: argparse.Namespace) -> None:
    """Numbers that no import can have. Raises BadInputError."""
    for flag, least in (("rows", 0), ("item_bytes", 1), ("indexes", 0), ("rows_per_second", 1), ("write_units", 1)):
        value = getattr(arguments, flag)
        if value is not None and value < least:
            raise BadInputError(f"--{flag.replace('_', '-')} is {value}: give {least} or more")
    if arguments.rows is not None and arguments.rows > _MOST_ROWS:
        raise BadInputError(f"--rows is {arguments.rows}: give {_MOST_ROWS} or fewer")
    if arguments.item_bytes is not None and arguments.item_bytes > 409_600:
        raise BadInputError(f"--item-bytes is {arguments.item_bytes}: DynamoDB takes at most 409600 (400 KB)")
    if arguments.indexes > 20:
        raise BadInputError(f"--indexes is {arguments.indexes}: a table has at most 20 global secondary indexes")
    if arguments.name and arguments.file:
        raise BadInputError("NAME and -f both say which import: give one of them")


def _basis(arguments: argparse.Namespace) -> Basis:
    known = arguments.rows is not None and arguments.item_bytes is not None
    if arguments.name:
        return _of_cluster(arguments)
    if arguments.file:
        return _of_wanted(arguments, documents.read_file(arguments.file))
    if known and arguments.jdbc_url is None:
        return _of_numbers(arguments)
    if arguments.jdbc_url is None:
        given = "--item-bytes" if arguments.rows is not None else "--rows"
        raise BadInputError(
            f"{given} missing: give --rows and --item-bytes, or NAME of an import, or a manifest with -f"
        )
    return _of_wanted(arguments, documents.from_flags(arguments))


def _of_numbers(arguments: argparse.Namespace) -> Basis:
    load = plan.Load.of(arguments.rows, arguments.item_bytes, arguments.indexes)
    budget = _model(Budget, {"maxCostUSD": arguments.max_cost, "maxDuration": arguments.max_duration}, "budget")
    return Basis(
        load,
        _capacity(arguments, Capacity()),
        rows_per_second=arguments.rows_per_second,
        budget=budget,
        region=arguments.region,
        notes=("a new table is assumed",),
    )


def _capacity(arguments: argparse.Namespace, otherwise: Capacity) -> Capacity:
    changes = documents.capacity_from(arguments)
    if not changes:
        return otherwise
    return _model(Capacity, otherwise.model_dump(by_alias=True, exclude_none=True) | changes, "target.capacity")


def _model(model: type[M], fields: Document, path: str) -> M:
    try:
        return model.model_validate({k: v for k, v in fields.items() if v is not None})
    except ValidationError as error:
        raise BadInputError(first_error(error, model, f"spec.{path}")) from error


def _of_cluster(arguments: argparse.Namespace) -> Basis:
    cluster = Cluster.connect(arguments.namespace)
    resource = cluster.read(arguments.name)
    wanted = documents.checked({k: v for k, v in resource.items() if k != "status"})
    status = ImportStatus.model_validate(resource.get("status") or {})
    basis = _of_wanted(arguments, wanted, cluster, status)
    started = status.run.start_time if status.run else None
    return replace(basis, notes=(*basis.notes, f"started {started:%Y-%m-%d %H:%M} UTC")) if started else basis


def _of_wanted(
    arguments: argparse.Namespace, wanted: Manifest, cluster: Cluster | None = None, status: ImportStatus | None = None
) -> Basis:
    """From a spec: rows and items as given by flags, as planned already, or as Lindorm says."""
    spec = wanted.spec
    documents.warn(spec)
    notes: tuple[str, ...] = ()
    table: TableSeen | None = None
    given = arguments.rows is not None and arguments.item_bytes is not None
    if not given:
        seen = _table(spec)
        if isinstance(seen, Trouble):
            notes += (f"the table was not looked at, a new one is assumed ({seen.message})",)
        else:
            table = seen
            notes += () if table.exists else (f"table {spec.target.table} does not exist yet",)
    planned = load_from(status.plan, table) if status and status.plan else None
    if given:
        load = plan.Load.of(arguments.rows, arguments.item_bytes, arguments.indexes)
        notes += ("a new table is assumed",)
    elif planned:
        load = planned
        notes += ("rows as they were when the import was planned",)
    else:
        load = _looked_up(spec, table, arguments, wanted, cluster)
    return Basis(
        load,
        _capacity(arguments, spec.target.capacity),
        table,
        spec.job,
        arguments.rows_per_second or spec.source.max_rows_per_second,
        spec.budget,
        spec.target.region,
        notes,
    )


def _table(spec: ImportSpec) -> TableSeen | Trouble:
    try:
        return look_at_target(spec)
    except TroubleError as error:
        return error.trouble


def _looked_up(
    spec: ImportSpec, table: TableSeen | None, arguments: argparse.Namespace, wanted: Manifest, cluster: Cluster | None
) -> plan.Load:
    """Asks Lindorm. Raises BadInputError with what to give instead where it cannot tell."""
    source = _source(spec, wanted, cluster)
    mapping = map_table(spec, source)
    if isinstance(mapping, Trouble):
        raise BadInputError(mapping.message)
    rows = arguments.rows if arguments.rows is not None else source.rows
    if rows is None:
        raise BadInputError(
            "--rows missing: Lindorm could neither count nor estimate the rows of the range in time; give --rows"
        )
    counted = arguments.rows is None
    load = plan.load_of(
        rows,
        source.sample,
        mapping,
        spec.target.nulls,
        spec.target.partition_shards,
        table.indexes if table else (),
        "Given" if not counted else "Counted" if source.rows_error_percent is None else "Estimated",
        source.rows_error_percent if counted else None,
        table.index_keys if table else (),
    )
    if arguments.item_bytes is not None:
        given = plan.Load.of(rows, arguments.item_bytes, len(load.global_indexes))
        load = replace(load, item_bytes=given.item_bytes, units_per_item=given.units_per_item, indexes=given.indexes)
    return load


def _source(spec: ImportSpec, wanted: Manifest, cluster: Cluster | None) -> SourceSeen:
    try:
        if cluster is None:
            login = ask_credentials()
        else:
            namespace = wanted.namespace or cluster.namespace
            login = cluster.kube.credentials(namespace, spec.source.credentials.secret_name)
        return look_at_source(spec, login, True)
    except TroubleError as error:
        raise BadInputError(f"{error.trouble.message}. Or plan without it: --rows N --item-bytes N") from error


# --- what is shown -------------------------------------------------------------------------------------------------


def to_document(made: plan.Plan, notes: tuple[str, ...] = ()) -> Document:
    """The plan for machines. Money in USD, times in seconds."""
    load, cluster = made.load, made.cluster
    return {
        "rows": load.rows,
        "rowsBasis": load.basis,
        "rowsErrorPercent": load.rows_error_percent,
        "itemBytes": load.item_bytes,
        "writeUnitsPerItem": _number(load.write_units_per_item),
        "writeUnits": load.write_units,
        "indexes": [
            {"name": i.name, "writeUnitsPerItem": _number(i.units_per_item), "itemBytes": i.item_bytes}
            for i in load.indexes
        ],
        "writeUnitsPerSecond": made.rate,
        "seconds": made.seconds,
        "costUSD": float(made.cost_usd),
        "totalUSD": float(made.total_usd),
        "way": made.way.name,
        "writeUnitsPerSecondForHours": {str(hours): units for hours, units in made.needed.items()},
        "quotas": [
            {
                "name": q.name,
                "writeUnitsPerSecond": q.write_units_per_second,
                "exceeded": q.exceeded,
                "note": q.message,
            }
            for q in made.quotas
        ],
        "ways": [
            {
                "name": way.name,
                "costUSD": float(way.cost_usd),
                "clusterUSD": float(way.cluster_usd),
                "totalUSD": float(way.total_usd),
                "seconds": way.seconds,
                "method": way.method,
                "unknown": way.unknown or None,
                "note": way.note,
            }
            for way in made.ways
        ],
        "recommended": made.recommended,
        "why": made.why,
        "storage": {"GiB": float(made.storage_gib), "monthlyUSD": float(made.storage_usd_month)},
        "cluster": {
            "parallelism": cluster.parallelism,
            "taskManagers": cluster.task_managers,
            "nodes": cluster.nodes,
            "nodeType": plan.NODE_TYPE,
            "costUSD": float(made.way.cluster_usd),
            "reason": cluster.reason,
        },
        "wrongFigure": plan.wrong_figure(load.item_bytes),
        "pricesAsOf": made.prices.as_of,
        "pricesRegion": made.prices.region,
        "notes": list(notes),
    }


def _number(value: Any) -> int | float:
    return int(value) if value == int(value) else round(float(value), 6)


def rows_text(load: plan.Load) -> str:
    """'1,250,000,000 (estimated, ±4 % at 95 %)'."""
    basis = {"Counted": "counted", "Given": "given", "Estimated": "estimated"}[load.basis]
    error = "" if load.rows_error_percent is None else f", ±{load.rows_error_percent} % at 95 % confidence"
    return f"{load.rows:,} ({basis}{error})"


def show(out: Console, made: plan.Plan, notes: tuple[str, ...]) -> None:
    """The plan for people."""
    load = made.load
    facts = Table.grid(padding=(0, 2))
    facts.add_row("rows", rows_text(load))
    facts.add_row(
        "item",
        f"{counted(load.item_bytes, 'byte')}, {counted(_number(load.units_per_item), 'write unit')} in the table",
    )
    for index in load.indexes:
        facts.add_row(
            "", f"{_number(index.units_per_item)} in index {printable(index.name)} ({index.item_bytes:,} bytes)"
        )
    facts.add_row("write units", f"{load.write_units:,} in all")
    facts.add_row("time", f"{format_duration(made.seconds)} at {made.rate:,} write units/s ({made.way.name})")
    facts.add_row("", "   ".join(f"{hours} h needs {units:,}/s" for hours, units in made.needed.items()))
    facts.add_row("cost", f"${made.total_usd}: DynamoDB ${made.cost_usd}, cluster and S3 ${made.way.cluster_usd}")
    facts.add_row("storage", f"{made.storage_gib:,} GiB, ${made.storage_usd_month:,} a month")
    facts.add_row("cluster", made.cluster.reason)
    out.print(facts)
    out.print()
    ways = Table("way", "DynamoDB $", "cluster $", "total $", "time", "note", box=None, padding=(0, 1), pad_edge=False)
    for column in ways.columns[1:5]:
        column.justify = "right"
        column.no_wrap = True
    ways.columns[0].no_wrap = True
    for way in made.ways:
        best = way.name == made.recommended
        ways.add_row(
            f"* {way.name}" if best else f"  {way.name}",
            f"{way.cost_usd:,}",
            f"{way.cluster_usd:,}",
            f"{way.total_usd:,}",
            format_duration(way.seconds) + ("+?" if way.unknown else ""),
            f"{way.note}; {way.unknown}" if way.unknown else way.note,
            style="bold green" if best else "",
        )
    out.print(ways)
    out.print(f"* recommended: {made.why}", style="green")
    out.print()
    for quota in made.quotas:
        mark, style = ("!", "bold yellow") if quota.exceeded else (" ", "dim")
        out.print(f"{mark} {quota.name}: {quota.write_units_per_second:,}/s: {quota.message}", style=style)
    out.print()
    if line := plan.wrong_figure(load.item_bytes):
        out.print(line)
    out.print(f"prices of {made.prices.as_of}, {made.prices.region}; without Alibaba's traffic, NAT, logs", style="dim")
    for note in notes:
        out.print(f"note: {printable(note)}", style="dim")
