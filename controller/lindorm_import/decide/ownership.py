"""Whose a table or bucket is: what may be deleted, and by which import.

A tag says whose something is, but others can write it. So the status says what was created here: first that it is going
to be (Created, with the time, before CreateTable is called), then by what AWS tells it from any other of its name
(DynamoDB's TableId and creation time; a bucket's creation time). The tag is a further condition. After a crash between
the two, what is found counts as made here if it carries this import's UID and was made since then. What is there
without that is Adopted, and stays so: whatever is not certain is kept, and named.

What other imports use is not deleted either. The one that made it hands it on to one that uses it (Resource.made_by)
and goes; the last of them removes it. Nothing can come in between: an import is in the API server with its run before
it looks at the others, and its deletion is there before it looks; so of two of them at least one sees the other.
"""

from datetime import timedelta

from lindorm_import.api.conditions import ConditionType
from lindorm_import.api.status import DeletionPolicy, Kind, Resource
from lindorm_import.decide.passes import Pass
from lindorm_import.domain.actions import HandOver
from lindorm_import.domain.names import UID_LABEL
from lindorm_import.domain.observed import BucketSeen, OtherImport, TableSeen

# AWS's clock and ours: AWS takes no request that was signed further than that from its own time (IAM User Guide,
# "Signing AWS API requests").
CLOCKS_DIFFER = timedelta(minutes=5)
# ListTagsOfResource "might return your previous tag set, if there was one, or an empty tag set … Wait for a few
# seconds" (DynamoDB's API reference, TagResource).
TAGS_APPEAR = timedelta(minutes=1)
_CONDITION: dict[Kind, ConditionType] = {"Table": "TableReady", "Bucket": "StagingReady"}


def intend(p: Pass, kind: Kind, name: str, policy: DeletionPolicy) -> None:
    """Before it is created, in the status write that comes first. The time stays while it is not known to be there: a
    call that was decided earlier may have made it."""
    known = p.status.resource(kind)
    if known is None or known.origin != "Created" or known.created_at is not None:
        known = Resource(kind=kind, name=name, origin="Created", deletion_policy=policy, intended_at=p.now)
    _note(p, known.model_copy(update={"deletion_policy": policy}))


def note(p: Pass, kind: Kind, name: str, policy: DeletionPolicy, seen: TableSeen | BucketSeen) -> None:
    """What is there: made here, or adopted."""
    known = p.status.resource(kind) or Resource(kind=kind, name=name, origin="Adopted", deletion_policy=policy)
    known = known.model_copy(update={"deletion_policy": policy})
    if _untagged_yet(p, known, seen):
        message = f"{kind.lower()} {name} has just been made; waiting for its tags, which say by whom"
        p.wait(_CONDITION[kind], "TagsNotSeen", message, 1.0)
    if not same(known, seen):
        made_here = known.origin == "Created" and _just_made(p, known, seen)
        others: dict[str, object] = {} if made_here else {"origin": "Adopted", "intended_at": None, "made_by": None}
        known = known.model_copy(update=others | identity(seen))
    _note(p, known)


def same(entry: Resource, seen: TableSeen | BucketSeen) -> bool:
    """Whether it is the one of the status, and no later one of its name."""
    if isinstance(seen, TableSeen) and entry.table_id and seen.table_id:
        return entry.table_id == seen.table_id
    return entry.created_at is not None and entry.created_at == seen.created_at


def wait_for_leaving(p: Pass, kind: Kind) -> None:
    """An import that is being deleted may remove what it made: whoever comes new to it waits until it is gone."""
    if p.before.resource(kind):
        return
    for other in _others(p, kind):
        entry = other.resource(kind)
        if other.deleting and entry and (entry.origin == "Created" or entry.made_by):
            message = (
                f"{kind.lower()} {entry.name} is of import {other}, which is being deleted: waiting until it is gone"
            )
            p.wait(_CONDITION[kind], "OtherImportDeleting", message, p.settings.poll)


def kept(p: Pass, kind: Kind, seen: TableSeen | BucketSeen, policy: DeletionPolicy) -> bool:
    """On deletion: False where it is to be removed, True where it stays (and why, in the conditions). Holds the pass
    while it is handed on to another import."""
    entry = p.status.resource(kind)
    maker = _maker(p, entry) if entry else None
    if entry is None or maker is None or not seen.exists:
        return True
    if policy != "Delete" and not entry.made_by:
        return True
    if _untagged_yet(p, entry, seen):
        p.working("Deleting", "TagsNotSeen", f"{kind.lower()} {entry.name} has just been made; waiting for its tags")
        p.hold_for(1.0)
    if doubt := _doubt(p, entry, seen, maker):
        _tell(p, kind, "Kept", f"{kind.lower()} {entry.name} stays: {doubt}")
        return True
    if isinstance(seen, TableSeen) and seen.status == "DELETING":
        return False
    others = _others(p, kind)
    if any(_holds(other, kind, seen, maker) for other in others):
        return True
    users = [o for o in others if o.started and not o.deleting and _may_use(o, kind, seen)]
    if users:
        _hand_over(p, entry, seen, maker, users)
    if policy != "Delete":
        asked = "the import that made it would have deleted it, but this one, the last to use it, says Retain"
        _tell(p, kind, "Kept", f"{kind.lower()} {entry.name} stays: {asked}")
        return True
    return False


def _hand_over(p: Pass, entry: Resource, seen: TableSeen | BucketSeen, maker: str, users: list[OtherImport]) -> None:
    """To the oldest; asked for again until it is seen in that one's status."""
    kind, heir = entry.kind, users[0]
    names = ", ".join(map(str, users[:5])) + (f" and {len(users) - 5} more" if len(users) > 5 else "")
    message = (
        f"{kind.lower()} {entry.name} stays: other imports use it ({names}). The last of them to be deleted removes "
        "it, where its own deletionPolicy is Delete"
    )
    _tell(p, kind, "InUse", message)
    adopted = Resource(kind=kind, name=entry.name, origin="Adopted", deletion_policy="Retain", made_by=maker)
    resource = adopted.model_copy(update=identity(seen))
    p.actions.append(HandOver(heir.namespace, heir.name, heir.uid, resource))
    p.working("Deleting", "InUse", message)
    p.hold_for(1.0)


def _maker(p: Pass, entry: Resource) -> str | None:
    """The UID of the import that made it, if it is for this one to remove."""
    return p.identity.uid if entry.origin == "Created" else entry.made_by


def _just_made(p: Pass, entry: Resource, seen: TableSeen | BucketSeen) -> bool:
    """Of an intention that was not seen to be carried out: whether it was."""
    return seen.owner_uid == p.identity.uid and _made_since(p, entry, seen)


def _untagged_yet(p: Pass, entry: Resource, seen: TableSeen | BucketSeen) -> bool:
    """Made since the intention, so recently that its tags may not be shown."""
    if seen.owner_uid is not None or entry.intended_at is None or seen.created_at is None:
        return False
    return _made_since(p, entry, seen) and p.now < max(entry.intended_at, seen.created_at) + TAGS_APPEAR


def _made_since(p: Pass, entry: Resource, seen: TableSeen | BucketSeen) -> bool:
    if entry.intended_at is None or entry.created_at is not None or seen.created_at is None:
        return False
    return entry.intended_at - CLOCKS_DIFFER <= seen.created_at <= p.now + CLOCKS_DIFFER


def _doubt(p: Pass, entry: Resource, seen: TableSeen | BucketSeen, maker: str) -> str | None:
    """Why it may be somebody else's although the status says that an import made one of its name."""
    if seen.owner_uid != maker:
        return f"it does not carry the tag {UID_LABEL}={maker} of the import that made it"
    if same(entry, seen) or _just_made(p, entry, seen):
        return None
    made = f"{seen.created_at:%Y-%m-%d %H:%M:%S} UTC" if seen.created_at else "at a time that AWS does not tell"
    known = entry.created_at or entry.intended_at
    told = f"{known:%Y-%m-%d %H:%M:%S} UTC" if known else "none"
    return f"it is not certain that it is the one that was made (AWS: {made}; this status: {told})"


def _others(p: Pass, kind: Kind) -> list[OtherImport]:
    """The others that name it and have not been let go."""
    seen = p.seen_or_hold(p.seen.others, _CONDITION[kind])
    return [o for o in seen if not o.gone and (o.uses_table if kind == "Table" else o.uses_bucket)]


def _may_use(other: OtherImport, kind: Kind, seen: TableSeen | BucketSeen) -> bool:
    """It does, unless its status knows an earlier one of the name, which is lost."""
    entry = other.resource(kind)
    return entry is None or entry.created_at is None or same(entry, seen)


def _holds(other: OtherImport, kind: Kind, seen: TableSeen | BucketSeen, maker: str) -> bool:
    entry = other.resource(kind)
    return entry is not None and entry.made_by == maker and same(entry, seen)


def identity(seen: TableSeen | BucketSeen) -> dict[str, object]:
    """What tells it from any other of its name, as fields of its entry in the status."""
    if isinstance(seen, BucketSeen):
        return {"created_at": seen.created_at}
    return {"created_at": seen.created_at, "table_id": seen.table_id, "arn": seen.arn}


def _tell(p: Pass, kind: Kind, reason: str, message: str) -> None:
    p.conditions.set(_CONDITION[kind], "True", reason, message)


def _note(p: Pass, entry: Resource) -> None:
    rest = (r for r in p.status.resources if r.kind != entry.kind)
    p.update(resources=tuple(sorted((*rest, entry), key=lambda r: r.kind)))
