"""One tenant's slow answers hold that tenant's imports up, and nobody else's."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import kopf

from lindorm_import.runtime.operator import OF_A_NAMESPACE, THREADS, Loop
from lindorm_import.runtime.reconcile import Outcome, Reconciler


class SlowForOne:
    """Passes: those of the namespace `slow` wait until they are let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.passes: list[str] = []

    def run_pass(self, namespace: str, name: str, uid: str, last_action: Any) -> Outcome:
        self.passes.append(namespace)
        if namespace == "slow":
            assert self.let_go.wait(120)
        return Outcome()


def body(namespace: str, name: str) -> kopf.Body:
    return kopf.Body({"metadata": {"namespace": namespace, "name": name, "uid": name}})


def test_a_namespace_holds_no_more_than_its_share_of_the_threads_and_gets_all_its_passes() -> None:
    assert OF_A_NAMESPACE * 2 <= THREADS
    world = SlowForOne()

    async def live() -> None:
        threads = ThreadPoolExecutor(4)
        slow = asyncio.Semaphore(3)

        def loop(namespace: str, name: str, share: asyncio.Semaphore) -> Loop:
            return Loop(cast(Reconciler, world), threads, body(namespace, name), asyncio.Lock(), share)

        waiting = [asyncio.create_task(loop("slow", f"i{n}", slow).step()) for n in range(20)]
        await asyncio.sleep(0)
        await asyncio.wait_for(loop("other", "one", asyncio.Semaphore(3)).step(), 120)
        assert world.passes.count("other") == 1
        assert world.passes.count("slow") <= 3
        world.let_go.set()
        await asyncio.wait_for(asyncio.gather(*waiting), 120)
        threads.shutdown()

    asyncio.run(live())
    assert world.passes.count("slow") == 20
