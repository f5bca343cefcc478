"""The store on a Redis server: mostly its own commands, under the keys that actors name.

Scripts run where one command would not do: a sum that must stay an i32, and answers that must not be gathered before
it is known that they can be sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from host.providers.answers import MAX_VALUES, answer_limit, answer_too_large
from host.providers.keys import text_of
from host.providers.keyvalue.store import I32_MAX, I32_MIN, not_an_integer, out_of_range
from host.providers.redis_client import (
    Argument,
    RedisClient,
    RedisRefusal,
    RedisScript,
    connect,
    ignored,
    integer,
    text_or_nil,
    texts,
)
from host.providers.redis_settings import RedisSettings

T = TypeVar("T")

_ADD = RedisScript(f"""
local text = redis.pcall('GET', KEYS[1])
if type(text) == 'table' then return text end
local total = tonumber(ARGV[1])
if text then
  local digits = string.match(text, '^-?([1-9]%d*)$')
  if text ~= '0' and (not digits or #digits > 19) then return redis.error_reply('NOTINTEGER') end
  total = total + tonumber(text)
end
if total < {I32_MIN} or total > {I32_MAX} then return redis.error_reply('OUTOFRANGE') end
return redis.call('INCRBY', KEYS[1], ARGV[1])
""")
"""INCRBY leaves the key's expiry as it is. Doubles, which Lua counts with, are exact far beyond an i32."""

_GET = RedisScript("""
local size = redis.pcall('STRLEN', KEYS[1])
if type(size) == 'table' then return size end
if size > tonumber(ARGV[1]) then return redis.error_reply('TOOLARGE') end
return redis.call('GET', KEYS[1])
""")

# Each of the following asks for a few values at a time and adds up how long they are; limit is ARGV[1].
_GATHER = f"""
local limit, found, size = tonumber(ARGV[1]), {{}}, 0
local function take(value)
  size = size + #value + 1
  found[#found + 1] = value
  return size <= limit and #found <= {MAX_VALUES}
end
"""

_ITEMS = RedisScript(f"""{_GATHER}
local length = redis.pcall('LLEN', KEYS[1])
if type(length) == 'table' then return length end
local first, last = tonumber(ARGV[2]), tonumber(ARGV[3])
if first < 0 then first = math.max(first + length, 0) end
if last < 0 then last = last + length end
last = math.min(last, length - 1)
while first <= last do
  for _, item in ipairs(redis.call('LRANGE', KEYS[1], first, math.min(first + 63, last))) do
    if not take(item) then return redis.error_reply('TOOLARGE') end
  end
  first = first + 64
end
return found
""")

# SSCAN names no member twice here, as nothing changes while a script runs, but that is promised nowhere.
_SCAN = """
local seen = {}
local function scan(key, wanted)
  local cursor = '0'
  repeat
    local page = redis.pcall('SSCAN', key, cursor, 'COUNT', 64)
    if page.err then return page end
    cursor = page[1]
    for _, member in ipairs(page[2]) do
      if not seen[member] and wanted(member) then
        seen[member] = true
        if not take(member) then return redis.error_reply('TOOLARGE') end
      end
    end
  until cursor == '0'
end
"""

_UNION = RedisScript(f"""{_GATHER}{_SCAN}
for _, key in ipairs(KEYS) do
  local failed = scan(key, function(member) return true end)
  if failed then return failed end
end
return found
""")

_INTERSECTION = RedisScript(f"""{_GATHER}{_SCAN}
local smallest, least
for _, key in ipairs(KEYS) do
  local members = redis.pcall('SCARD', key)
  if type(members) == 'table' then return members end
  if not least or members < least then smallest, least = key, members end
end
local function in_all(member)
  for _, key in ipairs(KEYS) do
    if key ~= smallest and redis.call('SISMEMBER', key, member) == 0 then return false end
  end
  return true
end
return scan(smallest, in_all) or found
""")


def open_store(settings: RedisSettings) -> RedisStore:
    """The store on a server that has answered. Raises ProviderError."""
    return RedisStore(connect(settings))


class RedisStore:
    """A store for those who use the same server, database and prefix."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client

    def add(self, key: str, amount: int) -> int:
        return self._on("string", [key], lambda: self._client.write_script(integer, _ADD, [key], amount))

    def get(self, key: str) -> str | None:
        found = self._on("string", [key], lambda: self._client.read_script(text_or_nil, _GET, [key], answer_limit()))
        return None if found is None else text_of(found, key)

    def set(self, key: str, value: str, lifetime: int) -> None:
        expiry: tuple[Argument, ...] = ("EX", lifetime) if lifetime else ()
        self._client.write(ignored, "SET", self._client.key(key), value, *expiry)

    def remove(self, key: str) -> None:
        self._client.write(ignored, "DEL", self._client.key(key))

    def exists(self, key: str) -> bool:
        return self._client.read(integer, "EXISTS", self._client.key(key)) > 0

    def push(self, key: str, item: str) -> int:
        return self._change("list", "LPUSH", key, item)

    def items(self, key: str, start: int, stop: int) -> list[str]:
        def read() -> list[bytes]:
            return self._client.read_script(texts, _ITEMS, [key], answer_limit(), start, stop)

        return [text_of(item, key) for item in self._on("list", [key], read)]

    def remove_items(self, key: str, item: str) -> int:
        return self._change("list", "LREM", key, 0, item)

    def add_member(self, key: str, member: str) -> bool:
        return self._change("set", "SADD", key, member) > 0

    def remove_member(self, key: str, member: str) -> bool:
        return self._change("set", "SREM", key, member) > 0

    def union(self, keys: Sequence[str]) -> list[str]:
        return self._members(_UNION, keys)

    def intersection(self, keys: Sequence[str]) -> list[str]:
        return self._members(_INTERSECTION, keys)

    def close(self) -> None:
        self._client.close()

    def _change(self, wanted: str, command: str, key: str, *arguments: Argument) -> int:
        return self._on(wanted, [key], lambda: self._client.write(integer, command, self._client.key(key), *arguments))

    def _members(self, script: RedisScript, keys: Sequence[str]) -> list[str]:
        distinct = list(dict.fromkeys(keys))

        def read() -> list[bytes]:
            return self._client.read_script(texts, script, distinct, answer_limit())

        return [text_of(member, *distinct) for member in self._on("set", distinct, read)]

    def _on(self, wanted: str, keys: Sequence[str], run: Callable[[], T]) -> T:
        """Run something on keys that hold what is wanted, or nothing; the refusals in the words of all stores."""
        try:
            return run()
        except RedisRefusal as error:
            match error.code:
                case "NOTINTEGER":
                    raise not_an_integer(keys[0]) from error
                case "OUTOFRANGE":
                    raise out_of_range(keys[0]) from error
                case "TOOLARGE":
                    raise answer_too_large() from error
                case "WRONGTYPE":
                    raise self._client.wrong_kind(keys, wanted) or error from error
            raise
