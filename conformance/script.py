"""Scripts of the test suite as typed commands.

A `.wast` file is converted by wasm-tools to JSON and binary modules; each object of the JSON becomes one frozen
command. A new kind of command is one more class in `COMMANDS`.

Source: WebAssembly/spec interpreter/README.md, "Scripts"; the JSON is that of `wasm-tools json-from-wast`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, TypeAdapter, ValidationError

from conformance.tools import ToolFailedError, wasm_tools


class ScriptError(ValueError):
    """The script cannot be read or converted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strict:
    """Base of all records of a script: a key that is not known is an error, so that nothing goes unchecked."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value(Strict):
    """A constant, or the pattern of a result: `value` is a number in decimal (floats: their bits), `nan:canonical`,
    `nan:arithmetic`, `null`, one text per lane of type `lane_type`, or None for any reference of the type."""

    type: str
    value: str | tuple[str, ...] | None = None
    lane_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Either(Strict):
    """The pattern of a result for which the specification allows several values."""

    type: Literal["either"] = "either"
    values: tuple[Value, ...]


def _result_tag(data: Any) -> str:
    return "either" if isinstance(data, dict) and data.get("type") == "either" else "value"


Expected = Annotated[Annotated[Value, Tag("value")] | Annotated[Either, Tag("either")], Discriminator(_result_tag)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoke(Strict):
    """Call the exported function `field` of the module named `module` (the current one if None)."""

    type: Literal["invoke"] = "invoke"
    field: str
    args: tuple[Value, ...] = ()
    module: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Get(Strict):
    """Read the exported global `field`."""

    type: Literal["get"] = "get"
    field: str
    module: str | None = None


Action = Annotated[Invoke | Get, Field(discriminator="type")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(Strict):
    """Base of all commands; `line` is the line in the script, from 1."""

    line: int
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleCommand(Command):
    """Base of the commands that hold a module. One of type "text" is kept as text, because what it is about is the
    text format; `binary_filename` is then its binary form, if it has one."""

    filename: str
    module_type: Literal["binary", "text"]
    binary_filename: str | None = None

    @property
    def is_text(self) -> bool:
        """Whether the module is given in the text format."""
        return self.module_type == "text"

    @property
    def binary(self) -> str | None:
        """The name of the file with the binary form of the module, or None."""
        return self.binary_filename if self.is_text else self.filename


@dataclass(frozen=True, slots=True, kw_only=True)
class Module(ModuleCommand):
    """Instantiate a module, which becomes the current one."""

    type: Literal["module"] = "module"
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleDefinition(ModuleCommand):
    """Compile a module without instantiating it."""

    type: Literal["module_definition"] = "module_definition"
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleInstance(Command):
    """Instantiate the module definition called `module`; the instance is called `instance`."""

    type: Literal["module_instance"] = "module_instance"
    instance: str | None = None
    module: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Register(Command):
    """Make the exports of the module `name` importable under the name `as_`."""

    type: Literal["register"] = "register"
    as_: Annotated[str, Field(alias="as")]
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionCommand(Command):
    """Do an action; its results do not matter."""

    type: Literal["action"] = "action"
    action: Action


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertReturn(Command):
    """An action gives the expected results."""

    type: Literal["assert_return"] = "assert_return"
    action: Action
    expected: tuple[Expected, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertTrap(Command):
    """An action traps."""

    type: Literal["assert_trap"] = "assert_trap"
    action: Action
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertExhaustion(Command):
    """An action exhausts a resource."""

    type: Literal["assert_exhaustion"] = "assert_exhaustion"
    action: Action
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertException(Command):
    """An action throws an exception that nothing catches."""

    type: Literal["assert_exception"] = "assert_exception"
    action: Action


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertInvalid(ModuleCommand):
    """A module is well-formed and does not validate."""

    type: Literal["assert_invalid"] = "assert_invalid"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertMalformed(ModuleCommand):
    """A module cannot be decoded."""

    type: Literal["assert_malformed"] = "assert_malformed"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertUnlinkable(ModuleCommand):
    """The imports of a module cannot be satisfied."""

    type: Literal["assert_unlinkable"] = "assert_unlinkable"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertUninstantiable(ModuleCommand):
    """The instantiation of a module traps."""

    type: Literal["assert_uninstantiable"] = "assert_uninstantiable"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertInvalidCustom(ModuleCommand):
    """A custom section is well-formed and does not validate."""

    type: Literal["assert_invalid_custom"] = "assert_invalid_custom"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertMalformedCustom(ModuleCommand):
    """A custom section cannot be decoded."""

    type: Literal["assert_malformed_custom"] = "assert_malformed_custom"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownCommand(Command):
    """A command of a kind that is not known here."""


COMMANDS: dict[str, TypeAdapter[Any]] = {
    str(command.__dataclass_fields__["type"].default): TypeAdapter(command)
    for command in (
        Module,
        ModuleDefinition,
        ModuleInstance,
        Register,
        ActionCommand,
        AssertReturn,
        AssertTrap,
        AssertExhaustion,
        AssertException,
        AssertInvalid,
        AssertMalformed,
        AssertUnlinkable,
        AssertUninstantiable,
        AssertInvalidCustom,
        AssertMalformedCustom,
    )
}


@dataclass(frozen=True, slots=True)
class Script:
    """A script: its commands in order, and the bytes of the binary modules they name."""

    path: Path
    commands: tuple[Command, ...]
    modules: Mapping[str, bytes]


def parse_command(data: Any) -> Command:
    """One object of the JSON as a command. Raises ScriptError."""
    if not isinstance(data, dict) or not isinstance(data.get("type"), str) or not isinstance(data.get("line"), int):
        raise ScriptError("a command of the converted script has no type or line")
    adapter = COMMANDS.get(data["type"])
    if adapter is None:
        return UnknownCommand(line=data["line"], type=data["type"])
    try:
        command: Command = adapter.validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ScriptError(f"line {data['line']}: {data['type']} {place}: {first['msg']}") from error
    return command


def load_script(path: Path, scratch: Path | None = None) -> Script:
    """Convert the `.wast` file at `path`; files in between go to a new folder in `scratch` (None: the system's).

    Raises: ScriptError, ToolMissingError.
    """
    if not path.is_file():
        raise ScriptError(f"{path}: no such file")
    with tempfile.TemporaryDirectory(prefix="wast-", dir=scratch) as folder:
        target = Path(folder) / "script.json"
        try:
            code, errors = wasm_tools(["json-from-wast", path.absolute(), "-o", target, "--wasm-dir", folder])
        except ToolFailedError as error:
            raise ScriptError(f"{path}: {error}") from error
        if code != 0:
            raise ScriptError(f"{path} cannot be converted: {' '.join(errors.split())[:500]}")
        commands = tuple(parse_command(data) for data in json.loads(target.read_bytes())["commands"])
        modules = {name: (Path(folder) / name).read_bytes() for name in _binaries(commands)}
    return Script(path, commands, modules)


def _binaries(commands: tuple[Command, ...]) -> set[str]:
    named = {command.binary for command in commands if isinstance(command, ModuleCommand)}
    return {Path(name).name for name in named if name is not None}
