"""What the tests of portable providers share: signed modules made from the guest that does as told."""

from __future__ import annotations

from host_support import GUESTS, Identities, compile_wat

from host import Actor
from host.codec import encode
from host.codec.core import CapabilityDescriptor
from wascap import ActorMetadata, Claims, KeyPair, sign

CAPABILITY = "test:portable"
DESCRIPTOR = CapabilityDescriptor(CAPABILITY, "Portable", "1.2", 3, "For tests", ())


def portable_guest(descriptor: bytes) -> bytes:
    """The guest of guests/portable.wat that answers with these bytes as its descriptor."""
    added = (GUESTS / "portable.wat").read_text()
    shown = "".join(f"\\{byte:02x}" for byte in descriptor)
    added = added.replace("{descriptor}", shown).replace("{descriptor_length}", str(len(descriptor)))
    text = (GUESTS / "scripted.wat").read_text().replace("{version}", "p").replace("{version_length}", "1")
    for name, part in zip(("imports", "operations", "data"), added.split(";; ---\n"), strict=True):
        text = text.replace(f";; {{{name}}}", part)
    return compile_wat(text)


def portable(
    identities: Identities,
    *capabilities: str,
    descriptor: CapabilityDescriptor | bytes = DESCRIPTOR,
    provider: bool = True,
    key: KeyPair | None = None,
) -> Actor:
    """A signed module, of the test's account; by default a good portable provider of CAPABILITY."""
    described = descriptor if isinstance(descriptor, bytes) else encode(descriptor)
    metadata = ActorMetadata(capabilities=capabilities or (CAPABILITY,), provider=provider)
    subject = (key or identities.key()).public_key
    claims = Claims(issuer=identities.account.public_key, subject=subject, metadata=metadata)
    return Actor.from_bytes(sign(portable_guest(described), claims, identities.account))
