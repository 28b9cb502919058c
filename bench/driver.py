"""Submits jobs to a running Flink cluster, one JSON line on standard input after the other.

Runs on the Python that has PyFlink, as one process for many jobs: starting PyFlink anew takes longer than many a
measurement. A line is {"main": [arguments of flink_job/main.py], "environment": {…}, "configuration": {…}} or
{"settings": {…}, "statements": [DDL…], "insert": "INSERT …", "configuration": {…}}; the answer is a line
{"error": null | "…"}.
"""

import json
import os
import sys
import traceback
from typing import Any, Dict

from pyflink.java_gateway import get_gateway
from pyflink.table import EnvironmentSettings, TableEnvironment


def use_cluster(options: Dict[str, str]) -> None:
    """Make jobs go to the cluster of FLINK_CONF_DIR's configuration, as `flink run --detached -D…` does."""
    jvm = get_gateway().jvm
    configuration = jvm.org.apache.flink.configuration.GlobalConfiguration.loadConfiguration()
    for key, value in {"execution.target": "remote", "execution.attached": "false", **options}.items():
        configuration.setString(key, value)
    jvm.org.apache.flink.client.program.StreamContextEnvironment.setAsContext(
        jvm.org.apache.flink.core.execution.DefaultExecutorServiceLoader(),
        configuration,
        jvm.java.lang.Thread.currentThread().getContextClassLoader(),
        False,
        True,
    )


def run(order: Dict[str, Any]) -> None:
    use_cluster(order["configuration"])
    if "main" in order:
        import main

        os.environ.update(order["environment"])
        code = main.main(order["main"])
        if code:
            raise RuntimeError(f"main.py ended with {code}")
        return
    table_env = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    for key, value in order["settings"].items():
        table_env.get_config().set(key, value)
    for statement in order["statements"]:
        table_env.execute_sql(statement)
    statements = table_env.create_statement_set()
    statements.add_insert_sql(order["insert"])
    statements.execute()


def answers() -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what PyFlink and main.py print is no answer
    for line in sys.stdin:
        try:
            run(json.loads(line))
            error = None
        except Exception:
            error = traceback.format_exc()
        out.write(json.dumps({"error": error}) + "\n")
        out.flush()


if __name__ == "__main__":
    answers()
