"""What was pulled before, on disk by its digest. Every read is verified, so nothing here needs to be trusted."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from host.registry.artifacts import digest_of
from interp.compiled.cache_folder import OpenFolder, UntrustedError, cache_folder, make_folder

log = logging.getLogger("wascc.registry")

FOLDER, SUFFIX = "registry", ".blob"
MAX_BYTES = 2 * 1024 * 1024 * 1024
MAX_FILES = 4096


class Blobs:
    """The files of one user, in the folder of caches of this program. What fails here is never an error."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    @classmethod
    def of(cls, environ: Mapping[str, str] = os.environ) -> Blobs:
        """Those of this user; none are kept where there is no home."""
        caches = cache_folder(environ)
        return cls(None if caches is None else caches / FOLDER)

    def get(self, digest: str, limit: int) -> bytes | None:
        """The bytes that have this digest, if they are there and are no more than `limit`."""
        if self._folder is None:
            return None
        name = _name(digest)
        try:
            with OpenFolder(self._folder) as folder:
                data = folder.read(name, limit).data
                if digest_of(data) != digest:
                    log.warning("A file in %s was not what it should be, and is fetched anew", self._folder)
                    folder.remove(name)
                    return None
                with suppress(OSError):
                    folder.touch(name)
                return data
        except FileNotFoundError:
            return None
        except (OSError, UntrustedError) as error:
            log.debug("nothing is read from %s: %s", self._folder, error)
            return None

    def put(self, data: bytes) -> None:
        """Keep bytes, and let those go that were not used for the longest time if there are too many."""
        if self._folder is None:
            return
        try:
            make_folder(self._folder)
            with OpenFolder(self._folder) as folder:
                folder.replace(_name(digest_of(data)), data)
                folder.shrink(SUFFIX, MAX_BYTES, MAX_FILES)
        except (OSError, UntrustedError) as error:
            log.debug("nothing is kept in %s: %s", self._folder, error)


def _name(digest: str) -> str:
    return digest.partition(":")[2] + SUFFIX
