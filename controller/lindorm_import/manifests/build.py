"""Builds the documents that the controller hands out: job config, ConfigMap, FlinkDeployment. Pure.

Shapes: docs/contracts.md, "The job config" and "The FlinkDeployment". What EMR adds to a FlinkDeployment:
https://docs.aws.amazon.com/emr/latest/EMR-on-EKS-DevelopmentGuide/jobruns-flink.html
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from lindorm_import import plan
from lindorm_import.api import GROUP, KIND, VERSION
from lindorm_import.api.durations import parse_duration
from lindorm_import.api.instants import bound_of_job
from lindorm_import.api.modes import is_provisioned
from lindorm_import.api.spec import Duration, ImportSpec, Monitoring
from lindorm_import.domain import names
from lindorm_import.domain.identity import Identity
from lindorm_import.domain.observed import IndexKey, TableKey
from lindorm_import.plan.mapping import KeyPart, Mapping

Document = dict[str, Any]

JOB_CONFIG_DIR = "/etc/lindorm-import/job"
RATES_DIR = "/etc/lindorm-import/rates"
CREDENTIALS_DIR = "/etc/lindorm-import/credentials"
# Read units of a table that becomes provisioned and never had any: what AWS's own tools give (CDK: Table.readCapacity,
# "default: 5"; the console's auto scaling: a minimum of 5). The import itself reads nothing.
NEW_READ_UNITS = 5
# What flink_deployment() may set of a FlinkDeployment's spec; anything else in one is an operator's or somebody's.
FLINK_SPEC = (
    *("flinkVersion", "emrReleaseLabel", "flinkConfiguration", "podTemplate", "jobManager", "taskManager", "job"),
    *("image", "executionRoleArn", "serviceAccount", "monitoringConfiguration"),
)
MAIN_CONTAINER = "flink-main-container"  # the name that Flink's native Kubernetes mode gives to its container

# What Flink must be let into on Java 17; without it PyFlink's main cannot start. Flink's own config.yaml says so, but
# in native mode the operator covers that file (docs/contracts.md, The FlinkDeployment). The list is that of the
# operator's chart since 1.12: Flink's own without jdk.compiler, which a JRE does not have.
JAVA_OPTIONS = " ".join(
    [f"--add-exports={package}=ALL-UNNAMED" for package in (
        "java.base/sun.net.util", "java.rmi/sun.rmi.registry", "java.security.jgss/sun.security.krb5",
    )]
    + [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in (
        "java.lang", "java.net", "java.io", "java.nio", "sun.nio.ch", "java.lang.reflect", "java.text", "java.time",
        "java.util", "java.util.concurrent", "java.util.concurrent.atomic", "java.util.concurrent.locks",
    )]
)  # fmt: skip


def _metadata(identity: Identity, name: str | None = None) -> Document:
    return {
        "name": name or names.deployment(identity.name, identity.uid),
        "namespace": identity.namespace,
        "labels": names.labels(identity.namespace, identity.name, identity.uid),
        # Only a safety net: what the finalizer removes is removed by the controller, in order.
        "ownerReferences": [
            {
                "apiVersion": f"{GROUP}/{VERSION}",
                "kind": KIND,
                "name": identity.name,
                "uid": identity.uid,
                "blockOwnerDeletion": False,
            }
        ],
    }


def job_config(
    identity: Identity,
    spec: ImportSpec,
    mapping: Mapping,
    key: list[Document],
    prefix: str,
    index_keys: Sequence[IndexKey] = (),
) -> Document:
    """The job's one document. key: Lindorm's primary key as [{name, order}]; prefix: s3://…/ of the run; index_keys:
    of the table that is there."""
    source, target, time = spec.source, spec.target, spec.source.time_range

    def part(key_part: KeyPart) -> Document:
        return {"name": key_part.name, "type": key_part.type, "template": key_part.template}

    load: Document = {}
    if target.load.from_files:
        load["load"] = {
            "method": target.load.method,
            "items": names.items_prefix(prefix),
            "manifest": names.manifest(prefix),
            "maxObjects": plan.MAX_OBJECTS,
        }
    return {
        "version": 2 if load else 1,  # a job that does not know of files refuses it
        "import": {
            "namespace": identity.namespace,
            "name": identity.name,
            "uid": identity.uid,
            "runId": names.run_id(identity.uid),
        },
        "source": {
            "url": source.mysql_url,
            "table": source.table,
            "tls": {"mode": source.tls.mode},
            "columns": [{"name": c.name, "type": c.type} for c in mapping.columns],
            "primaryKey": key,
            "timeRange": {
                "column": time.column,
                "start": bound_of_job(time.start, time.unit),
                "end": bound_of_job(time.end, time.unit),
                "unit": time.unit,
            },
            "filter": source.filter,
            "pageSize": source.page_size,
            "maxRowsPerSecond": source.max_rows_per_second,
            "splitPoints": list(source.split_points),
        },
        "target": {
            "region": target.region,
            "table": target.table,
            "key": {"partition": part(mapping.partition), "sort": part(mapping.sort) if mapping.sort else None},
            "attributes": [{"column": a.column, "name": a.name, "as": a.as_} for a in mapping.attributes],
            "indexKeys": [{"index": k.index, "name": k.name, "type": k.type, "role": k.role} for k in index_keys],
            "partitionShards": target.partition_shards,
            "nulls": target.nulls,
        },
        **load,
        "rejects": {"path": f"{prefix}rejects/", "max": spec.rejects.max},
        "result": {"path": f"{prefix}result/result.json"},
    }


def config_map(identity: Identity, config: Document) -> Document:
    """The ConfigMap that carries the job config. immutable: a running job's config cannot change under it."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(identity),
        "immutable": True,
        "data": {"job.json": json.dumps(config, indent=2, ensure_ascii=False)},
    }


def rates(spec: ImportSpec) -> str:
    """The document of the rates that may change while the job runs (docs/contracts.md, "Rates that change while the
    job runs")."""
    capacity = spec.target.capacity
    units = capacity.write_units
    if units is not None and capacity.autoscaling:
        units = max(units, capacity.autoscaling.max)
    document = {"version": 1, "writeUnitsPerSecond": units, "rowsPerSecond": spec.source.max_rows_per_second}
    return json.dumps(document)


def rates_config_map(identity: Identity, spec: ImportSpec) -> Document:
    """The ConfigMap of the rates: mounted next to the job config, and changed while the job runs."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(identity, names.rates(identity.name, identity.uid)),
        "data": {names.RATES_KEY: rates(spec)},
    }


def _milliseconds(duration: Duration) -> str:
    return f"{int(parse_duration(duration).total_seconds() * 1000)} ms"


def flink_configuration(spec: ImportSpec, prefix: str, least_interval: int | None = None) -> dict[str, str]:
    """Flink's settings; every value a string, because EMR's operator knows only strings. The user's win.
    least_interval: seconds between checkpoints that the plan asks for, where the job writes files."""
    job = spec.job
    checkpoint = job.checkpoint
    wanted = int(parse_duration(checkpoint.interval).total_seconds() * 1000)
    ours = {
        "taskmanager.numberOfTaskSlots": str(job.task_manager.slots),
        "taskmanager.memory.managed.size": job.task_manager.managed_memory,
        "execution.checkpointing.interval": f"{max(wanted, (least_interval or 0) * 1000)} ms",
        "execution.checkpointing.min-pause": _milliseconds(checkpoint.min_pause),
        "execution.checkpointing.timeout": _milliseconds(checkpoint.timeout),
        "execution.checkpointing.mode": "EXACTLY_ONCE",
        # What a job that is submitted again starts from.
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "state.checkpoints.num-retained": "2",
        "state.backend.type": "hashmap",
        "state.checkpoints.dir": f"{prefix}checkpoints",
        "state.savepoints.dir": f"{prefix}savepoints",
        # The default options: what a user, or EMR's operator, sets as env.java.opts.all is added to them.
        "env.java.default-opts.all": JAVA_OPTIONS,
        # Bounded: a job that fails for good must say so, not restart for ever.
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "1 s",
        "restart-strategy.exponential-delay.max-backoff": "1 min",
        "restart-strategy.exponential-delay.backoff-multiplier": "2.0",
        "restart-strategy.exponential-delay.attempts-before-reset-backoff": "10",
        "restart-strategy.exponential-delay.reset-backoff-threshold": "10 min",
    }
    return ours | dict(job.flink_configuration)


def job_manager_memory(spec: ImportSpec) -> str:
    """Of the JobManager's process. The operator takes it from jobManager.resource and passes over Flink's setting."""
    return spec.job.flink_configuration.get("jobmanager.memory.process.size", "2048m")


def settings_hash(spec: ImportSpec) -> str:
    """Of what takes effect when the job is submitted or resumed (Change.AT_RESUME), as the user wrote it: it stands on
    the FlinkDeployment, and tells whether that was made from today's spec."""
    job = spec.job.model_dump(mode="json", exclude_defaults=True)
    text = json.dumps([job, spec.source.credentials.secret_name], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def flink_deployment(
    identity: Identity,
    spec: ImportSpec,
    prefix: str,
    image: str | None,
    checkpoint: str | None,
    parallelism: int,
    least_interval: int | None = None,
) -> Document:
    """The FlinkDeployment. image: the job image where the spec names none; checkpoint: where to continue from;
    parallelism: the plan's, least_interval: the same (flink_configuration)."""
    job = spec.job
    mounts = [
        {"name": "job-config", "mountPath": JOB_CONFIG_DIR, "readOnly": True},
        {"name": "rates", "mountPath": RATES_DIR, "readOnly": True},
        {"name": "credentials", "mountPath": CREDENTIALS_DIR, "readOnly": True},
    ]
    ca = ["ca.crt"] if spec.source.tls.verifies else []
    pod: Document = {
        "securityContext": _pod_security(spec),
        "containers": [
            {
                "name": MAIN_CONTAINER,
                "volumeMounts": mounts,
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
        "volumes": [
            {"name": "job-config", "configMap": {"name": names.deployment(identity.name, identity.uid)}},
            {"name": "rates", "configMap": {"name": names.rates(identity.name, identity.uid)}},
            {
                "name": "credentials",
                "secret": {
                    "secretName": spec.source.credentials.secret_name,
                    "items": [{"key": k, "path": k} for k in ("username", "password", *ca)],
                },
            },
        ],
    }
    if job.node_selector:
        pod["nodeSelector"] = dict(job.node_selector)
    flink: Document = {
        "flinkVersion": "v1_20",
        "emrReleaseLabel": job.emr_release_label,
        "flinkConfiguration": flink_configuration(spec, prefix, least_interval),
        "podTemplate": {"spec": pod},
        "jobManager": {
            "highAvailabilityEnabled": True,
            "storageDir": f"{prefix}ha",
            "replicas": 1,
            "resource": {"cpu": 1, "memory": job_manager_memory(spec)},
        },
        "taskManager": {"resource": {"cpu": job.task_manager.cpu, "memory": job.task_manager.process_memory}},
        "job": {
            "jarURI": "local:///opt/flink/lib/lindorm-flink.jar",
            "entryClass": "org.apache.flink.client.python.PythonDriver",
            "args": [
                "-py",
                "/opt/flink/usrlib/main.py",
                "--config",
                f"{JOB_CONFIG_DIR}/job.json",
                "--credentials",
                CREDENTIALS_DIR,
                "--rates",
                RATES_DIR,
            ],
            "parallelism": parallelism,
            "upgradeMode": "last-state",
            "state": "suspended" if spec.suspend else "running",
        },
    }
    if checkpoint:
        flink["job"]["initialSavepointPath"] = checkpoint
    if job.image or image:
        flink["image"] = job.image or image
    if job.execution_role_arn:
        flink["executionRoleArn"] = job.execution_role_arn
    if job.service_account:
        flink["serviceAccount"] = job.service_account
    if job.monitoring:
        flink["monitoringConfiguration"] = _monitoring(job.monitoring, names.deployment(identity.name, identity.uid))
    return {
        "apiVersion": "flink.apache.org/v1beta1",
        "kind": "FlinkDeployment",
        "metadata": _metadata(identity) | {"annotations": {names.SETTINGS: settings_hash(spec)}},
        "spec": flink,
    }


def _pod_security(spec: ImportSpec) -> Document:
    """With the containers' own, what the pod security standard restricted demands, if the user's number is known
    (https://kubernetes.io/docs/concepts/security/pod-security-standards/)."""
    found: Document = {"seccompProfile": {"type": "RuntimeDefault"}}
    if spec.job.run_as_user is not None:
        found |= {"runAsNonRoot": True, "runAsUser": spec.job.run_as_user}
    return found


def _monitoring(wanted: Monitoring, deployment: str) -> Document:
    """EMR's monitoringConfiguration:
    https://docs.aws.amazon.com/emr/latest/EMR-on-EKS-DevelopmentGuide/jobruns-flink-monitoring-configuration.html"""
    told: Document = {}
    if wanted.s3_log_uri:
        told["s3MonitoringConfiguration"] = {"logUri": wanted.s3_log_uri}
    if wanted.log_group:
        told["cloudWatchMonitoringConfiguration"] = {
            "logGroupName": wanted.log_group,
            "logStreamNamePrefix": deployment,
        }
    return told


def table_tags(identity: Identity, spec: ImportSpec) -> dict[str, str]:
    """Those that the user wants, and those that say whose it is."""
    return spec.target.tags | names.tags(identity.namespace, identity.name, identity.uid)


def _key(partition: TableKey, sort: TableKey | None) -> Document:
    parts = [(partition, "HASH")] + ([(sort, "RANGE")] if sort else [])
    return {
        "AttributeDefinitions": [{"AttributeName": p.name, "AttributeType": p.type} for p, _ in parts],
        "KeySchema": [{"AttributeName": p.name, "KeyType": role} for p, role in parts],
    }


def _encryption(spec: ImportSpec) -> Document:
    key = spec.target.kms_key_arn
    return {"SSESpecification": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}} if key else {}


def import_request(
    identity: Identity, spec: ImportSpec, prefix: str, key: tuple[TableKey, TableKey | None], attempt: int
) -> Document:
    """The arguments of ImportTable. prefix: s3://…/ of the run. What a table may have besides (tags, protection,
    recovery, capacity) it cannot set (API reference, TableCreationParameters)."""
    return {
        "ClientToken": names.load_token(identity.uid, attempt),
        "S3BucketSource": _files(spec, names.items_prefix(prefix)),
        "InputFormat": "DYNAMODB_JSON",
        "InputCompressionType": "GZIP",
        "TableCreationParameters": {
            "TableName": spec.target.table,
            **_key(*key),
            "BillingMode": "PAY_PER_REQUEST",
            **_encryption(spec),
        },
    }


def bulk_put_request(
    identity: Identity, spec: ImportSpec, prefix: str, write_units: int | None, attempt: int
) -> Document:
    """The arguments of StartBulkPutItems. write_units: the most a second that it may use."""
    files = _files(spec, names.items_prefix(prefix))
    request: Document = {
        "ClientToken": names.load_token(identity.uid, attempt),
        "InputS3Configuration": {**files, "InputFormat": "DYNAMODB_JSON", "InputCompressionType": "GZIP"},
        "OutputS3Configuration": {**_files(spec, names.bulk_errors(prefix)), "OutputType": ["ERROR"]},
        "TableName": spec.target.table,
    }
    return request | ({"MaxWriteRequestUnits": write_units} if write_units else {})


def files_of_run(spec: ImportSpec, prefix: str) -> tuple[str, str]:
    """Bucket and key prefix of what a load of this run reads. prefix: s3://…/ of the run."""
    files = _files(spec, names.items_prefix(prefix))
    return files["S3Bucket"], files["S3KeyPrefix"]


def _files(spec: ImportSpec, address: str) -> Document:
    bucket = spec.staging.bucket
    return {"S3Bucket": bucket, "S3KeyPrefix": address.removeprefix(f"s3://{bucket}/")}


def table_request(identity: Identity, spec: ImportSpec, key: tuple[TableKey, TableKey | None]) -> Document:
    """The arguments of CreateTable. The tags go in the same call: a table is never there without its owner."""
    target, capacity = spec.target, spec.target.table_capacity
    request: Document = {
        "TableName": target.table,
        **_key(*key),
        "Tags": [{"Key": k, "Value": v} for k, v in table_tags(identity, spec).items()],
        "DeletionProtectionEnabled": target.deletion_protection,
    }
    request |= _encryption(spec)
    if is_provisioned(capacity.mode):
        request["BillingMode"] = "PROVISIONED"
        request["ProvisionedThroughput"] = {
            "ReadCapacityUnits": NEW_READ_UNITS,
            "WriteCapacityUnits": capacity.write_units,
        }
    else:
        request["BillingMode"] = "PAY_PER_REQUEST"
        if capacity.write_units:
            # The other half is not ours to limit: -1 means no maximum (API: OnDemandThroughput).
            request["OnDemandThroughput"] = {
                "MaxReadRequestUnits": -1,
                "MaxWriteRequestUnits": capacity.write_units,
            }
    if capacity.warm and capacity.write_units and capacity.write_units > plan.NEW_ON_DEMAND_TABLE:
        # Warm throughput below what a new table has is refused; both halves must be given (API: WarmThroughput).
        request["WarmThroughput"] = {
            "ReadUnitsPerSecond": plan.NEW_ON_DEMAND_TABLE_READS,
            "WriteUnitsPerSecond": capacity.write_units,
        }
    return request
