"""Provider archives in a host: whether one may run here, and which of its binaries.

A host runs no native libraries, so of an archive it takes the portable provider, the WebAssembly module for the target
`wasm32-wasi`. `docs/archives.md`, section "In a host".
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from host.actor import Actor, is_module
from host.authorization import judge_token
from host.errors import CapabilityProviderError, HostError
from host.logs import printable
from host.policy import Policies
from host.verdicts import Verdict, attempted, require
from wascap import PORTABLE_TARGET, NoSuchTarget, ProviderArchive, WascapError

SIGN_ANEW = "make the archive anew with wascc par create"


def provider_in(data: bytes, policies: Policies) -> Actor:
    """The portable provider in a provider archive that may be loaded now; of a signed module, that module itself.

    The module has a token of its own, which the host judges when it starts the provider. Raises WascapFailure,
    CapabilityProviderError (it is no archive, or nothing in it runs here), AuthorizationFailure (token, policy).
    """
    if is_module(data):
        return Actor.from_bytes(data)
    found: list[Actor] = []
    require(judge_archive(data, policies, found))
    return found[0]


def judge_archive(data: bytes, policies: Policies, found: list[Actor]) -> Iterator[Verdict]:
    """What each check says of a provider archive that is to be loaded now. If all allow it, `found` has got its
    portable provider."""
    try:
        archive = ProviderArchive.from_bytes(data)
        inspection = archive.inspect()
    except WascapError as error:
        yield Verdict("archive", CapabilityProviderError(printable(str(error)), SIGN_ANEW))
        return
    yield Verdict("archive")
    yield from judge_token(inspection.validation, inspection.entity_problems, "Provider archive", SIGN_ANEW)
    yield from policies.judge(archive.claims, sha256(data).hexdigest())
    yield attempted("target", lambda: found.append(_portable_provider(archive)))


def _portable_provider(archive: ProviderArchive) -> Actor:
    try:
        module = archive.binary(PORTABLE_TARGET)
    except NoSuchTarget as error:
        raise CapabilityProviderError(f"{error}: native libraries are not run by this host") from error
    try:
        provider = Actor.from_bytes(module)
    except HostError as error:
        raise CapabilityProviderError(f"the module for {PORTABLE_TARGET}: {error.message}") from error
    provided, claimed = provider.capabilities, archive.claims.metadata.capability_id
    if provided != (claimed,):
        raise CapabilityProviderError(
            f"the archive is signed for the capability {printable(claimed)}, "
            f"and its module for {printable(', '.join(provided)) or 'none'}"
        )
    return provider
