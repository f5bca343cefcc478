"""Generated code on disk, so that the next process need not validate and translate what this one did.

There is one file for each module, set of features, version of the engine, and version of Python; see `cache_file`. It
is replaced as a whole, with what other processes have put there in the meantime: after the first call into a store,
then at most once a second, and when Python ends. What fails here is never an error of the caller's.
"""

from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from secrets import token_bytes
from threading import Lock
from time import monotonic, time
from types import CodeType

from interp.compiled.cache_file import Contents, file_of, pack, unpack_code, unpack_details
from interp.compiled.cache_folder import (
    ACCESSIBLE,
    TOUCH_SECONDS,
    OpenFolder,
    UntrustedError,
    cache_folder,
    make_folder,
)
from interp.compiled.python_code import Options
from interp.compiled.units import Details, Unit
from interp.compiled.version import engine_version

log = logging.getLogger("wascc.cache")

KEY_FILE, SUFFIX = "key", ".code"
KEY = 32
"""Bytes of the key."""
MAX_BYTES = 256 * 1024 * 1024
MAX_FILES = 4096
"""Of all modules together."""
SHRINK_EVERY, LARGE = 64, 1024 * 1024
"""Whoever writes one of so many files, or a file of so many bytes, looks whether all together are too large."""
SECONDS = 1.0
"""Between two times that a process writes."""
SHARE = 20
"""No more than one part in so many of a process's time is spent on writing while it runs."""
MANY = 64
"""Modules that wait to be written are written even if nothing in them is called."""


class Cache:
    """The files of one user for one engine, whose modules may use `features`."""

    def __init__(self, folder: Path, version: bytes, features: frozenset[str]) -> None:
        self.folder = folder
        self.usable = True
        self._key: bytes | None = None
        self._prefix = b"\0".join([version, *(feature.encode() for feature in sorted(features))])
        try:
            with OpenFolder(folder) as opened:
                self._key = self._read_key(opened)
        except FileNotFoundError:
            pass  # what is not there is made when there is something to write
        except (OSError, UntrustedError) as error:
            self.give_up(error)

    @classmethod
    def open(cls, features: frozenset[str], environ: Mapping[str, str] = os.environ) -> Cache | None:
        """The cache of this user, if there can be one."""
        folder, version = cache_folder(environ), engine_version()
        if folder is None or version is None:
            log.debug("there is no cache: %s", "no home" if folder is None else "the engine's sources are not known")
            return None
        return cls(folder, version, features)

    def give_up(self, reason: Exception) -> None:
        """Do without the cache from now on."""
        self.usable = False
        log.debug("the cache in %s is not used: %s", self.folder, reason)

    def identity(self, digest: bytes) -> bytes:
        """What the file of a module belongs to, by the digest of its bytes: 32 bytes."""
        return blake2b(self._prefix + digest, digest_size=32).digest()

    def read(self, name: str, identity: bytes) -> Contents:
        """The contents of a file; none if it is missing, damaged, or not surely the user's."""
        if not self.usable:
            return Contents()
        try:
            with OpenFolder(self.folder) as folder:
                if self._key is None:
                    self._key = self._read_key(folder)
                return Contents() if self._key is None else self._read(folder, name, identity, self._key)
        except FileNotFoundError:
            pass  # there is no folder yet
        except (OSError, UntrustedError) as error:
            self.give_up(error)
        return Contents()

    def write(self, shelf: ModuleShelf) -> None:
        """Replace the file of a module by what it holds and what is new."""
        if not self.usable:
            return
        try:
            make_folder(self.folder)
            with OpenFolder(self.folder) as folder:
                self._key = self._read_key(folder)
                if self._key is None:
                    folder.create(KEY_FILE, token_bytes(KEY))
                    self._key = self._read_key(folder)
                if self._key is None:
                    raise UntrustedError("the key is gone")
                contents = self._read(folder, shelf.name, shelf.identity, self._key)
                parts = contents.parts()
                units = shelf.take()
                parts.update({name: pack(unit) for name, unit in list(units.items())})
                data = file_of(contents.valid or shelf.valid, parts, shelf.identity, self._key)
                folder.replace(shelf.name, data)
                if len(data) >= LARGE or shelf.identity[0] % SHRINK_EVERY == 0:
                    folder.shrink(SUFFIX, MAX_BYTES, MAX_FILES)
        except (OSError, UntrustedError) as error:
            self.give_up(error)
        else:
            log.debug("%s: code of %d functions added to %d", shelf.name, len(units), len(parts) - len(units))

    def _read_key(self, folder: OpenFolder) -> bytes | None:
        """The key; None if there is none."""
        try:
            key = folder.read(KEY_FILE, KEY, ACCESSIBLE).data
        except FileNotFoundError:
            return None
        if len(key) != KEY:
            raise UntrustedError("the key has another length")
        return key

    def _read(self, folder: OpenFolder, name: str, identity: bytes, key: bytes) -> Contents:
        """The contents of a file; none if it is missing, damaged or not written by this user."""
        try:
            found = folder.read(name, MAX_BYTES)
            contents = Contents.of(found.data, identity, key)
        except FileNotFoundError:
            return Contents()
        except UntrustedError as error:
            log.debug("%s in %s is not used: %s", name, self.folder, error)
            return Contents()
        if found.used < time() - TOUCH_SECONDS:
            folder.touch(name)
        return contents


class ModuleShelf:
    """What the cache has of the module whose bytes have this digest.  Implements `interp.compiled.units.Shelf`."""

    def __init__(self, cache: Cache, digest: bytes) -> None:
        self.cache = cache
        self.identity = cache.identity(digest)
        self.name = self.identity.hex() + SUFFIX
        self.hits = 0
        """Functions whose code was found."""
        self._contents = cache.read(self.name, self.identity)
        self._new: dict[tuple[int, str], Unit] = {}
        self._validated = False

    @property
    def valid(self) -> bool:
        """Whether the module is known to be valid."""
        return self._validated or self._contents.valid

    def validated(self) -> None:
        """The module was found to be valid as a whole."""
        self._validated = True
        self._wait()

    def load(self, funcidx: int, options: Options) -> tuple[CodeType, bool] | None:
        """The code of a function, and whether it ends in calls."""
        part = self._contents.part((funcidx, options.key), 0)
        if part is None:
            return None
        self.hits += 1
        return unpack_code(part)

    def details(self, funcidx: int, options: Options) -> Details | None:
        """What belongs to code that was found."""
        part = self._contents.part((funcidx, options.key), 1)
        return None if part is None else unpack_details(part)

    def save(self, funcidx: int, options: Options, unit: Unit) -> None:
        """Keep a unit: for now in memory."""
        self._new[funcidx, options.key] = unit
        self._wait()

    def take(self) -> dict[tuple[int, str], Unit]:
        """The units that are new, which are now no longer."""
        new, self._new = self._new, {}
        return new

    def _wait(self) -> None:
        """There is something to write."""
        if self.cache.usable:
            PENDING.shelves.add(self)
            if len(PENDING.shelves) >= MANY:
                PENDING.write_when_due()


class Pending:
    """Shelves with something that is not on disk yet. Several threads may use it."""

    def __init__(self) -> None:
        self.shelves: set[ModuleShelf] = set()
        self._due = 0.0
        self._lock = Lock()

    def write_when_due(self) -> None:
        """Write, if that was not done lately."""
        if monotonic() >= self._due:
            self.write()

    def write(self) -> None:
        """Write. Nothing is done while another thread does so."""
        if not self._lock.acquire(blocking=False):
            return
        begin = monotonic()
        try:
            while self.shelves:
                shelf = self.shelves.pop()
                shelf.cache.write(shelf)
        except Exception as error:  # the caller's stack or memory may be at its end, which is no error of the call
            log.debug("the cache could not be written: %r", error)
        finally:
            end = monotonic()
            self._due = end + max(SECONDS, (end - begin) * SHARE)
            self._lock.release()


PENDING = Pending()
"""Those of this process."""
atexit.register(PENDING.write)
