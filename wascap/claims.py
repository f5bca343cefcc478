"""Claims: what a token says about one entity, and the metadata of each kind of entity.

The fields of every record stand in wire order, each with its key and type on the wire.
Protocol: docs/wascap.md#claims
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from wascap.clock import current_time
from wascap.errors import MissingMetadata, SerializationError
from wascap.fields import FLAG, I32, TEXT, TEXT_MAP, TEXTS, U64, Unset, record_to_json, values_from_json, wire
from wascap.nkeys import KeyType
from wascap.nuid import new_nuid

METADATA_KEY = "wascap"
ANONYMOUS = "Anonymous"


class Metadata(ABC):
    """Base of the metadata of all kinds of entities."""

    __slots__ = ()

    kind: ClassVar[str]
    """What the entity is called."""
    subject_type: ClassVar[KeyType | None] = None
    """Kind of key that the subject must be; None if it need not be a key."""
    issuer_type: ClassVar[KeyType | None] = None
    """Kind of key that may issue such a token; None if any may."""
    self_issued: ClassVar[bool] = False
    """Whether issuer and subject must be the same key."""

    @property
    @abstractmethod
    def display_name(self) -> str:
        """The name to show to people."""


class _Named(Metadata):
    """Base of the metadata of entities that may have a name."""

    __slots__ = ()

    unnamed: ClassVar[str] = ANONYMOUS
    """Display name of an entity without a name."""

    name: str | None

    @property
    def display_name(self) -> str:
        """The name to show to people, a stand-in if there is none."""
        return self.unnamed if self.name is None else self.name


@dataclass(frozen=True, slots=True)
class ActorMetadata(_Named):
    """A signed module: `module_hash` is filled in by `sign`, `capabilities` are the capability ids it may use, and
    `provider` is set for a portable capability provider."""

    kind = "actor"
    subject_type = KeyType.MODULE
    issuer_type = KeyType.ACCOUNT

    name: str | None = field(default=None, metadata=wire("name", TEXT, Unset.OMITTED))
    module_hash: str = field(default="", metadata=wire("hash", TEXT))
    tags: tuple[str, ...] | None = field(default=(), metadata=wire("tags", TEXTS, Unset.OMITTED))
    capabilities: tuple[str, ...] | None = field(default=(), metadata=wire("caps", TEXTS, Unset.OMITTED))
    revision: int | None = field(default=None, metadata=wire("rev", I32, Unset.OMITTED))
    version: str | None = field(default=None, metadata=wire("ver", TEXT, Unset.OMITTED))
    call_alias: str | None = field(default=None, metadata=wire("call_alias", TEXT, Unset.OMITTED))
    provider: bool = field(default=False, metadata=wire("prov", FLAG, Unset.DEFAULTED))


@dataclass(frozen=True, slots=True)
class AccountMetadata(_Named):
    """An account, which issues actors and capability providers; `valid_signers` are further keys that may do so."""

    kind = "account"
    subject_type = KeyType.ACCOUNT
    issuer_type = KeyType.OPERATOR

    name: str | None = field(default=None, metadata=wire("name", TEXT, Unset.NULL))
    valid_signers: tuple[str, ...] | None = field(default=None, metadata=wire("valid_signers", TEXTS, Unset.NULL))


@dataclass(frozen=True, slots=True)
class OperatorMetadata(_Named):
    """An operator, the root of trust; `valid_signers` are the keys that issue its accounts."""

    kind = "operator"
    subject_type = KeyType.OPERATOR
    issuer_type = KeyType.OPERATOR
    self_issued = True

    name: str | None = field(default=None, metadata=wire("name", TEXT, Unset.NULL))
    valid_signers: tuple[str, ...] | None = field(default=None, metadata=wire("valid_signers", TEXTS, Unset.NULL))


@dataclass(frozen=True, slots=True)
class ClusterMetadata(_Named):
    """A cluster of hosts; `valid_signers` are the keys that may act for it."""

    kind = "cluster"
    subject_type = KeyType.CLUSTER
    unnamed = "Anonymous Cluster"

    name: str | None = field(default=None, metadata=wire("name", TEXT, Unset.NULL))
    valid_signers: tuple[str, ...] | None = field(default=None, metadata=wire("valid_signers", TEXTS, Unset.NULL))


@dataclass(frozen=True, slots=True)
class CapabilityProviderMetadata(_Named):
    """A native capability provider; `target_hashes` maps `<arch>-<os>` to the SHA-256 of that binary."""

    kind = "capability provider"
    subject_type = KeyType.SERVICE
    issuer_type = KeyType.ACCOUNT
    unnamed = "Unnamed Provider"

    name: str | None = field(default=None, metadata=wire("name", TEXT, Unset.NULL))
    capability_id: str = field(kw_only=True, metadata=wire("capid", TEXT))
    vendor: str = field(kw_only=True, metadata=wire("vendor", TEXT))
    revision: int | None = field(default=None, metadata=wire("rev", I32, Unset.OMITTED))
    version: str | None = field(default=None, metadata=wire("ver", TEXT, Unset.OMITTED))
    target_hashes: Mapping[str, str] = field(kw_only=True, metadata=wire("target_hashes", TEXT_MAP))


@dataclass(frozen=True, slots=True)
class InvocationMetadata(Metadata):
    """One call: the URLs of the target with its operation and of the origin, and the hash of both with the message."""

    kind = "invocation"
    issuer_type = KeyType.SERVER

    target_url: str = field(metadata=wire("target_url", TEXT))
    origin_url: str = field(metadata=wire("origin_url", TEXT))
    hash: str = field(metadata=wire("hash", TEXT))

    @property
    def display_name(self) -> str:
        """The target's URL: a call has no name."""
        return self.target_url


MetadataT_co = TypeVar("MetadataT_co", bound=Metadata | None, covariant=True)
MetadataT = TypeVar("MetadataT", bound=Metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims(Generic[MetadataT_co]):
    """What a token says. Times are seconds since 1970 (0 <= t < 2**64).

    `issuer` is the public key of the signer, `subject` that of the entity (the id of the call for an invocation).
    A new record gets a fresh `id` and the current time as `issued_at` unless they are given.
    Protocol: docs/wascap.md#claims
    """

    expires: int | None = field(default=None, metadata=wire("exp", U64, Unset.OMITTED))
    id: str = field(default_factory=new_nuid, metadata=wire("jti", TEXT))
    issued_at: int = field(default_factory=current_time, metadata=wire("iat", U64))
    issuer: str = field(metadata=wire("iss", TEXT))
    subject: str = field(metadata=wire("sub", TEXT))
    not_before: int | None = field(default=None, metadata=wire("nbf", U64, Unset.OMITTED))
    metadata: MetadataT_co

    @property
    def display_name(self) -> str:
        """The name of the entity to show to people."""
        return ANONYMOUS if self.metadata is None else self.metadata.display_name


def claims_to_json(claims: Claims[Metadata | None]) -> dict[str, object]:
    """The JSON object of claims, keys in wire order. Raises SerializationError for a value of the wrong type."""
    result = record_to_json(claims)
    if claims.metadata is not None:
        result[METADATA_KEY] = record_to_json(claims.metadata)
    return result


def claims_from_json(json_object: Mapping[str, Any], metadata_class: type[Metadata] | None) -> Claims[Any]:
    """The claims in a JSON object, with metadata of the given class, or without any if it is None.

    Raises SerializationError | MissingMetadata.
    """
    values = values_from_json(Claims, json_object)
    content = json_object.get(METADATA_KEY)
    if content is not None and not isinstance(content, dict):
        raise SerializationError(f"the value of `{METADATA_KEY}` is not an object")
    if metadata_class is None:
        return Claims(**values, metadata=None)
    if content is None:
        raise MissingMetadata
    return Claims(**values, metadata=metadata_class(**values_from_json(metadata_class, content)))


def normalize_call_alias(text: str) -> str:
    """A call alias in the form in which it is compared: lower case, ASCII only, `_` for space, `-` and `.`.

    Protocol: docs/wascap.md#claims
    """
    ascii_only = text.lower().strip().encode("ascii", errors="ignore").decode("ascii")
    return ascii_only.translate(str.maketrans(" -.", "___"))
