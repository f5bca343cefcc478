"""Prometheus metrics of calls: on an endpoint, and pushed to a gateway. `docs/middleware.md`, section "Prometheus"."""

from host.errors import MiddlewareError
from host.optional import needs_extra

try:
    from host.middleware.prometheus.middleware import PrometheusMiddleware
except ModuleNotFoundError as error:
    raise MiddlewareError(needs_extra("metrics", error)) from error

__all__ = ["PrometheusMiddleware"]
