"""Provider archives: a capability provider as one file, for several targets, with the signed claims about it.

An archive holds `claims.jwt`, the token of the provider, and one binary for each target, whose hash the token names.
Protocol: docs/archives.md
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from wascap.archive_files import MAX_ARCHIVE_BYTES, MAX_MEMBERS, read_files, write_files
from wascap.claims import CapabilityProviderMetadata, Claims
from wascap.clock import current_time
from wascap.errors import (
    MAX_TOKEN_BYTES,
    ArchiveError,
    FileError,
    InvalidBinaryHash,
    InvalidCapability,
    InvalidIssuer,
    NoSuchTarget,
    TokenTooLarge,
    Utf8Error,
    WascapError,
    shown,
)
from wascap.nkeys import KeyPair
from wascap.nuid import new_nuid
from wascap.tokens import decode, encode
from wascap.validation import TokenValidation, entity_problems, validate

CLAIMS_FILE = "claims.jwt"
BINARY_SUFFIX = ".bin"
PORTABLE_TARGET = "wasm32-wasi"
"""The target of a provider that is a WebAssembly module, which runs on every host."""
MAX_TARGETS = MAX_MEMBERS - 1

_TARGET = re.compile(r"[a-z0-9_]{1,32}-[a-z0-9_]{1,32}")


@dataclass(frozen=True, slots=True)
class ArchiveInspection:
    """Every verdict on a provider archive: on its token, on the binary of each target (`hashes_valid`), and on the
    kinds of keys. The archive is good only if `ok`."""

    validation: TokenValidation
    hashes_valid: Mapping[str, bool]
    entity_problems: tuple[WascapError, ...]

    @property
    def ok(self) -> bool:
        """Whether no verdict is bad."""
        return not self.problems

    @property
    def problems(self) -> tuple[WascapError, ...]:
        """Each bad verdict as an error: the hashes, the token's own problems, the kinds of keys."""
        wrong = (InvalidBinaryHash(shown(target)) for target, is_valid in self.hashes_valid.items() if not is_valid)
        return (*wrong, *self.validation.problems, *self.entity_problems)


@dataclass(frozen=True, slots=True)
class ProviderArchive:
    """A provider archive: its token, what that says, and the binary of each target (`<arch>-<os>`).

    Made by `from_bytes`, `from_file` or `sign`. Whether it is to be believed, `verify` tells.
    """

    token: str = field(repr=False)
    claims: Claims[CapabilityProviderMetadata]
    binaries: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def from_bytes(cls, data: bytes, check_hashes: bool = True) -> ProviderArchive:
        """The archive in `data`, a tar or a compressed one. Neither its signature nor its times are judged here.

        The token and the archive must name the same targets, and each binary must have the hash that the token says
        (unless `check_hashes` is False).
        Raises ArchiveError, InvalidBinaryHash, and everything that `decode` raises.
        Protocol: docs/archives.md#reading
        """
        files = read_files(data)
        if CLAIMS_FILE not in files or len(files) < 2:
            raise ArchiveError("Not enough files found in provider archive. Is this a complete archive?")
        token = _token_of(files.pop(CLAIMS_FILE))
        binaries = {_target_of(name): content for name, content in files.items()}
        archive = cls(token, decode(token, CapabilityProviderMetadata), binaries)
        archive._require_same_targets()
        if check_hashes:
            for target, is_valid in archive._hashes_valid().items():
                if not is_valid:
                    raise InvalidBinaryHash(shown(target))
        return archive

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], check_hashes: bool = True) -> ProviderArchive:
        """The archive in a file. Raises FileError, and what `from_bytes` raises."""
        try:
            with Path(path).open("rb") as file:
                data = file.read(MAX_ARCHIVE_BYTES + 1)
        except (OSError, ValueError) as error:
            raise FileError(str(error)) from error
        return cls.from_bytes(data, check_hashes)

    @classmethod
    def sign(
        cls, claims: Claims[CapabilityProviderMetadata], binaries: Mapping[str, bytes], key: KeyPair
    ) -> ProviderArchive:
        """A new archive of these binaries, by target, with a token of `claims`, in which their hashes are filled in.

        Raises ArchiveError (no target, an impossible one, too many), InvalidCapability (an empty id), InvalidIssuer |
        InvalidSubject (not an account key and a service key), and what `encode` raises.
        Protocol: docs/archives.md#claims
        """
        for target in binaries:
            require_target(target)
        if not 0 < len(binaries) <= MAX_TARGETS:
            raise ArchiveError(f"an archive holds binaries for 1 to {MAX_TARGETS} targets")
        for problem in entity_problems(claims):
            raise problem
        if not claims.metadata.capability_id:
            raise InvalidCapability("a capability provider has a capability id")
        hashes = {target: _hash(binaries[target]) for target in sorted(binaries)}
        signed = replace(claims, metadata=replace(claims.metadata, target_hashes=hashes))
        return cls(encode(signed, key), signed, {target: bytes(binaries[target]) for target in hashes})

    def with_binary(
        self, target: str, binary: bytes, key: KeyPair, *, revision: int | None = None, version: str | None = None
    ) -> ProviderArchive:
        """This archive with one more binary, or another one for that target, signed anew by the account that signed it.

        All other claims stay; revision and version stay unless they are given. Raises InvalidIssuer (`key` is another
        account's), the first problem of this archive but for its times, and what `sign` raises.
        """
        if key.public_key != self.claims.issuer:
            raise InvalidIssuer(f"the archive was signed by {self.claims.issuer}, and only that account may change it")
        inspection = self.inspect(self.claims.not_before or self.claims.expires)
        for problem in inspection.problems:
            raise problem
        metadata = self.claims.metadata
        metadata = replace(
            metadata,
            revision=metadata.revision if revision is None else revision,
            version=metadata.version if version is None else version,
        )
        claims = replace(self.claims, id=new_nuid(), issued_at=current_time(), metadata=metadata)
        return ProviderArchive.sign(claims, {**self.binaries, target: binary}, key)

    def to_bytes(self, *, compress: bool = False) -> bytes:
        """The archive as a tar, with `compress` packed by gzip: the same bytes for the same archive.

        Raises ArchiveError if it is too large.
        Protocol: docs/archives.md#container
        """
        members = [(CLAIMS_FILE, self.token.encode("ascii"))]
        members += [(target + BINARY_SUFFIX, self.binaries[target]) for target in sorted(self.binaries)]
        return write_files(members, compress=compress)

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets that there are binaries for, sorted."""
        return tuple(sorted(self.binaries))

    def binary(self, target: str) -> bytes:
        """The binary for a target. Raises NoSuchTarget, which names those that there are."""
        if target not in self.binaries:
            raise NoSuchTarget(f"{shown(target)}; it has {', '.join(self.targets)}")
        return self.binaries[target]

    def inspect(self, now: int | None = None) -> ArchiveInspection:
        """All verdicts on the archive at once; `now` as for `validate`. Raises what `validate` raises.

        Protocol: docs/archives.md#verification
        """
        return ArchiveInspection(validate(self.token, now), self._hashes_valid(), entity_problems(self.claims))

    def verify(self, now: int | None = None) -> None:
        """Check that the archive is to be believed at the time `now`. Raises the gravest problem, a WascapError.

        Protocol: docs/archives.md#verification
        """
        self._require_same_targets()
        if decode(self.token, CapabilityProviderMetadata) != self.claims:
            raise ArchiveError("its claims are not those of its token")
        for problem in self.inspect(now).problems:
            raise problem

    def _hashes_valid(self) -> dict[str, bool]:
        hashes = self.claims.metadata.target_hashes
        return {target: _hash(binary) == hashes.get(target) for target, binary in sorted(self.binaries.items())}

    def _require_same_targets(self) -> None:
        claimed = self.claims.metadata.target_hashes
        for target in claimed:
            if target not in self.binaries:
                raise ArchiveError(f"the binary for {shown(target)}, which its claims name, is missing")
        for target in self.binaries:
            if target not in claimed:
                raise ArchiveError(f"its claims do not name the target {shown(target)}")


def require_target(target: str) -> None:
    """Check the form of a target. Raises ArchiveError."""
    if not _TARGET.fullmatch(target):
        raise ArchiveError(f"{shown(target)} is no target; a target is <arch>-<os>, such as x86_64-linux")


def _target_of(name: str) -> str:
    target = name.removesuffix(BINARY_SUFFIX)
    if target == name or not _TARGET.fullmatch(target):
        raise ArchiveError(f"it holds {shown(name)}, which is neither {CLAIMS_FILE} nor <arch>-<os>{BINARY_SUFFIX}")
    return target


def _token_of(content: bytes) -> str:
    if len(content) > MAX_TOKEN_BYTES:
        raise TokenTooLarge
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise Utf8Error("the token of the archive is not UTF-8") from error


def _hash(binary: bytes) -> str:
    return hashlib.sha256(binary).hexdigest().upper()
