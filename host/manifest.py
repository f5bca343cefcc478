"""Manifests: what a host is to run, as a file. Fields and rules: `docs/host.md`, section "Manifest"."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError
from pydantic_core import ErrorDetails

from host.actor_settings import LIMITS, MAX_INSTANCES, MAX_WAITING, ActorSettings
from host.entities import DEFAULT_BINDING
from host.errors import HostError, InputOutputError
from host.logs import printable
from host.manifest_text import Document, Form, NotText, Problem, UnreadableText, read, write_yaml

MAX_MANIFEST_BYTES = 1024 * 1024
"""Longest manifest file that is read."""
MAX_SHOWN_PROBLEMS = 100
"""How many problems the text of an error shows."""

_WHOLE = re.compile(r"[-+]?\d+")
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


def _as_number(value: object) -> object:
    """The number that is written there, as a number or as text, which is what a variable becomes."""
    if isinstance(value, NotText):
        return value if value.number is None else value.number
    if isinstance(value, str):
        with suppress(ValueError):
            return int(value) if _WHOLE.fullmatch(value) else float(value)
    return value


def _range_of(name: str) -> Any:
    least, greatest = LIMITS[name]
    return Field(default=None, ge=least, le=greatest)


_Whole = Annotated[int | None, BeforeValidator(_as_number)]
_Number = Annotated[float | None, BeforeValidator(_as_number)]


class LimitsEntry(_Entry):
    """What each call of an actor may use, where that is not as for all actors of the host."""

    fuel: _Whole = _range_of("fuel")
    deadline_seconds: _Number = _range_of("deadline_seconds")
    max_memory_pages: _Whole = _range_of("max_memory_pages")
    max_table_elements: _Whole = _range_of("max_table_elements")
    max_heap_fields: _Whole = _range_of("max_heap_fields")
    max_call_depth: _Whole = _range_of("max_call_depth")


class ActorEntry(_Entry):
    """An actor: the file of its module, and how it runs. A text alone is the file."""

    path: str
    instances: Annotated[int, BeforeValidator(_as_number)] = Field(default=1, ge=1, le=MAX_INSTANCES)
    max_waiting: _Whole = Field(default=None, ge=0, le=MAX_WAITING)
    wait_seconds: _Number = _range_of("deadline_seconds")
    limits: LimitsEntry = LimitsEntry()

    @property
    def settings(self) -> ActorSettings:
        """How it runs."""
        limits = self.limits.model_dump(exclude_none=True)
        return ActorSettings(self.instances, self.max_waiting, self.wait_seconds, limits)


def _path_alone(value: object) -> object:
    return value if isinstance(value, dict | ActorEntry) else {"path": value}


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
    actors: list[Annotated[ActorEntry, BeforeValidator(_path_alone)]]
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
            details = error.errors(include_url=False)
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
        fields["actors"] = [_without_defaults(actor) for actor in self.actors]
        for binding in fields["bindings"]:
            if not binding["values"]:
                del binding["values"]
        return fields


def _without_defaults(actor: ActorEntry) -> str | dict[str, Any]:
    fields = actor.model_dump(exclude_defaults=True)
    return actor.path if len(fields) == 1 else fields


_TEXTS = {
    "missing": "is missing",
    "extra_forbidden": "is not a field that manifests have",
    "string_type": "must be text",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
}
"""What is wrong, by the validation library's name for it."""


def _problem(document: Document, detail: ErrorDetails) -> Problem:
    path = detail["loc"]
    if path not in document.lines and detail["type"] != "missing":
        # What is written without a mapping around it is the path of an actor.
        path = path[:-1]
    text = _TEXTS.get(detail["type"], f"cannot be taken ({detail['type']})").format(**detail.get("ctx", {}))
    if isinstance(detail["input"], NotText) and detail["type"] == "string_type":
        text = f"{text}, not a {detail['input'].kind}; put it in quotes if it is meant as text"
    return Problem(path, document.line_of(path), text)
