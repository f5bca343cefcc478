"""What a running host says of itself: its actors, capabilities and bindings, without the values of these."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host.host import Host
from host.logs import utc
from host.providers.base import distribution_version
from host.running_actors import ActorState


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a host besides what it knows itself; times in seconds, `started` since 1970."""

    manifest: Path | None
    started: float
    started_monotonic: float

    @classmethod
    def now(cls, manifest: Path | None) -> About:
        """A host that starts now."""
        return cls(None if manifest is None else manifest.absolute(), time.time(), time.monotonic())


def status(host: Host, about: About) -> dict[str, Any]:
    """The state of the host as plain values."""
    return {
        "host": host.id,
        "pid": os.getpid(),
        "version": distribution_version(),
        "manifest": None if about.manifest is None else str(about.manifest),
        "started": utc(about.started),
        "uptime_seconds": round(time.monotonic() - about.started_monotonic, 3),
        "labels": dict(host.labels),
        "actors": [_actor(state) for state in host.actor_states()],
        "capabilities": [
            {"id": capability_id, "binding": binding, "name": descriptor.name, "version": descriptor.version}
            for (binding, capability_id), descriptor in host.capabilities().items()
        ],
        "bindings": [
            {"actor": binding.actor, "capability": binding.capability_id, "binding": binding.binding_name}
            for binding in host.bindings()
        ],
    }


def _actor(state: ActorState) -> dict[str, Any]:
    metadata, supervision = state.actor.claims.metadata, state.supervision
    busy = sum(instance.busy for instance in state.instances)
    return {
        "key": state.actor.public_key,
        "name": state.actor.name,
        "revision": metadata.revision,
        "version": metadata.version,
        "module": f"sha256:{state.actor.digest}",
        "state": "backing off" if supervision.backing_off_seconds > 0 else "busy" if busy else "ready",
        "instances": {"most": state.settings.instances, "made": len(state.instances), "busy": busy},
        "waiting": state.waiting,
        "calls": state.calls,
        "failures": state.failures,
        "replaced": supervision.replaced,
        "last_failure": supervision.last_failure,
    }
