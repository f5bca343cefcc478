"""Pulling and pushing on a real registry: without passwords, with them, and with tokens."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from host_support import Identities
from registry_support import (
    ENVIRONMENT,
    PASSWORD,
    USER,
    TestServer,
    TokenIssuer,
    digest,
    docker_registry,
    http_server,
    password_auth,
)

from host.errors import RegistryError
from host.registry.artifacts import ACTOR, PROVIDER_ARCHIVE
from host.registry.client import Registry
from host.registry.options import RegistryOptions
from tests_support import wascc
from wascap import CapabilityProviderMetadata, Claims, KeyPair, KeyType, ProviderArchive


@pytest.fixture(scope="module")
def signed(request: pytest.FixtureRequest) -> bytes:
    identities = Identities()
    return identities.sign(identities.key(), ("wascc:keyvalue",))


@pytest.fixture(scope="module")
def archive() -> bytes:
    account, service = KeyPair.generate(KeyType.ACCOUNT), KeyPair.generate(KeyType.SERVICE)
    metadata = CapabilityProviderMetadata(capability_id="wascc:keyvalue", vendor="acme", target_hashes={})
    claims = Claims(issuer=account.public_key, subject=service.public_key, metadata=metadata)
    return ProviderArchive.sign(claims, {"x86_64-linux": b"\x7fELF" * 100}, account).to_bytes(compress=True)


@pytest.fixture(scope="module")
def open_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with docker_registry(tmp_path_factory.mktemp("open")) as server:
        yield f"localhost:{server.port}"


@pytest.fixture(scope="module")
def closed_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("closed")
    with docker_registry(folder, password_auth(folder)) as server:
        yield f"localhost:{server.port}"


@pytest.fixture(scope="module")
def token_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TokenIssuer, TestServer]]:
    issuer = TokenIssuer(tmp_path_factory.mktemp("issuer"))
    with http_server(issuer.handle) as server:
        yield issuer, server


@pytest.fixture(scope="module")
def token_registry(
    tmp_path_factory: pytest.TempPathFactory, token_server: tuple[TokenIssuer, TestServer]
) -> Iterator[str]:
    issuer, server = token_server
    with docker_registry(tmp_path_factory.mktemp("token"), issuer.auth(f"http://{server.name}/token")) as registry:
        yield f"127.0.0.1:{registry.port}"


@pytest.fixture
def new_registry(tmp_path: Path) -> Callable[..., Registry]:
    """Clients, by default with a cache that nobody else has."""

    def make(cache: str = "cache", environ: dict[str, str] | None = None, **options: object) -> Registry:
        return Registry(RegistryOptions(**options), {"WASCC_CACHE_DIR": str(tmp_path / cache), **(environ or {})})

    return make


@pytest.mark.parametrize("kind", [ACTOR, PROVIDER_ARCHIVE])
def test_what_is_pushed_is_pulled(
    kind: object, open_registry: str, new_registry: Callable[..., Registry], signed: bytes, archive: bytes
) -> None:
    data = signed if kind is ACTOR else archive
    name = f"{open_registry}/tests/{'actor' if kind is ACTOR else 'provider'}:1.0"
    carried: list[tuple[int, int]] = []
    pushed = new_registry().push(name, data, "thing", lambda *both: carried.append(both))
    assert carried[-1] == (len(data), len(data))
    assert pushed.reference == f"{name}@{pushed.digest}"
    carried.clear()
    pulled = new_registry().pull(name, progress=lambda *both: carried.append(both))
    assert (pulled.data, pulled.digest, pulled.layer, pulled.cached) == (data, pushed.digest, pushed.layer, False)
    assert carried[-1] == (len(data), len(data))
    assert pulled.reference == pushed.reference
    again = new_registry().push(name, data, "thing")
    assert again.digest == pushed.digest


def test_the_media_types_are_those_of_the_original(
    open_registry: str, new_registry: Callable[..., Registry], signed: bytes, archive: bytes
) -> None:
    for kind, data in ((ACTOR, signed), (PROVIDER_ARCHIVE, archive)):
        new_registry().push(f"{open_registry}/types:1", data, "thing.bin")
        accept = {"accept": "application/vnd.oci.image.manifest.v1+json"}
        answer = httpx.get(f"http://{open_registry}/v2/types/manifests/1", headers=accept)
        manifest = answer.json()
        assert manifest["config"]["mediaType"] == kind.config_type
        assert [layer["mediaType"] for layer in manifest["layers"]] == [kind.layer_type]
        assert manifest["layers"][0]["annotations"] == {"org.opencontainers.image.title": "thing.bin"}
        assert answer.headers["content-type"] == accept["accept"]
        config = httpx.get(f"http://{open_registry}/v2/types/blobs/{manifest['config']['digest']}")
        assert config.content == b"{}"
    assert (ACTOR.layer_type, ACTOR.config_type) == (
        "application/vnd.module.wasm.content.layer.v1+wasm",
        "application/vnd.wascc.actor.archive.config",
    )
    assert (PROVIDER_ARCHIVE.layer_type, PROVIDER_ARCHIVE.config_type) == (
        "application/vnd.wascc.provider.archive.layer.v1+par",
        "application/vnd.wascc.provider.archive.config",
    )


def put_blob(registry: str, repository: str, data: bytes) -> None:
    location = httpx.post(f"http://{registry}/v2/{repository}/blobs/uploads/").headers["location"]
    answer = httpx.put(httpx.URL(location).copy_merge_params({"digest": digest(data)}), content=data)
    assert answer.status_code == 201


def test_artifacts_of_other_tools_are_read_by_their_last_layer(
    open_registry: str, new_registry: Callable[..., Registry], signed: bytes
) -> None:
    blobs = [b'{"architecture":"wasm"}', b"first layer", signed]
    for blob in blobs:
        put_blob(open_registry, "others", blob)
    for media_type, layer_type in (
        ("application/vnd.oci.image.manifest.v1+json", "application/x-whatever"),
        ("application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.image.rootfs.diff.tar.gzip"),
    ):
        described = [{"mediaType": layer_type, "digest": digest(blob), "size": len(blob)} for blob in blobs]
        value = {"schemaVersion": 2, "mediaType": media_type, "config": described[0], "layers": described[1:]}
        headers = {"content-type": media_type}
        url = f"http://{open_registry}/v2/others/manifests/2"
        assert httpx.put(url, content=json.dumps(value), headers=headers).status_code == 201
        assert new_registry().pull(f"{open_registry}/others:2").data == signed


def test_a_pinned_reference_needs_no_registry_once_it_was_pulled(
    tmp_path: Path, new_registry: Callable[..., Registry], signed: bytes
) -> None:
    with docker_registry(tmp_path) as server:
        name = f"localhost:{server.port}/cached"
        pinned = new_registry("other").push(f"{name}:1", signed, "thing").reference
        assert not new_registry().pull(pinned).cached
        assert new_registry().pull(f"{name}:1").cached, "the tag is asked for, the layer is there"
    assert new_registry().pull(pinned).data == signed
    assert new_registry().pull(pinned).cached
    with pytest.raises(RegistryError, match=r"^Failed to fetch OCI bytes: localhost:\d+/cached:1: "):
        new_registry().pull(f"{name}:1")


def test_a_damaged_cache_is_found_out_and_mended(
    open_registry: str, new_registry: Callable[..., Registry], signed: bytes, tmp_path: Path
) -> None:
    pinned = new_registry("other").push(f"{open_registry}/damaged:1", signed, "thing").reference
    new_registry().pull(pinned)
    files = sorted((tmp_path / "cache").rglob("*.blob"))
    assert len(files) == 2
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    for file in files:
        for content in (b"evil", file.read_bytes()[:-1] + b"!", bytes(1 << 20)):
            file.write_bytes(content)
            assert new_registry().pull(pinned).data == signed
            assert digest(file.read_bytes()) == f"sha256:{file.stem}"
    assert new_registry().pull(pinned).cached


def test_a_digest_pins(open_registry: str, new_registry: Callable[..., Registry], signed: bytes) -> None:
    name = f"{open_registry}/pinned:1"
    first = new_registry("other").push(name, signed, "one")
    second = new_registry("other").push(name, signed, "two")
    assert first.digest != second.digest
    assert new_registry().pull(name, first.digest).digest == first.digest, "what the tag named before is there still"
    assert new_registry().pull(name).digest == second.digest
    for bad, text in (
        (digest(b"x"), "404|unknown"),
        ("sha256:12", "is no digest"),
        ("md5:" + "0" * 32, "is no digest"),
    ):
        with pytest.raises(RegistryError, match=text):
            new_registry().pull(name, bad)
    with pytest.raises(RegistryError, match="two different things"):
        new_registry().pull(first.reference, second.digest)


def test_latest_is_refused_unless_allowed(
    open_registry: str, new_registry: Callable[..., Registry], signed: bytes
) -> None:
    for name in (f"{open_registry}/moving", f"{open_registry}/moving:latest"):
        for work in (lambda ref: new_registry().pull(ref), lambda ref: new_registry().push(ref, signed, "x")):
            with pytest.raises(RegistryError, match="--allow-latest"):
                work(name)
        new_registry(allow_latest=True).push(name, signed, "x")
        pulled = new_registry(allow_latest=True).pull(name)
        assert pulled.data == signed
        assert new_registry().pull(f"{open_registry}/moving:latest@{pulled.digest}").data == signed


def test_what_is_not_there(open_registry: str, new_registry: Callable[..., Registry]) -> None:
    with pytest.raises(RegistryError) as caught:
        new_registry().pull(f"{open_registry}/nothing:1")
    assert caught.value.message == (
        f"Failed to fetch OCI bytes: {open_registry}/nothing:1: the registry answers 404: manifest unknown"
    )


@pytest.mark.parametrize("bad", [b"", b"hello", b"\0asm\x01\0\0\0", bytes(20480)])
def test_only_what_is_signed_is_pushed(open_registry: str, new_registry: Callable[..., Registry], bad: bytes) -> None:
    with pytest.raises(RegistryError, match="neither a signed actor nor a provider archive"):
        new_registry().push(f"{open_registry}/bad:1", bad, "bad")
    assert httpx.get(f"http://{open_registry}/v2/bad/tags/list").status_code == 404


def test_a_push_needs_a_tag(open_registry: str, new_registry: Callable[..., Registry], signed: bytes) -> None:
    with pytest.raises(RegistryError, match="pushed to a tag"):
        new_registry().push(f"{open_registry}/a@{digest(b'')}", signed, "x")


def test_passwords(closed_registry: str, new_registry: Callable[..., Registry], signed: bytes) -> None:
    name = f"{closed_registry}/mine:1"
    with pytest.raises(RegistryError, match="set OCI_REGISTRY_USER and OCI_REGISTRY_PASSWORD"):
        new_registry().push(name, signed, "x")
    new_registry(environ=ENVIRONMENT).push(name, signed, "x")
    assert new_registry("other", environ=ENVIRONMENT).pull(name).data == signed
    for environ in ({"OCI_REGISTRY_USER": USER}, {"OCI_REGISTRY_PASSWORD": PASSWORD}):
        with pytest.raises(RegistryError, match="set OCI_REGISTRY_USER"):
            new_registry(environ=environ).pull(name)
    with pytest.raises(RegistryError, match="401") as caught:
        new_registry(environ={**ENVIRONMENT, "OCI_REGISTRY_PASSWORD": "sesame, close!"}).pull(name)
    assert "close" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tokens(
    token_registry: str,
    token_server: tuple[TokenIssuer, TestServer],
    new_registry: Callable[..., Registry],
    signed: bytes,
) -> None:
    _, server = token_server
    for repository in ("public/thing", "secret/thing"):
        name = f"{token_registry}/{repository}:1"
        server.seen.clear()
        new_registry(environ=ENVIRONMENT).push(name, signed, "x")
        assert server.seen[0].query == {"service": ["tests"], "scope": [f"repository:{repository}:pull,push"]}
        assert new_registry("other", environ=ENVIRONMENT).pull(name).data == signed
    assert new_registry().pull(f"{token_registry}/public/thing:1").data == signed
    with pytest.raises(RegistryError, match=r"the token server refuses access \(401\)$"):
        new_registry("third").pull(f"{token_registry}/secret/thing:1")
    with pytest.raises(RegistryError, match="401"):
        new_registry().push(f"{token_registry}/public/thing:2", signed, "x")


def test_within_asynchronous_code(open_registry: str, new_registry: Callable[..., Registry], signed: bytes) -> None:
    async def both() -> bytes:
        new_registry().push(f"{open_registry}/async:1", signed, "x")
        with pytest.raises(RegistryError):
            new_registry().pull(f"{open_registry}/async:2")
        return new_registry().pull(f"{open_registry}/async:1").data

    assert asyncio.run(both()) == signed


def test_the_command(
    open_registry: str, tmp_path: Path, signed: bytes, archive: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WASCC_CACHE_DIR", str(tmp_path / "cache"))
    for name, data, suffix in (("counter", signed, ".wasm"), ("redis", archive, ".par")):
        Path("in").write_bytes(data)
        reference = f"{open_registry}/team/{name}:0.1"
        done = wascc("reg", "push", reference, "in")
        assert (done.returncode, done.stderr) == (0, "")
        first, pinned = done.stdout.splitlines()
        assert first == f"Pushed in, {len(data):,} bytes"
        assert pinned.startswith(f"{reference}@sha256:")
        done = wascc("reg", "pull", reference)
        assert done.stdout == f"Pulled {name}{suffix}, {len(data):,} bytes\n{pinned}\n"
        assert Path(name + suffix).read_bytes() == data
        done = wascc("reg", "pull", pinned, "-o", "out", "--json")
        shown = json.loads(done.stdout)
        assert (shown["reference"], shown["file"], shown["cached"]) == (pinned, "out", True)
        assert Path("out").read_bytes() == data
        assert wascc("reg", "pull", reference, "-d", pinned.partition("@")[2]).returncode == 0
        done = wascc("reg", "pull", reference, "-d", digest(b"other"))
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("pull", "counter"), "Failed to parse OCI distribution reference"),
        (("pull", "REGISTRY/counter"), "--allow-latest"),
        (("pull", "REGISTRY/none:1"), "404"),
        (("push", "REGISTRY/none:1", "nofile"), "nofile"),
        (("push", "REGISTRY/none:1", "text"), "neither a signed actor nor"),
        (("push", "REGISTRY/none", "text"), "--allow-latest"),
        (("pull", "localhost:1/none:1"), "Failed to fetch OCI bytes: localhost:1/none:1: "),
        (("pull", "REGISTRY/none:1", "-d", "latest"), "is no digest"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    args: tuple[str, ...], message: str, open_registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text").write_text("hello")
    done = wascc("reg", *(arg.replace("REGISTRY", open_registry) for arg in args))
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["text"]
