"""The bytes of telnet, without any socket: lines, commands, options, what is left out, what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.providers.telnet.protocol import (
    MAX_SUBNEGOTIATION_BYTES,
    LineReader,
    TelnetViolation,
    edited,
    written,
)

PIECES = (b"a", b"line", b"\r", b"\n", b"\0", b"\r\n", b"\xff\xff", b"\xff\xf1", b"\xff\xfd\x01", b"\xff\xfb\x18",
          b"\xff\xfc\x01", b"\xff\xf6", b"\xff\xf7", b"\xff\xf8", b"\xff\xfa\x18\x00\xff\xff\xff\xf0", b"\x08", b"\xc3",
          b"\xa9", b"\x1b[A")  # fmt: skip


def read(*parts: bytes, max_line_bytes: int = 100) -> tuple[list[str], bytes]:
    """The lines and the replies that parts give that come one after the other."""
    reader = LineReader(max_line_bytes)
    lines: list[str] = []
    replies = b""
    for part in parts:
        received = reader.feed(part)
        lines += received.lines
        replies += received.replies
    return lines, replies


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\r\0b\r\0", ["a", "b"]),
        (b"a\nb\n", ["a", "b"]),
        (b"a\rb\r", ["a", "b"]),
        (b"\r\n\r\n\n", ["", "", ""]),
        (b"\r\r\n", ["", ""]),
        (b"\n\r", ["", ""]),
        (b"a\r\xff\xf1\nb\n", ["a", "b"]),
        (b"a\r\xff\xff\n", ["a", "\ufffd"]),
        (b"not ended", []),
        (b"h\xc3\xa9lo\n", ["hélo"]),
        (b"\xc3\n\xa9\n\xff\xff\n\xf0\x9f\n", ["\ufffd", "\ufffd", "\ufffd", "\ufffd"]),
        (b"\xed\xa0\x80\n", ["\ufffd\ufffd\ufffd"]),
        (b"a\0b\x07\tc\n", ["ab\tc"]),
        (b"ax\x08b\x7f\xc3\xa9\x08c\n", ["ac"]),
        (b"\x08\x08a\n", ["a"]),
        (b"wrong\x15right\n", ["right"]),
        (b"abc\xff\xf7d\n", ["abd"]),
        (b"wrong\xff\xf8right\n", ["right"]),
        (b"l\x1b[Ds\x1b[1;31m\x1bOA\x1b\n", ["ls"]),
        (b"a\xff\xf1\xff\xf2\xff\xf3\xff\xf4\xff\xf5\xff\xf9\xff\xf0b\n", ["ab"]),
        (b"a\xff\xfa\x18\x00x\ny\xff\xff\xff\xf0b\n", ["ab"]),
    ],
)
def test_lines(data: bytes, lines: list[str]) -> None:
    assert read(data)[0] == lines
    assert read(*(data[place : place + 1] for place in range(len(data))))[0] == lines


def test_every_option_is_refused_and_nothing_else_answered() -> None:
    for option in range(256):
        sent = bytes([option])
        assert read(b"\xff\xfd" + sent) == ([], b"\xff\xfc" + sent)
        assert read(b"\xff\xfb" + sent) == ([], b"\xff\xfe" + sent)
        assert read(b"\xff\xfc" + sent + b"\xff\xfe" + sent) == ([], b"")
    assert read(b"\xff\xf6") == ([], b"\r\n[yes]\r\n")


def test_a_line_that_is_too_long_is_left_out_and_the_next_one_is_not() -> None:
    lines, replies = read(b"12345\n123456\n", b"x" * 10_000, b"\xff\xf1", b"x" * 10_000 + b"\r", b"\nnext\r\n",
                          max_line_bytes=5)  # fmt: skip
    assert lines == ["12345", "next"]
    assert replies == 2 * b"That line was too long; 5 bytes are allowed.\r\n"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff\xfa" + b"x" * (MAX_SUBNEGOTIATION_BYTES + 1), "over the limit of 1024 bytes"),
        (b"\xff\xfa" + b"\xff\xff" * (MAX_SUBNEGOTIATION_BYTES + 1), "over the limit of 1024 bytes"),
        (b"\xff\xfa\x18\xff\xfd\x01", "command 253 in it"),
        (b"\xff\x00", "0 is no command"),
        (b"\xffa", "97 is no command"),
        (b"\xff\xef", "239 is no command"),
    ],
)
def test_violations(data: bytes, reason: str) -> None:
    with pytest.raises(TelnetViolation, match=reason):
        read(data)
    with pytest.raises(TelnetViolation, match=reason):
        read(*(data[place : place + 1] for place in range(len(data))))


@given(st.lists(st.sampled_from(PIECES), max_size=30), st.data())
def test_it_does_not_matter_how_bytes_are_cut(pieces: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    parts = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert read(*parts, max_line_bytes=8) == read(whole, max_line_bytes=8)


@given(st.binary(max_size=300))
def test_any_bytes_are_taken_or_refused(data: bytes) -> None:
    try:
        lines, replies = read(data, max_line_bytes=20)
    except TelnetViolation:
        return
    assert all(len(line) <= 20 and written(line) == line.encode() for line in lines)
    assert len(replies) <= 20 * len(data)


@given(st.text())
def test_text_for_a_client_holds_nothing_that_a_terminal_or_telnet_obeys(text: str) -> None:
    sent = written(text)
    assert 255 not in sent
    assert sent.replace(b"\r\n", b"").translate(None, delete=bytes(range(9)) + bytes(range(10, 32)) + b"\x7f") == (
        sent.replace(b"\r\n", b"")
    )
    shown = sent.decode()
    assert not any(0x7F <= ord(each) < 0xA0 for each in shown)
    assert edited(shown.replace("\r\n", "")) == shown.replace("\r\n", "")


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs", "M"))))
def test_text_without_controls_goes_and_comes_unchanged(text: str) -> None:
    assert written(text) == text.encode()
    assert edited(text) == text


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("a\nb\r\nc", b"a\r\nb\r\nc"),
        ("a\rb", rb"a\rb"),
        ("\x1b[2J\x07\0\x7f", rb"\x1b[2J\x07\x00\x7f"),
        ("\x9b31m\u202eabc\u2069\u2028", rb"\x9b31m\u202eabc\u2069\u2028"),
        ("ÿ\t\u00a0\u3000\u200d", "ÿ\t\u00a0\u3000\u200d".encode()),
        ("\ud800", rb"\ud800"),
    ],
)
def test_what_is_shown_as_an_escape(text: str, sent: bytes) -> None:
    assert written(text) == sent
