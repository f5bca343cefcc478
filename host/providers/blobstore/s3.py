"""Blobs as objects in S3-compatible storage, through boto3: each container is a bucket, each id a key."""

from __future__ import annotations

import os
import re
import shutil
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from tempfile import mkdtemp
from typing import Any

from boto3.s3.transfer import TransferConfig
from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import create_loader
from botocore.parsers import ResponseParserError
from botocore.session import Session as BotocoreSession

from host.logs import printable
from host.providers.base import ProviderError
from host.providers.blobstore.files import uploads_folder
from host.providers.blobstore.folder import Folder, existing_folder, reporting
from host.providers.blobstore.s3_settings import (
    ACCESS_KEY,
    DEFAULT_REGION,
    SECRET_KEY,
    TOKEN,
    TOKEN_VALID_FOR,
    UPLOADS,
    S3Settings,
)
from host.providers.blobstore.storage import ChangedError, NoContainerError, Part, Usage, not_empty, shown

MAX_KEY_BYTES = 1024
READ_AHEAD_BYTES = 2**22
PART_BYTES = 2**23
MAX_PARTS = 10_000
"""Of one upload in parts, which S3 limits so."""

_LOADER = create_loader()
"""Reading the description of S3 takes most of the time that a client takes to make; with one loader it is read once."""
_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]", re.ASCII)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


class S3Storage:
    """The storage that a binding says. Buckets are called as containers are, behind the prefix.

    `clock` tells seconds. Raises ProviderError.
    """

    def __init__(self, settings: S3Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = _client(settings)
        self._prefix = settings.bucket_prefix
        self._clock = clock
        self._expires_at = None if settings.token_valid_for is None else clock() + settings.token_valid_for
        self.scope = f"{settings.endpoint or ''} {settings.bucket_prefix}"
        uploads = settings.uploads
        if uploads is None:
            uploads = mkdtemp(prefix="wascc-uploads-")
            weakref.finalize(self, shutil.rmtree, uploads, ignore_errors=True)
        title = f"{UPLOADS} '{printable(uploads)}'"
        self.uploads_folder: Folder = uploads_folder(existing_folder(UPLOADS, uploads), title)

    def create_container(self, container: str) -> None:
        bucket = self._bucket(container)
        region = self._client.meta.region_name
        where = {} if region == DEFAULT_REGION else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        with self._asking(f"the container '{printable(container)}' cannot be made", BucketAlreadyOwnedByYou=None):
            self._client.create_bucket(Bucket=bucket, **where)

    def remove_container(self, container: str) -> None:
        bucket = self._bucket(container)
        what = f"the container '{printable(container)}' cannot be removed"
        errors = {"NoSuchBucket": NoContainerError(container), "BucketNotEmpty": not_empty(container)}
        with self._asking(what, **errors):
            self._client.delete_bucket(Bucket=bucket)

    def has_container(self, container: str) -> bool:
        bucket = self._bucket(container)
        what = f"the container '{printable(container)}' cannot be asked for"
        with self._asking(what, **dict.fromkeys(("404", "NoSuchBucket"))):
            self._client.head_bucket(Bucket=bucket)
            return True
        return False

    def check_id(self, blob_id: str) -> None:
        _check_key(blob_id)

    def usage(self, fresh: bool) -> Usage:
        return Usage()

    def blobs(self, container: str) -> Iterator[tuple[str, int]]:
        bucket = self._bucket(container)
        what = f"the container '{printable(container)}' cannot be read"
        with self._asking(what, NoSuchBucket=NoContainerError(container)):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                for entry in page.get("Contents", ()):
                    yield entry["Key"], entry["Size"]

    def size(self, container: str, blob_id: str) -> int | None:
        found = self.open(container, blob_id)
        return None if found is None else found.size

    def open(self, container: str, blob_id: str) -> S3Reader | None:
        _check_key(blob_id)
        bucket = self._bucket(container)
        what = f"{shown(container, blob_id)} cannot be read"
        with self._asking(what, **dict.fromkeys(("404", "NoSuchKey", "NoSuchBucket"))):
            found = self._client.head_object(Bucket=bucket, Key=blob_id)
            size, tag = found["ContentLength"], found["ETag"]
            if size < 0:
                raise ValueError("a negative size")
            return S3Reader(self, bucket, blob_id, size, tag, what)
        return None

    def remove(self, container: str, blob_id: str) -> None:
        _check_key(blob_id)
        bucket = self._bucket(container)
        what = f"{shown(container, blob_id)} cannot be removed"
        with self._asking(what, NoSuchBucket=None, NoSuchKey=None):
            self._client.delete_object(Bucket=bucket, Key=blob_id)

    def store(self, container: str, blob_id: str, part: Part) -> None:
        bucket = self._bucket(container)
        part_bytes = max(PART_BYTES, -(-part.total_bytes // MAX_PARTS))
        config = TransferConfig(multipart_threshold=part_bytes, multipart_chunksize=part_bytes, use_threads=False)
        what = f"{shown(container, blob_id)} cannot be stored"
        with (
            self._asking(what, NoSuchBucket=NoContainerError(container)),
            part.folder.opened(part.name) as descriptor,
            os.fdopen(descriptor, "rb", closefd=False) as file,
        ):
            self._client.upload_fileobj(file, bucket, blob_id, Config=config)
        part.folder.unlink(part.name)

    def fetch(self, bucket: str, key: str, tag: str, offset: int, length: int, what: str) -> bytes:
        """Bytes of an object that has not changed since it had this tag; `what` begins the error."""
        changed = ChangedError(f"{what}: it has changed meanwhile")
        with self._asking(what, PreconditionFailed=changed, NoSuchKey=changed, NoSuchBucket=changed):
            wanted = f"bytes={offset}-{offset + length - 1}"
            found = self._client.get_object(Bucket=bucket, Key=key, Range=wanted, IfMatch=tag)
            with closing(found["Body"]) as body:
                if offset and not found["ContentRange"].startswith(f"bytes {offset}-"):
                    raise ValueError("another range")
                # No more than was asked for: the storage may send the whole object, or anything.
                data: bytes = body.read(length)
        return data

    def _bucket(self, container: str) -> str:
        bucket = self._prefix + container
        if not container or not _BUCKET.fullmatch(bucket):
            raise ProviderError(
                f"'{printable(container)}' cannot be a container: '{printable(bucket)}' is no bucket name"
            )
        if self._expires_at is not None and self._clock() >= self._expires_at:
            raise ProviderError(f"{TOKEN} is over: {TOKEN_VALID_FOR} has passed since it was bound")
        return bucket

    @contextmanager
    def _asking(self, what: str, **expected: ProviderError | None) -> Iterator[None]:
        """Turns errors of S3 into ProviderErrors. `expected` has those of codes, where None is no error.

        Neither texts of S3 nor of boto3 are passed on, as there may be something of the credentials in them.
        """
        try:
            with reporting(what):
                yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code not in expected:
                raise ProviderError(f"{what}: S3 says {printable(code[:100])}") from None
            if (known := expected[code]) is not None:
                raise known from None
        except (BotoCoreError, ResponseParserError) as error:
            raise ProviderError(f"{what}: {type(error).__name__}") from None
        except (ValueError, TypeError, LookupError, RecursionError):
            raise ProviderError(f"{what}: the storage answers as S3 does not") from None


class S3Reader:
    """An object as it was when it was opened; once it is changed, reading fails."""

    def __init__(self, storage: S3Storage, bucket: str, key: str, size: int, tag: str, what: str) -> None:
        self.size = size
        self._ask = (bucket, key, tag)
        self._storage = storage
        self._what = what
        self._ahead = b""
        self._ahead_at = 0

    def read(self, offset: int, length: int) -> bytes:
        if not length:
            return b""
        start = offset - self._ahead_at
        if not 0 <= start <= len(self._ahead) - length:
            wanted = min(max(length, READ_AHEAD_BYTES), self.size - offset)
            self._ahead = self._storage.fetch(*self._ask, offset, wanted, self._what)
            self._ahead_at, start = offset, 0
        data = self._ahead[start : start + length]
        if len(data) != length:
            raise ProviderError(f"{self._what}: it has become shorter")
        return data

    def close(self) -> None:
        self._ahead = b""


def _client(settings: S3Settings) -> Any:
    config = Config(
        connect_timeout=settings.timeout,
        read_timeout=settings.timeout,
        retries={"mode": "standard", "total_max_attempts": 3},
        s3={"addressing_style": "path"} if settings.endpoint else {},
        # Other storages than Amazon's do not know the newer checksums.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    try:
        botocore_session = BotocoreSession()
        botocore_session.register_component("data_loader", _LOADER)
        session = Session(region_name=settings.region, botocore_session=botocore_session, **settings.credentials)
        if session.get_credentials() is None:
            raise ProviderError(f"no credentials: neither {ACCESS_KEY} and {SECRET_KEY} nor any in the environment")
        return session.client("s3", endpoint_url=settings.endpoint, config=config)
    except (BotoCoreError, ValueError) as error:
        raise ProviderError(f"no S3 client can be made: {type(error).__name__}") from None


def _check_key(blob_id: str) -> None:
    if not blob_id:
        raise ProviderError("an id must not be empty")
    if len(blob_id.encode()) > MAX_KEY_BYTES:
        raise ProviderError(f"the id '{printable(blob_id[:40])}…' has more than {MAX_KEY_BYTES} bytes")
    # What is on the way to the storage could understand such names as paths, and lists cannot hold control characters.
    if _CONTROLS.search(blob_id) or not {".", ".."}.isdisjoint(blob_id.split("/")):
        raise ProviderError(f"the id '{printable(blob_id[:40])}' has a control character or a part '.' or '..'")
