"""The controller's metrics: docs/metrics.md names them, the status gives them."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from lindorm_import.api.conditions import Condition
from lindorm_import.api.status import ImportStatus, JobStatus, Progress, Run, Spending, Throttling
from lindorm_import.runtime.metrics import Metrics
from tests.controller.factories import NOW

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
STATUS = ImportStatus(
    run=Run(id="r1", deployment="d", prefix="s3://b/"),
    progress=Progress(
        rows_read=500,
        items_written=400,
        items_rejected=3,
        percent=50,
        rows_per_second=20,
        estimated_completion_time=NOW + timedelta(seconds=25),
    ),
    throttling=Throttling(events_per_minute=30, cause="KeyRange", consumed_write_units=900),
    spending=Spending(cost_usd="1.25", observed_at=NOW),
    job=JobStatus(state="RUNNING", restarts=2, attempts=3, last_checkpoint_time=NOW - timedelta(seconds=40)),
    conditions=(Condition(type="Ready", status="False", reason="Running", message="", last_transition_time=NOW),),
)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(now=lambda: NOW)


def text(metrics: Metrics) -> str:
    return generate_latest(metrics.registry).decode()


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def of_import(metrics: Metrics, name: str, **labels: str) -> float | None:
    return value(metrics, f"lindorm_import_{name}", import_namespace="ns", import_name="a", **labels)


def test_an_imports_gauges_are_what_its_status_says(metrics: Metrics) -> None:
    metrics.record("ns", "a", STATUS)
    expected = {
        "rows_read": 500,
        "items_written": 400,
        "items_rejected": 3,
        "progress_ratio": 0.5,
        "rows_per_second": 20,
        "eta_seconds": 25,
        "write_units_consumed_per_second": 900,
        "job_restarts": 2,
        "job_attempts": 3,
        "checkpoint_age_seconds": 40,
        "cost_usd": 1.25,
    }
    assert {name: of_import(metrics, name) for name in expected} == expected
    assert of_import(metrics, "throttled_events_per_minute", cause="KeyRange") == 30
    assert of_import(metrics, "throttled_events_per_minute", cause="Account") == 0
    assert of_import(metrics, "condition", type="Ready", status="False") == 1
    assert of_import(metrics, "condition", type="Ready", status="True") == 0
    assert of_import(metrics, "condition", type="Failed", status="True") is None


def test_what_is_not_known_is_absent_and_not_zero(metrics: Metrics) -> None:
    metrics.record("ns", "a", ImportStatus(progress=Progress()))
    assert of_import(metrics, "rows_read") == 0
    for name in ("eta_seconds", "progress_ratio", "rows_per_second", "job_restarts", "cost_usd"):
        assert of_import(metrics, name) is None


def test_a_checkpoint_ages_only_while_the_import_runs(metrics: Metrics) -> None:
    ended = STATUS.model_copy(update={"run": Run(id="r1", deployment="d", prefix="s3://b/", completion_time=NOW)})
    metrics.record("ns", "a", ended)
    assert of_import(metrics, "checkpoint_age_seconds") is None


def test_an_import_that_is_gone_leaves_no_metric_behind(metrics: Metrics) -> None:
    metrics.record("ns", "a", STATUS)
    metrics.record("ns", "b", STATUS)
    metrics.forget("ns", "a")
    assert 'import_name="a"' not in text(metrics)
    assert 'import_name="b"' in text(metrics)


def test_passes_are_counted_and_timed(metrics: Metrics) -> None:
    with metrics.timed_pass():
        assert value(metrics, "lindorm_import_reconcile_running") == 1
        assert metrics.longest_pass() >= 0
    metrics.count("done")
    metrics.count("held", "AwsAccessDenied")
    assert value(metrics, "lindorm_import_reconcile_running") == 0
    assert metrics.longest_pass() == 0
    assert value(metrics, "lindorm_import_reconcile_total", result="held") == 1
    assert value(metrics, "lindorm_import_reconcile_errors_total", reason="AwsAccessDenied") == 1
    assert value(metrics, "lindorm_import_reconcile_duration_seconds_count") == 1


def test_the_document_names_every_metric_and_no_other(metrics: Metrics) -> None:
    metrics.record("ns", "a", STATUS)
    metrics.count("held", "X")
    served = set(re.findall(r"^# TYPE (lindorm_import_\w+) ", text(metrics), re.M))
    served = {re.sub(r"_created$", "", name) for name in served if not name.endswith("_created")}
    documented = set(re.findall(r"^\| `(lindorm_import_\w+)", DOCUMENT.read_text(), re.M))
    assert documented == served
