"""The logging provider: levels, and that a line stays a line."""

import logging

import pytest

from host.codec import encode
from host.codec.core import CapabilityConfiguration
from host.codec.logging import WriteLogRequest
from host.providers.base import ProviderError
from host.providers.logs import LoggingProvider


@pytest.fixture
def provider() -> LoggingProvider:
    provider = LoggingProvider()
    provider.handle_call("system", "BindActor", encode(CapabilityConfiguration("MA")))
    return provider


def write(provider: LoggingProvider, level: int, body: str) -> None:
    assert provider.handle_call("MA", "WriteLog", encode(WriteLogRequest(level, body))) == b""


def test_levels(provider: LoggingProvider, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(1):
        for level in range(6):
            write(provider, level, f"at {level}")
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("ERROR", "[MA] at 1"),
        ("WARNING", "[MA] at 2"),
        ("INFO", "[MA] at 3"),
        ("DEBUG", "[MA] at 4"),
        ("TRACE", "[MA] at 5"),
    ]
    assert {record.name for record in caplog.records} == {"wascc.actor"}


@pytest.mark.parametrize("level", [6, 2**32 - 1])
def test_unknown_level(provider: LoggingProvider, caplog: pytest.LogCaptureFixture, level: int) -> None:
    with pytest.raises(ProviderError, match=f"^Unknown log level: {level}$"):
        write(provider, level, "text")
    assert not caplog.records


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("", "[MA] "),
        ("100% of %s {}", "[MA] 100% of %s {}"),
        ("ünï 漢字 🎉", "[MA] ünï 漢字 🎉"),
        ("one\ntwo\r\nthree\0\x1b[31m", r"[MA] one\ntwo\r\nthree\x00\x1b[31m"),
        ("\x85\u2028\u202edrow", r"[MA] \x85\u2028\u202edrow"),
    ],
)
def test_a_body_is_one_line(provider: LoggingProvider, caplog: pytest.LogCaptureFixture, body: str, line: str) -> None:
    with caplog.at_level(logging.INFO):
        write(provider, 3, body)
    assert caplog.messages == [line]


def test_a_long_body_is_cut_and_says_so(provider: LoggingProvider, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        write(provider, 3, "x" * 1_000_000)
    assert caplog.messages[0].endswith("… (1000000 characters)")
    assert len(caplog.messages[0]) < 5000
