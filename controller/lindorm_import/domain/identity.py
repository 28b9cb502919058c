"""Which import this is, and what of its files is temporary."""

from dataclasses import dataclass

from lindorm_import.api.spec import ImportSpec
from lindorm_import.domain import names

TEMPORARY = ("checkpoints/", "savepoints/", "ha/", "items/")


@dataclass(frozen=True)
class Identity:
    """Which import this is."""

    namespace: str
    name: str
    uid: str
    generation: int


def staged_prefixes(spec: ImportSpec, identity: Identity) -> tuple[str, ...]:
    """The key prefixes that deletion removes: all of the run, or with Retain all but result and rejects."""
    prefix = names.run_prefix(spec.staging, identity.namespace, identity.name, identity.uid)
    if spec.staging.deletion_policy == "Delete":
        return (prefix,)
    return tuple(prefix + part for part in TEMPORARY)
