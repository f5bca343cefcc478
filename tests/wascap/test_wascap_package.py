"""The package as a whole: what it exports, its errors, its capability names, its documentation."""

import ast
import re
from pathlib import Path

import pytest

import wascap

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "wascap").glob("*.py"))
DOCUMENT = (ROOT / "docs" / "wascap.md").read_text()


ERRORS = {
    name: value
    for name, value in vars(wascap.errors).items()
    if isinstance(value, type) and issubclass(value, wascap.WascapError)
}


def test_everything_exported_exists_and_every_error_is_exported() -> None:
    assert len(set(wascap.__all__)) == len(wascap.__all__)
    exported = {name: getattr(wascap, name) for name in wascap.__all__}
    assert ERRORS.items() <= exported.items()


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (wascap.SerializationError("x"), "Serialization error: x"),
        (wascap.EncryptionError("x"), "Encryption error: x"),
        (wascap.DecodeError("x"), "Decode error: x"),
        (wascap.Utf8Error("x"), "UTF8 error: x"),
        (wascap.TokenError("x"), "JWT error: x"),
        (wascap.InvalidTokenFormat(), "JWT error: invalid token format"),
        (wascap.InvalidHeader(), "JWT error: Invalid header"),
        (wascap.WasmElementError("x", 16), "Wasm Element error: x (at byte 0x10)"),
        (wascap.FileError("x"), "I/O error: x"),
        (wascap.InvalidModuleHash(), "Invalid module hash"),
        (wascap.ExpiredToken(), "Module token has expired"),
        (wascap.TokenTooEarly(), "Module cannot be used yet"),
        (wascap.InvalidCapability(), "Invalid capability"),
        (wascap.InvalidAlgorithm(), "Invalid JWT algorithm. WASCAP only supports Ed25519"),
        (wascap.MissingIssuer(), "Invalid JWT. WASCAP requires an issuer claim to be present"),
        (wascap.MissingSubject(), "Invalid JWT. WASCAP requires a sub claim to be present"),
        (wascap.IncorrectKeyType(), "Encryption error: This keypair has no seed"),
        (wascap.SignatureError(), "Encryption error: Cannot sign without a seed key"),
    ],
)
def test_error_texts(error: wascap.WascapError, text: str) -> None:
    assert str(error) == text


@pytest.mark.parametrize(
    ("capability_id", "name"),
    [
        ("wascc:messaging", "Messaging"),
        ("wascc:keyvalue", "K/V Store"),
        ("wascc:http_server", "HTTP Server"),
        ("wascc:http_client", "HTTP Client"),
        ("wascc:blobstore", "Blob Store"),
        ("wascc:eventstreams", "Event Streams"),
        ("wascc:extras", "Extras"),
        ("wascc:logging", "Logging"),
        ("acme:teapot", "acme:teapot"),
        ("", ""),
    ],
)
def test_capability_names(capability_id: str, name: str) -> None:
    assert wascap.capability_name(capability_id) == name


def anchors(document: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", document, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_cited_sections_exist(source: Path) -> None:
    cited = re.findall(r"docs/wascap\.md#([a-z-]+)", source.read_text())
    assert set(cited) <= anchors(DOCUMENT)


def test_links_inside_the_document_lead_somewhere() -> None:
    assert set(re.findall(r"\]\(#([a-z-]+)\)", DOCUMENT)) <= anchors(DOCUMENT)


def test_the_document_names_every_error() -> None:
    assert ERRORS.keys() - {"WascapError"} <= set(re.findall(r"`(\w+)`", DOCUMENT))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_nothing_else_of_this_distribution_is_imported(source: Path) -> None:
    others = {"interp", "wapc", "host", "conformance", "benchmarks"}
    imported = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
    assert not imported & others
