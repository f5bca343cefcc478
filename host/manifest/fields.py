"""Types of manifest fields that several sections use, and values of bindings that stand for a secret kept elsewhere.

Plain YAML and JSON values come as text, lists, mappings, None and `NotText`; a field of another type is read by one of
the types here, which also take the Python value itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError, PydanticKnownError

from host.errors import ManifestValueError
from host.files import open_regular_file
from host.logs import printable
from host.manifest.text import NotText
from host.redaction import Secret, secrets

_WHOLE = re.compile(r"[-+]?[0-9]+")

MAX_SECRET_BYTES = 64 * 1024
"""Longest file or environment variable that a value may come from."""

UNACCEPTABLE = "unacceptable"
"""The kind of the errors that `unacceptable` makes."""


def unacceptable(text: str) -> PydanticCustomError:
    """What a validator of a field raises: the error goes on with `text`, which must not repeat the value."""
    return PydanticCustomError(UNACCEPTABLE, "{text}", {"text": text})


class Entry(BaseModel):
    """Base of the sections of a manifest: no field that is not declared, no conversion, no change afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _none_is_empty(value: object) -> object:
    return {} if value is None else value


def _plain(value: object) -> object:
    """The number or truth value that is written there, without quotes or as the text that a variable becomes."""
    if isinstance(value, NotText):
        return next((plain for plain in (value.truth, value.number) if plain is not None), value)
    if value in ("true", "false"):
        return value == "true"
    if isinstance(value, str):
        with suppress(ValueError):
            return int(value) if _WHOLE.fullmatch(value) else float(value)
    return value


UNQUOTED = BeforeValidator(_plain)
"""For a field that holds a number or a truth value. It comes last: `Annotated[int, Field(ge=1), UNQUOTED]`."""
Truth = Annotated[bool, UNQUOTED]
Texts = Annotated[dict[str, str], BeforeValidator(_none_is_empty)]
"""A field that holds texts by name; null is as good as none."""


class FromEnvironment(Entry):
    """A value that is the content of an environment variable of the host."""

    env: str = Field(min_length=1, description="Name of the environment variable.")


class FromFile(Entry):
    """A value that is the content of a file, without a line end at its end."""

    file: str = Field(min_length=1, description="The file, relative to the manifest's folder.")


Reference = FromEnvironment | FromFile


def _text_or_reference(value: object, handler: ValidatorFunctionWrapHandler) -> object:
    """Choose by the form, so that errors are about the form that was meant."""
    if isinstance(value, Mapping):
        return (FromFile if "file" in value and "env" not in value else FromEnvironment).model_validate(value)
    if isinstance(value, FromEnvironment | FromFile | str):
        return value
    raise PydanticKnownError("string_type")


Value = Annotated[str | FromEnvironment | FromFile, WrapValidator(_text_or_reference)]
Values = Annotated[dict[str, Value], BeforeValidator(_none_is_empty)]
"""The configuration values of a binding: texts, and references to secrets."""


def resolved(
    values: Mapping[str, str | Reference], folder: Path | None, environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The values with what they refer to as `Secret`s, which the process's redactor knows from then on.

    Files are looked for in `folder`, None is the current one; `environment` is the process's if it is None.
    Raises ManifestValueError, which names the value, the variable or file, and what is wrong; never the content.
    """
    variables = os.environ if environment is None else environment
    result: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, str):
            result[name] = value
            continue
        content = _variable(value, variables) if isinstance(value, FromEnvironment) else _content(value, folder)
        if isinstance(content, _Missing):
            raise ManifestValueError(f"the value {printable(name)} comes from {content.text}", content.fix)
        secrets.add(content)
        result[name] = Secret(content)
    return result


class _Missing:
    def __init__(self, text: str, fix: str) -> None:
        self.text = printable(text)
        self.fix = printable(fix)


def _variable(reference: FromEnvironment, variables: Mapping[str, str]) -> str | _Missing:
    where = f"the environment variable {reference.env}"
    text = variables.get(reference.env)
    if text is None:
        return _Missing(f"{where}, which is not set", f"export {reference.env}=…")
    if len(text.encode(errors="surrogatepass")) > MAX_SECRET_BYTES:
        return _Missing(f"{where}, which is longer than {MAX_SECRET_BYTES} bytes", "")
    return _without_line_end(text) if _is_text(text) else _Missing(f"{where}, which is not UTF-8 text", "")


def _content(reference: FromFile, folder: Path | None) -> str | _Missing:
    path = (folder or Path()) / reference.file
    where = f"the file {path}"
    try:
        with open_regular_file(path) as file:
            content = file.read(MAX_SECRET_BYTES + 1)
    except (OSError, ValueError) as error:
        return _Missing(f"{where}, which cannot be read: {why_unreadable(error)}", "")
    if len(content) > MAX_SECRET_BYTES:
        return _Missing(f"{where}, which is longer than {MAX_SECRET_BYTES} bytes", "")
    try:
        return _without_line_end(content.decode())
    except UnicodeDecodeError:
        return _Missing(f"{where}, which is not UTF-8 text", "")


def why_unreadable(error: OSError | ValueError) -> str:
    """What a file cannot be read for, without its name."""
    return error.strerror if isinstance(error, OSError) and error.strerror else "its name is impossible"


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _without_line_end(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")
