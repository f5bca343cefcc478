"""Manifests as text: fields, errors with their lines, variables, limits, and writing back."""

import json
import time
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from manifest_support import problems

from host import (
    ActorEntry,
    BindingEntry,
    CapabilityEntry,
    InputOutputError,
    LimitsEntry,
    Manifest,
    ManifestError,
)
from host.manifest.model import MAX_MANIFEST_BYTES
from host.manifest.text import MAX_DEPTH, expand

FULL_YAML = """\
labels:
  sample: "yes"   # a label
actors:
  - ./kvcounter.wasm
capabilities:
  - path: wascc:keyvalue
    binding_name: source1
  - path: ./http.py
bindings:
  - actor: MASC
    capability: wascc:keyvalue
    binding: source1
    values:
      URL: redis://127.0.0.1:6379
      PORT: "8081"
  - actor: MASC
    capability: wascc:http_server
"""
FULL = Manifest(
    labels={"sample": "yes"},
    actors=["./kvcounter.wasm"],
    capabilities=[
        CapabilityEntry(path="wascc:keyvalue", binding_name="source1"),
        CapabilityEntry(path="./http.py"),
    ],
    bindings=[
        BindingEntry(
            actor="MASC",
            capability="wascc:keyvalue",
            binding="source1",
            values={"URL": "redis://127.0.0.1:6379", "PORT": "8081"},
        ),
        BindingEntry(actor="MASC", capability="wascc:http_server"),
    ],
)


def paths(manifest: Manifest) -> list[str]:
    return [actor.path for actor in manifest.actors]


def test_yaml_and_json_say_the_same() -> None:
    assert Manifest.from_text(FULL_YAML) == FULL
    assert Manifest.from_text(json.dumps(yaml.safe_load(FULL_YAML), indent="\t"), "json") == FULL
    assert FULL.capabilities[1].binding == FULL.bindings[1].binding_name == "default"
    assert FULL.capabilities[0].binding == FULL.bindings[0].binding_name == "source1"


def test_written_back_in_the_order_of_the_fields() -> None:
    assert list(yaml.safe_load(FULL.to_yaml())) == ["labels", "actors", "capabilities", "bindings"]
    assert FULL.to_yaml().index("binding: source1") > FULL.to_yaml().index("capability: wascc:keyvalue")
    assert json.loads(FULL.to_json()) == yaml.safe_load(FULL_YAML)
    empty = Manifest(actors=[], capabilities=[], bindings=[])
    assert json.loads(empty.to_json()) == {"actors": [], "capabilities": [], "bindings": []}
    assert Manifest.from_text(empty.to_yaml()) == empty


def test_null_is_as_good_as_absent() -> None:
    text = """
labels:
actors: []
capabilities: [{path: x, binding_name: null}]
bindings: [{actor: a, capability: b, binding: ~, values: ~}]
"""
    manifest = Manifest.from_text(text)
    assert manifest.labels == {}
    assert manifest.bindings[0].values == {}
    assert manifest.bindings[0].binding_name == "default"


def test_plain_text_is_text_as_yaml_1_2_has_it() -> None:
    plain = ["yes", "on", "off", "y", "12:30", "2020-10-30", "0o8", "<<", "=", "1_000", "v1.0", "0b1", "on\n"]
    text = "actors: []\ncapabilities: []\nbindings: []\nlabels:\n"
    manifest = Manifest.from_text(text + "".join(f"  {word}: {word}\n" for word in plain[:-1]))
    assert manifest.labels == {word: word for word in plain[:-1]}


texts = st.sampled_from(
    ["on", "8080", "0o17", "0x1", "1e3", ".inf", "", "~", "null", "true", "12:30", "2020-10-30"]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
names = st.none() | texts
actor_entries = st.builds(
    ActorEntry,
    path=texts,
    instances=st.integers(1, 256),
    max_waiting=st.none() | st.integers(0, 1000),
    wait_seconds=st.none() | st.floats(0.001, 86400),
    limits=st.builds(
        LimitsEntry,
        fuel=st.none() | st.integers(1, 2**63 - 1),
        deadline_seconds=st.none() | st.floats(0.001, 86400),
        max_memory_pages=st.none() | st.integers(1, 65536),
    ),
)
manifests = st.builds(
    Manifest,
    labels=st.dictionaries(texts, texts, max_size=3),
    actors=st.lists(texts | actor_entries, max_size=3),
    capabilities=st.lists(st.builds(CapabilityEntry, path=texts, binding_name=names), max_size=3),
    bindings=st.lists(
        st.builds(
            BindingEntry,
            actor=texts,
            capability=texts,
            binding=names,
            values=st.dictionaries(texts, texts, max_size=3),
        ),
        unique_by=lambda entry: (entry.actor, entry.capability, entry.binding_name),
        max_size=3,
    ),
)


@given(manifests)
@settings(max_examples=80, deadline=None)
def test_round_trip(manifest: Manifest) -> None:
    assert Manifest.from_text(manifest.to_json(), "json") == manifest
    assert Manifest.from_text(manifest.to_yaml(), "yaml") == manifest


def test_every_problem_is_listed_with_field_and_line() -> None:
    text = """\
labels: [a]
actors:
  - one.wasm
  - 2
  - [three]
capabilities:
  - path: x
    bindingname: y
  - binding_name: y
  - just text
bindings:
  - actor: MA
    capability: cap
    values:
      PORT: 8081
      ON: true
      HEX: 0x10
      RATIO: 0.5
      NOTHING:
extra: 1
"""
    quote = "put it in quotes if it is meant as text"
    assert problems(text) == [
        (1, "labels", "must be a mapping"),
        (4, "actors[1]", f"must be text, not a number; {quote}"),
        (5, "actors[2]", "must be text"),
        (8, "capabilities[0].bindingname", "is not a field that manifests have"),
        (9, "capabilities[1].path", "is missing"),
        (10, "capabilities[2]", "must be a mapping"),
        (15, "bindings[0].values.PORT", f"must be text, not a number; {quote}"),
        (16, "bindings[0].values.ON", f"must be text, not a truth value; {quote}"),
        (17, "bindings[0].values.HEX", f"must be text, not a number; {quote}"),
        (18, "bindings[0].values.RATIO", f"must be text, not a number; {quote}"),
        (19, "bindings[0].values.NOTHING", "must be text"),
        (20, "extra", "is not a field that manifests have"),
    ]


def test_the_same_in_json() -> None:
    text = """{
  "actors": ["a", 2],
  "capabilities": [
\t{"binding_name": null}
  ],
  "bindings": [{"actor": "a\\u0022{[,",
     "capability": "b", "values": {
        "PORT": 8081, "ON": true, "X": null, "BIG": 1e999999, "OLD": -0.0
     }, "more": {}}]
}"""
    quote = "put it in quotes if it is meant as text"
    assert problems(text, "json") == [
        (2, "actors[1]", f"must be text, not a number; {quote}"),
        (4, "capabilities[0].path", "is missing"),
        (8, "bindings[0].values.PORT", f"must be text, not a number; {quote}"),
        (8, "bindings[0].values.ON", f"must be text, not a truth value; {quote}"),
        (8, "bindings[0].values.X", "must be text"),
        (8, "bindings[0].values.BIG", f"must be text, not a number; {quote}"),
        (8, "bindings[0].values.OLD", f"must be text, not a number; {quote}"),
        (9, "bindings[0].more", "is not a field that manifests have"),
    ]


@pytest.mark.parametrize("text", ["", "# only a comment", "null", "[]", "text", "5"])
def test_a_manifest_must_be_a_mapping(text: str) -> None:
    ((_, field, what),) = problems(text)
    assert (field, what) == ("", "must be a mapping") or "must be a mapping" in what


def test_all_keys_but_labels_are_required() -> None:
    assert problems("labels: {}") == [
        (1, "actors", "is missing"),
        (1, "capabilities", "is missing"),
        (1, "bindings", "is missing"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("actors: []\nactors: []\n", 2, "is given twice"),
        ("capabilities:\n- path: a\n  path: a\n", 3, "is given twice"),
        ("labels:\n  8080: a\n", 2, "has a name that is not text; put it in quotes"),
        ("labels:\n  true: a\n", 2, "has a name that is not text; put it in quotes"),
        ("labels:\n  ? [a]\n  : a\n", 2, "has a name that is not text; put it in quotes"),
        ("labels: {}\n<<: {a: b}\n", 2, "is not a field that manifests have"),
        ("actors:\n- !!binary aGk=\n", 2, "has a tag that is not allowed"),
        ("actors:\n- !!python/object/apply:os.system [ls]\n", 2, "has a tag that is not allowed"),
        ("actors: !mine [a]\n", 1, "has a tag that is not allowed"),
        ("labels: !!set {a}\n", 1, "has a tag that is not allowed"),
        ("labels: !!omap [a: b]\n", 1, "has a tag that is not allowed"),
    ],
)
def test_what_yaml_can_say_and_manifests_cannot(text: str, line: int, what: str) -> None:
    assert (line, what) in [(found[0], found[2]) for found in problems(text)]


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_a_name_given_twice_in_json(form: str) -> None:
    text = '{"actors": [],\n "labels": {"a": "b",\n "a": "c"}, "capabilities": [], "bindings": []}'
    assert problems(text, form) == [(3, "labels.a", "is given twice")]


@pytest.mark.parametrize(
    ("text", "form", "line"),
    [
        ("a: [b\nc: d", "yaml", 2),
        ("a: b: c", "yaml", 1),
        ("x: *nobody", "yaml", 1),
        ("--- {}\n--- {}\n", "yaml", 2),
        ("a: \0", "yaml", 1),
        ("\n\t- a", "yaml", 2),
        ('{"a": 1,}', "json", 1),
        ("{\n 'a': 1}", "json", 2),
        ("", "json", 1),
        ("{} {}", "json", 1),
        ('{"a": NaN}', "json", None),
        ('{"a": "\n"}', "json", 1),
    ],
)
def test_what_cannot_be_read(text: str, form: str, line: int | None) -> None:
    ((found, _, what),) = problems(text, form)
    assert found == line
    assert what.startswith(f"is not valid {form.upper()}: ")


def test_errors_show_no_values() -> None:
    """A password in the wrong place must not get into a log."""
    for text in (
        "actors: 0123456hunter2\n",
        "labels: {A: 0777, B: [hunter2]}",
        "a: [hunter2\nb: c",
        "{hunter2: hunter2",
    ):
        with pytest.raises(ManifestError) as caught:
            Manifest.from_text(text)
        shown = [str(caught.value), repr(caught.value), str(caught.value.__cause__)]
        assert "hunter2" not in "".join(shown[:2]).replace("hunter2 is not a field", "")
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert "8081" not in repr(FULL)
    assert "redis" not in repr(FULL)


def test_errors_name_the_file_and_are_one_line_each() -> None:
    with pytest.raises(ManifestError) as caught:
        Manifest.from_text("actors: 1\nnew\u2028line\x1b: 2\n".replace("\x1b", ""), name="my\nfile.yaml")
    lines = str(caught.value).split("\n")
    assert len(lines) == len(caught.value.problems)
    assert all(line.startswith("my\\nfile.yaml, line ") and line.isprintable() for line in lines)


def test_of_very_many_problems_the_first_are_shown() -> None:
    with pytest.raises(ManifestError) as caught:
        Manifest.from_text("actors: [" + "1, " * 1000 + "]\ncapabilities: []\nbindings: []\n")
    assert len(caught.value.problems) == 1000
    assert str(caught.value).endswith("\nand 900 more problems")
    assert str(caught.value).count("\n") == 100


def test_aliases_are_resolved_within_limits() -> None:
    text = "actors: &all [a.wasm]\ncapabilities: []\nbindings: []\nlabels: &labels {a: b}\n"
    assert paths(Manifest.from_text(text)) == ["a.wasm"]
    shared = "actors: []\ncapabilities: []\nbindings:\n- {actor: a, capability: b, values: &v {X: y}}\n" + (
        "- {actor: c, capability: b, values: *v}\n"
    )
    assert Manifest.from_text(shared).bindings[1].values == {"X": "y"}
    bomb = "a: &a [x, x]\n" + "".join(
        f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdefghi", "bcdefghij", strict=True)
    )
    ((_, _, what),) = problems(bomb)
    assert what.startswith("holds more than")
    ((_, _, endless),) = problems("actors: &a [*a]\n")
    assert "nests deeper" in endless


@pytest.mark.parametrize("form", ["yaml", "json"])
@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 2000, 200_000])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_nesting_is_limited(form: str, depth: int, opening: str) -> None:
    closing = "]" if opening == "[" else "}"
    ((_, _, what),) = problems(opening * depth + "1" + closing * depth, form)
    assert "nests deeper" in what


def test_a_huge_number_is_no_problem_but_its_type() -> None:
    for form in ("yaml", "json"):
        found = problems('{"actors": [' + "9" * 10_000 + '], "capabilities": [], "bindings": []}', form)
        assert found[0][1] == "actors[0]"


def test_files(tmp_path: Path) -> None:
    for name in ("m.yaml", "m.yml", "m.YAML", "m"):
        (tmp_path / name).write_text(FULL_YAML)
        manifest = Manifest.from_file(tmp_path / name)
        assert manifest.folder == tmp_path
        assert manifest.to_yaml() == FULL.to_yaml()
    for name in ("m.json", "m.txt"):
        (tmp_path / name).write_text(FULL.to_json())
        assert Manifest.from_file(str(tmp_path / name)).bindings == FULL.bindings
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbf" + FULL_YAML.encode())
    assert Manifest.from_file(tmp_path / "bom.yaml").labels == {"sample": "yes"}


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path, "\0"):
        with pytest.raises(InputOutputError, match=r"I/O error: "):
            Manifest.from_file(path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ManifestError, match=r"binary\.yaml: the manifest is not UTF-8 text"):
        Manifest.from_file(tmp_path / "binary.yaml")
    (tmp_path / "large.yaml").write_bytes(b"#" * (MAX_MANIFEST_BYTES + 1))
    with pytest.raises(ManifestError, match=r"large\.yaml: the manifest is longer than"):
        Manifest.from_file(tmp_path / "large.yaml")


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("${URL}", "redis://h:1"),
        ("a${URL}b${URL}c", "aredis://h:1bredis://h:1c"),
        ("${MISSING}", "${MISSING}"),
        ("${MISSING:default}", "default"),
        ("${URL:default}", "redis://h:1"),
        ("${MISSING:redis://localhost:6379}", "redis://localhost:6379"),
        ("${MISSING:a b/c}", "a b/c"),
        ("${MISSING:}", ""),
        ("${EMPTY}", ""),
        ("${EMPTY:default}", ""),
        ("$URL", "$URL"),
        ("$$URL", "$$URL"),
        ("${SPACED NAME:x}", "${SPACED NAME:x}"),
        ("${TAB\tNAME:x}", "${TAB\tNAME:x}"),
        ("${LINE\nNAME:x}", "${LINE\nNAME:x}"),
        ("${A=B:x}", "${A=B:x}"),
        ("${URL", "${URL"),
        ("${MISSING:x", "${MISSING:x"),
        ("{URL}", "{URL}"),
        ("", ""),
    ],
)
def test_variables(text: str, expanded: str) -> None:
    assert expand(text, {"URL": "redis://h:1", "EMPTY": ""}) == expanded


def test_variables_are_replaced_only_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(
        "actors: ['${WASCC_TEST_ACTOR}']\ncapabilities: []\n"
        "bindings: [{actor: a, capability: b, values: {PORT: '${WASCC_TEST_PORT:8080}'}}]\n"
    )
    monkeypatch.setenv("WASCC_TEST_ACTOR", "x.wasm\nbindings: [injected")
    plain, expanded = Manifest.from_file(path), Manifest.from_file(path, expand_env=True)
    assert paths(plain) == ["${WASCC_TEST_ACTOR}"]
    assert paths(expanded) == ["x.wasm\nbindings: [injected"], "a variable is text, whatever is in it"
    assert expanded.bindings[0].values == {"PORT": "8080"}


def test_an_unquoted_variable_is_text_whatever_it_holds() -> None:
    text = "actors:\n- ${NUMBER}\ncapabilities: []\nbindings: []\n"
    assert paths(Manifest.from_text(text, variables={"NUMBER": "8080"})) == ["8080"]


def test_variables_cannot_blow_a_manifest_up() -> None:
    text = "actors: [" + ", ".join(["'${BIG}'"] * 1000) + "]\n"
    ((_, _, what),) = problems(text, variables={"BIG": "x" * 100_000})
    assert what.startswith("holds more than")


def test_a_binding_given_twice() -> None:
    text = """\
actors: []
capabilities: []
bindings:
- {actor: MA, capability: x, values: {A: a}}
- {actor: MA, capability: x, binding: other}
- {actor: MB, capability: x}
- {actor: MA, capability: x, binding: default, values: {A: b}}
"""
    assert problems(text) == [(7, "bindings[3]", "is the same binding as bindings[0]")]


@given(st.text(max_size=200), st.sampled_from(["yaml", "json"]))
@settings(max_examples=150, deadline=None)
def test_any_text_is_a_manifest_or_a_manifest_error(text: str, form: str) -> None:
    with suppress(ManifestError):
        Manifest.from_text(text, form, variables={"A": "b"})


@pytest.mark.parametrize("repeated", ["${", "${a:", "${a ", "${" + "a" * 300])
def test_variables_that_never_end_take_no_time(repeated: str) -> None:
    text = repeated * (1_000_000 // len(repeated))
    begin = time.monotonic()
    assert expand(text, {}) == text
    assert time.monotonic() - begin < 10


def test_variables_do_not_fill_the_memory() -> None:
    text = "actors: []\ncapabilities: []\nbindings: []\nlabels: {a: '" + "${A}" * 100_000 + "'}\n"
    tracemalloc.start()
    try:
        with pytest.raises(ManifestError, match="line 4: the manifest holds more than 2097152 characters"):
            Manifest.from_text(text, variables={"A": "x" * 100_000})
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()
