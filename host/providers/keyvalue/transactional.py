"""A store over a storage with transactions, such as SQLite or memory: what each operation does is what Redis does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from host.providers.keys import wrong_kind
from host.providers.keyvalue.storage import Kind, Storage, Transaction
from host.providers.keyvalue.store import I32_MAX, I32_MIN, bounded, not_an_integer, out_of_range

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}", re.ASCII)


class TransactionalStore:
    """Each operation is one transaction of the storage."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def add(self, key: str, amount: int) -> int:
        with self._storage.writing() as transaction:
            found = _has(transaction, key, Kind.STRING)
            total = (_number(key, transaction.string(key)) if found else 0) + amount
            if not I32_MIN <= total <= I32_MAX:
                raise out_of_range(key)
            if found:
                transaction.replace_string(key, str(total))
            else:
                transaction.set_string(key, str(total), 0)
            return total

    def get(self, key: str) -> str | None:
        with self._storage.reading() as transaction:
            return transaction.string(key) if _has(transaction, key, Kind.STRING) else None

    def set(self, key: str, value: str, lifetime: int) -> None:
        with self._storage.writing() as transaction:
            transaction.set_string(key, value, lifetime)

    def remove(self, key: str) -> None:
        with self._storage.writing() as transaction:
            transaction.remove(key)

    def exists(self, key: str) -> bool:
        with self._storage.reading() as transaction:
            return transaction.kind(key) is not None

    def push(self, key: str, item: str) -> int:
        with self._storage.writing() as transaction:
            _has(transaction, key, Kind.LIST)
            return transaction.push(key, item)

    def items(self, key: str, start: int, stop: int) -> Sequence[str]:
        with self._storage.reading() as transaction:
            if not _has(transaction, key, Kind.LIST):
                return ()
            length = transaction.size(key)
            first = max(start + length if start < 0 else start, 0)
            last = min(stop + length if stop < 0 else stop, length - 1)
            return bounded(transaction.items(key, first, last - first + 1)) if first <= last else ()

    def remove_items(self, key: str, item: str) -> int:
        with self._storage.writing() as transaction:
            if not _has(transaction, key, Kind.LIST):
                return 0
            removed = transaction.remove_items(key, item)
            _remove_if_empty(transaction, key)
            return removed

    def add_member(self, key: str, member: str) -> bool:
        with self._storage.writing() as transaction:
            _has(transaction, key, Kind.SET)
            return transaction.add_member(key, member)

    def remove_member(self, key: str, member: str) -> bool:
        with self._storage.writing() as transaction:
            if not _has(transaction, key, Kind.SET):
                return False
            removed = transaction.remove_member(key, member)
            _remove_if_empty(transaction, key)
            return removed

    def union(self, keys: Sequence[str]) -> Sequence[str]:
        with self._storage.reading() as transaction:
            return bounded(_distinct_members(transaction, keys))

    def intersection(self, keys: Sequence[str]) -> Iterable[str]:
        with self._storage.reading() as transaction:
            members = _set_under(transaction, keys[0])
            for key in dict.fromkeys(keys[1:]):
                members &= _set_under(transaction, key)
            return members

    def close(self) -> None:
        self._storage.close()


def _has(transaction: Transaction, key: str, kind: Kind) -> bool:
    """Whether the key is there; if so, it must hold what the operation is for."""
    found = transaction.kind(key)
    if found is not None and found is not kind:
        raise wrong_kind(key, found.noun, kind.noun)
    return found is not None


def _number(key: str, text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise not_an_integer(key)
    return int(text)


def _remove_if_empty(transaction: Transaction, key: str) -> None:
    if not transaction.size(key):
        transaction.remove(key)


def _set_under(transaction: Transaction, key: str) -> set[str]:
    return set(bounded(transaction.members(key))) if _has(transaction, key, Kind.SET) else set()


def _distinct_members(transaction: Transaction, keys: Sequence[str]) -> Iterator[str]:
    seen: set[str] = set()
    for key in dict.fromkeys(keys):
        if _has(transaction, key, Kind.SET):
            for member in transaction.members(key):
                if member not in seen:
                    seen.add(member)
                    yield member
