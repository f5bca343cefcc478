"""Live update: another module for the same actor, between two calls."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from host_support import TEST_CAPABILITY, Identities, ScriptedProvider, call_script, compile_wat, eventually, in_thread

from host import Actor, AuthorizationFailure, Host, HostError, NoSuchActor, RevisionRefused, WapcFailure
from wascap import ActorMetadata, Claims, KeyPair, KeyType, sign

MakeHost = Callable[..., Host]


def test_the_new_module_serves(host_on_engine: Host, identities: Identities, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    key = identities.key()
    host_on_engine.add_actor(identities.actor(key=key, name="Old"))
    assert host_on_engine.call_actor(key.public_key, "version", b"") == b"1"
    new = identities.actor(key=key, version="22", name="New", tags=("fresh",))
    host_on_engine.replace_actor(new)
    assert host_on_engine.call_actor(key.public_key, "version", b"") == b"22"
    assert host_on_engine.claims_for_actor(key.public_key) == new.claims
    assert host_on_engine.actors_by_tag(["fresh"]) == (key.public_key,)
    assert f"Actor {key.public_key} replaced" in caplog.messages
    host_on_engine.remove_actor(key.public_key)
    assert not host_on_engine.actors()


def test_another_issuer_is_told_of(host: Host, identities: Identities, caplog: pytest.LogCaptureFixture) -> None:
    key, others = identities.key(), Identities()
    host.add_actor(identities.actor(key=key))
    host.replace_actor(identities.actor(key=key, version="2"))
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    host.replace_actor(others.actor(key=key, version="3"))
    issuers = f"{others.account.public_key} now, and was by {identities.account.public_key}"
    assert f"Actor {key.public_key} is signed by {issuers}" in caplog.messages


def test_only_a_running_actor_is_replaced(host: Host, identities: Identities) -> None:
    host.add_actor(identities.actor())
    with pytest.raises(NoSuchActor):
        host.replace_actor(identities.actor())
    assert len(host.actors()) == 1


def test_the_new_token_is_checked(host: Host, identities: Identities) -> None:
    key = identities.key()
    host.add_actor(identities.actor(key=key))
    old = host.claims_for_actor(key.public_key)
    now = int(time.time())
    user = Identities(KeyPair.generate(KeyType.ACCOUNT))
    forged = Actor.from_bytes(user.sign(key, version="2"))
    head, body, _ = forged.token.split(".")
    signature = Actor.from_bytes(identities.sign(key)).token.split(".")[2]
    from wascap import embed

    for actor in (
        identities.actor(key=key, version="2", expires=now - 100),
        identities.actor(key=key, version="2", not_before=now + 100),
        Actor.from_bytes(embed(forged.wasm, f"{head}.{body}.{signature}")),
    ):
        with pytest.raises(AuthorizationFailure):
            host.replace_actor(actor)
        assert host.call_actor(key.public_key, "version", b"") == b"1"
        assert host.claims_for_actor(key.public_key) == old


def test_the_authorizer_is_asked_again(make_host: MakeHost, identities: Identities) -> None:
    class OnlyOnce:
        def can_load(self, claims: Claims[ActorMetadata]) -> bool:
            return claims.metadata.name == "First"

        def can_invoke(self, claims: Claims[ActorMetadata], target: object, operation: str) -> bool:
            return True

    host = make_host(configure=lambda builder: builder.with_authorizer(OnlyOnce()))
    key = identities.key()
    host.add_actor(identities.actor(key=key, name="First"))
    with pytest.raises(AuthorizationFailure, match="hook denied"):
        host.replace_actor(identities.actor(key=key, name="Second", version="2"))
    assert host.call_actor(key.public_key, "version", b"") == b"1"


@pytest.mark.parametrize("text", ["(module)", '(module (import "wapc" "nothing" (func)) (memory (export "memory") 1))'])
def test_a_module_that_does_not_start_leaves_the_old_one_serving(
    host_on_engine: Host, identities: Identities, text: str
) -> None:
    key = identities.key()
    old = identities.actor(TEST_CAPABILITY, key=key)
    host_on_engine.add_actor(old)
    host_on_engine.add_capability(ScriptedProvider(Op=lambda provider, actor, payload: b"done"))
    host_on_engine.set_binding(key.public_key, TEST_CAPABILITY)
    host_on_engine.call_actor(key.public_key, "count", b"")
    claims = Claims(issuer=identities.account.public_key, subject=key.public_key, metadata=ActorMetadata())
    broken = Actor.from_bytes(sign(compile_wat(text), claims, identities.account))
    with pytest.raises(WapcFailure) as caught:
        host_on_engine.replace_actor(broken)
    assert str(caught.value).startswith("waPC failure: Failed to perform hot swap: ")
    assert host_on_engine.call_actor(key.public_key, "count", b"") == b"\2", "the old instance, with its state"
    assert host_on_engine.claims_for_actor(key.public_key) == old.claims
    script = call_script(("default", TEST_CAPABILITY, "Op", b""))
    assert host_on_engine.call_actor(key.public_key, "host", script) == b"done"


def test_bindings_that_are_claimed_no_more_go(host: Host, identities: Identities) -> None:
    key = identities.key()
    kept, lost = ScriptedProvider("test:kept", Op=_done), ScriptedProvider("test:lost", Op=_done)
    host.add_actor(identities.actor("test:kept", "test:lost", key=key))
    for provider in (kept, lost):
        host.add_capability(provider)
        host.set_binding(key.public_key, provider.capability)
    host.replace_actor(identities.actor("test:kept", "wascc:extras", key=key, version="2"))
    assert {binding.capability_id for binding in host.bindings()} == {"test:kept", "wascc:extras"}
    assert [name for name, _ in lost.events] == ["BindActor", "RemoveActor"]
    assert [name for name, _ in kept.events] == ["BindActor"]
    script = call_script(("default", "test:kept", "Op", b""))
    assert host.call_actor(key.public_key, "host", script) == b"done"
    script = call_script(("default", "test:lost", "Op", b""))
    with pytest.raises(HostError, match="PERMISSION DENIED"):
        host.call_actor(key.public_key, "host", script)
    with pytest.raises(AuthorizationFailure):
        host.set_binding(key.public_key, "test:lost")


def _done(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
    return b"done"


def test_a_new_module_starts_with_its_new_rights(host: Host, identities: Identities) -> None:
    """While its starter runs, the claims of the new token count, not those of the old one."""
    text = """(module
      (import "wapc" "__host_call" (func $host_call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
      (import "wapc" "__guest_response" (func $respond (param i32 i32)))
      (memory (export "memory") 1)
      (data (i32.const 16) "test:provider") (data (i32.const 32) "Op")
      (func (export "wapc_init")
        (i32.store8 (i32.const 64) (call $host_call (i32.const 0) (i32.const 0) (i32.const 16) (i32.const 13)
          (i32.const 32) (i32.const 2) (i32.const 0) (i32.const 0))))
      (func (export "__guest_call") (param i32 i32) (result i32)
        (call $respond (i32.const 64) (i32.const 1)) (i32.const 1)))"""
    key = identities.key()
    host.add_actor(identities.actor(TEST_CAPABILITY, key=key))
    provider = ScriptedProvider(Op=_done)
    host.add_capability(provider)
    host.set_binding(key.public_key, TEST_CAPABILITY)
    for capabilities, allowed in (((TEST_CAPABILITY,), b"\1"), ((), b"\0")):
        metadata = ActorMetadata(capabilities=capabilities)
        claims = Claims(issuer=identities.account.public_key, subject=key.public_key, metadata=metadata)
        host.replace_actor(Actor.from_bytes(sign(compile_wat(text), claims, identities.account)))
        assert host.call_actor(key.public_key, "started", b"") == allowed


def test_an_update_waits_for_nobody_and_no_call_is_lost(host: Host, identities: Identities) -> None:
    """The call under way finishes with the old module; the one that waits and those to come get the new one."""
    entered, leave = threading.Event(), threading.Event()

    def hold(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        entered.set()
        leave.wait(20)
        return b"held"

    key = identities.key()
    host.add_actor(identities.actor(TEST_CAPABILITY, key=key))
    host.add_capability(ScriptedProvider(Hold=hold))
    host.set_binding(key.public_key, TEST_CAPABILITY)
    script = call_script(("default", TEST_CAPABILITY, "Hold", b""), ("default", TEST_CAPABILITY, "Hold", b""))
    holding, held = in_thread(lambda: host.call_actor(key.public_key, "host", script))
    assert entered.wait(20)
    waiting, waited = in_thread(lambda: host.call_actor(key.public_key, "version", b""))
    assert eventually(lambda: host.actor_states()[0].waiting == 1)
    host.replace_actor(identities.actor(TEST_CAPABILITY, key=key, version="2"))
    assert len(host.actor_states()[0].instances) == 2, "the one that holds, and the new one"
    assert not held
    assert not waited
    leave.set()
    for thread in (holding, waiting):
        thread.join(20)
    assert (held, waited) == ([b"held"], [b"2"])
    assert len(host.actor_states()[0].instances) == 1


def test_a_lower_revision_is_put_in_place_only_by_force(host: Host, identities: Identities) -> None:
    key = identities.key()
    host.add_actor(identities.actor(key=key, version="3", revision=3))
    for lower in (2, None):
        with pytest.raises(RevisionRefused, match=r"runs in revision 3, and the new module is revision [02]"):
            host.replace_actor(identities.actor(key=key, version="2", revision=lower))
    assert host.call_actor(key.public_key, "version", b"") == b"3"
    host.replace_actor(identities.actor(key=key, version="4", revision=3))
    assert host.call_actor(key.public_key, "version", b"") == b"4"
    host.replace_actor(identities.actor(key=key, version="2", revision=2), force=True)
    assert host.call_actor(key.public_key, "version", b"") == b"2"


@pytest.mark.usefixtures("eager_switching")
def test_updates_under_load(host: Host, identities: Identities) -> None:
    """Every call is answered by one version or another, and in the end by the last."""
    key = identities.key()
    versions = [identities.actor(key=key, version=str(number)) for number in range(10)]
    host.add_actor(versions[0])
    done = threading.Event()

    def call(_: int) -> set[bytes]:
        seen = set()
        while not done.is_set():
            seen.add(host.call_actor(key.public_key, "version", b""))
        return seen

    with ThreadPoolExecutor(3) as pool:
        results = [pool.submit(call, number) for number in range(3)]
        for version in versions[1:]:
            host.replace_actor(version)
        done.set()
        assert all(result.result(20) <= {str(number).encode() for number in range(10)} for result in results)
    assert host.call_actor(key.public_key, "version", b"") == b"9"


def test_an_actor_may_be_replaced_from_within_its_own_call(host: Host, identities: Identities) -> None:
    key = identities.key()

    def replace(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        host.replace_actor(identities.actor(TEST_CAPABILITY, key=key, version="2"))
        return b"went on"

    host.add_actor(identities.actor(TEST_CAPABILITY, key=key))
    host.add_capability(ScriptedProvider(Replace=replace))
    host.set_binding(key.public_key, TEST_CAPABILITY)
    script = call_script(("default", TEST_CAPABILITY, "Replace", b""))
    assert host.call_actor(key.public_key, "host", script) == b"went on"
    assert host.call_actor(key.public_key, "version", b"") == b"2"
