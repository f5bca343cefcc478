"""The extras provider: unique identifiers, random numbers, and a sequence of numbers for each actor."""

from __future__ import annotations

import secrets
import threading
import uuid
from itertools import count

from host.codec.extras import (
    CAPABILITY,
    OP_REQUEST_GUID,
    OP_REQUEST_RANDOM,
    OP_REQUEST_SEQUENCE,
    GeneratorRequest,
    GeneratorResult,
)
from host.providers.base import Provider, ProviderError


class ExtrasProvider(Provider):
    """Answers with what cannot be made inside a sandbox; `docs/providers/extras.md`."""

    capability = CAPABILITY
    name = "waSCC Extras (Internal)"
    revision = 2
    long_description = "Unique identifiers, random numbers and sequence numbers for actors."

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._sequences: dict[str, count[int]] = {}
        self.route(OP_REQUEST_GUID, GeneratorRequest, self._guid, "Makes a random UUID")
        self.route(OP_REQUEST_RANDOM, GeneratorRequest, self._random, "Draws a random number from min to max - 1")
        self.route(OP_REQUEST_SEQUENCE, GeneratorRequest, self._sequence, "Counts the actor's requests, from 0")

    def unbind(self, actor: str) -> None:
        """Forget the actor's sequence."""
        with self._lock:
            self._sequences.pop(actor, None)

    @staticmethod
    def _guid(actor: str, request: GeneratorRequest) -> GeneratorResult:
        return GeneratorResult(str(uuid.uuid4()), sequence_number=0, random_number=0)

    @staticmethod
    def _random(actor: str, request: GeneratorRequest) -> GeneratorResult:
        if request.min >= request.max:
            raise ProviderError(f"the random number's min, {request.min}, is not less than its max, {request.max}")
        number = request.min + secrets.randbelow(request.max - request.min)
        return GeneratorResult(sequence_number=0, random_number=number)

    def _sequence(self, actor: str, request: GeneratorRequest) -> GeneratorResult:
        with self._lock:
            number = next(self._sequences.setdefault(actor, count()))
        return GeneratorResult(sequence_number=number, random_number=0)
