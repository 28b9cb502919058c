"""The base of every model of the resource: camelCase outside, snake_case inside, immutable."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class SpecModel(BaseModel):
    """A part of the spec. Unknown fields are errors: a typo must not silently change an import."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid", use_enum_values=True
    )


class StatusModel(BaseModel):
    """A part of the status. Unknown fields are ignored: a newer controller may have written them."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")
