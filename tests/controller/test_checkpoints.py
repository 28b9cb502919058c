"""Which retained checkpoint a job that is submitted again continues from."""

from datetime import timedelta

from lindorm_import.adapters.s3 import newest_checkpoint
from tests.controller.aws import REGION, controllers_clients
from tests.controller.fakes import World

BUCKET, PREFIX = "my-import-bucket", "run/checkpoints/"


def newest(world: World) -> str | None:
    world.aws.activate()
    return newest_checkpoint(controllers_clients().s3(REGION), BUCKET, PREFIX)


def keep(world: World, job: str, number: int, file: str = "_metadata") -> None:
    if BUCKET not in world.aws.s3.buckets:
        world.aws.s3.create_bucket(Bucket=BUCKET)
    world.aws.s3.put_object(BUCKET, f"{PREFIX}{job}/chk-{number}/{file}", b"state")


def test_of_two_checkpoints_in_one_second_the_higher_number_is_the_newer() -> None:
    """S3's times are whole seconds, and chk-10 is listed before chk-9."""
    world = World()
    keep(world, "job", 9)
    keep(world, "job", 10)
    assert newest(world) == f"s3://{BUCKET}/{PREFIX}job/chk-10"


def test_a_later_jobs_checkpoint_is_newer_whatever_its_number() -> None:
    world = World()
    keep(world, "first", 50)
    world.aws.s3.now += timedelta(seconds=1)
    keep(world, "second", 2)
    assert newest(world) == f"s3://{BUCKET}/{PREFIX}second/chk-2"


def test_a_checkpoint_that_is_not_whole_is_none() -> None:
    world = World()
    keep(world, "job", 3, file="shard")
    assert newest(world) is None
