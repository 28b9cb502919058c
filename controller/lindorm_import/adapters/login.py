"""What the Secret of an import holds. Pure."""

import base64
import re
from collections.abc import Mapping

from lindorm_import.domain.observed import Login
from lindorm_import.domain.trouble import Trouble, TroubleError

_FINAL_NEWLINE = re.compile(r"\r?\n\Z")


def read_login(data: Mapping[str, str | bytes], where: str) -> Login:
    """User, password and CA certificate of a Secret's data (base64). where: 'Secret lindorm in namespace default'.

    One final newline is taken off user and password, as an editor leaves it; all other white space is part of them. The
    job reads its files likewise (tests/data/secrets.json). Raises TroubleError.
    """
    values = {key: _text(data[key], key, where) for key in ("username", "password") if data.get(key)}
    missing = [key for key in ("username", "password") if not values.get(key)]
    if missing:
        raise TroubleError(Trouble("SecretIncomplete", f"{where} has no {' and no '.join(missing)}"))
    # Whoever uses the certificate says what is wrong with it.
    ca = base64.b64decode(data["ca.crt"]).decode(errors="replace") if data.get("ca.crt") else None
    return Login(values["username"], values["password"], ca)


def _text(encoded: str | bytes, key: str, where: str) -> str:
    try:
        return _FINAL_NEWLINE.sub("", base64.b64decode(encoded).decode())
    except UnicodeDecodeError:
        # Not the error itself: it holds the bytes.
        trouble = Trouble("SecretUnusable", f"{key} in {where} is not text in UTF-8: write it again as such")
        raise TroubleError(trouble) from None
