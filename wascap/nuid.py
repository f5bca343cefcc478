"""NUIDs, the identifiers of tokens: 22 letters and digits."""

from __future__ import annotations

import secrets
import string

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_CHARACTERS = 22


def new_nuid() -> str:
    """A new identifier. All of it is random (131 bits), so it needs no state shared by threads or processes.

    Protocol: docs/wascap.md#claims
    """
    number = secrets.randbelow(len(_ALPHABET) ** _CHARACTERS)
    characters = []
    for _ in range(_CHARACTERS):
        number, index = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[index])
    return "".join(characters)
