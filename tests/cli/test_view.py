"""What is shown of an import, and the history that it is shown from."""

import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lindorm_import.api.durations import format_duration
from lindorm_import.api.status import Moment
from lindorm_import.cli.chart import Series, svg
from lindorm_import.cli.report import Rejects, to_document, to_markdown, to_picture
from lindorm_import.cli.view import View, cluster_state, rates, sparkline
from lindorm_import.cli.watch import line
from lindorm_import.decide.history import KEPT, with_moment
from tests.controller.factories import SPEC

START = datetime(2026, 11, 24, 5, 0, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def moment(seconds: float, rows: int, items: int = 0) -> Moment:
    return Moment(at=after(seconds), rows_read=rows, items_written=items)


def resource(**status: Any) -> dict[str, Any]:
    """A running import: 600 of 1,000 rows after a minute."""
    base: dict[str, Any] = {
        "summary": "Running",
        "conditions": [],
        "run": {
            "id": "r1",
            "deployment": "limport-readings-r1",
            "prefix": "s3://b/p/r1/",
            "startTime": START.isoformat(),
        },
        "plan": {
            "rows": 1000,
            "writeUnitsPerSecond": 4000,
            "parallelism": 1,
            "taskManagers": 1,
            "pricesAsOf": "2026-11-01",
            "totalUSD": "0.05",
        },
        "progress": {
            "rowsRead": 600,
            "itemsWritten": 500,
            "itemsRejected": 2,
            "percent": 60,
            "rowsPerSecond": 10,
            "estimatedCompletionTime": after(100).isoformat(),
        },
        "job": {
            "state": "RUNNING",
            "restarts": 1,
            "failure": "TaskManager lost",
            "lastCheckpointTime": after(45).isoformat(),
        },
        "throttling": {"events": 40, "eventsPerMinute": 20, "cause": "KeyRange", "consumedWriteUnits": 1000},
    }
    return {"metadata": {"name": "readings", "namespace": "default"}, "spec": SPEC, "status": base | status}


def view(flink: dict[str, Any] | None = None, **status: Any) -> View:
    return View.of(resource(**status), flink, after(60))


def ended(type_: str) -> list[dict[str, Any]]:
    common = {"reason": type_, "message": f"it is {type_.lower()}", "lastTransitionTime": after(60).isoformat()}
    return [{"type": type_, "status": "True", **common}, {"type": "Ready", "status": "False", **common}]


def test_a_line_holds_everything_that_tells_whether_it_moves() -> None:
    assert line(view()) == (
        "05:01:00 Running     60 %  read 600 of 1,000  written 500  rejected 2  10 rows/s  "
        "write units 1,000/s of 4,000 (25 %)  throttled 40  checkpoint 15s old  restarts 1  ETA 05:01:40 UTC (in 40s)"
    )


def test_the_words_of_the_live_picture() -> None:
    shown = view()
    assert shown.throttled == "40 writes, 20 in the last minute: a partition key takes more than 1,000/s"
    assert shown.restarts == "1: TaskManager lost"
    assert shown.elapsed == timedelta(minutes=1)


def test_an_estimate_of_the_rows_is_called_one() -> None:
    plan = resource()["status"]["plan"] | {"rowsErrorPercent": 4}
    assert view(plan=plan).rows_in_range == "about 1,000"


def test_an_import_without_a_status_waits_for_the_controller() -> None:
    bare = View.of(resource() | {"status": {}}, None, after(60))
    assert line(bare) == "05:01:00 Pending: the controller has not seen it yet (is it running?)"
    assert not bare.ended


@pytest.mark.parametrize("type_", ["Complete", "Failed"])
def test_an_ended_import_has_ended(type_: str) -> None:
    assert view(conditions=ended(type_)).ended
    assert view(conditions=ended(type_)).eta == ""


@pytest.mark.parametrize(
    ("status", "reason", "at_rest", "costs"),
    [
        ("False", "Releasing", False, True),
        ("False", "AwsAccessDenied", True, True),
        ("True", "Released", True, False),
    ],
)
def test_an_ended_import_is_followed_until_all_is_given_back_or_that_is_hindered(
    status: str, reason: str, at_rest: bool, costs: bool
) -> None:
    released = {
        "type": "Released",
        "status": status,
        "reason": reason,
        "message": "the table",
        "lastTransitionTime": after(60).isoformat(),
    }
    shown = view(conditions=[*ended("Complete"), released])
    assert (shown.at_rest, shown.unreleased) == (at_rest, "the table" if costs else None)


def test_the_cluster_is_told_from_the_flink_deployment() -> None:
    status = {"lifecycleState": "STABLE", "jobManagerDeploymentStatus": "READY", "taskManager": {"replicas": 2}}
    assert cluster_state({"status": status}) == "STABLE, JobManager READY, 2 TaskManagers"
    assert cluster_state({}) == "not seen by the Flink operator yet, JobManager MISSING, TaskManagers unknown"
    assert cluster_state(None) == "no FlinkDeployment"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (42, "42s"), (125, "2m 05s"), (31_250, "8h 40m"), (312_500, "3d 14h"), (-3, "0s")]
)
def test_times_are_short(seconds: int, text: str) -> None:
    assert format_duration(seconds) == text


def test_rates_come_in_steps_of_ten_seconds_at_least_and_the_last_takes_the_rest() -> None:
    history = (moment(3, 0), moment(10, 100, 50), moment(12, 130), moment(20, 300, 50), moment(23, 360, 360))
    assert rates(history, START) == [(after(10), 10.0, 5.0), (after(23), 20.0, 310 / 13)]


def test_no_history_has_no_rates() -> None:
    assert rates((), START) == []
    assert rates((moment(0, 5),), START) == []


def test_a_sparkline_is_as_high_as_its_values() -> None:
    assert sparkline([0, 5, 10]) == "▁▅█"
    assert sparkline([0, 0]) == ""


@given(st.lists(st.tuples(st.integers(1, 3600), st.integers(0, 10_000)), min_size=1, max_size=600))
def test_a_history_stays_small_in_order_and_keeps_its_ends(steps: list[tuple[int, int]]) -> None:
    history: tuple[Moment, ...] = ()
    seconds = rows = 0
    for elapsed, read in steps:
        seconds, rows = seconds + elapsed, rows + read
        history = with_moment(history, moment(seconds, rows))
    assert len(history) <= 2 * KEPT
    assert history[0].at == after(steps[0][0])
    assert (history[-1].at, history[-1].rows_read) == (after(seconds), rows)
    times = [m.at for m in history]
    assert times == sorted(set(times))


@given(st.lists(st.tuples(st.integers(1, 600), st.integers(0, 10_000)), min_size=1, max_size=100))
def test_no_row_is_lost_in_the_picture(steps: list[tuple[int, int]]) -> None:
    history: list[Moment] = []
    seconds = rows = 0
    for elapsed, read in steps:
        seconds, rows = seconds + elapsed, rows + read
        history.append(moment(seconds, rows))
    shown, before = 0.0, START
    for at, rate, _ in rates(tuple(history), START):
        shown, before = shown + rate * (at - before).total_seconds(), at
    assert shown == pytest.approx(rows)


def test_a_chart_is_xml_and_escapes_what_it_is_given() -> None:
    series = [Series("<a & b>", "#123456", [(after(10), 5.0), (after(20), 7.0)], steps=True)]
    picture = ElementTree.fromstring(svg("x < y", START, series, ("limit", 8.0)))
    text = "".join(picture.itertext())
    assert "x < y" in text
    assert "<a & b>" in text
    assert "limit" in text


def test_a_chart_of_nothing_is_still_a_chart() -> None:
    assert ElementTree.fromstring(svg("empty", START, [Series("none", "#123456", [])])) is not None


def test_a_report_sets_plan_against_actual_and_shows_the_rejects() -> None:
    results = {
        "result": "s3://b/p/r1/result/result.json",
        "rejects": "s3://b/p/r1/rejects/",
        "rowsRead": 1000,
        "itemsWritten": 998,
        "rowsRejected": 2,
        "rejectedByReason": {"EmptyKey": 2},
    }
    run = resource()["status"]["run"] | {"completionTime": after(50).isoformat()}
    history = [m.model_dump(mode="json", by_alias=True) for m in (moment(10, 100, 50), moment(50, 1000, 998))]
    shown = view(conditions=ended("Complete"), results=results, run=run, history=history, summary="Complete")
    document = to_document(shown, Rejects(({"reason": "EmptyKey", "key": {"device": ""}},)))
    assert document["actual"]["seconds"] == 50
    assert document["actual"]["rowsPerSecond"] == 20
    assert document["throughput"] == [
        {"at": "2026-11-24T05:00:10Z", "rowsPerSecond": 10, "itemsPerSecond": 5},
        {"at": "2026-11-24T05:00:50Z", "rowsPerSecond": 22, "itemsPerSecond": 24},
    ]
    text = to_markdown(shown, document, "readings.svg")
    assert "| rows | 1,000 | 1,000 read |" in text
    assert "| items | | 998 written, 2 rejected |" in text
    assert "- Throttled writes: 40, lately because a partition key takes more than 1,000/s" in text
    assert "- Restarts of the job: 1, submitted 1 time; last failure: TaskManager lost" in text
    assert "- Rejected rows: 2 EmptyKey, all in `s3://b/p/r1/rejects/`" in text
    assert '{"reason": "EmptyKey", "key": {"device": ""}}' in text
    assert ElementTree.fromstring(to_picture(shown)) is not None


def test_the_chart_begins_where_the_first_rows_were_read() -> None:
    moments = (moment(60, 0), moment(180, 0), moment(190, 500), moment(200, 1000))
    history = [m.model_dump(mode="json", by_alias=True) for m in moments]
    text = "".join(ElementTree.fromstring(to_picture(view(history=history))).itertext())
    assert "from 3m 00s after the submission" in text
    assert "05:03:00" in text  # the left edge
    assert "05:00:00" not in text


def test_the_name_of_the_limit_stands_where_no_line_runs() -> None:
    series = [Series("rows", "#123456", [(after(10), 8.0), (after(20), 8.0)], steps=True)]
    texts = ElementTree.fromstring(svg("title", START, series, ("limit", 8.0))).iter("{http://www.w3.org/2000/svg}text")
    heights = {text.text: float(text.attrib["y"]) for text in texts}
    assert heights["limit"] == heights["rows"] < 46  # above the field of the lines
