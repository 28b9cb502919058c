"""The controller's own look at Lindorm, and that of the command line, over a network that cuts, delays, doubles and
mixes up what Lindorm answers, or answers for it: what it sees is what is there, or it says what happened, soon."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lindorm_import.adapters import lindorm_wire
from lindorm_import.adapters.lindorm import look_at_source
from lindorm_import.cli import main
from lindorm_import.cli.checks_source import lindorm as doctor
from lindorm_import.domain.observed import Login, SourceSeen
from lindorm_import.domain.trouble import TroubleError
from local.lindorm.data import Shape, load
from local.lindorm.store import Store
from tests.controller.factories import SPEC, spec
from tests.flink_job.mysql_network import KINDS, LASTING, LOGIN, PASSING, Fault, Kind, Network, between, faults, shown
from tests.flink_job.mysql_server import PASSWORD, USER, lindorm

EVERY_ERROR = PASSING + LOGIN + LASTING
# Whose packets are whole and numbered as they should be: no client could tell them from the truth.
_LIES: tuple[Kind, ...] = ("short",)
_TOLD_APART = tuple(kind for kind in KINDS if kind not in _LIES)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    store = Store(tmp_path_factory.mktemp("network") / "data")
    load(store, Shape(rows=300, devices=10))
    with lindorm(store) as port, between(port) as network:
        yield network


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lindorm_wire, "CONNECT_SECONDS", 2)
    monkeypatch.setattr(lindorm_wire, "STATEMENT_SECONDS", 2)


def source(network: Network) -> Any:
    url = f"jdbc:mysql://127.0.0.1:{network.port}/default"
    return spec(**{"source.url": url, "source.tls": {"mode": "Disabled"}})


def look(network: Network, met: list[Fault]) -> SourceSeen | None:
    """None where trouble is told."""
    network.start_with(met)
    start = time.monotonic()
    seen, trouble = None, None
    try:
        seen = look_at_source(source(network), Login(USER, PASSWORD), count=True)
    except TroubleError as error:
        trouble = error.trouble
    assert time.monotonic() - start < 120, shown(met)
    if trouble:
        assert trouble.reason, shown(met)
        assert "Lindorm at 127.0.0.1" in trouble.message, shown(met)
        assert PASSWORD not in trouble.message
    return seen


@pytest.mark.parametrize("kind", ["answered twice", "OK in place"])
def test_what_was_not_asked_is_not_taken_for_an_answer(network: Network, kind: Kind) -> None:
    right = look(network, [])
    assert right is not None
    told = 0
    for after in range(12):
        seen = look(network, [Fault(kind, after)])
        assert network.met
        told += seen is None
        assert seen is None or (seen.columns, seen.primary_key, seen.rows) == (
            right.columns,
            right.primary_key,
            right.rows,
        )
    assert told > 5


MIXES = settings(
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@settings(MIXES, max_examples=60)
@given(met=st.lists(faults(_TOLD_APART, EVERY_ERROR), max_size=4))
def test_what_the_controller_sees_is_what_is_there_or_trouble(network: Network, met: list[Fault]) -> None:
    right = look(network, [])
    assert right is not None
    seen = look(network, met)
    if seen is None:
        assert network.met, "trouble without a fault"
        return
    what = shown(met)
    assert (seen.columns, seen.primary_key, seen.key_hash) == (right.columns, right.primary_key, right.key_hash), what
    assert seen.rows == right.rows or seen.rows_error_percent or seen.rows is None, what


@settings(MIXES, max_examples=20)
@given(met=st.lists(faults(KINDS, EVERY_ERROR), min_size=1, max_size=4))
def test_plan_and_doctor_end_with_words_and_no_traceback(
    network: Network,
    met: list[Fault],
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
) -> None:
    where = {"url": f"jdbc:mysql://127.0.0.1:{network.port}/default", "tls": {"mode": "Disabled"}}
    document = {
        "apiVersion": "lindorm.io/v1alpha1",
        "kind": "LindormImport",
        "metadata": {"name": "readings"},
        "spec": {**SPEC, "source": {**SPEC["source"], **where}},
    }
    file: Path = tmp_path_factory.mktemp("plan") / "import.yaml"
    file.write_text(yaml.safe_dump(document))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("LINDORM_USERNAME", USER)
        patched.setenv("LINDORM_PASSWORD", PASSWORD)
        network.start_with(met)
        status = main(["plan", "-f", str(file)])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        assert status in (0, 2), printed.err
        assert printed.out if status == 0 else printed.err, printed
        network.start_with(met)
        checks, _ = doctor(source(network), Login(USER, PASSWORD))
        assert all(check.level in ("ok", "warn", "skip", "fail") and check.found for check in checks)
