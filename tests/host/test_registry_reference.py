"""References: what is one, what is none, and where they lead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.errors import RegistryError
from host.registry.connection import Connection
from host.registry.reference import Reference, is_loopback

D = "sha256:" + "a1" * 32


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("wascc.azurecr.io/keyvalue:v1", Reference("wascc.azurecr.io", "keyvalue", "v1")),
        ("localhost/a", Reference("localhost", "a")),
        ("localhost:5000/a/b/c:1.0_x-Y", Reference("localhost:5000", "a/b/c", "1.0_x-Y")),
        ("registry:5000/a:1", Reference("registry:5000", "a", "1")),
        ("Registry.Example.COM/a", Reference("registry.example.com", "a")),
        (f"r.io/a@{D}", Reference("r.io", "a", None, D)),
        (f"r.io/a:1@{D}", Reference("r.io", "a", "1", D)),
        ("127.0.0.1:80/a__b/c-d/e.f/g---h", Reference("127.0.0.1:80", "a__b/c-d/e.f/g---h")),
        ("[::1]:5000/a:1", Reference("[::1]:5000", "a", "1")),
    ],
)
def test_references(text: str, expected: Reference) -> None:
    parsed = Reference.parse(text)
    assert parsed == expected
    assert Reference.parse(str(parsed)) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "counter.wasm", "./a/b", "../r.io/a", "/r.io/a", "a/b", "library/redis:6", "r.io", "r.io/", "r.io/A",
        "r.io/a:", "r.io/a:" + "x" * 129, "r.io/a:-x", "r.io/a@", "r.io/a@sha256:12", f"r.io/a@{D.upper()}",
        f"r.io/a@{D}@{D}", "r.io/a..b", "r.io/a//b", "r.io/a/", "r.io/../a", "r.io:0/a", "r.io:99999/a", "r.io:x/a",
        "http://r.io/a", "user@r.io/a", "r.io/a?x=1", "r.io/a#b", "r.io/a b", "r.io/a\n", "r.io\n/a", "r io.x/a",
        "r.io/" + "a/" * 128 + "a", "r.io/" + "a" * 2000, "r.io/a%2e%2e", "r.io\\a/b", "ŕ.io/a", "r.io/а",
        "\x1b[2J.io/a",
    ],
)  # fmt: skip
def test_what_is_no_reference_is_one_clear_line(text: str) -> None:
    with pytest.raises(RegistryError) as caught:
        Reference.parse(text)
    assert str(caught.value).isprintable()
    assert "reference" in str(caught.value) or "digest" in str(caught.value)
    assert len(str(caught.value)) < 1500


@given(st.text(max_size=60) | st.from_regex(r"[a-z.:\[\]/@]{1,60}"))
def test_any_text_is_a_reference_or_an_error(text: str) -> None:
    try:
        parsed = Reference.parse(text)
    except RegistryError:
        return
    assert Reference.parse(str(parsed)) == parsed
    url = Connection(parsed, "pull", None).url
    assert url.host == parsed.host.strip("[]").lower()
    assert url.path == f"/v2/{parsed.repository}/"
    assert url.join(f"manifests/{parsed.target}").path.startswith(f"/v2/{parsed.repository}/manifests/")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True), ("127.0.0.1", True), ("127.1.2.3", True), ("[::1]", True), ("::1", True),
        ("localhost.example.com", False), ("127.0.0.1.example.com", False), ("10.0.0.1", False),
        ("[::2]", False), ("example.com", False), ("127.1", False), ("2130706433", False),
    ],
)  # fmt: skip
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("registry", "insecure", "scheme"),
    [
        ("r.io", False, "https"), ("r.io", True, "http"), ("localhost:5000", False, "http"),
        ("10.0.0.1", False, "https"), ("localhost.r.io", False, "https"), ("[::1]:5000", False, "http"),
    ],
)  # fmt: skip
def test_without_encryption_only_on_this_machine_or_on_demand(registry: str, insecure: bool, scheme: str) -> None:
    assert Connection(Reference(registry, "a"), "pull", None, insecure).url.scheme == scheme


def test_latest() -> None:
    assert Reference.parse("r.io/a").is_latest
    assert Reference.parse("r.io/a:latest").is_latest
    assert not Reference.parse("r.io/a:later").is_latest
    assert not Reference.parse(f"r.io/a:latest@{D}").is_latest
