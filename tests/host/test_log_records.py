"""The forms of the log: text, JSON, and the lines that are kept for who asks later."""

import json
import logging
import threading
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host import log_records
from host.core import SYSTEM
from host.entities import ActorEntity, CapabilityEntity
from host.invocation import Invocation
from host.log_records import JsonFormatter, RecentLines, TextFormatter, current_invocation
from host.redaction import Redactor
from wascap import KeyPair, KeyType

KEY = KeyPair.generate(KeyType.SERVER)
ACTOR, PROVIDER = ActorEntity("MA"), CapabilityEntity("wascc:keyvalue", "default")


def record(message: str, *arguments: object, **extra: object) -> logging.LogRecord:
    made = logging.getLogger("wascc.host").makeRecord("wascc.host", logging.INFO, "f", 1, message, arguments, None)
    vars(made).update(extra)
    return made


def as_json(made: logging.LogRecord) -> dict[str, str]:
    line = JsonFormatter().format(made)
    assert line.isascii()
    assert line.isprintable()
    parsed = json.loads(line)
    assert isinstance(parsed, dict)
    return parsed


@given(st.text(), st.text())
def test_a_line_is_one_line_whatever_it_says(message: str, actor: str) -> None:
    made = record("%s", message, actor=actor)
    parsed = as_json(made)
    assert parsed["message"].isprintable()
    assert parsed["actor"].isprintable()
    text = TextFormatter(colours=False).format(made)
    assert text.isprintable()


def test_fields_outside_of_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_records, "process_host", None)
    parsed = as_json(record("a %s", "b"))
    moment = datetime.fromisoformat(parsed.pop("time"))
    assert moment.utcoffset() is not None
    assert not moment.utcoffset()
    assert parsed == {"level": "INFO", "logger": "wascc.host", "message": "a b"}
    monkeypatch.setattr(log_records, "process_host", "NHOST")
    assert as_json(record("x"))["host"] == "NHOST"


@pytest.mark.parametrize(
    ("origin", "target", "facts"),
    [
        (ACTOR, PROVIDER, {"actor": "MA", "provider": "default,wascc:keyvalue"}),
        (PROVIDER, ACTOR, {"actor": "MA", "provider": "default,wascc:keyvalue"}),
        (SYSTEM, ACTOR, {"actor": "MA"}),
        (SYSTEM, PROVIDER, {"provider": "default,wascc:keyvalue"}),
        (ACTOR, ActorEntity("MB"), {"actor": "MB"}),
    ],
)
def test_fields_in_a_call(
    origin: ActorEntity | CapabilityEntity, target: ActorEntity | CapabilityEntity, facts: dict[str, str]
) -> None:
    invocation = Invocation.create(KEY, KEY.public_key, origin, target, "Get\n", b"secret")
    around = current_invocation.set(invocation)
    try:
        parsed = as_json(record("x"))
        assert "secret" not in json.dumps(parsed)
    finally:
        current_invocation.reset(around)
    del parsed["time"], parsed["level"], parsed["logger"], parsed["message"]
    assert parsed == {"host": KEY.public_key, "operation": "Get\\n", "invocation": invocation.id, **facts}


def test_of_an_exception_the_type_is_told() -> None:
    try:
        raise ValueError("password=geheim")
    except ValueError as error:
        made = record("failed")
        made.exc_info = (ValueError, error, error.__traceback__)
    parsed = as_json(made)
    assert parsed["error"] == "ValueError"
    assert "geheim" not in json.dumps(parsed)


def test_colours_are_for_terminals() -> None:
    made = record("x")
    made.levelno, made.levelname = logging.ERROR, "ERROR"
    assert "\x1b" not in TextFormatter(colours=False).format(made)
    assert TextFormatter(colours=True).format(made).startswith("\x1b[31m[")


def test_the_last_lines_are_kept() -> None:
    recent = RecentLines(3)
    for number in range(5):
        recent.handle(record("%d", number))
    with recent.followed() as (kept, follower):
        assert [line.message for line in kept] == ["2", "3", "4"]
        recent.handle(record("5"))
        following = follower.next(1)
        assert following is not None
        assert following.message == "5"
        assert follower.next(0.01) is None
    recent.handle(record("6"))
    assert follower.next(0.01) is None, "it does not follow any more"


def test_who_is_too_slow_misses_lines_and_holds_up_nobody() -> None:
    recent = RecentLines(10)
    with recent.followed() as (_, follower):
        for number in range(5000):
            recent.handle(record("%d", number))
        assert follower.missed() == 4000
        assert follower.missed() == 0
        first = follower.next(1)
        assert first is not None
        assert first.message == "0"


def test_no_line_is_lost_or_doubled_between_the_kept_and_the_following_ones() -> None:
    recent = RecentLines(1000)
    total = 500
    writer = threading.Thread(target=lambda: [recent.handle(record("%d", number)) for number in range(total)])
    writer.start()
    with recent.followed() as (kept, follower):
        seen = [line.message for line in kept]
        while len(seen) < total and (line := follower.next(5)):
            seen.append(line.message)
    writer.join()
    assert seen == [str(number) for number in range(total)]


def test_secrets_are_left_out_whoever_logs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Redactor()
    known.add("geheim-4711")
    monkeypatch.setattr(log_records, "secrets", known)
    for logger in ("wascc.actor", "some.library"):
        made = logging.getLogger(logger).makeRecord(logger, logging.INFO, "f", 1, "key %s", ("geheim-4711",), None)
        assert as_json(made)["message"] == "key [secret]"
        assert TextFormatter(colours=False).format(made).endswith(" key [secret]")
