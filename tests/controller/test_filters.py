"""The filter is one expression; the connector refuses the same (FilterExpressionTest)."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from lindorm_import.api.filters import check_filter
from tests.controller.factories import spec

CASES = json.loads((Path(__file__).parents[1] / "data" / "filters.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("text", CASES["accepted"])
def test_an_expression_is_taken_as_it_is(text: str) -> None:
    assert spec(**{"source.filter": text}).source.filter == text


@pytest.mark.parametrize("text", CASES["refused"] + CASES["refusedByTheControllerOnly"])
def test_what_is_not_one_expression_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValidationError, match=r"at least 1 character|must be one condition of SQL.*: "):
        spec(**{"source.filter": text})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a = 1 -- x", "comments"),
        ("a = 1;", "semicolon"),
        ("a = 'x", "no end"),
        ("(a = 1", "not closed"),
        ("a = 1)", "not opened"),
        (r"a = 'it\'s'", "twice"),
        ("a = ?", "nobody gives"),
        ("a IN (SELECT 1)", "subqueries"),
        ("a = 1 ORDER BY b", "near 'ORDER BY'"),
        ("(" * 2000 + "a = 1" + ")" * 2000, "nested too deeply|cannot be read"),
    ],
)
def test_the_sentence_says_what_is_wrong(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        check_filter(text)


PIECES = st.lists(
    st.sampled_from(["'", '"', "`", "\\", "(", ")", ";", "--", "#", "/*", "*/", " ", "a", "= 1", " AND ", "?", "%"]),
    max_size=8,
).map("".join)


def outside(text: str) -> str:
    """What is left of it without its texts and names: a second reading, character by character."""
    left, quote, at = "", "", 0
    while at < len(text):
        character = text[at]
        if quote:
            if (character == "\\" and quote != "`") or (character == quote and text[at + 1 : at + 2] == quote):
                at += 1
            elif character == quote:
                quote = ""
        elif character in "'\"`":
            quote = character
        else:
            left += character
        at += 1
    return left + quote


@given(PIECES | st.text(max_size=12))
@example("a = 1 --")
@example(r"a = '\'--'")
def test_nothing_that_is_taken_can_leave_its_parentheses(text: str) -> None:
    try:
        check_filter(text)
    except ValueError:
        return
    bare: Any = outside(text)
    assert not any(mark in bare for mark in ("'", '"', "`", ";", "--", "#", "/*", "?"))
    depths = [bare[:n].count("(") - bare[:n].count(")") for n in range(len(bare) + 1)]
    assert min(depths) == 0 == depths[-1]
