"""What measurements need running: the two ends, a cluster with the project's job and one with the stock parts."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from bench import pipelines
from bench.cpu import Sample, Sampler, Slope, steady, tree_seconds
from bench.flink import Cluster
from bench.servers import AnswerServer, BenchError, MariaDB
from local.bootstrap import REPOSITORY, Layout
from local.machine import java_tool

DEVICE_OF_1000 = "CONCAT('dev-', LPAD(seq DIV 1000, 8, '0'))"
SECOND_OF_1000 = "MOD(seq, 1000)"
KEY = ["device", "ts"]
READINGS, MANY_READINGS = "readings", "many_readings"


class Lab:
    """Everything that direct paths, floors, profile and memory are measured with; in one folder."""

    def __init__(
        self,
        layout: Layout,
        folder: Path,
        rows: int,
        source_rows: int = 0,
        configuration: Mapping[str, str] | None = None,
    ) -> None:
        """rows: of the direct path and the sink. source_rows: of the source alone, which is much faster.

        configuration: of both clusters, besides what `Cluster` sets.
        """
        self.layout, self.folder, self.rows, self.source_rows = layout, folder.resolve(), rows, source_rows
        self.database = MariaDB(layout.bench, self.folder / "mariadb")
        self.answers = AnswerServer(layout.bench, self.folder)
        self._configuration = dict(configuration or {})
        self.project = self.project_cluster("project")
        self.stock = Cluster(
            layout,
            self.folder / "stock",
            sorted((layout.bench / "lib").glob("*.jar")),
            self._configuration,
            pipelines.AWS,
        )

    def project_cluster(self, name: str, configuration: Mapping[str, str] | None = None) -> Cluster:
        """A cluster (not started) that has the job jar of this checkout."""
        jars = [self.layout.job_jar, self.layout.jdbc_driver, self.layout.bench / "lib" / "lindorm-bench.jar"]
        more = {**self._configuration, **(configuration or {})}
        return Cluster(self.layout, self.folder / name, jars, more, pipelines.AWS)

    def __enter__(self) -> Lab:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        try:
            self.database.start()
            for table, rows in ((READINGS, self.rows), (MANY_READINGS, self.source_rows)):
                if rows:
                    self.database.create(table, rows, DEVICE_OF_1000, SECOND_OF_1000)
            self.answers.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End every process."""
        for part in (self.project, self.stock, self.answers, self.database):
            part.stop()

    # --- one run of each thing ---

    def direct(self, cluster: Cluster, submit: Callable[[], str], rows: int) -> Slope:
        """Run a job that ends at the server that only answers; the steady part of it.

        Raises BenchError when not every row has arrived there.
        """
        with Sampler(self.answers.items, lambda: cluster.pids) as sampler:
            cluster.wait(submit())
        self._check(sampler.samples, rows)
        return steady(sampler.samples)

    @staticmethod
    def _check(samples: list[Sample], rows: int) -> None:
        arrived = samples[-1].count - samples[0].count
        if arrived < rows:
            raise BenchError(f"{arrived} of {rows} rows arrived")

    def project_direct(self, cluster: Cluster | None = None, parallelism: int = 1, many: bool = False) -> Slope:
        """many: the rows of the source alone instead."""
        cluster = cluster or self.project
        table, rows = (MANY_READINGS, self.source_rows) if many else (READINGS, self.rows)
        config = pipelines.job_config(cluster.folder, self.database, table, KEY)
        options = {"parallelism.default": str(parallelism)}
        submit = lambda: pipelines.project(cluster, config, self.answers.url, options)  # noqa: E731
        return self.direct(cluster, submit, rows)

    def stock_direct(self) -> Slope:
        submit = lambda: pipelines.stock(self.stock, self.database, READINGS, self.answers.url)  # noqa: E731
        return self.direct(self.stock, submit, self.rows)

    def project_sink(self) -> Slope:
        config = pipelines.job_config(self.project.folder, self.database, READINGS, KEY)
        submit = lambda: pipelines.project_sink(self.project, config, self.answers.url, self.rows)  # noqa: E731
        return self.direct(self.project, submit, self.rows)

    def stock_sink(self) -> Slope:
        submit = lambda: pipelines.stock_sink(self.stock, READINGS, self.answers.url, self.rows)  # noqa: E731
        return self.direct(self.stock, submit, self.rows)

    def project_source(self) -> Slope:
        config = pipelines.job_config(self.project.folder, self.database, MANY_READINGS, KEY)
        return self._into_nothing(self.project, lambda: pipelines.project_source(self.project, config))

    def stock_source(self) -> Slope:
        return self._into_nothing(self.stock, lambda: pipelines.stock_source(self.stock, self.database, MANY_READINGS))

    def project_files(self) -> Slope:
        """The source into files that DynamoDB would load, on the local disk."""
        folder = self.project.folder / "files"
        config = pipelines.with_files(pipelines.job_config(folder, self.database, MANY_READINGS, KEY), folder)
        return self._into_files(self.project, folder, lambda: pipelines.project(self.project, config, self.answers.url))

    def stock_files(self) -> Slope:
        folder = self.stock.folder / "files"
        submit = lambda: pipelines.stock_files(self.stock, self.database, MANY_READINGS, folder)  # noqa: E731
        return self._into_files(self.stock, folder, submit)

    def _into_files(self, cluster: Cluster, folder: Path, submit: Callable[[], str]) -> Slope:
        shutil.rmtree(folder, ignore_errors=True)
        slope = self._into_nothing(cluster, submit)
        shutil.rmtree(folder)
        return slope

    def _into_nothing(self, cluster: Cluster, submit: Callable[[], str]) -> Slope:
        """A job whose rows nobody counts on arrival, so the whole of it; what a job of one row costs is taken off."""
        empty = self._whole(cluster, lambda: pipelines.one_row(cluster), 1)
        full = self._whole(cluster, submit, self.source_rows)
        return Slope(self.source_rows, full.seconds - empty.seconds, full.cpu - empty.cpu)

    def _whole(self, cluster: Cluster, submit: Callable[[], str], rows: int) -> Slope:
        """A job from its submission to its end; the time is that of its tasks."""
        cpu, sent = tree_seconds(cluster.pids), self.database.rows_sent()
        job = cluster.wait(submit())
        if 1 < rows > (read := self.database.rows_sent() - sent):
            raise BenchError(f"{read} of {rows} rows were read")
        seconds = max(vertex["duration"] for vertex in job["vertices"]) / 1000
        return Slope(rows, seconds, tree_seconds(cluster.pids) - cpu)

    def script(self, processes: int, rows: int) -> Slope:
        """The plain script over the first rows of the table."""
        command = [
            str(self.layout.dev_python),
            *("-m", "bench.script"),
            *(str(self.database.port), READINGS, str(processes), str(rows)),
        ]
        environment = pipelines.script_environment(self.answers.url)
        process = subprocess.Popen(command, env=environment, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
        with Sampler(self.answers.items, lambda: [process.pid]) as sampler:
            code = process.wait()
        if code != 0:
            raise BenchError(f"the script ended with {code}")
        self._check(sampler.samples, rows)
        return steady(sampler.samples)


class Floor:
    """A small Java program that does a round whenever it is told to (io.lindorm.bench.Rounds)."""

    def __init__(self, jars: Path, main: str, *arguments: str) -> None:
        classpath = f"{jars}/*"
        java = [java_tool("java"), "-Xmx512m", "-cp", classpath, f"io.lindorm.bench.{main}"]
        self._process = subprocess.Popen(
            [*java, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self._expect()

    def _expect(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise BenchError(f"a floor has ended with {self._process.wait()}")
        return line.strip()

    def round(self) -> Slope:
        """One round. Errors: BenchError when the program has ended."""
        assert self._process.stdin
        pids = [self._process.pid]
        cpu, started = tree_seconds(pids), time.monotonic()
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        rows = int(self._expect())
        return Slope(rows, time.monotonic() - started, tree_seconds(pids) - cpu)

    def stop(self) -> None:
        self._process.communicate()  # it ends with its input
