"""Which of the imports of one table sets its capacity: one at a time, and each of them finds out by itself.

Otherwise the second would note as the table's own what the first had set, and give that back; and two that want
different units would set them in turns until DynamoDB's decreases of the day are used up.

An import's flag is up when its status names the table, its spec says something of the capacity, and it does not say
that it waits for another (Resource.waits_for). It sets nothing before it has looked at the others with its flag up and
has seen no other flag. The API server has each flag before its import looks, so of two at least one sees the other's.
Where two see each other's, the one that holds the table (it has noted the settings before), or else the smaller UID,
keeps its flag, and the other takes it down and waits. A waiting one that sees no flag any more puts its own up, and
looks again. The import that made the table holds it from before there was one.

There is no lock to be left behind: a flag is part of an import, and goes with it. While it waits an import copies what
the holder notes (what the table had before, and what it has been set to), so that the true settings are not lost with
a holder that is let go without giving them back. Imports that this controller cannot see are not looked at.
"""

from enum import Enum

from lindorm_import.api.status import Holder, Resource, TableSettings
from lindorm_import.decide.passes import Pass
from lindorm_import.domain.observed import OtherImport, TableSeen
from lindorm_import.domain.trouble import Trouble


class Turn(Enum):
    """HOLDS: this import sets the capacity; CLAIMS: its flag is up with this pass, and the next looks at the others';
    WAITS: another sets it, or is about to."""

    HOLDS = "holds"
    CLAIMS = "claims"
    WAITS = "waits"


def turn(p: Pass, table: TableSeen) -> Turn:
    """Whose turn it is to set the capacity; notes in status.resources what follows from it."""
    entry, noted = entry_of(p), p.before.resource("Table")
    if entry.holds:
        return Turn.HOLDS
    if isinstance(p.seen.others, Trouble):
        return Turn.WAITS
    flags = [other for other in p.seen.others or () if _flag(other, table)]
    if entry.waits_for is None and flags:
        first = min(flags, key=lambda other: (not _holds(other), other.uid))
        if _holds(first) or first.uid < p.identity.uid:
            _wait_for(p, entry, first)
        return Turn.WAITS
    if entry.waits_for and flags:
        _wait_for(p, entry, min(flags, key=lambda other: (not _holds(other), other.uid)))
        return Turn.WAITS
    if entry.waits_for:
        left = entry.waits_for.before if is_one_of(table.settings, entry.waits_for.during) else None
        note(p, entry.model_copy(update={"waits_for": None, "inherits": left}))
        return Turn.CLAIMS
    if noted is None and p.seen.others is not None:
        return Turn.CLAIMS
    note(p, entry.model_copy(update={"before": entry.inherits or table.settings, "inherits": None}))
    return Turn.HOLDS


def is_one_of(seen: TableSettings, known: tuple[TableSettings, ...]) -> bool:
    """Whether the table has one of these settings, or what its auto scaling has made of them."""
    return units_of(seen, known) and bounds_of(seen, known)


def units_of(seen: TableSettings, known: tuple[TableSettings, ...]) -> bool:
    """The same of mode and units alone."""

    def scaled(settings: TableSettings) -> bool:
        least, most = settings.scaling_min, settings.scaling_max
        return least is not None and most is not None and least <= (seen.write_units or 0) <= most

    return any(
        seen.mode == one.mode and (seen.write_units == one.write_units or (bounds_of(seen, (one,)) and scaled(one)))
        for one in known
    )


def bounds_of(seen: TableSettings, known: tuple[TableSettings, ...]) -> bool:
    """The same of the bounds of auto scaling alone."""
    return (seen.scaling_min, seen.scaling_max) in {(one.scaling_min, one.scaling_max) for one in known}


def entry_of(p: Pass) -> Resource:
    entry = p.status.resource("Table")
    assert entry is not None, "recorded before its capacity is set"
    return entry


def note(p: Pass, entry: Resource) -> None:
    p.update(resources=(*(r for r in p.status.resources if r.kind != entry.kind), entry))


def _flag(other: OtherImport, table: TableSeen) -> bool:
    entry = other.resource("Table") if other.uses_table and not other.gone else None
    if entry is None or entry.settings_restored or entry.waits_for:
        return False
    # One that wants another mode than the table has is held up by that (capacity.py), and sets nothing.
    return entry.holds or (other.sets_capacity and other.capacity_mode in (None, table.settings.mode))


def _holds(other: OtherImport) -> bool:
    entry = other.resource("Table")
    return entry is not None and entry.holds


def _wait_for(p: Pass, entry: Resource, other: OtherImport) -> None:
    theirs = other.resource("Table")
    assert theirs is not None, "it has a flag"
    holder = Holder(name=str(other), before=theirs.before, during=theirs.during)
    note(p, entry.model_copy(update={"waits_for": holder, "inherits": None}))
