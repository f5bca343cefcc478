"""The control socket of a host in this process: what it tells, and what it changes."""

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from host_support import Identities, call_script, eventually, in_thread

from host import Host, HostError
from host.actor import Actor
from host.codec import encode
from host.codec.logging import WriteLogRequest
from host.control import protocol
from host.control.client import ControlError, ask, running_hosts
from host.control.server import MAX_CLIENTS, ControlServer, serve_control_socket
from host.log_records import LOGGERS, RecentLines
from host.logs import log
from host.providers.logs import LoggingProvider


@pytest.fixture
def recent() -> Iterator[RecentLines]:
    recent = RecentLines()
    logging.getLogger().addHandler(recent)
    before = [logging.getLogger(name).level for name in LOGGERS]
    yield recent
    logging.getLogger().removeHandler(recent)
    for name, level in zip(LOGGERS, before, strict=True):
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def actor(host: Host, identities: Identities) -> Actor:
    actor = identities.actor("wascc:logging", name="Loud")
    host.add_actor(actor)
    host.add_capability(LoggingProvider())
    host.set_binding(actor.public_key, "wascc:logging", values={"LEVEL": "warn"})
    return actor


@pytest.fixture
def control(
    host: Host, recent: RecentLines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ControlServer]:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    control = serve_control_socket(host, None, recent)
    assert control is not None
    yield control
    control.stop()


def say(host: Host, actor: Actor, level: int, text: str) -> None:
    payload = call_script(("default", "wascc:logging", "WriteLog", encode(WriteLogRequest(level, text))))
    host.call_actor(actor.public_key, "host", payload)


def messages(**request: object) -> list[str]:
    return [reply["line"]["message"] for reply in ask(None, request="logs", **request) if "line" in reply]


def test_the_level_of_an_actor_is_changed_while_it_runs(host: Host, actor: Actor, control: ControlServer) -> None:
    key = actor.public_key
    say(host, actor, 4, "unheard")
    (reply,) = ask(None, request="set_level", level="debug", actor="Loud")
    assert reply["done"] == f"{key} logs from level debug on"
    say(host, actor, 4, "heard")
    assert messages(actor=key) == [f"[{key}] heard"]
    assert messages(actor=key[:7], level="info") == []
    binding = host.find_binding(key, "wascc:logging")
    assert binding is not None
    assert binding.values == {"LEVEL": "debug"}


def test_the_level_of_the_host(host: Host, control: ControlServer) -> None:
    for level, number in (("error", logging.ERROR), ("debug", logging.DEBUG), ("off", logging.CRITICAL + 1)):
        list(ask(None, request="set_level", level=level))
        assert {logging.getLogger(name).level for name in LOGGERS} == {number}


def test_an_actor_in_its_state(host: Host, actor: Actor, control: ControlServer) -> None:
    with pytest.raises(HostError):
        host.call_actor(actor.public_key, "no-such-operation", b"")
    (status,) = running_hosts()
    (described,) = status["actors"]
    assert (described["name"], described["calls"], described["failures"]) == ("Loud", 1, 1)
    assert described["module"] == f"sha256:{actor.digest}"
    assert status["manifest"] is None
    assert "warn" not in str(status), "values of bindings are not told"


def test_following_ends_with_the_control_socket(host: Host, actor: Actor, control: ControlServer) -> None:
    thread, outcome = in_thread(lambda: messages(follow=True, actor="Loud", lines=0))
    assert eventually(lambda: len(control._recent._followers) == 1)
    say(host, actor, 1, "one")
    say(host, actor, 3, "not at this level")
    say(host, actor, 2, "\x1b[2J\n")
    assert eventually(lambda: not any(follower._waiting.qsize() for follower in control._recent._followers))
    control.stop()
    thread.join(20)
    key = actor.public_key
    assert outcome == [[f"[{key}] one", f"[{key}] \\x1b[2J\\n"]]
    with pytest.raises(ControlError, match=r"^no host is running$"):
        messages()


def test_two_actors_of_one_name(host: Host, actor: Actor, identities: Identities, control: ControlServer) -> None:
    host.add_actor(identities.actor(name="Loud"))
    with pytest.raises(ControlError, match=r"^2 actors are called Loud$"):
        messages(actor="Loud")
    with pytest.raises(ControlError, match=r"^2 actors are called M$"):
        messages(actor="M")


def test_who_follows_and_does_not_read_is_left(control: ControlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "SEND_SECONDS", 0.5)
    clients = []
    for _ in range(MAX_CLIENTS):
        clients.append(socket.socket(socket.AF_UNIX))
        clients[-1].connect(str(control.path))
        clients[-1].sendall(b'{"wascc": 1, "request": "logs", "follow": true}\n')
    assert eventually(lambda: threads_of_clients() == MAX_CLIENTS)
    begin = time.monotonic()
    for _ in range(1000):
        log.warning("%s", "x" * 1000)
    assert eventually(lambda: threads_of_clients() == 0, 10)
    assert time.monotonic() - begin < 3
    assert len(running_hosts()) == 1
    for client in clients:
        client.close()


def threads_of_clients() -> int:
    return sum(thread.name == "control client" for thread in threading.enumerate())


def test_what_else_lies_in_the_folder_is_passed_over(control: ControlServer) -> None:
    folder = control.path.parent
    (folder / "1-x.sock").mkdir()
    (folder / "2-x.sock").symlink_to("/etc/hosts")
    os.mkfifo(folder / "3-x.sock")
    answers = [{}, {"started": 1, "pid": 2}, {"started": "x", "pid": {}, "host": "x"}, [], None]
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "4-x.sock"))
        listening.listen()

        def answer() -> None:
            for status in answers:
                with listening.accept()[0] as client:
                    client.recv(1000)
                    client.sendall(json.dumps({"wascc": 1, "status": status}).encode() + b"\n")

        in_thread(answer)
        for _ in answers:
            assert [host["pid"] for host in running_hosts()] == [os.getpid()]
    assert Path("/etc/hosts").exists()
