"""Java of the job's own, in a process that does what lines of JSON say: a main of the connectors' tests."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local.bootstrap import layout
from local.machine import java_tool

_SOURCES = Path(__file__).parents[2] / "flink_job" / "connectors" / "src" / "test" / "java"
# As Flink's own configuration has them for Java 17, the part that one process needs.
_OPENED = ("java.lang", "java.util", "java.net", "java.util.concurrent", "java.time")


class Harness:
    """One that runs."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self._process = process
        self._log = log

    def ask(self, line: dict[str, Any]) -> dict[str, Any]:
        """What it answers to a line."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"it has ended: {self._log.read_text()[-5000:]}"
        said: dict[str, Any] = json.loads(answer)
        return said


@contextmanager
def running(main: str, folder: Path, heap: str = "512m") -> Iterator[Harness]:
    """A harness (its class) with the job's jars, as Flink's `lib` has them. folder: for its log, and the class."""
    classes, log = folder / "classes", folder / f"{main.rsplit('.', 1)[-1]}.log"
    jars = f"{layout().job_jar}:{layout().jdbc_driver}:{layout().flink_home}/lib/*"
    source = str(_SOURCES / f"{main.replace('.', '/')}.java")
    subprocess.run([java_tool("javac"), "-nowarn", "-d", str(classes), "-cp", jars, source], check=True)
    java = [java_tool("java"), f"-Xmx{heap}", "-Daws.accessKeyId=test", "-Daws.secretAccessKey=test"]
    opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED]
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [*java, *opened, "-cp", f"{classes}:{jars}", main],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            yield Harness(process, log)
        finally:
            process.terminate()
