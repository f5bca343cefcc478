"""The text of a manifest as plain values, with the line that each field stands on. YAML and JSON, read strictly.

Both become the nodes of the YAML library first, so that everything after that is the same. Refused are names that are
given twice, tags that stand for anything but text, lists and mappings, merge keys, and what is too large or too deep.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

import yaml

MAX_DEPTH = 32
"""How deep lists and mappings may nest; a manifest needs four levels."""
MAX_CHARACTERS = 2 * 1024 * 1024
"""How much text a manifest may hold once aliases and variables are replaced; each value counts VALUE_COST more."""
VALUE_COST = 16

Form = Literal["yaml", "json"]
FieldPath = tuple[str | int, ...]

_NEVER_WRAP = 2**31
_YAML = "tag:yaml.org,2002:"
NUMBER = "number"
MAX_DIGITS = 400
_NOT_TEXT = {_YAML + "int": NUMBER, _YAML + "float": NUMBER, _YAML + "bool": "truth value"}
_CORE_SCHEMA = (
    ("null", r"~|null|Null|NULL|"),
    ("bool", r"true|True|TRUE|false|False|FALSE"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"),
)
"""What is no text although it has no quotes, by YAML 1.2; the library's own rules, of YAML 1.1, take `on` for a truth
value, `12:30` for a number and `2020-10-30` for a date."""
_VARIABLE = re.compile(r"\$\{([^}:\s=]{0,255})(?::([^}]*))?\}")
"""A name has an end, so that a text of many beginnings is not searched to its end for each of them."""
_JSON_TOKEN = re.compile(r'[ \t\r\n]*("(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+)')
_JSON_WORDS = {"true": _YAML + "bool", "false": _YAML + "bool", "null": _YAML + "null"}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a manifest, at which field and on which line (None where that is not known)."""

    field: FieldPath
    line: int | None
    text: str

    @property
    def field_name(self) -> str:
        """The path of the field as people write it: `bindings[0].values.PORT`."""
        name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.field)
        return name.removeprefix(".")


class UnreadableText(Exception):
    """The text is no manifest of the form; `problem` says where and why."""

    def __init__(self, line: int | None, text: str) -> None:
        super().__init__(text)
        self.problem = Problem((), line, text)


@dataclass(frozen=True, slots=True)
class NotText:
    """A value that is no text: `kind` is what it is instead, `written` how it was written."""

    kind: str
    written: str = ""

    @property
    def number(self) -> int | float | None:
        """The number that it is, None if it is none."""
        if self.kind != NUMBER:
            return None
        text = self.written.lower().replace(".inf", "inf").replace(".nan", "nan")
        try:
            # A number of very many digits takes the square of their number in time; none that is needed has so many.
            return int(text, 0 if text[:2] in ("0o", "0x") else 10) if len(text) <= MAX_DIGITS else None
        except ValueError:
            return float(text)

    @property
    def truth(self) -> bool | None:
        """The truth value, None if it is none."""
        return self.written.lower() == "true" if self.kind == "truth value" else None


@dataclass(slots=True)
class Document:
    """A text as values: mappings, lists, str, None and NotText; the lines of the fields, and the problems found."""

    value: object = None
    lines: dict[FieldPath, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line_of(self, path: FieldPath) -> int | None:
        """The line of the field, or of the nearest one around it."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return None


def read(text: str, form: Form, variables: Mapping[str, str] | None = None) -> Document:
    """The values in a text; with `variables`, those named in it are replaced. Raises UnreadableText."""
    try:
        node = _yaml_node(text) if form == "yaml" else _json_node(text)
    except RecursionError as error:
        raise _too_deep(None) from error
    return _Conversion(variables).document(node)


class TooLongError(ValueError):
    """A text would be longer than it may be once its variables are replaced."""


def expand(text: str, variables: Mapping[str, str]) -> str:
    """The text with `${NAME}` and `${NAME:default}` replaced; an unset name without a default stays as written.

    Raises TooLongError if what is put in has more than MAX_CHARACTERS. Protocol: docs/manifest.md#reading
    """
    room = MAX_CHARACTERS

    def replacement(found: re.Match[str]) -> str:
        nonlocal room
        name, default = found.groups()
        value = variables.get(name, found[0] if default is None else default)
        room -= len(value)
        if room < 0:
            raise TooLongError
        return value

    end = text.rfind("}") + 1
    return _VARIABLE.sub(replacement, text[:end]) + text[end:]


class _Loader(yaml.SafeLoader):
    """PyYAML's own, which stops where there is too much or nesting gets too deep."""

    depth = 0
    nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        self.nodes += 1
        if self.depth > MAX_DEPTH:
            raise _too_deep(self.line + 1)
        if self.nodes > MAX_CHARACTERS // VALUE_COST:
            raise _too_much(self.line + 1)
        try:
            node: yaml.Node | None = super().compose_node(parent, index)
            return node
        finally:
            self.depth -= 1


class _Dumper(yaml.SafeDumper):
    """PyYAML's own, which puts in quotes whatever either version of YAML would take for something else than text."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Text in double quotes where it has signs that the other styles lose."""
        style = None if text.isprintable() else '"'
        node: yaml.ScalarNode = self.represent_scalar(_YAML + "str", text, style)
        return node


_Loader.yaml_implicit_resolvers = {}
for _kind, _pattern in _CORE_SCHEMA:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(_YAML + _kind, re.compile(rf"(?:{_pattern})\Z"), None)
_Dumper.add_representer(str, _Dumper.represent_text)


def write_yaml(value: object) -> str:
    """Mappings, lists and texts as YAML that `read` gives back as they are, fields in their order."""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_NEVER_WRAP)
    return text


def _too_much(line: int) -> UnreadableText:
    return UnreadableText(line, f"holds more than {MAX_CHARACTERS} characters")


def _too_deep(line: int | None) -> UnreadableText:
    return UnreadableText(line, f"nests deeper than {MAX_DEPTH} levels")


def _yaml_node(text: str) -> yaml.Node | None:
    try:
        loader = _Loader(text)
        try:
            node: yaml.Node | None = loader.get_single_node()
            return node
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        raise UnreadableText(line, f"is not valid YAML: {error.problem or error.context}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UnreadableText(line, f"is not valid YAML: {error.reason}") from None


def _json_node(text: str) -> yaml.Node:
    try:
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise UnreadableText(error.lineno, f"is not valid JSON: {error.msg}") from None
    line_ends = [found.start() for found in re.finditer("\n", text)]
    lexemes = ((found[1], bisect_right(line_ends, found.start(1) - 1)) for found in _JSON_TOKEN.finditer(text))
    return _json_value(*next(lexemes), lexemes, 1)


def _refuse_constant(name: str) -> NoReturn:
    raise UnreadableText(None, f"is not valid JSON: {name} is no JSON value")


def _json_value(lexeme: str, line: int, lexemes: Iterator[tuple[str, int]], depth: int) -> yaml.Node:
    """The node that begins with this token of a text that is known to be valid JSON."""
    if depth > MAX_DEPTH:
        raise _too_deep(line + 1)
    mark = yaml.Mark("", 0, line, 0, None, 0)
    if lexeme == "{":
        return yaml.MappingNode(_YAML + "map", list(_json_members(lexemes, depth)), mark, mark)
    if lexeme == "[":
        items = [_json_value(*item, lexemes, depth + 1) for item in _json_items(lexemes)]
        return yaml.SequenceNode(_YAML + "seq", items, mark, mark)
    if lexeme.startswith('"'):
        return yaml.ScalarNode(_YAML + "str", json.loads(lexeme), mark, mark)
    return yaml.ScalarNode(_JSON_WORDS.get(lexeme, _YAML + "int"), lexeme, mark, mark)


def _json_items(lexemes: Iterator[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """The first token of each item, up to the closing bracket; whoever takes it reads the item to its end."""
    for lexeme, line in lexemes:
        if lexeme in "]}":
            return
        if lexeme != ",":
            yield lexeme, line


def _json_members(lexemes: Iterator[tuple[str, int]], depth: int) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    for lexeme, line in _json_items(lexemes):
        key = _json_value(lexeme, line, lexemes, depth + 1)
        next(lexemes)  # the colon
        yield key, _json_value(*next(lexemes), lexemes, depth + 1)


class _Conversion:
    """Nodes to values, each field's line noted on the way."""

    def __init__(self, variables: Mapping[str, str] | None) -> None:
        self._expanded: Callable[[str], str] = str if variables is None else lambda text: expand(text, variables)
        self._document = Document()
        self._room = MAX_CHARACTERS

    def document(self, node: yaml.Node | None) -> Document:
        if node is not None:
            self._document.lines[()] = node.start_mark.line + 1
            self._document.value = self._value(node, ())
        return self._document

    def _value(self, node: yaml.Node, path: FieldPath) -> object:
        self._spend(VALUE_COST, node)
        if len(path) >= MAX_DEPTH:
            raise _too_deep(node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode) and node.tag == _YAML + "map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == _YAML + "seq":
            return [self._item(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            if node.tag == _YAML + "str":
                try:
                    text = self._expanded(node.value)
                except TooLongError:
                    raise _too_much(node.start_mark.line + 1) from None
                self._spend(len(text), node)
                return text
            if node.tag == _YAML + "null":
                return None
            if node.tag in _NOT_TEXT:
                return NotText(_NOT_TEXT[node.tag], node.value)
        self._complain(node, path, "has a tag that is not allowed")
        return None

    def _item(self, node: yaml.Node, path: FieldPath) -> object:
        self._document.lines[path] = node.start_mark.line + 1
        return self._value(node, path)

    def _mapping(self, node: yaml.MappingNode, path: FieldPath) -> dict[str, object]:
        values: dict[str, object] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != _YAML + "str":
                self._complain(key, path, "has a name that is not text; put it in quotes")
                continue
            name = key.value
            self._spend(len(name), key)
            self._document.lines[*path, name] = key.start_mark.line + 1
            if name in values:
                self._complain(key, (*path, name), "is given twice")
            values[name] = self._value(value, (*path, name))
        return values

    def _spend(self, characters: int, node: yaml.Node) -> None:
        self._room -= characters
        if self._room < 0:
            raise _too_much(node.start_mark.line + 1)

    def _complain(self, node: yaml.Node, path: FieldPath, text: str) -> None:
        self._document.problems.append(Problem(path, node.start_mark.line + 1, text))
