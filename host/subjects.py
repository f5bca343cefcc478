"""Subjects: the addresses on the bus, as pure functions of what they address.

`namespace` separates lattices that share one broker; it is empty for none. See `docs/host.md`, section "Bus".
"""

from __future__ import annotations

PREFIX = "wasmbus"


def actor_subject(public_key: str, namespace: str = "") -> str:
    """Where an actor takes its calls."""
    return f"{_prefix(namespace)}.actor.{public_key}"


def provider_subject(capability_id: str, binding: str, namespace: str = "") -> str:
    """A provider's root subject: it takes the host's own operations and no others."""
    normalised = capability_id.lower().replace(":", ".").replace(" ", "_")
    return f"{_prefix(namespace)}.provider.{normalised}.{binding}"


def bound_subject(capability_id: str, binding: str, actor: str, namespace: str = "") -> str:
    """The private subject on which a provider takes the calls of one bound actor."""
    return f"{provider_subject(capability_id, binding, namespace)}.{actor}"


def _prefix(namespace: str) -> str:
    return f"{namespace}.{PREFIX}" if namespace else PREFIX
