"""File names of ids: readable, and each name stands for exactly one id.

ASCII letters and digits, a few signs, and what Unicode 3.2 calls letters, marks, numbers, punctuation or symbols stand
for themselves; every other character, and a dot at the beginning, is percent-encoded. A name is in Unicode normal form
C; where it would not be, all that is not ASCII is percent-encoded. The old version of Unicode is on purpose: it is the
same in every Python, and so are the names.
"""

from __future__ import annotations

from unicodedata import ucd_3_2_0
from urllib.parse import unquote_to_bytes

from host.logs import printable
from host.providers.base import ProviderError

MAX_NAME_BYTES = 255

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 !#$&'()+,-.;=@[]^_`{}~")
_PLAIN_CATEGORIES = "LMNPS"


def file_name(blob_id: str) -> bytes:
    """The file name of an id. Raises ProviderError for an empty id, and where the name is over MAX_NAME_BYTES."""
    if not blob_id:
        raise ProviderError("an id must not be empty")
    name = _encoded(blob_id, also_others=True)
    if ucd_3_2_0.normalize("NFC", name) != name:
        name = _encoded(blob_id, also_others=False)
    encoded = name.encode()
    if len(encoded) > MAX_NAME_BYTES:
        shown = printable(blob_id[:40])
        raise ProviderError(f"the id '{shown}…' makes a file name of {len(encoded)} bytes; at most {MAX_NAME_BYTES}")
    return encoded


def id_of(name: bytes) -> str | None:
    """The id whose file name this is; None for a name that stands for none."""
    try:
        blob_id = unquote_to_bytes(name).decode()
        return blob_id if file_name(blob_id) == name else None
    except (UnicodeDecodeError, ProviderError):
        return None


def _encoded(text: str, also_others: bool) -> str:
    parts = [each if _is_plain(each, also_others) else _percent(each) for each in text]
    if parts[0] == ".":
        parts[0] = _percent(".")
    return "".join(parts)


def _is_plain(character: str, also_others: bool) -> bool:
    if character.isascii():
        return character in _PLAIN
    return also_others and ucd_3_2_0.category(character)[0] in _PLAIN_CATEGORIES


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode())
