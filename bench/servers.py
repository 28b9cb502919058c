"""The two ends of a pipeline: MariaDB with rows of the reference shape, and the HTTP server that only answers."""

from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pymysql

from local.machine import java_tool
from local.processes import Process, accepts_connections, free_port, start, wait_until

DATABASE = "default"
USER = PASSWORD = "bench"
FIRST_SECOND = 1_672_531_200  # 2023-01-01T00:00:00Z
_PATIENCE = 300.0

COLUMNS = (
    "device VARCHAR(16) NOT NULL, ts TIMESTAMP(3) NOT NULL, metric VARCHAR(16) NOT NULL, val DOUBLE, note VARCHAR(16)"
)
_REST = "'temperature', MOD(seq * 7919, 100000) / 100, CONCAT('ok-', LPAD(MOD(seq, 100000), 5, '0'))"


class BenchError(Exception):
    """A part did not start, or a run did not do what it was to do; the message says what."""


class MariaDB:
    """A MariaDB server with an empty database, on a free port; everything is in `folder`."""

    def __init__(self, parts: Path, folder: Path) -> None:
        self._home = parts / "mariadb"
        self._folder = folder
        self._process: Process | None = None
        self._status: Any = None
        self.port = free_port()

    def start(self) -> None:
        """Make the system tables, start the server and wait until it takes connections. Errors: BenchError."""
        data = self._folder / "data"
        data.mkdir(parents=True)
        common = [
            str(self._home / "bin" / "mariadbd"),
            "--no-defaults",
            f"--basedir={self._home}",
            f"--lc-messages-dir={self._home / 'share'}",
            f"--datadir={data}",
            "--user=root",
        ]
        tables = (self._home / "share" / "mariadb_system_tables.sql").read_text()
        made = subprocess.run(
            [*common, "--bootstrap"],
            input=f"create database mysql;\nuse mysql;\n{tables}",
            capture_output=True,
            text=True,
            errors="replace",
        )
        if made.returncode != 0:
            raise BenchError(f"MariaDB cannot make its system tables: {made.stderr[-2000:]}")
        options = [
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            f"--socket={self._folder / 'socket'}",
            "--skip-grant-tables",
            "--skip-networking=0",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--skip-ssl",
            "--innodb-buffer-pool-size=1G",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-log-file-size=512M",
            "--default-time-zone=+00:00",
            "--max-allowed-packet=64M",
        ]
        self._process = start([*common, *options], self._folder / "mariadb.log")
        if not wait_until(lambda: accepts_connections(self.port), _PATIENCE):
            raise BenchError(f"MariaDB did not start:\n{self._process.tail()}")
        self.execute(f"CREATE DATABASE `{DATABASE}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", database=None)

    def stop(self) -> None:
        if self._process:
            self._process.end()

    def execute(self, *statements: str, database: str | None = DATABASE) -> Any:
        """Run statements; the rows of the last one."""
        connection = pymysql.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, database=database, autocommit=True
        )
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall()

    def create(self, table: str, rows: int, device: str, second: str, key: str = "device, ts") -> None:
        """A table of the reference shape (items of 80 bytes). device, second: SQL of `seq`, which counts from 0."""
        self._create(table, f"(SELECT seq - 1 AS seq FROM seq_1_to_{rows})", device, second, key)

    def create_with(self, table: str, numbers: Sequence[int], device: str, second: str, key: str) -> None:
        """As `create`, with a row for each of `numbers`, which the SQL may call `number`."""
        values = ",".join(f"({seq},{number})" for seq, number in enumerate(numbers))
        self.execute(
            f"CREATE OR REPLACE TABLE {table}_numbers (seq INT PRIMARY KEY, number INT)",
            f"INSERT INTO {table}_numbers VALUES {values}",
        )
        self._create(table, f"{table}_numbers", device, second, key)

    def _create(self, table: str, sequence: str, device: str, second: str, key: str) -> None:
        select = f"SELECT {device}, FROM_UNIXTIME({FIRST_SECOND} + {second}), {_REST} FROM {sequence} AS numbers"
        self.execute(
            f"CREATE OR REPLACE TABLE {table} ({COLUMNS}, PRIMARY KEY ({key}))",
            f"INSERT INTO {table} {select}",
            f"ANALYZE TABLE {table}",
        )

    def rows_sent(self) -> int:
        """How many rows the server has sent to its clients since its start. For one thread at a time."""
        if self._status is None:
            self._status = pymysql.connect(host="127.0.0.1", port=self.port, user=USER, password=PASSWORD)
        with self._status.cursor() as cursor:
            cursor.execute("SHOW GLOBAL STATUS LIKE 'Rows_sent'")
            ((_, sent),) = cursor.fetchall()
        return int(sent)

    def url(self, *parameters: str) -> str:
        """For Connector/J."""
        return f"jdbc:mysql://127.0.0.1:{self.port}/{DATABASE}" + ("?" + "&".join(parameters) if parameters else "")

    @property
    def lindorm_url(self) -> str:
        """For the project's source, which asks DESCRIBE in Lindorm's form."""
        return self.url("queryInterceptors=io.lindorm.bench.DescribeInterceptor")


class AnswerServer:
    """The HTTP server that only answers (io.lindorm.bench.AnswerServer)."""

    def __init__(self, parts: Path, folder: Path) -> None:
        self._parts, self._folder = parts, folder
        self._process: Process | None = None
        self._connection: http.client.HTTPConnection | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers. Errors: BenchError."""
        jar = self._parts / "lib" / "lindorm-bench.jar"
        java = [java_tool("java"), "-Xmx256m", "-XX:+UseSerialGC", "-cp", str(jar), "io.lindorm.bench.AnswerServer"]
        self._process = start([*java, str(self.port)], self._folder / "answers.log")
        if not wait_until(lambda: accepts_connections(self.port), _PATIENCE):
            raise BenchError(f"the server that only answers did not start:\n{self._process.tail()}")

    def stop(self) -> None:
        if self._connection:
            self._connection.close()
        if self._process:
            self._process.end()

    def items(self) -> int:
        """How many puts have come in since the start. For one thread at a time."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        self._connection.request("GET", "/")
        return int(json.loads(self._connection.getresponse().read())["items"])
