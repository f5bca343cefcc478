"""What the tests of all providers share: binding an actor as the host does, and the line of a refusal."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from host.codec import encode
from host.codec.core import CapabilityConfiguration
from host.providers.base import CapabilityProvider, ProviderError


def bind(provider: CapabilityProvider, actor: str = "MA", /, **values: str) -> None:
    """Bind an actor with these values."""
    assert provider.handle_call("system", "BindActor", encode(CapabilityConfiguration(actor, values))) == b""


def remove(provider: CapabilityProvider, actor: str = "MA", /) -> None:
    """Undo the binding of an actor."""
    assert provider.handle_call("system", "RemoveActor", encode(CapabilityConfiguration(actor))) == b""


def refused(action: Callable[[], object], *secrets: str) -> str:
    """The text that an operation is refused with: one line, in which no secret stands, nor in what caused it."""
    with pytest.raises(ProviderError) as caught:
        action()
    text = str(caught.value)
    assert text.isprintable()
    for secret in secrets:
        assert secret not in f"{text} {caught.value.__cause__!r}"
    return text
