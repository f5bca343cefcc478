"""Where a provider listens: the values HOST and PORT of a binding, and the socket that they ask for."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from host.logs import printable
from host.providers.base import ProviderError, reason
from host.providers.values import IntegerValue, TextValue

# Only this machine unless told otherwise: whoever opens an actor to a network should have meant to.
HOST = TextValue("HOST", "127.0.0.1")
BACKLOG = 1024


def port_value(default: int) -> IntegerValue:
    """The value PORT of a provider; 0 lets the system choose."""
    return IntegerValue("PORT", default, 0, 65535)


def address_value(values: Mapping[str, str], port: IntegerValue) -> tuple[str, int]:
    """Host and port that these configuration values say. Raises ProviderError."""
    host = HOST.of(values)
    if not host:
        raise ProviderError(f"{HOST} must not be empty; 0.0.0.0 listens on all interfaces")
    return host, port.of(values)


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises ProviderError: the port is taken, the host is none of this machine's…"""
    shown = f"{printable(host)}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except (OSError, ValueError) as error:
        raise ProviderError(f"cannot listen on {shown}: {reason(error)}") from error
    try:
        if os.name == "posix":
            # Without it a port is not free for some time after its server stopped.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise ProviderError(f"cannot listen on {shown}: {reason(error)}") from error
    return listening
