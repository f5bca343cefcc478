"""Key files: where seeds are kept, and how an option of a command names a key.

A key file holds a seed and nothing else, is readable by its owner only, and is called `<name>_<kind>.nk`.
Protocol: docs/wascap.md#keys
"""

from __future__ import annotations

import os
from pathlib import Path

from wascap.errors import FileError, WascapError
from wascap.nkeys import KeyPair

SUFFIX = ".nk"
DIRECTORY_VARIABLE = "WASCC_KEYS"


def default_directory() -> Path:
    """$WASCC_KEYS, or ~/.wascc/keys. Raises FileError where there is neither."""
    configured = os.environ.get(DIRECTORY_VARIABLE)
    try:
        return Path(configured) if configured else Path.home() / ".wascc" / "keys"
    except RuntimeError as error:
        raise FileError(f"this user has no home directory; {DIRECTORY_VARIABLE} may name the folder of keys") from error


def key_file_name(name: str, key: KeyPair) -> str:
    """`<name>_<kind>.nk`"""
    return f"{name}_{key.key_type.name.lower()}{SUFFIX}"


def save(key: KeyPair, path: Path) -> None:
    """Write the seed of a key to a new file that only its owner may read. Raises FileError, also if it exists."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise FileError(f"{path} exists already; a key is never overwritten") from error
    except OSError as error:
        raise FileError(str(error)) from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(key.seed + "\n")


def list_keys(directory: Path) -> list[tuple[str, KeyPair | WascapError]]:
    """Name and key of every key file in a directory, in the order of their names; the error for one that is broken.

    Raises FileError if the directory cannot be read.
    """
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix == SUFFIX)
    except OSError as error:
        raise FileError(str(error)) from error
    found: list[tuple[str, KeyPair | WascapError]] = []
    for path in paths:
        try:
            found.append((path.name, KeyPair.from_file(path)))
        except WascapError as error:
            found.append((path.name, error))
    return found


def find_key(text: str, directory: Path | None = None) -> KeyPair:
    """The key that a text names: a key file, a name in the key directory, a seed, or a public key.

    Raises WascapError.
    """
    path = Path(text)
    if path.is_file():
        return KeyPair.from_file(path)
    named = (directory or default_directory()) / (text if text.endswith(SUFFIX) else text + SUFFIX)
    if os.sep not in text and named.is_file():
        return KeyPair.from_file(named)
    looks_like_text = text.isalnum() and text.isupper()
    if looks_like_text and text.startswith("S"):
        return KeyPair.from_seed(text)
    if looks_like_text:
        return KeyPair.from_public_key(text)
    raise FileError(f"no key file {text} (nor {named})")
