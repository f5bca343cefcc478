"""Chains: the calls that are active on one thread, and what each of them has been waiting for, and how long.

A chain is what waits for turns and holds them (`host.turns`); its hops are the invocations on their way, outermost
first, so that an error of a call that takes too long can name what it waits for.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakSet

from host.entities import Entity
from host.logs import printable

if TYPE_CHECKING:
    from host.turns import Turn

thread_chain = threading.local()
_lock = threading.Lock()
_chains: WeakSet[Chain] = WeakSet()


class Hop:
    """One invocation on its way: which operation of which target, since when on the monotonic clock."""

    __slots__ = ("operation", "since", "target")

    def __init__(self, target: Entity, operation: str) -> None:
        self.target = target
        self.operation = operation
        self.since = time.monotonic()

    @property
    def title(self) -> str:
        """`<operation> of <title of the target>`."""
        return title(self.operation, self.target)

    @property
    def seconds(self) -> float:
        """How long it has been on its way."""
        return time.monotonic() - self.since


class Chain:
    """The calls active on one thread: the turns they hold and the hops they take, outermost first, and the turn they
    wait for."""

    __slots__ = ("__weakref__", "held", "hops", "waiting_for")

    def __init__(self) -> None:
        self.held: list[Turn] = []
        self.hops: list[Hop] = []
        self.waiting_for: Turn | None = None
        with _lock:
            _chains.add(self)

    def __str__(self) -> str:
        hops = tuple(self.hops)
        return str(Way(hops)) if hops else "a change of the host"


def current_chain() -> Chain:
    """The chain of the calling thread."""
    try:
        chain: Chain = thread_chain.chain
    except AttributeError:
        chain = thread_chain.chain = Chain()
    return chain


@dataclass(frozen=True, slots=True)
class Way:
    """The hops of a chain at one moment, outermost first; at least one."""

    hops: tuple[Hop, ...]

    def __str__(self) -> str:
        return f"{' -> '.join(hop.title for hop in self.hops)}, for {self.hops[0].seconds:.1f} s so far"


def active_chains() -> tuple[Way, ...]:
    """The way of every chain of this process that is under way now, those that began first in front."""
    with _lock:
        chains = tuple(_chains)
    hops = (tuple(chain.hops) for chain in chains)
    return tuple(sorted((Way(some) for some in hops if some), key=lambda way: way.hops[0].since))


def title(operation: str, target: Entity) -> str:
    """How a text names an operation of an entity, whose names may come from a guest."""
    return f"{printable(operation)} of {printable(target.title)}"
