"""Bad input in one sentence: which field, what is wrong, what to do. Exit code 2."""

import difflib
from typing import Any

from pydantic import BaseModel, ValidationError

OK, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


class BadInputError(Exception):
    """What the user gave cannot work; the message is the sentence."""


def first_error(error: ValidationError, model: type[BaseModel], prefix: str = "spec") -> str:
    """The first thing that is wrong with a document, with the field's path and the fix."""
    found = error.errors()[0]
    path = ".".join([prefix, *map(str, found["loc"])])
    match found["type"]:
        case "extra_forbidden":
            return f"{path} is not a field{_meant(model, found['loc'])}: correct or remove it"
        case "missing":
            return f"{path} is missing: add it"
        case "string_pattern_mismatch":
            return f"{path}: {found['input']!r} does not have the form {found['ctx']['pattern']}"
        case "literal_error":
            return f"{path}: {found['input']!r} is not one of {found['ctx']['expected']}"
        case "value_error":
            return f"{path}: {found['ctx']['error']}"
        case _:
            return f"{path}: {found['msg'][:1].lower()}{found['msg'][1:]} (it is {found['input']!r})"


def _meant(model: type[BaseModel], location: tuple[int | str, ...]) -> str:
    """'; did you mean table?', from the fields of the model that holds the unknown one."""
    holder = _model_at(model, location[:-1])
    names = [f.alias or name for name, f in holder.model_fields.items()] if holder else []
    close = difflib.get_close_matches(str(location[-1]), names, n=1)
    return f"; did you mean {close[0]}?" if close else f" (there are {', '.join(names)})" if names else ""


def _model_at(model: type[BaseModel], path: tuple[int | str, ...]) -> type[BaseModel] | None:
    at: type[BaseModel] | None = model
    for part in path:
        if at is None or isinstance(part, int):
            continue
        annotation = next((f.annotation for name, f in at.model_fields.items() if part in (f.alias, name)), None)
        at = _model_in(annotation)
    return at


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model in T, T | None, list[T]."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for a in getattr(annotation, "__args__", ()) if (m := _model_in(a))), None)
