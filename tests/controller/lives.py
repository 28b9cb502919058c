"""Whole lives of an import, from its creation to its end, with what a user does meanwhile.

Each takes a world and returns what there is at the stages that every fault must lead to as well. A user's moments
are facts of the world (the job works, the import is suspended), never a number of passes, so that a life can be lived
under any fault.
"""

from collections.abc import Callable
from typing import Any

from tests.controller.factories import OTHER_UID
from tests.controller.fakes import World
from tests.controller.flink_operator import WORK

Stages = dict[str, Any]
Life = Callable[[World], Stages]
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


def _at_work(world: World, name: str) -> bool:
    cluster = world.flink.clusters.get(world.status(name).get("run", {}).get("deployment"))
    return cluster is not None and cluster.work == WORK - 1


def works(world: World) -> bool:
    return any(cluster.work == WORK - 1 for cluster in world.flink.clusters.values())


LIVES: dict[str, Life] = {
    life.__name__: life for life in (plain, scaled, adopted, shared, suspended, retried, failed, stopped)
}
