"""Telnet: lines of text between an actor and those who connect to it."""

from host.providers.telnet.provider import TelnetProvider

__all__ = ["TelnetProvider"]
