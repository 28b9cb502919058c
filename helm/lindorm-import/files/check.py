"""What `helm test` runs in the controller's image with the controller's service account: may it do what it must?

Arguments: the namespaces whose imports are carried out; none for all. Prints a line for each thing that is missing;
exit code 1 where something is.
"""

import sys

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from lindorm_import.adapters.kube import Kube
from lindorm_import.api import GROUP, PLURAL, VERSION
from lindorm_import.permissions.needed import CONTROLLER_KUBERNETES


def missing_resources(objects: client.CustomObjectsApi) -> list[str]:
    """The kinds that the cluster does not serve."""
    served = []
    for group, version, plural in ((GROUP, VERSION, PLURAL), ("flink.apache.org", "v1beta1", "flinkdeployments")):
        try:
            names = {resource.name for resource in objects.get_api_resources(group, version).resources}
        except ApiException as error:
            if error.status != 404:
                raise
            names = set()
        if plural not in names:
            served.append(f"the cluster has no {plural}.{group}: install its CustomResourceDefinition")
    return served


def missing_rights(core: client.CoreV1Api, namespaces: list[str]) -> list[str]:
    """What this service account may not do of what the controller needs."""
    reviews = client.AuthorizationV1Api(core.api_client)
    found = []
    for rule in CONTROLLER_KUBERNETES:
        if not rule.needed:
            continue
        resource, _, part = rule.resource.partition("/")
        for namespace in namespaces or [""]:
            for verb in rule.verbs:
                attributes = client.V1ResourceAttributes(
                    namespace=namespace or None,
                    group=rule.group,
                    resource=resource,
                    subresource=part or None,
                    verb=verb,
                )
                spec = client.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes)
                answer = reviews.create_self_subject_access_review(client.V1SelfSubjectAccessReview(spec=spec))
                if not answer.status.allowed:
                    where = f"in namespace {namespace}" if namespace else "in the cluster"
                    found.append(f"the service account may not {verb} {rule.resource} {where} ({rule.why})")
    return found


def main(namespaces: list[str]) -> int:
    """The exit code."""
    kube = Kube.connect()
    missing = missing_resources(kube.objects) + missing_rights(kube.core, namespaces)
    print("\n".join(missing) or "the controller has what it needs of the cluster")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
