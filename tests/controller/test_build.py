"""The documents that the controller hands out."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from lindorm_import.manifests import build
from lindorm_import.plan.mapping import Mapping, map_table
from tests.controller.factories import IDENTITY, SOURCE, spec

PREFIX = "s3://my-import-bucket/lindorm-import/default/readings/r1a2b3c4d/"


def deployment(checkpoint: str | None = None, **changes: Any) -> dict[str, Any]:
    return build.flink_deployment(IDENTITY, spec(**changes), PREFIX, "image", checkpoint, 1)


def test_every_flink_setting_is_a_string_because_emrs_operator_takes_no_other() -> None:
    document = deployment(**{"job.flinkConfiguration": {"rest.port": "8082"}})
    settings = document["spec"]["flinkConfiguration"]
    assert all(isinstance(v, str) for v in settings.values())
    assert settings["rest.port"] == "8082"


def test_a_dead_job_manager_goes_on_from_its_last_state() -> None:
    flink = deployment()["spec"]
    assert flink["jobManager"] | {"resource": None} == {
        "highAvailabilityEnabled": True,
        "storageDir": PREFIX + "ha",
        "replicas": 1,
        "resource": None,
    }
    assert flink["job"]["upgradeMode"] == "last-state"


def test_the_name_keeps_to_the_flink_operators_45_characters() -> None:
    identity = build.Identity("default", "a" * 63, IDENTITY.uid, 1)
    name = build.flink_deployment(identity, spec(), PREFIX, None, None, 1)["metadata"]["name"]
    assert len(name) <= 45
    assert name.endswith("r1a2b3c4d")


def test_the_password_is_mounted_and_appears_in_no_document() -> None:
    mapping = map_table(spec(), SOURCE)
    assert isinstance(mapping, Mapping)
    config = build.job_config(IDENTITY, spec(), mapping, [{"name": "device", "order": "ASC"}], PREFIX)
    text = json.dumps([deployment(), build.config_map(IDENTITY, config)])
    assert "secretKeyRef" not in text
    assert '"secretName": "lindorm"' in text


def test_the_ca_certificate_is_mounted_only_where_it_is_needed_because_a_pod_waits_for_each_key_it_names() -> None:
    def keys(**changes: Any) -> list[str]:
        volumes = deployment(**changes)["spec"]["podTemplate"]["spec"]["volumes"]
        return [item["key"] for volume in volumes for item in volume.get("secret", {}).get("items", [])]

    assert keys() == ["username", "password"]
    assert keys(**{"source.tls": {"mode": "Required"}}) == ["username", "password"]
    assert keys(**{"source.tls": {"mode": "VerifyCA"}}) == ["username", "password", "ca.crt"]


def test_the_job_config_says_the_range_in_utc_with_milliseconds() -> None:
    mapping = map_table(spec(), SOURCE)
    assert isinstance(mapping, Mapping)
    zoned = spec(**{"source.timeRange.start": "2023-01-01T08:00:00.5+08:00"})
    config = build.job_config(IDENTITY, zoned, mapping, [], PREFIX)
    assert config["source"]["timeRange"] == {
        "column": "ts",
        "start": "2023-01-01T00:00:00.500Z",
        "end": "2023-02-01T00:00:00.000Z",
        "unit": None,
    }


def test_a_warm_table_asks_for_warm_throughput_only_where_it_raises() -> None:
    mapping = map_table(spec(), SOURCE)
    assert isinstance(mapping, Mapping)
    cold = build.table_request(IDENTITY, spec(**{"target.capacity": {"writeUnits": 4000, "warm": True}}), mapping.key)
    hot = build.table_request(IDENTITY, spec(**{"target.capacity": {"writeUnits": 4001, "warm": True}}), mapping.key)
    assert "WarmThroughput" not in cold
    assert hot["WarmThroughput"]["WriteUnitsPerSecond"] == 4001


def test_a_provisioned_table_is_created_with_its_write_units() -> None:
    mapping = map_table(spec(), SOURCE)
    assert isinstance(mapping, Mapping)
    capacity = {"mode": "Provisioned", "writeUnits": 7000}
    request = build.table_request(IDENTITY, spec(**{"target.capacity": capacity}), mapping.key)
    assert request["BillingMode"] == "PROVISIONED"
    assert request["ProvisionedThroughput"]["WriteCapacityUnits"] == 7000


@pytest.mark.parametrize(
    "settings",
    [
        {"a: 1\nenv.java.opts": "x"},
        {"a b": "x"},
        {"": "x"},
        {"a" * 256: "x"},
        *({"a": f"1{end}env.java.opts.all: -agentlib:x"} for end in ("\n", "\r", "\r\n", "\u0085", "\u2028", "\u2029")),
    ],
)
def test_no_setting_of_flink_brings_another_one_along(settings: dict[str, str]) -> None:
    """They go through a file of lines, past who lets only some keys by."""
    with pytest.raises(ValidationError, match="of flinkConfiguration is"):
        spec(**{"job.flinkConfiguration": settings})
