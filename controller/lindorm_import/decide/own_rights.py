"""No job gets the controller's own rights, whatever the API server has let by (docs/security.md).

A pod has the rights of its service account, and an import may name any of its namespace. Where the controller's is
among them it would hand out what it may itself.
"""

from lindorm_import.decide.passes import Pass
from lindorm_import.domain.trouble import Trouble

# Flink: KubernetesConfigOptions.
_SETTINGS = (
    "kubernetes.service-account",
    "kubernetes.jobmanager.service-account",
    "kubernetes.taskmanager.service-account",
)


def keep_own_rights(p: Pass) -> None:
    """Holds the import whose job would run as the controller's service account."""
    job = p.spec.job
    asked = [job.service_account, *(job.flink_configuration.get(key) for key in _SETTINGS)]
    named = {name for name in asked if name}
    if not named and job.execution_role_arn is None:  # for a role, EMR makes accounts of its own
        named = {"default"}
    for name in sorted(named):
        if f"system:serviceaccount:{p.identity.namespace}:{name}" == p.settings.user:
            message = (
                f"the job would run as service account {name}, which is the controller's own: give "
                "spec.job.serviceAccount another, or create the import in a namespace without the controller"
            )
            p.hold("JobRunning", Trouble("ControllersServiceAccount", message, spec=True))
