"""The capability ids that everyone knows, and the names that people read instead."""

from __future__ import annotations

CAPABILITY_NAMES = {
    "wascc:messaging": "Messaging",
    "wascc:keyvalue": "K/V Store",
    "wascc:http_server": "HTTP Server",
    "wascc:http_client": "HTTP Client",
    "wascc:blobstore": "Blob Store",
    "wascc:eventstreams": "Event Streams",
    "wascc:extras": "Extras",
    "wascc:logging": "Logging",
}
"""Display name of each well-known capability id."""


def capability_name(capability_id: str) -> str:
    """The display name of a capability; an unknown id is its own name.  Protocol: docs/wascap.md#capability-ids"""
    return CAPABILITY_NAMES.get(capability_id, capability_id)
