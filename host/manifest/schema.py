"""The manifest's JSON Schema for editors, and its reference as tables. Both follow from the models of its sections."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from host.manifest.model import Manifest

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_START, _END = "<!-- fields -->", "<!-- end of fields -->"
_DEFINITIONS = "#/$defs/"

Schema = Mapping[str, Any]


def json_schema() -> dict[str, Any]:
    """The JSON Schema of manifests, of draft 2020-12."""
    schema = Manifest.model_json_schema()
    schema["title"] = "waSCC manifest"
    return {"$schema": DIALECT} | schema


def json_schema_text() -> str:
    """`json_schema` as text, as it is published."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def reference() -> str:
    """The fields of manifests in Markdown: one table for each kind of section, in the order in which they are met."""
    return "\n".join(_Reference(json_schema()).lines()).strip() + "\n"


def with_reference(page: str) -> str:
    """A page with the `reference` of now between its marks. Raises ValueError if it does not have them."""
    before, start, rest = page.partition(_START)
    _, end, after = rest.partition(_END)
    if not start or not end:
        raise ValueError(f"the marks {_START} and {_END} are missing")
    return f"{before}{start}\n{reference()}{end}{after}"


class _Reference:
    def __init__(self, schema: Schema) -> None:
        self._root = schema
        self._definitions: Schema = schema.get("$defs", {})

    def lines(self) -> Iterator[str]:
        yield from self._section("The manifest", "", self._root)
        paths = self._paths()
        all_paths = [path for each in paths.values() for path in each]
        for reference, held_at in paths.items():
            schema = self._definition(reference)
            heading = ", ".join(f"`{path}`" for path in held_at)
            if all_paths.count(held_at[0]) > 1:
                heading += f" with `{'`, `'.join(schema['required'])}`"
            yield from self._section(heading, schema.get("description", ""), schema)

    def _paths(self) -> dict[str, list[str]]:
        """Where there are sections of each kind, in the order in which they are met."""
        found: dict[str, list[str]] = {}
        waiting = list(self._inner(self._root, ""))
        while waiting:
            path, reference = waiting.pop(0)
            found.setdefault(reference, []).append(path)
            waiting += self._inner(self._definition(reference), path)
        return found

    def _section(self, heading: str, description: str, schema: Schema) -> Iterator[str]:
        yield from (f"### {heading}", "")
        if description:
            yield from (_one_line(description), "")
        yield "| field | type | default | meaning |"
        yield "|---|---|---|---|"
        required = schema.get("required", ())
        for name, field in schema["properties"].items():
            default = "required" if name in required else _shown_default(field)
            yield f"| `{name}` | {self._type(field)} | {default} | {_one_line(field.get('description', ''))} |"
        yield ""

    def _inner(self, schema: Schema, path: str) -> Iterator[tuple[str, str]]:
        """The sections inside: the path of each, and the reference to what it is."""
        for name, field in schema["properties"].items():
            yield from self._sections_of(field, f"{path}.{name}" if path else name)

    def _sections_of(self, field: Schema, path: str) -> Iterator[tuple[str, str]]:
        if "$ref" in field:
            yield path, field["$ref"]
        for alternative in field.get("anyOf", ()):
            yield from self._sections_of(alternative, path)
        if "items" in field:
            yield from self._sections_of(field["items"], f"{path}[]")
        if isinstance(field.get("additionalProperties"), Mapping):
            yield from self._sections_of(field["additionalProperties"], f"{path}.<name>")

    def _definition(self, reference: str) -> Schema:
        schema: Schema = self._definitions[reference.removeprefix(_DEFINITIONS)]
        return schema

    def _type(self, field: Schema) -> str:
        if "anyOf" in field:
            kinds = [self._type(each) for each in field["anyOf"] if each.get("type") != "null"]
            return " or ".join(dict.fromkeys(kinds))
        if "$ref" in field:
            resolved = self._definition(field["$ref"])
            return _choices(resolved["enum"]) if "enum" in resolved else "mapping (below)"
        if "enum" in field or "const" in field:
            return _choices(field.get("enum", [field.get("const")]))
        if field.get("type") == "array":
            return f"list of {self._type(field.get('items', {}))}"
        if field.get("type") == "object":
            inner = field.get("additionalProperties")
            return f"{self._type(inner)}, by name" if isinstance(inner, Mapping) else "mapping"
        return _SCALARS.get(field.get("type", ""), "anything") + _range(field)


_SCALARS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`"}


def _range(field: Schema) -> str:
    parts = [
        f"{words} {field[key]}"
        for key, words in (
            ("minimum", "from"), ("exclusiveMinimum", "more than"), ("maximum", "to"), ("exclusiveMaximum", "below"),
        )
        if key in field
    ]  # fmt: skip
    return f", {' '.join(parts)}" if parts else ""


def _choices(values: list[object]) -> str:
    return " or ".join(f"`{json.dumps(value) if not isinstance(value, str) else value}`" for value in values)


def _shown_default(field: Schema) -> str:
    default = field.get("default")
    if isinstance(default, Mapping) and not any(default.values()):
        return "none"
    return "none" if default in (None, {}, [], "") else f"`{json.dumps(default, ensure_ascii=False)}`"


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
