"""File names of ids: readable, safe, and one for each id."""

from __future__ import annotations

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.providers.base import ProviderError
from host.providers.blobstore.names import file_name, id_of

IDS = st.text(max_size=40) | st.text(alphabet="./\\%A0~aé\u0301\u0307=\0 ", max_size=12)


@pytest.mark.parametrize(
    ("blob_id", "name"),
    [
        ("photo.jpg", "photo.jpg"),
        ("Report (final) 2020.pdf", "Report (final) 2020.pdf"),
        ("übersicht", "übersicht"),
        ("日本語", "日本語"),
        ("e\u0301", "e%CC%81"),
        ("a/b", "a%2Fb"),
        ("..", "%2E."),
        (".", "%2E"),
        (".wascc-uploads", "%2Ewascc-uploads"),
        ("a.b..", "a.b.."),
        ("100%", "100%25"),
        ("a\0b", "a%00b"),
        ("\\\\host\\c$", "%5C%5Chost%5Cc$"),
        ("\u202eexe", "%E2%80%AEexe"),
        ("/\u0307", "%2F%CC%87"),
    ],
)
def test_names_that_are_known(blob_id: str, name: str) -> None:
    assert file_name(blob_id) == name.encode()
    assert id_of(name.encode()) == blob_id


@given(IDS)
def test_a_name_gives_its_id_back_and_stays_in_its_folder(blob_id: str) -> None:
    try:
        name = file_name(blob_id)
    except ProviderError:
        assert not blob_id or len(blob_id) > 20
        return
    assert id_of(name) == blob_id
    assert len(name) <= 255
    assert not name.startswith(b".")
    assert not set(b'/\\\0\n:*?"<>|') & set(name)
    text = name.decode()
    assert text.isprintable() or not text.isascii()
    assert normalize("NFC", text) == text


@given(IDS, IDS)
def test_different_ids_stay_different_in_any_normal_form(one: str, other: str) -> None:
    try:
        names = {normalize("NFD", file_name(each).decode()) for each in (one, other)}
    except ProviderError:
        return
    assert len(names) == len({one, other})


@pytest.mark.parametrize(
    "name", [b"", b".", b"..", b".x", b"%41", b"%2f", b"%zz", b"%", b"a/b", b"\xff", b"%FF", "e\u0301".encode()]
)
def test_names_that_stand_for_nothing(name: bytes) -> None:
    assert id_of(name) is None


@given(st.binary(max_size=30))
def test_any_bytes_are_the_name_of_one_id_or_none(name: bytes) -> None:
    blob_id = id_of(name)
    assert blob_id is None or file_name(blob_id) == name


def test_ids_that_are_too_long() -> None:
    assert len(file_name("x" * 255)) == 255
    for blob_id in ("x" * 256, "/" * 86, "é" * 128):
        with pytest.raises(ProviderError, match=r"^the id '.*…' makes a file name of \d+ bytes; at most 255$"):
            file_name(blob_id)
