"""The controller's look at Lindorm: with and without TLS, and at a table that cannot be read. Against the stand-in."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lindorm_import.adapters.lindorm import look_at_source
from lindorm_import.adapters.lindorm_wire import Session
from lindorm_import.api.spec import Source
from lindorm_import.domain.observed import Login, SourceSeen
from lindorm_import.domain.trouble import Trouble, TroubleError
from lindorm_import.plan.mapping import map_table
from local.lindorm.controls import Controls
from local.lindorm.server import Server
from local.lindorm.store import Store
from local.lindorm.tls import tls_context
from tests.controller.factories import spec
from tests.controller.fakes import World

pytestmark = pytest.mark.slow


@contextmanager
def serving(folder: Path, tls: bool) -> Iterator[Server]:
    context = tls_context(folder / "tls") if tls else None
    with Server(0, Store(folder / "data"), Controls(), "reader", "secret", context) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lindorm")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serving(folder, tls=True) as server:
        yield server


def source(server: Server, mode: str, host: str = "localhost") -> Source:
    url = f"jdbc:mysql://{host}:{server.server_address[1]}/default"
    return spec(**{"source.url": url, "source.tls": {"mode": mode}}).source


def encrypted(server: Server, mode: str, ca: str | None = None, host: str = "localhost") -> bool:
    """Connects, looks, and says whether that was with TLS."""
    before = server.controls.counters.encrypted
    with Session(source(server, mode, host), Login("reader", "secret", ca)) as session:
        session.ask("SHOW TABLES", rows=100)
    return server.controls.counters.encrypted > before


def refusal(server: Server, mode: str, ca: str | None = None, host: str = "localhost") -> Any:
    with pytest.raises(TroubleError) as caught:
        Session(source(server, mode, host), Login("reader", "secret", ca))
    return caught.value.trouble


@pytest.mark.parametrize(("mode", "tls"), [("Disabled", False), ("Preferred", True), ("Required", True)])
def test_without_a_certificate_to_trust_the_mode_says_whether_it_is_encrypted(
    server: Server, mode: str, tls: bool
) -> None:
    assert encrypted(server, mode) is tls


def test_a_certificate_of_the_given_authority_is_taken(server: Server, folder: Path) -> None:
    ca = (folder / "tls/ca.crt").read_text()
    assert encrypted(server, "VerifyCA", ca)
    assert encrypted(server, "VerifyCA", ca, host="127.0.0.1")  # which the certificate does not name
    assert encrypted(server, "VerifyIdentity", ca)


def test_a_certificate_of_another_authority_is_refused(server: Server, tmp_path: Path) -> None:
    tls_context(tmp_path)
    told = refusal(server, "VerifyCA", (tmp_path / "ca.crt").read_text())
    assert told.reason == "LindormNotTrusted"
    assert "ca.crt" in told.message


def test_a_certificate_for_another_host_is_refused(server: Server, folder: Path) -> None:
    told = refusal(server, "VerifyIdentity", (folder / "tls/ca.crt").read_text(), host="127.0.0.1")
    assert told.reason == "LindormNotTrusted"
    assert "127.0.0.1" in told.message


@pytest.mark.parametrize(
    ("ca", "reason"), [(None, "SecretIncomplete"), ("", "SecretUnusable"), ("not PEM", "SecretUnusable")]
)
def test_a_missing_or_broken_certificate_to_trust_is_named(server: Server, ca: str | None, reason: str) -> None:
    told = refusal(server, "VerifyCA", ca)
    assert told.reason == reason
    assert "ca.crt" in told.message


def test_a_server_without_tls_serves_only_who_does_not_require_it(tmp_path: Path) -> None:
    with serving(tmp_path, tls=False) as plain:
        assert not encrypted(plain, "Preferred")
        told = refusal(plain, "Required")
        assert told.reason == "LindormWithoutTls"
        assert "source.tls" in told.message


@pytest.fixture(scope="module")
def hashed(server: Server) -> SourceSeen:
    with Session(source(server, "Disabled"), Login("reader", "secret")) as session:
        for table, key in (("hashed", "hash32(device), device, ts"), ("plain", "device, ts")):
            sql = f"CREATE TABLE {table} (device VARCHAR, ts TIMESTAMP, val DOUBLE, PRIMARY KEY ({key}))"
            session.ask(sql, rows=0)
    return look_at(server, "hashed")


def look_at(server: Server, table: str) -> SourceSeen:
    url = f"jdbc:mysql://localhost:{server.server_address[1]}/default"
    return look_at_source(spec(**{"source.url": url, "source.table": table}), Login("reader", "secret"), count=True)


def test_a_hashed_primary_key_is_seen_before_anything_is_read_by_it(server: Server, hashed: SourceSeen) -> None:
    assert hashed.key_hash == "hash32(device)"
    told = map_table(spec(), hashed)
    assert isinstance(told, Trouble)
    assert told.reason == "HashedKey"
    assert look_at(server, "plain").key_hash is None


def test_a_lindorm_without_show_create_table_is_read_as_one_without_hashes(server: Server, hashed: SourceSeen) -> None:
    server.controls.settings.show_create_table = False
    try:
        assert look_at(server, "plain") == SourceSeen(
            look_at(server, "plain").columns, hashed.primary_key, rows=0, key_hash=None
        )
    finally:
        server.controls.settings.show_create_table = True


def test_a_table_of_another_database_is_looked_at(server: Server) -> None:
    with Session(source(server, "Disabled"), Login("reader", "secret")) as session:
        session.ask("CREATE DATABASE plant", rows=0)
        session.ask("CREATE TABLE plant.other (a INTEGER, ts TIMESTAMP, PRIMARY KEY (a, ts))", rows=0)
    url = f"jdbc:mysql://localhost:{server.server_address[1]}/plant"
    wanted = spec(**{"source.url": url, "source.table": "other"})
    assert [c.name for c in look_at_source(wanted, Login("reader", "secret"), count=True).columns] == ["a", "ts"]


def test_the_condition_of_an_import_of_a_hashed_table_says_what_to_do(hashed: SourceSeen) -> None:
    world = World(source=lambda: hashed)
    world.apply()
    world.drive(lambda outcome: outcome.trouble is not None)
    condition = world.condition("SourceReady")
    assert (condition["status"], condition["reason"]) == ("False", "HashedKey")
    assert "hash32(device)" in condition["message"]
    assert "without the hash" in condition["message"]
