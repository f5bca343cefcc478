"""The extras: identifiers, random numbers, sequences."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from provider_support import bind

from host.codec import decode, encode
from host.codec.core import CapabilityConfiguration
from host.codec.extras import GeneratorRequest, GeneratorResult
from host.providers.base import ProviderError
from host.providers.extras import ExtrasProvider


@pytest.fixture
def provider() -> ExtrasProvider:
    provider = ExtrasProvider()
    for actor in ("MA", "MB"):
        bind(provider, actor)
    return provider


def ask(provider: ExtrasProvider, operation: str, low: int = 0, high: int = 0, actor: str = "MA") -> GeneratorResult:
    request = GeneratorRequest(guid=False, sequence=False, random=False, min=low, max=high)
    return decode(GeneratorResult, provider.handle_call(actor, operation, encode(request)))


def test_guid(provider: ExtrasProvider) -> None:
    results = [ask(provider, "RequestGuid") for _ in range(50)]
    texts = [result.guid for result in results if result.guid is not None]
    assert len(set(texts)) == 50
    assert all(text == str(uuid.UUID(text)) and uuid.UUID(text).version == 4 for text in texts)
    assert all((result.sequence_number, result.random_number) == (0, 0) for result in results)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 3), (7, 9), (2**32 - 2, 2**32 - 1), (0, 2**32 - 1)])
def test_random_is_at_least_min_and_less_than_max(provider: ExtrasProvider, low: int, high: int) -> None:
    numbers = {ask(provider, "RequestRandom", low, high).random_number for _ in range(200)}
    assert low <= min(numbers) <= max(numbers) < high
    if high - low < 4:
        assert numbers == set(range(low, high))
    assert ask(provider, "RequestRandom", low, high).guid is None


@pytest.mark.parametrize(("low", "high"), [(0, 0), (5, 5), (6, 5), (2**32 - 1, 0)])
def test_random_of_an_empty_range(provider: ExtrasProvider, low: int, high: int) -> None:
    with pytest.raises(ProviderError, match=f"min, {low}, is not less than its max, {high}"):
        ask(provider, "RequestRandom", low, high)


def test_each_actor_has_a_sequence_from_0(provider: ExtrasProvider) -> None:
    assert [ask(provider, "RequestSequence").sequence_number for _ in range(3)] == [0, 1, 2]
    assert ask(provider, "RequestSequence", actor="MB").sequence_number == 0
    bind(provider, "MA")
    assert ask(provider, "RequestSequence").sequence_number == 3
    provider.handle_call("system", "RemoveActor", encode(CapabilityConfiguration("MA")))
    bind(provider, "MA")
    assert ask(provider, "RequestSequence").sequence_number == 0
    assert ask(provider, "RequestSequence", actor="MB").sequence_number == 1


def test_sequence_under_threads(provider: ExtrasProvider) -> None:
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda _: ask(provider, "RequestSequence").sequence_number, range(800)))
    assert sorted(numbers) == list(range(800))
