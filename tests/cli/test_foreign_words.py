"""Words of others, wherever they are shown: a terminal gets no commands, a reader of the report no page, of them."""

import io
import json
import logging
import re
import xml.etree.ElementTree as ElementTree
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from lindorm_import.api.conditions import Conditions
from lindorm_import.api.text import code, markdown, printable, printable_document
from lindorm_import.cli import _say, checks, console, doctor
from lindorm_import.cli.chart import svg
from lindorm_import.cli.report import Rejects, to_document, to_markdown, to_picture
from lindorm_import.cli.view import View, cluster_state
from lindorm_import.cli.watch import line, picture
from lindorm_import.domain.trouble import Trouble
from lindorm_import.runtime.logs import JsonFormatter
from tests.cli.test_view import START, resource
from tests.controller.aws_services import Refused
from tests.controller.fakes import AnyCall, World

EVIL = (
    "\x1b]8;;http://evil\x07\x1b[2J\x9b31m\r\n# <script>alert(1)</script> [x](http://evil) ![](http://evil/p.png) "
    "```\n| a | `b` | **bold** &lt; [link=http://evil]y[/link] \u202egnp.exe \u2028\u200b\ufeff\ud800 www.evil.example"
)
WORDS = st.text(st.characters(exclude_categories=()), max_size=40) | st.lists(
    st.sampled_from(
        ["\x1b[31m", "\x9b", "\n", "\r", "`", "```", "<b>", "</script>", "[a](b)", "|", "&amp;", "# ", "1. ", "- ",
         "> ", "www.a.b", "http://a.b", "a@b.c", "\\", "*", "_", "~~", "\u202e", "\u2028", "[bold]", ":smile:", "$x$"]
    ),
    max_size=8,
).map("".join)  # fmt: skip


def harmless(shown: str, lines: bool = False) -> bool:
    """Whether every character is one that a terminal shows as it is."""
    return all(c.isprintable() or (lines and c == "\n") for c in shown)


def view(words: str, **status: Any) -> View:
    condition = {
        "type": "Ready", "status": "False", "reason": "Waiting", "message": words,
        "lastTransitionTime": "2026-11-24T05:00:00Z",
    }  # fmt: skip
    document = resource(conditions=[condition], **status)
    document["status"]["job"] = {"state": words, "restarts": 3, "failure": words, "attempts": 2}
    return View.of(document, {"status": {"lifecycleState": words, "taskManager": {"replicas": words}}}, START)


@given(words=WORDS)
@example(words=EVIL)
def test_a_text_is_one_line_that_a_terminal_shows_and_says_no_less(words: str) -> None:
    shown = printable(words)
    assert harmless(shown)
    assert printable(shown) == shown, "escaped once, by whoever comes first"
    if words.isprintable():
        assert shown == words
    assert json.loads(printable(json.dumps(words, ensure_ascii=False))) == words, "JSON stays JSON, and means the same"


def rendered(text: str) -> list[Any]:
    """What a reader of Markdown with HTML, tables, strike-through and links makes of it: the tokens, flat."""
    tokens: list[Any] = []
    for token in MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text):
        tokens += [token, *(token.children or [])]
    return tokens


def words_of(tokens: list[Any]) -> str:
    return "".join(t.content for t in tokens if t.type in ("text", "text_special", "code_inline"))


@given(words=WORDS)
@example(words=EVIL)
@example(words="1. a")
@example(words="- a")
@example(words="    a")
def test_words_in_markdown_are_those_words_and_no_marks(words: str) -> None:
    tokens = rendered(markdown(words))
    assert {t.type for t in tokens} <= {"paragraph_open", "inline", "text", "text_special", "paragraph_close"}, tokens
    assert words_of(tokens) == printable(words).strip()


def test_a_date_is_readable_in_markdown_as_it_is() -> None:
    assert markdown("2026-11-01") == "2026-11-01"


@given(words=WORDS)
@example(words=EVIL)
@example(words="")
def test_code_in_markdown_is_those_words(words: str) -> None:
    tokens = rendered(f"a {code(words)} b")
    inside = [t for t in tokens if t.type == "code_inline"]
    assert [t.content for t in inside] == [printable(words) or " "]
    assert {t.type for t in tokens} <= {"paragraph_open", "inline", "text", "code_inline", "paragraph_close"}


@settings(deadline=None, max_examples=60, derandomize=True)
@given(words=WORDS.filter(str.strip))
@example(words=EVIL)
def test_a_report_has_its_own_marks_and_no_others(words: str) -> None:
    row = {"reason": words, "message": words, "key": {words: words}, "row": {"a": words}}
    results = {
        "result": words, "rejects": words, "rowsRead": 3, "itemsWritten": 1, "rowsRejected": 2,
        "rejectedByReason": {words: 2},
    }  # fmt: skip
    seen = view(words, results=results)
    document = to_document(seen, Rejects((row,), words))
    text = to_markdown(seen, document, "readings.svg")
    plain_seen = view("plain", results=results | {"rejectedByReason": {"plain": 2}})
    plain = to_markdown(plain_seen, to_document(plain_seen, Rejects(({"reason": "plain"},), "plain")), "readings.svg")
    assert harmless(text, lines=True)
    kinds = [t.type for t in rendered(text) if t.type not in ("text", "text_special")]
    assert kinds == [t.type for t in rendered(plain) if t.type not in ("text", "text_special")]
    assert harmless(json.dumps(document, indent=2), lines=True)
    ElementTree.fromstring(to_picture(seen))


@given(words=WORDS)
def test_a_picture_stays_xml_whatever_its_title(words: str) -> None:
    root = ElementTree.fromstring(svg(words, START, [], (words, 1.0)))
    assert printable(words).strip() in [(t.text or "").strip() for t in root.iter() if t.tag.endswith("text")]


def on_a_terminal(shown: Any) -> str:
    """What a terminal of 300 columns gets, without the colours, which are rich's own."""
    stream = io.StringIO()
    out = Console(file=stream, force_terminal=True, width=300, markup=False, emoji=False, highlight=False)
    out.print(shown)
    return re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())


@settings(deadline=None, max_examples=60, derandomize=True)
@given(words=WORDS)
@example(words=EVIL)
def test_watch_shows_words_and_neither_commands_nor_links_of_others(words: str) -> None:
    seen = view(words)
    assert harmless(line(seen))
    shown = on_a_terminal(picture(seen))
    assert harmless(shown, lines=True)
    assert "\x1b]8" not in shown


def test_watch_shows_what_looks_like_marks_of_its_library() -> None:
    shown = on_a_terminal(picture(view("[bold]x[/bold] :smile: [link=http://evil]y[/link]")))
    assert "[bold]x[/bold] :smile: [link=http://evil]y[/link]" in shown


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(words=WORDS)
@example(words=EVIL)
def test_doctor_and_errors_show_words_only(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    doctor.show([checks.Check("cluster", "fail", words, words)], None)
    _say(words)
    console.console().print(Trouble("X", words).message)
    out, err = capsys.readouterr()
    assert harmless(out, lines=True)
    assert harmless(err, lines=True)


@settings(deadline=None)
@given(words=WORDS)
@example(words=EVIL)
def test_what_reaches_conditions_troubles_and_logs_is_printable(words: str) -> None:
    assert harmless(Trouble("X", words).message)
    conditions = Conditions((), START, 1)
    conditions.set("Ready", "False", "X", words)
    assert harmless(conditions.all()[0].message)
    record = logging.LogRecord("x", logging.INFO, "x", 1, "%s", (words,), None)
    logged = JsonFormatter().format(record)
    assert harmless(logged)
    assert json.loads(logged)["message"] == words
    assert harmless(cluster_state({"status": {"lifecycleState": words, "jobManagerDeploymentStatus": [words]}}))


def texts(document: Any) -> list[str]:
    if isinstance(document, dict):
        return [t for k, v in document.items() for t in (k, *texts(v))]
    if isinstance(document, list):
        return [t for entry in document for t in texts(entry)]
    return [document] if isinstance(document, str) else []


@pytest.mark.parametrize("where", ["AWS", "the Flink operator"])
def test_whatever_the_outside_says_status_and_events_are_printable(where: str) -> None:
    world = World()
    evil = EVIL.encode(errors="replace").decode()  # what JSON over HTTP can carry

    def fault(call: AnyCall) -> None:
        if str(call) == "dynamodb:DescribeTable":
            raise Refused("InternalServerError", evil)

    if where == "AWS":
        world.faults = fault
    else:
        world.flink.waiting = ("CrashLoopBackOff", evil)
    world.apply()
    events: list[str] = []
    for _ in range(15):
        outcome = world.run_pass()
        events += [e.message for e in outcome.events] if outcome else []
        world.now += timedelta(seconds=1)
        world.tick()
    told = texts(world.status())
    assert all(harmless(t) for t in told), [t for t in told if not harmless(t)]
    assert any("<script>" in t for t in told), "the words are told"
    assert all(harmless(e) for e in events), [e for e in events if not harmless(e)]


def test_a_document_is_printable_in_names_and_values() -> None:
    assert printable_document({"\x1b": ["\x9b", {"a": 1, "b": None}]}) == {"\\u001b": ["\\u009b", {"a": 1, "b": None}]}
