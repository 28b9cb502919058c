"""The ways through files in S3: what the files weigh, how they are written, and what loading them costs. Pure.

ImportTable bills by the uncompressed bytes of the files, failed items included, and uses no write capacity
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataImport.Requesting.html), secondary indexes that
the table is made with included (AWS: billing guide). At most 50,000 objects an import (Developer Guide, quotas).
"""

import math
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from lindorm_import.api.durations import parse_duration
from lindorm_import.api.spec import Job
from lindorm_import.plan.cluster import ROWS_PER_SLOT
from lindorm_import.plan.items import Load

GB = 10**9
MAX_OBJECTS = 50_000
ITEMS_PER_OBJECT = 4_000_000  # where the job closes a file whatever the time
# Files are written as fast as Lindorm gives rows, so it is the plan that says how fast: in about an hour, with no more
# slots than that. source.maxRowsPerSecond and job.parallelism win.
HOUR = 3600
MOST_SLOTS = 40
# Of the objects that may be there, the plan uses half: more files are written where the job starts again.
PLANNED_OBJECTS = MAX_OBJECTS // 2
# Between checkpoints where nobody knows how many rows there are: 25,000 files of four slots are three weeks.
UNKNOWN_ROWS_INTERVAL = timedelta(minutes=5)
IMPORT_TIME_UNKNOWN = (
    "the time that ImportTable takes is not known: reports of 2 to 10 minutes for the smallest and up to 2 hours for "
    "10 GB (2022); it shows no progress and cannot be cancelled"
)
BULK_TIME_UNKNOWN = "the time that StartBulkPutItems takes is not known; it shows counts and can be cancelled"


@dataclass(frozen=True)
class Files:
    """The files of an import. rows_per_second: at which they are written, for so many seconds; text_bytes: of all
    lines, which is what is billed; interval: between checkpoints, at each of which every slot closes its file."""

    rows_per_second: int
    seconds: int
    text_bytes: int
    objects: int
    interval: timedelta

    @property
    def gigabytes(self) -> Decimal:
        return Decimal(self.text_bytes) / GB


def files_of(load: Load, job: Job, rows_per_second: int | None) -> Files:
    """The files of a load; rows_per_second: the limit on reading the source."""
    slots = job.parallelism or min(MOST_SLOTS, max(1, math.ceil(load.rows / HOUR / ROWS_PER_SLOT)))
    rate = slots * ROWS_PER_SLOT
    if rows_per_second:
        rate = min(rate, rows_per_second)
        slots = job.parallelism or math.ceil(rate / ROWS_PER_SLOT)
    seconds = math.ceil(load.rows / rate)
    interval = checkpoint_interval(slots, seconds, job)
    rounds = math.ceil(seconds / interval.total_seconds())
    objects = max(min(slots * rounds, load.rows), math.ceil(load.rows / ITEMS_PER_OBJECT))
    return Files(rate, seconds, load.rows * load.text_bytes, objects, interval)


def checkpoint_interval(slots: int, seconds: int, job: Job) -> timedelta:
    """The spec's, or a longer one where that would make too many objects."""
    wanted = parse_duration(job.checkpoint.interval)
    least = timedelta(seconds=math.ceil(slots * seconds / PLANNED_OBJECTS))
    return max(wanted, least)
