"""Whole lives of an import, from its creation to its end, with what a user does meanwhile.

Each takes a world and returns what there is at the stages that every fault must lead to as well. A user's moments
are facts of the world (the job works, the import is suspended), never a number of passes, so that a life can be lived
under any fault.
"""

from collections.abc import Callable
from typing import Any

from tests.controller.factories import OTHER_UID
from tests.controller.fakes import World
from tests.controller.flink_operator import ROWS, WORK

Stages = dict[str, Any]
Life = Callable[[World], Stages]
IMPORT = {"target.load.method": "ImportTable"}
PUT = {"target.load.method": "BulkPut", "target.capacity.writeUnits": 2000}
DELETE = {"target.deletionPolicy": "Delete"}
SCALED = {
    "target.capacity": {
        "mode": "Provisioned",
        "writeUnits": 500,
        "autoscaling": {"min": 100, "max": 4000},
        "after": {"mode": "Provisioned", "writeUnits": 5},
    },
    "target.pointInTimeRecovery": True,
}


def make_table(world: World, name: str = "readings", units: int | None = None, **tags: str) -> None:
    """A table whose key fits, made by somebody else: on demand, or with that many provisioned write units."""
    throughput: Any = {"BillingMode": "PAY_PER_REQUEST"}
    if units:
        throughput = {"ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": units}}
    world.aws.dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "device", "KeyType": "HASH"}, {"AttributeName": "ts", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("device", "ts")],
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        **throughput,
    )
    world.tick(5)


def make_bucket(world: World, *keys: str, name: str = "my-import-bucket") -> None:
    """A bucket made by somebody else, with these objects."""
    world.aws.s3.create_bucket(Bucket=name)
    for key in keys:
        world.aws.s3.put_object(name, key, b"1")


def _end(world: World) -> Stages:
    """Runs to the end, deletes; what there is after both."""
    world.run_to_end()
    ended = world.snapshot()
    assert world.idle() == 0, "passes after the end change something"
    world.remove()
    return {"ended": ended, "removed": world.snapshot()}


def plain(world: World) -> Stages:
    world.apply(**DELETE)
    return _end(world)


def scaled(world: World) -> Stages:
    """Provisioned capacity with auto scaling and point-in-time recovery, and another capacity afterwards."""
    world.apply(**DELETE, **SCALED)
    return _end(world)


def adopted(world: World) -> Stages:
    """Bucket and table are somebody else's: they stay, and the table gets its capacity back."""
    make_bucket(world, "precious")
    make_table(world, units=7)
    world.apply(**DELETE, **{"target.capacity.writeUnits": 400})
    return _end(world)


def shared(world: World) -> Stages:
    """Two imports of one table that was there before want other capacities: the second waits for the first."""
    make_bucket(world, "precious")
    make_table(world, units=7)
    world.flink.endless = True
    world.apply(**DELETE, **{"target.capacity.writeUnits": 400})
    world.drive(lambda _: _at_work(world, "readings"))
    world.apply(uid=OTHER_UID, name="copy", **DELETE, **{"target.capacity.writeUnits": 900})
    world.drive(lambda _: _at_work(world, "copy"), "copy")
    table = world.aws.dynamodb.tables["readings"]
    for name, units in (("readings", 400), ("copy", 900)):
        world.drive(
            lambda _, units=units: table.description["ProvisionedThroughput"]["WriteCapacityUnits"] == units,  # type: ignore[misc]
            name,
        )
        world.flink.clusters[world.status(name)["run"]["deployment"]].work = WORK
        world.run_to_end(name)
    ended = world.snapshot()
    assert world.idle() == world.idle(name="copy") == 0
    for name in ("readings", "copy"):
        world.remove(name)
    return {"ended": ended, "removed": world.snapshot()}


def suspended(world: World) -> Stages:
    world.flink.endless = True
    world.apply(**DELETE)
    world.drive(lambda _: works(world))
    world.edit(suspend=True)
    world.drive(lambda _: world.conditions().get("Suspended") == "True" and not world.flink.running())
    world.flink.endless = False
    world.edit(suspend=False)
    return _end(world)


def retried(world: World) -> Stages:
    """The job fails once, and the next one continues from its checkpoint."""
    world.flink.fail_at = [2]
    world.apply(**DELETE)
    return _end(world)


def failed(world: World) -> Stages:
    """The job fails for a reason that no retry can fix."""
    world.flink.fail_at, world.flink.hopeless = [1], True
    world.apply(**DELETE)
    return _end(world)


def stopped(world: World) -> Stages:
    """The import is deleted while its job works; what it made besides the table's items goes."""
    world.flink.endless = True
    world.apply(**SCALED)
    world.drive(lambda _: works(world))
    world.remove()
    return {"removed": world.snapshot()}


def imported(world: World) -> Stages:
    """Files, and a table that DynamoDB makes of them; then what an import cannot give a table."""
    world.apply(
        **IMPORT,
        **{
            "target.deletionPolicy": "Delete",
            "target.pointInTimeRecovery": True,
            "target.deletionProtection": True,
            "target.capacity": {"after": {"mode": "Provisioned", "writeUnits": 5}},
            "target.tags": {"team": "data"},
        },
    )
    return _end(world)


def import_suspended(world: World) -> Stages:
    """Suspended while files are written; goes on from the checkpoint."""
    world.flink.endless = True
    world.apply(**DELETE, **IMPORT)
    world.drive(lambda _: works(world))
    world.edit(suspend=True)
    world.drive(lambda _: world.conditions().get("Suspended") == "True" and not world.flink.running())
    world.flink.endless = False
    world.edit(suspend=False)
    return _end(world)


def import_again(world: World) -> Stages:
    """The first import fails half-way and leaves a table, which is made anew."""
    world.aws.dynamodb.loads.fail_next = ["InternalServerError"]
    world.apply(**DELETE, **IMPORT)
    return _end(world)


def import_refused(world: World) -> Stages:
    """An item that DynamoDB does not take: the import fails, and its table is the import's to remove."""
    world.aws.dynamodb.loads.fail_next = ["ItemValidationError"]
    world.apply(**DELETE, **IMPORT)
    return _end(world)


def import_of_nothing(world: World) -> Stages:
    """No row becomes an item: an empty table, and no import."""
    world.flink.rejected = ROWS
    world.apply(**DELETE, **IMPORT)
    return _end(world)


def import_left(world: World) -> Stages:
    """Deleted while DynamoDB imports, which cannot be cancelled: the table goes afterwards."""
    world.apply(**DELETE, **IMPORT)
    world.drive(lambda _: bool(world.status().get("load", {}).get("arn")))
    world.remove()
    return {"removed": world.snapshot()}


def put(world: World) -> Stages:
    """Files into a table that is there, which keeps its settings; some items are refused."""
    make_bucket(world, "precious")
    make_table(world, units=7)
    world.aws.dynamodb.loads.refuse_items = 3
    world.apply(**DELETE, **PUT)
    return _end(world)


def put_suspended(world: World) -> Stages:
    """Cancelled half-way, and put again."""
    world.aws.dynamodb.loads.slow = 600
    world.apply(**DELETE, **PUT)
    world.drive(lambda _: world.status().get("progress", {}).get("itemsLoaded", 0) > 0)
    world.edit(suspend=True)
    world.drive(lambda _: world.conditions().get("Suspended") == "True")
    world.aws.dynamodb.loads.slow = 20
    world.edit(suspend=False)
    return _end(world)


def put_left(world: World) -> Stages:
    """Deleted while DynamoDB puts: it is cancelled first, and what it put stays."""
    make_bucket(world, "precious")
    make_table(world, units=7)
    world.aws.dynamodb.loads.slow = 600
    world.apply(**DELETE, **PUT)
    world.drive(lambda _: world.status().get("progress", {}).get("itemsLoaded", 0) > 0)
    world.remove()
    return {"removed": world.snapshot()}


def _at_work(world: World, name: str) -> bool:
    cluster = world.flink.clusters.get(world.status(name).get("run", {}).get("deployment"))
    return cluster is not None and cluster.work == WORK - 1


def works(world: World) -> bool:
    return any(cluster.work == WORK - 1 for cluster in world.flink.clusters.values())


LOADED = (
    imported, import_suspended, import_again, import_refused, import_of_nothing, import_left,
    put, put_suspended, put_left,
)  # fmt: skip
LIVES: dict[str, Life] = {
    life.__name__: life for life in (plain, scaled, adopted, shared, suspended, retried, failed, stopped, *LOADED)
}
