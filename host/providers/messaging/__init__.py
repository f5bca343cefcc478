"""Messaging: subjects that actors publish to, request from and subscribe to."""

from host.providers.messaging.provider import MemoryMessagingProvider

__all__ = ["MemoryMessagingProvider"]
