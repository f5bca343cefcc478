"""The two kinds of entity that take part in an invocation, and their URLs.

An actor is named by its public key, a capability by its id and the name of the binding. The URL of an entity is what
the signed token of an invocation names it by (`docs/host.md`, section "Invocations").
"""

from __future__ import annotations

from dataclasses import dataclass

from wascap.nkeys import PUBLIC_KEY_CHARACTERS

DEFAULT_BINDING = "default"
MAX_NAME_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class ActorEntity:
    """An actor; `public_key` is its module key, or `system` for the host itself."""

    public_key: str

    @property
    def url(self) -> str:
        """`wasmbus://<public key>`"""
        return f"wasmbus://{self.public_key}"

    @property
    def title(self) -> str:
        """`actor <public key>`, as log lines and errors name it."""
        return f"actor {self.public_key}"


@dataclass(frozen=True, slots=True)
class CapabilityEntity:
    """A capability as one binding offers it."""

    capability_id: str
    binding: str

    @property
    def url(self) -> str:
        """`wasmbus://<capability id as a path>/<binding>`, lower-cased, blanks as underscores."""
        path = self.capability_id.replace(":", "/").replace(" ", "_").lower()
        return f"wasmbus://{path}/{self.binding.replace(' ', '_').lower()}"

    @property
    def title(self) -> str:
        """`<binding>,<capability id>`, as log lines and errors name it."""
        return f"{self.binding},{self.capability_id}"


Entity = ActorEntity | CapabilityEntity


def is_actor_key(namespace: str) -> bool:
    """Whether a namespace names an actor, not a capability: it has the length and first letter of a module key."""
    return len(namespace) == PUBLIC_KEY_CHARACTERS and namespace.startswith("M")


def is_capability_id(text: str) -> bool:
    """Whether a provider may offer this as its capability id: a short printable text that names no actor."""
    return 0 < len(text) <= MAX_NAME_CHARACTERS and text.isprintable() and not is_actor_key(text)


def is_binding_name(text: str) -> bool:
    """Whether this can name a binding: short, printable, not blank, and without the signs that structure a subject."""
    return len(text) <= MAX_NAME_CHARACTERS and text.isprintable() and bool(text.strip()) and not set(text) & set(".*>")


def target_entity(namespace: str, binding: str) -> Entity:
    """The entity that a guest means by `namespace` and `binding`; a blank binding is the default one."""
    if is_actor_key(namespace):
        return ActorEntity(namespace)
    return CapabilityEntity(namespace, binding if binding.strip() else DEFAULT_BINDING)
