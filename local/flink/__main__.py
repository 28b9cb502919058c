"""python -m local.flink --kubeconfig FILE --stack-dir DIR: run the operator stand-in until SIGTERM.

Clusters live on when it ends, as they would in Kubernetes, and the next one finds them (local.flink.cluster).
"""

from __future__ import annotations

import argparse
import json
import logging
import signal
import threading
from pathlib import Path

from local.bootstrap import REPOSITORY, layout
from local.flink.cluster import Distribution
from local.flink.config import Laptop, parse_memory
from local.flink.operator import Kubernetes, Operator
from local.flink.proxy import serve
from local.kube.access import api_client


def main() -> None:
    """The command line."""
    where = layout()
    parser = argparse.ArgumentParser(prog="python -m local.flink", description=__doc__.split("\n")[0])
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--stack-dir", type=Path, required=True, help="clusters live in flink/ below it")
    parser.add_argument("--port", type=int, default=0, help="of the reverse proxy to all JobManagers")
    parser.add_argument("--ready-file", type=Path, help='written when the proxy listens: {"port": …}')
    parser.add_argument("--defaults", type=Path, help="JSON object: the operator's default Flink configuration")
    parser.add_argument("--usrlib", type=Path, default=REPOSITORY / "flink_job", help="what /opt/flink/usrlib holds")
    parser.add_argument("--jar", type=Path, action="append", default=[], help="a jar for lib/ (repeatable)")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between two rounds")
    parser.add_argument("--task-manager-memory", default="1536m", help="the most that a TaskManager gets here")
    parser.add_argument("--job-manager-memory", default="1200m", help="the most that a JobManager gets here")
    options = parser.parse_args()

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    distribution = Distribution(
        flink_home=where.flink_home,
        python=where.job_python,
        plugins=(where.s3_plugin,),
        jars=tuple(options.jar),
        usrlib=options.usrlib,
        laptop=Laptop(parse_memory(options.job_manager_memory), parse_memory(options.task_manager_memory)),
        defaults=json.loads(options.defaults.read_text()) if options.defaults else {},
    )
    operator = Operator(Kubernetes(api_client(options.kubeconfig)), distribution, options.stack_dir)

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    proxy = serve(options.port, operator.rest_port)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    if options.ready_file:
        options.ready_file.write_text(json.dumps({"port": proxy.server_address[1]}))
    operator.run(stop, options.interval)
    proxy.shutdown()


if __name__ == "__main__":
    main()
