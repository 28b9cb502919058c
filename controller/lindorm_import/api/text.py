"""Foreign words where somebody reads them: a server's error, a pod's exception, a row, a name.

Whatever is shown of them (conditions and with them kubectl's columns, events, logs, what the command line prints, the
report) goes through here: a terminal must not take it for commands, nor a browser or a Markdown reader for a page.
"""

import json
import re
from typing import Any

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#~|&$!@]|:(?=//)|(?<=[wW]{3})\.)")
_FIRST = re.compile(r"^(\d+(?=[.)])|(?=[-+=]))")  # of a line: a list, a heading


def printable(text: str) -> str:
    """The same in one line that a terminal shows as it is: what it would not show stands as JSON writes it, \\u001b."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def printable_document(document: Any) -> Any:
    """The same of every text in a document of JSON, names included."""
    if isinstance(document, str):
        return printable(document)
    if isinstance(document, list):
        return [printable_document(entry) for entry in document]
    if isinstance(document, dict):
        return {printable(name): printable_document(value) for name, value in document.items()}
    return document


def markdown(text: str) -> str:
    """As plain words within a paragraph of Markdown, without HTML, links and marks of its own
    (https://spec.commonmark.org/0.31.2/#backslash-escapes)."""
    return _FIRST.sub(r"\1\\", _MARKDOWN.sub(r"\\\1", printable(text).strip()))


def code(text: str) -> str:
    """As code within a paragraph: between more backticks than it has in a row
    (https://spec.commonmark.org/0.31.2/#code-spans)."""
    shown = printable(text) or " "
    ticks = "`" * (_longest_run(shown) + 1)
    space = " " if shown.strip() and {shown[0], shown[-1]} & {"`", " "} else ""
    return f"{ticks}{space}{shown}{space}{ticks}"


def code_block(lines: list[str], language: str) -> list[str]:
    """As a block of code (https://spec.commonmark.org/0.31.2/#fenced-code-blocks)."""
    shown = [printable(line) for line in lines]
    fence = "`" * max(3, *(_longest_run(line) + 1 for line in shown))
    return [f"{fence}{language}", *shown, fence]


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
