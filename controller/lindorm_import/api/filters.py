"""spec.source.filter is one expression of SQL, which is put into parentheses and ANDed with the time range. Pure.

What could end the parentheses or swallow what follows them would read other rows than were asked for, so it is refused:
here by parsing, in the connector (FilterExpression.java) by its tokens; tests/data/filters.json holds cases for both.
"""

import re

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

# Whether Lindorm reads a backslash before a quote as MySQL does, its documents do not say; doubled quotes mean the same
# in either case.
_ESCAPED_QUOTE = re.compile(r"""'(?:[^'\\]|\\[^']|'')*\\'|"(?:[^"\\]|\\[^"]|"")*\\\"""")
_WHAT = "must be one condition of SQL, such as metric = 'temp' AND val > 0"


def check_filter(text: str) -> str:
    """The filter as it is. Raises ValueError, with a sentence, where it is not one expression."""
    if text.count("\0"):
        raise ValueError(f"{_WHAT}: it holds a NUL")
    try:
        tokens = sqlglot.tokenize(text, read="mysql")
    except SqlglotError as error:
        raise ValueError(f"{_WHAT}: a text, a name or a comment in it has no end") from error
    _check_tokens(text, tokens)
    _check_expression(text)
    return text


def _check_tokens(text: str, tokens: list[Token]) -> None:
    end = depth = 0
    for token in tokens:
        if text[end : token.start].strip() or text[token.start - 1 : token.end + 1] == "--":
            raise ValueError(f"{_WHAT}: comments and hints cannot be part of it")
        end = token.end + 1
        match token.token_type:
            case TokenType.SEMICOLON:
                raise ValueError(f"{_WHAT}: a semicolon ends a statement")
            case TokenType.PLACEHOLDER:
                raise ValueError(f"{_WHAT}: ? stands for a value that nobody gives")
            case TokenType.HINT:
                raise ValueError(f"{_WHAT}: comments and hints cannot be part of it")
            case TokenType.STRING if _ESCAPED_QUOTE.match(text, token.start, end):
                raise ValueError(f"{_WHAT}: write a quote within a text twice, not with a backslash before it")
            case TokenType.L_PAREN:
                depth += 1
            case TokenType.R_PAREN:
                depth -= 1
        if depth < 0:
            raise ValueError(f"{_WHAT}: a parenthesis is closed that was not opened")
    if text[end:].strip():
        raise ValueError(f"{_WHAT}: comments and hints cannot be part of it")
    if depth:
        raise ValueError(f"{_WHAT}: a parenthesis is not closed")


def _check_expression(text: str) -> None:
    try:
        (statement,) = sqlglot.parse(f"SELECT 1 FROM t WHERE (\n{text}\n)", read="mysql")  # noqa: S608
    except SqlglotError as error:
        problem = error.errors[0] if getattr(error, "errors", None) else {}  # type: ignore[attr-defined]
        near = f" near {problem['highlight']!r}" if problem.get("highlight", "").strip("() \n") else ""
        raise ValueError(f"{_WHAT}: it cannot be read as one{near}") from error
    except RecursionError as error:
        raise ValueError(f"{_WHAT}: it is nested too deeply") from error
    where = statement.args.get("where") if statement else None
    condition = where.this.this if where and isinstance(where.this, exp.Paren) else None
    if condition is None or isinstance(condition, exp.Tuple):
        raise ValueError(f"{_WHAT}: it is none")
    if condition.find(exp.Query):
        raise ValueError(f"{_WHAT}: Lindorm has no subqueries")
