"""The command `wascc`: the layers' own sub-commands under one roof, and those of the host."""

from host.cli.main import main

__all__ = ["main"]
