"""The loop of the operator stand-in: look, decide, act, write the status, for each FlinkDeployment in its own time."""

from __future__ import annotations

import datetime
import logging
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from local.flink import config, mounts, status
from local.flink.cluster import Cluster, Distribution
from local.flink.decide import error_status, reconcile
from local.flink.model import (
    EMR,
    FINALIZER,
    GROUP,
    PLURAL,
    VERSION,
    Action,
    AddFinalizer,
    Cancel,
    DeleteCluster,
    Event,
    Json,
    Outcome,
    Release,
    RemoveFinalizer,
    Seen,
    Submit,
    WriteStatus,
)
from local.flink.rest import FlinkRest, RestError

_log = logging.getLogger("local.flink.operator")

_ROUND = 1.0  # seconds
_HA_LABELS = "app={name},configmap-type=high-availability,type=flink-native-kubernetes"


class Kubernetes:
    """The calls of the Kubernetes API that operator and kubelet make. Errors: ApiException."""

    def __init__(self, api: client.ApiClient) -> None:
        self._core = client.CoreV1Api(api)
        self._custom = client.CustomObjectsApi(api)

    def deployments(self) -> list[Json]:
        """All FlinkDeployments."""
        listed: Any = self._custom.list_cluster_custom_object(GROUP, VERSION, PLURAL)
        items: list[Json] = listed["items"]
        return items

    def deployment(self, namespace: str, name: str) -> Json | None:
        """One FlinkDeployment; None where it is gone."""
        found: Json | None = _or_none(
            lambda: self._custom.get_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, name)
        )
        return found

    def patch(self, resource: Json, patch: Json) -> None:
        """Merge-patch a FlinkDeployment. Gone already is fine."""
        meta = resource["metadata"]
        _or_none(
            lambda: self._custom.patch_namespaced_custom_object(
                GROUP, VERSION, meta["namespace"], PLURAL, meta["name"], patch
            )
        )

    def patch_status(self, resource: Json, patch: Json) -> None:
        """Merge-patch a FlinkDeployment's status. Gone already is fine."""
        meta = resource["metadata"]
        _or_none(
            lambda: self._custom.patch_namespaced_custom_object_status(
                GROUP, VERSION, meta["namespace"], PLURAL, meta["name"], {"status": patch}
            )
        )

    def config_map(self, namespace: str, name: str) -> dict[str, bytes] | None:
        """The content of a ConfigMap."""
        body = _or_none(lambda: self._core.read_namespaced_config_map(name, namespace))
        return None if body is None else mounts.decode_config_map({"data": body.data, "binaryData": body.binary_data})

    def secret(self, namespace: str, name: str) -> dict[str, bytes] | None:
        """The content of a Secret."""
        body = _or_none(lambda: self._core.read_namespaced_secret(name, namespace))
        return None if body is None else mounts.decode_secret({"data": body.data})

    def ha_config_maps(self, namespace: str, name: str) -> dict[str, dict[str, str]]:
        """Name and data of a cluster's HA ConfigMaps that are not being deleted."""
        listed: Any = self._core.list_namespaced_config_map(namespace, label_selector=_HA_LABELS.format(name=name))
        return {
            item.metadata.name: item.data or {} for item in listed.items if item.metadata.deletion_timestamp is None
        }

    def delete_config_map(self, namespace: str, name: str) -> None:
        """Delete a ConfigMap. Gone already is fine."""
        _or_none(lambda: self._core.delete_namespaced_config_map(name, namespace))

    def forget_keys(self, namespace: str, name: str, keys: list[str]) -> None:
        """Remove keys from a ConfigMap."""
        patch = {"data": dict.fromkeys(keys)}
        _or_none(lambda: self._core.patch_namespaced_config_map(name, namespace, patch))

    def event(self, resource: Json, kind: str, event: Event) -> None:
        """Record an event about a FlinkDeployment, or (kind Pod) about its JobManager's pod."""
        meta = resource["metadata"]
        involved = {"kind": kind, "namespace": meta["namespace"], "name": meta["name"]}
        if kind == "FlinkDeployment":
            involved |= {"apiVersion": resource["apiVersion"], "uid": meta["uid"]}
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        body: Any = {
            "metadata": {"generateName": f"{meta['name']}.", "namespace": meta["namespace"]},
            "involvedObject": involved,
            "type": event.type,
            "reason": event.reason,
            "message": event.message[:1024],
            "source": {"component": "flink-operator" if kind == "FlinkDeployment" else "kubelet"},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        try:
            self._core.create_namespaced_event(meta["namespace"], body)
        except ApiException as error:  # a namespace that is being deleted takes no new events
            _log.info("event %s not recorded: %s", event.reason, error.reason)


def _or_none(call: Callable[[], Any]) -> Any:
    """What a call returns; None where the API server says 404."""
    try:
        return call()
    except ApiException as error:
        if error.status == 404:
            return None
        raise


def _told(resource: Json, cluster: Cluster) -> object:
    """What makes the operator look at once: it watches the resource, and the JobManager's deployment."""
    meta = resource["metadata"]
    return (
        meta.get("uid"),
        meta.get("generation"),
        meta.get("deletionTimestamp"),
        meta.get("finalizers"),
        cluster.deployed_generation,
        cluster.alive,
    )


class Operator:
    """All FlinkDeployments of an API server, and the clusters that run them here."""

    def __init__(
        self,
        kubernetes: Kubernetes,
        distribution: Distribution,
        folder: Path,
        release: Release = EMR,
        workers: int = 8,
    ) -> None:
        """folder: the stack's; clusters live in `flink/<namespace>/<name>/` below it."""
        self._kubernetes, self._distribution, self._folder = kubernetes, distribution, folder / "flink"
        self._release, self._timing = release, distribution.timing
        self._next: dict[tuple[str, str], tuple[object, float]] = {}
        self._clusters: dict[tuple[str, str], Cluster] = {}
        self._busy: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(max_workers=workers)
        self._last_events: dict[tuple[str, str], Event] = {}

    def run(self, stop: threading.Event) -> None:
        """Reconcile until `stop` is set.

        Once a second every cluster is kept as a kubelet keeps it, and the operator looks at each resource whose time
        has come.
        """
        while not stop.is_set():
            started = time.monotonic()
            try:
                self._round()
            except Exception as error:  # the API server may be away for a while: continue asking
                _log.warning("cannot list FlinkDeployments: %s", str(error).split("\n", 1)[0])
            stop.wait(max(0.05, _ROUND - (time.monotonic() - started)))
        self._pool.shutdown(wait=True)

    def rest_port(self, namespace: str, name: str) -> int | None:
        """The REST port of a FlinkDeployment's JobManager, for the proxy."""
        with self._lock:
            cluster = self._clusters.get((namespace, name))
        return cluster.rest_port if cluster else None

    def _round(self) -> None:
        there = {(r["metadata"]["namespace"], r["metadata"]["name"]) for r in self._kubernetes.deployments()}
        left = {(file.parent.parent.name, file.parent.name) for file in self._folder.glob("*/*/cluster.json")}
        for key in there | left:
            with self._lock:
                if key in self._busy:
                    continue
                self._busy.add(key)
            self._pool.submit(self._safely, key)

    def _safely(self, key: tuple[str, str]) -> None:
        try:
            self._pass(*key)
        except Exception:
            _log.exception("%s/%s: pass failed", *key)
        finally:
            with self._lock:
                self._busy.discard(key)

    def _pass(self, namespace: str, name: str) -> None:
        cluster = self._cluster(namespace, name)
        resource = self._kubernetes.deployment(namespace, name)
        if resource is None:
            # The finalizer was taken off by hand: the owner references would have removed the deployment.
            cluster.delete()
            self._next.pop((namespace, name), None)
            return
        before = resource.get("status") or {}
        state = before.get("jobStatus", {}).get("state")
        cluster.keep(job_ended=state in status.GLOBALLY_TERMINAL)
        told = _told(resource, cluster)
        last, due = self._next.get((namespace, name), (None, 0.0))
        if told == last and time.monotonic() < due:
            return
        seen = self._look(resource, cluster)
        try:
            self._do(resource, cluster, self._decide(resource, seen))
        except (RestError, ApiException, OSError, ValueError) as error:
            _log.warning("%s/%s: %s", namespace, name, error)
            fresh = self._kubernetes.deployment(namespace, name)
            if fresh is not None:
                self._write_status(fresh, error_status(fresh, str(error)))
        pause = self._timing.next_look(resource.get("status") or {}, before)
        self._next[namespace, name] = (told, time.monotonic() + pause)

    def _cluster(self, namespace: str, name: str) -> Cluster:
        with self._lock:
            if (namespace, name) not in self._clusters:
                folder = self._folder / namespace / name
                pod = {"metadata": {"namespace": namespace, "name": f"{name}-jobmanager"}}
                self._clusters[namespace, name] = Cluster(
                    folder,
                    namespace,
                    name,
                    self._distribution,
                    self._kubernetes,
                    lambda reason, message: self._kubernetes.event(pod, "Pod", Event("Warning", reason, message)),
                )
            return self._clusters[namespace, name]

    # --- look and decide ---

    def _look(self, resource: Json, cluster: Cluster) -> Seen:
        """One look at the cluster. What cannot be reached counts as not seen."""
        ready = cluster.port_ready
        seen = Seen(deployed_generation=cluster.deployed_generation, port_ready=ready, waiting=cluster.waiting)
        spec = resource.get("spec") or {}
        if config.is_ha(config.user_configuration(spec, self._distribution.defaults)):
            maps = self._kubernetes.ha_config_maps(cluster.namespace, cluster.name)
            job_maps = {
                key: data
                for key, data in maps.items()
                if key.endswith("-config-map") and not key.endswith("-cluster-config-map")
            }
            known = any(key.startswith("checkpointID-") for data in job_maps.values() for key in data)
            seen = replace(seen, ha_metadata=bool(job_maps), ha_checkpoint=known)
        if not ready:
            return seen
        rest = self._rest(cluster)
        job_id = (resource.get("status") or {}).get("jobStatus", {}).get("jobId")
        try:
            jobs = rest.jobs()
            seen = replace(seen, jobs=jobs, cluster_info=rest.cluster_info())
            mine = next((job for job in jobs if job.id == job_id), None)
            if mine is not None and mine.state in status.GLOBALLY_TERMINAL:
                seen = replace(seen, failure=rest.failure(mine.id) if mine.state == "FAILED" else None)
                seen = self._look_for_checkpoint(rest, mine.id, seen)
        except RestError as error:
            _log.info("%s/%s: %.300s", cluster.namespace, cluster.name, error)
        return seen

    @staticmethod
    def _look_for_checkpoint(rest: FlinkRest, job_id: str, seen: Seen) -> Seen:
        try:
            return replace(seen, last_checkpoint=rest.last_checkpoint(job_id))
        except RestError as error:
            return replace(seen, checkpoints_error=str(error))

    @staticmethod
    def _rest(cluster: Cluster) -> FlinkRest:
        return FlinkRest(f"http://127.0.0.1:{cluster.rest_port}")

    def _decide(self, resource: Json, seen: Seen) -> Outcome:
        now = int(time.time() * 1000)
        return reconcile(resource, seen, now, secrets.token_hex(16), self._distribution.defaults, self._release)

    # --- act ---

    def _do(self, resource: Json, cluster: Cluster, outcome: Outcome) -> None:
        for action in outcome.actions:
            self._perform(resource, cluster, action)
            if isinstance(action, AddFinalizer | RemoveFinalizer):
                return
        self._write_status(resource, outcome.status)

    def _perform(self, resource: Json, cluster: Cluster, action: Action) -> None:
        meta = resource["metadata"]
        match action:
            case AddFinalizer(spec):
                self._finalizers(resource, [*meta.get("finalizers", []), FINALIZER], spec)
            case RemoveFinalizer():
                self._finalizers(resource, [name for name in meta["finalizers"] if name != FINALIZER])
            case WriteStatus():
                self._write_status(resource, action.status)
            case Submit():
                self._submit(cluster, action)
            case Cancel():
                self._cancel(cluster, action)
            case DeleteCluster():
                cluster.delete()
                if action.ha_metadata:
                    for name in self._kubernetes.ha_config_maps(cluster.namespace, cluster.name):
                        self._kubernetes.delete_config_map(cluster.namespace, name)
            case Event():
                self._event(resource, action)

    def _finalizers(self, resource: Json, finalizers: list[str], spec: Json | None = None) -> None:
        """Set the list of finalizers, unless someone else has changed the resource meanwhile (409: next round)."""
        metadata = {"finalizers": finalizers, "resourceVersion": resource["metadata"]["resourceVersion"]}
        changes = {} if spec is None else {"spec": status.merge_patch(resource["spec"], spec)}
        try:
            self._kubernetes.patch(resource, {"metadata": metadata, **changes})
        except ApiException as error:
            if error.status != 409:
                raise

    def _write_status(self, resource: Json, new: Json) -> None:
        old = resource.get("status") or {}
        if new != old:
            self._kubernetes.patch_status(resource, status.merge_patch(old, new))
            resource["status"] = new

    def _submit(self, cluster: Cluster, action: Submit) -> None:
        """submitApplicationCluster: an old job graph in the HA data would win over the new spec, so it goes."""
        for name, data in self._kubernetes.ha_config_maps(cluster.namespace, cluster.name).items():
            graphs = [key for key in data if key.startswith("jobGraph-")]
            if graphs:
                self._kubernetes.forget_keys(cluster.namespace, name, graphs)
        cluster.deploy(action.spec, action.generation, action.job_id, action.savepoint)
        cluster.keep(job_ended=False)

    def _cancel(self, cluster: Cluster, action: Cancel) -> None:
        if cluster.rest_port is None:
            return
        try:
            self._rest(cluster).cancel(action.job_id)
        except RestError:
            if not action.quietly:
                raise

    def _event(self, resource: Json, event: Event) -> None:
        """Record an event, unless it is the same as the one before (the operator counts repetitions instead)."""
        key = (resource["metadata"]["namespace"], resource["metadata"]["name"])
        if self._last_events.get(key) != event:
            self._last_events[key] = event
            self._kubernetes.event(resource, "FlinkDeployment", event)
