"""Reading configuration values, which are all strings, with an error that names the value."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from host.logs import printable
from host.providers.base import ProviderError, reason


def integer_value(values: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """The value as an integer of `low` to `high`, or the default. Raises ProviderError."""
    text = values.get(name)
    if text is None:
        return default
    # A longer text cannot be in any range here, and int() is slow and limited on long ones.
    if len(text) <= 20 and text.isascii() and text.isdecimal() and low <= int(text) <= high:
        return int(text)
    raise ProviderError(f"{name} must be an integer from {low} to {high}, not '{printable(text)}'")


def choice_value(values: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """The value, one of `choices`, the first of which is the default. Raises ProviderError."""
    text = values.get(name, choices[0])
    if text not in choices:
        raise ProviderError(f"{name} must be one of {', '.join(choices)}, not '{printable(text)}'")
    return text


def file_content(name: str, path: str, max_bytes: int) -> bytes:
    """What the file holds that the value `name` is the path of. Raises ProviderError; only regular files are read."""
    try:
        if not Path(path).is_file():
            raise ProviderError(f"{name}: {printable(path)} is no file")
        with Path(path).open("rb") as opened:
            content = opened.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else reason(error)
        raise ProviderError(f"{name}: {printable(path)}: {why}") from error
    if len(content) > max_bytes:
        raise ProviderError(f"{name}: {printable(path)} is longer than {max_bytes} bytes")
    return content
