"""The base of every model of the resource: camelCase outside, snake_case inside, immutable."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel


class SpecModel(BaseModel):
    """A part of the spec. Unknown fields are errors: a typo must not silently change an import.

    It takes what the API server takes: each type as it is, 2.0 as the integer 2, and null as an absent field
    (https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#defaulting-and-nullable).
    """

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, extra="forbid", use_enum_values=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _as_the_api_server_reads_it(cls, document: Any) -> Any:
        if not isinstance(document, dict):
            return document
        known = {field.alias for field in cls.model_fields.values()}
        return {
            name: int(value) if isinstance(value, float) and value.is_integer() else value
            for name, value in document.items()
            if value is not None or name not in known
        }


class StatusModel(BaseModel):
    """A part of the status. Unknown fields are ignored: a newer controller may have written them."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")
