"""The command `wascc`: the layers' own sub-commands under one roof, and those of the host."""

import sys

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""


def main() -> None:
    """The console script."""
    try:
        from host.cli.main import main as start

        start()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
