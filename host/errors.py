"""What can go wrong in the host: one class per kind, each with the prefix that it shows its message with.

`message` is the bare text, `str(error)` the text with the prefix. The kinds and the way texts are wrapped on their way
from a provider or an actor back to the caller are listed in `docs/host.md`, section "Errors".
"""

from __future__ import annotations

from typing import ClassVar


class HostError(Exception):
    """Base of every error that the host raises; `message` is the text without the prefix of the kind, `fix` the command
    or the change that would help, where one is known."""

    prefix: ClassVar[str] = ""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.prefix}{self.message}"


class WapcFailure(HostError):
    """An actor's module could not be started as a waPC guest."""

    prefix = "waPC failure: "


class HostCallFailure(HostError):
    """A provider failed while it handled an operation."""

    prefix = "Error occurred during host call: "


class WascapFailure(HostError):
    """The token embedded in a module is unreadable, or was made for other bytes."""

    prefix = "Embedded JWT failure: "


class AuthorizationFailure(HostError):
    """A token, the core rule or the authorizer does not allow it."""

    prefix = "WebAssembly module authorization failure: "


class RevisionRefused(AuthorizationFailure):
    """A live update would put an older revision in the place of a newer one."""


class PolicyFailure(AuthorizationFailure):
    """A rule of a trust policy does not allow it; the text begins with its name."""


class InputOutputError(HostError):
    """A file could not be read."""

    prefix = "I/O error: "


class CapabilityProviderError(HostError):
    """A provider could not be loaded, described or configured."""

    prefix = "Capability provider error: "


class PluginError(HostError):
    """No provider or middleware of that name or path could be found, or the code there is none."""

    prefix = "Plugin error: "


class RegistryError(HostError):
    """Something could not be pulled from an OCI registry, or pushed to one, or is not what it should be."""


class MiddlewareError(HostError):
    """A middleware failed, so that the call it guards was refused."""

    prefix = "Middleware error: "


class SerializationFailure(HostError):
    """Bytes that should hold a message of the protocol do not."""

    prefix = "Serialization failure: "


class ManifestValueError(HostError):
    """What a value in a manifest refers to is not there or cannot be taken."""


class MiscHostError(HostError):
    """Everything without a kind of its own; the classes below say more to a program."""

    prefix = "waSCC Host Error: "


class NoSuchActor(MiscHostError):
    """No actor of that public key runs in this host."""


class DuplicateActor(MiscHostError):
    """An actor of that public key already runs in this host."""


class NoSubscribers(MiscHostError):
    """Nobody serves the subject: the actor is not there, or the actor has no binding to the provider."""


class CallRefused(MiscHostError):
    """The call cannot be made now: it would wait for ever, waited too long, or is one too many."""


class ActorBusy(CallRefused):
    """The actor has too much to do: too many calls wait for it, or this one has waited too long. A later one may
    succeed."""


class HostShutDown(MiscHostError):
    """The host is shutting down, or has; it takes no new work."""


class AntiforgeryFailure(MiscHostError):
    """An invocation's signed token does not vouch for the invocation."""


class InvocationFailure(MiscHostError):
    """The target of an invocation answered with an error; `answer` is the target's text.

    Shown as docs/host.md, section "Errors", says: the kind's prefix, `Invocation failure: `, and the answer.
    """

    def __init__(self, answer: str) -> None:
        super().__init__(f"Invocation failure: {answer}")
        self.answer = answer


def was_refused(error: BaseException) -> bool:
    """Whether the call did not begin, as the actor is too busy; not if the actor failed for such a reason itself."""
    return isinstance(error, CallRefused) or (
        isinstance(error, InvocationFailure) and isinstance(error.__cause__, CallRefused)
    )
