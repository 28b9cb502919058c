"""The job's pods: why one does not run. Flink and its operator tell of the JobManager's only a part, and of the
TaskManagers' nothing."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from kubernetes import client
from kubernetes.utils.quantity import parse_quantity

from lindorm_import.adapters.errors import kube_errors
from lindorm_import.adapters.foreign import at, items, parsed, text
from lindorm_import.domain.pods import PodSeen, PodsSeen, QuotaSeen

Document = dict[str, Any]
_TIMEOUT = (3, 15)
_MOST_PODS, _MOST_EVENTS = 500, 50  # of a job, of a pod
_WORDS = 1000  # of a sentence
# A container that waits for one of these is on its way.
_ON_ITS_WAY = ("", "ContainerCreating", "PodInitializing")
# Its own words say only that it is started again; why it ended stands in its last state.
_CRASHED = "CrashLoopBackOff"
# Conditions of a pod that say why it does not run, or is about to end.
_TELLING = (("PodScheduled", "False"), ("DisruptionTarget", "True"))


def look_at_pods(core: client.CoreV1Api, namespace: str, deployment: str) -> PodsSeen:
    """The pods of a FlinkDeployment, and the namespace's quotas. Raises TroubleError.

    Flink's native mode labels its pods so: app is the FlinkDeployment's name, component jobmanager or taskmanager
    (https://nightlies.apache.org/flink/flink-docs-release-1.20/docs/deployment/resource-providers/native_kubernetes/).
    """
    raw: Any = {"_preload_content": False, "_request_timeout": _TIMEOUT}
    with kube_errors(f"list the pods of FlinkDeployment {namespace}/{deployment}"):
        listed = core.list_namespaced_pod(namespace, label_selector=f"app={deployment}", limit=_MOST_PODS, **raw)
    pods = _items(listed)
    seen = {pod["metadata"]["uid"]: pod_of(pod) for pod in pods}
    starting = [uid for uid, pod in seen.items() if not pod.reason and pod.pending]
    if starting and not any(pod.reason for pod in seen.values()):
        seen[starting[0]] = _with_event(core, namespace, starting[0], seen[starting[0]], raw)
    with kube_errors(f"list the ResourceQuotas of {namespace}"):
        quotas = core.list_namespaced_resource_quota(namespace, **raw)
    return PodsSeen(tuple(seen.values()), tuple(counted for quota in _items(quotas) for counted in quotas_of(quota)))


def _items(answer: Any) -> list[Document]:
    """Of a list, as JSON: the client's own classes refuse what they do not know."""
    return items(at(parsed(answer.data), "items"), _MOST_PODS)


def _with_event(core: client.CoreV1Api, namespace: str, uid: str, pod: PodSeen, raw: Any) -> PodSeen:
    """A volume that cannot be mounted, or a network that cannot be set up, stands in events only."""
    of = f"involvedObject.uid={uid}"
    with kube_errors(f"list the events of pod {namespace}/{pod.name}"):
        listed = core.list_namespaced_event(namespace, field_selector=of, limit=_MOST_EVENTS, **raw)
    warnings = [event for event in _items(listed) if event.get("type") == "Warning"]
    if not warnings:
        return pod
    last = max(warnings, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
    return replace(pod, reason=_word(last.get("reason")), message=_words(last.get("message")))


def pod_of(pod: Document) -> PodSeen:
    """What a pod's status says. Pure."""
    meta, status = pod["metadata"], pod.get("status") or {}
    seen = PodSeen(
        meta["name"],
        job_manager=(meta.get("labels") or {}).get("component") == "jobmanager",
        pending=status.get("phase") == "Pending",
    )
    if status.get("phase") == "Failed" and status.get("reason"):  # Evicted, NodeShutdown, OutOfcpu, …
        return _because(seen, status)
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        if found := _container(seen, container):
            return found
    for condition in status.get("conditions") or []:
        if (condition.get("type"), condition.get("status")) in (
            ("PodScheduled", "False"),
            ("DisruptionTarget", "True"),
        ):
            return _because(seen, condition)
    return seen


def _container(pod: PodSeen, status: Document) -> PodSeen | None:
    state, last = status.get("state") or {}, (status.get("lastState") or {}).get("terminated")
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or last
    pod = replace(_because(pod, waiting), container=_words(status.get("name")), image=_words(status.get("image")))
    if pod.reason not in (*_ON_ITS_WAY, _CRASHED):
        return pod
    if ended and ended.get("exitCode"):
        at = ended.get("finishedAt")
        return replace(
            _because(pod, ended),
            exit_code=ended["exitCode"],
            ended_at=datetime.fromisoformat(at) if at else None,
            runs="running" in state,
        )
    return pod if pod.reason == _CRASHED else None


def _because(pod: PodSeen, said: Document) -> PodSeen:
    return replace(pod, reason=_word(said.get("reason")), message=_words(said.get("message")))


def _word(reason: Any) -> str:
    """What may be a condition's reason."""
    return reason if isinstance(reason, str) and re.fullmatch("[A-Za-z][A-Za-z0-9]{0,99}", reason) else ""


def _words(message: Any) -> str:
    return text(message, _WORDS) or ""


def quotas_of(quota: Document) -> Iterator[QuotaSeen]:
    """What a ResourceQuota counts of every pod; one with a scope counts some pods only, and is left out. Pure."""
    spec, status = quota.get("spec") or {}, quota.get("status") or {}
    if spec.get("scopes") or spec.get("scopeSelector"):
        return
    for resource, hard in (status.get("hard") or {}).items():
        used = (status.get("used") or {}).get(resource, "0")
        yield QuotaSeen(quota["metadata"]["name"], resource, _number(used), _number(hard))


def _number(quantity: str) -> Decimal:
    return Decimal(parse_quantity(quantity))  # type: ignore[no-untyped-call]
