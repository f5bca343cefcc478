"""Middleware: what runs around each call of an actor or a provider. `docs/middleware.md`."""

from host.middleware.base import Middleware, Next
from host.middleware.chain import MiddlewareChain

__all__ = ["Middleware", "MiddlewareChain", "Next"]
