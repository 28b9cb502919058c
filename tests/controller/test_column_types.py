"""Types of columns are read whole, by the controller and by the job's driver alike."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flink_job import main
from lindorm_import.domain.column_types import parse_type
from lindorm_import.domain.observed import Column, KeyColumn, SourceSeen
from lindorm_import.domain.trouble import Trouble
from lindorm_import.plan.mapping import CHOICES, Mapping, map_table
from tests.controller.factories import spec

CASES = json.loads((Path(__file__).parents[1] / "data" / "column-types.json").read_text())
# What types are written with, joined as it comes.
PIECES = st.lists(
    st.sampled_from(
        ["DECIMAL", "INT", "BIGINT", " UNSIGNED", "VARCHAR", "(", ")", ",", "5", "39", "0", " ", "ARRAY", "<"]
    ),
    max_size=6,
).map("".join)


def driver_takes(type_: str) -> bool:
    try:
        main.flink_type(type_)
    except main.UserError:
        return False
    return True


@pytest.mark.parametrize(("text", "read"), CASES["accepted"].items())
def test_a_type_is_read_with_its_arguments(text: str, read: str) -> None:
    assert str(parse_type(text)) == read
    assert driver_takes(text)


@pytest.mark.parametrize("text", CASES["refused"])
def test_what_is_no_type_of_lindorms_to_its_last_character_is_none(text: str) -> None:
    assert parse_type(text) is None
    assert not driver_takes(text)


@given(PIECES | st.text(max_size=20))
@example("STRING")
def test_controller_and_driver_take_the_same_types(text: str) -> None:
    parsed = parse_type(text)
    assert driver_takes(text) == (parsed is not None or text.strip().upper() == "STRING")
    if parsed:
        assert parse_type(str(parsed)) == parsed
        assert parsed.name in CHOICES


def table(**types: str) -> SourceSeen:
    return SourceSeen(
        columns=(Column("device", "VARCHAR"), Column("ts", "TIMESTAMP"), *(Column(n, t) for n, t in types.items())),
        primary_key=(KeyColumn("device", "ASC"), KeyColumn("ts", "ASC")),
    )


@given(PIECES | st.text(max_size=20))
@example("DECIMAL(5,6)")
@example("DECIMAL(39,2)")
@example("INT ARRAY")
def test_a_column_of_any_type_is_mapped_or_refused_with_a_sentence(text: str) -> None:
    mapped = map_table(spec(), table(extra=text))
    if isinstance(mapped, Trouble):
        assert mapped.reason == "UnsupportedType"
        assert "column extra of Lindorm table readings has type" in mapped.message
    else:
        assert parse_type(text)
    left_out = map_table(spec(**{"source.columns": ["device", "ts"]}), table(extra=text))
    assert isinstance(left_out, Mapping)


def test_a_key_column_of_an_unknown_type_is_refused_also_where_it_is_not_asked_for() -> None:
    key = (KeyColumn("device", "ASC"), KeyColumn("ts", "ASC"), KeyColumn("shape", "ASC"))
    source = SourceSeen(table(shape="GEOMETRY").columns, key)
    refused: Any = map_table(spec(**{"source.columns": ["device", "ts"]}), source)
    assert refused.reason == "UnsupportedType"
    assert "part of the primary key" in refused.message
