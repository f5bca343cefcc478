"""Reading configuration values, and the files that they name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from host.providers.base import ProviderError
from host.providers.client_tls import client_tls_context, client_tls_files
from host.providers.values import ChoiceValue, IntegerValue, TextValue, file_content


@given(st.text() | st.integers(-9, 40).map(str) | st.from_regex(r"\A[0-9]{1,30}\Z"))
def test_an_integer_is_one_of_the_range_in_plain_decimal_digits(text: str) -> None:
    number = IntegerValue("N", 5, 3, 30)
    if text.isascii() and text.isdecimal() and len(text) <= 20 and 3 <= int(text) <= 30:
        assert number.of({"N": text}) == int(text)
    else:
        with pytest.raises(ProviderError, match=r"^N must be an integer from 3 to 30, not '"):
            number.of({"N": text})
    assert number.of({}) == 5


def test_texts_and_choices() -> None:
    assert TextValue("T", "x").of({}) == "x"
    assert TextValue("T", "x").of({"T": ""}) == ""
    choice = ChoiceValue("C", "a", "b")
    assert (choice.of({}), choice.of({"C": "b"})) == ("a", "b")
    assert ChoiceValue("C", "a", "b", default="").of({}) == ""
    with pytest.raises(ProviderError, match=r"^C must be one of a, b, not ''$"):
        choice.of({"C": ""})


def test_names_of_values_are_strings() -> None:
    assert {TextValue("A"), IntegerValue("B", 0, 0, 1), ChoiceValue("C", "a")} == {"A", "B", "C"}
    assert f"{IntegerValue('B', 0, 0, 1)}" == "B"


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"12345")
    for path, why in (
        ("pipe", " is no file"), ("", " is no file"), ("none", " is no file"), ("x" * 300, ": File name too long"),
        ("file", " is longer than 4 bytes"),
    ):  # fmt: skip
        with pytest.raises(ProviderError) as caught:
            file_content("F", str(tmp_path / path), 4)
        assert str(caught.value) == f"F: {tmp_path / path}{why}"
    assert file_content("F", str(tmp_path / "file"), 5) == b"12345"
    with pytest.raises(ProviderError, match=r"^TLS_CA: .*pipe is no file$"):
        client_tls_files({"TLS_CA": str(tmp_path / "pipe")})


def test_a_key_that_is_encrypted_is_refused_and_nobody_is_asked_for_its_password(tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("client@example.com")
    certificate, path = tmp_path / "c.pem", tmp_path / "k.pem"
    issued.cert_chain_pems[0].write_to_path(certificate)
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    encryption = serialization.BestAvailableEncryption(b"sesame")
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(pem, form, encryption))
    files = client_tls_files({"TLS_CERTIFICATE": str(certificate), "TLS_KEY": str(path)})
    with pytest.raises(ProviderError, match=f"^TLS_CERTIFICATE: {certificate}: "):
        client_tls_context(files)
