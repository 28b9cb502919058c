"""A small PyFlink job for the tests of the operator stand-in: counts rows into nothing.

Reads a JSON document: rows, rowsPerSecond, `failsAt` (the number at which the job fails) and `failsWith` (a message:
the job's main fails with it).
"""

import argparse
import json

from pyflink.table import EnvironmentSettings, TableEnvironment


def main() -> None:
    """Run the job to its end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", required=True)
    with open(parser.parse_args().config) as file:
        config = json.load(file)
    if config.get("failsWith"):
        raise RuntimeError(config["failsWith"])
    table = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    table.execute_sql(
        "CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'fields.n.kind' = 'sequence', "
        f"'fields.n.start' = '1', 'fields.n.end' = '{config['rows']}', "
        f"'rows-per-second' = '{config['rowsPerSecond']}')"
    )
    table.execute_sql("CREATE TABLE nothing (n BIGINT) WITH ('connector' = 'blackhole')")
    table.execute_sql(f"INSERT INTO nothing SELECT 1 / (n - {config.get('failsAt', 0)}) FROM numbers").wait()


if __name__ == "__main__":
    main()
