"""The logging provider: levels, and that a line stays a line."""

import logging
from collections.abc import Callable, Iterator

import pytest
from host_support import Identities, call_script
from provider_support import bind

from host import Host
from host.codec import encode
from host.codec.core import CapabilityConfiguration
from host.codec.logging import WriteLogRequest
from host.log_records import Line, RecentLines
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


LEVELS = ("off", "error", "warn", "info", "debug", "trace")


def levels_written(provider: LoggingProvider, caplog: pytest.LogCaptureFixture, actor: str = "MA") -> list[str]:
    caplog.clear()
    for level in range(6):
        assert provider.handle_call(actor, "WriteLog", encode(WriteLogRequest(level, str(level)))) == b""
    return [LEVELS[int(message.removeprefix(f"[{actor}] "))] for message in caplog.messages]


@pytest.mark.parametrize("host_level", [1, logging.INFO, logging.CRITICAL])
@pytest.mark.parametrize("level", LEVELS)
def test_a_level_for_each_actor_whatever_that_of_the_host(
    provider: LoggingProvider, caplog: pytest.LogCaptureFixture, level: str, host_level: int
) -> None:
    bind(provider, LEVEL=level)
    bind(provider, "MB")
    with caplog.at_level(1):
        logging.getLogger("wascc.actor").setLevel(host_level)
        try:
            expected = [name for name in LEVELS[1:] if LEVELS.index(name) <= LEVELS.index(level)]
            assert levels_written(provider, caplog) == expected
            others = {1: LEVELS[1:], logging.INFO: LEVELS[1:4], logging.CRITICAL: ()}[host_level]
            assert levels_written(provider, caplog, "MB") == list(others)
        finally:
            logging.getLogger("wascc.actor").setLevel(logging.NOTSET)


def test_the_level_changes_while_the_actor_runs(provider: LoggingProvider, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(1), caplog.at_level(logging.INFO, "wascc.actor"):
        caplog.handler.setLevel(1)
        bind(provider, LEVEL="error")
        assert levels_written(provider, caplog) == ["error"]
        bind(provider, LEVEL="trace")
        assert levels_written(provider, caplog) == list(LEVELS[1:])
        with pytest.raises(ProviderError, match=r"^LEVEL must be one of off, .*, trace, not 'INFO'$"):
            bind(provider, LEVEL="INFO")
        assert levels_written(provider, caplog) == list(LEVELS[1:])
        bind(provider)
        assert levels_written(provider, caplog) == ["error", "warn", "info"]


def test_a_level_is_forgotten_with_its_binding(provider: LoggingProvider, caplog: pytest.LogCaptureFixture) -> None:
    bind(provider, LEVEL="off")
    provider.handle_call("system", "RemoveActor", encode(CapabilityConfiguration("MA")))
    bind(provider)
    with caplog.at_level(logging.INFO):
        assert levels_written(provider, caplog) == ["error", "warn", "info"]


def test_an_actor_in_a_host(
    host: Host, identities: Identities, caplog: pytest.LogCaptureFixture, line_of: Callable[[], Line]
) -> None:
    actor = identities.actor("wascc:logging")
    host.add_actor(actor)
    host.add_capability(LoggingProvider())
    host.set_binding(actor.public_key, "wascc:logging", values={"LEVEL": "warn"})
    for level, body in ((2, "yes\x1b"), (3, "no")):
        payload = call_script(("default", "wascc:logging", "WriteLog", encode(WriteLogRequest(level, body))))
        host.call_actor(actor.public_key, "host", payload)
    assert caplog.messages[-1] == f"[{actor.public_key}] yes\\x1b"
    line = line_of()
    assert (line.level, line.host, line.actor) == ("WARNING", host.id, actor.public_key)
    assert (line.provider, line.operation) == ("default,wascc:logging", "WriteLog")
    assert line.invocation is not None


@pytest.fixture
def line_of() -> Iterator[Callable[[], Line]]:
    """The last line of the host's log."""
    recent = RecentLines()
    logging.getLogger().addHandler(recent)

    def last() -> Line:
        with recent.followed() as (lines, _):
            return lines[-1]

    yield last
    logging.getLogger().removeHandler(recent)
