"""Reads the world: (import, status) -> Observed. Never changes it.

It looks at what the next decision can need and at nothing else: everything before the job exists, the job alone
while it runs, the job's leftovers after the end. A facet that cannot be seen becomes Trouble; the pass continues.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from lindorm_import.adapters import cloudwatch, dynamodb, emr, files, loads, s3
from lindorm_import.adapters.pods import look_at_pods
from lindorm_import.api.spec import ImportSpec
from lindorm_import.api.status import ImportStatus, Throttling
from lindorm_import.domain import names
from lindorm_import.domain.identity import Identity, staged_prefixes
from lindorm_import.domain.observed import (
    BucketSeen,
    DeploymentSeen,
    FilesSeen,
    JobSeen,
    Observed,
    PermissionsSeen,
    SourceSeen,
    TableSeen,
    VirtualClusterSeen,
)
from lindorm_import.domain.pods import PodsSeen
from lindorm_import.domain.trouble import Trouble, TroubleError
from lindorm_import.manifests import build
from lindorm_import.permissions.preflight import PermissionScope
from lindorm_import.world.clients import Clients
from lindorm_import.world.unexpected import unexpected

T = TypeVar("T")

# CloudWatch's metrics have a grain of one minute; asking more often tells nothing new and costs money.
_THROTTLING_EVERY = timedelta(seconds=60)


def _or_trouble(look: Callable[[], T]) -> T | Trouble:
    try:
        return look()
    except TroubleError as error:
        return error.trouble
    except Exception as error:  # an answer of a shape that no adapter knows: it holds up what needs this facet only
        return unexpected(error)


def observe(identity: Identity, spec: ImportSpec, status: ImportStatus, clients: Clients, now: datetime) -> Observed:
    """One look for an import that is not being deleted."""
    if status.run is None:
        return Observed()
    run, kube = status.run, clients.kube
    deployment = _or_trouble(lambda: kube.look_at_deployment(identity.namespace, run.deployment))
    seen = Observed(deployment=deployment)
    ended = any(c.type in ("Complete", "Failed") and c.status == "True" for c in status.conditions)
    if isinstance(deployment, Trouble):
        return seen
    if ended:
        table = status.resource("Table")
        if table is None or table.settings_restored:
            return seen
        return replace(
            seen,
            table=_or_trouble(lambda: _capacity(identity, spec, clients)),
            others=_or_trouble(lambda: kube.look_at_others(identity.uid, spec)),
        )
    if status.load is not None and status.load.items is not None:
        return _look_at_load(identity, spec, status, clients, seen)
    if status.job is not None:
        seen = _look_at_run(identity, spec, status, clients, now, seen, deployment)
    if not deployment.exists:  # with a result, too: it may not be enough to end (core.py)
        seen = _look_before_start(identity, spec, status, clients, seen)
    return seen


def observe_deletion(identity: Identity, spec: ImportSpec, status: ImportStatus, clients: Clients) -> Observed:
    """One look for an import that is being deleted: what is still there of it."""
    if status.run is None:
        return Observed()
    run, kube, region = status.run, clients.kube, spec.target.region
    bucket = _or_trouble(lambda: s3.look_at_bucket(clients.s3(region), spec.staging.bucket))
    staged: Trouble | int = 0
    if not isinstance(bucket, Trouble) and bucket.exists:
        prefixes = staged_prefixes(spec, identity)
        staged = _or_trouble(lambda: s3.count_objects(clients.s3(region), spec.staging.bucket, prefixes))
    seen = Observed()
    if status.load is not None and status.load.intended_at is not None and not status.load.done:
        seen = _look_for_load(spec, status, clients, seen)
    return replace(
        seen,
        deployment=_or_trouble(lambda: kube.look_at_deployment(identity.namespace, run.deployment)),
        config=_or_trouble(lambda: kube.has_config_map(identity.namespace, run.deployment, identity.uid)),
        rates=_or_trouble(lambda: _rates(identity, clients)),
        table=_or_trouble(lambda: _table(identity, spec, clients)),
        bucket=bucket,
        staged=staged,
        dashboard=_or_trouble(lambda: _dashboard(identity, spec, clients)) if status.job else None,
        others=_or_trouble(lambda: kube.look_at_others(identity.uid, spec)),
    )


def _look_at_load(
    identity: Identity, spec: ImportSpec, status: ImportStatus, clients: Clients, seen: Observed
) -> Observed:
    """All files are written: the files themselves before they are loaded, then what loads them, and the table."""
    load, region = status.load, spec.target.region
    assert load is not None
    assert status.run is not None
    seen = replace(seen, table=_or_trouble(lambda: _table(identity, spec, clients)))
    if load.done or not load.items:
        return seen
    compared: Trouble | FilesSeen | None = None
    if load.arn is None:
        run = names.run_prefix(spec.staging, identity.namespace, identity.name, identity.uid)
        compared = _or_trouble(
            lambda: files.look_at_files(
                clients.s3(region),
                spec.staging.bucket,
                names.items_prefix(run),
                names.manifest(run),
                load.manifest_sha256,
            )
        )
    return replace(_look_for_load(spec, status, clients, seen), files=compared)


def _look_for_load(spec: ImportSpec, status: ImportStatus, clients: Clients, seen: Observed) -> Observed:
    """The load of this attempt: by its ARN, or among all that read this run's files, once it was asked for."""
    load, run, region = status.load, status.run, spec.target.region
    assert load is not None
    assert run is not None
    bucket, prefix = build.files_of_run(spec, run.prefix)
    dynamodb_, logs = clients.dynamodb(region), clients.logs(region)
    if load.arn is not None:
        arn = load.arn
        if load.method == "ImportTable":
            return replace(seen, load=_or_trouble(lambda: loads.look_at_import(dynamodb_, logs, arn)))
        errors = (clients.s3(region), names.bulk_errors(run.prefix).removeprefix(f"s3://{bucket}/"))
        return replace(seen, load=_or_trouble(lambda: loads.look_at_bulk_put(dynamodb_, arn, *errors)))
    if load.intended_at is None:
        return seen
    since = load.intended_at
    if load.method == "ImportTable":
        return replace(seen, loads=_or_trouble(lambda: loads.look_for_imports(dynamodb_, bucket, prefix)))
    return replace(seen, loads=_or_trouble(lambda: loads.look_for_bulk_puts(dynamodb_, bucket, prefix, since)))


def _look_before_start(
    identity: Identity, spec: ImportSpec, status: ImportStatus, clients: Clients, seen: Observed
) -> Observed:
    assert status.run is not None
    run, kube, region = status.run, clients.kube, spec.target.region

    def virtual_cluster() -> VirtualClusterSeen | None:
        id_ = spec.job.virtual_cluster_id
        return emr.look_at_virtual_cluster(clients.emr_containers(region), id_) if id_ else None

    bucket = _or_trouble(lambda: s3.look_at_bucket(clients.s3(region), spec.staging.bucket))
    table = _or_trouble(lambda: _table(identity, spec, clients))
    checkpoint: Trouble | str | None = None
    if status.job is not None and not isinstance(bucket, Trouble) and bucket.exists:
        prefix = names.run_prefix(spec.staging, identity.namespace, identity.name, identity.uid) + "checkpoints/"
        checkpoint = _or_trouble(lambda: s3.newest_checkpoint(clients.s3(region), spec.staging.bucket, prefix))
    return replace(
        seen,
        source=_or_trouble(lambda: _source(identity, spec, clients, count=status.plan is None)),
        bucket=bucket,
        table=table,
        config=_or_trouble(lambda: kube.has_config_map(identity.namespace, run.deployment, identity.uid)),
        rates=_or_trouble(lambda: _rates(identity, clients)),
        checkpoint=checkpoint,
        virtual_cluster=_or_trouble(virtual_cluster),
        others=_or_trouble(lambda: kube.look_at_others(identity.uid, spec)),
        permissions=_permissions(identity, spec, status, clients, bucket, table),
    )


def _look_at_run(
    identity: Identity,
    spec: ImportSpec,
    status: ImportStatus,
    clients: Clients,
    now: datetime,
    seen: Observed,
    deployment: DeploymentSeen,
) -> Observed:
    assert status.run is not None
    run, kube, region = status.run, clients.kube, spec.target.region
    key = names.run_prefix(spec.staging, identity.namespace, identity.name, identity.uid) + "result/result.json"
    job = None
    if deployment.exists and deployment.job_id:
        base = clients.flink_rest.format(namespace=identity.namespace, name=run.deployment)
        job = clients.look_at_job(base, deployment.job_id)
    result = None
    if _may_have_ended(status, deployment, job):
        result = _or_trouble(lambda: s3.look_for_result(clients.s3(region), spec.staging.bucket, key))
    over = deployment.job_state == "FINISHED" or not deployment.exists
    config: Trouble | bool | None = None
    source: Trouble | SourceSeen | None = None
    if deployment.exists and not deployment.deleting:
        config = _or_trouble(lambda: kube.has_config_map(identity.namespace, run.deployment, identity.uid))
    if config is False:
        source = _or_trouble(lambda: _source(identity, spec, clients, count=False))
    pods: Trouble | PodsSeen | None = None
    if _pods_may_tell(spec, deployment, job):
        pods = _or_trouble(lambda: look_at_pods(kube.core, identity.namespace, run.deployment))
    throttling = _throttling(spec, status, clients, now, over)
    dashboard = others = None
    if _may_set_capacity(spec, status):
        others = _or_trouble(lambda: kube.look_at_others(identity.uid, spec))
    if throttling is not None:
        dashboard = _or_trouble(lambda: _dashboard(identity, spec, clients))
    return replace(
        seen,
        config=config,
        source=source,
        result=result,
        job=job,
        pods=pods,
        dashboard=dashboard,
        table=_or_trouble(lambda: _capacity(identity, spec, clients)),
        rates=_or_trouble(lambda: _rates(identity, clients)),
        throttling=throttling,
        others=others,
    )


def _may_have_ended(status: ImportStatus, deployment: DeploymentSeen, job: JobSeen | None) -> bool:
    """Whether a look for the result is worth a GET: always but where a fact says that there can be none or no new one.

    The Flink operator's word is no such fact: it looks every 15 seconds, not at all while it is down, and says
    RECONCILING or ERROR for ever of a job that finished just before its JobManager was lost. The JobManager's own word
    is, that the job continues; and so is that the job was at rest already when the result was looked for.
    """
    if deployment.job_state == "FINISHED" and not deployment.stopped:
        return True
    if deployment.stopped and any(c.type == "Suspended" and c.status == "True" for c in status.conditions):
        return False
    return job is None or not job.goes_on


def _pods_may_tell(spec: ImportSpec, deployment: DeploymentSeen, job: JobSeen | None) -> bool:
    """Whether the job should run and does not, by the operator's word or by Flink's."""
    asked_for = deployment.exists and not deployment.deleting and not spec.suspend
    runs = deployment.job_state == "RUNNING" and job is not None and job.state == "RUNNING"
    return asked_for and not runs and deployment.job_state != "FINISHED"


def _may_set_capacity(spec: ImportSpec, status: ImportStatus) -> bool:
    """Whether it wants to set the capacity of a table that it did not make, and is not yet the one that does."""
    capacity, entry = spec.target.table_capacity, status.resource("Table")
    wants = capacity.mode or capacity.write_units or capacity.after
    return bool(wants) and entry is not None and not entry.holds


def _source(identity: Identity, spec: ImportSpec, clients: Clients, count: bool) -> SourceSeen:
    login = clients.kube.credentials(identity.namespace, spec.source.credentials.secret_name)
    return clients.look_at_source(spec, login, count)


def _table(identity: Identity, spec: ImportSpec, clients: Clients) -> TableSeen:
    region, name, policy = spec.target.region, spec.target.table, names.scaling_policy(identity.uid)
    return dynamodb.look_at_table(clients.dynamodb(region), clients.scaling(region), name, policy)


def _capacity(identity: Identity, spec: ImportSpec, clients: Clients) -> TableSeen:
    region, name, policy = spec.target.region, spec.target.table, names.scaling_policy(identity.uid)
    return dynamodb.look_at_capacity(clients.dynamodb(region), clients.scaling(region), name, policy)


def _dashboard(identity: Identity, spec: ImportSpec, clients: Clients) -> bool:
    name = names.deployment(identity.name, identity.uid)
    return cloudwatch.look_at_dashboard(clients.cloudwatch(spec.target.region), name, identity.uid)


def _rates(identity: Identity, clients: Clients) -> str:
    name = names.rates(identity.name, identity.uid)
    return clients.kube.look_at_rates(identity.namespace, name, identity.uid)


def _permissions(
    identity: Identity,
    spec: ImportSpec,
    status: ImportStatus,
    clients: Clients,
    bucket: Trouble | BucketSeen,
    table: Trouble | TableSeen,
) -> PermissionsSeen | None:
    """Asked before the first submission, until nothing is missing; not again: the real calls say it then."""
    known = next((c.status for c in status.conditions if c.type == "PermissionsReady"), "False")
    if status.job is not None or known != "False" or isinstance(bucket, Trouble) or isinstance(table, Trouble):
        return None
    question = PermissionScope(identity.namespace, identity.uid, spec, bucket.exists, table.exists)
    region = spec.target.region
    iam, sts = clients.iam(region), clients.sts(region)
    return clients.look_at_permissions(iam, sts, clients.kube, question, clients.answers)


def _throttling(
    spec: ImportSpec, status: ImportStatus, clients: Clients, now: datetime, over: bool
) -> Throttling | None:
    """None where it is too early to ask again, or CloudWatch does not answer: it only reports, it holds up nothing."""
    before = status.throttling
    start = status.run.start_time if status.run else None
    fresh = before and before.observed_at and now - before.observed_at < _THROTTLING_EVERY
    if start is None or (fresh and not over):
        return None
    try:
        return cloudwatch.look_at_throttling(clients.cloudwatch(spec.target.region), spec.target.table, start, now)
    except TroubleError:
        return None
