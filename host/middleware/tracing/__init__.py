"""OpenTelemetry traces of requests and calls. `docs/middleware.md`, section "Tracing"."""

from host.errors import MiddlewareError
from host.optional import needs_extra

try:
    from host.middleware.tracing.middleware import TracingMiddleware
except ModuleNotFoundError as error:
    raise MiddlewareError(needs_extra("tracing", error)) from error

__all__ = ["TracingMiddleware"]
