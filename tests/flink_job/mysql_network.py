"""A network between the job, or the controller, and Lindorm: it knows the MySQL protocol as far as where each answer
begins and ends, and cuts, delays, doubles, mixes up, or gives an error in the server's place.

Protocol: https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html, without TLS, which would see all of it.
"""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Literal, get_args

from hypothesis import strategies as st

from tests.flink_job.streams import connected, listening

Packet = bytes
"""A whole one: three bytes of length, one of its number, and as many of payload."""

Kind = Literal[
    "closed before",  # the server never hears of the request
    "closed after",  # it has answered, and nothing of that arrives
    "cut",  # some bytes of the answer, and the end of the connection
    "reset",  # some bytes of the answer, and a reset
    "silent",  # some bytes of the answer, and then nothing for as long as anybody waits
    "late",
    "drip",  # byte by byte
    "error",  # in place of the answer; the server never hears of the request
    "error after",  # in place of the answer that the server has given
    "error within",  # some whole packets of the answer, and then an error
    "short",  # of rows only some, and then their end as if there were no more
    "doubled byte",
    "doubled packet",
    "lost packet",  # but no row: that it is not there, only the packets' numbers say, which Connector/J does not read
    "lost bytes",
    "foreign bytes",
    "foreign protocol",  # in place of the answer
    "OK in place",  # that all is done, in place of an answer; of SET's that would be no other answer
    "answered twice",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

# What any client must live through: the answer, or its absence, is plain.
CLEAN: tuple[Kind, ...] = ("closed before", "closed after", "cut", "reset", "silent", "late", "drip")
ERRORS: tuple[Kind, ...] = ("error", "error after", "error within")

FOREIGN = (
    b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n\r\n<html>Bad Gateway</html>",
    b"SSH-2.0-OpenSSH_9.6\r\n",
    b"\x15\x03\x03\x00\x02\x02\x28",  # TLS: handshake failure
    b"\x00",
    b"\xff" * 9,
)


@dataclass(frozen=True)
class Error:
    """What an error packet says."""

    code: int
    state: str
    words: str

    def packet(self, number: int, with_state: bool) -> Packet:
        state = b"#" + self.state.encode() if with_state else b""
        return packet(b"\xff" + struct.pack("<H", self.code) + state + self.words.encode(), number)


# Names and numbers: MySQL's error reference, and Lindorm's "Common error codes".
PASSING = (
    Error(1040, "08004", "Too many connections"),
    Error(1053, "08S01", "Server shutdown in progress"),
    Error(1105, "HY000", "Unknown error"),
    Error(1158, "08S01", "Got an error reading communication packets"),
    Error(1161, "08S01", "Got timeout writing communication packets"),
    Error(1205, "HY000", "Lock wait timeout exceeded; try restarting transaction"),
    Error(1213, "40001", "Deadlock found when trying to get lock; try restarting transaction"),
    Error(1317, "70100", "Query execution was interrupted"),
    Error(2013, "08007", "Lost connection to MySQL server during query"),
    Error(3024, "HY000", "Query execution was interrupted, maximum statement execution time exceeded"),
    Error(4031, "HY000", "The client was disconnected by the server because of inactivity"),
    Error(8008, "HY000", "Resource limit exceeded"),
    Error(0, "00000", ""),
    Error(12345, "HY000", "something that no document knows"),
    Error(65535, "XX000", "caf\u00e9 \u4e2d\u6587"),
)
LOGIN = (
    Error(1045, "28000", "Access denied for user 'reader'@'10.0.0.7' (using password: YES)"),
    Error(1862, "HY000", "Your password has expired. To log in you must change it"),
)
LASTING = (
    Error(1044, "42000", "Access denied for user 'reader'@'%' to database 'default'"),
    Error(1049, "42000", "Unknown database 'default'"),
    Error(1054, "42S22", "Unknown column 'n' in 'field list'"),
    Error(1064, "42000", "You have an error in your SQL syntax"),
    Error(1142, "42000", "SELECT command denied to user"),
    Error(1146, "42S02", "Table 'default.t' doesn't exist"),
    Error(1690, "22003", "BIGINT value is out of range"),
    Error(8005, "HY000", "Table does not exist"),
    Error(9001, "0A000", "Unsupported"),
)


@dataclass(frozen=True)
class Fault:
    """What becomes of an answer.

    after: how many answers pass before this one, counted from the fault before. at: where in the answer, 0 to 1.
    stays: whether the connection stays open after an error or something foreign. foreign: one of FOREIGN. pause: after
    every tenth byte that drips, in seconds.
    """

    kind: Kind
    after: int = 0
    at: float = 0.5
    error: Error = PASSING[0]
    stays: bool = True
    foreign: int = 0
    pause: float = 0.02


Then = Literal["stay", "close", "reset", "silent"]


@dataclass
class Network:
    """Change `faults` between runs only. met: those that have been, each with the command whose answer it met."""

    backend: int
    port: int = 0
    faults: list[Fault] = field(default_factory=list)
    met: list[tuple[Fault, str]] = field(default_factory=list)
    connections: int = 0
    _passed: int = 0

    def start_with(self, faults: list[Fault]) -> None:
        self.faults, self.met, self.connections, self._passed = list(faults), [], 0, 0

    def _next(self, command: str) -> Fault | None:
        if not self.faults:
            return None
        if self._passed < self.faults[0].after:
            self._passed += 1
            return None
        self._passed = 0
        self.met.append((self.faults[0], command))
        return self.faults.pop(0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            async with connected(self.backend) as (answers, requests):
                command, request, commands = "greeting", b"", False
                while True:
                    fault = self._next(command)
                    if fault and fault.kind == "OK in place" and command.startswith(_SET):
                        fault = None
                    if fault and fault.kind in ("closed before", "error", "foreign protocol", "OK in place"):
                        given = Given([], request[3] + 1 if request else 0, command != "greeting")
                    else:
                        requests.write(request)
                        packets = await answer(answers, request[4] if commands else None)
                        given = Given(packets, packets[0][3], command != "greeting")
                        commands = commands or (command == "login" and packets[0][4] != 0xFE)
                    if not await _pass(given, fault, reader, writer):
                        return
                    if command == "greeting":
                        command = "login"
                    elif commands:
                        command = "command"
                    while True:
                        request = await read_packet(reader)
                        if not commands or request[4] not in _UNANSWERED:
                            break
                        requests.write(request)
                    if commands:
                        command = request[4:].decode(errors="replace")[:200]
        except (OSError, asyncio.IncompleteReadError):
            pass  # one side has given up on the other


_QUIT, _PREPARE, _LONG_DATA, _CLOSE = 1, 22, 24, 25
_SET = "\x03SET "
_UNANSWERED = (_QUIT, _LONG_DATA, _CLOSE)


@dataclass(frozen=True)
class Given:
    """What the server has answered, and the number of the packet that begins an answer."""

    packets: list[Packet]
    first: int
    with_state: bool


def packet(payload: bytes, number: int) -> Packet:
    return struct.pack("<I", len(payload) | (number & 0xFF) << 24) + payload


async def read_packet(reader: asyncio.StreamReader) -> Packet:
    head = await reader.readexactly(4)
    return head + await reader.readexactly(int.from_bytes(head[:3], "little"))


async def answer(reader: asyncio.StreamReader, command: int | None) -> list[Packet]:
    """Every packet of an answer. command: None while the two sides greet each other."""
    first = await read_packet(reader)
    packets = [first]
    if command is None or first[4] == 0xFF:
        return packets
    if command == _PREPARE:
        columns, parameters = struct.unpack_from("<HH", first, 9)
        packets += [await read_packet(reader) for _ in range(columns + bool(columns) + parameters + bool(parameters))]
        return packets
    if first[4] == 0:
        return packets
    packets += [await read_packet(reader) for _ in range(first[4] + 1)]  # less than 251 columns
    while True:
        packets.append(await read_packet(reader))
        if packets[-1][4] == 0xFF or _is_end(packets[-1]):
            return packets


def _is_end(one: Packet) -> bool:
    return one[4] == 0xFE and len(one) < 13


async def _pass(given: Given, fault: Fault | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Sends what a fault makes of an answer; whether the connection goes on."""
    if fault is None:
        writer.write(b"".join(given.packets))
        await writer.drain()
        return True
    data, then = mangled(given, fault)
    if fault.kind == "late":
        await asyncio.sleep(fault.at)
    if fault.kind == "drip":
        for i in range(len(data) - 1):
            writer.write(data[i : i + 1])
            await writer.drain()
            await asyncio.sleep(fault.pause if i % 10 == 0 and i < 500 else 0)
        data = data[-1:]
    writer.write(data)
    await writer.drain()
    if then == "reset":
        # With what the other side has not read yet.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if then == "silent":
        await reader.read()  # to the end: that the other side gives up
    return then == "stay"


def mangled(given: Given, fault: Fault) -> tuple[bytes, Then]:
    """The bytes that go out, and what becomes of the connection."""
    packets, whole = given.packets, b"".join(given.packets)
    at = int(fault.at * len(whole))
    stay: Then = "stay" if fault.stays else "close"
    match fault.kind:
        case "closed before" | "closed after":
            return b"", "close"
        case "cut":
            return whole[:at], "close"
        case "reset":
            return whole[:at], "reset"
        case "silent":
            return whole[:at], "silent"
        case "late" | "drip":
            return whole, "stay"
        case "error" | "error after":
            return fault.error.packet(given.first, given.with_state), stay
        case "error within":
            passed = packets[: int(fault.at * len(packets))]
            return b"".join(passed) + fault.error.packet(given.first + len(passed), given.with_state), stay
        case "short":
            rows = _rows(packets)
            kept = rows.start + int(fault.at * len(rows))
            if not rows or kept == rows.start:
                return whole, "stay"
            return b"".join(packets[:kept]) + packet(packets[-1][4:], packets[kept][3]), "stay"
        case "doubled byte":
            return whole[: at + 1] + whole[at:], "stay"
        case "doubled packet":
            one = packets[int(fault.at * len(packets))]
            return whole.replace(one, one + one, 1), "stay"
        case "lost packet":
            others = [i for i in range(len(packets)) if i not in _rows(packets)]
            lost = others[int(fault.at * len(others))]
            return b"".join(packets[:lost] + packets[lost + 1 :]), "stay"
        case "lost bytes":
            return whole[:at] + whole[at + 1 + len(whole[at:]) // 3 :], "stay"
        case "foreign bytes":
            return whole[:at] + FOREIGN[fault.foreign] + whole[at:], "stay"
        case "foreign protocol":
            return FOREIGN[fault.foreign], stay
        case "OK in place":
            return packet(b"\0\0\0\2\0\0\0", given.first), stay
        case "answered twice":
            return whole + whole, "stay"


def _rows(packets: list[Packet]) -> range:
    """Where the rows are in an answer; nowhere where it has none."""
    ends = [i for i, one in enumerate(packets) if _is_end(one)]
    return range(ends[0] + 1, ends[1]) if len(ends) == 2 and ends[1] == len(packets) - 1 else range(0)


@contextlib.contextmanager
def between(backend: int) -> Iterator[Network]:
    """A network that runs in a thread of its own."""
    network = Network(backend)
    with listening(network.serve) as network.port:
        yield network


def faults(kinds: tuple[Kind, ...], errors: tuple[Error, ...]) -> st.SearchStrategy[Fault]:
    return st.builds(
        Fault,
        kind=st.sampled_from(kinds),
        after=st.integers(0, 30),
        at=st.one_of(st.floats(0, 0.1), st.floats(0, 1, exclude_max=True)),  # most of an answer is rows
        error=st.sampled_from(errors),
        stays=st.booleans(),
        foreign=st.integers(0, len(FOREIGN) - 1),
    )


def shown(faults: list[Fault]) -> str:
    return json.dumps([asdict(fault) for fault in faults])
