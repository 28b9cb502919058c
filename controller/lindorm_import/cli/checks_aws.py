"""The checks of `doctor` that look at AWS. Nothing is changed; what IAM can answer without doing is asked there.

Never tried against the real AWS: EMR's service accounts and trust policies are after its guide ("Create a job
execution role", "Update the trust policy of the job execution role").
"""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import ClientError

from lindorm_import.adapters.cache import AnswerCache
from lindorm_import.adapters.emr import look_at_virtual_cluster
from lindorm_import.adapters.errors import AWS_FAILURES, aws_code, aws_trouble
from lindorm_import.adapters.iam import simulate
from lindorm_import.api.spec import ImportSpec
from lindorm_import.cli import aws
from lindorm_import.cli.checks import Check, ok, trouble
from lindorm_import.domain.trouble import TroubleError
from lindorm_import.permissions.preflight import PermissionScope, job_actions
from lindorm_import.plan import TABLE_QUOTA
from lindorm_import.plan.limits import index_trouble
from lindorm_import.plan.mapping import Mapping


def amazon(spec: ImportSpec, namespace: str, mapping: Mapping | None) -> list[Check]:
    """Credentials first: without them nothing else can be asked."""
    region = spec.target.region
    try:
        who = aws.client("sts", region).get_caller_identity()
    except AWS_FAILURES as error:
        return [Check("aws credentials", "fail", aws_trouble(error, "sts:GetCallerIdentity").message)]
    out = [ok("aws credentials", f"{who['Arn']}, region {region}")]
    looks: list[tuple[str, Callable[[], Check]]] = [
        ("table", lambda: _table(spec, mapping)),
        ("quota", lambda: _quota(spec)),
        ("bucket", lambda: _bucket(spec)),
        ("virtual cluster", lambda: _virtual_cluster(spec, namespace)),
        ("role trust", lambda: _trust(spec, namespace)),
        ("role permissions", lambda: _permissions(spec, namespace)),
        ("vpc endpoints", lambda: _endpoints(spec)),
    ]
    for name, look in looks:
        try:
            out.append(look())
        except TroubleError as error:
            out.append(trouble(name, error, "warn"))
        except AWS_FAILURES as error:
            out.append(Check(name, "warn", f"not looked at: {aws_trouble(error, name).message}"))
    return out


def _table(spec: ImportSpec, mapping: Mapping | None) -> Check:
    name = spec.target.table
    table = aws.look_at_target(spec)
    if not table.exists:
        if spec.target.create == "Never":
            return Check("table", "fail", f"{name} does not exist", "create it, or leave target.create at IfMissing")
        return ok("table", f"{name} does not exist; the import creates it")
    if mapping is None:
        return Check("table", "skip", f"{name} exists; its key was not compared, since Lindorm's was not seen")
    wanted = (mapping.partition.table_key, mapping.sort.table_key if mapping.sort else None)
    if (table.partition, table.sort) != wanted:
        told = " and ".join(f"{k.name} ({k.type})" for k in wanted if k)
        has = " and ".join(f"{k.name} ({k.type})" for k in (table.partition, table.sort) if k)
        return Check(
            "table",
            "fail",
            f"{name} exists with key {has}, but the import makes items with key {told}",
            "import into another table, or set target.key",
        )
    if mismatch := index_trouble(mapping, table):
        return Check("table", "fail", f"{name}: {mismatch.message}")
    mode = spec.target.capacity.mode
    if mode not in (None, table.settings.mode):
        return Check(
            "table",
            "fail",
            f"{name} exists and is {table.settings.mode}; target.capacity.mode is {mode}",
            "leave the mode out, or switch the table yourself: its readers depend on it",
        )
    after = spec.target.capacity.after
    if after and after.mode != table.settings.mode:
        return Check(
            "table",
            "warn",
            f"{name} exists and is {table.settings.mode}; target.capacity.after.mode {after.mode} is not applied to it",
            "switch the table yourself after the import",
        )
    return ok("table", f"{name} exists, is {table.settings.mode} and has the right key")


def _quota(spec: ImportSpec) -> Check:
    capacity = spec.target.capacity
    wanted = (capacity.autoscaling.max if capacity.autoscaling else capacity.write_units) or 0
    limits = aws.client("dynamodb", spec.target.region).describe_limits()
    table, account = limits["TableMaxWriteCapacityUnits"], limits["AccountMaxWriteCapacityUnits"]
    limit = min(table, account)
    if wanted > limit:
        return Check(
            "quota",
            "fail",
            f"{wanted:,} write units a second are wanted, the quota is {limit:,}",
            "ask for more in Service Quotas, DynamoDB, 'Table-level write throughput limit'; it takes hours to days",
        )
    if wanted > TABLE_QUOTA:
        return Check(
            "quota", "warn", f"{wanted:,} wanted, {limit:,} allowed", "on-demand tables have a quota of their own"
        )
    return ok("quota", f"{limit:,} write units a second for a table; {wanted or 'no rate'} wanted")


def _bucket(spec: ImportSpec) -> Check:
    name, region = spec.staging.bucket, spec.target.region
    try:
        found = aws.client("s3", region).head_bucket(Bucket=name)
    except ClientError as error:
        if aws_code(error) in ("404", "NoSuchBucket"):
            if spec.staging.create == "Never":
                return Check(
                    "bucket", "fail", f"{name} does not exist", "create it, or leave staging.create at IfMissing"
                )
            return ok("bucket", f"{name} does not exist; the import creates it")
        if aws_code(error) in ("403", "AccessDenied"):
            return Check(
                "bucket",
                "fail",
                f"{name} belongs to another account than yours, or you are not allowed to look at it",
                "names of buckets are one for all of AWS: choose another, or get s3:ListBucket on it",
            )
        raise
    at = found.get("BucketRegion")
    if at and at != region:
        return Check(
            "bucket", "warn", f"{name} is in {at}, the table in {region}", "state would cross regions and cost"
        )
    return ok("bucket", f"{name} exists")


def _virtual_cluster(spec: ImportSpec, namespace: str) -> Check:
    id_ = spec.job.virtual_cluster_id
    if id_ is None:
        return Check("virtual cluster", "skip", "spec.job.virtualClusterId is not set; Flink's operator needs none")
    seen = look_at_virtual_cluster(aws.client("emr-containers", spec.target.region), id_)
    if not seen.exists:
        return Check("virtual cluster", "fail", f"{id_} does not exist", "aws emr-containers list-virtual-clusters")
    if seen.state != "RUNNING" or seen.namespace != namespace:
        return Check(
            "virtual cluster",
            "fail",
            f"{id_} is {seen.state} and of namespace {seen.namespace}",
            f"it must be RUNNING and of the import's namespace {namespace}",
        )
    return ok("virtual cluster", f"{id_} is RUNNING, namespace {namespace}")


def _trust(spec: ImportSpec, namespace: str) -> Check:
    role = spec.job.execution_role_arn
    if role is None:
        return Check(
            "role trust", "warn", "spec.job.executionRoleArn is not set", "EMR's Flink jobs run under this role"
        )
    name = role.rsplit("/", 1)[1]
    try:
        document = aws.client("iam", spec.target.region).get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    except ClientError as error:
        if aws_code(error) == "NoSuchEntity":
            return Check("role trust", "fail", f"role {name} does not exist", "create it, or correct the ARN")
        raise
    policy = document if isinstance(document, dict) else json.loads(unquote(document))
    if not trusts(policy, namespace):
        return Check(
            "role trust",
            "fail",
            f"role {name} does not trust EMR's service accounts in namespace {namespace}",
            f"aws emr-containers update-role-trust-policy --cluster-name … --namespace {namespace} --role-name {name}",
        )
    return ok("role trust", f"{name} trusts service accounts of namespace {namespace}")


def trusts(policy: dict[str, Any], namespace: str) -> bool:
    """Whether service accounts of the namespace may take the role: by the cluster's OIDC provider (IRSA) under a
    subject of that namespace, or by EKS Pod Identity."""
    for statement in _listed(policy.get("Statement")):
        if statement.get("Effect") != "Allow":
            continue
        actions = _listed(statement.get("Action"))
        if "pods.eks.amazonaws.com" in _listed((statement.get("Principal") or {}).get("Service")):
            return True
        if "sts:AssumeRoleWithWebIdentity" not in actions:
            continue
        conditions = [c for operator in (statement.get("Condition") or {}).values() for c in operator.items()]
        subjects = [s for key, value in conditions if key.endswith(":sub") for s in _listed(value)]
        if not subjects or any(_covers(s, namespace) for s in subjects):
            return True
    return False


def _covers(subject: str, namespace: str) -> bool:
    """system:serviceaccount:NAMESPACE:emr-containers-sa-…"""
    parts = subject.split(":")
    return subject == "*" or (len(parts) == 4 and parts[2] in (namespace, "*") and parts[3].startswith(("emr-", "*")))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _permissions(spec: ImportSpec, namespace: str) -> Check:
    role = spec.job.execution_role_arn
    if role is None:
        return Check("role permissions", "skip", "no spec.job.executionRoleArn to ask about")
    denied: list[str] = []
    doubtful: list[str] = []
    question = PermissionScope(namespace, "doctor", spec, bucket_exists=False, table_exists=False)
    simulate(
        aws.client("iam", spec.target.region), role, job_actions(question), question, AnswerCache(), denied, doubtful
    )
    if denied:
        return Check(
            "role permissions",
            "fail",
            "; ".join(denied),
            "add them: infra/import.yaml has the policy",
        )
    if doubtful:
        return Check("role permissions", "warn", "; ".join(doubtful))
    return ok("role permissions", "the job's role may write the table and keep its state (IAM's simulation)")


def _endpoints(spec: ImportSpec) -> Check:
    id_, region = spec.job.virtual_cluster_id, spec.target.region
    if id_ is None:
        return Check("vpc endpoints", "skip", "the cluster's VPC is found through spec.job.virtualClusterId")
    cluster = aws.client("emr-containers", region).describe_virtual_cluster(id=id_)["virtualCluster"]
    eks = aws.client("eks", region).describe_cluster(name=cluster["containerProvider"]["id"])["cluster"]
    vpc = eks["resourcesVpcConfig"]["vpcId"]
    found = aws.client("ec2", region).describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    there = {e["ServiceName"].rsplit(".", 1)[1] for e in found["VpcEndpoints"] if e.get("State") == "available"}
    missing = sorted({"dynamodb", "s3"} - there)
    if missing:
        return Check(
            "vpc endpoints",
            "warn",
            f"{vpc} has no endpoint for {' and '.join(missing)}",
            "every item would pass the NAT gateway, which costs by the GB and limits the rate: add gateway endpoints "
            "(free) to the private subnets' route tables",
        )
    return ok("vpc endpoints", f"{vpc} has endpoints for DynamoDB and S3")
