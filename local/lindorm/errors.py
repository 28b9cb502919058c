"""The errors a client can see, with the numbers and words of Lindorm's list of error codes.

Source of numbers, SQLSTATEs and formats: https://help.aliyun.com/document_detail/360486.html (common error codes).
Words that are not on that page (marked "own words" below) are ours.
"""

from __future__ import annotations


class SqlError(Exception):
    """An error packet: MySQL error number, SQLSTATE and message."""

    def __init__(self, code: int, state: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.state = state
        self.message = message


def too_many_connections(limit: int) -> SqlError:
    return SqlError(1040, "08004", f"Too many connections (current limit: {limit})")


def bad_handshake(detail: str) -> SqlError:
    return SqlError(1043, "28000", f"Bad handshake: {detail}")


def access_denied(user: str) -> SqlError:
    return SqlError(1045, "28000", f"Access denied for '{user}'")


def unknown_command(name: str) -> SqlError:
    return SqlError(1047, "08S01", f"Unknown command: {name} is not supported")


def unknown_database(name: str) -> SqlError:
    return SqlError(1049, "42000", f"Unknown database '{name}'")


def database_exists(name: str) -> SqlError:
    return SqlError(1007, "HY000", f"Can't create database '{name}'; database exists")


def table_exists(name: str) -> SqlError:
    return SqlError(1050, "42S01", f"Table '{name}' already exists")


def unknown_column(name: str) -> SqlError:
    return SqlError(1054, "42S22", f"Unknown column '{name}'")


def syntax(detail: str) -> SqlError:
    return SqlError(1064, "42000", f"You have an error in your SQL syntax: {detail}")


def unknown_table(database: str, name: str) -> SqlError:
    return SqlError(1146, "42S02", f"Table '{database}.{name}' doesn't exist")


def unknown_variable(name: str) -> SqlError:
    return SqlError(1193, "HY000", f"Unknown system variable '{name}'")


def unknown_statement(number: int) -> SqlError:
    return SqlError(1243, "HY000", f"Unknown prepared statement handler ({number}) given to EXECUTE")


def unknown_time_zone(name: str) -> SqlError:
    return SqlError(1298, "HY000", f"Unknown or incorrect time zone: '{name}'")


def bad_value(type_name: str, value: object, column: str) -> SqlError:
    return SqlError(1366, "HY000", f"Incorrect {type_name} value: '{value}' for column '{column}'")


def null_key(column: str) -> SqlError:
    return SqlError(1048, "23000", f"Column '{column}' cannot be null")


def timeout() -> SqlError:
    """The statement ran longer than its limit (120 s, or the hint _l_operation_timeout_). Worth a retry."""
    return SqlError(3024, "HY000", "Query execution was interrupted, maximum statement execution time exceeded")


def resource_limit(detail: str) -> SqlError:
    """8008 is Lindorm's number for a resource limit; own words."""
    return SqlError(8008, "HY000", f"Resource limit exceeded: {detail}")


def inefficient(sql: str) -> SqlError:
    """A query that no bound on the first key column narrows.

    Words: https://help.aliyun.com/document_detail/441561.html. That page calls a query inefficient when it also has a
    condition on another column; the quotas page rejects every full scan. The stricter one holds here.
    """
    return SqlError(
        9001,
        "HY000",
        f"DoNotRetryIOException: Detect inefficient query: {sql} "
        "This query may be a full table scan and thus may have unpredictable performance",
    )


def unsupported(detail: str) -> SqlError:
    """9001 is Lindorm's number for syntax that it does not support; own words."""
    return SqlError(9001, "0A000", f"Unsupported: {detail}")
