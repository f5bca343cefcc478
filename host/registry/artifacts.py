"""Artifacts: an actor or a provider archive as a registry keeps it, a manifest with one layer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from host.actor import MAX_MODULE_BYTES, Actor, is_module
from host.errors import HostError, RegistryError
from host.logs import printable
from host.registry.connection import decoded
from host.registry.reference import DIGEST
from wascap import ProviderArchive, WascapError

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
ACCEPTED_MANIFESTS = f"{MANIFEST_TYPE}, application/vnd.docker.distribution.manifest.v2+json"
CONFIG = b"{}"
TITLE = "org.opencontainers.image.title"
"""The annotation that says what a layer's file is called."""
MAX_LAYERS = 1024


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of artifact: what it is called, and its media types."""

    name: str
    layer_type: str
    config_type: str


ACTOR = Kind("actor", "application/vnd.module.wasm.content.layer.v1+wasm", "application/vnd.wascc.actor.archive.config")
PROVIDER_ARCHIVE = Kind(
    "provider archive",
    "application/vnd.wascc.provider.archive.layer.v1+par",
    "application/vnd.wascc.provider.archive.config",
)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a manifest says of its layer: digest, size in bytes, media type."""

    digest: str
    size: int
    media_type: str


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a reference led to: the bytes of the last layer, which have its digest, and the digest of the manifest.

    `cached` says that the bytes were not fetched, but were there already.
    """

    reference: str
    """The reference with the manifest's digest: it names the same for ever."""
    digest: str
    layer: Descriptor
    data: bytes = field(repr=False)
    cached: bool = False


def digest_of(data: bytes) -> str:
    """The digest of bytes, as registries write it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def last_layer(manifest: bytes) -> Descriptor:
    """The last layer that a manifest names; what media type it has does not matter. Raises RegistryError."""
    value = decoded(manifest)
    if not isinstance(value, dict):
        raise RegistryError("the manifest is none")
    if "manifests" in value:
        raise RegistryError("this is an index of several manifests: name one of them by its digest")
    layers = value.get("layers")
    if not isinstance(layers, list) or not 0 < len(layers) <= MAX_LAYERS or not isinstance(layers[-1], dict):
        raise RegistryError("the manifest has no layer")
    return _descriptor(layers[-1])


def _descriptor(layer: dict[str, Any]) -> Descriptor:
    digest, size, media_type = layer.get("digest"), layer.get("size"), layer.get("mediaType", "")
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        raise RegistryError("the manifest names its layer by something else than a digest sha256:…")
    if type(size) is not int or size < 0 or not isinstance(media_type, str):
        raise RegistryError("the manifest does not say how large its layer is")
    if size > MAX_MODULE_BYTES:
        raise RegistryError(f"the layer has {size} bytes, more than {MAX_MODULE_BYTES}")
    return Descriptor(digest, size, media_type)


def manifest_of(kind: Kind, data: bytes, title: str) -> bytes:
    """The manifest of an artifact with this one layer: the same bytes for the same artifact and title."""
    layer = {
        "mediaType": kind.layer_type, "digest": digest_of(data), "size": len(data), "annotations": {TITLE: title},
    }  # fmt: skip
    config = {"mediaType": kind.config_type, "digest": digest_of(CONFIG), "size": len(CONFIG)}
    value = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": [layer]}
    return json.dumps(value, separators=(",", ":")).encode()


def kind_of(data: bytes) -> Kind:
    """Which kind of artifact these bytes are: a signed module, or a provider archive.

    Raises RegistryError for anything else, and for one that is not what was signed.
    """
    read: Callable[[bytes], object]
    kind, read = (ACTOR, Actor.from_bytes) if is_module(data) else (PROVIDER_ARCHIVE, _read_archive)
    try:
        read(data)
    except (HostError, WascapError) as error:
        raise RegistryError(f"neither a signed actor nor a provider archive: {printable(str(error))}") from error
    return kind


def _read_archive(data: bytes) -> object:
    return ProviderArchive.from_bytes(data)
