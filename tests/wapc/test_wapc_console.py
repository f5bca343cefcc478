"""What guests log: cut, counted, and made visible."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wapc import visible
from wapc.console import LINE_COST, LOG_CUT, Console, LineStream, cut, log_line


def make_console(per_call: int = 100_000) -> tuple[Console, list[str]]:
    logs: list[str] = []
    return Console(7, lambda _id, text: logs.append(text), per_call), logs


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain żółw", "plain żółw"),
        ("a\nINFO forged", r"a\nINFO forged"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\x9b31m\u2028\x00", r"\x9b31m\u2028\x00"),
    ],
)
def test_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_visible_is_printable_and_one_line(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1


def test_the_default_logs_to_wapc_with_the_guests_id(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "wapc"):
        log_line(3, "100 %s\r\n")
    assert caplog.record_tuples == [("wapc", logging.INFO, r"Guest module 3: 100 %s\r\n")]


@given(st.text(), st.integers(4, 20))
def test_cut_keeps_whole_characters(text: str, limit: int) -> None:
    data = cut(text.encode(), limit)
    assert len(data) <= limit
    assert text.startswith(data.decode())
    assert len(data) == len(text.encode()) or len(data) > limit - 4


@given(st.binary(), st.integers(0, 20))
def test_cut_of_anything_is_a_prefix(data: bytes, limit: int) -> None:
    assert data.startswith(cut(data, limit))
    assert len(cut(data, limit)) <= limit


def test_a_call_logs_only_so_much() -> None:
    console, logs = make_console(3 * (LINE_COST + 1))
    for _ in range(100):
        console.log(b"x")
    assert logs == ["x", "x", "x", LOG_CUT]
    console.reset()
    console.log(b"y")
    assert logs[-1] == "y"


@given(st.lists(st.binary(max_size=30), max_size=20))
def test_lines_do_not_depend_on_how_they_are_written(chunks: list[bytes]) -> None:
    whole, pieces = make_console(), make_console()
    for console, parts in ((whole[0], [b"".join(chunks)]), (pieces[0], chunks)):
        stream = LineStream(console, 10_000)
        for part in parts:
            assert stream.write(part) == len(part)
        stream.end_line()
    assert whole[1] == pieces[1]


def test_lines_are_split_and_the_last_one_waits_for_its_end() -> None:
    console, logs = make_console()
    stream = LineStream(console, 100)
    stream.write(b"one\r\n\ntwo")
    assert logs == ["one", ""]
    stream.end_line()
    stream.end_line()
    assert logs == ["one", "", "two"]


def test_long_lines_are_broken_and_nothing_is_lost() -> None:
    console, logs = make_console()
    stream = LineStream(console, 8)
    text = "żółw" * 10
    stream.write(text.encode() + b"\nend\n")
    assert "".join(logs) == text + "end"
    assert all(len(line.encode()) <= 8 for line in logs)


def test_a_flood_is_dropped_without_being_looked_at() -> None:
    console, logs = make_console(10 * LINE_COST)
    stream = LineStream(console, 100)
    for _ in range(100):
        assert stream.write(b"\n" * 2**20) == 2**20
    assert logs == [""] * 10 + [LOG_CUT]


def test_a_line_without_end_does_not_pile_up() -> None:
    console, logs = make_console(100_000)
    stream = LineStream(console, 1000)
    for _ in range(1000):
        stream.write(b"x" * 1000)
    stream.end_line()
    assert logs[-1] == LOG_CUT
    assert len(logs) < 100
