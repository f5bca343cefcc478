"""What is explained is what a host does: the same verdict, and the text of the same error, in whatever situation."""

import json
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from host_support import FAST_ENGINE, TEST_CAPABILITY, ScriptedProvider, call_script, loaded_engine, scripted_guest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from host import Actor, HostBuilder, HostError, InvocationFailure, Manifest
from host.cli.main import build_app, shown
from host.errors import NoSuchActor
from host.explain import Explainer
from wascap import ActorMetadata, Claims, KeyPair, KeyType, embed, encode, module_hash, sign

ACCOUNT, OTHER_ACCOUNT = KeyPair.generate(KeyType.ACCOUNT), KeyPair.generate(KeyType.ACCOUNT)
OPERATOR = KeyPair.generate(KeyType.OPERATOR)
CALLER, CALLEE = KeyPair.generate(KeyType.MODULE), KeyPair.generate(KeyType.MODULE)
SERVICE = KeyPair.generate(KeyType.SERVICE)
HOUR = 3600


def signed(claims: Claims[ActorMetadata], key: KeyPair) -> bytes:
    """A guest with any claims in it, also those that `sign` refuses to sign."""
    wasm = scripted_guest()
    metadata = replace(claims.metadata, module_hash=module_hash(wasm))
    return embed(wasm, encode(replace(claims, metadata=metadata), key))


def claims_of(issuer: KeyPair = ACCOUNT, subject: KeyPair = CALLER, **fields: object) -> Claims[ActorMetadata]:
    times = {name: value for name, value in fields.items() if name in {"expires", "not_before"}}
    metadata = ActorMetadata(**{name: value for name, value in fields.items() if name not in times})
    return Claims(issuer=issuer.public_key, subject=subject.public_key, metadata=metadata, **times)


def with_forged_signature(wasm: bytes) -> bytes:
    token = Actor.from_bytes(wasm).token
    head, body, signature = token.split(".")
    first = "A" if signature[0] != "A" else "B"
    return embed(wasm, f"{head}.{body}.{first}{signature[1:]}")


def now(hours: int) -> int:
    return int(time.time()) + hours * HOUR


MODULES: dict[str, Callable[[tuple[str, ...]], bytes]] = {
    "good": lambda caps: signed(claims_of(capabilities=caps), ACCOUNT),
    "revised": lambda caps: signed(claims_of(capabilities=caps, revision=3, name="a\x1b[31m", tags=("t",)), ACCOUNT),
    "of another account": lambda caps: signed(claims_of(OTHER_ACCOUNT, capabilities=caps), OTHER_ACCOUNT),
    "expired": lambda caps: signed(claims_of(capabilities=caps, expires=now(-1)), ACCOUNT),
    "not yet": lambda caps: signed(claims_of(capabilities=caps, not_before=now(1)), ACCOUNT),
    "forged": lambda caps: with_forged_signature(signed(claims_of(capabilities=caps), ACCOUNT)),
    "forged and expired": lambda caps: with_forged_signature(
        signed(claims_of(capabilities=caps, expires=now(-1)), ACCOUNT)
    ),
    "changed": lambda caps: signed(claims_of(capabilities=caps), ACCOUNT) + b"\0\2\1x",
    "self-issued": lambda caps: signed(claims_of(CALLER, capabilities=caps), CALLER),
    "issued by an operator": lambda caps: signed(claims_of(OPERATOR, capabilities=caps), OPERATOR),
    "about a service": lambda caps: signed(claims_of(subject=SERVICE, capabilities=caps), ACCOUNT),
    "unsigned": lambda caps: scripted_guest(),
    "cut": lambda caps: signed(claims_of(capabilities=caps), ACCOUNT)[:-3],
    "no module": lambda caps: b"hello",
    "missing": lambda caps: b"",
    "of the callee": lambda caps: signed(claims_of(subject=CALLEE, capabilities=caps), ACCOUNT),
}
POLICIES = (
    "{}", "{}", f"{{issuers: [{ACCOUNT.public_key}]}}", f"{{accounts: [{OTHER_ACCOUNT.public_key}]}}",
    f"{{operators: [{OPERATOR.public_key}]}}", f"{{pins: {{{CALLER.public_key}: {{min_revision: 3}}}}}}",
    f"{{pins: {{{CALLER.public_key}: {{sha256: '{'00' * 32}'}}}}}}", "{tokens: [missing.jwt]}",
)  # fmt: skip
CAPABILITIES = st.lists(st.sampled_from((TEST_CAPABILITY, "wascc:extras", CALLEE.public_key)), unique=True)
BINDINGS = st.fixed_dictionaries(
    {
        "actor": st.sampled_from((CALLER.public_key, CALLER.public_key, CALLEE.public_key, "system")),
        "capability": st.sampled_from(
            (TEST_CAPABILITY, TEST_CAPABILITY, "wascc:extras", "test:none", CALLEE.public_key)
        ),
        "binding": st.sampled_from(("default", "default", "other", "a.b")),
        "values": st.sampled_from(({}, {}, {"A": "1"}, {"__wascc_x": "1"}, {"A": {"env": "TEST_UNSET_VARIABLE"}})),
    }
)


@dataclass(frozen=True)
class Allowing:
    """An authorizer that refuses to load or to call, or nothing."""

    load: bool
    invoke: bool

    def can_load(self, claims: object) -> bool:
        return self.load

    def can_invoke(self, claims: object, target: object, operation: str) -> bool:
        return self.invoke


class Source:
    """Finds a new scripted provider under the name `scripted`."""

    def names(self) -> tuple[str, ...]:
        return ("scripted",)

    def load(self, name: str) -> Callable[[], ScriptedProvider]:
        return lambda: ScriptedProvider(Who=lambda provider, actor, payload: b"me")


@dataclass(frozen=True)
class Situation:
    """A manifest, the authorizer of the host, and a call."""

    manifest: Manifest
    authorizer: Allowing
    call: tuple[str, str, str]


AUTHORIZERS = st.builds(Allowing, st.sampled_from((True,) * 6 + (False,)), st.sampled_from((True,) * 6 + (False,)))
CALLS = st.tuples(
    st.sampled_from(("default", "default", "other", "")),
    st.sampled_from(
        (TEST_CAPABILITY, TEST_CAPABILITY, "wascc:extras", "test:none", CALLEE.public_key, CALLER.public_key)
    ),
    st.sampled_from(("Who", "echo", "BindActor", "RemoveActor", "PerformLiveUpdate", "GetCapabilityDescriptor")),
)


def _binding(entry: dict[str, str]) -> tuple[str, str, str]:
    return entry["actor"], entry["capability"], entry["binding"]


@st.composite
def situations(draw: st.DrawFn, folder: Path) -> Situation:
    first = draw(st.sampled_from(("good", "good", "good", "revised", *MODULES)))
    kinds = [first, *draw(st.lists(st.sampled_from(("of the callee", "of the callee", *MODULES)), max_size=1))]
    actors = []
    for number, kind in enumerate(kinds):
        path = folder / f"{number}.wasm"
        path.unlink(missing_ok=True)
        if kind != "missing":
            path.write_bytes(MODULES[kind](tuple(draw(CAPABILITIES))))
        actors.append(path.name)
    capabilities = draw(
        st.lists(
            st.fixed_dictionaries(
                {"path": st.sampled_from(("scripted",) * 5 + ("none", "wascc:extras"))},
                optional={"binding_name": st.sampled_from(("other", "other", "a.b"))},
            ),
            max_size=2,
        )
    )
    content = {
        "actors": actors,
        "capabilities": capabilities,
        "bindings": draw(st.lists(BINDINGS, max_size=2, unique_by=_binding)),
        "middleware": draw(st.sampled_from(([],) * 8 + ([{"name": "none"}],))),
    }
    (folder / "manifest.json").write_text(json.dumps(content))
    text = (folder / "manifest.json").read_text()[:-1] + f', "policy": {draw(st.sampled_from(POLICIES))}}}'
    (folder / "manifest.yaml").write_text(text)
    return Situation(Manifest.from_file(folder / "manifest.yaml"), draw(AUTHORIZERS), draw(CALLS))


def what_the_host_does(situation: Situation) -> tuple[str | None, str | None]:
    """The text with which a host refuses the manifest, and the one with which it refuses the call."""
    builder = HostBuilder().with_engine(loaded_engine(FAST_ENGINE)).with_provider_source(Source())
    # The extras provider is loaded before anybody is asked, so the authorizer counts from the manifest on.
    with builder.with_authorizer(situation.authorizer).build() as host:
        try:
            host.apply_manifest(situation.manifest)
        except HostError as error:
            return error.message, None
        binding, namespace, operation = situation.call
        try:
            host.call_actor(CALLER.public_key, "host", call_script((binding, namespace, operation, b"")))
        except (InvocationFailure, NoSuchActor) as failure:
            return None, failure.message
        return None, None


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_is_explained_is_what_a_host_does(data: st.DataObject, tmp_path: Path) -> None:
    situation = data.draw(situations(tmp_path))
    explainer = Explainer(situation.manifest, source=Source(), authorizer=situation.authorizer)
    refused, call_refused = what_the_host_does(situation)
    refusal = explainer.explanation.refusal
    if refused is not None:
        assert refusal is not None, refused
        assert refused.endswith(refusal.text)
        return
    assert refusal is None
    binding, namespace, operation = situation.call
    if CALLER.public_key not in {
        Actor.from_file(tmp_path / actor.path).public_key for actor in situation.manifest.actors
    }:
        missing = explainer.call(CALLER.public_key, namespace, operation, binding).refusal
        assert missing is not None
        assert missing.text == call_refused == "No such actor"
        return
    found = explainer.call(CALLER.public_key, namespace, operation, binding).refusal
    if found is not None:
        assert call_refused is not None
        assert found.text in call_refused
    elif call_refused is not None:
        # The target was asked, and has no such operation.
        assert call_refused.endswith(("bad dispatch", "Guest call failed: bad dispatch")), call_refused


def manifest_of(folder: Path, module: bytes, **fields: object) -> Path:
    (folder / "a b.wasm").write_bytes(module)
    content = {"actors": ["a b.wasm"], "capabilities": [], "bindings": [], **fields}
    (folder / "manifest.json").write_text(json.dumps(content))
    return folder / "manifest.json"


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(build_app("explain"), ["explain", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_the_command(tmp_path: Path) -> None:
    good = manifest_of(tmp_path, MODULES["good"](()))
    code, output = run(good)
    assert code == 0
    assert output.rstrip().endswith("checks allow")
    code, output = run(good, "--json")
    assert json.loads(output)["allowed"] is True
    assert run(good, "--try", "--engine", FAST_ENGINE)[0] == 0


def test_the_command_that_would_fix_it_is_named_and_works(tmp_path: Path) -> None:
    bindings = [{"actor": CALLER.public_key, "capability": "wascc:keyvalue"}]
    module = signed(claims_of(capabilities=("wascc:logging",), name="it's", tags=("t",), revision=4), ACCOUNT)
    path = manifest_of(tmp_path, module, capabilities=[{"path": "wascc:keyvalue"}], bindings=bindings)
    code, output = run(path, "--json")
    assert code == 1
    (refused,) = [finding for finding in json.loads(output)["findings"] if not finding["allowed"]]
    assert refused["rule"] == "claim"
    assert "is not authorized to use capability wascc:keyvalue" in refused["text"]
    (tmp_path / "account.nk").write_text(ACCOUNT.seed)
    command = shlex.split(refused["fix"].replace("ACCOUNT_KEY", str(tmp_path / "account.nk")))
    assert command[:3] == ["wascc", "claims", "sign"]
    assert CliRunner().invoke(build_app("claims"), command[1:]).exit_code == 0
    assert run(path)[0] == 0
    metadata = Actor.from_file(tmp_path / "a b.wasm").claims.metadata
    assert (metadata.name, metadata.tags, metadata.revision) == ("it's", ("t",), 4)
    assert metadata.capabilities == ("wascc:logging", "wascc:keyvalue")


def test_a_binding_of_an_actor_that_is_refused(tmp_path: Path) -> None:
    bindings = [{"actor": each.public_key, "capability": "wascc:keyvalue"} for each in (CALLER, OTHER_ACCOUNT)]
    capabilities = [{"path": "wascc:keyvalue"}]
    path = manifest_of(tmp_path, MODULES["expired"](("wascc:keyvalue",)), capabilities=capabilities, bindings=bindings)
    findings = json.loads(run(path, "--json")[1])["findings"]
    first, second = [finding["fix"] for finding in findings if finding["rule"] == "actor"]
    assert first.startswith("see why ")
    assert second == "add it to the manifest's actors"


def test_a_call(tmp_path: Path) -> None:
    module = signed(claims_of(capabilities=("wascc:extras",)), ACCOUNT)
    path = manifest_of(tmp_path, module)
    for name in (CALLER.public_key, "a b.wasm", "./a b.wasm", tmp_path / "a b.wasm"):
        assert run(path, "--call", name, "wascc:extras", "RequestGuid")[0] == 0
    code, output = run(path, "--call", "a b.wasm", "wascc:extras", "RequestGuid", "--binding", "other", "--json")
    assert code == 1
    (refused,) = [each for each in json.loads(output)["findings"] if not each["allowed"]]
    assert refused["rule"] == "bound"
    assert "no subscribers" in refused["text"]
    assert refused["fix"].startswith(f"add to bindings: {{actor: {CALLER.public_key}, capability: wascc:extras")
    code, output = run(path, "--call", "a b.wasm", "wascc:logging", "WriteLog")
    assert code == 1
    assert "DENIED" in output
    code, output = run(path, "--call", "other.wasm", "wascc:logging", "WriteLog")
    assert code == 1
    assert "No such actor" in output


def test_hostile_claims_do_not_reach_the_terminal(tmp_path: Path) -> None:
    module = signed(
        claims_of(capabilities=("wascc:x\x1b]0;owned\x07\u202e",), name="\x1b[2J\x9b31m", expires=1), ACCOUNT
    )
    code, output = run(manifest_of(tmp_path, module))
    assert code == 1
    assert "Expired token" in output
    assert all(line.isprintable() for line in output.splitlines())


def test_what_only_running_shows(tmp_path: Path) -> None:
    bindings = [{"actor": CALLER.public_key, "capability": "wascc:keyvalue", "values": {"MAX_BYTES": "x"}}]
    module = signed(claims_of(capabilities=("wascc:keyvalue",)), ACCOUNT)
    path = manifest_of(tmp_path, module, capabilities=[{"path": "wascc:keyvalue"}], bindings=bindings)
    assert run(path)[0] == 0
    code, output = run(path, "--try", "--engine", FAST_ENGINE, "--json")
    assert code == 1
    refused = json.loads(output)["findings"][-1]
    assert refused["rule"] == "start"
    assert "MAX_BYTES" in refused["text"]


def test_secrets_are_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_EXPLAIN_SECRET", "hunter2-hunter2")
    bindings = [{"actor": CALLER.public_key, "capability": "wascc:keyvalue",
                 "values": {"MAX_BYTES": {"env": "TEST_EXPLAIN_SECRET"}}}]  # fmt: skip
    module = signed(claims_of(capabilities=("wascc:keyvalue",)), ACCOUNT)
    path = manifest_of(tmp_path, module, capabilities=[{"path": "wascc:keyvalue"}], bindings=bindings)
    code, output = run(path, "--try", "--engine", FAST_ENGINE, "--json")
    assert code == 1
    assert "[secret]" in output
    assert "hunter2" not in output


def test_secrets_of_middleware_are_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_EXPLAIN_SECRET", "hunter2-hunter2")
    (tmp_path / "refusing.py").write_text("def make(values):\n    raise ValueError(f'no {values}: ' + values['KEY'])\n")
    monkeypatch.syspath_prepend(tmp_path)
    middleware = [{"name": "refusing:make", "values": {"KEY": {"env": "TEST_EXPLAIN_SECRET"}}}]
    path = manifest_of(tmp_path, MODULES["good"](()), middleware=middleware)
    code, output = run(path, "--json")
    assert code == 1
    (refused,) = [each for each in json.loads(output)["findings"] if not each["allowed"]]
    assert refused["rule"] == "middleware"
    assert "hunter2" not in output
    with pytest.raises(HostError) as caught:
        HostBuilder().with_engine(loaded_engine(FAST_ENGINE)).build().apply_manifest(Manifest.from_file(path))
    assert "hunter2" not in shown(caught.value)


def test_sign_still_refuses_what_these_tests_sign() -> None:
    with pytest.raises(Exception, match="Invalid issuer"):
        sign(scripted_guest(), claims_of(OPERATOR), OPERATOR)
