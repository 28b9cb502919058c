"""Which permissions one import will need, from the one list of them (permissions.py). Pure.

Only what this import will really call: whoever lets the controller create no tables must not be asked to.
"""

from dataclasses import dataclass

from lindorm_import.api.spec import ImportSpec
from lindorm_import.permissions.needed import ARNS, CONTROLLER_AWS, JOB_AWS, AwsAction, AwsResource

# They only tell more; the import works without them.
_OPTIONAL = {
    "cloudwatch:GetMetricData",
    "cloudwatch:PutMetricData",
    "cloudwatch:GetDashboard",
    "cloudwatch:PutDashboard",
    "cloudwatch:DeleteDashboards",
    "iam:SimulatePrincipalPolicy",
    "logs:GetLogEvents",
}
_IMPORT = tuple(
    a.action
    for a in CONTROLLER_AWS
    if a.purpose in ("ImportFiles", "ImportLogs", "ImportLog") and a.action not in _OPTIONAL
)
_BULK_PUT = tuple(a.action for a in CONTROLLER_AWS if a.purpose in ("PutFiles", "BulkPutReport"))


@dataclass(frozen=True)
class PermissionScope:
    """For which import; what is there already has policies of its own, which a simulation does not see."""

    namespace: str
    uid: str
    spec: ImportSpec
    bucket_exists: bool
    table_exists: bool

    def exists(self, resource: AwsResource) -> bool:
        """Whether a policy of the resource could allow what the role's own policies do not."""
        if resource == "table":
            return self.table_exists
        return resource in ("bucket", "objects") and self.bucket_exists


def controller_actions(q: PermissionScope) -> tuple[AwsAction, ...]:
    """What the controller's role must be allowed for this import."""
    target, staging = q.spec.target, q.spec.staging
    capacity = target.table_capacity
    made = {
        "dynamodb:CreateTable": not q.table_exists,
        "dynamodb:TagResource": not q.table_exists,
        "dynamodb:UpdateTable": bool(capacity.write_units or capacity.after),
        "dynamodb:UpdateContinuousBackups": target.point_in_time_recovery and not q.table_exists,
        "dynamodb:DeleteTable": target.deletion_policy == "Delete" and not q.table_exists,
        "s3:CreateBucket": not q.bucket_exists,
        "s3:TagResource": not q.bucket_exists,
        "s3:ListAllMyBuckets": not q.bucket_exists,
        **dict.fromkeys(_IMPORT, target.load.method == "ImportTable"),
        **dict.fromkeys(_BULK_PUT, target.load.method == "BulkPut"),
        "s3:DeleteBucket": staging.deletion_policy == "Delete" and not q.bucket_exists,
    }
    scaled = capacity.autoscaling is not None

    def needed(action: AwsAction) -> bool:
        if action.action.startswith("application-autoscaling:") and not action.behind:
            return scaled
        if action.behind or action.action in _OPTIONAL or action.resource == "virtual-cluster":
            return made.get(action.action, False)
        return made.get(action.action, True)

    return tuple(filter(needed, CONTROLLER_AWS))


def job_actions(q: PermissionScope) -> tuple[AwsAction, ...]:
    """What the job's role must be allowed: nothing on the table where it writes files."""
    files = q.spec.target.load.from_files
    return tuple(a for a in JOB_AWS if not a.behind and not (files and a.resource == "table"))


def arn(resource: AwsResource, q: PermissionScope, partition: str, account: str) -> str:
    """The resource of this import."""
    target, staging = q.spec.target, q.spec.staging
    return ARNS[resource].format(
        partition=partition,
        region=target.region,
        account=account,
        table=target.table,
        bucket=staging.bucket,
        prefix=staging.prefix,
        virtual_cluster=q.spec.job.virtual_cluster_id or "",
        kms_key=target.kms_key_arn or "",
        role="",
    )
