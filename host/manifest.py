"""Manifests: what a host is to run, as a file. Fields and rules: `docs/host.md`, section "Manifest"."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError
from pydantic_core import ErrorDetails

from host.entities import DEFAULT_BINDING
from host.errors import HostError, InputOutputError
from host.logs import printable
from host.manifest_text import Document, Form, NotText, Problem, UnreadableText, read, write_yaml

MAX_MANIFEST_BYTES = 1024 * 1024
"""Longest manifest file that is read."""
MAX_SHOWN_PROBLEMS = 100
"""How many problems the text of an error shows."""

_YAML_SUFFIXES = {".yaml", ".yml", ""}


class ManifestError(HostError):
    """A manifest says something that it cannot mean; `problems` lists everything that is wrong with `file`."""

    def __init__(self, file: str, problems: tuple[Problem, ...]) -> None:
        lines = [_shown(file, problem) for problem in problems[:MAX_SHOWN_PROBLEMS]]
        if len(problems) > MAX_SHOWN_PROBLEMS:
            lines.append(f"and {len(problems) - MAX_SHOWN_PROBLEMS} more problems")
        super().__init__("\n".join(lines))
        self.file = file
        self.problems = problems


def _shown(file: str, problem: Problem) -> str:
    line = "" if problem.line is None else f", line {problem.line}"
    return printable(f"{file}{line}: {problem.field_name or 'the manifest'} {problem.text}")


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _none_is_empty(value: object) -> object:
    return {} if value is None else value


_Texts = Annotated[dict[str, str], BeforeValidator(_none_is_empty)]


class CapabilityEntry(_Entry):
    """A provider: what it is found by, and the name under which actors are bound to it."""

    path: str
    binding_name: str | None = None

    @property
    def binding(self) -> str:
        """The name of the binding, the default one if none is given."""
        return DEFAULT_BINDING if self.binding_name is None else self.binding_name


class BindingEntry(_Entry):
    """A binding of an actor (a public key) to a provider (a capability id and a binding name)."""

    actor: str
    capability: str
    binding: str | None = None
    values: _Texts = Field(default_factory=dict, repr=False)

    @property
    def binding_name(self) -> str:
        """The name of the binding, the default one if none is given."""
        return DEFAULT_BINDING if self.binding is None else self.binding


class Manifest(_Entry):
    """Labels, actors, capabilities and bindings for a host, applied in that order.

    `folder` is where the manifest's file lies, None if it came from no file; files in it are looked for there first.
    """

    labels: _Texts = Field(default_factory=dict)
    actors: list[str]
    capabilities: list[CapabilityEntry]
    bindings: list[BindingEntry]
    _folder: Path | None = PrivateAttr(None)

    @property
    def folder(self) -> Path | None:
        """Where the manifest's file lies."""
        return self._folder

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], *, expand_env: bool = False) -> Self:
        """The manifest in a file: YAML if its name ends in .yaml, .yml or has no ending, JSON otherwise.

        With `expand_env`, environment variables named in texts are replaced. Raises InputOutputError, ManifestError.
        """
        file = Path(path)
        try:
            with file.open("rb") as opened:
                content = opened.read(MAX_MANIFEST_BYTES + 1)
        except (OSError, ValueError) as error:
            raise InputOutputError(str(error)) from error
        if len(content) > MAX_MANIFEST_BYTES:
            raise ManifestError(str(file), (Problem((), None, f"is longer than {MAX_MANIFEST_BYTES} bytes"),))
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ManifestError(str(file), (Problem((), None, "is not UTF-8 text"),)) from None
        form: Form = "yaml" if file.suffix.lower() in _YAML_SUFFIXES else "json"
        manifest = cls.from_text(text, form, name=str(file), variables=os.environ if expand_env else None)
        manifest._folder = file.parent
        return manifest

    @classmethod
    def from_text(
        cls, text: str, form: Form = "yaml", *, name: str = "manifest", variables: Mapping[str, str] | None = None
    ) -> Self:
        """The manifest in a text; errors call it `name`. With `variables`, those named in texts are replaced.

        Raises ManifestError.
        """
        try:
            document = read(text, form, variables)
        except UnreadableText as error:
            raise ManifestError(name, (error.problem,)) from None
        problems = list(document.problems)
        try:
            manifest = cls.model_validate(document.value)
        except ValidationError as error:
            # Not chained: the library's error shows the values, which may be secret.
            details = error.errors(include_url=False, include_context=False)
            problems += [_problem(document, detail) for detail in details]
        if problems:
            raise ManifestError(name, tuple(sorted(problems, key=lambda problem: problem.line or 0)))
        return manifest

    def to_yaml(self) -> str:
        """The manifest as YAML, fields in their order, what is unset left out."""
        return write_yaml(self._fields())

    def to_json(self) -> str:
        """The manifest as JSON, fields in their order, what is unset left out."""
        return json.dumps(self._fields(), indent=2, ensure_ascii=False)

    def _fields(self) -> dict[str, Any]:
        fields = self.model_dump(exclude_none=True)
        if not fields["labels"]:
            del fields["labels"]
        for binding in fields["bindings"]:
            if not binding["values"]:
                del binding["values"]
        return fields


_TEXTS = {
    "missing": "is missing",
    "extra_forbidden": "is not a field that manifests have",
    "string_type": "must be text",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
}
"""What is wrong, by the validation library's name for it."""


def _problem(document: Document, detail: ErrorDetails) -> Problem:
    path = detail["loc"]
    text = _TEXTS.get(detail["type"], f"cannot be taken ({detail['type']})")
    if isinstance(detail["input"], NotText) and detail["type"] != "extra_forbidden":
        text = f"{text}, not a {detail['input'].kind}; put it in quotes if it is meant as text"
    return Problem(path, document.line_of(path), text)
