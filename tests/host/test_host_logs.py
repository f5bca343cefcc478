"""What gets into the log: nothing that forges lines, and no more than the disk can bear."""

import logging

import pytest
from host_support import Identities, call_script
from hypothesis import given
from hypothesis import strategies as st

from host import Host, HostError, authorization
from host.logs import MAX_LOGGED_CHARACTERS, Sparing, printable


@given(st.text())
def test_printable_text_is_one_line_that_a_terminal_only_shows(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    if text.isprintable():
        assert shown == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\nb", "a\\nb"), ("\x1b[31m", "\\x1b[31m"), ("é\u2028\ud800", "é\\u2028\\ud800"), ("\U000e0001", "\\U000e0001")],
)
def test_escapes(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_long_text_is_cut() -> None:
    shown = printable("x" * 1_000_000)
    assert len(shown) < MAX_LOGGED_CHARACTERS + 50
    assert shown.endswith("(1000000 characters)")


def test_sparing(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    sparing = Sparing(lines=3, seconds=10, clock=lambda: now[0])
    for number in range(8):
        sparing.log(logging.WARNING, "line %d", number)
    assert caplog.messages == ["line 0", "line 1", "line 2"]
    now[0] = 10.0
    sparing.log(logging.WARNING, "later")
    sparing.log(logging.WARNING, "and later")
    assert caplog.messages[3:] == ["5 lines were left out here", "later", "and later"]


def test_a_guest_cannot_flood_the_log(
    host: Host, identities: Identities, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authorization, "sparing", Sparing(lines=20, seconds=3600))
    actor = identities.actor()
    host.add_actor(actor)
    caplog.clear()
    denied = call_script(("default", "wascc:denied", "Op", b""))
    for _ in range(200):
        with pytest.raises(HostError):
            host.call_actor(actor.public_key, "host", denied)
    assert len(caplog.messages) == 20
