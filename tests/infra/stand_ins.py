"""What moto's CloudFormation does not know, as thin as the templates need it: resource types, over moto's own services,
and functions (Fn::Cidr, Fn::GetAZs of the stack's region, AWS::NoValue in a list). Importing this registers them.
"""

import ipaddress
from itertools import islice
from typing import Any, ClassVar

from moto.backends import get_backend
from moto.cloudformation import parsing
from moto.cloudformation.models import ChangeSet, Stack
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.common_models import CloudFormationModel
from moto.ec2.models.route_tables import RouteTable
from moto.moto_api._internal import mock_random

Properties = dict[str, Any]


class _StandIn(CloudFormationModel):
    """physical_id: what Ref gives; attributes: what Fn::GetAtt gives."""

    TYPE: ClassVar[str]
    ATTRIBUTES: ClassVar[tuple[str, ...]] = ()

    def __init__(self, physical_id: str, **attributes: str) -> None:
        self.physical_resource_id = physical_id
        self._attributes = attributes

    @classmethod
    def cloudformation_type(cls) -> str:  # type: ignore[override]
        return getattr(cls, "TYPE", "")

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr in cls.ATTRIBUTES

    def get_cfn_attribute(self, attribute_name: str) -> str:
        return self._attributes[attribute_name]

    def is_created(self) -> bool:
        return True

    @classmethod
    def make(cls, account: str, region: str, properties: Properties) -> "_StandIn":
        """Creates the resource in moto. Properties that AWS demands are read here, so that one missing is an error."""
        raise NotImplementedError

    @classmethod
    def remove(cls, account: str, region: str, physical_id: str) -> None:
        """Removes it from moto; most have nothing there."""

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any
    ) -> Any:
        return cls.make(account_id, region_name, cloudformation_json["Properties"])

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: Any, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> Any:
        return original_resource

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> None:
        cls.remove(account_id, region_name, resource_name)


class EksCluster(_StandIn):
    TYPE = "AWS::EKS::Cluster"
    ATTRIBUTES = ("Arn", "Endpoint", "OpenIdConnectIssuerUrl")

    @classmethod
    def make(cls, account: str, region: str, properties: Properties) -> _StandIn:
        eks = get_backend("eks")[account][region]
        cluster = eks.create_cluster(
            name=properties["Name"],
            role_arn=properties["RoleArn"],
            resources_vpc_config={"subnetIds": properties["ResourcesVpcConfig"]["SubnetIds"]},
            version=properties["Version"],
        )
        return cls(
            cluster.name,
            Arn=cluster.arn,
            Endpoint=cluster.endpoint,
            OpenIdConnectIssuerUrl=cluster.identity["oidc"]["issuer"],
        )

    @classmethod
    def remove(cls, account: str, region: str, physical_id: str) -> None:
        get_backend("eks")[account][region].clusters.pop(physical_id)


class EksNodegroup(_StandIn):
    TYPE = "AWS::EKS::Nodegroup"

    @classmethod
    def make(cls, account: str, region: str, properties: Properties) -> _StandIn:
        scaling = properties["ScalingConfig"]
        assert int(scaling["MinSize"]) <= int(scaling["DesiredSize"]) <= int(scaling["MaxSize"])
        return cls(f"{properties['ClusterName']}|{properties['NodegroupName']}")


class EksAddon(_StandIn):
    TYPE = "AWS::EKS::Addon"

    @classmethod
    def make(cls, account: str, region: str, properties: Properties) -> _StandIn:
        return cls(f"{properties['ClusterName']}|{properties['AddonName']}")


class EksPodIdentity(_StandIn):
    TYPE = "AWS::EKS::PodIdentityAssociation"

    @classmethod
    def make(cls, account: str, region: str, properties: Properties) -> _StandIn:
        needed = ("ClusterName", "Namespace", "ServiceAccount", "RoleArn")
        return cls("|".join(properties[name] for name in needed))


class VirtualCluster(_StandIn):
    TYPE = "AWS::EMRContainers::VirtualCluster"
    ATTRIBUTES = ("Arn", "Id")

    @classmethod
    def make(cls, account: str, region: str, properties: Properties) -> _StandIn:
        provider = properties["ContainerProvider"]
        made = get_backend("emr-containers")[account][region].create_virtual_cluster(
            name=properties["Name"],
            container_provider={
                "id": provider["Id"],
                "type": provider["Type"],
                "info": {"eksInfo": {"namespace": provider["Info"]["EksInfo"]["Namespace"]}},
            },
            client_token=mock_random.get_random_string(8),
        )
        return cls(made.id, Arn=made.arn, Id=made.id)

    @classmethod
    def remove(cls, account: str, region: str, physical_id: str) -> None:
        get_backend("emr-containers")[account][region].virtual_clusters.pop(physical_id)


class OidcProvider(_StandIn):
    TYPE = "AWS::IAM::OIDCProvider"
    ATTRIBUTES = ("Arn",)

    @classmethod
    def make(cls, account: str, region: str, properties: Properties) -> _StandIn:
        made = get_backend("iam")[account]["aws"].create_open_id_connect_provider(
            properties["Url"], [], properties["ClientIdList"], []
        )
        return cls(made.arn, Arn=made.arn)

    @classmethod
    def remove(cls, account: str, region: str, physical_id: str) -> None:
        get_backend("iam")[account]["aws"].delete_open_id_connect_provider(physical_id)


class BucketPolicy(_StandIn):
    TYPE = "AWS::S3::BucketPolicy"

    @classmethod
    def make(cls, account: str, region: str, properties: Properties) -> _StandIn:
        assert properties["PolicyDocument"]["Statement"]
        return cls(properties["Bucket"])


STAND_INS = {c.TYPE: c for c in _StandIn.__subclasses__()}
_moto_clean_json = parsing.clean_json


def _clean_json(node: Any, resources: Any) -> Any:
    """moto's evaluation of a template's functions, with what it lacks."""
    if isinstance(node, dict) and "Fn::Cidr" in node:
        block, count, bits = (_clean_json(part, resources) for part in node["Fn::Cidr"])
        parts = ipaddress.ip_network(block).subnets(new_prefix=32 - int(bits))
        return [str(part) for part in islice(parts, int(count))]
    if isinstance(node, dict) and node.get("Fn::GetAZs") == "":
        return [f"{resources['AWS::Region']}{zone}" for zone in "abc"]
    cleaned = _moto_clean_json(node, resources)
    return [item for item in cleaned if item is not None] if isinstance(cleaned, list) else cleaned


def _apply(change_set: ChangeSet) -> None:
    """moto's change sets (the AWS CLI's `cloudformation deploy` makes them) change resources and forget the outputs."""
    stack = change_set.stack
    stack.template_dict = change_set.template_dict
    stack.resource_map.update(change_set.template_dict, change_set.parameters)
    stack.parameters = change_set.parameters
    stack.output_map = stack._create_output_map()


def _let_pass(*_: Any) -> None:
    """AWS makes a change set without changes, and says that it failed. So would moto, did it not refuse before."""


def _has_parameters(stack: Stack, others: dict[str, Any]) -> bool:
    """Whether a change set's parameters are the stack's. moto compares what was given, and not what it resolves to."""
    resolved = stack.resource_map.resolved_parameters
    return all(str(resolved[name]) == str(value) for name, value in others.items())


def _delete_route_table(table: RouteTable, account: str, region: str) -> None:
    """moto leaves a stack's route tables, and then refuses to delete its VPC."""
    get_backend("ec2")[account][region].delete_route_table(table.id)


def register() -> None:
    """Shows moto ours. What moto learns by itself one day is not replaced: drop the stand-in then."""
    known = parsing.get_model_map()
    doubled = STAND_INS.keys() & known.keys()
    assert not doubled, f"moto knows {doubled} by now: drop the stand-ins"
    known.update(STAND_INS)
    parsing.get_name_type_map().update(dict.fromkeys(STAND_INS, ""))
    parsing.clean_json = _clean_json
    ChangeSet.apply = _apply
    RouteTable.delete = _delete_route_table
    Stack.has_parameters = _has_parameters
    CloudFormationResponse._validate_different_update = _let_pass


register()
