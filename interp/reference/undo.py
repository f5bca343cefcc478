"""What it takes to undo the changes of a store: of each place that was overwritten since some instant, what stood there
first.

A memory is kept in blocks, so that however often code writes into it, what is kept is never more than the memory.
Spec: exec/runtime#store
"""

from __future__ import annotations

from typing import Any

from interp.execution.places import Place
from interp.execution.runtime import MemInst

BLOCK = 256
"""Bytes of a memory that are kept together."""

COST_OF_BLOCK = BLOCK + 160
COST_OF_ITEM = 200
"""Bytes that one entry takes, about."""


class Undo:
    """The first contents of every place overwritten since it was made. `cost` is its size in bytes, about."""

    __slots__ = ("blocks", "cost", "items", "sizes")

    def __init__(self) -> None:
        self.blocks: dict[tuple[MemInst, int], bytes] = {}
        self.items: dict[tuple[Any, str, int | None], Any] = {}
        self.sizes: dict[tuple[Any, str], int] = {}
        self.cost = 0

    def before(self, place: Place) -> None:
        """The place is about to be overwritten. Implements `interp.execution.places.Watcher`."""
        owner, attribute, start, stop = place
        if start is None:
            self._keep_item((owner, attribute, None), getattr(owner, attribute))
        elif stop is None:
            if (owner, attribute) not in self.sizes:
                self.sizes[owner, attribute] = start
                self.cost += COST_OF_ITEM
        elif isinstance(owner, MemInst):
            block, last = start // BLOCK, (stop - 1) // BLOCK
            if block == last and (owner, block) in self.blocks:
                return
            for key in [(owner, block) for block in range(block, last + 1)]:
                if key not in self.blocks:
                    self.blocks[key] = bytes(owner.bytes[key[1] * BLOCK : (key[1] + 1) * BLOCK])
                    self.cost += COST_OF_BLOCK
        else:
            sequence = getattr(owner, attribute)
            for index in range(start, stop):
                self._keep_item((owner, attribute, index), sequence[index])

    def _keep_item(self, key: tuple[Any, str, int | None], old: Any) -> None:
        if key not in self.items:
            self.items[key] = old
            self.cost += COST_OF_ITEM

    def apply(self) -> None:
        """Put everything back as it was."""
        for (owner, attribute), size in self.sizes.items():
            del getattr(owner, attribute)[size:]
        for (mem, block), old in self.blocks.items():
            start, size = block * BLOCK, len(mem.bytes)
            if start < size:
                mem.bytes[start : start + len(old)] = old
        for (owner, attribute, index), old in self.items.items():
            if index is None:
                setattr(owner, attribute, old)
            elif index < len(getattr(owner, attribute)):
                getattr(owner, attribute)[index] = old

    def absorb(self, later: Undo) -> None:
        """Add what was kept after this: from now on both are undone together."""
        for key, old in later.blocks.items():
            if key not in self.blocks:
                self.blocks[key] = old
                self.cost += COST_OF_BLOCK
        for item, value in later.items.items():
            self._keep_item(item, value)
        for place, size in later.sizes.items():
            if place not in self.sizes:
                self.sizes[place] = size
                self.cost += COST_OF_ITEM
