"""After the job, where it wrote files: DynamoDB loads them, ImportTable into a new table, a bulk put into one that is
there.

Nothing is loaded but the files of the manifest, and nothing is called a success but a load that has ended without an
error and has read as many items and bytes as the files hold.

What is ours is told by the run's own prefix, which no other import has, and never by the client token: for a token AWS
gives the import that runs, whatever else is asked for, and forgets the token when it ends
(scylladb/scylladb, test/alternator/test_import.py, measured on AWS). So an attempt is in the status before it is asked
for; after that it is looked for among the imports that read this prefix, and asked for (again) only where there is
none.
An import cannot be cancelled, and its table not be deleted, before it ends; a bulk put can, and what it has put is put
again by the next.

A table that an import made carries no tag until we give it one. It is ours where its TableId is the one that the import
told, and only such a table is tagged, deleted or made again.
"""

from datetime import timedelta
from decimal import Decimal

from lindorm_import.api.durations import format_duration
from lindorm_import.api.status import ImportStatus, KeyAttribute, LoadStatus, Resource
from lindorm_import.decide import capacity, ownership
from lindorm_import.decide.holder import note
from lindorm_import.decide.passes import Pass
from lindorm_import.decide.spending import load_cost, spend
from lindorm_import.domain.actions import (
    CancelBulkPut,
    CreateTable,
    DeleteDeployment,
    DeleteTable,
    StartBulkPut,
    StartImport,
    TagTable,
)
from lindorm_import.domain.observed import (
    DeploymentSeen,
    FilesResult,
    FilesSeen,
    LoadSeen,
    ResultSeen,
    TableKey,
    TableSeen,
)
from lindorm_import.domain.trouble import Trouble
from lindorm_import.manifests import build
from lindorm_import.plan.mapping import Mapping

# The pause before each new attempt; after the last one the import fails.
RETRY_PAUSES = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))
# A request may still be on its way so long after it was sent (fence.py has the same of other passes).
_IN_FLIGHT = timedelta(minutes=1)
# FailureCodes for which another attempt would only fail again, and be paid for again.
_HOPELESS = {"ItemValidationError"}


def planned_load(p: Pass, mapping: Mapping) -> LoadStatus | None:
    """What the status remembers from the submission on: the key of the table that the files are for."""
    method = p.spec.target.load.method
    if method == "BatchWrite":
        return None
    partition, sort = mapping.key
    return LoadStatus(method=method, partition=_kept(partition), sort=_kept(sort) if sort else None)


def table_exists(p: Pass) -> Trouble:
    return Trouble(
        "TableExists",
        f"table {p.spec.target.table} exists, and load.method ImportTable only makes new tables: set "
        "target.load.method to BulkPut or BatchWrite (in a new import, once this one has made something), or "
        "remove the table",
    )


def begun(status: ImportStatus) -> bool:
    """Whether the files are all written, so that loading them is what is left."""
    return status.load is not None and status.load.items is not None


def begin(p: Pass, result: ResultSeen) -> float:
    """The job has ended well: what its files hold is noted, and they are what is loaded from now on."""
    if result.files is None or p.status.load is None:
        return p.fail(
            "ResultWithoutFiles",
            f"{p.run.prefix}result/result.json says nothing of files: the job's image is older than the controller. "
            "Delete this import, and create it again with the job's image of this release",
        )
    files: FilesResult = result.files
    told = {
        "items": result.items_written,
        "bytes_": files.text_bytes,
        "objects": files.objects,
        "stored_bytes": files.stored_bytes,
        "manifest_sha256": files.manifest_sha256,
    }
    p.update(load=p.status.load.model_copy(update=told))
    message = f"{result.items_written} items are written into {files.objects} files; DynamoDB loads them next"
    p.conditions.set("JobRunning", "False", "FilesWritten", message)
    p.working("Loading", "FilesWritten", message)
    return 0.0


def advance(p: Pass, deployment: DeploymentSeen) -> float:
    """One step of a load. Seconds until the next look."""
    if deployment.exists:  # nothing may write into the prefix any more, and its pods cost money
        if not deployment.deleting:
            p.actions.append(DeleteDeployment(p.run.deployment, deployment.uid))
        p.working("Loading", "StoppingJob", "the files are written; stopping the job before they are loaded")
        return 1.0
    table = p.seen_or_hold(p.seen.table, "TableReady")
    load = _load(p)
    if load.done:
        return _settle(p, table)
    if load.items == 0:
        return _nothing_to_load(p, table)
    if load.arn is None:
        return _start(p, table)
    return _watch(p, table)


# -- starting ----------------------------------------------------------------------------------------------------------


def _start(p: Pass, table: TableSeen) -> float:
    """Looks whether this attempt is there already; if not, asks for it."""
    load = _load(p)
    if load.intended_at is not None:
        mine = _of_this_attempt(p, p.seen_or_hold(p.seen.loads, "TableReady"))
        if mine:
            return _found(p, mine)
    if p.spec.suspend:
        p.suspended("suspended; the files are written, and they are loaded when spec.suspend is false")
        return p.settings.poll
    p.conditions.drop("Suspended")
    if load.retry_after and p.now < load.retry_after:
        _tell(p, "LoadFailed", f"loading again at {load.retry_after:%H:%M:%S} UTC, after: {load.failure}")
        return (load.retry_after - p.now).total_seconds()
    _check_target(p, table)
    files = p.seen_or_hold(p.seen.files, "StagingReady")
    if problem := _differs(load, files):
        return p.fail("FilesDiffer", f"nothing is loaded: {problem}")
    if over := _over_budget(p):
        return p.fail("OverBudget", over)
    return _ask(p)


def _differs(load: LoadStatus, files: FilesSeen) -> str | None:
    """Why the files are not those that the job has written; None where they are."""
    if files.problem:
        return files.problem
    seen = (files.objects, files.items, files.text_bytes, files.stored_bytes)
    known = (load.objects, load.items, load.bytes_, load.stored_bytes)
    if seen == known:
        return None
    return f"files, items, bytes and stored bytes are {seen} by the manifest, {known} by the result"


def _check_target(p: Pass, table: TableSeen) -> None:
    """Holds the pass where the table is not what the method needs."""
    load, name = _load(p), p.spec.target.table
    if load.method == "BulkPut":
        if table.status != "ACTIVE":
            message = f"table {name} is {table.status or 'gone'}; the files are loaded when it is ACTIVE"
            p.wait("TableReady", "TableNotActive", message, 2.0)
        return
    if not table.exists:
        return
    if load.table_id is None or table.table_id != load.table_id:
        p.hold("TableReady", table_exists(p))
    _remove_partial(p, table)


def _remove_partial(p: Pass, table: TableSeen) -> None:
    """What a failed attempt has left goes before the next, which makes the table anew. Holds the pass."""
    name, load = p.spec.target.table, _load(p)
    assert load.table_id == table.table_id, "it is the one that the import has made"
    message = f"removing what is left of table {name} before it is imported anew, after: {load.failure}"
    if table.status == "ACTIVE":
        p.actions.append(DeleteTable(name) if _is_tagged(p, table) else _tag(p, table))
    p.working("Loading", "RemovingPartialTable", message)
    p.conditions.set("TableReady", "False", "RemovingPartialTable", message)
    p.hold_for(2.0)


def _ask(p: Pass) -> float:
    """Into the status, and then to DynamoDB."""
    load, target = _load(p), p.spec.target
    units = target.capacity.write_units if load.intended_at is None else load.write_units
    if load.method == "ImportTable":
        ownership.intend(p, "Table", target.table, target.deletion_policy)
        key = _key(load)
        request = build.import_request(p.identity, p.spec, p.run.prefix, key, load.attempts)
        p.actions.append(StartImport(request))
    else:
        request = build.bulk_put_request(p.identity, p.spec, p.run.prefix, units, load.attempts)
        p.actions.append(StartBulkPut(request))
    asked = {"intended_at": load.intended_at or p.now, "write_units": units, "ended_at": None}
    p.update(load=load.model_copy(update=asked))
    spend(p)
    _tell(p, "StartingLoad", f"asking DynamoDB to load {load.items} items from {load.objects} files{_after(load)}")
    return 1.0


def _after(load: LoadStatus) -> str:
    return f", attempt {load.attempts}, after: {load.failure}" if load.attempts > 1 else ""


def _of_this_attempt(p: Pass, loads: tuple[LoadSeen, ...]) -> LoadSeen | None:
    """The latest that reads this run's files into this table and is not an attempt that has ended."""
    mine = [one for one in loads if one.arn not in _load(p).ended and not _foreign(p, one)]
    return max(mine, key=lambda one: (one.started_at is not None, one.started_at, one.arn), default=None)


def _found(p: Pass, seen: LoadSeen) -> float:
    told = {"arn": seen.arn, "table_id": seen.table_id, "started_at": seen.started_at, "state": seen.state}
    p.update(load=_load(p).model_copy(update=told))
    _tell(p, "Loading", f"DynamoDB loads the files: {seen.arn}")
    return 0.0


def _foreign(p: Pass, seen: LoadSeen) -> str | None:
    """Why a load is not of this run; None where it is."""
    files = build.files_of_run(p.spec, p.run.prefix)
    if (seen.bucket, seen.prefix) != files:
        return f"it reads s3://{seen.bucket}/{seen.prefix}"
    return f"it loads table {seen.table}" if seen.table != p.spec.target.table else None


def _over_budget(p: Pass) -> str | None:
    """A load is paid whole once it is asked for, so it is asked for only where the budget has room for it."""
    limit, load = p.spec.budget.cost, _load(p)
    if limit is None or load.intended_at is not None:
        return None
    spend(p)
    spent = p.status.spending
    cost = load_cost(p, load.bytes_ or 0)
    so_far = Decimal(spent.cost_usd) if spent else Decimal(0)
    if so_far + cost <= limit:
        return None
    return (
        f"loading {load.bytes_} bytes costs ${cost:.2f}, and the import has cost ${so_far:.2f} so far: "
        f"budget.maxCostUSD is {limit}. The files stay in {p.run.prefix}items/"
    )


# -- while it runs, and its end ----------------------------------------------------------------------------------------


def _watch(p: Pass, table: TableSeen) -> float:
    seen = p.seen_or_hold(p.seen.load, "TableReady")
    if foreign := _foreign(p, seen):
        return p.fail("ForeignLoad", f"{seen.arn} is not of this import: {foreign}. Report this as a bug")
    load = _load(p)
    told: dict[str, object] = {
        "state": seen.state,
        "table_id": seen.table_id or load.table_id,
        "started_at": seen.started_at,
    }
    if load.method == "BulkPut":
        told |= {"loaded_items": seen.processed - seen.failed, "failed_items": seen.failed}
    p.update(load=load.model_copy(update=told))
    _progress(p, seen)
    spend(p, at_rest=not seen.ended)
    if not seen.ended:
        return _running(p, seen)
    return _ended(p, seen, table)


def _running(p: Pass, seen: LoadSeen) -> float:
    load = _load(p)
    since = f" for {format_duration(int(p.since(seen.started_at).total_seconds()))}" if seen.started_at else ""
    if load.method == "ImportTable":
        told = f"DynamoDB has been importing {load.items} items{since}; it tells no counts before it ends"
        if p.spec.suspend:
            told += ". spec.suspend has no effect: an import cannot be stopped once it runs"
        _tell(p, "Importing", told)
        return p.settings.poll
    told = f"DynamoDB has been putting{since}: {seen.processed} of {load.items} items"
    if p.spec.target.capacity.write_units != load.write_units:
        told += "; capacity.writeUnits takes effect when the import is suspended and resumed"
    if p.spec.suspend:
        if seen.state == "Running":
            p.actions.append(CancelBulkPut(seen.arn))
        told += "; it is being cancelled, for spec.suspend is true"
    _tell(p, "Putting", told)
    return p.settings.poll if not p.spec.suspend else 1.0


def _progress(p: Pass, seen: LoadSeen) -> None:
    load, progress = _load(p), p.status.progress
    if progress is None or load.method != "BulkPut" or not load.items:
        return
    p.update(progress=progress.model_copy(update={"items_loaded": seen.processed - seen.failed, "observed_at": p.now}))


def _ended(p: Pass, seen: LoadSeen, table: TableSeen) -> float:
    """It has ended: in this one pass it is compared, and its attempt closed."""
    load = _load(p)
    wrong = compare(load, seen)
    closed = load.model_copy(
        update={
            "ended": (*load.ended, seen.arn),
            "ended_at": seen.ended_at or p.now,
            "loaded_items": seen.processed - seen.failed,
            "failed_items": seen.failed,
            "billed_bytes": load.billed_bytes + (load.bytes_ or 0 if seen.text_bytes is None else seen.text_bytes),
        }
    )
    if wrong is None:
        p.update(load=closed.model_copy(update={"done": True, "failure": None}))
        spend(p)
        return _rejects_of(p, seen) or 0.0
    reason, message = wrong
    p.update(load=closed.model_copy(update={"failure": message}))
    spend(p)
    if seen.state == "Cancelled" and p.spec.suspend:
        _next_attempt(p, timedelta())
        p.suspended("suspended; what was put stays, and all files are put again when spec.suspend is false")
        return p.settings.poll
    retries = load.attempts <= len(RETRY_PAUSES) and seen.failure_code not in _HOPELESS
    if seen.state in ("Failed", "Cancelled") and retries:
        _next_attempt(p, RETRY_PAUSES[load.attempts - 1])
        _tell(p, "LoadFailed", message)
        return 0.0
    if load.method == "ImportTable":
        _claim(p, table)
    return p.fail(reason, f"{message}. The files stay in {p.run.prefix}items/")


def _next_attempt(p: Pass, pause: timedelta) -> None:
    load = _load(p)
    fresh = {"attempts": load.attempts + 1, "arn": None, "intended_at": None, "retry_after": p.now + pause}
    p.update(load=load.model_copy(update=fresh))


def compare(load: LoadStatus, seen: LoadSeen) -> tuple[str, str] | None:
    """Reason and message of a load that is no success; None where every item of the files is in the table, or is
    reported as one that cannot be."""
    loaded, items = seen.processed - seen.failed, load.items or 0
    some = "".join(f"; {told}" for told in seen.errors[:5])
    partial = seen.state == "CompletedWithErrors" and load.method == "BulkPut"
    if seen.state != "Completed" and not partial:
        said = ": ".join(filter(None, (seen.failure_code, seen.failure_message)))
        reason = "ItemsRefused" if seen.failure_code in _HOPELESS else "LoadFailed"
        count = f", {seen.failed} errors" if seen.failed else ""
        return reason, f"{seen.arn} is {seen.state} ({said or 'no reason given'}){count}{some}"
    if partial and seen.processed == items:
        return None
    if seen.failed:
        return "ItemsRefused", f"{seen.arn} has {seen.failed} errors, and {loaded} of {items} items are loaded{some}"
    if loaded < items:
        return "LinesLost", f"{seen.arn} has loaded {loaded} items of the {items} in the files: lines are lost"
    if loaded > items:
        return "FilesTwice", f"{seen.arn} has loaded {loaded} items, and the files hold {items}: some were read twice"
    if seen.text_bytes is not None and seen.text_bytes != load.bytes_:
        return "BytesDiffer", f"{seen.arn} has read {seen.text_bytes} bytes, and the files hold {load.bytes_}"
    return None


def _rejects_of(p: Pass, seen: LoadSeen) -> float | None:
    """What a bulk put could not write counts as rejected by DynamoDB. Not None where those are too many."""
    if not seen.failed:
        return None
    results, progress = p.status.results, p.status.progress
    assert results is not None, "the job has ended"
    assert progress is not None, "the job has ended"
    rejected = results.rows_rejected + seen.failed
    by_reason = dict(results.rejected_by_reason)
    by_reason["RefusedByDynamoDB"] = by_reason.get("RefusedByDynamoDB", 0) + seen.failed
    counts = {"items_written": results.items_written - seen.failed, "rows_rejected": rejected}
    p.update(
        results=results.model_copy(update={**counts, "rejected_by_reason": by_reason}),
        progress=progress.model_copy(update={"items_written": counts["items_written"], "items_rejected": rejected}),
    )
    if rejected <= p.spec.rejects.max:
        return None
    some = "".join(f"; {told}" for told in seen.errors[:5])
    return p.fail(
        "TooManyRejects",
        f"{rejected} rows were rejected, {seen.failed} of them by DynamoDB while it loaded the files, and rejects.max "
        f"is {p.spec.rejects.max}: see {p.run.prefix}rejects/load/{some}",
    )


# -- after it ----------------------------------------------------------------------------------------------------------


def _nothing_to_load(p: Pass, table: TableSeen) -> float:
    """No row became an item: an import of nothing would make the table too, but a table that is made as any other has
    its owner from the first moment on."""
    load, target = _load(p), p.spec.target
    if load.method == "ImportTable":
        if not table.exists:
            ownership.intend(p, "Table", target.table, target.deletion_policy)
            p.actions.append(CreateTable(build.table_request(p.identity, p.spec, _key(load))))
            p.wait("TableReady", "CreatingTable", f"creating table {target.table}, which stays empty", 1.0)
        if p.status.resource("Table") is None:
            p.hold("TableReady", table_exists(p))
        ownership.note(p, "Table", target.table, target.deletion_policy, table)
        entry = p.status.resource("Table")
        if entry is None or entry.origin != "Created":
            p.hold("TableReady", table_exists(p))
    p.update(load=load.model_copy(update={"done": True, "loaded_items": 0}))
    return 0.0


def _settle(p: Pass, table: TableSeen) -> float:
    """The items are there: the table gets its tags, and then what an import cannot give it."""
    load, target, results = _load(p), p.spec.target, p.status.results
    assert results is not None, "the job has ended"
    if load.method == "ImportTable":
        if load.items:
            _claim(p, table)
        if lost := capacity.lost(p):
            return p.fail("TableLost", lost)
        if table.status != "ACTIVE" or not table.exists:
            p.wait("TableReady", "TableNotActive", f"table {target.table} is {table.status or 'not seen yet'}", 1.0)
        if not _is_tagged(p, table):
            p.actions.append(_tag(p, table))
            p.wait("TableReady", "TaggingTable", f"marking table {target.table} as this import's", 2.0)
    p.conditions.drop("Suspended")
    if table.status == "ACTIVE":
        capacity.set_up(p, table)
    if p.status.progress:
        p.update(progress=p.status.progress.model_copy(update={"percent": 100, "items_loaded": load.loaded_items}))
    return p.complete(f"{results.items_written} items loaded, {results.rows_rejected} rows rejected")


def _claim(p: Pass, table: TableSeen) -> None:
    """Notes the table as made by this import, where it is the one that the import told the TableId of."""
    load, entry = _load(p), p.status.resource("Table")
    if load.table_id is None or not table.exists or table.table_id != load.table_id:
        return
    entry = entry or Resource(
        kind="Table", name=p.spec.target.table, origin="Created", deletion_policy=p.spec.target.deletion_policy
    )
    note(p, entry.model_copy(update={"origin": "Created", **ownership.identity(table)}))


def _is_tagged(p: Pass, table: TableSeen) -> bool:
    return table.owner_uid == p.identity.uid


def _tag(p: Pass, table: TableSeen) -> TagTable:
    load = _load(p)
    assert table.table_id is not None, "DynamoDB tells it"
    assert load.table_id in (None, table.table_id), "the import's own table"
    tags = build.table_tags(p.identity, p.spec)
    return TagTable(p.spec.target.table, table.table_id, tuple(tags.items()))


# -- deletion ----------------------------------------------------------------------------------------------------------


def leave(p: Pass) -> float | None:
    """On deletion, before table and files are touched: None when no load runs any more, and what it made is known; else
    the seconds until the next look."""
    load = p.status.load
    if load is None or load.intended_at is None or load.done:
        return None
    if load.arn is None:
        mine = _of_this_attempt(p, p.seen_or_hold(p.seen.loads, "TableReady"))
        if mine:
            return _found(p, mine)
        if p.since(load.intended_at) < _IN_FLIGHT:
            message = "a load has been asked for and is not seen yet; waiting until it is, or can come no more"
            p.working("Deleting", "LoadAskedFor", message)
            return 2.0
        return None
    if load.arn not in load.ended:
        seen = p.seen_or_hold(p.seen.load, "TableReady")
        if not seen.ended:
            return _leave_running(p, seen)
        update = {"ended": (*load.ended, seen.arn), "table_id": seen.table_id or load.table_id, "state": seen.state}
        p.update(load=load.model_copy(update=update))
    if load.method == "BulkPut":
        return None
    table = p.seen_or_hold(p.seen.table, "TableReady")
    _claim(p, table)
    ours = table.exists and table.table_id == _load(p).table_id
    if ours and table.status == "ACTIVE" and table.owner_uid is None and p.spec.target.deletion_policy == "Delete":
        p.actions.append(_tag(p, table))
        p.working("Deleting", "TaggingTable", f"marking table {p.spec.target.table} as this import's, to delete it")
        return 2.0
    return None


def _leave_running(p: Pass, seen: LoadSeen) -> float:
    if _load(p).method == "BulkPut":
        if seen.state == "Running":
            p.actions.append(CancelBulkPut(seen.arn))
        p.working("Deleting", "CancellingLoad", f"cancelling {seen.arn}; what it has put stays")
        return 1.0
    message = (
        f"DynamoDB imports the table ({seen.arn}), which cannot be cancelled: waiting for its end; the files stay "
        "until then"
    )
    p.working("Deleting", "LoadRuns", message)
    return p.settings.poll


# -- words and pieces --------------------------------------------------------------------------------------------------


def _tell(p: Pass, reason: str, message: str) -> None:
    p.conditions.set("TableReady", "False", reason, message)
    p.working("Loading", reason, message)


def _load(p: Pass) -> LoadStatus:
    assert p.status.load is not None, "made when the job was submitted"
    return p.status.load


def _kept(key: TableKey) -> KeyAttribute:
    return KeyAttribute(name=key.name, type=key.type)


def _key(load: LoadStatus) -> tuple[TableKey, TableKey | None]:
    def attribute(kept: KeyAttribute) -> TableKey:
        return TableKey(kept.name, kept.type_)

    return attribute(load.partition), attribute(load.sort) if load.sort else None
