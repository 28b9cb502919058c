"""The dashboard of an import: made while it runs, removed with it, and never in the way."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import boto3
import pytest
from moto import mock_aws

from lindorm_import.adapters import cloudwatch
from lindorm_import.api.status import Dashboard, ImportStatus, JobStatus, Progress, Run, Throttling
from lindorm_import.decide import Settings, decide, decide_deletion
from lindorm_import.domain.actions import DeleteDashboard, Metrics, PublishMetrics, PutDashboard
from lindorm_import.domain.observed import JobSeen, Observed
from lindorm_import.domain.trouble import Trouble, TroubleError
from lindorm_import.manifests import dashboard
from tests.controller.factories import IDENTITY, NO_DEPLOYMENT, NOW, OTHER_UID, RUNNING, UID, spec

NAME = "limport-readings-r1a2b3c4d"
STARTED = ImportStatus(
    run=Run(id="r1a2b3c4d", deployment=NAME, prefix="s3://b/p/", start_time=NOW - timedelta(minutes=5)),
    job=JobStatus(state="RUNNING"),
)
SEEN = Observed(deployment=RUNNING, job=JobSeen(rows_read=500, items_written=400), throttling=Throttling())
DENIED = Trouble("AwsAccessDenied", "not allowed: cloudwatch:GetDashboard")


def test_the_dashboard_is_made_with_its_link_in_the_status_and_the_counts_are_published() -> None:
    decision = decide(IDENTITY, spec(), STARTED, replace(SEEN, dashboard=False), NOW, Settings())
    assert [a.name for a in decision.actions if isinstance(a, PutDashboard)] == [NAME]
    published = [a.metrics.values for a in decision.actions if isinstance(a, PublishMetrics)]
    assert published == [(("RowsRead", 500), ("ItemsWritten", 400), ("ItemsRejected", 0))]
    assert decision.status.dashboard is not None
    assert decision.status.dashboard.url == (
        "https://us-west-2.console.aws.amazon.com/cloudwatch/home?region=us-west-2#dashboards/dashboard/" + NAME
    )


def test_a_dashboard_that_is_there_is_left_as_it_is() -> None:
    decision = decide(IDENTITY, spec(), STARTED, replace(SEEN, dashboard=True), NOW, Settings())
    assert not [a for a in decision.actions if isinstance(a, PutDashboard)]
    assert decision.status.dashboard is not None


def test_without_the_right_to_it_the_import_runs_on_and_shows_no_link() -> None:
    decision = decide(IDENTITY, spec(), STARTED, replace(SEEN, dashboard=DENIED), NOW, Settings())
    assert decision.trouble is None
    assert decision.status.summary == "Running"
    assert decision.status.dashboard is None


def test_nothing_is_published_between_two_looks_at_cloudwatch() -> None:
    decision = decide(IDENTITY, spec(), STARTED, replace(SEEN, throttling=None), NOW, Settings())
    assert not [a for a in decision.actions if isinstance(a, PublishMetrics | PutDashboard)]


@pytest.mark.parametrize(("seen", "deleted"), [(True, [NAME]), (False, []), (DENIED, []), (None, [])])
def test_deletion_removes_the_dashboard_that_is_there(seen: Trouble | bool | None, deleted: list[str]) -> None:
    gone = Observed(deployment=NO_DEPLOYMENT, config=False, dashboard=seen)
    decision = decide_deletion(IDENTITY, spec(), STARTED, gone, NOW, Settings())
    assert [a.name for a in decision.actions if isinstance(a, DeleteDashboard)] == deleted
    assert decision.release == (not deleted), "only when it is seen to be gone"


def test_deletion_waits_where_its_own_dashboard_cannot_be_looked_at() -> None:
    known = STARTED.model_copy(update={"dashboard": Dashboard(name=NAME, url="https://…")})
    gone = Observed(deployment=NO_DEPLOYMENT, config=False, dashboard=DENIED)
    decision = decide_deletion(IDENTITY, spec(), known, gone, NOW, Settings())
    assert not decision.release
    assert decision.trouble == DENIED


def test_every_graph_names_the_table_or_the_import_and_the_region() -> None:
    widgets = json.loads(dashboard.body(IDENTITY, spec()))["widgets"]
    assert UID in widgets[0]["properties"]["markdown"]
    graphs = [w["properties"] for w in widgets[1:]]
    assert {g["region"] for g in graphs} == {"us-west-2"}
    assert [g["title"] for g in graphs] == ["Write units", "Throttled writes by cause", "Progress"]
    assert "WriteKeyRangeThroughputThrottleEvents" in json.dumps(graphs[1])
    assert graphs[2]["metrics"][0][:6] == ["LindormImport", "RowsRead", "Namespace", "default", "Import", "readings"]


@pytest.fixture
def aws() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.mark.usefixtures("aws")
def test_the_adapter_makes_knows_and_removes_its_own_dashboard_and_no_other() -> None:
    client = boto3.client("cloudwatch", region_name="us-west-2", aws_access_key_id="x", aws_secret_access_key="x")
    assert cloudwatch.look_at_dashboard(client, NAME, UID) is False
    cloudwatch.put_dashboard(client, NAME, dashboard.body(IDENTITY, spec()))
    assert cloudwatch.look_at_dashboard(client, NAME, UID) is True
    with pytest.raises(TroubleError, match="belongs to something else"):
        cloudwatch.look_at_dashboard(client, NAME, OTHER_UID)
    cloudwatch.delete_dashboard(client, NAME)
    cloudwatch.delete_dashboard(client, NAME)
    assert cloudwatch.look_at_dashboard(client, NAME, UID) is False


@pytest.mark.usefixtures("aws")
def test_the_adapter_publishes_the_counts_under_the_import() -> None:
    client = boto3.client("cloudwatch", region_name="us-west-2", aws_access_key_id="x", aws_secret_access_key="x")
    metrics: Metrics = dashboard.metrics(IDENTITY, Progress(rows_read=7))
    cloudwatch.publish(client, metrics)
    found = client.list_metrics(Namespace="LindormImport", MetricName="RowsRead")["Metrics"]
    assert {d["Name"]: d["Value"] for d in found[0]["Dimensions"]} == {"Namespace": "default", "Import": "readings"}
