"""Flink and its operator in memory: the operator's decisions are those of local/flink (1.10.0's, traps included).

A job works WORK steps, one a second, and keeps a checkpoint in S3 after each. It continues from what it is given: the
savepoint path of its deployment, or the HA data; so a job that was started from nothing in the middle of a run shows
in `violations`, as do two jobs at once for one import.
"""

import gzip
import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from lindorm_import.domain import names
from lindorm_import.domain.observed import JobSeen
from local.flink.decide import reconcile
from local.flink.model import (
    EMR,
    FINALIZER,
    AddFinalizer,
    Cancel,
    DeleteCluster,
    Failure,
    Job,
    Release,
    RemoveFinalizer,
    Seen,
    Submit,
    WriteStatus,
)
from local.flink.status import GLOBALLY_TERMINAL, LAST_STATE_DUMMY_PATH
from tests.controller.aws_services import S3
from tests.controller.kubernetes_api import KubernetesApi

Document = dict[str, Any]
WORK = 3
ROWS, REJECTED = 1000, 2
FLINK = "flinkdeployments"


@dataclass
class Cluster:
    """The processes of one FlinkDeployment. age: seconds since the start; work: steps done."""

    uid: str
    generation: int
    job_id: str
    config: Document
    work: int
    age: int = 0
    state: str = "CREATED"

    @property
    def ready(self) -> bool:
        return self.age >= 1


@dataclass
class FlinkOperator:
    """Reconciles the FlinkDeployments of an API server, a pass of each every second.

    fail_at: at that step the next job fails (once), hopelessly or not; waiting: why no JobManager can start;
    pending: pods find no node; broken_main: the job's main fails at once, of which the operator never learns
    (FLINK-37370); down: the operator makes no passes, jobs continue; endless: jobs never end; release: whose it is.
    """

    api: KubernetesApi
    s3: S3
    clusters: dict[str, Cluster] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    submissions: int = 0
    fail_at: list[int] = field(default_factory=list)
    hopeless: bool = False
    waiting: tuple[str, str] | None = None
    pending: bool = False
    broken_main: bool = False
    down: bool = False
    endless: bool = False
    rejected: int = REJECTED
    release: Release = EMR
    _ha: dict[str, int] = field(default_factory=dict)

    def second(self, now: datetime) -> None:
        """A second passes for every job, and the operator makes its passes."""
        for cluster in self.clusters.values():
            self._work(cluster)
        for name in list(self.clusters):
            if self.api.get(FLINK, name) is None:
                del self.clusters[name]  # the owner references remove a cluster whose FlinkDeployment is gone
        if not self.down:
            for found in self.api.all(FLINK):
                self._pass(found, now)

    def look_at_job(self, base: str, job_id: str) -> JobSeen | None:
        """As lindorm_import.adapters.flink: what the JobManager's REST API says, None where none answers."""
        cluster = self.clusters.get(base.rsplit("/", 1)[1])
        if cluster is None or not cluster.ready or cluster.job_id != job_id:
            return None
        if self.broken_main:
            return JobSeen("FAILED", failure="no such column", failed=True)
        done = ROWS * cluster.work // WORK
        failed = cluster.state == "FAILED"
        return JobSeen(
            cluster.state,
            rows_read=done,
            items_written=max(0, done - self.rejected),
            rows_rejected=min(done, self.rejected),
            failure="the items do not fit" if failed else None,
            hopeless=failed and self.hopeless,
        )

    def running(self) -> list[str]:
        """The names of the clusters there are."""
        return sorted(self.clusters)

    # -- the job ---------------------------------------------------------------------------------------------------

    def _work(self, cluster: Cluster) -> None:
        if cluster.state in GLOBALLY_TERMINAL or self.waiting or self.pending:
            return
        cluster.age += 1
        if cluster.age < 2 or self.broken_main:
            return
        cluster.state = "RUNNING"
        if cluster.age < 3 or (self.endless and cluster.work == WORK - 1):
            return
        if self.fail_at and cluster.work == self.fail_at[0]:
            self.fail_at.pop(0)
            cluster.state = "FAILED"
            return
        if cluster.work < WORK:
            cluster.work += 1
            self._put(*self._checkpoint(cluster), {"work": cluster.work})
        if cluster.work == WORK:
            self._leave_result(cluster)
            cluster.state = "FINISHED"

    def _put(self, bucket: str, key: str, document: Document) -> None:
        self.s3.put_object(bucket, key, json.dumps(document).encode())

    def _checkpoint(self, cluster: Cluster) -> tuple[str, str]:
        """Bucket and key of the cluster's newest checkpoint."""
        bucket, prefix = _place(cluster.config)
        return bucket, f"{prefix}checkpoints/{cluster.job_id}/chk-{cluster.work}/_metadata"

    def _leave_result(self, cluster: Cluster) -> None:
        bucket, key = cluster.config["result"]["path"].removeprefix("s3://").split("/", 1)
        result = {
            "version": 1,
            "runId": cluster.config["import"]["runId"],
            "rowsRead": ROWS,
            "itemsWritten": ROWS - self.rejected,
            "rowsRejected": self.rejected,
            "rejectedByReason": {"EmptyKey": self.rejected} if self.rejected else {},
        }
        if load := cluster.config.get("load"):
            result |= {"version": 2, "files": self._leave_files(load, ROWS - self.rejected)}
        self._put(bucket, key, result)

    def _leave_files(self, load: Document, items: int) -> Document:
        """The files of a load, and their manifest; what result.json says of them (docs/contracts.md)."""
        bucket, prefix = load["items"].removeprefix("s3://").split("/", 1)
        lines = [json.dumps({"Item": {"device": {"S": "d"}, "ts": {"S": str(n)}}}) + "\n" for n in range(items)]
        halves = {"items-a.json.gz": lines[: items // 2], "items-b.json.gz": lines[items // 2 :]}
        manifest = []
        for name, half in halves.items() if items else ():
            text = "".join(half).encode()
            body = gzip.compress(text, mtime=0)
            self.s3.put_object(bucket, prefix + name, body)
            entry = {"object": name, "items": len(half), "bytes": len(text), "storedBytes": len(body)}
            manifest.append({**entry, "sha256": hashlib.sha256(body).hexdigest()})
        text = "".join(json.dumps(entry) + "\n" for entry in manifest).encode()
        self.s3.put_object(bucket, load["manifest"].removeprefix(f"s3://{bucket}/"), text)
        return {
            "items": load["items"],
            "objects": len(manifest),
            "bytes": sum(entry["bytes"] for entry in manifest),
            "storedBytes": sum(entry["storedBytes"] for entry in manifest),
            "manifest": {"path": load["manifest"], "bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()},
        }

    # -- the operator ------------------------------------------------------------------------------------------------

    def _pass(self, found: Document, now: datetime) -> None:
        name = found["metadata"]["name"]

        seen, job_id = self._look(name), f"{self.submissions + 1:032x}"
        outcome = reconcile(found, seen, int(now.timestamp() * 1000), job_id, {}, self.release)
        for action in outcome.actions:
            match action:
                case AddFinalizer(spec):
                    finalizers = [*found["metadata"].get("finalizers", []), FINALIZER]
                    metadata = {**found["metadata"], "finalizers": finalizers}
                    self.api.change(found, {**found, "metadata": metadata, "spec": spec or found["spec"]})
                    return
                case RemoveFinalizer():
                    left = [f for f in found["metadata"].get("finalizers", []) if f != FINALIZER]
                    self.api.set_finalizers(found, left)
                    return
                case WriteStatus(status):
                    self.api.change(found, {**found, "status": status})
                case Submit():
                    self._submit(found, action)
                case Cancel():
                    self.clusters[name].state = "CANCELED"
                case DeleteCluster():
                    self._delete(name, action.ha_metadata)
        self.api.change(found, {**found, "status": outcome.status})

    def _look(self, name: str) -> Seen:
        cluster = self.clusters.get(name)
        known = name in self._ha
        if cluster is None:
            return Seen(ha_metadata=known, ha_checkpoint=known)
        ended = cluster.state in GLOBALLY_TERMINAL  # then Flink itself removes its HA data
        seen = Seen(deployed_generation=cluster.generation, ha_metadata=not ended, ha_checkpoint=not ended)
        if self.waiting:
            return replace(seen, waiting=self.waiting)
        if not cluster.ready:
            return seen
        failure = Failure("java.lang.RuntimeException", "the items do not fit") if cluster.state == "FAILED" else None
        jobs = (Job(cluster.job_id, "import", cluster.state, 1),)
        bucket, key = self._checkpoint(cluster)
        last = f"s3://{bucket}/{key.removesuffix('/_metadata')}" if ended and cluster.work else None
        return replace(seen, port_ready=True, jobs=jobs, failure=failure, last_checkpoint=last)

    def _submit(self, found: Document, action: Submit) -> None:
        name, labels = found["metadata"]["name"], found["metadata"].get("labels", {})
        config = self._job_config(found)
        uid = labels.get(names.UID_LABEL, "")
        if any(cluster.uid == uid for other, cluster in self.clusters.items() if other != name):
            self.violations.append(f"two jobs at once for the import {uid}")
        self.submissions += 1
        self.clusters[name] = Cluster(uid, action.generation, action.job_id, config, self._start(name, action, config))

    def _job_config(self, found: Document) -> Document:
        """The job's document, as the pod mounts it; a pod whose volume is missing never starts."""
        for volume in found["spec"]["podTemplate"]["spec"]["volumes"]:
            wanted = volume.get("configMap")
            if wanted and not wanted.get("optional") and self.api.get("configmaps", wanted["name"]) is None:
                self.violations.append(f"ConfigMap {wanted['name']} is not there when its pod starts")
        data = self.api.get("configmaps", found["metadata"]["name"]) or {}
        loaded: Document = json.loads(data["data"]["job.json"])
        return loaded

    def _start(self, name: str, action: Submit, config: Document) -> int:
        """The step that the job continues from."""
        if action.savepoint == LAST_STATE_DUMMY_PATH:
            return self._ha[name]
        if action.savepoint:
            bucket, key = action.savepoint.removeprefix("s3://").split("/", 1)
            return int(json.loads(self.s3.buckets[bucket].objects[f"{key}/_metadata"][0])["work"])
        bucket, prefix = _place(config)
        if self.s3.keys(bucket, f"{prefix}checkpoints/"):
            self.violations.append(f"{name} was started from nothing although it has checkpoints")
        return 0

    def _delete(self, name: str, ha_metadata: bool) -> None:
        cluster = self.clusters.pop(name, None)
        if ha_metadata:
            self._ha.pop(name, None)
        elif cluster is not None and cluster.state not in GLOBALLY_TERMINAL:
            self._ha[name] = cluster.work


def _place(config: Document) -> tuple[str, str]:
    """Bucket and key prefix of the run."""
    bucket, key = config["result"]["path"].removeprefix("s3://").split("/", 1)
    return bucket, key.removesuffix("result/result.json")
