"""The job's source over a network that cuts, delays, doubles and mixes up what Lindorm answers, or answers for it.

The source is the job's own, in a small Flink; Lindorm is the stand-in. Whatever the network does: every row comes once,
or an error is told.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from local.lindorm.data import Shape, load, readings
from local.lindorm.store import Store
from tests.flink_job.harness import Harness, running
from tests.flink_job.mysql_network import (
    CLEAN,
    ERRORS,
    FOREIGN,
    KINDS,
    LASTING,
    LOGIN,
    PASSING,
    Error,
    Fault,
    Network,
    between,
    shown,
)
from tests.flink_job.mysql_network import faults as faults_between
from tests.flink_job.mysql_server import PASSWORD, USER, lindorm

pytestmark = pytest.mark.stack

READINGS = Shape(rows=1_500, devices=25)
SECONDS = 300  # of a run, as the last resort: it is then called a hang


def java_instant(ms: int) -> str:
    at = datetime.fromtimestamp(ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds" if ms % 1000 else "seconds").replace("+00:00", "Z")


EXPECTED = sorted([one.device, java_instant(one.ts), str(one.val)] for one in readings(READINGS))


@dataclass
class Lab:
    network: Network
    flink: Harness

    def run(self, faults: list[Fault], **options: str) -> dict[str, Any]:
        """The rows that came, and the error."""
        self.network.start_with(faults)
        url = f"jdbc:mysql://127.0.0.1:{self.network.port}/default?socketTimeout=1000&connectTimeout=5000"
        source = {
            "connector": "lindorm",
            "url": url,
            "table-name": "readings",
            "username": USER,
            "password": PASSWORD,
            "tls.mode": "DISABLED",
            "scan.page-size": "100",
            **{name.replace("_", "."): value for name, value in options.items()},
        }
        given = ", ".join(f"'{name}' = '{value}'" for name, value in source.items())
        return self.flink.ask(
            {
                "settings": {"restart-strategy.type": "none", "parallelism.default": "2"},
                "statements": [
                    f"CREATE TABLE readings (device STRING, ts TIMESTAMP_LTZ(3), val DOUBLE) WITH ({given})",
                    "SELECT device, ts, val FROM readings",
                ],
                "seconds": SECONDS,
            }
        )


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("network")
    store = Store(folder / "data")
    load(store, READINGS)
    with (
        lindorm(store) as port,
        between(port) as network,
        running("io.lindorm.flink.SqlHarness", folder, heap="768m") as flink,
    ):
        yield Lab(network, flink)


def assert_exact(lab: Lab, faults: list[Fault], **options: str) -> str | None:
    """The error that was told, if any. options: of the table, with _ for each dot."""
    result = lab.run(faults, **options)
    error = result["error"]
    what = f"{(error or '')[:3000]} with {shown(faults)}, met {lab.network.met}"
    if error is not None:
        # Told, and until then no row came twice.
        assert "LindormImport: " in error, what
        assert len(set(map(tuple, result["rows"]))) == len(result["rows"]), what
        return str(error)
    assert sorted(result["rows"]) == EXPECTED, what
    return None


MIXES = settings(
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@settings(MIXES, max_examples=40)
@given(faults=st.lists(faults_between(CLEAN + ERRORS, PASSING), max_size=4))
def test_what_may_pass_is_lived_through(lab: Lab, faults: list[Fault]) -> None:
    assert assert_exact(lab, faults) is None


@settings(MIXES, max_examples=60)
@given(faults=st.lists(faults_between(KINDS, PASSING + LOGIN + LASTING), max_size=4))
def test_whatever_the_network_does_every_row_comes_once_or_an_error_is_told(lab: Lab, faults: list[Fault]) -> None:
    assert_exact(lab, faults)


@pytest.mark.parametrize("error", LASTING, ids=lambda error: str(error.code))
def test_an_error_that_stays_is_told_with_its_number_and_words(lab: Lab, error: Error) -> None:
    told = assert_exact(lab, [Fault("error", 12, error=error), *[Fault("error", error=error)] * 50])
    assert told is not None
    assert error.words in told
    assert f"(error {error.code})" in told


@pytest.mark.parametrize("foreign", range(len(FOREIGN)))
def test_whoever_answers_for_long_in_lindorms_place_is_told(lab: Lab, foreign: int) -> None:
    told = assert_exact(lab, [Fault("foreign protocol", foreign=foreign, stays=False)] * 1_000, scan_retries="1")
    assert told is not None
    assert "reading table `readings` at jdbc:mysql://127.0.0.1" in told
    assert "failed 2 times; the last error: " in told


def test_a_server_that_says_nothing_any_more_is_told(lab: Lab) -> None:
    told = assert_exact(lab, [Fault("silent", 20, 0.5), *[Fault("silent", at=0)] * 1_000], scan_retries="1")
    assert told is not None
    assert "failed 2 times; the last error: " in told


def test_an_answer_that_drips_for_longer_than_answers_take_is_asked_for_again(lab: Lab) -> None:
    slow = Fault("drip", 20, pause=0.5)
    assert assert_exact(lab, [slow], scan_timeout="1 s") is None
    assert lab.network.met[0][1].startswith("\x17"), "no page has dripped"


def test_a_login_that_is_refused_after_the_first_is_waited_for(lab: Lab) -> None:
    refused = [Fault("error", 1, error=error) for error in LOGIN]
    assert assert_exact(lab, [Fault("reset", 20), *refused]) is None
    assert [where for _, where in lab.network.met[1:]] == ["login"] * len(LOGIN)
