"""The table's write capacity: during the import what the spec says, afterwards what it is to be left with.

A table that the import created is set up freely. Of an existing one only the write capacity within its own mode is
changed: another mode would change what its readers can read. What can be read is changed nowhere but in
capacity.after.readUnits, at the end. Its settings are in status.resources before they are changed, and come back when
the import ends, fails or is deleted. One import at a time sets them (holder.py). What somebody else has set since is
left as it is, and told: an import changes the table where its own wish changes, or where the table has what an import
set. Warm throughput is only ever raised, and only where the spec asks for it: DynamoDB charges for it once and never
lowers it again.
"""

from datetime import timedelta

from lindorm_import.api.modes import is_provisioned
from lindorm_import.api.spec import Capacity, CapacityAfter
from lindorm_import.api.status import Resource, TableSettings
from lindorm_import.decide.holder import Turn, bounds_of, entry_of, is_one_of, note, turn, units_of
from lindorm_import.decide.ownership import same
from lindorm_import.decide.passes import Pass
from lindorm_import.domain import names
from lindorm_import.domain.actions import (
    Action,
    Document,
    EnablePointInTimeRecovery,
    RemoveScaling,
    SetScaling,
    UpdateTable,
)
from lindorm_import.domain.observed import TableSeen
from lindorm_import.domain.trouble import Trouble
from lindorm_import.domain.words import counted
from lindorm_import.manifests.build import NEW_READ_UNITS

# What an import has set is remembered that often, the latest last.
REMEMBERED = 10
# "Provisioned throughput decreases": four at any time of a UTC day, then one where there was none in the last hour
# (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html).
FREE_DECREASES = 4
BETWEEN_DECREASES = timedelta(hours=1)


def set_up(p: Pass, table: TableSeen) -> None:
    """Before the job: the capacity as the spec wants it, or the pass waits."""
    target = p.spec.target
    if trouble := _mode_differs(p, table):
        p.hold("TableReady", trouble)
    told = _set_during(p, table)
    if told is None:
        p.wait(
            "TableReady",
            "SettingCapacity",
            f"checking which other import sets the capacity of table {target.table}",
            0.0,
        )
    if entry_of(p).origin == "Created":
        if target.point_in_time_recovery and not table.point_in_time_recovery:
            p.actions.append(EnablePointInTimeRecovery(target.table))
        if target.deletion_protection and not table.protected and not p.actions:
            p.actions.append(UpdateTable({"TableName": target.table, "DeletionProtectionEnabled": True}))
    if p.actions:
        p.wait("TableReady", "SettingCapacity", f"setting up table {target.table}", 1.0)
    if table.warming:
        p.wait("TableReady", "Warming", f"table {target.table} is being warmed up", 5.0)
    _ready(p, table, told)


def keep_up(p: Pass) -> None:
    """While the job runs: a changed spec.target.capacity reaches the table; the job writes on meanwhile."""
    table = p.seen.table
    if not isinstance(table, TableSeen) or table.status != "ACTIVE":
        return
    if trouble := _mode_differs(p, table):
        p.conditions.set("TableReady", "False", trouble.reason, trouble.message)
    else:
        _ready(p, table, _set_during(p, table) or ("Active", ""))


def _ready(p: Pass, table: TableSeen, told: tuple[str, str]) -> None:
    """The table takes what the job writes. told: a reason, and what there is to say of the capacity."""
    message = f"table {p.spec.target.table} is active and its key fits{told[1]}{_mode_stays(p, table)}"
    p.conditions.set("TableReady", "True", told[0], message)


def _mode_stays(p: Pass, table: TableSeen) -> str:
    """What the user is told who wants another mode for a table that is not the import's."""
    after, entry = p.spec.target.table_capacity.after, entry_of(p)
    if after is None or entry.origin == "Created":
        return ""
    own = entry.before or table.settings
    if after.mode == own.mode:
        return ""
    return (
        f"; capacity.after is not applied: the table was there before, and from {own.mode} to {after.mode} you have to "
        "switch it yourself"
    )


def release(p: Pass) -> float | None:
    """After the end, and on deletion: None when the table has its final settings, else the seconds until the next
    look."""
    entry = p.status.resource("Table")
    if entry is None or entry.settings_restored:
        return None
    table = p.seen_or_hold(p.seen.table, "TableReady")
    if _orphaned(table):
        p.actions.append(RemoveScaling(entry.name, names.scaling_policy(p.identity.uid), keep=False))
        return 2.0
    told, replaced = "the table has its final settings", entry.created_at is not None and not same(entry, table)
    if table.exists and not replaced and table.status == "DELETING":
        return None
    if table.exists and not replaced and table.status != "ACTIVE":
        return 2.0
    if table.exists and not replaced:
        left, reads, told = _left_with(p.spec.target.table_capacity.after, entry, table)
        actions = _changes(p, table, left, target=None, reads=reads)
        if wait := _decreases_used_up(p, table, actions):
            return wait
        p.actions.extend(actions)
        if actions:
            return 2.0
        told += _mode_stays(p, table)
    if not p.others_for():  # who may still change it is waited for, and it is looked at again
        note(p, entry.model_copy(update={"settings_restored": True, "during": (), "waits_for": None, "inherits": None}))
    p.conditions.set("TableReady", "True", "Released", told)
    return None


def lost(p: Pass) -> str | None:
    """Why what was written is not there any more: the table of the run was deleted, or another has its name."""
    entry, table = p.status.resource("Table"), p.seen.table
    if entry is None or entry.created_at is None or not isinstance(table, TableSeen):
        return None
    if table.exists and table.status != "DELETING" and same(entry, table):
        return None
    what = "another table has its name now" if table.exists and table.status != "DELETING" else "it was deleted"
    return (
        f"table {entry.name} is not the one that the import wrote to ({what}): everything that was written is gone. "
        "Delete this import and create it again"
    )


def unscale(p: Pass, table: TableSeen) -> bool:
    """Before the table is deleted: True when no auto scaling of ours is left, which would outlive it."""
    if table.exists and table.settings.scaling_min is None and table.scaling_target is None:
        return True
    if not table.exists and not _orphaned(table):
        return True
    p.actions.append(RemoveScaling(p.spec.target.table, names.scaling_policy(p.identity.uid), keep=False))
    return False


def _orphaned(table: TableSeen) -> bool:
    """The table was deleted by hand while it scaled by our policy."""
    return not table.exists and table.scaling_target is not None


def _mode_differs(p: Pass, table: TableSeen) -> Trouble | None:
    """Why the table cannot be given what the spec wants."""
    mode = p.spec.target.capacity.mode
    if entry_of(p).origin == "Created" or mode in (None, table.settings.mode):
        return None
    return Trouble(
        "CapacityModeDiffers",
        f"table {p.spec.target.table} exists and is {table.settings.mode}: capacity.mode {mode} would change what its "
        "readers can read. Leave capacity.mode out, or switch the table yourself",
    )


def _set_during(p: Pass, table: TableSeen) -> tuple[str, str] | None:
    """Adds the actions that bring the table to what the spec wants during the import. A reason, and what there is to
    tell; None where it is for the next pass to say whether this import may change the table at all."""
    capacity = p.spec.target.table_capacity
    silent = capacity.mode is None and capacity.write_units is None and capacity.after is None
    if entry_of(p).origin == "Adopted" and silent:
        return "Active", ""
    whose = turn(p, table)
    if whose is Turn.CLAIMS:
        return None
    if whose is Turn.WAITS:
        holder = entry_of(p).waits_for
        by = f"import {holder.name} until that has ended" if holder else "other imports"
        return "CapacityOfOther", f"; its capacity is set by {by}, and taken as it is"
    entry = entry_of(p)
    wanted = _wanted(capacity, entry, table)
    changed_by_others = bool(entry.during) and not is_one_of(table.settings, _ours(entry))
    if changed_by_others and entry.during[-1] == wanted:
        told = f"; somebody has set its capacity to {_words(table.settings)}: that stays until capacity is changed here"
        return "ChangedByOthers", told
    if changed_by_others and entry.origin == "Adopted":  # that is then what comes back
        entry = entry.model_copy(update={"before": table.settings, "during": ()})
        wanted = _wanted(capacity, entry, table)
    kept = tuple(one for one in entry.during if one != wanted)
    note(p, entry.model_copy(update={"during": (*kept, wanted)[-REMEMBERED:]}))
    target = capacity.autoscaling.target_utilization if capacity.autoscaling else None
    actions = _changes(p, table, wanted, target)
    if _decreases_used_up(p, table, actions):
        return "DecreasesUsedUp", f"; {_told_decreases(table)}"
    p.actions.extend(actions or _warm(p, table))  # DynamoDB takes one change at a time
    return "Active", ""


def _ours(entry: Resource) -> tuple[TableSettings, ...]:
    """All that the table can have without anybody else: what it had before, and what this import has set."""
    return (*((entry.before,) if entry.before else ()), *entry.during)


def _wanted(capacity: Capacity, entry: Resource, table: TableSeen) -> TableSettings:
    last = entry.during[-1] if entry.during else entry.before or table.settings
    if capacity.mode is None and capacity.write_units is None:
        return last
    mode = capacity.mode or last.mode
    if not is_provisioned(mode):
        return TableSettings(mode=mode, write_units=capacity.write_units)
    units = capacity.write_units
    if capacity.autoscaling:
        bounds = capacity.autoscaling
        return TableSettings(mode=mode, write_units=units, scaling_min=bounds.min, scaling_max=bounds.max)
    if entry.before is None or entry.before.scaling_max is None:
        return TableSettings(mode=mode, write_units=units)
    # Auto scaling that was there before would lower the capacity while the job stalls for 15 minutes.
    highest = max(units or 0, entry.before.scaling_max)
    return TableSettings(mode=mode, write_units=units, scaling_min=units, scaling_max=highest)


def _decreases_used_up(p: Pass, table: TableSeen, actions: list[Action]) -> float | None:
    """Where the actions would lower the capacity, and DynamoDB would refuse it: the seconds until the next look."""
    lowers = any(_lowers(action.request, table) for action in actions if isinstance(action, UpdateTable))
    if not lowers or table.decreases < FREE_DECREASES or table.decreased_at is None:
        return None
    passed = p.now - table.decreased_at
    if not timedelta(0) <= passed < BETWEEN_DECREASES:
        return None
    p.conditions.set("TableReady", "False", "DecreasesUsedUp", _told_decreases(table))
    return min(60.0, max(1.0, (BETWEEN_DECREASES - passed).total_seconds()))


def _lowers(request: Document, table: TableSeen) -> bool:
    wanted = request.get("ProvisionedThroughput")
    if wanted is None or not is_provisioned(table.settings.mode):
        return False
    fewer_reads = wanted["ReadCapacityUnits"] < table.read_units
    return bool(fewer_reads or wanted["WriteCapacityUnits"] < (table.settings.write_units or 0))


def _told_decreases(table: TableSeen) -> str:
    assert table.decreased_at is not None
    return (
        f"it has been lowered {counted(table.decreases, 'time')} today, and DynamoDB lets it be lowered again at "
        f"{table.decreased_at + BETWEEN_DECREASES:%H:%M} UTC: until then, its "
        f"{counted(table.settings.write_units or 0, 'provisioned write unit')} cost money"
    )


def _words(settings: TableSettings) -> str:
    if not is_provisioned(settings.mode):
        return "on demand" + (
            f", at most {counted(settings.write_units, 'write unit')}" if settings.write_units else ""
        )
    scaled = f", scaling from {settings.scaling_min} to {settings.scaling_max}" if settings.scaling_min else ""
    return f"{counted(settings.write_units or 0, 'provisioned write unit')}{scaled}"


def _warm(p: Pass, table: TableSeen) -> list[Action]:
    wanted, seen = p.spec.target.table_capacity, table.warm_writes
    if not wanted.warm or wanted.write_units is None or seen is None or wanted.write_units <= seen or table.warming:
        return []
    warm = {"ReadUnitsPerSecond": table.warm_reads, "WriteUnitsPerSecond": wanted.write_units}
    return [UpdateTable({"TableName": p.spec.target.table, "WarmThroughput": warm})]


def _left_with(after: CapacityAfter | None, entry: Resource, table: TableSeen) -> tuple[TableSettings, int | None, str]:
    """What the table gets at the end, its read units where they are to change, and what the user is told then.
    What somebody else has set since stays: units and bounds of auto scaling each."""
    left, reads = _meant(after, entry, table)
    seen, ours = table.settings, (*_ours(entry), left)
    if not entry.during or is_one_of(seen, ours):
        return left, reads, "the table has its final settings"
    told = f"the table keeps what somebody has set since ({_words(seen)}), not with {_words(left)}"
    if not units_of(seen, ours):
        left, reads = left.model_copy(update={"mode": seen.mode, "write_units": seen.write_units}), None
    if not bounds_of(seen, ours):
        left = left.model_copy(update={"scaling_min": seen.scaling_min, "scaling_max": seen.scaling_max})
    return left, reads, told


def _meant(after: CapacityAfter | None, entry: Resource, table: TableSeen) -> tuple[TableSettings, int | None]:
    """What the table is to be left with, and its read units where they are to change."""
    if entry.origin == "Created":
        if after is None:
            return TableSettings(mode="OnDemand"), None
        return TableSettings(mode=after.mode, write_units=after.write_units), after.read_units
    if not entry.holds:
        return table.settings, None
    own = entry.before or table.settings
    if after is None or after.mode != own.mode:
        return own, None
    return own.model_copy(update={"write_units": after.write_units}), after.read_units  # its auto scaling is its own


def _changes(
    p: Pass, table: TableSeen, wanted: TableSettings, target: int | None, reads: int | None = None
) -> list[Action]:
    """The actions from what the table has to what it shall have; none when it has it. target: of our own scaling
    policy; None: there shall be none of ours, the others stay. reads: read units; None: as they are."""
    name, seen, policy = p.spec.target.table, table.settings, names.scaling_policy(p.identity.uid)
    actions: list[Action] = []
    request = _update(name, table, wanted, reads)
    if request:
        actions.append(UpdateTable(request))
    if wanted.scaling_min is None or wanted.scaling_max is None:
        if seen.scaling_min is not None:
            actions.insert(0, RemoveScaling(name, policy, keep=False))
        return actions
    moved = (seen.scaling_min, seen.scaling_max) != (wanted.scaling_min, wanted.scaling_max)
    if moved or (target is not None and target != table.scaling_target):
        actions.append(SetScaling(name, wanted.scaling_min, wanted.scaling_max, target, policy))
    if target is None and table.scaling_target is not None:
        actions.append(RemoveScaling(name, policy, keep=True))
    return actions


def _update(name: str, table: TableSeen, wanted: TableSettings, reads: int | None) -> dict[str, object] | None:
    """The arguments of UpdateTable, or None. DynamoDB refuses an update that changes nothing."""
    if is_provisioned(wanted.mode):
        return _provision(name, table, wanted, reads)
    seen = table.settings
    if (
        not is_provisioned(seen.mode)
        and seen.write_units == wanted.write_units
        and reads in (None, table.max_read_units)
    ):
        return None
    request: dict[str, object] = {"TableName": name}
    if is_provisioned(seen.mode):
        request["BillingMode"] = "PAY_PER_REQUEST"
    if not is_provisioned(seen.mode) or wanted.write_units is not None or reads is not None:
        request["OnDemandThroughput"] = {
            "MaxReadRequestUnits": reads or table.max_read_units or -1,
            "MaxWriteRequestUnits": wanted.write_units or -1,
        }
    return request


def _provision(name: str, table: TableSeen, wanted: TableSettings, reads: int | None) -> dict[str, object] | None:
    """The same for provisioned capacity. "When switching billing mode from PAY_PER_REQUEST to PROVISIONED, DynamoDB
    requires you to specify read and write capacity unit values for the table and for each global secondary index"
    (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-dynamodb-globaltable-capacityautoscalingsettings.html).
    An index gets what the table gets, for each write of the table may be one of it."""
    seen, units = table.settings, wanted.write_units
    was = is_provisioned(seen.mode)
    if was and (wanted.scaling_min or 0) <= (seen.write_units or 0) <= (wanted.scaling_max or 0):
        units = seen.write_units  # auto scaling has it
    if was and units == seen.write_units and reads in (None, table.read_units):
        return None
    throughput = {"ReadCapacityUnits": reads or table.read_units or NEW_READ_UNITS, "WriteCapacityUnits": units}
    request: dict[str, object] = {"TableName": name, "BillingMode": "PROVISIONED", "ProvisionedThroughput": throughput}
    indexes = [index.name for index in table.indexes if not index.local]
    if indexes and not was:
        request["GlobalSecondaryIndexUpdates"] = [
            {"Update": {"IndexName": index, "ProvisionedThroughput": throughput}} for index in indexes
        ]
    return request
