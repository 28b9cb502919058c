"""Everything that the controller and the job may do outside, and why: the one list of AWS actions and Kubernetes rules.

The chart's RBAC and CloudFormation's policies are tested against it, and it is tested against what the tests really
called (tests/controller/test_permissions.py, tests/faults/test_real_services.py), so nothing is granted that is not
used.

Sources: AWS, Service Authorization Reference (actions and resource types of each service); S3's API reference,
CreateBucketConfiguration (tags at creation need s3:TagResource); DynamoDB's, CreateTable (tags at creation need
dynamodb:TagResource) and "Using IAM with DynamoDB and KMS"; Application Auto Scaling's user guide, "Identity-based
policy examples" (service-linked role, alarms of target tracking). Not tried against the real IAM.
"""

from dataclasses import dataclass
from typing import Literal

from lindorm_import.api import GROUP, PLURAL
from lindorm_import.domain.names import UID_LABEL

AwsResource = Literal[
    "table", "bucket", "objects", "scaling", "alarms", "dashboard", "virtual-cluster", "scaling-role", "table-key",
    "roles", "imports", "import-logs", "import-log", "bulk-puts", "any",
]  # fmt: skip

# What each resource is, as an ARN; {…} is for whoever writes the policy to fill in or to widen to *.
ARNS: dict[AwsResource, str] = {
    "table": "arn:{partition}:dynamodb:{region}:{account}:table/{table}",
    "imports": "arn:{partition}:dynamodb:{region}:{account}:table/{table}/import/*",  # AWS names them
    "bulk-puts": "arn:{partition}:dynamodb:{region}:{account}:table/{table}/bulk-operation/*",  # AWS names them
    # Of all imports from S3 of the account: AWS names group and streams.
    "import-logs": "arn:{partition}:logs:{region}:{account}:log-group:/aws-dynamodb/*",
    # One stream an import, which AWS names.
    "import-log": "arn:{partition}:logs:{region}:{account}:log-group:/aws-dynamodb/imports:log-stream:*",
    "bucket": "arn:{partition}:s3:::{bucket}",
    "objects": "arn:{partition}:s3:::{bucket}/{prefix}*",  # the files of each run below the prefix
    # Its id is AWS's own, and not known before it is there: condition "table-writes".
    "scaling": "arn:{partition}:application-autoscaling:{region}:{account}:scalable-target/*",
    # AWS names them: table/NAME, and a hash at the end.
    "alarms": "arn:{partition}:cloudwatch:{region}:{account}:alarm:TargetTracking-table/*",
    "dashboard": "arn:{partition}:cloudwatch::{account}:dashboard/limport-*",  # one for each import
    "virtual-cluster": "arn:{partition}:emr-containers:{region}:{account}:/virtualclusters/{virtual_cluster}",
    "scaling-role": "arn:{partition}:iam::{account}:role/aws-service-role/"
    "dynamodb.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_DynamoDBTable",
    "table-key": "{kms_key}",
    "roles": "arn:{partition}:iam::{account}:role/{role}",
    "any": "*",  # what knows no resource; which actions those are: tests/infra/test_policies.py
}

# Condition operators by name, as they stand in a policy; {account} as in ARNS.
CONDITIONS: dict[str, dict[str, dict[str, str]]] = {
    # Only what carries an import's UID as a tag: never a table that was there before.
    "ours": {"Null": {f"aws:ResourceTag/{UID_LABEL}": "false"}},
    # Only with the UID in the request: nothing is made that could not be told from others' things.
    "marked": {"Null": {f"aws:RequestTag/{UID_LABEL}": "false"}},
    # The same, and what carries the UID of one import gets no other's. At creation there is no tag on it yet. What has
    # none could be marked so: IAM cannot tell a table that is being created from one that is there.
    "unclaimed": {
        "Null": {f"aws:RequestTag/{UID_LABEL}": "false"},
        "StringEqualsIfExists": {f"aws:ResourceTag/{UID_LABEL}": f"${{aws:RequestTag/{UID_LABEL}}}"},
    },
    # A bucket's ARN names no account, and its name may be given to another one once it is free.
    "own-account": {"StringEquals": {"aws:ResourceAccount": "{account}"}},
    # "marked" and that, where S3 knows an owner of what is not there yet (its documents do not say).
    "marked-bucket": {
        "Null": {f"aws:RequestTag/{UID_LABEL}": "false"},
        "StringEqualsIfExists": {"aws:ResourceAccount": "{account}"},
    },
    # A scalable target's ARN is an id that says nothing of what is scaled.
    "table-writes": {
        "StringEquals": {
            "application-autoscaling:service-namespace": "dynamodb",
            "application-autoscaling:scalable-dimension": "dynamodb:table:WriteCapacityUnits",
        }
    },
    "scaling-role": {"StringEquals": {"iam:AWSServiceName": "dynamodb.application-autoscaling.amazonaws.com"}},
    # Resource-level permissions do not exist there; the namespace is what can be bounded.
    "own-metrics": {"StringEquals": {"cloudwatch:namespace": "LindormImport"}},
    # A customer's key is only used through DynamoDB; * is the region, which the key's ARN says.
    "dynamodb-only": {"StringLike": {"kms:ViaService": "dynamodb.*.amazonaws.com"}},
}


@dataclass(frozen=True)
class AwsAction:
    """One IAM action. purpose: a statement's Sid, one a purpose; why: the same for people; resource: a key of ARNS;
    condition: a key of CONDITIONS; calls: the API operations that need it ("s3:HeadBucket"). behind: no call of its
    own, AWS checks it when these operations are called."""

    action: str
    purpose: str
    why: str
    resource: AwsResource
    calls: tuple[str, ...] = ()
    condition: str | None = None
    behind: tuple[str, ...] = ()


@dataclass(frozen=True)
class KubernetesRule:
    """One rule of RBAC. group: "" is the core group. cluster: the resource has no namespace, so it takes a
    ClusterRole even where one namespace is watched. needed: without it the controller does not work; where False it
    only learns less (it says so in its log)."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    why: str
    cluster: bool = False
    needed: bool = True


def _same(action: str, purpose: str, why: str, resource: AwsResource, condition: str | None = None) -> AwsAction:
    """An action that is called as it is named."""
    return AwsAction(action, purpose, why, resource, (action,), condition)


_KMS = ("dynamodb:CreateTable", "dynamodb:ImportTable")
_LOOK, _MAKE, _CAPACITY, _REMOVE = "LookAtTables", "CreateTables", "SetCapacity", "DeleteOwnTables"
_LOAD, _PUT = "ImportFiles", "PutFiles"
# What whoever calls ImportTable must be allowed of its log (Developer Guide, S3DataImport.Requesting, "Permissions").
_LOGGED = "DynamoDB logs, as the caller, what an import could not load"
_BUCKET, _FILES, _SCALING = "StagingBucket", "StagedFiles", "AutoScaling"

CONTROLLER_AWS: tuple[AwsAction, ...] = (
    _same("dynamodb:DescribeTable", _LOOK, "its key, state and capacity", "table"),
    _same("dynamodb:ListTagsOfResource", _LOOK, "whose it is", "table"),
    _same("dynamodb:DescribeContinuousBackups", _LOOK, "whether point-in-time recovery is on", "table"),
    _same("dynamodb:CreateTable", _MAKE, "the target, where create is IfMissing", "table", "marked"),
    AwsAction(
        "dynamodb:TagResource",
        "MarkTables",
        "with its owner from the first moment on",
        "table",
        condition="unclaimed",
        calls=("dynamodb:TagResource",),  # an imported table's tags; CreateTable needs it for those it sets
    ),
    _same("dynamodb:ImportTable", _LOAD, "load.method ImportTable: the table, from the files", "table"),
    _same("dynamodb:DescribeImport", _LOAD, "how far an import is, and whether it is whole", "imports"),
    _same("dynamodb:ListImports", _LOAD, "which import is ours where its answer was lost; it knows no resource", "any"),
    *(
        AwsAction(f"logs:{name}", "ImportLogs", _LOGGED, "import-logs", behind=("dynamodb:ImportTable",))
        for name in ("CreateLogGroup", "DescribeLogStreams", "PutRetentionPolicy")
    ),
    AwsAction("logs:DescribeLogGroups", "ImportLogs", _LOGGED, "any", behind=("dynamodb:ImportTable",)),
    *(
        AwsAction(f"logs:{name}", "ImportLog", _LOGGED, "import-log", behind=("dynamodb:ImportTable",))
        for name in ("CreateLogStream", "PutLogEvents")
    ),
    _same("logs:GetLogEvents", "ImportLog", "which items an import could not load", "import-log"),
    _same("dynamodb:StartBulkPutItems", _PUT, "load.method BulkPut: the files into the table", "table"),
    _same("dynamodb:DescribeBulkOperation", _PUT, "how far a bulk put is, and what it refused", "bulk-puts"),
    _same("dynamodb:CancelBulkOperation", _PUT, "when the import is suspended or deleted", "bulk-puts"),
    _same("dynamodb:ListBulkOperations", _PUT, "which one is ours where its answer was lost", "any"),
    AwsAction(
        "s3:PutObject",
        "BulkPutReport",
        "DynamoDB reports, as the caller, what it could not put",
        "objects",
        condition="own-account",
        behind=("dynamodb:StartBulkPutItems",),
    ),
    _same("dynamodb:UpdateTable", _CAPACITY, "what spec.target.capacity says, and what was there before", "table"),
    _same("dynamodb:UpdateContinuousBackups", _CAPACITY, "spec.target.pointInTimeRecovery", "table", "ours"),
    _same("dynamodb:DeleteTable", _REMOVE, "deletionPolicy Delete of a table that an import created", "table", "ours"),
    AwsAction(
        "kms:DescribeKey",
        "TableKey",
        "spec.target.kmsKeyArn",
        "table-key",
        behind=_KMS,
        condition="dynamodb-only",
    ),
    AwsAction(
        "kms:CreateGrant",
        "TableKey",
        "spec.target.kmsKeyArn",
        "table-key",
        behind=_KMS,
        condition="dynamodb-only",
    ),
    AwsAction(
        "kms:Decrypt",
        "TableKey",
        "spec.target.kmsKeyArn",
        "table-key",
        behind=_KMS,
        condition="dynamodb-only",
    ),
    AwsAction(
        "s3:ListBucket",
        _BUCKET,
        "whether the bucket is there, and what is staged in it",
        "bucket",
        ("s3:HeadBucket", "s3:ListObjectsV2"),
        "own-account",
    ),
    _same("s3:GetBucketTagging", _BUCKET, "whose it is", "bucket", "own-account"),
    AwsAction(
        "s3:ListAllMyBuckets",
        "LookAtBuckets",
        "when a bucket was made, which nothing else tells; it knows no resource to be scoped to",
        "any",
        ("s3:ListBuckets",),
    ),
    _same("s3:CreateBucket", "CreateBucket", "staging, where create is IfMissing", "bucket", "marked-bucket"),
    AwsAction(
        "s3:TagResource",
        "CreateBucket",
        "with its owner from the first moment on",
        "bucket",
        condition="marked-bucket",
        behind=("s3:CreateBucket",),
    ),
    _same("s3:DeleteBucket", _BUCKET, "an empty one that an import created", "bucket", "own-account"),
    _same(
        "s3:GetObject",
        _FILES,
        "the job's result; DynamoDB reads a load's files as the caller",
        "objects",
        "own-account",
    ),
    AwsAction(
        "s3:DeleteObject", _FILES, "the run's files, on deletion", "objects", ("s3:DeleteObjects",), "own-account"
    ),
    _same("application-autoscaling:DescribeScalableTargets", _SCALING, "the bounds there are", "any"),
    _same("application-autoscaling:DescribeScalingPolicies", _SCALING, "whether ours is there", "any"),
    _same(
        "application-autoscaling:RegisterScalableTarget",
        _SCALING,
        "spec.target.capacity.autoscaling",
        "scaling",
        "table-writes",
    ),
    _same(
        "application-autoscaling:DeregisterScalableTarget",
        _SCALING,
        "when the import has ended",
        "scaling",
        "table-writes",
    ),
    _same(
        "application-autoscaling:PutScalingPolicy", _SCALING, "autoscaling.targetUtilization", "scaling", "table-writes"
    ),
    _same(
        "application-autoscaling:DeleteScalingPolicy", _SCALING, "when the import has ended", "scaling", "table-writes"
    ),
    AwsAction(
        "iam:CreateServiceLinkedRole",
        _SCALING,
        "the first scalable table of an account",
        "scaling-role",
        behind=("application-autoscaling:RegisterScalableTarget",),
        condition="scaling-role",
    ),
    AwsAction(
        "cloudwatch:PutMetricAlarm",
        _SCALING,
        "target tracking is made of alarms",
        "alarms",
        behind=("application-autoscaling:PutScalingPolicy",),
    ),
    AwsAction(
        "cloudwatch:DescribeAlarms",
        _SCALING,
        "target tracking is made of alarms",
        "any",
        behind=("application-autoscaling:PutScalingPolicy",),
    ),
    AwsAction(
        "cloudwatch:DeleteAlarms",
        _SCALING,
        "target tracking is made of alarms",
        "alarms",
        behind=(
            "application-autoscaling:DeleteScalingPolicy",
            "application-autoscaling:DeregisterScalableTarget",
        ),
    ),
    _same(
        "iam:SimulatePrincipalPolicy",
        "Preflight",
        "whether the controller's and the job's role may do all of this, asked before the start; it can be left out",
        "roles",
    ),
    _same("cloudwatch:GetMetricData", "Metrics", "status.throttling", "any"),
    _same("cloudwatch:PutMetricData", "Metrics", "the import's own metrics", "any", "own-metrics"),
    _same("cloudwatch:GetDashboard", "Dashboard", "whether the import's dashboard is there", "dashboard"),
    _same("cloudwatch:PutDashboard", "Dashboard", "the import's dashboard", "dashboard"),
    _same("cloudwatch:DeleteDashboards", "Dashboard", "when the import is deleted", "dashboard"),
    _same("emr-containers:DescribeVirtualCluster", "VirtualCluster", "job.virtualClusterId", "virtual-cluster"),
)

# The job's role (job.executionRoleArn): it writes items and keeps its state. It never looks at tables or settings.
JOB_AWS: tuple[AwsAction, ...] = (
    _same("dynamodb:BatchWriteItem", "WriteItems", "the items", "table"),
    AwsAction(
        "kms:Decrypt",
        "TableKey",
        "items of a table with a customer's key",
        "table-key",
        behind=("dynamodb:BatchWriteItem",),
        condition="dynamodb-only",
    ),
    AwsAction(
        "s3:ListBucket",
        "JobState",
        "Flink lists what it keeps, before it opens or removes it",
        "bucket",
        ("s3:ListObjectsV2",),
        "own-account",
    ),
    AwsAction(
        "s3:GetObject",
        "JobState",
        "state, when it continues from a checkpoint",
        "objects",
        ("s3:GetObject", "s3:HeadObject"),
        "own-account",
    ),
    AwsAction(
        "s3:PutObject",
        "JobState",
        "checkpoints, rejects and the result",
        "objects",
        ("s3:PutObject", "s3:CreateMultipartUpload", "s3:UploadPart", "s3:CompleteMultipartUpload"),
        "own-account",
    ),
    _same("s3:AbortMultipartUpload", "JobState", "a file that a failure left half-written", "objects", "own-account"),
    AwsAction(
        "s3:DeleteObject",
        "JobState",
        "checkpoints that are too old",
        "objects",
        ("s3:DeleteObject", "s3:DeleteObjects"),
        "own-account",
    ),
)

CONTROLLER_KUBERNETES: tuple[KubernetesRule, ...] = (
    KubernetesRule(
        GROUP,
        PLURAL,
        ("delete", "get", "list", "patch", "watch"),
        "the imports, list also for who else uses a table; patch sets and drops the finalizer, delete is for "
        "ttlAfterFinished",
    ),
    KubernetesRule(GROUP, f"{PLURAL}/status", ("patch",), "the status"),
    KubernetesRule("flink.apache.org", "flinkdeployments", ("create", "delete", "get", "patch"), "the jobs"),
    KubernetesRule(
        "", "configmaps", ("create", "delete", "get", "patch"), "the job's document; patch changes its rates"
    ),
    KubernetesRule("", "secrets", ("get",), "Lindorm's user name and password, by the name that an import gives"),
    KubernetesRule(
        "",
        "events",
        ("create", "list"),
        "what changed, for kubectl describe; list is for a pod of the job that cannot start, whose reason stands there",
    ),
    KubernetesRule("", "pods", ("list",), "why a pod of the job does not run", needed=False),
    KubernetesRule("", "resourcequotas", ("list",), "whether a quota leaves no room for the job's pods", needed=False),
    KubernetesRule(
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        ("list", "watch"),
        "a new version of the resource, without a restart",
        cluster=True,
        needed=False,
    ),
    KubernetesRule("", "namespaces", ("list", "watch"), "namespaces that come and go", cluster=True, needed=False),
)
