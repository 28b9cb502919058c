"""The process stays while the API server is away, and ends for what a restart may fix."""

import asyncio
from collections.abc import Iterator

import pytest

from lindorm_import.runtime import operator
from lindorm_import.runtime.serving import Health


class ApiServer:
    """Answers by turns as told; the last one for ever."""

    def __init__(self, *answers: bool) -> None:
        self._answers: Iterator[bool] = iter(answers)
        self._last = answers[-1]
        self.asked = 0

    def answers(self) -> bool:
        self.asked += 1
        return next(self._answers, self._last)


class Operator:
    """Fails this many times, then is told to stop."""

    def __init__(self, failures: int) -> None:
        self.failures, self.starts = failures, 0

    async def operate(self) -> None:
        self.starts += 1
        if self.starts <= self.failures:
            raise ConnectionError("refused")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator, "backoff", lambda failures: 0.0)


def stay(server: ApiServer, running: Operator, health: Health | None = None) -> None:
    asyncio.run(operator.stay(running.operate, server.answers, health or Health(lambda: 0.0)))


def test_it_starts_only_when_the_api_server_answers() -> None:
    server, running = ApiServer(False, False, False, True), Operator(failures=0)
    stay(server, running)
    assert (server.asked, running.starts) == (4, 1)


def test_it_starts_again_when_the_api_server_was_away() -> None:
    server, running = ApiServer(True, False, False, True, False, True), Operator(failures=2)
    stay(server, running)
    assert running.starts == 3


def test_a_failure_while_the_api_server_answers_ends_the_process() -> None:
    with pytest.raises(ConnectionError):
        stay(ApiServer(True), Operator(failures=1))


def test_it_is_alive_while_it_waits() -> None:
    beats: list[float] = []

    class Counted(Health):
        def beat(self) -> None:
            beats.append(1)

    stay(ApiServer(False, False, True), Operator(failures=0), Counted(lambda: 0.0))
    assert beats
