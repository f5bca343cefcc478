"""The other end of the control sockets: finds the hosts that run, and asks them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any

from host.control.places import connections, socket_name
from host.control.protocol import MAX_REPLY_BYTES, REQUEST_SECONDS, Peer, ProtocolError
from host.errors import MiscHostError

_STATUS: dict[str, type | UnionType] = {
    **{"host": str, "pid": int, "version": str, "manifest": str | None, "started": str, "uptime_seconds": float | int},
    **{"actors": list, "capabilities": list, "bindings": list},
}


class ControlError(MiscHostError):
    """No host runs, several do where one is meant, or a host refuses what it is asked."""

    prefix = ""


def running_hosts() -> list[dict[str, Any]]:
    """What each host of this user says of itself (`host.control.status`), in the order in which they were started."""
    found = []
    for connection in connections():
        with Peer(connection, MAX_REPLY_BYTES) as peer:
            try:
                peer.send(request="status")
                reply = peer.receive(REQUEST_SECONDS)
            except (OSError, ProtocolError):
                # It is ending, or does not answer: not one that can be asked.
                continue
            if reply is not None and _is_status(reply.get("status")):
                found.append(reply["status"])
    return sorted(found, key=lambda status: (status["started"], status["pid"]))


def _is_status(value: object) -> bool:
    """Whether this is what a host says of itself, as far as it is needed to choose one and to show it."""
    return isinstance(value, dict) and all(isinstance(value.get(name), kind) for name, kind in _STATUS.items())


def ask(wanted: str | None, **request: Any) -> Iterator[dict[str, Any]]:
    """The replies of one host to a request, the only one that runs or the one that `wanted` names.

    `wanted` is how its id begins, its process id, or its manifest. Raises ControlError, OSError.
    """
    chosen = chosen_host(running_hosts(), wanted)
    for connection in connections(socket_name(chosen["pid"], chosen["host"])):
        with Peer(connection, MAX_REPLY_BYTES) as peer:
            peer.send(**request)
            while (reply := _received(peer)) is not None:
                if "error" in reply:
                    raise ControlError(str(reply["error"]))
                yield reply
            return
    raise ControlError("the host has just ended")


def chosen_host(hosts: list[dict[str, Any]], wanted: str | None) -> dict[str, Any]:
    """The host that is meant. Raises ControlError."""
    if not hosts:
        raise ControlError("no host is running")
    if wanted is None:
        matching = hosts
    else:
        manifest = str(Path(wanted).absolute())
        matching = [
            each
            for each in hosts
            if each["host"].startswith(wanted) or str(each["pid"]) == wanted or each["manifest"] == manifest
        ]
    if not matching:
        raise ControlError(f"no running host is called {wanted}")
    if len(matching) > 1:
        ids = ", ".join(f"{each['host'][:12]} ({each['manifest']})" for each in matching)
        raise ControlError(f"{len(matching)} hosts are running, choose one with --host: {ids}")
    return matching[0]


def _received(peer: Peer) -> dict[str, Any] | None:
    try:
        return peer.receive(None)
    except ProtocolError as error:
        raise ControlError(f"the host's answer: {error}") from error
