"""Before the job: source, permissions, plan and budget; then staging, table, submission."""

from lindorm_import import plan
from lindorm_import.api.status import JobStatus, PlanStatus
from lindorm_import.decide import capacity, ownership
from lindorm_import.decide.follow import make_config, set_rates
from lindorm_import.decide.load import planned_load, table_exists
from lindorm_import.decide.own_rights import keep_own_rights
from lindorm_import.decide.passes import Pass
from lindorm_import.decide.spending import spend
from lindorm_import.domain import names
from lindorm_import.domain.actions import CreateBucket, CreateObject, CreateTable
from lindorm_import.domain.observed import SourceSeen, TableSeen
from lindorm_import.domain.trouble import Trouble
from lindorm_import.domain.words import counted
from lindorm_import.manifests import build
from lindorm_import.plan import status as plan_status
from lindorm_import.plan.limits import index_trouble
from lindorm_import.plan.mapping import Mapping, map_table


def prepare(p: Pass) -> float:
    """First everything that only looks (source, permissions, plan, budget), then everything that makes something."""
    keep_own_rights(p)
    source = p.seen_or_hold(p.seen.source, "SourceReady")
    mapping = map_table(p.spec, source)
    if isinstance(mapping, Trouble):
        p.hold("SourceReady", mapping)
    key = ", ".join(k.name for k in source.primary_key)
    p.conditions.set(
        "SourceReady", "True", "Described", f"{counted(len(mapping.columns), 'column')} to read, primary key {key}"
    )
    _virtual_cluster(p)
    _permissions(p)
    table = p.seen_or_hold(p.seen.table, "TableReady")
    _fits(p, mapping, table)
    _plan(p, source, mapping, table)
    if p.spec.suspend:
        return _held_back(p)
    _staging(p)
    _table(p, mapping, table)
    return _submit(p, mapping, source)


def _held_back(p: Pass) -> float:
    if p.status.job is None:
        p.suspended("suspended before the start: checked and planned, nothing has been made or read")
    else:
        p.suspended("suspended; the job continues from its last checkpoint when spec.suspend is false")
    if p.status.resource("Table"):
        spend(p, at_rest=True)
    return p.settings.poll


def _permissions(p: Pass) -> None:
    """What asking without doing says. Only what is surely missing holds the import."""
    seen = p.seen.permissions
    if seen is None:
        return
    if seen.denied:
        message = f"{'; '.join(seen.denied)}: add what is missing to the role"
        p.hold("PermissionsReady", Trouble("PermissionMissing", message))
    if seen.doubtful:
        message = f"not certain before they are used: {'; '.join(seen.doubtful)}"
        p.conditions.set("PermissionsReady", "Unknown", "Unverified", message)
    else:
        p.conditions.set("PermissionsReady", "True", "Simulated", "every permission that will be needed is there")


def _virtual_cluster(p: Pass) -> None:
    """EMR starts jobs only in a namespace that a running virtual cluster registers."""
    id_ = p.spec.job.virtual_cluster_id
    if id_ is None:
        return
    seen = p.seen_or_hold(p.seen.virtual_cluster, "JobRunning")
    if not seen.exists:
        problem = f"virtual cluster {id_} does not exist in {p.spec.target.region}: correct job.virtualClusterId"
    elif seen.state != "RUNNING":
        problem = f"virtual cluster {id_} is {seen.state}, not RUNNING: create another, or wait until it runs"
    elif seen.namespace != p.identity.namespace:
        problem = f"virtual cluster {id_} is of namespace {seen.namespace}: create the import there"
    else:
        return
    p.hold("JobRunning", Trouble("VirtualClusterNotReady", problem))


def _staging(p: Pass) -> None:
    staging = p.spec.staging
    bucket = p.seen_or_hold(p.seen.bucket, "StagingReady")
    ownership.wait_for_leaving(p, "Bucket")
    if bucket.exists:
        ownership.note(p, "Bucket", staging.bucket, staging.deletion_policy, bucket)
        p.conditions.set("StagingReady", "True", "BucketFound", f"staging in {p.run.prefix}")
        return
    if staging.create == "Never":
        p.hold(
            "StagingReady",
            Trouble(
                "BucketMissing",
                f"bucket {staging.bucket} does not exist and staging.create is Never: create it",
            ),
        )
    tags = names.tags(p.identity.namespace, p.identity.name, p.identity.uid)
    ownership.intend(p, "Bucket", staging.bucket, staging.deletion_policy)
    p.actions.append(CreateBucket(staging.bucket, p.spec.target.region, tuple(tags.items())))
    p.wait("StagingReady", "CreatingBucket", f"creating bucket {staging.bucket}", 0.0)


def _fits(p: Pass, mapping: Mapping, table: TableSeen) -> None:
    """A table that is there must have the key of the items, and its indexes keys of the types that the items have."""
    target = p.spec.target
    if not table.exists:
        if target.create == "Never":
            message = f"table {target.table} does not exist and target.create is Never: create it"
            p.hold("TableReady", Trouble("TableMissing", message))
        return
    if target.load.method == "ImportTable" and table.status != "DELETING":
        p.hold("TableReady", table_exists(p))
    wanted = mapping.key
    if (table.partition, table.sort) != wanted:
        told = " and ".join(f"{k.name} ({k.type})" for k in wanted if k)
        has = " and ".join(f"{k.name} ({k.type})" for k in (table.partition, table.sort) if k)
        p.hold(
            "TableReady",
            Trouble(
                "KeyMismatch",
                f"table {target.table} exists with key {has}, but the import makes items with key {told}: "
                "import into another table, or remove this one",
            ),
        )
    if trouble := index_trouble(mapping, table):
        p.hold("TableReady", trouble)


def _table(p: Pass, mapping: Mapping, table: TableSeen) -> None:
    target = p.spec.target
    ownership.wait_for_leaving(p, "Table")
    if target.load.method == "ImportTable":
        message = f"table {target.table} does not exist: DynamoDB makes it of the files, when all are written"
        p.conditions.set("TableReady", "False", "NotYetImported", message)
        return
    if not table.exists:
        ownership.intend(p, "Table", target.table, target.deletion_policy)
        p.actions.append(CreateTable(build.table_request(p.identity, p.spec, mapping.key)))
        p.wait("TableReady", "CreatingTable", f"creating table {target.table}", 1.0)
    if table.status == "DELETING":
        p.wait("TableReady", "TableNotActive", f"table {target.table} is being deleted", 1.0)
    ownership.note(p, "Table", target.table, target.deletion_policy, table)
    spend(p, at_rest=True)
    if table.status != "ACTIVE":
        p.wait("TableReady", "TableNotActive", f"table {target.table} is {table.status}", 1.0)
    capacity.set_up(p, table)


def _plan(p: Pass, source: SourceSeen, mapping: Mapping, table: TableSeen) -> None:
    """status.plan, from what the source said the first time (it is not counted again) and today's spec."""
    spec, known = p.spec, p.before.plan
    load = plan_status.load_from(known, table) if known else None
    if load is None and source.rows is not None:
        load = plan.load_of(
            source.rows,
            source.sample,
            mapping,
            spec.target.nulls,
            spec.target.partition_shards,
            table.indexes,
            "Counted" if source.rows_error_percent is None else "Estimated",
            source.rows_error_percent,
            table.index_keys,
        )
    if load is None:
        size = plan.size_cluster(plan.rate_limit(spec.target.capacity, table), spec.job)
        files = spec.target.load.from_files
        p.update(
            plan=PlanStatus(
                parallelism=size.parallelism,
                task_managers=size.task_managers,
                checkpoint_seconds=round(plan.UNKNOWN_ROWS_INTERVAL.total_seconds()) if files else None,
                prices_as_of=p.settings.prices.as_of,
            )
        )
        if p.status.job is None and (spec.budget.max_cost_usd or spec.budget.max_duration):
            p.hold(
                "Reconciling",
                Trouble(
                    "PlanUnavailable",
                    "Lindorm could neither count nor estimate the rows of the range in time, so the budget cannot be "
                    "kept: narrow the range, or remove spec.budget",
                    spec=True,
                ),
            )
        return
    made = plan.make_plan(
        load,
        spec.target.capacity,
        p.settings.prices,
        table,
        spec.job,
        spec.source.max_rows_per_second,
        spec.budget,
        spec.target.load.method,
    )
    p.update(plan=plan_status.plan_status(made))
    over = plan_status.over_budget(made, spec.budget)
    if over and p.status.job is None:  # later it is what has been spent that counts
        p.hold("Reconciling", Trouble("OverBudget", over, spec=True))


def _submit(p: Pass, mapping: Mapping, source: SourceSeen) -> float:
    checkpoint = p.optional_or_hold(p.seen.checkpoint, "JobRunning")
    job = p.before.job
    if job is None:  # the names are in the status one pass before the job exists
        started = {"start_time": p.now, "active_since": p.now}
        p.update(job=JobStatus(state="Submitting"), run=p.run.model_copy(update=started), load=planned_load(p, mapping))
    elif job.retry_after and p.now < job.retry_after:
        message = f"submitting the job again at {job.retry_after:%H:%M:%S} UTC, after: {job.failure}"
        p.wait("JobRunning", "JobFailed", message, (job.retry_after - p.now).total_seconds())
    p.conditions.drop("Suspended")
    p.conditions.set("JobRunning", "False", "Submitting", f"creating FlinkDeployment {p.run.deployment}")
    if isinstance(p.seen.config, Trouble):
        p.hold("JobRunning", p.seen.config)
    if rates := set_rates(p, p.optional_or_hold(p.seen.rates, "JobRunning")):
        p.actions.append(rates)
    if not p.seen.config:
        p.actions.append(make_config(p, mapping, source))
    assert p.status.plan is not None, "planned before in this pass"
    deployment = build.flink_deployment(
        p.identity,
        p.spec,
        p.run.prefix,
        p.settings.image,
        checkpoint,
        p.status.plan.parallelism,
        p.status.plan.checkpoint_seconds,
    )
    p.actions.append(CreateObject(deployment))
    p.working("Submitting", "Submitting", f"creating FlinkDeployment {p.run.deployment}")
    return 1.0
