"""The table's write capacity: during the import what the spec says, afterwards what it is to be left with.

A table that the import created is set up freely. Of an existing one only the write capacity within its own mode is
changed: another mode would change what its readers can read. What can be read is changed nowhere but in
capacity.after.readUnits, at the end. Its settings are in status.resources before they are
changed, and come back when the import ends, fails or is deleted. Warm throughput is only ever raised, and only where
the spec asks for it: DynamoDB charges for it once and never lowers it again.
"""

from controller import names
from controller.actions import Action, EnablePointInTimeRecovery, RemoveScaling, SetScaling, UpdateTable
from controller.api.spec import Capacity, CapacityAfter
from controller.api.status import Resource, TableSettings
from controller.build import NEW_READ_UNITS
from controller.decide.ownership import same
from controller.decide.passes import Pass
from controller.observed import TableSeen, Trouble


def set_up(p: Pass, table: TableSeen) -> None:
    """Before the job: the capacity as the spec wants it, or the pass waits."""
    if trouble := _set_during(p, table):
        p.hold("TableReady", trouble)
    target = p.spec.target
    if _entry(p).origin == "Created":
        if target.point_in_time_recovery and not table.point_in_time_recovery:
            p.actions.append(EnablePointInTimeRecovery(target.table))
        if target.deletion_protection and not table.protected and not p.actions:
            p.actions.append(UpdateTable({"TableName": target.table, "DeletionProtectionEnabled": True}))
    if p.actions:
        p.wait("TableReady", "SettingCapacity", f"setting up table {target.table}", 1.0)
    if table.warming:
        p.wait("TableReady", "Warming", f"table {target.table} is being warmed up", 5.0)


def keep_up(p: Pass) -> None:
    """While the job runs: a changed spec.target.capacity reaches the table; the job writes on meanwhile."""
    table = p.seen.table
    if not isinstance(table, TableSeen) or table.status != "ACTIVE":
        return
    if trouble := _set_during(p, table):
        p.conditions.set("TableReady", "False", trouble.reason, trouble.message)
    else:
        ready(p)


def ready(p: Pass) -> None:
    """The table takes what the job writes."""
    message = f"table {p.spec.target.table} is active and its key fits{_mode_stays(p)}"
    p.conditions.set("TableReady", "True", "Active", message)


def released(p: Pass) -> None:
    """The table is not the import's concern any more."""
    p.conditions.set("TableReady", "True", "Released", f"the table has what it is left with{_mode_stays(p)}")


def _mode_stays(p: Pass) -> str:
    """What the user is told who wants another mode for a table that is not the import's."""
    after, entry, table = p.spec.target.capacity.after, p.status.resource("Table"), p.seen.table
    if after is None or entry is None or entry.origin == "Created" or not isinstance(table, TableSeen):
        return ""
    own = entry.before or table.settings
    if after.mode == own.mode:
        return ""
    return (
        f"; capacity.after is not applied: the table was there before, and from {own.mode} to {after.mode} you have to "
        "switch it yourself"
    )


def release(p: Pass) -> bool:
    """After the end, and on deletion: True when the table has what it is left with."""
    entry = p.status.resource("Table")
    if entry is None or entry.released:
        return True
    table = p.seen_or_hold(p.seen.table, "TableReady")
    if _orphaned(table):
        p.actions.append(RemoveScaling(entry.name, names.scaling_policy(p.identity.uid), keep=False))
        return False
    replaced = entry.created_at is not None and not same(entry, table)
    if table.exists and not replaced and table.status != "ACTIVE":
        return table.status == "DELETING"
    if table.exists and not replaced:
        after = p.spec.target.capacity.after
        left, reads = _left_with(after, entry, table)
        actions = _changes(p, table, left, target=None, reads=reads)
        p.actions.extend(actions)
        if actions:
            return False
    if not p.others_for():  # who may still change it is waited for, and it is looked at again
        _note(p, entry.model_copy(update={"released": True}))
    return True


def lost(p: Pass) -> str | None:
    """Why what was written is not there any more: the table of the run was deleted, or another has its name."""
    entry, table = p.status.resource("Table"), p.seen.table
    if entry is None or entry.created_at is None or not isinstance(table, TableSeen):
        return None
    if table.exists and table.status != "DELETING" and same(entry, table):
        return None
    what = "another table has its name now" if table.exists and table.status != "DELETING" else "it was deleted"
    return (
        f"table {entry.name} is not the one that the import wrote to ({what}): what was written is gone. Delete this "
        "import and create it again"
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


def _set_during(p: Pass, table: TableSeen) -> Trouble | None:
    """Adds the actions that bring the table to what the spec wants during the import; or why it cannot be."""
    capacity, entry = p.spec.target.capacity, _entry(p)
    if entry.origin == "Adopted":
        if capacity.mode is None and capacity.write_units is None:
            return None
        if capacity.mode not in (None, table.settings.mode):
            return Trouble(
                "CapacityModeDiffers",
                f"table {p.spec.target.table} exists and is {table.settings.mode}: capacity.mode {capacity.mode} "
                "would change what its readers can read. Leave capacity.mode out, or switch the table yourself",
            )
        if entry.before is None:
            entry = entry.model_copy(update={"before": table.settings})
            _note(p, entry)
    target = capacity.autoscaling.target_utilization if capacity.autoscaling else None
    actions = _changes(p, table, _wanted(capacity, entry, table), target)
    p.actions.extend(actions or _warm(p, table))  # DynamoDB takes one change at a time
    return None


def _wanted(capacity: Capacity, entry: Resource, table: TableSeen) -> TableSettings:
    mode = capacity.mode or table.settings.mode
    if mode == "OnDemand":
        return TableSettings(mode=mode, write_units=capacity.write_units)
    units = capacity.write_units or table.settings.write_units
    if capacity.autoscaling:
        bounds = capacity.autoscaling
        return TableSettings(mode=mode, write_units=units, scaling_min=bounds.min, scaling_max=bounds.max)
    if entry.before is None or entry.before.scaling_max is None:
        return TableSettings(mode=mode, write_units=units)
    # Auto scaling that was there before would lower the capacity while the job stalls for 15 minutes.
    highest = max(units or 0, entry.before.scaling_max)
    return TableSettings(mode=mode, write_units=units, scaling_min=units, scaling_max=highest)


def _warm(p: Pass, table: TableSeen) -> list[Action]:
    wanted, seen = p.spec.target.capacity, table.warm_writes
    if not wanted.warm or wanted.write_units is None or seen is None or wanted.write_units <= seen or table.warming:
        return []
    warm = {"ReadUnitsPerSecond": table.warm_reads, "WriteUnitsPerSecond": wanted.write_units}
    return [UpdateTable({"TableName": p.spec.target.table, "WarmThroughput": warm})]


def _left_with(after: CapacityAfter | None, entry: Resource, table: TableSeen) -> tuple[TableSettings, int | None]:
    """What the table gets at the end, and its read units where they are to change."""
    if entry.origin == "Created":
        if after is None:
            return TableSettings(mode="OnDemand"), None
        return TableSettings(mode=after.mode, write_units=after.write_units), after.read_units
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
    if wanted.mode == "Provisioned":
        return _provision(name, table, wanted, reads)
    seen = table.settings
    if seen.mode == "OnDemand" and seen.write_units == wanted.write_units and reads in (None, table.max_read_units):
        return None
    request: dict[str, object] = {"TableName": name}
    if seen.mode == "Provisioned":
        request["BillingMode"] = "PAY_PER_REQUEST"
    if seen.mode == "OnDemand" or wanted.write_units is not None or reads is not None:
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
    was = seen.mode == "Provisioned"
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


def _entry(p: Pass) -> Resource:
    entry = p.status.resource("Table")
    assert entry is not None, "recorded before its capacity is set"
    return entry


def _note(p: Pass, entry: Resource) -> None:
    p.update(resources=(*(r for r in p.status.resources if r.kind != entry.kind), entry))
