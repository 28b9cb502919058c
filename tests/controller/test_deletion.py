"""decide_deletion(): the order of removing things, and what is never removed."""

from dataclasses import replace
from typing import Any

import pytest

from lindorm_import.api.status import ImportStatus, Resource, Run
from lindorm_import.decide import Decision, Settings, decide_deletion
from lindorm_import.domain.actions import DeleteBucket, DeleteConfigMap, DeleteDeployment, DeleteObjects, DeleteTable
from lindorm_import.domain.observed import BucketSeen, Observed, TableSeen
from lindorm_import.domain.trouble import Trouble
from tests.controller.factories import BUCKET, IDENTITY, NO_DEPLOYMENT, NOW, OTHER_UID, RUNNING, TABLE, UID, spec

PREFIX = "lindorm-import/default/readings/r1a2b3c4d/"
STATUS = ImportStatus(
    run=Run(id="r1a2b3c4d", deployment="limport-readings-r1a2b3c4d", prefix=f"s3://my-import-bucket/{PREFIX}"),
    resources=(
        Resource(kind="Bucket", name="my-import-bucket", origin="Created", deletion_policy="Delete", created_at=NOW),
        Resource(
            kind="Table",
            name="readings",
            origin="Created",
            deletion_policy="Retain",
            created_at=NOW,
            table_id=TABLE.table_id,
        ),
    ),
)
LEFT = Observed(
    deployment=NO_DEPLOYMENT,
    config=False,
    table=TABLE,
    bucket=replace(BUCKET, owner_uid=UID, created_at=NOW),
    others=(),
)


def step(seen: Observed, status: ImportStatus = STATUS, **changes: Any) -> Decision:
    return decide_deletion(IDENTITY, spec(**changes), status, seen, NOW, Settings())


def test_an_import_that_never_got_names_goes_at_once() -> None:
    assert step(Observed(), ImportStatus()).release


def test_the_job_is_stopped_first_and_waited_for() -> None:
    first = step(replace(LEFT, deployment=RUNNING, staged=5))
    assert first.actions == (DeleteDeployment("limport-readings-r1a2b3c4d", "d-1"),)
    second = step(replace(LEFT, deployment=replace(RUNNING, deleting=True), staged=5))
    assert (second.actions, second.release) == ((), False)


def test_a_flink_deployment_that_is_not_ours_is_left_alone() -> None:
    decision = step(replace(LEFT, deployment=replace(RUNNING, owner_uid=OTHER_UID)))
    assert decision.actions == ()
    assert decision.release


def test_the_config_map_goes_with_the_import() -> None:
    decision = step(replace(LEFT, config=True))
    assert decision.actions == (DeleteConfigMap("limport-readings-r1a2b3c4d", UID),)


def test_a_table_is_retained_by_default() -> None:
    decision = step(LEFT)
    assert decision.actions == ()
    assert decision.release


def test_a_table_that_the_import_created_is_deleted_where_the_spec_says_so() -> None:
    decision = step(LEFT, **{"target.deletionPolicy": "Delete"})
    assert decision.actions == (DeleteTable("readings"),)
    assert not decision.release
    gone = step(replace(LEFT, table=TableSeen(exists=False)), **{"target.deletionPolicy": "Delete"})
    assert gone.release


@pytest.mark.parametrize("owner", [None, OTHER_UID])
def test_a_table_without_our_tag_is_never_deleted(owner: str | None) -> None:
    decision = step(replace(LEFT, table=replace(TABLE, owner_uid=owner)), **{"target.deletionPolicy": "Delete"})
    assert decision.actions == ()
    assert decision.release


def test_the_runs_files_go_and_nothing_beside_them() -> None:
    assert step(replace(LEFT, staged=3)).actions == (DeleteObjects("my-import-bucket", (PREFIX,)),)


def test_with_retain_only_what_is_temporary_goes() -> None:
    decision = step(replace(LEFT, staged=3), **{"staging.deletionPolicy": "Retain"})
    temporary = tuple(PREFIX + part for part in ("checkpoints/", "savepoints/", "ha/", "items/"))
    assert decision.actions == (DeleteObjects("my-import-bucket", temporary),)


def test_a_bucket_that_the_import_created_goes_when_it_is_empty() -> None:
    empty = BucketSeen(exists=True, owner_uid=UID, created_at=NOW, empty=True)
    assert step(replace(LEFT, bucket=empty)).actions == (DeleteBucket("my-import-bucket"),)
    assert step(replace(LEFT, bucket=replace(empty, empty=False))).actions == ()
    assert step(replace(LEFT, bucket=replace(empty, owner_uid=None))).actions == ()
    assert step(replace(LEFT, bucket=BucketSeen(exists=False))).release


def test_what_cannot_be_removed_keeps_the_finalizer_and_is_named() -> None:
    denied = Trouble("AwsAccessDenied", "not allowed: s3:ListBucket on bucket my-import-bucket")
    decision = step(replace(LEFT, staged=denied))
    assert not decision.release
    assert decision.trouble == denied
    assert any(denied.message in c.message for c in decision.status.conditions)
