"""The sections of a manifest, and how one is read from a file. Fields and rules: `docs/manifest.md`."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError
from pydantic_core import ErrorDetails

from host.actor_settings import LIMITS, MAX_INSTANCES, MAX_WAITING, ActorSettings
from host.entities import DEFAULT_BINDING
from host.errors import HostError, InputOutputError
from host.logs import printable
from host.manifest.fields import UNACCEPTABLE, UNQUOTED, Entry, Texts, Values
from host.manifest.policy import PolicyEntry
from host.manifest.text import Document, Form, NotText, Problem, UnreadableText, read, write_yaml
from host.manifest.wasi import WasiEntry

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


def _within(limit: str) -> Any:
    least, greatest = LIMITS[limit]
    return Field(ge=least, le=greatest)


class LimitsEntry(Entry):
    """What each call of an actor may use, where that is not as for all actors of the host."""

    fuel: Annotated[int, _within("fuel"), UNQUOTED] | None = Field(
        default=None, description="Units of fuel: entries of functions and taken backward branches."
    )
    deadline_seconds: Annotated[float, _within("deadline_seconds"), UNQUOTED] | None = Field(
        default=None, description="Seconds."
    )
    max_memory_pages: Annotated[int, _within("max_memory_pages"), UNQUOTED] | None = Field(
        default=None, description="Pages of 64 KiB of its memories together."
    )
    max_table_elements: Annotated[int, _within("max_table_elements"), UNQUOTED] | None = Field(
        default=None, description="Elements of its tables."
    )
    max_heap_fields: Annotated[int, _within("max_heap_fields"), UNQUOTED] | None = Field(
        default=None, description="Fields of its structures and arrays."
    )
    max_call_depth: Annotated[int, _within("max_call_depth"), UNQUOTED] | None = Field(
        default=None, description="How deep its functions may call."
    )


class ActorEntry(Entry):
    """An actor: the file of its module, and how it runs. A text alone is the file."""

    path: str = Field(
        description="The signed module, looked for beside the manifest, then in the current folder; if it is no "
        "file, a reference to one in an OCI registry."
    )
    instances: Annotated[int, Field(ge=1, le=MAX_INSTANCES), UNQUOTED] = Field(
        default=1, description="How many calls it handles at a time."
    )
    max_waiting: Annotated[int, Field(ge=0, le=MAX_WAITING), UNQUOTED] | None = Field(
        default=None, description="How many more calls may wait; the host's number if it is not given."
    )
    wait_seconds: Annotated[float, _within("deadline_seconds"), UNQUOTED] | None = Field(
        default=None, description="For how many seconds each may wait; as long as the host says if it is not given."
    )
    limits: LimitsEntry = Field(
        default=LimitsEntry(), description="Limits of each call; the host's where one is not given."
    )

    @property
    def settings(self) -> ActorSettings:
        """How it runs."""
        limits = self.limits.model_dump(exclude_none=True)
        return ActorSettings(self.instances, self.max_waiting, self.wait_seconds, limits)


def _path_alone(value: object) -> object:
    return value if isinstance(value, dict | ActorEntry) else {"path": value}


class MiddlewareEntry(Entry):
    """A middleware, which runs around every call."""

    name: str = Field(description="Name of an entry point of the group `wascc.middleware`, or `module:name`.")
    values: Values = Field(
        default_factory=dict,
        repr=False,
        description="Configuration for the middleware: texts (numbers need quotes), and references to secrets.",
    )


class CapabilityEntry(Entry):
    """A provider: what it is found by, and the name under which actors are bound to it."""

    path: str = Field(
        description="Capability id with an embedded provider, name of an entry point, Python file, `module:Class`, "
        "signed WebAssembly module or provider archive (a file, or a reference to one in an OCI registry)."
    )
    binding_name: str | None = Field(default=None, description="Name of the binding; `default` if none is given.")
    wasi: WasiEntry | None = Field(
        default=None, description="What a WebAssembly module, also that of an archive, gets of the system."
    )

    @property
    def binding(self) -> str:
        """The name of the binding, the default one if none is given."""
        return DEFAULT_BINDING if self.binding_name is None else self.binding_name


class BindingEntry(Entry):
    """A binding of an actor (a public key) to a provider (a capability id and a binding name)."""

    actor: str = Field(description="Public key of the actor.")
    capability: str = Field(description="Capability id.")
    binding: str | None = Field(default=None, description="Name of the binding; `default` if none is given.")
    values: Values = Field(
        default_factory=dict,
        repr=False,
        description="Configuration for the provider: texts (numbers need quotes), and references to secrets.",
    )

    @property
    def binding_name(self) -> str:
        """The name of the binding, the default one if none is given."""
        return DEFAULT_BINDING if self.binding is None else self.binding


class Manifest(Entry):
    """Labels, middleware, actors, capabilities and bindings for a host, applied in that order.

    `folder` is where the manifest's file lies, None if it came from no file; files in it are looked for there first.
    """

    labels: Texts = Field(default_factory=dict, description="Labels of the host; one that it has stays as it is.")
    policy: PolicyEntry | None = Field(default=None, description="Whom the host trusts; without it, whoever signed.")
    middleware: list[MiddlewareEntry] = Field(
        default_factory=list, description="What runs around every call, outermost first."
    )
    actors: list[Annotated[ActorEntry, BeforeValidator(_path_alone, json_schema_input_type=str | ActorEntry)]] = Field(
        description="Actors. A text alone is the `path` of one."
    )
    capabilities: list[CapabilityEntry] = Field(description="Providers.")
    bindings: list[BindingEntry] = Field(description="Which actor may use which provider, and how it is configured.")
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
        else:
            problems += manifest._bindings_given_twice(document)
        if problems:
            raise ManifestError(name, tuple(sorted(problems, key=lambda problem: problem.line or 0)))
        return manifest

    def _bindings_given_twice(self, document: Document) -> Iterator[Problem]:
        first: dict[tuple[str, str, str], int] = {}
        for index, binding in enumerate(self.bindings):
            earlier = first.setdefault((binding.actor, binding.capability, binding.binding_name), index)
            if earlier != index:
                path = ("bindings", index)
                yield Problem(path, document.line_of(path), f"is the same binding as bindings[{earlier}]")

    def to_yaml(self) -> str:
        """The manifest as YAML, fields in their order, what is unset left out."""
        return write_yaml(self._fields())

    def to_json(self) -> str:
        """The manifest as JSON, fields in their order, what is unset left out."""
        return json.dumps(self._fields(), indent=2, ensure_ascii=False)

    def _fields(self) -> dict[str, Any]:
        fields = self.model_dump(exclude_none=True, exclude_defaults=True)
        fields["actors"] = [_without_defaults(actor) for actor in self.actors]
        return fields


def _without_defaults(actor: ActorEntry) -> str | dict[str, Any]:
    fields = actor.model_dump(exclude_defaults=True)
    return actor.path if len(fields) == 1 else fields


_TEXTS = {
    "missing": "is missing",
    "extra_forbidden": "is not a field that manifests have",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "string_too_short": "must not be empty",
}
"""What is wrong, by the validation library's name for it."""

_SAYS_WHAT_IS_ALLOWED = re.compile(r"\w+ should ")
"""How the library's texts begin that name the range or the choices, and not the value."""


def _problem(document: Document, detail: ErrorDetails) -> Problem:
    path = detail["loc"]
    if path not in document.lines and detail["type"] != "missing":
        # What is written without a mapping around it is the path of an actor.
        path = path[:-1]
    bounds = {name: _without_fraction(bound) for name, bound in detail.get("ctx", {}).items()}
    text = _TEXTS.get(detail["type"], "").format(**bounds) or _said(detail)
    if isinstance(detail["input"], NotText) and detail["type"] == "string_type":
        text = f"{text}, not a {detail['input'].kind}; put it in quotes if it is meant as text"
    return Problem(path, document.line_of(path), text)


def _without_fraction(bound: object) -> object:
    """A whole number as people write it, also where the library has made a float of it."""
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound


def _said(detail: ErrorDetails) -> str:
    if detail["type"] == UNACCEPTABLE:
        return detail["msg"]
    text, known = _SAYS_WHAT_IS_ALLOWED.subn("must ", detail["msg"], count=1)
    return text if known else f"cannot be taken ({detail['type']})"
