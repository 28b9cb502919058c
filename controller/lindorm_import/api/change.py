"""When an edit of a spec field takes effect. Every field declares it (spec.py), and tests try each declaration.

A field whose edit is accepted and does nothing would be a lie to whoever edits it.
"""

import types
from collections.abc import Iterator
from enum import Enum
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo


class Change(Enum):
    """The value is what the resource's page says of it."""

    FIXED = "Fixed once the import has created something."
    NOW = "Takes effect at once."
    LOWER = "Can only be lowered once the job is submitted; takes effect at once."
    AT_RESUME = "Takes effect when the job is submitted again or resumed."
    AT_END = "Takes effect when the import ends or is deleted."


def declared(field: FieldInfo) -> Change | None:
    """What the field declares for itself and all that is below it."""
    return next((m for m in field.metadata if isinstance(m, Change)), None)


def changes(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, Change]]:
    """(path, Change) of every field, by its name in the document: ('source.url', FIXED). What is below a field that
    declares itself is not named. Raises TypeError for a field that neither declares itself nor is an object whose
    fields do."""
    for field in model.model_fields.values():
        below = f"{path}.{field.alias}" if path else str(field.alias)
        change, part = declared(field), _model(field.annotation)
        if change is not None:
            yield below, change
        elif part is not None:
            yield from changes(part, below)
        else:
            raise TypeError(f"spec.{below} does not say when an edit of it takes effect: declare a Change")


def _model(annotation: Any) -> type[BaseModel] | None:
    options = get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    return next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), None)
