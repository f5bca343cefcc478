"""The HTTP server: one for each bound actor, which answers every request."""

from host.providers.http_server.provider import HttpServerProvider

__all__ = ["HttpServerProvider"]
