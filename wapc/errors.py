"""What can go wrong between a host and a waPC guest; every text that a caller or guest sees is written here.

Source: docs/wapc.md, section "Errors"
"""

from __future__ import annotations

from typing import ClassVar

from interp.errors import ExhaustionKind

NO_CALLBACK = "Missing host callback function!"
NO_GUEST_CALL = "Guest call function (__guest_call) not exported by wasm module."
FAILED_WITHOUT_ERROR = "No error message set for call failure"
SUCCEEDED_WITHOUT_RESPONSE = "No error message OR response set for call success"


def interrupted(what: ExhaustionKind) -> str:
    """How it is said that a limit ended the guest's code."""
    return f"interrupted, {'execution ' if what is ExhaustionKind.DEADLINE else ''}{what.value}"


class WapcError(Exception):
    """Base of all errors of this package. `text` says what happened; str() puts the kind in front of it."""

    prefix: ClassVar[str] = ""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"{self.prefix}{self.text}"


class InitFailed(WapcError):
    """A module cannot become a guest: it is no valid module, misses something, or a starter failed."""

    prefix = "Initialization failed: "


class NoSuchFunction(InitFailed):
    """The module lacks a function that a guest must export, or has it with another type."""


class ReplacementFailed(WapcError):
    """The new module cannot become a guest; the old one goes on serving."""

    prefix = "Module replacement failed: "


class GuestCallFailure(WapcError):
    """The guest answered with an error, trapped, or was stopped by a limit.

    `__cause__` is the Trap or Exhaustion if there was one. `host_exception` is what the host's callback raised last
    during this call, or None: a guest often fails because the host did.
    """

    prefix = "Guest call failure: "

    def __init__(self, text: str, host_exception: Exception | None = None) -> None:
        super().__init__(text)
        self.host_exception = host_exception


class HostCallFailure(WapcError):
    """The host asked something of a guest from inside a host call of that same guest."""

    prefix = "Error occurred during host call: "


class GuestBusy(WapcError):
    """The guest is running a call for another thread."""


class GuestClosed(WapcError):
    """The guest has been closed."""


class GuestAborted(WapcError):
    """The guest called `env.abort`; `text` is its message with the place in its source."""


class PayloadTooLarge(WapcError):
    """A message exceeds its limit: `what` it is, its `size` and the `limit`, in bytes."""

    def __init__(self, what: str, size: int, limit: int) -> None:
        super().__init__(f"{what} of {size} bytes is larger than the limit of {limit} bytes")
        self.what = what
        self.size = size
        self.limit = limit

    def __reduce__(self) -> tuple[type[PayloadTooLarge], tuple[str, int, int]]:
        return type(self), (self.what, self.size, self.limit)
