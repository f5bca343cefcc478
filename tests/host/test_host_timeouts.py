"""Time-outs name the hop, the budget, and what was waited for."""

import re
import threading

import httpx
import pytest
from host_support import Identities, ScriptedProvider, eventually

from benchmarks.operation.guests import guest
from host import Actor, Host
from host.codec.http import CAPABILITY_SERVER
from host.codec.keyvalue import CAPABILITY as KEY_VALUE
from host.providers.http_server import HttpServerProvider
from wascap import ActorMetadata, Claims, sign


@pytest.fixture
def stuck() -> threading.Event:
    return threading.Event()


def test_a_request_that_a_provider_keeps_is_answered_in_time(
    host: Host, identities: Identities, stuck: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    """A provider that never returns keeps its thread, and the client learns in time that nothing comes."""
    key = identities.key().public_key
    metadata = ActorMetadata(capabilities=(CAPABILITY_SERVER, KEY_VALUE))
    claims = Claims(issuer=identities.account.public_key, subject=key, metadata=metadata)
    host.add_actor(Actor.from_bytes(sign(guest("churn"), claims, identities.account)))
    server = HttpServerProvider()
    host.add_capability(server)
    host.add_capability(ScriptedProvider(KEY_VALUE, Add=lambda provider, actor, payload: bytes(stuck.wait(30))))
    host.set_binding(key, KEY_VALUE)
    values = {"PORT": "0", "RESPONSE_TIMEOUT": "1", "WORKERS": "1", "SHUTDOWN_TIMEOUT": "0"}
    host.set_binding(key, CAPABILITY_SERVER, values=values)
    address, port = server.address(key)
    try:
        answers = [httpx.get(f"http://{address}:{port}/", timeout=20, trust_env=False) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [504, 504]
        (way,) = host.calls_under_way()
        assert [hop.operation for hop in way.hops] == ["HandleRequest", "Add"]
    finally:
        stuck.set()
    timed_out = [message for message in caplog.messages if "is not answered within 1 s" in message]
    wanted = rf"HandleRequest of actor {key} is not answered within 1 s: HandleRequest of actor {key} -> Add of "
    assert re.fullmatch(rf"{wanted}default,wascc:keyvalue, for \d\.\d s so far", timed_out[0])
    assert timed_out[1].endswith("it waits for a worker")
    assert eventually(lambda: not host.calls_under_way())
