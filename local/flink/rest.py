"""The few calls of Flink's REST API that the operator makes."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from dataclasses import dataclass

from local.flink.model import Failure, Job, Json

_TIMEOUT = 10.0  # seconds


class RestError(Exception):
    """Flink did not answer, or answered with an error; the message says which."""


def effective_state(overview: Json) -> str:
    """JobStatusUtils.getEffectiveStatus: a job counts as running only when each of its tasks runs or has finished.

    overview: one entry of `/jobs/overview`. The trap: after the loss of a TaskManager a running job is CREATED again.
    """
    tasks = overview["tasks"]
    running = tasks["total"] == tasks["running"] + tasks["finished"]
    return "CREATED" if overview["state"] == "RUNNING" and not running else str(overview["state"])


@dataclass(frozen=True)
class FlinkRest:
    """One JobManager's REST API."""

    url: str

    def _call(self, method: str, path: str, body: Json | None = None) -> Json:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
                answer: Json = json.loads(response.read() or b"{}")
                return answer
        except urllib.error.HTTPError as error:
            raise RestError(f"{method} {path}: {error.code} {error.read(2000).decode(errors='replace')}") from error
        except (OSError, ValueError) as error:
            raise RestError(f"{method} {path}: {error}") from error

    def jobs(self) -> tuple[Job, ...]:
        """The job overview. Errors: RestError."""
        found = self._call("GET", "/jobs/overview")["jobs"]
        return tuple(Job(job["jid"], job["name"], effective_state(job), job["start-time"]) for job in found)

    def failure(self, job_id: str) -> Failure | None:
        """Why a job failed; None where it did not. Errors: RestError."""
        result = self._call("GET", f"/jobs/{job_id}/execution-result").get("job-execution-result") or {}
        cause = result.get("failure-cause")
        if not cause:
            return None
        stack = str(cause.get("stack-trace", ""))
        first, *others = re.split(r"\nCaused by: ", stack)
        causes = [line.split("\n", 1)[0].partition(": ") for line in others]
        message = first.split("\n\tat ", 1)[0].partition(": ")[2]
        return Failure(str(cause["class"]), message, tuple((name, text) for name, _, text in causes))

    def last_checkpoint(self, job_id: str) -> str | None:
        """The external path of the latest completed checkpoint or savepoint. Errors: RestError."""
        latest = self._call("GET", f"/jobs/{job_id}/checkpoints").get("latest") or {}
        found = [latest[kind] for kind in ("completed", "savepoint", "restored") if latest.get(kind)]
        newest = max(found, key=lambda checkpoint: int(checkpoint["id"]), default=None)
        return newest.get("external_path") if newest else None

    def cluster_info(self) -> Json:
        """What stands in `status.clusterInfo`. Errors: RestError."""
        answer = self._call("GET", "/config")
        return {"flink-version": answer["flink-version"], "flink-revision": answer["flink-revision"]}

    def cancel(self, job_id: str) -> None:
        """Cancel a job. Errors: RestError."""
        self._call("PATCH", f"/jobs/{job_id}?mode=cancel")
