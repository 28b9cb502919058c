"""Reads the document of an import as another release may have written it. Reading a status never fails.

What a status says is evidence (names of what was made, counts), so that one value which this release does not know,
such as a new kind of condition, must not make the rest unreadable.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from lindorm_import.api.base import StatusModel
from lindorm_import.api.conditions import Condition
from lindorm_import.api.spec import ImportSpec
from lindorm_import.api.status import ActivePass, ImportStatus, Resource, Run

Document = dict[str, Any]
# Entries of these lists stand for themselves: what cannot be read of them is kept as it is, and written back.
_LISTS: dict[str, type[StatusModel]] = {"conditions": Condition, "resources": Resource, "activePasses": ActivePass}
# Without these nothing may be done: they say what was made, and who may be at work.
_LOG = ("run", "resources", "activePasses")


@dataclass(frozen=True)
class StatusRead:
    """status: all that could be read. kept: what could not and must not be lost, {field: raw}; what else cannot be
    read is left out, and made anew."""

    status: ImportStatus
    kept: Document

    @property
    def unread_log(self) -> str:
        """What of the write-ahead log cannot be read, in words for the user; "" when all can."""
        return " and ".join(f"status.{name}" for name in _LOG if name in self.kept)

    def document(self, status: ImportStatus) -> Document:
        """The document to write: `status`, and what could not be read as it was."""
        written: Document = status.model_dump(mode="json", by_alias=True, exclude_none=True)
        for name, raw in self.kept.items():
            written[name] = [*written.get(name, []), *raw] if name in _LISTS else raw
        return written


def read_status(raw: Any) -> StatusRead:
    """The status of a LindormImport's document, None where it has none yet."""
    document: Document = dict(raw) if isinstance(raw, dict) else {}
    kept: Document = {}
    for name, model in _LISTS.items():
        raw_entries = document.get(name) or []
        entries = raw_entries if isinstance(raw_entries, list) else [raw_entries]
        document[name] = [entry for entry in entries if _reads(model, entry)]
        if unread := [entry for entry in entries if not _reads(model, entry)]:
            kept[name] = unread
    if document.get("run") is not None and not _reads(Run, document["run"]):
        kept["run"] = document.pop("run")
    return StatusRead(_without_what_fails(document), kept)


def _reads(model: type[StatusModel], raw: Any) -> bool:
    try:
        model.model_validate(raw)
    except ValidationError:
        return False
    return True


def _without_what_fails(document: Document) -> ImportStatus:
    """Of the rest, each top-level part that cannot be read is left out whole: half a plan is no plan."""
    try:
        return ImportStatus.model_validate(document)
    except ValidationError as error:
        bad = {str(e["loc"][0]) for e in error.errors()}
        return ImportStatus.model_validate({name: part for name, part in document.items() if name not in bad})


# What the models ask of a source; a deletion does not read Lindorm.
_NO_SOURCE: Document = {
    "url": "jdbc:mysql://unknown:33060/unknown",
    "table": "unknown",
    "credentials": {"secretName": "unknown"},
    "timeRange": {"column": "unknown", "start": "1970-01-01T00:00:00Z", "end": "1970-01-02T00:00:00Z"},
}


def spec_for_deletion(raw: Document) -> ImportSpec:
    """The spec as far as a deletion needs it: where the table and the staging are, and their policies.

    An import that this release would not admit (an older CRD, or none, has) can still be deleted. Raises
    ValidationError where those parts cannot be read either.
    """
    target, staging = raw.get("target"), raw.get("staging")
    needed = ("region", "table", "capacity", "tags", "deletionProtection", "deletionPolicy")
    if isinstance(target, dict):
        target = {name: target[name] for name in needed if name in target}
    return ImportSpec.model_validate({"source": _NO_SOURCE, "target": target, "staging": staging})
