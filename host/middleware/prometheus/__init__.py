"""Prometheus metrics of calls: on an endpoint, and pushed to a gateway. `docs/middleware.md`, section "Prometheus"."""

from host.errors import MiddlewareError
from host.optional import needs_extra

try:
    from host.middleware.prometheus.middleware import PrometheusMiddleware
except ModuleNotFoundError as error:
    if error.name != "prometheus_client":
        raise
    raise MiddlewareError(needs_extra("prometheus", "metrics")) from error

__all__ = ["PrometheusMiddleware"]
