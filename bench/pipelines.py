"""The pipelines that are compared: what is submitted to Flink, and the plain script."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.flink import Cluster
from bench.servers import PASSWORD, USER, MariaDB
from local.bootstrap import REPOSITORY

REGION = "us-west-2"
AWS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}
ROW_TYPES = {"device": "STRING", "ts": "TIMESTAMP_LTZ(3)", "metric": "STRING", "val": "DOUBLE", "note": "STRING"}
SETTINGS = {"pipeline.object-reuse": "true", "table.local-time-zone": "UTC"}


def columns(types: dict[str, str]) -> str:
    """A column list of DDL."""
    return ", ".join(f"`{name}` {type_}" for name, type_ in types.items())


# --- the project ---


def job_config(
    folder: Path, database: MariaDB, table: str, key: list[str], shards: int | None = None
) -> dict[str, Any]:
    """The job config of an import of a whole table (docs/contracts.md, "The job config"), with its files below
    `folder`."""
    lindorm = {"device": "VARCHAR", "ts": "TIMESTAMP", "metric": "VARCHAR", "val": "DOUBLE", "note": "VARCHAR"}
    as_ = {"VARCHAR": "String", "TIMESTAMP": "Iso8601", "DOUBLE": "Number"}
    return {
        "version": 1,
        "import": {"namespace": "bench", "name": table, "uid": "0" * 32, "runId": "r00000000"},
        "source": {
            "url": database.lindorm_url,
            "table": table,
            "columns": [{"name": name, "type": type_} for name, type_ in lindorm.items()],
            "primaryKey": [{"name": name, "order": "ASC"} for name in key],
            "timeRange": {
                "column": "ts",
                "start": "2023-01-01T00:00:00.000Z",
                "end": "2024-01-01T00:00:00.000Z",
                "unit": None,
            },
            "filter": None,
            "pageSize": 2000,
            "maxRowsPerSecond": None,
            "splitPoints": [],
        },
        "target": {
            "region": REGION,
            "table": table,
            "key": {
                "partition": {"name": "device", "type": "S", "template": "{device}"},
                "sort": {"name": "ts", "type": "S", "template": "{ts}"},
            },
            "attributes": [{"column": name, "name": name, "as": as_[type_]} for name, type_ in lindorm.items()],
            "partitionShards": shards,
            "nulls": "Omit",
        },
        "rejects": {"path": (folder / "rejects").as_uri() + "/", "max": 1000},
        "result": {"path": (folder / "result" / "result.json").as_uri()},
    }


def with_files(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same, but the items go into files below `folder`, for DynamoDB to load."""
    load = {
        "method": "ImportTable",
        "items": (folder / "items").as_uri() + "/",
        "manifest": (folder / "result" / "manifest.jsonl").as_uri(),
        "maxObjects": 50_000,
    }
    return {**config, "version": 2, "load": load}


def credentials(folder: Path) -> Path:
    """A folder as the Secret is mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "username").write_text(USER)
    (folder / "password").write_text(PASSWORD)
    return folder


def project(
    cluster: Cluster,
    config: dict[str, Any],
    endpoint: str,
    configuration: Mapping[str, str] | None = None,
    write_units: int | None = None,
) -> str:
    """Submit the project's job, by its own driver; the job's id.

    configuration: Flink's, of this job alone. write_units: a second, as the controller writes them into the rates file;
    None: no limit but what DynamoDB throttles.
    """
    file = cluster.folder / f"job-{config['target']['table']}.json"
    file.write_text(json.dumps(config))
    secrets = credentials(cluster.folder / "credentials")
    rates = write_rate(cluster, config["target"]["table"], write_units)
    arguments = ["--config", str(file), "--credentials", str(secrets), "--rates", str(rates)]
    return cluster.submit_main(arguments, {**AWS, "AWS_ENDPOINT_URL_DYNAMODB": endpoint}, configuration or {})


def write_rate(cluster: Cluster, table: str, write_units: int | None) -> Path:
    """The folder with the rates file of the job that writes a table; written anew, as the controller does."""
    folder = cluster.folder / f"rates-{table}"
    folder.mkdir(exist_ok=True)
    rates = {"version": 1, "writeUnitsPerSecond": write_units, "rowsPerSecond": None}
    (folder / "rates.json").write_text(json.dumps(rates))
    return folder


def main_module() -> ModuleType:
    """flink_job/main.py, for the DDL it makes."""
    spec = importlib.util.spec_from_file_location("flink_job_main", REPOSITORY / "flink_job" / "main.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["flink_job_main"] = module
    spec.loader.exec_module(module)
    return module


def project_source(cluster: Cluster, config: dict[str, Any]) -> str:
    """The project's source into nothing."""
    secrets = credentials(cluster.folder / "credentials")
    source = main_module().source_table(config, USER, str(secrets))
    nothing = f"CREATE TEMPORARY TABLE nothing ({columns(ROW_TYPES)}) WITH ('connector' = 'blackhole')"
    return cluster.submit_sql(SETTINGS, [source, nothing], "INSERT INTO nothing SELECT * FROM rows_of_lindorm")


def ready_rows(rows: int) -> str:
    """DDL of a source that costs next to nothing."""
    options = f"'connector' = 'ready-rows', 'rows' = '{rows}'"
    return f"CREATE TEMPORARY TABLE ready ({columns(ROW_TYPES)}) WITH ({options})"


def one_row(cluster: Cluster) -> str:
    """The smallest job there is."""
    nothing = f"CREATE TEMPORARY TABLE nothing ({columns(ROW_TYPES)}) WITH ('connector' = 'blackhole')"
    return cluster.submit_sql(SETTINGS, [ready_rows(1), nothing], "INSERT INTO nothing SELECT * FROM ready")


def project_sink(cluster: Cluster, config: dict[str, Any], endpoint: str, rows: int) -> str:
    """Ready-made rows into the project's sink."""
    sink = main_module().items_table(config, endpoint)
    return cluster.submit_sql(SETTINGS, [ready_rows(rows), sink], "INSERT INTO items_of_dynamodb SELECT * FROM ready")


# --- stock parts ---

# TIMESTAMP(3): Flink's jdbc source knows no type with a local time zone.
_STOCK_TYPES = {**ROW_TYPES, "ts": "TIMESTAMP(3)"}


def _stock_source(database: MariaDB, table: str) -> str:
    # Without a fetch size Connector/J holds the whole table in memory; with this one it streams, which is its fastest.
    options = {
        "connector": "jdbc",
        "url": database.url(),
        "table-name": table,
        "username": USER,
        "password": PASSWORD,
        "scan.fetch-size": str(-(2**31)),
    }
    given = ", ".join(f"'{key}' = '{value}'" for key, value in options.items())
    return f"CREATE TEMPORARY TABLE stock_source ({columns(_STOCK_TYPES)}) WITH ({given})"


def _stock_sink(table: str, endpoint: str, source_types: dict[str, str]) -> str:
    options = {
        "connector": "dynamodb",
        "table-name": table,
        "aws.region": REGION,
        "aws.endpoint": endpoint,
    }
    given = ", ".join(f"'{key}' = '{value}'" for key, value in options.items())
    return f"CREATE TEMPORARY TABLE stock_sink ({columns({**source_types, 'ts': 'STRING'})}) WITH ({given})"


# The same text as the project writes.
_STOCK_SELECT = "SELECT device, REPLACE(CAST(ts AS STRING), ' ', 'T') || 'Z', metric, val, note FROM "


def stock(cluster: Cluster, database: MariaDB, table: str, endpoint: str, target: str = "readings") -> str:
    """Flink's jdbc table source into its dynamodb table sink."""
    statements = [_stock_source(database, table), _stock_sink(target, endpoint, _STOCK_TYPES)]
    return cluster.submit_sql(SETTINGS, statements, f"INSERT INTO stock_sink {_STOCK_SELECT} stock_source")


def stock_files(cluster: Cluster, database: MariaDB, table: str, folder: Path) -> str:
    """Flink's jdbc table source into its filesystem sink, as plain JSON."""
    options = {"connector": "filesystem", "path": folder.as_uri(), "format": "json"}
    given = ", ".join(f"'{key}' = '{value}'" for key, value in options.items())
    types = {**_STOCK_TYPES, "ts": "STRING"}
    sink = f"CREATE TEMPORARY TABLE stock_files ({columns(types)}) WITH ({given})"
    return cluster.submit_sql(
        SETTINGS, [_stock_source(database, table), sink], f"INSERT INTO stock_files {_STOCK_SELECT} stock_source"
    )


def stock_source(cluster: Cluster, database: MariaDB, table: str) -> str:
    """Flink's jdbc table source into nothing."""
    nothing = f"CREATE TEMPORARY TABLE nothing ({columns(_STOCK_TYPES)}) WITH ('connector' = 'blackhole')"
    statements = [_stock_source(database, table), nothing]
    return cluster.submit_sql(SETTINGS, statements, "INSERT INTO nothing SELECT * FROM stock_source")


def stock_sink(cluster: Cluster, table: str, endpoint: str, rows: int) -> str:
    """Ready-made rows into Flink's dynamodb table sink."""
    statements = [ready_rows(rows), _stock_sink(table, endpoint, ROW_TYPES)]
    return cluster.submit_sql(SETTINGS, statements, f"INSERT INTO stock_sink {_STOCK_SELECT} ready")


def script_environment(endpoint: str) -> dict[str, str]:
    """What the plain script needs besides its arguments."""
    return {**os.environ, **AWS, "AWS_ENDPOINT_URL_DYNAMODB": endpoint}
