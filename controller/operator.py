"""kopf wiring, and nothing else: which import needs a pass, and when the next one is.

One daemon an import runs passes in a thread (boto3 and the Kubernetes client block), so that a slow call of one
import holds up no other. The daemon is level-based; events of the import only wake it early. kopf puts its
finalizer on the import before the daemon starts and removes it when the delete handler returns.
"""

import asyncio
import functools
import logging
import os
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import kopf

from controller.api import GROUP, PLURAL, VERSION
from controller.clients import Clients
from controller.decide import Settings
from controller.decide.deletion import ABANDON
from controller.reconcile import Outcome, Reconciler

RESOURCE = (GROUP, VERSION, PLURAL)
FINALIZER = f"{GROUP}/finalizer"
MAX_BACKOFF = 60.0


def backoff(failures: int) -> float:
    """Seconds before the next try: 1, 2, 4, … 60, with jitter so that many imports do not come at once."""
    return min(MAX_BACKOFF, 2.0 ** min(failures - 1, 6)) * random.uniform(0.5, 1.0)  # noqa: S311  (no secret)


class Loop:
    """The passes of one import, one after the other."""

    def __init__(self, reconciler: Reconciler, threads: ThreadPoolExecutor, body: kopf.Body) -> None:
        self._body = body
        self._failures = 0
        self._outcome = Outcome()
        self._pass = functools.partial(
            reconciler.run_pass, str(body.meta.namespace), str(body.meta.name), str(body.meta.uid)
        )
        self._threads = threads

    async def step(self) -> Outcome:
        """One pass, and its events."""
        run = functools.partial(self._pass, self._outcome.last_action)
        self._outcome = await asyncio.get_running_loop().run_in_executor(self._threads, run)
        for event in self._outcome.events:
            kopf.event(self._body, type=event.type, reason=event.reason, message=event.message)
        self._failures = self._failures + 1 if self._outcome.trouble else 0
        return self._outcome

    def delay(self) -> float | None:
        """Seconds until the next pass; None: only when the import changes."""
        trouble = self._outcome.trouble
        if trouble is None:
            return self._outcome.requeue
        return None if trouble.spec else backoff(self._failures)


def register(registry: kopf.OperatorRegistry, reconciler: Reconciler) -> None:
    """Puts the handlers into the registry."""
    threads = ThreadPoolExecutor(max_workers=32, thread_name_prefix="pass")

    @kopf.on.startup(registry=registry)
    async def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.persistence.finalizer = FINALIZER
        settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP)
        settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=GROUP)
        settings.posting.level = logging.CRITICAL  # events are the reconciler's, not kopf's log lines
        settings.networking.request_timeout = 30
        settings.watching.server_timeout = 120

    @kopf.on.login(registry=registry)
    def login(**context: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**context) or kopf.login_with_kubeconfig(**context)

    @kopf.on.event(*RESOURCE, registry=registry)
    async def changed(memo: kopf.Memo, body: kopf.Body, **_: Any) -> None:
        """Wakes the loop when the user changed something; the status, which it writes itself, does not wake it."""
        mark = (
            body.meta.get("generation"),
            body.meta.get("deletionTimestamp"),
            body.meta.annotations.get(ABANDON),
        )
        if memo.get("mark") != mark:
            memo.mark = mark
            _wake(memo).set()

    @kopf.daemon(*RESOURCE, registry=registry, cancellation_backoff=30.0, cancellation_timeout=60.0)
    async def follow(memo: kopf.Memo, body: kopf.Body, stopped: kopf.DaemonStopped, **_: Any) -> None:
        loop = Loop(reconciler, threads, body)
        wake = _wake(memo)
        while not stopped:
            wake.clear()
            await loop.step()
            await _sleep(loop.delay(), wake, stopped)

    @kopf.on.delete(*RESOURCE, registry=registry)
    async def delete(memo: kopf.Memo, body: kopf.Body, **_: Any) -> None:
        loop = Loop(reconciler, threads, body)
        wake = _wake(memo)
        while not (await loop.step()).release:
            wake.clear()
            await _sleep(loop.delay(), wake, None)


def _wake(memo: kopf.Memo) -> asyncio.Event:
    if "wake" not in memo:
        memo.wake = asyncio.Event()
    event: asyncio.Event = memo.wake
    return event


async def _sleep(seconds: float | None, wake: asyncio.Event, stopped: kopf.DaemonStopped | None) -> None:
    """Until the time is over, the import changes or the daemon has to stop."""

    async def until_stopped(flag: kopf.DaemonStopped) -> None:
        await flag.wait()

    waits: list[asyncio.Task[Any]] = [asyncio.create_task(wake.wait())]
    if stopped is not None:
        waits.append(asyncio.create_task(until_stopped(stopped)))
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def run(namespaces: list[str], settings: Settings) -> None:
    """Runs the controller until it is told to stop. namespaces: empty for all."""
    registry = kopf.OperatorRegistry()
    register(registry, Reconciler(Clients.connect(), settings))
    kopf.run(
        registry=registry,
        standalone=True,
        clusterwide=not namespaces,
        namespaces=namespaces,
        liveness_endpoint=os.environ.get("LINDORM_IMPORT_LIVENESS"),
    )
