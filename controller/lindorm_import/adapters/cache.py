"""Answers that are good for a while: many imports at once have the same questions."""

import time
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar

T = TypeVar("T")
SECONDS = 60.0


class AnswerCache:
    """Answers of the last minute. Who asks what somebody is asking already waits for that answer; other questions
    wait for nobody. An answer that raises is not kept."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._asking: dict[Hashable, Lock] = {}
        self._answers: dict[Hashable, tuple[float, Any]] = {}

    def get(self, question: Hashable, ask: Callable[[], T]) -> T:
        """The answer, asked for where none is there that is less than SECONDS old."""
        with self._lock:
            turn = self._asking.setdefault(question, Lock())
        with turn:
            with self._lock:
                self._forget()
                if question in self._answers:
                    known: T = self._answers[question][1]
                    return known
            answer = ask()
            with self._lock:
                self._answers[question] = (self._clock(), answer)
            return answer

    def _forget(self) -> None:
        """What is too old, and the turns at what nobody asks any more."""
        oldest = self._clock() - SECONDS
        self._answers = {q: kept for q, kept in self._answers.items() if kept[0] > oldest}
        self._asking = {q: turn for q, turn in self._asking.items() if q in self._answers or turn.locked()}
