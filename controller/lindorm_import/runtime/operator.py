"""kopf wiring, and nothing else: which import needs a pass, and when the next one is.

One daemon an import runs passes in a thread (boto3 and the Kubernetes client block), so that a slow call of one
import holds up no other. The daemon is level-based; events of the import only wake it early. kopf puts its
finalizer on the import before the daemon starts and removes it when the delete handler returns.

While the API server is away the process stays and waits: passes fail and back off, kopf's watches reconnect, and where
kopf gives up it is started again once the API server answers.
"""

import asyncio
import functools
import logging
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import kopf

from lindorm_import.adapters.kube import own_user
from lindorm_import.api import ABANDON, GROUP, PLURAL, VERSION
from lindorm_import.api.text import printable
from lindorm_import.decide import Settings
from lindorm_import.runtime.logs import configure
from lindorm_import.runtime.metrics import Metrics
from lindorm_import.runtime.reconcile import Outcome, Reconciler
from lindorm_import.runtime.serving import Health, serve
from lindorm_import.world.clients import Clients
from lindorm_import.world.clock import uptime

log = logging.getLogger("lindorm-import")
RESOURCE = (GROUP, VERSION, PLURAL)
FINALIZER = f"{GROUP}/finalizer"
# What kopf would call itself among its peers. It has none here, but where it is not told a name it makes one of the
# user's, and the user of a container need not have one (no entry in /etc/passwd).
IDENTITY: Any = "lindorm-import"
MAX_BACKOFF = 60.0
# A pass that waits for something that does not answer holds a thread for minutes. There are more threads than imports
# in any likely cluster, so that a region that hangs holds up its own imports only; a thread that waits costs little.
THREADS = 256
# So much of them one namespace may hold: a tenant whose sources and pods answer slowly waits for itself.
OF_A_NAMESPACE = THREADS // 4


def backoff(failures: int) -> float:
    """Seconds before the next try: 1, 2, 4, … 60, with jitter so that many imports do not come at once."""
    return min(MAX_BACKOFF, 2.0 ** min(failures - 1, 6)) * random.uniform(0.5, 1.0)  # noqa: S311  (no secret)


class NoDiffBase(kopf.DiffBaseStorage):
    """kopf keeps a copy of the whole spec in an annotation, to tell handlers what changed. The controller is
    level-based and compares nothing, and a large spec beside its copies (kubectl's is another) would exceed the
    262,144 bytes that annotations may have together: then no patch succeeds, and the finalizer never goes."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence({})

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        pass


class NoProgress(kopf.AnnotationsProgressStorage):
    """kopf keeps when a failed handler may run again, as a time of day: a clock that was wrong once would hold a
    deletion up. Handlers here start from nothing. What stays is the annotation that touches an import, by which
    kopf wakes itself."""

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        pass

    def purge(self, **_: Any) -> None:
        pass


class Loop:
    """The passes of one import, one after the other. turn: the import's own lock, of all its loops; share: the passes
    that its namespace may have at once.

    A deletion must not overtake a pass that is still acting: it would not see the table that is being created, let the
    import go, and leave the table behind.
    """

    def __init__(
        self,
        reconciler: Reconciler,
        threads: ThreadPoolExecutor,
        body: kopf.Body,
        turn: asyncio.Lock,
        share: asyncio.Semaphore | None = None,
    ) -> None:
        self._body = body
        self._turn = turn
        self._share = share or asyncio.Semaphore()
        self._failures = 0
        self._outcome = Outcome()
        self._reconciler = reconciler
        self._import = str(body.meta.namespace), str(body.meta.name), str(body.meta.uid)
        self._threads = threads

    async def step(self) -> Outcome:
        """One pass, and its events."""
        told = self._outcome.events
        async with self._turn, self._share:
            run = functools.partial(self._reconciler.run_pass, *self._import, self._outcome.last_action)
            self._outcome = await _to_the_end(asyncio.get_running_loop().run_in_executor(self._threads, run))
        for event in self._outcome.events:
            if event in told:
                continue  # what the status cannot tell is told by an event, once and not in each pass
            kopf.event(self._body, type=event.type, reason=event.reason, message=printable(event.message))
        self._failures = self._failures + 1 if self._outcome.trouble else 0
        return self._outcome

    async def sign_off(self) -> None:
        """No more passes come from this process."""
        async with self._turn, self._share:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._reconciler.sign_off, *self._import)

    def delay(self) -> float | None:
        """Seconds until the next pass; None: only when the import changes."""
        trouble = self._outcome.trouble
        if trouble is None:
            return self._outcome.requeue
        return None if trouble.spec else backoff(self._failures)


def register(registry: kopf.OperatorRegistry, reconciler: Reconciler) -> None:
    """Puts the handlers into the registry."""
    threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="pass")
    shares: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(OF_A_NAMESPACE))

    @kopf.on.startup(registry=registry)
    async def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.persistence.finalizer = FINALIZER
        settings.persistence.progress_storage = NoProgress(prefix=GROUP)
        settings.persistence.diffbase_storage = NoDiffBase()
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
        loop = Loop(reconciler, threads, body, _turn(memo), shares[str(body.meta.namespace)])
        wake = _wake(memo)
        while not stopped:
            wake.clear()
            await loop.step()
            await _sleep(loop.delay(), wake, stopped)
        if stopped.reason is not None and kopf.DaemonStoppingReason.OPERATOR_EXITING in stopped.reason:
            await loop.sign_off()

    @kopf.on.delete(*RESOURCE, registry=registry)
    async def delete(memo: kopf.Memo, body: kopf.Body, **_: Any) -> None:
        loop = Loop(reconciler, threads, body, _turn(memo), shares[str(body.meta.namespace)])
        wake = _wake(memo)
        while not (await loop.step()).release:
            wake.clear()
            await _sleep(loop.delay(), wake, None)


def _wake(memo: kopf.Memo) -> asyncio.Event:
    if "wake" not in memo:
        memo.wake = asyncio.Event()
    event: asyncio.Event = memo.wake
    return event


def _turn(memo: kopf.Memo) -> asyncio.Lock:
    if "turn" not in memo:
        memo.turn = asyncio.Lock()
    lock: asyncio.Lock = memo.turn
    return lock


async def _to_the_end(running: asyncio.Future[Outcome]) -> Outcome:
    """A pass cannot be stopped in its thread: who is cancelled (kopf does so on deletion) waits until it is over."""
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


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


async def stay(operate: Callable[[], Awaitable[None]], answers: Callable[[], bool], health: Health) -> None:
    """Operates until told to stop. When it fails because the API server is away, it waits for it and starts again."""

    async def beat() -> None:
        while True:
            health.beat()
            await asyncio.sleep(1)

    beating = asyncio.create_task(beat())
    try:
        while True:
            await _until(answers)
            try:
                return await operate()
            except Exception:
                if await asyncio.to_thread(answers):
                    raise  # a bug, or no right to watch: the kubelet restarts the process, with its own backoff
                log.warning("the API server does not answer; continuing when it does", exc_info=True)
    finally:
        beating.cancel()


async def _until(answers: Callable[[], bool]) -> None:
    failures = 0
    while not await asyncio.to_thread(answers):
        failures += 1
        await asyncio.sleep(backoff(failures))


def run(namespaces: list[str], settings: Settings, listen: str | None = None, log_level: str = "info") -> None:
    """Runs the controller until it is told to stop. namespaces: empty for all; listen: HOST:PORT of metrics and health;
    log_level: one of logs.LEVELS.

    Raises ListenError for an address that it cannot listen on.
    """
    configure(log_level)
    metrics = Metrics()
    health = Health(metrics.longest_pass)
    if listen:
        serve(listen, metrics, health)
    clients = Clients.connect(tuple(namespaces))
    registry = kopf.OperatorRegistry()
    settings = replace(settings, user=own_user())
    register(registry, Reconciler(clients, settings, ticks=uptime, metrics=metrics))

    async def operate() -> None:
        await kopf.operator(
            registry=registry,
            identity=IDENTITY,
            standalone=True,
            clusterwide=not namespaces,
            namespaces=namespaces,
        )

    asyncio.run(stay(operate, clients.kube.answers, health))
