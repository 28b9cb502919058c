"""Specs and observations for tests: a complete import, of which a test changes what it is about."""

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from lindorm_import.api.spec import ImportSpec
from lindorm_import.domain.identity import Identity
from lindorm_import.domain.observed import (
    BucketSeen,
    Column,
    DeploymentSeen,
    KeyColumn,
    Observed,
    ResultSeen,
    SourceSeen,
    TableKey,
    TableSeen,
)

UID = "1a2b3c4d-0000-4000-8000-000000000001"
OTHER_UID = "9f9f9f9f-0000-4000-8000-000000000002"
IDENTITY = Identity("default", "readings", UID, 1)
NOW = datetime(2026, 11, 24, 5, 0, 0, tzinfo=UTC)

SPEC: dict[str, Any] = {
    "source": {
        "url": "jdbc:mysql://ld.example:33060/default",
        "table": "readings",
        "credentials": {"secretName": "lindorm"},
        "timeRange": {"column": "ts", "start": "2023-01-01T00:00:00Z", "end": "2023-02-01T00:00:00Z"},
    },
    "target": {"region": "us-west-2", "table": "readings"},
    "staging": {"bucket": "my-import-bucket"},
}
SOURCE = SourceSeen(
    columns=(
        Column("device", "VARCHAR"),
        Column("ts", "TIMESTAMP"),
        Column("metric", "VARCHAR"),
        Column("val", "DOUBLE"),
    ),
    primary_key=(KeyColumn("device", "ASC"), KeyColumn("ts", "ASC")),
    rows=1000,
    # device 6+5, ts 2+24, metric 6+4, val 3+3 bytes: 53, so 1 write unit
    sample=({"device": "dev-1", "ts": datetime(2023, 1, 1), "metric": "temp", "val": 21.5},),
)
BUCKET = BucketSeen(exists=True)
TABLE = TableSeen(
    exists=True,
    arn="arn:aws:dynamodb:us-west-2:000000000000:table/readings",
    table_id="11111111-1111-4111-8111-111111111111",
    created_at=NOW,
    status="ACTIVE",
    partition=TableKey("device", "S"),
    sort=TableKey("ts", "S"),
    owner_uid=UID,
)
NO_DEPLOYMENT = DeploymentSeen(exists=False)
RUNNING = DeploymentSeen(
    exists=True,
    uid="d-1",
    owner_uid=UID,
    generation=1,
    observed_generation=1,
    lifecycle="STABLE",
    reconciliation="DEPLOYED",
    job_manager="READY",
    job_state="RUNNING",
    job_id="a" * 32,
)
RESULT = ResultSeen(run_id="r1a2b3c4d", rows_read=1000, items_written=998, rows_rejected=2)
READY_TO_START = Observed(deployment=NO_DEPLOYMENT, source=SOURCE, bucket=BUCKET, table=TABLE, others=())


def spec(**changes: Any) -> ImportSpec:
    """The spec with changes by dotted path: spec(**{'target.key': {...}})."""
    document = deepcopy(SPEC)
    for path, value in changes.items():
        node = document
        *parents, last = path.split(".")
        for part in parents:
            node = node.setdefault(part, {})
        node[last] = value
    return ImportSpec.model_validate(document)
