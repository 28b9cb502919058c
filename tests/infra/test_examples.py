"""What the examples say of themselves is so: their keys fit the tables they name, their figures are the plan's."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from lindorm_import.api.spec import ImportSpec
from lindorm_import.domain.observed import Column, KeyColumn, SourceSeen
from lindorm_import.manifests import build
from lindorm_import.plan.cluster import size_cluster
from lindorm_import.plan.mapping import Mapping, map_table
from tests.controller.factories import SOURCE

EXAMPLES = {path.stem: path for path in (Path(__file__).resolve().parents[2] / "examples").glob("*.yaml")}


def table(columns: dict[str, str], *key: str) -> SourceSeen:
    return replace(
        SOURCE,
        columns=tuple(Column(name, type_) for name, type_ in columns.items()),
        primary_key=tuple(KeyColumn(name, "ASC") for name in key),
    )


# Lindorm's tables as the comments in the examples describe them; the others are readings (device, ts).
TABLES = {
    "hot-keys": table(
        {"day": "VARCHAR", "device": "VARCHAR", "seq": "BIGINT", "ts": "TIMESTAMP", "val": "DOUBLE"},
        "day",
        "device",
        "seq",
    ),
    "epoch-column": table({"symbol": "VARCHAR", "t": "BIGINT", "price": "DOUBLE"}, "symbol", "t"),
}


def document(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(EXAMPLES[name].read_text())
    return loaded


def spec(name: str) -> ImportSpec:
    return ImportSpec.model_validate(document(name)["spec"])


def mapping(name: str) -> Mapping:
    found = map_table(spec(name), TABLES.get(name, SOURCE))
    assert isinstance(found, Mapping), found
    return found


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_the_example_s_items_have_a_key_that_tells_all_rows_apart(name: str) -> None:
    assert mapping(name).partition.template


def test_the_reference_is_sized_as_it_was() -> None:
    reference = spec("reference-100gb")
    size = size_cluster(40_000, reference.job)
    assert (size.parallelism, size.task_managers, size.nodes) == (40, 10, 10)
    flink = build.flink_configuration(reference, "s3://my-import-bucket/x/")
    assert flink["taskmanager.numberOfTaskSlots"] == "4"
    assert flink["taskmanager.memory.managed.size"] == "32768m"
    assert flink["execution.checkpointing.interval"] == "60000 ms"
    assert flink["execution.checkpointing.min-pause"] == "30000 ms"
    assert flink["execution.checkpointing.timeout"] == "600000 ms"
    assert reference.job.task_manager.process_memory == "52428m"
    assert reference.job.node_selector == {"node.kubernetes.io/instance-type": "r5.2xlarge"}


def test_the_recommended_one_reads_the_same_rows_on_a_tenth_of_the_nodes() -> None:
    reference, recommended = document("reference-100gb")["spec"], document("recommended-100gb")["spec"]
    assert recommended["source"] == reference["source"]
    size = size_cluster(spec("recommended-100gb").target.capacity.write_units or 0, spec("recommended-100gb").job)
    assert (size.parallelism, size.task_managers, size.nodes) == (4, 1, 1)


def test_an_adopted_table_s_items_have_the_names_and_types_that_the_comments_say() -> None:
    adopted = mapping("adopt-a-table")
    assert (adopted.partition.name, adopted.partition.type) == ("deviceId", "S")
    assert adopted.sort is not None
    assert (adopted.sort.name, adopted.sort.type) == ("at", "N")
