"""The errors that the writer's tests go through are those of the API's model, as botocore has it."""

import json
from pathlib import Path
from typing import Any

import botocore.session

_FILE = Path(__file__).parents[2] / "flink_job/connectors/src/test/resources/batch-write-item-errors.json"


def errors_of_the_model() -> list[dict[str, Any]]:
    """Each error of BatchWriteItem: its name, HTTP status (null where the model says none), whether to try again."""
    model = botocore.session.get_session().get_service_model("dynamodb")
    return [
        {
            "name": shape.name,
            "status": shape.metadata.get("error", {}).get("httpStatusCode"),
            "retryable": "retryable" in shape.metadata,
        }
        for shape in sorted(model.operation_model("BatchWriteItem").error_shapes, key=lambda shape: shape.name)
    ]


def test_the_writers_tests_know_every_error_of_the_model() -> None:
    expected = json.dumps(errors_of_the_model(), indent=2) + "\n"
    assert _FILE.read_text(encoding="utf-8") == expected, f"write this to {_FILE}:\n{expected}"
