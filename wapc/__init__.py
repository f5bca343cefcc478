"""waPC: procedure calls between a host and a WebAssembly guest, on any engine.

    with WapcHost("wasmtime", wasm, host_call) as guest:
        response = guest.call("hello", b"payload")

The protocol is in `wapc.protocol`, without engine or input and output; `docs/wapc.md` describes it.
"""

from wapc.console import ConsoleLog, visible
from wapc.errors import (
    GuestAborted,
    GuestBusy,
    GuestCallFailure,
    GuestClosed,
    HostCallFailure,
    InitFailed,
    NoSuchFunction,
    PayloadTooLarge,
    ReplacementFailed,
    WapcError,
)
from wapc.guest import DEFAULT_LIMITS
from wapc.host import WapcHost
from wapc.protocol import CallState, HostCall, MessageLimits

__all__ = [
    "DEFAULT_LIMITS",
    "CallState",
    "ConsoleLog",
    "GuestAborted",
    "GuestBusy",
    "GuestCallFailure",
    "GuestClosed",
    "HostCall",
    "HostCallFailure",
    "InitFailed",
    "MessageLimits",
    "NoSuchFunction",
    "PayloadTooLarge",
    "ReplacementFailed",
    "WapcError",
    "WapcHost",
    "visible",
]
