"""moto's server, more like AWS where moto is not, and only there:

- a bucket has the tags of CreateBucketConfiguration from its creation on (S3 API reference, CreateBucketConfiguration);
- a scaling policy goes with its target, and what is not registered is an ObjectNotFoundException (Application Auto
  Scaling API reference, DeregisterScalableTarget and DeleteScalingPolicy);
- CloudWatch looks at the data of the metrics that are asked for, and their namespace counts. moto goes through all data
  of all metrics for every minute asked for, which is most of two cores with 1,000 imports.

`python -m local.aws -H HOST -p PORT`, as moto.server. Its log says of each request by which program it was made.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

from moto.applicationautoscaling.models import ApplicationAutoscalingBackend
from moto.cloudwatch.models import CloudWatchBackend
from moto.core.exceptions import JsonRESTError
from moto.s3.responses import S3Response
from moto.server import main
from werkzeug.serving import WSGIRequestHandler


def _tagged_creation(put: Any) -> Any:
    def put_bucket(self: Any, request: Any, bucket_name: str, querystring: dict[str, Any]) -> Any:
        answer = put(self, request, bucket_name, querystring)
        if b"<CreateBucketConfiguration" in self.body:
            body = ElementTree.fromstring(self.body)  # noqa: S314  (our own controller's)
            found = [element for element in body.iter() if _name(element) == "Tag"]
            tags = [{_name(part): part.text or "" for part in tag} for tag in found]
            self.backend.put_bucket_tagging(bucket_name, {tag["Key"]: tag["Value"] for tag in tags})
        return answer

    return put_bucket


def _name(element: ElementTree.Element) -> str:
    """Without the XML namespace."""
    return element.tag.rsplit("}", 1)[-1]


def _object_not_found(remove: Any, known: Any) -> Any:
    def checked(self: Any, *arguments: Any, **named: Any) -> Any:
        if not known(self, *arguments, **named):
            raise JsonRESTError("ObjectNotFoundException", "no such scalable target or scaling policy")
        return remove(self, *arguments, **named)

    return checked


def _target_known(self: Any, namespace: str, r_id: str, dimension: str) -> bool:
    known = r_id in self.targets.get(dimension, {})
    if known:
        for key, policy in list(self.policies.items()):
            if (policy.service_namespace, policy.resource_id) == (namespace, r_id):
                del self.policies[key]
    return known


def _policy_known(
    self: Any, policy_name: str, service_namespace: str, resource_id: str, scalable_dimension: str
) -> bool:
    parts = (policy_name, service_namespace, resource_id, scalable_dimension)
    return any(
        (p.policy_name, p.service_namespace, p.resource_id, p.scalable_dimension) == parts
        for p in self.policies.values()
    )


class _DataByMetric(list[Any]):
    """A backend's data, in the order of their arrival and by metric. Thread-safe as far as a list is."""

    def __init__(self) -> None:
        super().__init__()
        self._by_metric: dict[Any, list[Any]] = {}

    def append(self, datum: Any) -> None:
        super().append(datum)
        self._by_metric.setdefault(_metric(datum.namespace, datum.name, datum.dimensions), []).append(datum)

    def of(self, metrics: Iterable[Any]) -> list[Any]:
        return [datum for metric in set(metrics) for datum in list(self._by_metric.get(metric, ()))]


def _metric(namespace: str, name: str, dimensions: Iterable[Any]) -> tuple[Any, ...]:
    return namespace, name, frozenset((dimension.name, dimension.value) for dimension in dimensions)


def _only_what_is_asked_for(get: Any) -> Any:
    def get_metric_data(self: Any, queries: list[Any], *arguments: Any, **named: Any) -> Any:
        if any("MetricStat" not in query for query in queries):
            return get(self, queries, *arguments, **named)
        asked = [query["MetricStat"]["Metric"] for query in queries]
        dimensions = [
            [SimpleNamespace(name=d["Name"], value=d["Value"]) for d in m.get("Dimensions", [])] for m in asked
        ]
        found = self.metric_data.of(
            _metric(m["Namespace"], m["MetricName"], d) for m, d in zip(asked, dimensions, strict=True)
        )
        return get(SimpleNamespace(get_all_metrics=lambda: found), queries, *arguments, **named)

    return get_metric_data


def _with_data_by_metric(create: Any) -> Any:
    def made(self: Any, *arguments: Any, **named: Any) -> None:
        create(self, *arguments, **named)
        self.metric_data = _DataByMetric()

    return made


def _log_with_agent(self: WSGIRequestHandler, code: int | str = "-", size: int | str = "-") -> None:  # noqa: ARG001
    self.log("info", '"%s" %s "%s"', self.requestline, code, self.headers.get("User-Agent", "-"))


def correct() -> None:
    """Puts the corrections into moto's and its server's classes."""
    WSGIRequestHandler.log_request = _log_with_agent  # type: ignore[method-assign]
    cloudwatch: Any = CloudWatchBackend
    cloudwatch.__init__ = _with_data_by_metric(cloudwatch.__init__)
    cloudwatch.get_metric_data = _only_what_is_asked_for(cloudwatch.get_metric_data)
    backend: Any = ApplicationAutoscalingBackend
    response: Any = S3Response
    response._bucket_response_put = _tagged_creation(response._bucket_response_put)
    backend.deregister_scalable_target = _object_not_found(backend.deregister_scalable_target, _target_known)
    backend.delete_scaling_policy = _object_not_found(backend.delete_scaling_policy, _policy_known)


if __name__ == "__main__":
    correct()
    main()
