"""User and password are what the Secret holds, to the byte, but for one final newline."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from lindorm_import.adapters.login import read_login
from lindorm_import.domain.observed import Login
from lindorm_import.domain.trouble import TroubleError

CASES = json.loads((Path(__file__).parents[1] / "data" / "secrets.json").read_text(encoding="utf-8"))


def secret(**values: bytes) -> dict[str, str | bytes]:
    return {key.replace("_", "."): base64.b64encode(value).decode() for key, value in values.items()}


def refusal(**values: bytes) -> Any:
    with pytest.raises(TroubleError) as caught:
        read_login(secret(**values), "Secret lindorm in namespace default")
    return caught.value


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["name"])
def test_only_one_final_newline_is_taken_off_user_and_password(case: dict[str, str]) -> None:
    file = case["file"].encode()
    login = read_login(secret(username=file, password=file), "Secret")
    assert login == Login(case["value"], case["value"])


def test_a_secret_that_is_not_utf_8_is_named_and_not_shown() -> None:
    told = refusal(username=b"reader", password=b"pass\xe9word")
    assert (told.trouble.reason, told.__cause__) == ("SecretUnusable", None)
    assert "password in Secret lindorm in namespace default is not text in UTF-8" in told.trouble.message
    assert "word:" not in told.trouble.message


@pytest.mark.parametrize("values", [{"username": b"reader"}, {"username": b"reader", "password": b"\n"}])
def test_a_secret_without_a_password_says_so(values: dict[str, bytes]) -> None:
    assert refusal(**values).trouble.message == "Secret lindorm in namespace default has no password"


def test_a_certificate_with_names_in_its_comments_is_kept_as_it_is() -> None:
    login = read_login(secret(username=b"u", password=b"p", ca_crt="# Zürich\n".encode()), "Secret")
    assert login.ca == "# Zürich\n"
