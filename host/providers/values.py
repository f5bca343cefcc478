"""Configuration values, which are all strings: what each may be is said once, with its name, and read from a binding's
values with an error that names it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Generic, Self, TypeVar

from host.logs import printable
from host.providers.base import ProviderError, reason

_N = TypeVar("_N", int, float)


class ValueName(str):
    """The name of a value, and what it is if it is not given: "" where that is nothing.

    A name is a string, and stands as one in `Provider.value_names`, as a key, and in errors.
    """

    __slots__ = ("default",)
    default: str

    def __new__(cls, name: str, default: str = "") -> Self:
        made = super().__new__(cls, name)
        made.default = default
        return made


class RangeName(str, Generic[_N]):
    """The name of a value that is a number from `low` to `high`, and its default."""

    __slots__ = ("default", "high", "low")
    default: _N
    low: _N
    high: _N

    def __new__(cls, name: str, default: _N, low: _N, high: _N) -> Self:
        made = super().__new__(cls, name)
        made.default, made.low, made.high = default, low, high
        return made


class TextValue(ValueName):
    """The name of a value that may be any text."""

    __slots__ = ()

    def of(self, values: Mapping[str, str]) -> str:
        """The text among these values, or the default."""
        return values.get(self, self.default)


class ChoiceValue(str):
    """The name of a value that is one of `choices`; the first is the default, unless another one is said."""

    __slots__ = ("choices", "default")
    choices: tuple[str, ...]
    default: str

    def __new__(cls, name: str, *choices: str, default: str | None = None) -> Self:
        made = super().__new__(cls, name)
        made.choices = choices
        made.default = choices[0] if default is None else default
        return made

    def of(self, values: Mapping[str, str]) -> str:
        """The choice among these values, or the default. Raises ProviderError."""
        text = values.get(self)
        if text is None:
            return self.default
        if text not in self.choices:
            raise ProviderError(f"{self} must be one of {', '.join(self.choices)}, not '{printable(text)}'")
        return text


class IntegerValue(RangeName[int]):
    """The name of a value that is an integer, from `low` to `high`. A default outside of these is no such integer, and
    stands for a value that is not given."""

    __slots__ = ()

    def of(self, values: Mapping[str, str]) -> int:
        """The integer among these values, or the default. Raises ProviderError."""
        text = values.get(self)
        if text is None:
            return self.default
        # A longer text cannot be in any range here, and int() is slow and limited on long ones.
        if len(text) <= 20 and text.isascii() and text.isdecimal() and self.low <= int(text) <= self.high:
            return int(text)
        raise ProviderError(f"{self} must be an integer from {self.low} to {self.high}, not '{printable(text)}'")


def checked_file(name: str, path: str) -> Path:
    """The regular file that the value `name` is the path of. Raises ProviderError: reading others might never end."""
    try:
        is_file = Path(path).is_file()
    except (OSError, ValueError) as error:
        raise unusable_file(name, path, error) from error
    if not is_file:
        raise ProviderError(f"{name}: {printable(path)} is no file")
    return Path(path)


def unusable_file(name: str, path: str, error: Exception) -> ProviderError:
    """The error of a value that is the path of a file with which this went wrong."""
    return ProviderError(f"{name}: {printable(path)}: {reason(error)}")


def file_content(name: str, path: str, max_bytes: int) -> bytes:
    """What the file holds that the value `name` is the path of. Raises ProviderError."""
    try:
        with checked_file(name, path).open("rb") as opened:
            content = opened.read(max_bytes + 1)
    except OSError as error:
        raise unusable_file(name, path, error) from error
    if len(content) > max_bytes:
        raise ProviderError(f"{name}: {printable(path)} is longer than {max_bytes} bytes")
    return content
