"""Secrets of bindings: where they come from, and that nothing shows them."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from host_support import TEST_CAPABILITY, Identities, ScriptedProvider, call_script
from hypothesis import given
from hypothesis import strategies as st

from host import CapabilityProviderError, Host, HostError, Manifest, ProviderError
from host.logs import log
from host.manifest.fields import MAX_SECRET_BYTES, FromEnvironment, FromFile, resolved
from host.redaction import MAX_SECRETS, REPLACEMENT, Redactor, Secret

MakeHost = Callable[..., Host]
SECRET = "redis://app:hünter2%2F+x@store:6379/0"


def binding(values: str, actor: str = "MASC") -> str:
    return f"""
actors: [actor.wasm]
capabilities: [{{path: scripted}}]
bindings:
- actor: {actor}
  capability: {TEST_CAPABILITY}
  values: {values}
"""


def test_a_manifest_that_is_written_back_has_the_reference() -> None:
    manifest = Manifest.from_text(binding("{URL: {env: REDIS_URL}, KEY: {file: /run/secrets/key}, PORT: '80'}"))
    values = {"URL": FromEnvironment(env="REDIS_URL"), "KEY": FromFile(file="/run/secrets/key"), "PORT": "80"}
    assert manifest.bindings[0].values == values
    assert Manifest.from_text(manifest.to_yaml()) == manifest
    assert Manifest.from_text(manifest.to_json(), "json") == manifest
    assert "env: REDIS_URL" in manifest.to_yaml()


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ("{URL: {env: 1}}", "line 7: bindings[0].values.URL.env must be text, not a number; put it in quotes if"),
        ("{URL: {environment: X}}", "line 7: bindings[0].values.URL.env is missing"),
        ("{URL: {env: X, file: y}}", "line 7: bindings[0].values.URL.file is not a field that manifests have"),
        ("{URL: {env: ''}}", "line 7: bindings[0].values.URL.env must not be empty"),
        ("{URL: [x]}", "line 7: bindings[0].values.URL must be text"),
        ("{URL: 80}", "line 7: bindings[0].values.URL must be text, not a number"),
    ],
)
def test_what_is_no_reference(values: str, problem: str) -> None:
    with pytest.raises(HostError) as caught:
        Manifest.from_text(binding(values))
    assert problem in str(caught.value)


def test_where_values_come_from(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("of a file\n")
    (tmp_path / "b").write_bytes("ü\r\n".encode())
    (tmp_path / "c").write_text("two\n\n")
    values = {"A": FromFile(file="a"), "B": FromFile(file="b"), "C": FromFile(file="c"), "E": FromEnvironment(env="E")}
    found = resolved({**values, "T": "text"}, tmp_path, {"E": "of the environment\n"})
    assert found == {"A": "of a file", "B": "ü", "C": "two\n", "E": "of the environment", "T": "text"}
    assert repr(found["A"]) == f"'{REPLACEMENT}'"
    assert isinstance(found["E"], Secret)
    assert not isinstance(found["T"], Secret)


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        (FromFile(file="missing"), "cannot be read: No such file or directory"),
        (FromFile(file="."), "cannot be read: Is a directory"),
        (FromFile(file="nul\0"), "cannot be read: its name is impossible"),
        (FromFile(file="long"), f"is longer than {MAX_SECRET_BYTES} bytes"),
        (FromFile(file="binary"), "is not UTF-8 text"),
        (FromFile(file="/dev/zero"), "it is no regular file"),
        (FromEnvironment(env="UNSET"), "comes from the environment variable UNSET, which is not set"),
        (FromEnvironment(env="LONG"), f"is longer than {MAX_SECRET_BYTES} bytes"),
        (FromEnvironment(env="BYTES"), "is not UTF-8 text"),
        (FromEnvironment(env="A\x1b[31m"), "comes from the environment variable A\\x1b[31m, which is not set"),
    ],
)
def test_what_is_missing_is_one_line_without_the_content(
    reference: FromFile | FromEnvironment, why: str, tmp_path: Path
) -> None:
    content = "hunter2-" * MAX_SECRET_BYTES
    (tmp_path / "long").write_text(content)
    (tmp_path / "binary").write_bytes(b"hunter2\xff")
    with pytest.raises(HostError) as caught:
        resolved({"URL": reference}, tmp_path, {"LONG": content, "BYTES": "hunter2\udcff"})
    assert why in str(caught.value)
    assert "URL" in str(caught.value)
    assert str(caught.value).isprintable()
    assert "hunter2" not in str(caught.value)


def failing(text: str) -> Callable[..., bytes]:
    def fail(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        log.warning("the provider says %s", text)
        raise ProviderError(text)

    return fail


SAYINGS = [
    f"cannot connect to {SECRET}",
    "password hünter2%2F+x was refused",
    "password 'hünter2/+x' was refused",
    f"not '{SECRET}'",
]


@pytest.mark.parametrize("saying", SAYINGS)
def test_nothing_that_a_provider_says_shows_a_secret(
    saying: str, make_host: MakeHost, identities: Identities, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    provider = ScriptedProvider(Fail=failing(saying))

    class Source:
        def names(self) -> tuple[str, ...]:
            return ("scripted",)

        def load(self, name: str) -> Callable[[], ScriptedProvider]:
            return lambda: provider

    caplog.set_level(logging.DEBUG)
    key = identities.key()
    (tmp_path / "actor.wasm").write_bytes(identities.sign(key, (TEST_CAPABILITY,)))
    (tmp_path / "host.yaml").write_text(binding("{URL: {env: TEST_SECRET}}", key.public_key))
    manifest = Manifest.from_file(tmp_path / "host.yaml")
    host = make_host(configure=lambda builder: builder.with_provider_source(Source()))
    monkeypatch.delenv("TEST_SECRET", raising=False)
    with pytest.raises(HostError, match=r"^bindings\[0\]: the value URL comes from .* TEST_SECRET, which is not set$"):
        host.apply_manifest(manifest)
    assert not host.actors()
    monkeypatch.setenv("TEST_SECRET", SECRET)
    host.apply_manifest(manifest)
    assert SECRET in provider.events[0][1].encode("latin-1").decode(errors="replace")
    with pytest.raises(HostError) as caught:
        host.call_actor(key.public_key, "host", call_script(("default", TEST_CAPABILITY, "Fail", b"")))
    provider.operations["BindActor"] = failing(saying)
    with pytest.raises(CapabilityProviderError) as refused:
        host.apply_manifest(Manifest(actors=[], capabilities=[], bindings=manifest.bindings))
    for error in (caught.value, refused.value):
        link: BaseException | None = error
        while link is not None:
            assert "nter2" not in str(link)
            link = link.__cause__
        assert REPLACEMENT in str(error)
    assert "nter2" not in repr(host.bindings())
    assert REPLACEMENT in caplog.text
    assert "nter2" not in caplog.text


def test_a_trace_in_the_log_shows_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    from host.redaction import secrets

    secrets.add("correct-horse-battery")
    try:
        raise ValueError("wrong: correct-horse-battery")
    except ValueError:
        log.exception("failed with %s", "correct-horse-battery")
    assert "correct-horse" not in caplog.text
    assert caplog.text.count(REPLACEMENT) >= 2


def test_short_secrets_are_words_of_their_own() -> None:
    redactor = Redactor()
    redactor.add("80")
    assert redactor.redacted("port 80 of 8080: '80'") == f"port {REPLACEMENT} of 8080: '{REPLACEMENT}'"
    for blank in ("", " ", "\n"):
        redactor.add(blank)
    assert redactor.redacted("a b") == "a b"


def test_lines_of_a_key() -> None:
    redactor = Redactor()
    redactor.add("-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nshort\n-----END KEY-----\n")
    assert redactor.redacted("bad line MIIEvQIBADANBgkqhkiG9w0B") == f"bad line {REPLACEMENT}"
    assert redactor.redacted("a short line") == "a short line"


def test_only_so_many_are_known() -> None:
    redactor = Redactor()
    for number in range(MAX_SECRETS + 1):
        redactor.add(f"secret-{number:05}")
    assert redactor.redacted("secret-00000") == "secret-00000"
    assert redactor.redacted(f"secret-{MAX_SECRETS:05}") == REPLACEMENT


@given(st.text(min_size=4, max_size=80).filter(str.strip), st.text(), st.text())
def test_a_secret_never_comes_through(secret: str, before: str, after: str) -> None:
    redactor = Redactor()
    redactor.add(secret)
    redacted = redactor.redacted(before + secret + after)
    assert REPLACEMENT in redacted
    assert secret not in redacted.replace(REPLACEMENT, "") or secret in before + after or secret in REPLACEMENT
