"""How a password is checked: the plugins of MySQL's protocol, those that Lindorm has and those of hostile servers.

Lindorm's users made before 2.6.2 have caching_sha2_password only, later ones mysql_native_password too
(https://alibabacloud.com/help/en/lindorm/latest/mysql-protocol-development-instructions). The exchanges:
https://dev.mysql.com/doc/dev/mysql-server/latest/page_caching_sha2_authentication_exchanges.html.
"""

from __future__ import annotations

import hashlib
from functools import cache
from itertools import cycle
from typing import Protocol

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

PLUGINS = ("mysql_native_password", "caching_sha2_password", "sha256_password", "mysql_clear_password")
_FAST_IS_ENOUGH, _FULL_LOGIN, _WANTS_KEY = b"\x01\x03", b"\x01\x04", (b"\x01", b"\x02")


class Client(Protocol):
    """The client in the middle of a login."""

    encrypted: bool
    knows_password: bool  # whether caching_sha2_password has the password from an earlier login

    def send(self, payload: bytes) -> None: ...

    def read(self) -> bytes: ...

    def told_password(self) -> None:
        """The password has just been received in a form that can be read."""


def password_is_right(client: Client, plugin: str, password: bytes, nonce: bytes, answer: bytes) -> bool:
    """Continues with a login by a plugin; answer: what the client sent first, for this plugin and nonce."""
    match plugin:
        case "mysql_native_password":
            return matches_native(answer, nonce, _sha1(_sha1(password)))
        case "mysql_clear_password":
            if answer:
                client.told_password()
            return answer == password + b"\0"
        case "caching_sha2_password":
            if client.knows_password and answer == _xor(_sha256(password), _sha256(_sha256(_sha256(password)) + nonce)):
                client.send(_FAST_IS_ENOUGH)
                return True
            client.send(_FULL_LOGIN)
            answer = client.read()
    given = _readable(client, nonce, answer)
    client.knows_password = client.knows_password or given == password + b"\0"
    return given == password + b"\0"


def _readable(client: Client, nonce: bytes, answer: bytes) -> bytes:
    """The password itself: as it is where the connection is encrypted, else with this server's public key."""
    if not client.encrypted:
        if answer not in _WANTS_KEY:
            return b""
        key = _key().public_key()
        pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        client.send(b"\x01" + pem)
        oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303 (the protocol's)
        try:
            answer = _xor(_key().decrypt(client.read(), oaep), nonce)
        except ValueError:
            return b""
    if answer:
        client.told_password()
    return answer


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _xor(data: bytes, mask: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(data, cycle(mask), strict=False))


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()  # what mysql_native_password is made of


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def matches_native(answer: bytes, nonce: bytes, password_hash: bytes) -> bool:
    """mysql_native_password: the answer is SHA1(password) XOR SHA1(nonce + SHA1(SHA1(password)))."""
    return len(answer) == 20 and _sha1(_xor(answer, _sha1(nonce + password_hash))) == password_hash
