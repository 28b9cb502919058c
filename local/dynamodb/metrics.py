"""What the gate counts, and its way into CloudWatch.

Names and dimensions: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html. Sums are
sent every few seconds; a metric that is zero is not sent, as DynamoDB does not send it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.client import CloudWatchClient

from local.dynamodb.capacity import Cause, Side

log = logging.getLogger("dynamodb.gate")
_PER_CALL = 500
_SECONDS_KEPT = 7_200


class Counters:
    """Counts for CloudWatch (since the last flush) and for tests (since the start or the last reset)."""

    def __init__(self) -> None:
        self._unsent: dict[tuple[str, str, str], float] = defaultdict(float)
        self.reset()

    def reset(self) -> None:
        self.tables: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self.operations: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self.callers: dict[str, set[str]] = defaultdict(set)
        self.units_by_second: dict[str, dict[int, float]] = defaultdict(dict)

    def _add(self, metric: str, table: str, amount: float, operation: str = "") -> None:
        self._unsent[(metric, table, operation)] += amount
        self.tables[table][metric] += amount

    def consumed(self, side: Side, table: str, units: float, now: float) -> None:
        self._add(f"Consumed{side.value}CapacityUnits", table, units)
        if side is Side.WRITE:
            seconds = self.units_by_second[table]
            seconds[int(now)] = seconds.get(int(now), 0.0) + units
            if len(seconds) > _SECONDS_KEPT:
                del seconds[next(iter(seconds))]

    def throttled(self, side: Side, table: str, cause: Cause) -> None:
        """One item (or read) that was throttled."""
        self._add(f"{side.value}ThrottleEvents", table, 1)
        self._add(f"{side.value}{cause.value}ThrottleEvents", table, 1)

    def throttled_request(self, table: str, operation: str) -> None:
        """One request of which nothing went through."""
        self._add("ThrottledRequests", table, 1, operation)
        self.operations[operation]["throttled"] += 1

    def take_unsent(self) -> list[dict[str, Any]]:
        """The counts since the last call, as CloudWatch's MetricData."""
        unsent, self._unsent = self._unsent, defaultdict(float)
        now = datetime.now(UTC)
        data = []
        for (metric, table, operation), amount in unsent.items():
            dimensions = [{"Name": "TableName", "Value": table}]
            if operation:
                dimensions.append({"Name": "Operation", "Value": operation})
            data.append(
                {"MetricName": metric, "Dimensions": dimensions, "Timestamp": now, "Value": amount, "Unit": "Count"}
            )
        return data


class Publisher:
    """Sends the counts to CloudWatch. A flush that fails is logged, and its counts are lost, as metrics are."""

    def __init__(self, counters: Counters, url: str, region: str) -> None:
        self._counters = counters
        self._client: CloudWatchClient = boto3.client(
            "cloudwatch",
            endpoint_url=url,
            region_name=region,
            aws_access_key_id="gate",
            aws_secret_access_key="gate",
        )

    async def flush(self) -> None:
        data = self._counters.take_unsent()
        for start in range(0, len(data), _PER_CALL):
            await asyncio.to_thread(self._send, data[start : start + _PER_CALL])

    def _send(self, data: list[Any]) -> None:
        try:
            self._client.put_metric_data(Namespace="AWS/DynamoDB", MetricData=data)
        except Exception as error:
            log.warning("CloudWatch at %s: %s", self._client.meta.endpoint_url, error)

    async def run(self, seconds: float) -> None:
        """Flush at this interval (seconds), for ever."""
        while True:
            await asyncio.sleep(seconds)
            await self.flush()
