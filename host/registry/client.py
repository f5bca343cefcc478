"""Pulling and pushing: what a registry sends is believed only if it has the digest that it should have."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

import httpx

from host.actor import MAX_MODULE_BYTES
from host.errors import RegistryError
from host.logs import printable
from host.registry.access import credentials_of
from host.registry.artifacts import (
    ACCEPTED_MANIFESTS,
    CONFIG,
    MANIFEST_TYPE,
    Artifact,
    Descriptor,
    digest_of,
    kind_of,
    last_layer,
    manifest_of,
)
from host.registry.blobs import Blobs
from host.registry.connection import MAX_JSON_BYTES, Answer, Connection, Progress, refusal
from host.registry.options import DEFAULT_OPTIONS, RegistryOptions
from host.registry.reference import Reference

DIGEST_HEADER = "docker-content-digest"

_T = TypeVar("_T")


class Registry:
    """Registries of any host, with the credentials of the environment and the cache of this user."""

    def __init__(self, options: RegistryOptions = DEFAULT_OPTIONS, environ: Mapping[str, str] = os.environ) -> None:
        self._options = options
        self._credentials = credentials_of(environ)
        self._blobs = Blobs.of(environ)

    def pull(self, text: str, digest: str | None = None, progress: Progress | None = None) -> Artifact:
        """What a reference names, verified; with `digest` only if its manifest has that one. Raises RegistryError."""
        reference = self._parsed(text, digest)
        return self._bounded(reference, "fetch", self._pull(reference, progress))

    def push(self, text: str, data: bytes, title: str, progress: Progress | None = None) -> Artifact:
        """Put a signed actor or a provider archive into a registry under a reference with a tag. `title` is the name
        that a file of it shall have. Raises RegistryError."""
        reference = self._parsed(text, None)
        if reference.digest is not None:
            raise RegistryError(f"{reference}: something is pushed to a tag; its digest follows from what it is")
        if len(data) > MAX_MODULE_BYTES:
            raise RegistryError(f"it is larger than {MAX_MODULE_BYTES} bytes")
        kind = kind_of(data)
        layer = Descriptor(digest_of(data), len(data), kind.layer_type)
        manifest = manifest_of(kind, data, title)
        self._bounded(reference, "push", self._push(reference, data, manifest, progress))
        digest = digest_of(manifest)
        return Artifact(str(reference.pinned(digest)), digest, layer, data)

    def _parsed(self, text: str, digest: str | None) -> Reference:
        reference = Reference.parse(text)
        if digest is not None:
            reference = reference.pinned(digest)
        if reference.is_latest and not self._options.allow_latest:
            raise RegistryError(
                f"{reference}: the tag latest may be something else tomorrow; give a tag or a digest, or allow it "
                "with --allow-latest"
            )
        return reference

    def _bounded(self, reference: Reference, verb: str, work: Coroutine[Any, Any, _T]) -> _T:
        """Do the work within the time for it; whatever goes wrong is one error."""

        async def within() -> _T:
            async with asyncio.timeout(self._options.seconds):
                return await work

        try:
            return _run(within())
        except RegistryError as error:
            reason = error.message
            cause: BaseException = error
        except (TimeoutError, httpx.TimeoutException) as error:
            reason, cause = "the registry does not answer in time", error
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            reason, cause = printable(str(error)) or type(error).__name__, error
        raise RegistryError(f"Failed to {verb} OCI bytes: {reference}: {reason}") from cause

    async def _pull(self, reference: Reference, progress: Progress | None) -> Artifact:
        # Anybody who knows a digest may have what it names, so that what is here needs no registry.
        manifest = self._blobs.get(reference.digest, MAX_JSON_BYTES) if reference.digest else None
        layer = last_layer(manifest) if manifest is not None else None
        data = self._blobs.get(layer.digest, layer.size) if layer else None
        if manifest is not None and layer is not None and data is not None and len(data) == layer.size:
            return _artifact(reference, manifest, layer, data, cached=True)
        async with Connection(reference, "pull", self._credentials, self._options.insecure) as connection:
            manifest = await self._fetch_manifest(connection, reference)
            layer = last_layer(manifest)
            data = self._blobs.get(layer.digest, layer.size)
            cached = data is not None and len(data) == layer.size
            if data is None or not cached:
                data = await self._fetch_layer(connection, layer, progress)
        return _artifact(reference, manifest, layer, data, cached)

    async def _fetch_manifest(self, connection: Connection, reference: Reference) -> bytes:
        answer = await connection.get(f"manifests/{reference.target}", MAX_JSON_BYTES, accept=ACCEPTED_MANIFESTS)
        if answer.status != 200:
            raise refusal(answer)
        actual = digest_of(answer.body)
        if reference.digest not in (None, actual):
            raise RegistryError(f"the manifest that the registry sends is another one, {actual}")
        if reference.digest is None and answer.headers.get(DIGEST_HEADER, actual) != actual:
            raise RegistryError("the manifest does not have the digest that the registry says")
        self._blobs.put(answer.body)
        return answer.body

    async def _fetch_layer(self, connection: Connection, layer: Descriptor, progress: Progress | None) -> bytes:
        answer = await connection.get(f"blobs/{layer.digest}", layer.size, progress=progress)
        if answer.status != 200:
            raise refusal(answer)
        if len(answer.body) != layer.size:
            raise RegistryError(f"the layer has {len(answer.body)} bytes, and not {layer.size} as its manifest says")
        if digest_of(answer.body) != layer.digest:
            raise RegistryError("the layer does not have the digest that its manifest says")
        self._blobs.put(answer.body)
        return answer.body

    async def _push(self, reference: Reference, data: bytes, manifest: bytes, progress: Progress | None) -> None:
        async with Connection(reference, "pull,push", self._credentials, self._options.insecure) as connection:
            for blob in (CONFIG, data):
                await _push_blob(connection, blob)
                if progress is not None:
                    progress(len(blob), len(data))
            headers = {"content-type": MANIFEST_TYPE}
            answer = await connection.send("PUT", f"manifests/{reference.target}", manifest, headers)
            _require(answer, 201)
            digest = digest_of(manifest)
            if answer.headers.get(DIGEST_HEADER, digest) != digest:
                raise RegistryError("the registry has stored another manifest than it was sent")


async def _push_blob(connection: Connection, blob: bytes) -> None:
    """Send bytes, unless the registry has them."""
    digest = digest_of(blob)
    if (await connection.send("HEAD", f"blobs/{digest}")).status == 200:
        return
    answer = await connection.send("POST", "blobs/uploads/")
    _require(answer, 202)
    place = httpx.URL(answer.headers.get("location", "")).copy_merge_params({"digest": digest})
    _require(await connection.send("PUT", str(place), blob, {"content-type": "application/octet-stream"}), 201)


def _require(answer: Answer, status: int) -> None:
    if answer.status != status:
        raise refusal(answer)


def _artifact(reference: Reference, manifest: bytes, layer: Descriptor, data: bytes, cached: bool) -> Artifact:
    digest = digest_of(manifest)
    return Artifact(str(reference.pinned(digest)), digest, layer, data, cached)


def _run(work: Coroutine[Any, Any, _T]) -> _T:
    """The result of asynchronous work, also where the caller's thread does such work already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    outcome: list[_T] = []
    failure: list[BaseException] = []

    def in_thread() -> None:
        try:
            outcome.append(asyncio.run(work))
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=in_thread, daemon=True)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]
