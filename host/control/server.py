"""The host's end of its control socket: it tells what the host does and what it logs, and changes log levels."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from host.actor import called
from host.codec.logging import CAPABILITY as LOGGING
from host.control.places import is_allowed, listening_socket, socket_name
from host.control.protocol import MAX_REQUEST_BYTES, REQUEST_SECONDS, Peer, ProtocolError
from host.control.status import About, status
from host.errors import HostError
from host.host import Host
from host.log_records import KEPT_LINES, Line, RecentLines, set_log_level
from host.logs import log, printable
from host.providers.logs import LEVEL, LEVEL_NAMES, LEVELS

MAX_CLIENTS = 16
"""How many may be connected at a time."""
_POLL_SECONDS = 0.5
_STOP_SECONDS = 2.0
_SILENCE = logging.CRITICAL + 1


class RequestRefused(Exception):
    """A request that cannot be carried out; the text is for who asked."""


class ControlServer:
    """Serves the control socket of a host from its making until `stop`. Raises OSError if there is no place for one."""

    def __init__(self, host: Host, about: About, recent: RecentLines) -> None:
        self._host = host
        self._about = about
        self._recent = recent
        self._stopping = threading.Event()
        self._clients = threading.BoundedSemaphore(MAX_CLIENTS)
        self._requests: Mapping[str, Callable[[Peer, Mapping[str, Any]], None]] = {
            "status": self._status,
            "logs": self._logs,
            "set_level": self._set_level,
        }
        self._listening, self.path = listening_socket(socket_name(os.getpid(), host.id))
        self._listening.settimeout(_POLL_SECONDS)
        self._thread = threading.Thread(target=self._accept, name="control socket", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Serve nobody any more."""
        self._stopping.set()
        self.path.unlink(missing_ok=True)
        self._thread.join(_STOP_SECONDS)
        self._listening.close()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listening.accept()
            except TimeoutError:
                continue
            except OSError as error:
                if not self._stopping.wait(_POLL_SECONDS):
                    log.warning("The control socket: %s", printable(str(error)))
                continue
            if not is_allowed(connection) or not self._clients.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(target=self._serve, args=(connection,), name="control client", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with Peer(connection, MAX_REQUEST_BYTES) as peer, suppress(OSError):
                self._answer(peer)
        finally:
            self._clients.release()

    def _answer(self, peer: Peer) -> None:
        try:
            try:
                request = peer.receive(REQUEST_SECONDS)
            except TimeoutError as error:
                raise RequestRefused(str(error)) from error
            if request is None:
                return
            wanted = request.get("request")
            carry_out = self._requests.get(wanted) if isinstance(wanted, str) else None
            if carry_out is None:
                raise RequestRefused(f"there is no such request; there are {', '.join(self._requests)}")
            carry_out(peer, request)
        except (ProtocolError, RequestRefused, HostError) as error:
            peer.send(error=printable(str(error)))

    def _status(self, peer: Peer, request: Mapping[str, Any]) -> None:
        peer.send(status=status(self._host, self._about))

    def _logs(self, peer: Peer, request: Mapping[str, Any]) -> None:
        lines = _number(request, "lines", KEPT_LINES)
        severity = _severity(request["level"]) if request.get("level") is not None else logging.NOTSET
        actor = self._actor(request)
        follow = request.get("follow", False) is True

        def wanted(line: Line) -> bool:
            known = logging.getLevelNamesMapping()
            return known.get(line.level, severity) >= severity and (actor is None or line.actor == actor)

        with self._recent.followed() as (kept, follower):
            chosen = [line for line in kept if wanted(line)]
            for line in chosen[len(chosen) - min(lines, len(chosen)) :]:
                peer.send(line=line.fields())
            peer.send(following=follow)
            while follow and not self._stopping.is_set() and not peer.has_gone():
                following = follower.next(_POLL_SECONDS)
                if following is not None and wanted(following):
                    peer.send(line=following.fields())
                if missed := follower.missed():
                    peer.send(missed=missed)

    def _set_level(self, peer: Peer, request: Mapping[str, Any]) -> None:
        level, actor = request.get("level"), self._actor(request)
        severity = _severity(level)
        if actor is None:
            set_log_level(severity)
            peer.send(done=f"the host logs from level {level} on")
            log.info("Log level set to %s", level)
            return
        bound = [each for each in self._host.bindings() if each.actor == actor and each.capability_id == LOGGING]
        if not bound:
            raise RequestRefused(f"{actor} is not bound to {LOGGING}, so it has no level of its own")
        for binding in bound:
            values = {**binding.values, LEVEL: str(level)}
            self._host.set_binding(actor, LOGGING, binding.binding_name, values)
        peer.send(done=f"{actor} logs from level {level} on")
        log.info("Log level of %s set to %s", actor, level, extra={"actor": actor})

    def _actor(self, request: Mapping[str, Any]) -> str | None:
        """The public key of the actor that a request names: by the key, by how it begins, or by the actor's name."""
        text = request.get("actor")
        if text is None:
            return None
        found = called(text, self._host.actors()) if isinstance(text, str) else []
        if len(found) == 1:
            return found[0]
        if found:
            raise RequestRefused(f"{len(found)} actors are called {text}")
        raise RequestRefused(f"no actor of this host is called {text}")


def _severity(level: object) -> int:
    """The level of Python's logging. Raises RequestRefused for what is none."""
    if not isinstance(level, str) or level not in LEVEL_NAMES:
        raise RequestRefused(f"level must be one of {', '.join(LEVEL_NAMES)}")
    severity = LEVELS[LEVEL_NAMES[level]]
    return _SILENCE if severity is None else severity


def _number(request: Mapping[str, Any], name: str, most: int) -> int:
    value = request.get(name, most)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise RequestRefused(f"{name} must be an integer from 0 to {most}")
    return value


def serve_control_socket(host: Host, manifest: Path | None, recent: RecentLines) -> ControlServer | None:
    """The control socket of a host that starts; None, with a warning in the log, where there can be none."""
    if not hasattr(socket, "AF_UNIX"):
        log.warning("This system has no Unix sockets: wascc ps and wascc logs do not find this host")
        return None
    try:
        return ControlServer(host, About.now(manifest), recent)
    except OSError as error:
        log.warning("No control socket, wascc ps and wascc logs do not find this host: %s", printable(str(error)))
        return None
