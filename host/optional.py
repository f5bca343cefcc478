"""What an installation may lack: the packages of an extra, named by the command that installs them."""

from __future__ import annotations


def needs_extra(what: str, extra: str) -> str:
    """The text of the error where `what` needs the packages of an extra that is not installed."""
    return f"{what} needs an extra: pip install 'wascc[{extra}]'"
