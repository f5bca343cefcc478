"""Messaging: subjects that actors publish to, request from and subscribe to."""

from host.providers.messaging.memory import MemoryMessagingProvider
from host.providers.messaging.nats import NatsMessagingProvider

__all__ = ["MemoryMessagingProvider", "NatsMessagingProvider"]
