"""`report`: a finished import, plan against actual, with a picture.

Everything but the sample of rejects comes from the import's status, which is there until the import is deleted.
"""

import argparse
import itertools
import json
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lindorm_import.adapters.errors import AWS_FAILURES, aws_trouble
from lindorm_import.adapters.foreign import parsed
from lindorm_import.api.durations import format_duration
from lindorm_import.api.instants import text_of
from lindorm_import.api.spec import TimeRange
from lindorm_import.api.text import code, code_block, markdown
from lindorm_import.cli import aws
from lindorm_import.cli.chart import Series, svg
from lindorm_import.cli.cluster import Cluster
from lindorm_import.cli.errors import OK, BadInputError
from lindorm_import.cli.view import CAUSES, View, rates
from lindorm_import.domain.words import counted
from lindorm_import.plan.status import load_from

Document = dict[str, Any]
_SAMPLE, _SAMPLE_FILES = 5, 20
_SAMPLE_BYTES = 256 * 1024


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "report",
        help="a finished import: plan against actual",
        description="Writes NAME.md, NAME.json and NAME.svg (throughput over time), and prints the Markdown. Make it "
        "before the import is deleted.",
    )
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("-n", "--namespace")
    parser.add_argument("-d", "--directory", type=Path, default=Path("."), help="where the files go (default .)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Writes the three files."""
    cluster = Cluster.connect(arguments.namespace)
    view = View.of(cluster.read(arguments.name), None, datetime.now(UTC))
    if view.started is None:
        raise BadInputError(f"{arguments.name} has not started, so there is nothing to report: {view.message}")
    rejects = sample_rejects(view)
    document = to_document(view, rejects)
    picture = f"{arguments.name}.svg"
    text = to_markdown(view, document, picture)
    try:
        arguments.directory.mkdir(parents=True, exist_ok=True)
        (arguments.directory / f"{arguments.name}.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")
        (arguments.directory / picture).write_text(to_picture(view), "utf-8")
        (arguments.directory / f"{arguments.name}.md").write_text(text, "utf-8")
    except OSError as error:
        raise BadInputError(
            f"--directory {arguments.directory}: cannot be written ({error.strerror}): give another"
        ) from error
    print(text, end="")
    return OK


@dataclass(frozen=True)
class Rejects:
    """Some rejected rows as the job wrote them; note: why there are none, where there should be."""

    rows: tuple[Document, ...] = ()
    note: str | None = None


def sample_rejects(view: View) -> Rejects:
    """The first few rejects from S3, with the user's own rights."""
    progress, run_ = view.status.progress, view.status.run
    if progress is None or run_ is None or not progress.items_rejected:
        return Rejects()
    bucket, prefix = f"{run_.prefix}rejects/".removeprefix("s3://").split("/", 1)
    rows: list[Document] = []
    try:
        s3 = aws.client("s3", view.spec.target.region)
        for entry in s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=_SAMPLE_FILES).get("Contents", []):
            if not entry["Size"]:
                continue
            found = s3.get_object(Bucket=bucket, Key=entry["Key"], Range=f"bytes=0-{_SAMPLE_BYTES - 1}")
            with closing(found["Body"]) as body:
                part = body.read(_SAMPLE_BYTES)
            lines = part.decode(errors="replace").split("\n")
            rows += _rows(lines if entry["Size"] <= _SAMPLE_BYTES else lines[:-1])[: _SAMPLE - len(rows)]
            if len(rows) >= _SAMPLE:
                break
    except AWS_FAILURES as error:
        return Rejects(note=aws_trouble(error, f"s3:GetObject below s3://{bucket}/{prefix}", bucket).message)
    return Rejects(tuple(rows), None if rows else f"none found below s3://{bucket}/{prefix}")


def _rows(lines: list[str]) -> list[Document]:
    """The rejects among the lines: whoever may write to the bucket may have left others there."""
    rows = []
    for line in lines:
        with suppress(ValueError):
            row = parsed(line)
            if isinstance(row, dict):
                rows.append(row)
        if len(rows) == _SAMPLE:
            break
    return rows


def to_document(view: View, rejects: Rejects) -> Document:
    """The report for machines."""
    status, planned = view.status, view.status.plan
    progress, job, throttling, spending = status.progress, status.job, status.throttling, status.spending
    results, run_ = status.results, status.run
    assert run_ is not None
    # A job that came up in the end may have had words on the way that mean nothing now.
    failed = job is not None and (job.restarts > 0 or job.attempts > 1 or view.is_true("Failed"))
    seconds = round(view.elapsed.total_seconds()) if view.elapsed else None
    rows = results.rows_read if results else progress.rows_read if progress else 0
    return {
        "name": view.name,
        "namespace": view.namespace,
        "state": view.summary,
        "message": view.message,
        "complete": view.is_true("Complete"),
        "started": _instant(view.started),
        "ended": _instant(run_.completion_time),
        "method": view.spec.target.load.method,
        "source": {"table": view.spec.source.table, "url": view.spec.source.url},
        "target": {"table": view.spec.target.table, "region": view.spec.target.region},
        "plan": {
            "rows": planned.rows if planned else None,
            "rowsErrorPercent": planned.rows_error_percent if planned else None,
            "seconds": planned.duration_seconds if planned else None,
            "writeUnits": planned.write_units if planned else None,
            "costUSD": planned.cost_usd if planned else None,
            "totalUSD": planned.total_usd if planned else None,
            "bytesLoaded": _planned_bytes(view),
            "pricesAsOf": planned.prices_as_of if planned else None,
        },
        "actual": {
            "rowsRead": rows,
            "itemsWritten": results.items_written if results else progress.items_written if progress else 0,
            "rowsRejected": results.rows_rejected if results else progress.items_rejected if progress else 0,
            "rejectedByReason": results.rejected_by_reason if results else {},
            "seconds": seconds,
            "rowsPerSecond": round(rows / seconds) if seconds else None,
            "writeUnits": _write_units(view),
            "bytesLoaded": status.load.billed_bytes if status.load else None,
            "costUSD": spending.table_usd if spending else None,
            "totalUSD": spending.cost_usd if spending else None,
        },
        "throttling": {
            "events": throttling.events if throttling else 0,
            "cause": throttling.cause if throttling else None,
        },
        "restarts": job.restarts if job else 0,
        "submissions": job.attempts if job else 0,
        "failure": job.failure if job and failed else None,
        "rejects": {"path": f"{run_.prefix}rejects/", "sample": list(rejects.rows), "note": rejects.note},
        "throughput": [
            {"at": _instant(at), "rowsPerSecond": round(read), "itemsPerSecond": round(written)}
            for at, read, written in rates(status.history, view.started)
        ],
    }


def _planned_bytes(view: View) -> int | None:
    """What a load through files was to be billed for."""
    planned = view.status.plan
    load = load_from(planned, None) if planned and view.spec.target.load.from_files else None
    return load.rows * load.text_bytes if load else None


def _write_units(view: View) -> int | None:
    """As DynamoDB told the job: counted for the bill while the table is on demand, else by the last job alone."""
    spending, throttling = view.status.spending, view.status.throttling
    if spending and spending.write_units:
        return spending.write_units
    return throttling.job_write_units if throttling else None


def to_picture(view: View) -> str:
    """Throughput over time, from when the first rows were read: before that the job's pods were starting."""
    waiting = list(itertools.takewhile(lambda m: not m.rows_read, view.status.history))
    history = view.status.history[max(0, len(waiting) - 1) :]
    start = history[0].at if waiting else view.started or view.now
    steps = rates(history, start)
    series = [
        Series("rows read/s", "#1f77b4", [(at, read) for at, read, _ in steps], steps=True),
        Series("items written/s", "#2ca02c", [(at, written) for at, _, written in steps], steps=True),
        Series("write units/s", "#ff7f0e", [(m.at, m.write_units) for m in history]),
    ]
    limit = (f"table takes {view.capacity:,} write units/s", float(view.capacity)) if view.capacity else None
    title = f"{view.namespace}/{view.name}: throughput (UTC)"
    if view.started and start > view.started:
        title += f", from {format_duration((start - view.started).total_seconds())} after the submission"
    return svg(title, start, series, limit)


def to_markdown(view: View, document: Document, picture: str) -> str:
    """The report for people."""
    plan, actual = document["plan"], document["actual"]
    ended = document["ended"] or "not yet"
    lines = [
        f"# Import {view.namespace}/{view.name}: {markdown(view.summary)}",
        "",
        markdown(f"{view.message}."),
        "",
        f"From Lindorm table {code(view.spec.source.table)} to DynamoDB table {code(view.spec.target.table)} "
        f"({view.spec.target.region}), {code(_range(view.spec.source.time_range))}. "
        f"Started {document['started']}, ended {ended}.",
        "",
        "| | plan | actual |",
        "|---|---:|---:|",
        f"| rows | {_count(plan['rows'])}{_error(plan['rowsErrorPercent'])} | {_count(actual['rowsRead'])} read |",
        f"| items | | {_count(actual['itemsWritten'])} written, {_count(actual['rowsRejected'])} rejected |",
        f"| time | {_seconds(plan['seconds'])} of writing | {_seconds(actual['seconds'])}, from submission to proof |",
        f"| rows a second | | {_count(actual['rowsPerSecond'])} |",
        f"| write units | {_count(plan['writeUnits'])} | {_count(actual['writeUnits'])} |"
        if document["method"] == "BatchWrite"
        else f"| bytes loaded | {_count(plan['bytesLoaded'])} | {_count(actual['bytesLoaded'])} billed |",
        f"| DynamoDB's cost | {_money(plan['costUSD'])} | {_money(actual['costUSD'])} |",
        f"| with cluster and S3 | {_money(plan['totalUSD'])} | {_money(actual['totalUSD'])} |",
        "",
        f"Prices of {markdown(str(plan['pricesAsOf']))}.",
        "",
        f"![throughput over time]({picture})",
        "",
        f"- Throttled writes: {_throttled(document['throttling'])}",
        f"- Restarts of the job: {document['restarts']}, submitted {counted(document['submissions'], 'time')}"
        + (f"; last failure: {markdown(document['failure'])}" if document["failure"] else ""),
        *_reject_lines(document),
        "",
    ]
    return "\n".join(lines)


def _reject_lines(document: Document) -> list[str]:
    rejects, reasons = document["rejects"], document["actual"]["rejectedByReason"]
    if not document["actual"]["rowsRejected"]:
        return ["- Rejected rows: none"]
    told = ", ".join(f"{count:,} {markdown(reason)}" for reason, count in reasons.items())
    out = [f"- Rejected rows: {told or document['actual']['rowsRejected']}, all in {code(rejects['path'])}"]
    if rejects["note"]:
        out.append(f"  (no sample: {markdown(rejects['note'])})")
    if rejects["sample"]:
        out += ["", "The first of them:", ""]
        out += code_block([json.dumps(row, ensure_ascii=False) for row in rejects["sample"]], "json")
    return out


def _range(wanted: TimeRange) -> str:
    return f"{text_of(wanted.start)} <= {wanted.column} < {text_of(wanted.end)}"


def _throttled(throttling: Document) -> str:
    if not throttling["events"]:
        return "none"
    cause = throttling["cause"]
    return f"{throttling['events']:,}" + (f", lately because {CAUSES[cause]}" if cause else "")


def _instant(at: datetime | None) -> str | None:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if at else None


def _count(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"


def _error(percent: int | None) -> str:
    return "" if percent is None else f" ± {percent} %"


def _seconds(seconds: int | None) -> str:
    return "unknown" if seconds is None else format_duration(seconds)


def _money(usd: str | None) -> str:
    return "unknown" if usd is None else f"${usd}"
