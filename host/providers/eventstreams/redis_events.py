"""Event streams on a Redis server: its own streams, under the names that actors give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import chain
from typing import TypeVar

from host.providers.answers import MAX_VALUES, answer_limit, answer_too_large
from host.providers.eventstreams.store import EVENT_BYTES, MAX_MILLISECONDS, Span, StoredEvent
from host.providers.keys import text_of
from host.providers.redis_client import Argument, RedisClient, RedisRefusal, RedisScript, connect, event, items_of, text
from host.providers.redis_settings import RedisSettings

T = TypeVar("T")

# A few events at a time, as each may be large. The next ones begin with the last one, which servers before 6.2 cannot
# leave out.
_QUERY = RedisScript(f"""
local limit, each, count = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local first, last, skip = ARGV[4], ARGV[5], 0
local found, size, number = {{}}, 0, 0
while true do
  local page = redis.pcall('XRANGE', KEYS[1], first, last, 'COUNT', 17)
  if page.err then return page end
  for index = 1 + skip, #page do
    size = size + each + #page[index][1]
    for _, text in ipairs(page[index][2]) do size = size + #text + 1 end
    number = number + 1 + #page[index][2] / 2
    if size > limit or number > {MAX_VALUES} then return redis.error_reply('TOOLARGE') end
    found[#found + 1] = page[index]
    if #found == count then return found end
  end
  if #page < 17 then return found end
  first, skip = page[#page][1], 1
end
""")


def open_store(settings: RedisSettings) -> RedisEvents:
    """The streams on a server that has answered. Raises ProviderError."""
    return RedisEvents(connect(settings))


class RedisEvents:
    """The streams of those who use the same server, database and prefix."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client

    def write(self, stream: str, values: Mapping[str, str], keep: int) -> str:
        limit: tuple[Argument, ...] = ("MAXLEN", keep) if keep else ()
        command = ("XADD", self._client.key(stream), *limit, "*", *chain.from_iterable(values.items()))
        return self._on(stream, lambda: text_of(self._client.write(text, *command), stream))

    def query(self, stream: str, span: Span) -> list[StoredEvent]:
        last = "+" if span.last >= MAX_MILLISECONDS else span.last
        arguments = (answer_limit(), EVENT_BYTES + len(stream), span.count, span.first, last)

        def read() -> list[tuple[bytes, list[bytes]]]:
            return self._client.read_script(partial(items_of, event), _QUERY, [stream], *arguments)

        return [_event(stream, event_id, texts) for event_id, texts in self._on(stream, read)]

    def close(self) -> None:
        self._client.close()

    def _on(self, stream: str, run: Callable[[], T]) -> T:
        try:
            return run()
        except RedisRefusal as error:
            match error.code:
                case "TOOLARGE":
                    raise answer_too_large() from error
                case "WRONGTYPE":
                    raise self._client.wrong_kind([stream], "stream") or error from error
            raise


def _event(stream: str, event_id: bytes, texts: list[bytes]) -> StoredEvent:
    decoded = [text_of(each, stream) for each in texts]
    return StoredEvent(event_id.decode(), dict(zip(decoded[::2], decoded[1::2], strict=True)))
