"""What goes wrong with a message."""

from __future__ import annotations


class CodecError(ValueError):
    """A message cannot be encoded or decoded; `field` is the path to the culprit on the wire, "" for the whole."""

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.reason = reason
        self.field = field

    def within(self, name: str) -> CodecError:
        """The same error, its field seen from one level further out."""
        return CodecError(self.reason, f"{name}.{self.field}" if self.field else name)
