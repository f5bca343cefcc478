"""Uploads under way, kept in a folder so that they outlast the host.

An upload is two files. The *part* has the bytes where they belong in the blob. The *map* says what the upload is and
which chunks have arrived: a head, one byte for each chunk (1 where it is there), and one digest for each chunk. All
truth is in these files; who works on an upload holds the lock of its part, so that threads, providers and hosts may
meet on one upload. Uploads begin and end under the lock of the folder, which may be taken while a part's is held, and
not the other way round.

A chunk is written, then its digest, then its mark. So after the end of the process every marked chunk is whole. After a
loss of power it need not be: then, which the head's mark of the running system tells, chunks are compared with their
digests before they are believed.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import blake2b, sha256
from pathlib import Path
from uuid import uuid4

from host.providers.base import ProviderError
from host.providers.blobstore.folder import Folder, read_all, reporting, write_all
from host.providers.blobstore.storage import Layout, Part, Usage, shown

_HEAD = struct.Struct("<8s36sI")
_MAGIC = b"waSCCup1"
_DIGEST_BYTES = 16
_MAX_PLAN_BYTES = 2**20
_MAP, _PART, _NEW = b".map", b".part", b".new"
_PART_NAME = re.compile(r"[0-9a-f]{32}", re.ASCII)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PROCESS_ID = str(uuid4()).encode()
"""Stands for the running system where that has no id: then chunks are checked once in each process."""


class NoUploadError(ProviderError):
    """There is no such upload, or no more."""


@dataclass(frozen=True, slots=True)
class Key:
    """Whose upload of which blob; `scope` tells storages apart that keep their uploads in one folder."""

    actor: str
    scope: str
    container: str
    blob_id: str

    @property
    def map_name(self) -> bytes:
        """The file name of the upload's map."""
        parts = [self.actor, self.scope, self.container, self.blob_id]
        return sha256(json.dumps(parts).encode()).hexdigest().encode() + _MAP


@dataclass(frozen=True, slots=True)
class Plan:
    """What a map says of its upload. `expires`: seconds without a chunk after which it is abandoned."""

    actor: str
    total_bytes: int
    chunk_size: int
    context: str | None
    expires: int
    part: str

    @property
    def layout(self) -> Layout:
        return Layout(self.total_bytes, self.chunk_size)

    @property
    def part_name(self) -> bytes:
        return self.part.encode() + _PART

    def is_of(self, layout: Layout, context: str | None) -> bool:
        """Whether the upload is of that content, as far as its actor says."""
        return self.layout == layout and self.context == context


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """What an actor may have under way. `max_bytes` is for all blobs of the storage and all uploads in the folder,
    `max_entries` for these and the containers."""

    max_uploads: int
    max_bytes: int
    max_entries: int
    expires: int

    def check(self, usage: Callable[[bool], Usage], more: Usage) -> None:
        """Raises ProviderError if with so many more there would be too many; `usage(fresh)` tells what there is."""
        try:
            usage(False).plus(*more).check(self.max_entries, self.max_bytes)
        except ProviderError:
            usage(True).plus(*more).check(self.max_entries, self.max_bytes)


class Upload:
    """An upload whose lock is held. Methods raise OSError."""

    def __init__(self, plan: Plan, map_descriptor: int, marks_offset: int, part: Part) -> None:
        self.plan = plan
        self.part = part
        self._map = map_descriptor
        self._marks_offset = marks_offset
        self._chunks = plan.layout.chunks

    def is_there(self, sequence_no: int) -> bool:
        return read_all(self._map, 1, self._marks_offset + sequence_no) == b"\1"

    def put(self, sequence_no: int, data: bytes) -> None:
        """Take in a chunk; one that came before with the same bytes changes nothing, one with others is replaced."""
        digest = _digest(data)
        if self.is_there(sequence_no):
            if digest == self._digest_of(sequence_no):
                os.utime(self._map)
                return
            self._mark(sequence_no, b"\0")
        write_all(self.part.descriptor, data, self.plan.layout.offset(sequence_no))
        write_all(self._map, digest, self._digest_offset(sequence_no))
        self._mark(sequence_no, b"\1")

    def missing(self, at_most: int) -> tuple[int, ...]:
        """The first chunks that are not there."""
        marks = read_all(self._map, self._chunks, self._marks_offset)
        found: list[int] = []
        place = marks.find(0)
        while place >= 0 and len(found) < at_most:
            found.append(place)
            place = marks.find(0, place + 1)
        return tuple(found)

    def check_chunks(self) -> None:
        """Forget the chunks that are not what has arrived."""
        for sequence_no in range(self._chunks):
            if self.is_there(sequence_no):
                layout = self.plan.layout
                data = read_all(self.part.descriptor, layout.length(sequence_no), layout.offset(sequence_no))
                if _digest(data) != self._digest_of(sequence_no):
                    self._mark(sequence_no, b"\0")
        os.fsync(self.part.descriptor)
        write_all(self._map, _HEAD.pack(_MAGIC, _running_system(), self._marks_offset - _HEAD.size), 0)

    def is_linked(self) -> bool:
        """Whether the upload has neither ended nor been given up meanwhile."""
        return self.is_mapped() and os.fstat(self.part.descriptor).st_nlink > 0

    def is_mapped(self) -> bool:
        """Whether the map is still the one that others find."""
        return os.fstat(self._map).st_nlink > 0

    def _mark(self, sequence_no: int, mark: bytes) -> None:
        write_all(self._map, mark, self._marks_offset + sequence_no)

    def _digest_offset(self, sequence_no: int) -> int:
        return self._marks_offset + self._chunks + sequence_no * _DIGEST_BYTES

    def _digest_of(self, sequence_no: int) -> bytes:
        return read_all(self._map, _DIGEST_BYTES, self._digest_offset(sequence_no))


class Uploads:
    """The uploads in one folder, which is all theirs. Thread-safe; methods raise ProviderError."""

    def __init__(self, folder: Folder, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock

    def start(
        self, key: Key, layout: Layout, context: str | None, limits: UploadLimits, usage: Callable[[bool], Usage]
    ) -> None:
        """Begin an upload, or go on with the actor's upload of the same sizes and context; one of others is given up.

        `usage(fresh)` tells what the storage holds already.
        """
        with reporting("the upload cannot begin"), self._folder.exclusively():
            plans = self._swept()
            found = plans.pop(key.map_name, None)
            if found is not None and found.is_of(layout, context):
                return
            if sum(plan.actor == key.actor for plan in plans.values()) >= limits.max_uploads:
                raise ProviderError(f"{limits.max_uploads} uploads are under way already")
            under_way = sum(plan.total_bytes for plan in plans.values())
            limits.check(usage, Usage(len(plans) + 1, under_way + layout.total_bytes))
            self._create(key, layout, context, limits.expires)
            if found is not None:
                self._folder.unlink(found.part_name)

    def write(self, key: Key, layout: Layout, context: str | None, sequence_no: int, data: bytes) -> bool:
        """Take in a chunk; whether all are there now. Raises NoUploadError too."""
        with reporting("the chunk cannot be kept"), self._opened(key) as upload:
            plan = upload.plan
            if plan.layout != layout or context not in (None, plan.context):
                raise ProviderError(
                    f"the chunk belongs to another upload of {shown(key.container, key.blob_id)} than the one under "
                    f"way, which is of {plan.total_bytes} bytes in chunks of {plan.chunk_size}"
                )
            upload.put(sequence_no, data)
            if not upload.is_linked():
                raise _no_upload(key)
            return not upload.missing(1)

    def finish(self, key: Key, store: Callable[[Part], None]) -> None:
        """If nothing is missing, hand the part over and forget the upload. If `store` raises, the upload stays.

        Raises NoUploadError too.
        """
        with reporting("the upload cannot be finished"), self._opened(key) as upload:
            if upload.missing(1):
                return
            if not upload.is_linked():
                raise _no_upload(key)
            store(upload.part)
            with self._folder.exclusively():
                if upload.is_mapped():
                    self._folder.unlink(key.map_name)

    def info(self, key: Key, at_most: int) -> tuple[Plan, tuple[int, ...]]:
        """The plan, and the first chunks that are missing. Raises NoUploadError too."""
        with reporting("the upload cannot be read"), self._opened(key) as upload:
            return upload.plan, upload.missing(at_most)

    def discard(self, key: Key) -> None:
        """Give an upload up, if there is one."""
        with reporting("the upload cannot be given up"), self._folder.exclusively():
            plan = self._plan_in(key.map_name)
            if plan is not None:
                self._folder.unlink(key.map_name)
                self._folder.unlink(plan.part_name)

    def _create(self, key: Key, layout: Layout, context: str | None, expires: int) -> None:
        plan = Plan(key.actor, layout.total_bytes, layout.chunk_size, context, expires, uuid4().hex)
        text = json.dumps(asdict(plan)).encode()
        size = _HEAD.size + len(text) + layout.chunks * (1 + _DIGEST_BYTES)
        new_name = plan.part.encode() + _NEW
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        try:
            with self._folder.opened(plan.part_name, flags) as part:
                os.ftruncate(part, layout.total_bytes)
            with self._folder.opened(new_name, flags) as new_map:
                write_all(new_map, _HEAD.pack(_MAGIC, _running_system(), len(text)) + text, 0)
                os.ftruncate(new_map, size)
            self._folder.move(new_name, self._folder, key.map_name)
        except BaseException:
            self._folder.unlink(new_name)
            self._folder.unlink(plan.part_name)
            raise

    def _swept(self) -> dict[bytes, Plan]:
        """The plans of all uploads, after what is abandoned, damaged or belongs to none has been removed."""
        plans: dict[bytes, Plan] = {}
        files = dict(self._folder.files())
        for name, status in files.items():
            plan = self._plan_in(name) if name.endswith(_MAP) else None
            # Without its part an upload has just been finished, or was when its host ended.
            if plan and plan.part_name in files and status.st_mtime + plan.expires > self._clock():
                plans[name] = plan
        known = {plan.part_name for plan in plans.values()} | plans.keys()
        for name in files.keys() - known:
            self._folder.unlink(name)
        return plans

    def _plan_in(self, map_name: bytes) -> Plan | None:
        try:
            with self._folder.opened(map_name) as descriptor:
                return _read_head(descriptor)[0]
        except (FileNotFoundError, _DamagedError):
            return None

    @contextmanager
    def _opened(self, key: Key) -> Iterator[Upload]:
        """The upload under its lock."""
        try:
            map_descriptor = self._folder.open(key.map_name, os.O_RDWR)
        except FileNotFoundError:
            raise _no_upload(key) from None
        try:
            plan, marks_offset, is_trusted = _read_head(map_descriptor)
            with self._folder.opened(plan.part_name, os.O_RDWR) as descriptor:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                upload = Upload(
                    plan, map_descriptor, marks_offset, Part(self._folder, plan.part_name, descriptor, plan.total_bytes)
                )
                if not upload.is_linked() or os.fstat(descriptor).st_size != plan.total_bytes:
                    raise _no_upload(key)
                if not is_trusted:
                    upload.check_chunks()
                yield upload
        except (FileNotFoundError, _DamagedError):
            raise _no_upload(key) from None
        finally:
            os.close(map_descriptor)


class _DamagedError(Exception):
    """A map cannot be read."""


def _read_head(descriptor: int) -> tuple[Plan, int, bool]:
    """The plan in a map, where the marks begin, and whether the system has not stopped since they were made."""
    try:
        magic, system, length = _HEAD.unpack(read_all(descriptor, _HEAD.size, 0))
        if magic != _MAGIC or length > _MAX_PLAN_BYTES:
            raise _DamagedError
        plan = Plan(**json.loads(read_all(descriptor, length, _HEAD.size)))
        if not _PART_NAME.fullmatch(plan.part):
            raise _DamagedError
    except (struct.error, ValueError, TypeError) as error:
        raise _DamagedError from error
    if os.fstat(descriptor).st_size != _HEAD.size + length + plan.layout.chunks * (1 + _DIGEST_BYTES):
        raise _DamagedError
    return plan, _HEAD.size + length, system == _running_system()


@cache
def _running_system() -> bytes:
    """36 bytes that change whenever the system starts."""
    try:
        return _BOOT_ID.read_bytes().strip()[:36].ljust(36)
    except OSError:
        return _PROCESS_ID


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=_DIGEST_BYTES).digest()


def _no_upload(key: Key) -> NoUploadError:
    return NoUploadError(f"no upload of {shown(key.container, key.blob_id)} is under way")
