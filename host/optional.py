"""What an installation may lack: the libraries of an extra, named with the command that installs them."""

from __future__ import annotations

from host.logs import printable


def needs_extra(extra: str, error: ImportError) -> str:
    """The text of the error where the libraries of an extra are missing."""
    return f"this needs an extra: pip install 'wascc[{extra}]' ({printable(str(error))})"
