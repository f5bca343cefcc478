"""Text of guests, tokens and modules: none of it reaches a terminal or a line of the log as anything but text."""

import json
import logging
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from host_support import TEST_CAPABILITY, Identities, ScriptedProvider, call_script, compile_wat
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from conformance.show import plain
from host import Host, HostError, ProviderError
from host.cli.up import for_terminal
from host.log_records import TextFormatter
from host.logs import printable
from interp.errors import escaped
from interp.stepping.show import json_text
from wascap import KeyPair, KeyType
from wascap.cli.shared import printable as printable_claim
from wascap.cli.shared import show_facts

HOSTILE = "\x1b[31mred \x1b]0;title\x07 \x9b2J \u202e override \u2066 \u200f \u2028\nnext\r\x7f \udcff \ufeff[/bold]"
COMMAND = str(Path(sys.executable).parent / "wascc")
SANITIZERS = [printable, escaped, printable_claim, json_text]


@pytest.mark.parametrize("sanitize", SANITIZERS)
@given(text=st.text(st.characters(), max_size=200))
def test_what_a_terminal_obeys_is_escaped(sanitize: Callable[[str], str], text: str) -> None:
    assert sanitize(text).isprintable()
    if text.isprintable():
        assert sanitize(text).strip('"') == (
            json.dumps(text, ensure_ascii=False) if sanitize is json_text else text
        ).strip('"')


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.just(HOSTILE))
def test_json_stays_json(text: str) -> None:
    assert json.loads(json_text(text)) == text


@given(st.binary(max_size=200))
def test_responses_on_a_terminal_keep_their_lines_only(response: bytes) -> None:
    assert all(line.isprintable() for line in for_terminal(response).replace("\t", " ").split("\n"))


def test_tables_show_text(capsys: pytest.CaptureFixture[str]) -> None:
    show_facts([("Name", HOSTILE), ("Capabilities", [HOSTILE, "wascc:x"]), (HOSTILE, "x")], [])
    console = Console(width=300, force_terminal=False)
    with console.capture() as captured:
        console.print(plain(HOSTILE))
    for output in (capsys.readouterr().out, captured.get()):
        assert "override" in output
        assert all(line.isprintable() for line in output.split("\n"))


def test_a_trace_in_the_log_is_text() -> None:
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        record = logging.LogRecord("wascc.host", logging.ERROR, "f.py", 1, "%s", (HOSTILE,), sys.exc_info())
    output = TextFormatter(colours=False).format(record)
    assert "ValueError" in output
    assert all(line.isprintable() for line in output.split("\n"))


def test_the_log_of_a_host(host: Host, identities: Identities, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "wascc")

    def fail(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        raise ProviderError(HOSTILE)

    host.add_capability(ScriptedProvider(Fail=fail))
    actor = identities.actor(TEST_CAPABILITY, "wascc:logging", name=HOSTILE.replace("\udcff", ""), tags=("\x1b[31m",))
    host.add_actor(actor)
    host.set_binding(actor.public_key, TEST_CAPABILITY)
    calls = (
        ("host", call_script(("default", TEST_CAPABILITY, "Fail", b""))),
        ("host", call_script(("\x1b[31m", "\u202e\x9b", "Op\n", b""))),
        ("\x1b[31m\n", b""),
    )
    for operation, payload in calls:
        with pytest.raises(HostError):
            host.call_actor(actor.public_key, operation, payload)
    records = [record for record in caplog.records if record.name.startswith("wascc")]
    assert records
    assert all(record.getMessage().isprintable() for record in records)


MODULE = r"""(module
  (import "\1b[31m\c2\9b" "\e2\80\ae" (func))
  (memory (export "memory") 1)
  (func $f (export "\1b]0;x\07\e2\80\ae") unreachable)
  (@custom "\1b[2J" "x"))"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A module with hostile names, signed with hostile claims."""
    path = tmp_path_factory.mktemp("hostile")
    (path / "module.wasm").write_bytes(compile_wat(MODULE))
    for kind in (KeyType.ACCOUNT, KeyType.MODULE):
        (path / f"{kind.name}.nk").write_text(KeyPair.generate(kind).seed)
    claims = ["--name", "\x1b[31mN\u202e\nVerdict: good", "--tag", "\x9b2J", "--cap", "wascc:x\x1b[0m", "--ver", "\x1b"]
    keys = ["-i", "ACCOUNT.nk", "-u", "MODULE.nk"]
    subprocess.run([COMMAND, "claims", "sign", "module.wasm", "signed.wasm", *keys, *claims], cwd=path, check=True)
    (path / "manifest.yaml").write_text("actors: [signed.wasm]\ncapabilities: []\nbindings: []\n")
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ("claims", "inspect", "signed.wasm"),
        ("claims", "inspect", "signed.wasm", "--json"),
        ("claims", "verify", "signed.wasm"),
        ("explain", "manifest.yaml", "--try"),
        ("explain", "manifest.yaml", "--json"),
        ("dump", "signed.wasm"),
        ("dump", "signed.wasm", "--json"),
        ("validate", "signed.wasm"),
        ("call", "signed.wasm", "\x1b[31m"),
        ("up", "manifest.yaml"),
    ],
    ids=" ".join,
)
def test_commands_on_a_terminal_send_it_nothing_of_a_module(arguments: tuple[str, ...], folder: Path) -> None:
    """The commands run on a pseudo-terminal, so that they do what they do for people; colours are off."""
    leader, follower = pty.openpty()
    environment = os.environ | {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "300"}
    process = subprocess.Popen(
        [COMMAND, *arguments], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=follower, stderr=follower
    )
    os.close(follower)
    output = b""
    try:
        while chunk := os.read(leader, 65536):
            output += chunk
    except OSError:
        pass  # the end of a pseudo-terminal
    os.close(leader)
    process.wait()
    text = output.decode().replace("\r\n", "\n")
    # Levels of the log have colours of ours on a terminal.
    for own in ("\x1b[31m", "\x1b[33m", "\x1b[2m"):
        text = "\n".join(line.removeprefix(own).removesuffix("\x1b[0m") for line in text.split("\n"))
    assert text
    assert all(line.isprintable() for line in text.split("\n")), ascii(text)
