"""The controller, with a stopwatch at each pass and a count of its calls.

    python -m bench.timed_controller REPORT controller --namespace default

Runs `lindorm-import` with the arguments after REPORT, in this process, and writes a line into REPORT for each pass:
{"at": epoch seconds, "seconds": of the pass, "calls": made so far}. Calls are those of the Kubernetes client, boto3 and
requests; kopf's watches are not among them.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from urllib3.connectionpool import HTTPConnectionPool

from lindorm_import import cli
from lindorm_import.runtime.reconcile import Outcome, Reconciler


def main() -> int:
    calls, lock = Counter[str](), threading.Lock()
    run_pass, urlopen = Reconciler.run_pass, HTTPConnectionPool.urlopen
    with Path(sys.argv[1]).open("w", buffering=1) as report:

        def counted(pool: HTTPConnectionPool, *arguments: Any, **options: Any) -> Any:
            with lock:
                calls["made"] += 1
            return urlopen(pool, *arguments, **options)

        def timed(*arguments: Any, **options: Any) -> Outcome:
            started = time.monotonic()
            outcome = run_pass(*arguments, **options)
            # A line is one write: passes are many threads'.
            line = {"at": time.time(), "seconds": time.monotonic() - started, "calls": calls["made"]}
            report.write(json.dumps(line) + "\n")
            return outcome

        HTTPConnectionPool.urlopen = counted  # type: ignore[method-assign, assignment]
        Reconciler.run_pass = timed  # type: ignore[method-assign]
        return cli.main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
