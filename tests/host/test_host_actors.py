"""The life of actors in a host: what may be loaded, what is refused and leaves nothing behind, and removal."""

import dataclasses
import logging
import threading
import time
from collections.abc import Callable

import pytest
from host_support import TEST_CAPABILITY, Identities, ScriptedProvider, compile_wat, scripted_guest

from host import (
    Actor,
    AuthorizationFailure,
    DuplicateActor,
    Host,
    HostBuilder,
    InputOutputError,
    InvocationFailure,
    NoSuchActor,
    WapcFailure,
    WascapFailure,
)
from wascap import ActorMetadata, Claims, KeyPair, KeyType, embed, encode, module_hash, sign

MakeHost = Callable[..., Host]


def token_for(wasm: bytes, issuer: KeyPair, subject: str, **claims: object) -> bytes:
    """The module with a token that nobody has checked for sense."""
    metadata = ActorMetadata(module_hash=module_hash(wasm))
    return embed(wasm, encode(Claims(issuer=issuer.public_key, subject=subject, metadata=metadata, **claims), issuer))


def forged(wasm: bytes) -> bytes:
    """A signed module whose token says something else than what was signed; the signature is for the old text."""
    token = Actor.from_bytes(wasm).token
    head, _, signature = token.split(".")
    attacker = KeyPair.generate(KeyType.ACCOUNT)
    claims = Actor.from_bytes(wasm).claims
    metadata = dataclasses.replace(claims.metadata, capabilities=("wascc:everything",))
    other = encode(dataclasses.replace(claims, issuer=attacker.public_key, metadata=metadata), attacker)
    return embed(wasm, f"{head}.{other.split('.')[1]}.{signature}")


def nothing_is_left(host: Host) -> bool:
    return not host.actors() and not host.bindings()


def test_what_an_actor_says_of_itself(identities: Identities, tmp_path: object) -> None:
    key = identities.key()
    actor = identities.actor("wascc:keyvalue", "wascc:logging", key=key, name="Counter", tags=("a", "b"))
    assert actor.public_key == key.public_key
    assert actor.name == "Counter"
    assert actor.issuer == identities.account.public_key
    assert actor.capabilities == ("wascc:keyvalue", "wascc:logging")
    assert actor.tags == ("a", "b")
    assert identities.actor().name == "Unnamed"
    assert len(repr(actor)) < 1000


def test_loading_is_logged(identities: Identities, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    actor = identities.actor("wascc:keyvalue", "wascc:logging")
    assert f"Actor claims loaded for {actor.public_key} - wascc:keyvalue,wascc:logging" in caplog.messages


def test_from_file(identities: Identities, tmp_path: object) -> None:
    wasm = identities.sign(identities.key())
    path = tmp_path / "actor.wasm"
    path.write_bytes(wasm)
    assert Actor.from_file(path) == Actor.from_file(str(path)) == Actor.from_bytes(wasm)
    for missing in (tmp_path / "none.wasm", tmp_path, "\0"):
        with pytest.raises(InputOutputError) as caught:
            Actor.from_file(missing)
        assert str(caught.value).startswith("I/O error: ")


def test_unreadable_modules(identities: Identities) -> None:
    with pytest.raises(AuthorizationFailure) as caught:
        Actor.from_bytes(scripted_guest())
    assert str(caught.value) == "WebAssembly module authorization failure: No embedded JWT in actor module"
    other_module = embed(compile_wat("(module)"), Actor.from_bytes(identities.sign(identities.key())).token)
    with pytest.raises(WascapFailure) as hash_error:
        Actor.from_bytes(other_module)
    assert str(hash_error.value) == "Embedded JWT failure: Invalid module hash"
    for junk in (b"", b"\0asm", b"no module at all", identities.sign(identities.key())[:-5]):
        with pytest.raises((WascapFailure, AuthorizationFailure)):
            Actor.from_bytes(junk)


def test_an_actor_answers(host_on_engine: Host, identities: Identities, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    actor = identities.actor()
    host_on_engine.add_actor(actor)
    assert f"Actor {actor.public_key} up and running." in caplog.messages
    assert host_on_engine.call_actor(actor.public_key, "echo", b"hello") == b"hello"
    assert host_on_engine.call_actor(actor.public_key, "count", b"") == b"\1"
    assert host_on_engine.call_actor(actor.public_key, "count", bytearray()) == b"\2"
    assert host_on_engine.call_actor(actor.public_key, "log", b"one\ntwo\x1b[0m") == b""
    assert f"Actor {actor.public_key}: one\\ntwo\\x1b[0m" in caplog.messages


def test_texts_of_failed_calls(host_on_engine: Host, identities: Identities) -> None:
    actor = identities.actor()
    host_on_engine.add_actor(actor)
    prefix = "waSCC Host Error: Invocation failure: failed to invoke actor: Guest call failure: "
    with pytest.raises(InvocationFailure) as caught:
        host_on_engine.call_actor(actor.public_key, "no such operation", b"")
    assert str(caught.value) == f"{prefix}Guest call failed: bad dispatch"
    with pytest.raises(InvocationFailure) as failed:
        host_on_engine.call_actor(actor.public_key, "fail", b"because")
    assert str(failed.value) == f"{prefix}because"
    with pytest.raises(InvocationFailure, match="unreachable"):
        host_on_engine.call_actor(actor.public_key, "trap", b"")
    with pytest.raises(InvocationFailure, match=r"surrogate|Unicode"):
        host_on_engine.call_actor(actor.public_key, "\ud800", b"")
    assert host_on_engine.call_actor(actor.public_key, "echo", b"still here") == b"still here"
    with pytest.raises(NoSuchActor) as unknown:
        host_on_engine.call_actor(identities.key().public_key, "echo", b"")
    assert str(unknown.value) == "waSCC Host Error: No such actor"


def test_an_endless_guest_is_stopped(make_host: MakeHost, identities: Identities) -> None:
    from interp import Limits

    host = make_host(configure=lambda builder: builder.with_limits(Limits(deadline_seconds=0.2)))
    actor = identities.actor()
    host.add_actor(actor)
    with pytest.raises(InvocationFailure, match="deadline exceeded"):
        host.call_actor(actor.public_key, "spin", b"")
    assert host.call_actor(actor.public_key, "echo", b"x") == b"x"


def test_a_second_instance_is_refused(host: Host, identities: Identities) -> None:
    key = identities.key()
    host.add_actor(identities.actor(key=key))
    host.call_actor(key.public_key, "count", b"")
    with pytest.raises(DuplicateActor) as caught:
        host.add_actor(identities.actor(key=key, version="2"))
    assert str(caught.value) == (
        f"waSCC Host Error: Actor {key.public_key} is already in this host. "
        "Cannot host multiple instances of the same actor in the same host"
    )
    assert host.call_actor(key.public_key, "count", b"") == b"\2"


def test_times_of_a_token(host: Host, identities: Identities) -> None:
    now = int(time.time())
    cases = [
        ({"expires": now - 100}, "Expired token"),
        ({"not_before": now + 1000}, "Module cannot be used before in 16 minutes"),
    ]
    for claims, text in cases:
        with pytest.raises(AuthorizationFailure) as caught:
            host.add_actor(identities.actor(**claims))
        assert caught.value.message == text
    assert nothing_is_left(host)
    host.add_actor(identities.actor(expires=now + 1000, not_before=now - 1000))


def test_forged_and_misused_tokens(host: Host, identities: Identities) -> None:
    module, other_module = identities.key(), identities.key()
    account, wasm = identities.account, scripted_guest()
    user = KeyPair.generate(KeyType.USER)
    cases = {
        "forged": (forged(identities.sign(module)), "Invalid token signature"),
        "self-issued": (token_for(wasm, module, module.public_key), "Self-issued token"),
        "issued by a module": (token_for(wasm, other_module, module.public_key), "Invalid issuer"),
        "issued by a user": (token_for(wasm, user, module.public_key), "Invalid issuer"),
        "for a user": (token_for(wasm, account, user.public_key), "Invalid subject"),
        "for system": (token_for(wasm, account, "system"), "Invalid subject"),
        "for nobody": (token_for(wasm, account, "MABC\nforged line"), "Invalid subject"),
        "mistyped": (token_for(wasm, account, _mistyped(module.public_key)), "Invalid subject"),
    }
    for name, (signed, text) in cases.items():
        actor = Actor.from_bytes(signed)
        with pytest.raises(AuthorizationFailure, match=text):
            host.add_actor(actor)
        assert nothing_is_left(host), name


def _mistyped(public_key: str) -> str:
    return public_key[:20] + ("A" if public_key[20] != "A" else "B") + public_key[21:]


def test_an_actor_put_together_by_hand_is_checked_by_its_token(host: Host, identities: Identities) -> None:
    """Claims that differ from the token's: the signature is the token's, the claims are what would be believed."""
    actor = identities.actor()
    metadata = dataclasses.replace(actor.claims.metadata, capabilities=("wascc:everything",))
    with pytest.raises(AuthorizationFailure, match="Invalid token"):
        host.add_actor(dataclasses.replace(actor, claims=dataclasses.replace(actor.claims, metadata=metadata)))
    with pytest.raises(AuthorizationFailure, match="Invalid token"):
        host.add_actor(dataclasses.replace(actor, wasm=compile_wat("(module)")))
    assert nothing_is_left(host)


def test_the_authorizer_is_asked(make_host: MakeHost, identities: Identities) -> None:
    class Picky:
        def can_load(self, claims: Claims[ActorMetadata]) -> bool:
            return claims.metadata.name != "Unwanted"

        def can_invoke(self, claims: Claims[ActorMetadata], target: object, operation: str) -> bool:
            return False

    host = make_host(configure=lambda builder: builder.with_authorizer(Picky()))
    with pytest.raises(AuthorizationFailure) as caught:
        host.add_actor(identities.actor(name="Unwanted"))
    assert caught.value.message == "Authorization hook denied access to module"
    assert nothing_is_left(host)
    host.add_actor(identities.actor(name="Wanted"))
    with pytest.raises(AuthorizationFailure, match="Unauthorized binding"):
        host.add_actor(identities.actor("wascc:extras"))
    assert len(host.actors()) == 1
    assert not host.bindings()


@pytest.mark.parametrize(
    "text",
    [
        "(module)",
        '(module (memory (export "memory") 1))',
        '(module (import "env" "unknown" (func)) (memory (export "memory") 1))',
        """(module (memory (export "memory") 1) (func (export "_start") unreachable)
             (func (export "__guest_call") (param i32 i32) (result i32) (i32.const 1)))""",
    ],
)
def test_a_module_that_does_not_start_leaves_nothing(host_on_engine: Host, identities: Identities, text: str) -> None:
    key = identities.key()
    claims = Claims(
        issuer=identities.account.public_key,
        subject=key.public_key,
        metadata=ActorMetadata(capabilities=("wascc:extras",)),
    )
    with pytest.raises(WapcFailure) as caught:
        host_on_engine.add_actor(Actor.from_bytes(sign(compile_wat(text), claims, identities.account)))
    assert str(caught.value).startswith("waPC failure: ")
    assert nothing_is_left(host_on_engine)
    host_on_engine.add_actor(identities.actor(key=key))


def test_extras_are_bound_at_once(host: Host, identities: Identities) -> None:
    host.add_actor(identities.actor())
    assert host.bindings() == ()
    actor = identities.actor("wascc:extras")
    host.add_actor(actor)
    assert [(b.actor, b.capability_id, b.binding_name) for b in host.bindings()] == [
        (actor.public_key, "wascc:extras", "default")
    ]
    host.remove_actor(actor.public_key)
    assert host.bindings() == ()
    host.remove_capability("wascc:extras")
    host.add_actor(actor)
    assert host.bindings() == ()


def test_looking_around(host: Host, identities: Identities) -> None:
    first, second = identities.actor(tags=("a", "b")), identities.actor(tags=("b",), name="Second")
    host.add_actor(first)
    host.add_actor(second)
    assert list(host.actors()) == [first.public_key, second.public_key]
    assert host.claims_for_actor(second.public_key) == second.claims
    assert host.claims_for_actor("M") is None
    assert host.actors_by_tag(["b"]) == (first.public_key, second.public_key)
    assert host.actors_by_tag(["b", "a"]) == (first.public_key,)
    assert host.actors_by_tag(["c"]) == ()
    assert host.id.startswith("N")
    assert len(host.id) == 56
    (descriptor,) = host.capabilities().values()
    assert descriptor.id == "wascc:extras"
    assert list(host.capabilities()) == [("default", "wascc:extras")]


def test_removal_unbinds(host: Host, identities: Identities, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    actor, other = identities.actor(TEST_CAPABILITY), identities.actor(TEST_CAPABILITY)
    provider = ScriptedProvider()
    host.add_capability(provider)
    for each in (actor, other):
        host.add_actor(each)
        host.set_binding(each.public_key, TEST_CAPABILITY)
    provider.events.clear()
    host.remove_actor(actor.public_key)
    (event,) = provider.events
    assert event[0] == "RemoveActor"
    assert actor.public_key in event[1]
    assert [binding.actor for binding in host.bindings()] == [other.public_key]
    assert list(host.actors()) == [other.public_key]
    assert f"Terminating actor {actor.public_key}" in caplog.messages
    assert f"Unbinding actor {actor.public_key} from default,{TEST_CAPABILITY}" in caplog.messages
    for _ in range(2):
        with pytest.raises(NoSuchActor):
            host.remove_actor(actor.public_key)
    with pytest.raises(NoSuchActor):
        host.call_actor(actor.public_key, "echo", b"")
    host.add_actor(actor)
    assert host.call_actor(actor.public_key, "count", b"") == b"\1"


def test_removal_goes_on_when_a_provider_fails(host: Host, identities: Identities) -> None:
    def fail(provider: ScriptedProvider, actor: str, payload: bytes) -> bytes:
        raise RuntimeError("secret")

    actor = identities.actor(TEST_CAPABILITY)
    host.add_actor(actor)
    host.add_capability(ScriptedProvider(RemoveActor=fail))
    host.set_binding(actor.public_key, TEST_CAPABILITY)
    host.remove_actor(actor.public_key)
    assert nothing_is_left(host)


def test_many_actors_at_once(host: Host, identities: Identities) -> None:
    actors = [identities.actor() for _ in range(50)]
    before = threading.active_count()
    for actor in actors:
        host.add_actor(actor)
    assert threading.active_count() <= before + 1, "no thread for each actor"
    for number, actor in enumerate(actors):
        assert host.call_actor(actor.public_key, "echo", bytes([number])) == bytes([number])
    assert len(host.actors()) == 50


def test_the_same_actor_added_by_many_threads_runs_once(host: Host, identities: Identities) -> None:
    from concurrent.futures import ThreadPoolExecutor

    actor = identities.actor()

    def add(_: int) -> bool:
        try:
            host.add_actor(actor)
        except DuplicateActor:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(add, range(8))) == 1
    assert host.call_actor(actor.public_key, "echo", b"x") == b"x"


def test_labels(make_host: MakeHost) -> None:
    host = make_host(
        configure=lambda builder: (
            builder.with_label("zone", "a").with_label("zone", "b").with_label("hostcore.os", "mine")
        )
    )
    assert host.labels["zone"] == "a"
    assert host.labels["hostcore.os"] in {"linux", "macos", "windows"}
    assert set(host.labels) == {"zone", "hostcore.arch", "hostcore.os", "hostcore.osfamily"}


def test_builder_refuses_nonsense() -> None:
    for name in ("with_invocation_timeout", "with_shutdown_timeout"):
        for number in (0, -1, float("nan")):
            with pytest.raises(ValueError, match="greater than 0"):
                getattr(HostBuilder(), name)(number)
    for name, least in {"with_max_waiting": 0, "with_max_call_depth": 1}.items():
        for number in (least - 1, least + 0.5, True, float("nan")):
            with pytest.raises(ValueError, match=f"a whole one, and at least {least}"):
                getattr(HostBuilder(), name)(number)
        getattr(HostBuilder(), name)(least)
