"""The generated CRD, without a server; against a real API server: test_admission.py."""

import re
from pathlib import Path
from typing import Any

import yaml

from lindorm_import.api.crd import crd, render
from lindorm_import.api.spec import ImportSpec
from tests.controller.factories import SPEC

FILE = Path(__file__).parents[2] / "crds" / "lindormimports.lindorm.io.yaml"


def schema() -> dict[str, Any]:
    found: dict[str, Any] = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def test_the_file_is_what_make_generate_writes() -> None:
    assert FILE.read_text() == render(), "run: make generate"


def test_only_what_has_no_default_is_required() -> None:
    spec = schema()["properties"]["spec"]
    assert sorted(spec["required"]) == ["source", "staging", "target"]
    assert sorted(spec["properties"]["source"]["required"]) == ["credentials", "table", "timeRange", "url"]
    assert sorted(spec["properties"]["target"]["required"]) == ["region", "table"]
    assert spec["properties"]["staging"]["required"] == ["bucket"]


def test_every_default_in_the_schema_is_the_models() -> None:
    """A default that the API server fills in must mean what the controller would have assumed."""

    def defaults(node: dict[str, Any]) -> Any:
        return {
            name: defaults(child) if "properties" in child else child["default"]
            for name, child in node["properties"].items()
            if "default" in child
        }

    filled = defaults(schema()["properties"]["spec"])
    dumped = ImportSpec.model_validate(SPEC).model_dump(mode="json", by_alias=True)
    for part, values in filled.items():
        if isinstance(values, dict):
            assert values.items() <= dumped[part].items() or part == "job"
        else:
            assert dumped[part] == values
    assert filled["job"]["taskManager"] == dumped["job"]["taskManager"]
    assert filled["job"]["checkpoint"] == dumped["job"]["checkpoint"]


def test_the_definition_has_every_field_of_an_import() -> None:
    text = yaml.safe_dump(schema()["properties"]["spec"])
    named = """url table credentials secretName columns timeRange column start end unit filter pageSize
        maxRowsPerSecond splitPoints region key partition sort attributes name as partitionShards nulls capacity mode
        writeUnits warm autoscaling min max targetUtilization after create tags pointInTimeRecovery deletionProtection
        kmsKeyArn deletionPolicy bucket prefix executionRoleArn emrReleaseLabel image virtualClusterId parallelism
        taskManager slots processMemory managedMemory cpu nodeSelector checkpoint interval minPause timeout
        flinkConfiguration maxCostUSD maxDuration suspend ttlAfterFinished"""
    for field in re.split(r"\s+", named):
        assert f"{field}:" in text, field


def test_no_column_prints_as_an_age_what_may_lie_ahead() -> None:
    """kubectl prints <invalid> for a date that is to come."""
    columns = crd()["spec"]["versions"][0]["additionalPrinterColumns"]
    assert [c["jsonPath"] for c in columns if c["type"] == "date"] == [".metadata.creationTimestamp"]


def test_every_column_shows_a_field_that_exists_and_has_its_type() -> None:
    for column in crd()["spec"]["versions"][0]["additionalPrinterColumns"]:
        path = column["jsonPath"].lstrip(".").split(".")
        if path[0] == "metadata" or "[" in column["jsonPath"]:
            continue
        node = schema()
        for part in path:
            node = node["properties"][part]
        assert node["type"] == column["type"], column["name"]
