"""/metrics and /healthz, and what liveness means."""

import json
import logging
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from lindorm_import.cli import main
from lindorm_import.runtime import operator
from lindorm_import.runtime.logs import JsonFormatter
from lindorm_import.runtime.metrics import Metrics
from lindorm_import.runtime.serving import LOOP_SILENT, PASS_STUCK, Health, ListenError, serve


class World:
    """A clock, and how long the oldest pass has run."""

    def __init__(self) -> None:
        self.now, self.longest = 0.0, 0.0
        self.health = Health(lambda: self.longest, lambda: self.now)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def address(world: World) -> Iterator[str]:
    server = serve("127.0.0.1:0", Metrics(), world.health)
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_metrics_are_served_in_prometheus_text(address: str) -> None:
    code, body = get(f"{address}/metrics")
    assert code == 200
    assert "# TYPE lindorm_import_reconcile_duration_seconds histogram" in body


def test_a_controller_that_moves_is_alive(address: str, world: World) -> None:
    assert get(f"{address}/healthz") == (200, "ok")
    world.now = LOOP_SILENT + 1
    code, body = get(f"{address}/healthz")
    assert code == 503
    assert "event loop" in body
    world.health.beat()
    assert get(f"{address}/healthz") == (200, "ok")


def test_a_pass_that_never_comes_back_is_no_life(address: str, world: World) -> None:
    world.longest = PASS_STUCK + 1
    assert get(f"{address}/healthz")[0] == 503


def test_other_paths_are_not_there(address: str) -> None:
    assert get(f"{address}/")[0] == 404


def test_an_address_that_cannot_be_listened_at_is_told(address: str) -> None:
    taken = address.removeprefix("http://")
    with pytest.raises(ListenError, match="cannot listen on 127"):
        serve(taken, Metrics(), Health(lambda: 0.0))
    for wrong in ("8080", ":http", ":70000"):
        with pytest.raises(ListenError, match="is not HOST:PORT"):
            serve(wrong, Metrics(), Health(lambda: 0.0))


def record(**extra: object) -> logging.LogRecord:
    return logging.getLogger("lindorm-import").makeRecord(
        "lindorm-import", logging.INFO, __file__, 1, "executing %s", ("CreateTable",), None, extra=extra
    )


def test_a_log_line_is_json_with_import_run_and_step() -> None:
    fields = {"import": "ns/a", "run": "r1", "step": "Preparing", "action": "CreateTable"}
    line = json.loads(JsonFormatter().format(record(**fields)))
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "INFO", "logger": "lindorm-import", "message": "executing CreateTable", **fields}


def test_what_is_not_known_is_left_out_of_a_log_line() -> None:
    assert "run" not in json.loads(JsonFormatter().format(record(run=None)))


def test_kopfs_own_lines_name_the_import_too() -> None:
    line = json.loads(JsonFormatter().format(record(k8s_ref={"namespace": "ns", "name": "a"})))
    assert line["import"] == "ns/a"


def test_an_exception_stays_on_one_line() -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        made = record()
        made.exc_info = sys.exc_info()
    text = JsonFormatter().format(made)
    assert "\n" not in text
    assert "ValueError: broken" in json.loads(text)["exception"]


def test_what_was_said_last_is_on_stderr_when_the_process_has_ended() -> None:
    program = (
        "import logging; from lindorm_import.runtime.logs import configure; configure(); log = logging.getLogger('x')\n"
        "try: 1 / 0\nexcept ZeroDivisionError: log.exception('a %s line', 'last', extra={'run': 'r1'})"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    (line,) = ended.stderr.splitlines()
    assert json.loads(line)["message"] == "a last line"
    assert json.loads(line)["run"] == "r1"
    assert "ZeroDivisionError" in json.loads(line)["exception"]


@pytest.mark.parametrize(
    ("level", "said"),
    [
        ("debug", ["ours debug", "ours info", "ours warning", "ours error", "theirs warning", "theirs error"]),
        ("info", ["ours info", "ours warning", "ours error", "theirs warning", "theirs error"]),
        ("warning", ["ours warning", "ours error", "theirs warning", "theirs error"]),
        ("error", ["ours error", "theirs error"]),
    ],
)
def test_what_is_logged_begins_at_the_level_and_never_with_what_libraries_send(level: str, said: list[str]) -> None:
    """boto3's and the Kubernetes client's lines below a warning hold signatures and Secrets."""
    program = (
        f"import logging; from lindorm_import.runtime.logs import configure; configure({level!r})\n"
        "for whose, name in (('ours', 'lindorm-import'), ('theirs', 'botocore.endpoint'), ('theirs', 'kubernetes')):\n"
        "    for level in ('debug', 'info', 'warning', 'error'):\n"
        "        getattr(logging.getLogger(name), level)(f'{whose} {level}')"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    lines = [json.loads(line)["message"] for line in ended.stderr.splitlines()]
    assert list(dict.fromkeys(lines)) == said


def test_the_command_hands_the_level_on(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[object] = []
    monkeypatch.setattr(operator, "run", lambda *arguments: given.extend(arguments))
    assert main(["controller", "--log-level", "debug"]) == 0
    assert given[-1] == "debug"
    with pytest.raises(SystemExit):
        main(["controller", "--log-level", "verbose"])
