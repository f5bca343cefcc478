"""Applying manifests, and how their providers and actors are found."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from host_support import TEST_CAPABILITY, Identities, ScriptedProvider, call_script

from host import (
    AuthorizationFailure,
    BindingEntry,
    CapabilityEntry,
    CapabilityProvider,
    CapabilityProviderError,
    DuplicateActor,
    Host,
    HostError,
    InputOutputError,
    Manifest,
    MiscHostError,
    PluginError,
    Provider,
    RegistryError,
    find_provider,
)
from host.plugins import DEFAULT_PROVIDERS, InstalledProviders

MakeHost = Callable[..., Host]

PROVIDER_FILE = '''
from dataclasses import dataclass
from host import Provider, ProviderError
from host.codec.core import HealthRequest

@dataclass
class Unrelated:
    name: str

class _Base(Provider):
    """Not meant to be used itself."""
    capability = "test:file"
    name = "From a file"
    long_description = "..."

class FromFile(_Base):
    pass
'''


class Named:
    """Providers that have names here, without any being installed."""

    def __init__(self, **factories: Callable[[], CapabilityProvider]) -> None:
        self.factories = factories

    def names(self) -> tuple[str, ...]:
        return tuple(self.factories)

    def load(self, name: str) -> Callable[[], CapabilityProvider]:
        return self.factories[name]


def manifest(**fields: object) -> Manifest:
    return Manifest(**({"actors": [], "capabilities": [], "bindings": []} | fields))


def state(host: Host) -> tuple[object, ...]:
    return host.labels, host.actors(), list(host.capabilities()), host.bindings()


@pytest.fixture
def provider() -> ScriptedProvider:
    return ScriptedProvider(Upper=lambda provider, actor, payload: payload.upper())


@pytest.fixture
def host(make_host: MakeHost, provider: ScriptedProvider) -> Host:
    source = Named(scripted=lambda: provider)
    return make_host(configure=lambda builder: builder.with_provider_source(source))


def test_everything_in_a_manifest(host: Host, identities: Identities, tmp_path: Path) -> None:
    key = identities.key()
    (tmp_path / "actor.wasm").write_bytes(identities.sign(key, (TEST_CAPABILITY, "wascc:logging", "wascc:extras")))
    (tmp_path / "host.yaml").write_text(f"""
labels: {{zone: a, hostcore.os: other}}
actors: [actor.wasm]
capabilities:
- path: scripted
  binding_name: mine
- path: wascc:logging
bindings:
- actor: {key.public_key}
  capability: {TEST_CAPABILITY}
  binding: mine
  values: {{A: B}}
- actor: {key.public_key}
  capability: wascc:logging
""")
    host.apply_manifest(Manifest.from_file(tmp_path / "host.yaml"))
    assert host.labels["zone"] == "a"
    assert host.labels["hostcore.os"] != "other"
    assert list(host.actors()) == [key.public_key]
    assert list(host.capabilities()) == [
        ("default", "wascc:extras"),
        ("mine", TEST_CAPABILITY),
        ("default", "wascc:logging"),
    ]
    assert [(binding.capability_id, binding.binding_name, binding.values) for binding in host.bindings()] == [
        ("wascc:extras", "default", {}),
        (TEST_CAPABILITY, "mine", {"A": "B"}),
        ("wascc:logging", "default", {}),
    ]
    script = call_script(("mine", TEST_CAPABILITY, "Upper", b"it works"))
    assert host.call_actor(key.public_key, "host", script) == b"IT WORKS"


def test_files_are_looked_for_beside_the_manifest_then_here(
    host: Host, identities: Identities, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside, here = tmp_path / "beside", tmp_path / "here"
    keys = {}
    for folder, names in ((beside, ("both", "beside")), (here, ("both", "here"))):
        folder.mkdir()
        for name in names:
            keys[folder, name] = identities.key()
            (folder / f"{name}.wasm").write_bytes(identities.sign(keys[folder, name]))
    absolute = identities.key()
    (tmp_path / "absolute.wasm").write_bytes(identities.sign(absolute))
    monkeypatch.chdir(here)
    (beside / "m.json").write_text(
        manifest(actors=["both.wasm", "./beside.wasm", "here.wasm", str(tmp_path / "absolute.wasm")]).to_json()
    )
    host.apply_manifest(Manifest.from_file("../beside/m.json"))
    expected = [keys[beside, "both"], keys[beside, "beside"], keys[here, "here"], absolute]
    assert list(host.actors()) == [key.public_key for key in expected]


@pytest.mark.parametrize(
    ("path", "error", "text"),
    [
        ("missing.wasm", InputOutputError, r"I/O error: actors\[0\] \(missing\.wasm\): no such file"),
        ("./missing", InputOutputError, "no such file"),
        ("/", InputOutputError, "no such file"),
        ("", InputOutputError, "no such file"),
        ("localhost:1/echo:v1", RegistryError, "Failed to fetch OCI bytes: localhost:1/echo:v1: "),
        ("wascc.azurecr.io/Echo:v1", RegistryError, "Failed to parse OCI distribution reference"),
        ("localhost:5000/a/b@sha256:0123", RegistryError, "'sha256:0123' is no digest"),
        ("\0", InputOutputError, r"\\x00\): no such file"),
    ],
)
def test_actors_that_are_no_files(host: Host, path: str, error: type[HostError], text: str) -> None:
    with pytest.raises(error, match=text):
        host.apply_manifest(manifest(actors=[path]))


def test_the_first_error_takes_everything_back(
    host: Host, provider: ScriptedProvider, identities: Identities, tmp_path: Path
) -> None:
    key, other = identities.key(), identities.key()
    for name, each in (("a", key), ("b", other)):
        (tmp_path / f"{name}.wasm").write_bytes(identities.sign(each, (TEST_CAPABILITY, "wascc:extras")))
    actors = [str(tmp_path / "a.wasm"), str(tmp_path / "b.wasm")]
    good = BindingEntry(actor=key.public_key, capability=TEST_CAPABILITY)
    before = state(host)
    for broken, error in (
        (manifest(labels={"x": "y"}, actors=[*actors, actors[0]]), DuplicateActor),
        (manifest(actors=[*actors, "missing.wasm"]), InputOutputError),
        (manifest(actors=actors, capabilities=[CapabilityEntry(path="nobody")]), PluginError),
        (
            manifest(
                labels={"x": "y"},
                actors=actors,
                capabilities=[CapabilityEntry(path="wascc:logging"), CapabilityEntry(path="wascc:logging")],
            ),
            CapabilityProviderError,
        ),
        (
            manifest(
                labels={"x": "y"},
                actors=actors,
                capabilities=[CapabilityEntry(path="wascc:logging")],
                bindings=[BindingEntry(actor=key.public_key, capability="wascc:logging")],
            ),
            AuthorizationFailure,
        ),
        (
            manifest(
                actors=actors,
                capabilities=[CapabilityEntry(path="scripted")],
                bindings=[good, BindingEntry(actor=identities.key().public_key, capability=TEST_CAPABILITY)],
            ),
            MiscHostError,
        ),
    ):
        with pytest.raises(error):
            host.apply_manifest(broken)
        assert state(host) == before
    assert [name for name, _ in provider.events] == ["BindActor", "RemoveActor", "stop"]


def test_what_was_there_before_stays(
    host: Host, provider: ScriptedProvider, identities: Identities, tmp_path: Path
) -> None:
    """A manifest that fails after it has bound an actor anew: the earlier configuration is back."""
    actor = identities.actor(TEST_CAPABILITY)
    host.add_actor(actor)
    host.add_capability(provider)
    host.set_binding(actor.public_key, TEST_CAPABILITY, values={"A": "before"})
    before = state(host)
    again = BindingEntry(actor=actor.public_key, capability=TEST_CAPABILITY, values={"A": "changed"})
    failing = BindingEntry(actor=actor.public_key, capability="wascc:messaging")
    with pytest.raises(AuthorizationFailure):
        host.apply_manifest(manifest(labels={"zone": "b"}, bindings=[again, failing]))
    assert state(host) == before
    assert "before" in provider.events[-1][1]


def test_embedded_providers_are_found_by_capability_id() -> None:
    for capability in DEFAULT_PROVIDERS:
        provider = find_provider(capability, Named())
        try:
            assert provider.descriptor.id == capability
        finally:
            provider.stop()
    names = ("http_server", "http_client", "keyvalue", "messaging", "logging", "extras")
    assert set(DEFAULT_PROVIDERS) >= {f"wascc:{name}" for name in names}


def test_named_and_module_providers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert isinstance(find_provider("mine", Named(mine=ScriptedProvider)), ScriptedProvider)
    provider = find_provider("host.providers.extras:ExtrasProvider", Named())
    assert provider.descriptor.id == "wascc:extras"
    assert isinstance(InstalledProviders().names(), tuple)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_providers.py").write_text(PROVIDER_FILE)
    assert find_provider("own_providers:FromFile").descriptor.id == "test:file"


def test_entry_points_of_installed_distributions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "other_providers.py").write_text(PROVIDER_FILE)
    info = tmp_path / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[wascc.providers]\nfrom-other = other_providers:FromFile\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "from-other" in InstalledProviders().names()
    assert find_provider("from-other").descriptor.id == "test:file"


def test_providers_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(PROVIDER_FILE)
    for path, folder in (("mine.py", tmp_path), (str(tmp_path / "mine.py"), None), ("./mine.py", tmp_path)):
        provider = find_provider(path, Named(), folder)
        assert isinstance(provider, Provider)
        assert type(provider).__name__ == "FromFile"
        assert provider.descriptor.name == "From a file"
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.py").write_text(PROVIDER_FILE.replace("test:file", "test:other"))
    assert find_provider("mine.py", Named(), other).descriptor.id == "test:other"
    assert find_provider("mine.py", Named(), tmp_path).descriptor.id == "test:file"
    monkeypatch.chdir(other)
    assert find_provider("mine.py", Named(), tmp_path / "nowhere").descriptor.id == "test:other"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("provider.wasm", "is a WebAssembly module or a provider archive"),
        ("redis.par", "is a WebAssembly module or a provider archive"),
        ("redis.par.gz", "is a WebAssembly module or a provider archive"),
        ("missing.py", "no such file: missing.py"),
        ("nobody", "no capability provider is called nobody; there are wascc:http_server"),
        ("wascc:graphdb", "no capability provider is called wascc:graphdb; there are wascc:http_server"),
        ("no_such_module_here:Class", "ModuleNotFoundError"),
        ("host.providers.extras:Nothing", "AttributeError"),
        ("json:dumps", "TypeError"),
        ("host.entities:ActorEntity", "TypeError"),
        ("collections:Counter", "is no capability provider"),
        ("", "no capability provider is called"),
        ("a\nb", r"no capability provider is called a\\nb"),
        ("\0.py", "no such file"),
    ],
)
def test_providers_that_cannot_be_found(path: str, text: str) -> None:
    with pytest.raises(PluginError, match=text) as caught:
        find_provider(path, Named())
    assert str(caught.value).startswith("Plugin error: ")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("", "defines 0 provider classes, not one"),
        (PROVIDER_FILE + "class Second(_Base): pass", "defines 2 provider classes, not one"),
        ("from host.providers.extras import ExtrasProvider", "defines 0 provider classes, not one"),
        ("raise ValueError('broken\\nfile')", r"ValueError: broken\\nfile"),
        ("this is no Python", "SyntaxError"),
        (PROVIDER_FILE.replace("pass", "def __init__(self): raise OSError('no disk')"), "OSError: no disk"),
    ],
)
def test_files_without_a_usable_provider(tmp_path: Path, source: str, text: str) -> None:
    (tmp_path / "mine.py").write_text(source)
    modules = set(sys.modules)
    with pytest.raises(PluginError, match=text):
        find_provider("mine.py", Named(), tmp_path)
    if "raise ValueError" in source or "no Python" in source:
        assert set(sys.modules) == modules, "a module that failed to load is not kept"


def test_a_failing_entry_point_is_a_clear_error() -> None:
    def broken() -> CapabilityProvider:
        raise ImportError("redis is not installed")

    with pytest.raises(PluginError, match="mine: ImportError: redis is not installed"):
        find_provider("mine", Named(mine=broken))
