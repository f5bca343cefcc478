"""Places: parts of the state of a store that can be overwritten, named so that whoever watches a store can keep what
stands there before it is gone.

Spec: exec/runtime#store
"""

from __future__ import annotations

from typing import Any, Protocol

Place = tuple[Any, str, int | None, int | None]
"""A part of the state, as (owner, attribute, start, stop): elements `start` to `stop` of the sequence `attribute` of
the instance `owner`; the whole attribute where `start` is None; where only `stop` is None, what is appended behind the
end, which `start` is then."""


def read_place(place: Place, limit: int | None = None) -> Any:
    """What stands at a place now: bytes, a tuple, or one value; of a sequence `limit` elements at most."""
    owner, attribute, start, stop = place
    found = getattr(owner, attribute)
    if type(found) is list and start is not None and stop == start + 1:
        return (found[start],)
    if start is None:
        return found if limit is None or not isinstance(found, tuple | bytes) else found[:limit]
    if stop is None:
        stop = len(found)
    part = found[start : stop if limit is None else min(stop, start + limit)]
    return bytes(part) if isinstance(part, bytearray) else tuple(part)


class Watcher(Protocol):
    """Who watches a store is told of each place before it is overwritten, whether by code or by the host."""

    def before(self, place: Place) -> None:
        """The place is about to be overwritten."""
