"""The CloudWatch dashboard of one import: its name, its link, its body. Pure.

Body: AWS, "Dashboard body structure and syntax". DynamoDB's metrics:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html. The import's own metrics are
in the namespace LindormImport, with the dimensions Namespace and Import.
"""

import json
from typing import Any

from lindorm_import.api.spec import ImportSpec
from lindorm_import.api.status import Progress
from lindorm_import.domain import names
from lindorm_import.domain.actions import Metrics
from lindorm_import.domain.identity import Identity

METRICS = "LindormImport"
_CAUSES = {
    "WriteKeyRangeThroughputThrottleEvents": "a hot partition key",
    "WriteProvisionedThroughputThrottleEvents": "provisioned capacity",
    "WriteMaxOnDemandThroughputThrottleEvents": "on-demand maximum",
    "WriteAccountLimitThrottleEvents": "account or table quota",
}
_OWN = {"RowsRead": "rows read", "ItemsWritten": "items written", "ItemsRejected": "rows rejected"}


def link(region: str, name: str) -> str:
    """Where the console shows it."""
    domain = {"cn": "amazonaws.cn", "us-gov": "amazonaws-us-gov.com"}.get(region.rsplit("-", 2)[0], "aws.amazon.com")
    return f"https://{region}.console.{domain}/cloudwatch/home?region={region}#dashboards/dashboard/{name}"


def name(identity: Identity) -> str:
    """As the FlinkDeployment's: it holds the import's UID."""
    return names.deployment(identity.name, identity.uid)


def metrics(identity: Identity, progress: Progress) -> Metrics:
    """The counts, as the import's own metrics."""
    values = (progress.rows_read, progress.items_written, progress.items_rejected)
    return Metrics(METRICS, identity.namespace, identity.name, tuple(zip(_OWN, values, strict=True)))


def body(identity: Identity, spec: ImportSpec) -> str:
    """The dashboard. The UID in its heading is how its import knows it again."""
    table, region = spec.target.table, spec.target.region
    heading = (
        f"# Import {identity.namespace}/{identity.name}\n"
        f"Lindorm `{spec.source.table}` to DynamoDB `{table}`. Made by lindorm-import for UID {identity.uid}; it goes "
        "when the import is deleted."
    )
    consumed: list[list[Any]] = [
        [{"expression": "consumed/PERIOD(consumed)", "label": "consumed a second", "id": "rate"}],
        ["AWS/DynamoDB", "ConsumedWriteCapacityUnits", "TableName", table, {"id": "consumed", "visible": False}],
        [".", "ProvisionedWriteCapacityUnits", ".", ".", {"stat": "Average", "label": "provisioned"}],
    ]
    throttled = [["AWS/DynamoDB", m, "TableName", table, {"label": label}] for m, label in _CAUSES.items()]
    own = [
        [METRICS, m, "Namespace", identity.namespace, "Import", identity.name, {"label": label}]
        for m, label in _OWN.items()
    ]
    widgets = [
        {"type": "text", "x": 0, "y": 0, "width": 24, "height": 2, "properties": {"markdown": heading}},
        _graph(0, 2, 12, "Write units", region, consumed, "Sum"),
        _graph(12, 2, 12, "Throttled writes by cause", region, throttled, "Sum"),
        _graph(0, 8, 24, "Progress", region, own, "Maximum"),
    ]
    return json.dumps({"widgets": widgets})


def _graph(x: int, y: int, width: int, title: str, region: str, lines: list[list[Any]], stat: str) -> dict[str, Any]:
    properties = {"title": title, "region": region, "view": "timeSeries", "period": 60, "stat": stat, "metrics": lines}
    return {"type": "metric", "x": x, "y": y, "width": width, "height": 6, "properties": properties}
