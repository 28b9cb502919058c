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
from local.flink.model import EMR, UPSTREAM, UPSTREAM_1_7
from local.flink.operator import Kubernetes, Operator
from local.flink.proxy import serve
from local.flink.timing import QUICK, REAL
from local.kube.access import api_client

_RELEASES = {"emr": EMR, "upstream-1.10": UPSTREAM, "upstream-1.7": UPSTREAM_1_7}


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
    parser.add_argument(
        "--real-intervals",
        action="store_true",
        help="wait as operator (15 s), kubelet (10 s to 5 min after a crash) and Flink (metrics: 10 s) do",
    )
    parser.add_argument("--release", choices=_RELEASES, default="emr", help="whose operator this is (default: emr)")
    parser.add_argument("--task-manager-memory", default="1536m", help="the most that a TaskManager gets here")
    parser.add_argument("--job-manager-memory", default="1200m", help="the most that a JobManager gets here")
    options = parser.parse_args()

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    timing = REAL if options.real_intervals else QUICK
    defaults = json.loads(options.defaults.read_text()) if options.defaults else {}
    distribution = Distribution(
        flink_home=where.flink_home,
        python=where.job_python,
        plugins=(where.s3_plugin,),
        jars=tuple(options.jar),
        usrlib=options.usrlib,
        laptop=Laptop(parse_memory(options.job_manager_memory), parse_memory(options.task_manager_memory)),
        defaults={**timing.flink, **defaults},
        timing=timing,
    )
    kubernetes = Kubernetes(api_client(options.kubeconfig))
    operator = Operator(kubernetes, distribution, options.stack_dir, _RELEASES[options.release])

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    proxy = serve(options.port, operator.rest_port)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    if options.ready_file:
        options.ready_file.write_text(json.dumps({"port": proxy.server_address[1]}))
    operator.run(stop)
    proxy.shutdown()


if __name__ == "__main__":
    main()
