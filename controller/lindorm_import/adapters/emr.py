"""EMR on EKS: the virtual cluster, which registers a namespace."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lindorm_import.adapters.errors import aws_code, aws_errors
from lindorm_import.domain.observed import VirtualClusterSeen

if TYPE_CHECKING:
    from mypy_boto3_emr_containers import EMRContainersClient


def look_at_virtual_cluster(emr: "EMRContainersClient", id_: str) -> VirtualClusterSeen:
    """State and namespace of the virtual cluster. Raises TroubleError."""
    with aws_errors(f"emr-containers:DescribeVirtualCluster of {id_}"):
        try:
            found = emr.describe_virtual_cluster(id=id_)["virtualCluster"]
        except ClientError as error:
            if aws_code(error) in ("ResourceNotFoundException", "ValidationException"):
                return VirtualClusterSeen(exists=False)
            raise
    namespace = found.get("containerProvider", {}).get("info", {}).get("eksInfo", {}).get("namespace", "")
    return VirtualClusterSeen(exists=True, state=found.get("state", ""), namespace=namespace)
