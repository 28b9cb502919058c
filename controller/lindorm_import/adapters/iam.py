"""Permissions, asked for without using them.

AWS: IAM's policy simulator knows a role's own policies, boundary and the organisation's (API:
SimulatePrincipalPolicy); it does not know what a bucket's or table's policy allows, so of what exists only an explicit
denial is certain. DynamoDB and S3 have no dry run (EC2's DryRun has no like there), and a call that fails for another
reason would change something the day it does not. Kubernetes: SelfSubjectAccessReview, which everyone may ask.
Never tried against the real IAM.
"""

import functools
from collections import defaultdict
from typing import Any

from botocore.exceptions import ClientError

from lindorm_import.adapters.cache import AnswerCache
from lindorm_import.adapters.errors import AWS_FAILURES, aws_code
from lindorm_import.adapters.kube import Kube
from lindorm_import.domain.names import UID_LABEL
from lindorm_import.domain.observed import PermissionsSeen
from lindorm_import.domain.trouble import TroubleError
from lindorm_import.permissions.needed import CONDITIONS, AwsAction, AwsResource
from lindorm_import.permissions.preflight import PermissionScope, arn, controller_actions, job_actions


def look_at_permissions(
    iam: Any, sts: Any, kube: Kube, scope: PermissionScope, answers: AnswerCache
) -> PermissionsSeen:
    """What the controller and the job will need and surely or perhaps do not have. iam, sts: boto3 clients; answers:
    those that this process has had so far, for every import."""
    denied: list[str] = []
    doubtful: list[str] = []
    try:
        denied += answers.get(scope.namespace, lambda: kube.denied(scope.namespace))
    except TroubleError as error:
        doubtful.append(error.trouble.message)
    try:
        caller = answers.get("caller", lambda: _role(sts.get_caller_identity()["Arn"]))
    except AWS_FAILURES as error:
        doubtful.append(f"sts:GetCallerIdentity failed: {error}")
    else:
        simulate(iam, caller, controller_actions(scope), scope, answers, denied, doubtful)
    if role := scope.spec.job.execution_role_arn:
        simulate(iam, role, job_actions(scope), scope, answers, denied, doubtful)
    return PermissionsSeen(tuple(denied), tuple(doubtful))


def _role(caller: str) -> str:
    """arn:aws:sts::1:assumed-role/NAME/SESSION -> arn:aws:iam::1:role/NAME. A role's path is not in it."""
    head, _, rest = caller.partition(":assumed-role/")
    return f"{head.replace(':sts:', ':iam:')}:role/{rest.split('/')[0]}" if rest else caller


def simulate(
    iam: Any,
    principal: str,
    actions: tuple[AwsAction, ...],
    scope: PermissionScope,
    answers: AnswerCache,
    denied: list[str],
    doubtful: list[str],
) -> None:
    """Adds to denied what is surely, and to doubtful what is perhaps not allowed to the principal (an ARN)."""
    _, partition, _, _, account, _ = principal.split(":", 5)
    by_resource: dict[AwsResource, list[str]] = defaultdict(list)
    for action in actions:
        by_resource[action.resource].append(action.action)
    for resource, wanted in by_resource.items():
        target = arn(resource, scope, partition, account)
        # The conditions want a UID and no certain one, so the answer is that of every import with this resource.
        ask = functools.partial(_simulated, iam, principal, wanted, target, scope.uid, account)
        answer = answers.get((principal, tuple(wanted), target), ask)
        if isinstance(answer, str):
            doubtful.append(answer)
            return
        for result in answer:
            decision = result["EvalDecision"]
            if decision == "allowed":
                continue
            told = f"{principal} may not {result['EvalActionName']} on {target}"
            implicit = decision == "implicitDeny"
            certain = not (implicit and (scope.exists(resource) or result.get("MissingContextValues")))
            (denied if certain else doubtful).append(told)


def _simulated(iam: Any, principal: str, actions: list[str], target: str, uid: str, account: str) -> list[Any] | str:
    """IAM's result of each action; or, where it does not answer, what there is to say of it."""
    context = {f"aws:{kind}/{UID_LABEL}": uid for kind in ("ResourceTag", "RequestTag")}
    for condition in CONDITIONS.values():
        context |= {key: value.format(account=account) for key, value in condition.get("StringEquals", {}).items()}
    entries = [
        {"ContextKeyName": key, "ContextKeyType": "string", "ContextKeyValues": [value]}
        for key, value in context.items()
    ]
    try:
        answer = iam.simulate_principal_policy(
            PolicySourceArn=principal, ActionNames=actions, ResourceArns=[target], ContextEntries=entries
        )
    except AWS_FAILURES as error:
        code = aws_code(error) if isinstance(error, ClientError) else type(error).__name__
        return f"the permissions of {principal} were not checked: iam:SimulatePrincipalPolicy says {code}"
    results: list[Any] = answer["EvaluationResults"]
    return results
