"""Following a manifest and the modules that it names: what changes in the files is applied to the running host.

The files' content counts, not their times. A change is looked at once the files have been still for a while, so that
nobody's half-written file is taken for a new version.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

from host.errors import HostError, MiscHostError
from host.files import open_regular_file
from host.logs import log, printable
from host.manifest.deployment import Deployment
from host.manifest.model import Manifest
from host.optional import needs_extra
from host.providers.base import ProviderError

try:
    from watchfiles import watch
except ImportError as error:
    raise MiscHostError(needs_extra("watch", error)) from error

STILL_SECONDS = 0.25
"""How long the files must not change before they are looked at."""
GRACE_SECONDS = 1.0
"""How long a version that cannot be taken may be one that is still being written."""
POLL_MILLISECONDS = 1000
"""How often the files are looked at where the system tells of no change."""

RACY_SECONDS = 2.0
"""A file changed so recently may change again without its time telling."""


class Watcher:
    """Keeps a deployment at what its manifest's file says. `read` reads the manifest."""

    def __init__(self, deployment: Deployment, path: Path, read: Callable[[], Manifest], first: Manifest) -> None:
        self._deployment = deployment
        self._path = path
        self._read = read
        self._manifest = first
        self._digests: dict[Path, tuple[tuple[int, ...], bytes]] = {}
        self._seen: bytes | None = None

    def run(self, stop: Event) -> None:
        """Watch until `stop` is set."""
        log.info("Watching %s and the modules that it names", printable(str(self._path)))
        while not stop.is_set():
            folders = self._folders()
            for _ in watch(
                *folders,
                watch_filter=None,
                stop_event=stop,
                rust_timeout=POLL_MILLISECONDS,
                yield_on_timeout=True,
                raise_interrupt=False,
                recursive=False,
                ignore_permission_denied=True,
            ):
                self.look(stop)
                if self._folders() != folders:
                    break

    def look(self, stop: Event) -> None:
        """Apply what has changed, if anything has, once the files are still."""
        if self._content() == self._seen:
            return
        content = self._still(stop)
        problem = self._take()
        if problem and not stop.wait(GRACE_SECONDS) and self._content() != content:
            # It was still being written; the next look finds it whole.
            return
        if problem:
            log.error("%s: refused, what ran before runs on: %s", printable(str(self._path)), problem)
        self._seen = content

    def _take(self) -> str | None:
        """Apply the files as they are now; what was wrong with them, None if nothing was."""
        try:
            # Remembered first: where it names a file that is not there, that is waited for.
            self._manifest = self._read()
            if self._deployment.update(self._manifest):
                log.info("%s: changes applied", printable(str(self._path)))
        except (HostError, ProviderError) as error:
            return printable("; ".join(str(error).splitlines()))
        except Exception as error:
            # The text of what nobody expects may hold anything.
            return type(error).__name__
        return None

    def _still(self, stop: Event) -> bytes:
        while True:
            before = self._content()
            if stop.wait(STILL_SECONDS) or self._content() == before:
                return before

    def _files(self) -> Iterator[Path]:
        yield self._path
        for entry in self._manifest.actors:
            for base in (self._path.parent, Path()):
                yield base / entry.path

    def _folders(self) -> list[Path]:
        """The folders of the files, and of those that links among them lead to."""
        found = {each.parent for file in self._files() for each in (file.absolute(), file.resolve())}
        return sorted(folder for folder in found if folder.is_dir())

    def _content(self) -> bytes:
        """A digest of what the files hold now."""
        whole = hashlib.sha256()
        for file in self._files():
            whole.update(self._digest(file))
        return whole.digest()

    def _digest(self, file: Path) -> bytes:
        try:
            status = file.stat()
            stamp = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            known = self._digests.get(file)
            if known is not None and known[0] == stamp and time.time() - status.st_ctime > RACY_SECONDS:
                return known[1]
            with open_regular_file(file) as opened:
                digest = hashlib.file_digest(opened, "sha256").digest()
        except (OSError, ValueError):
            return b"-"
        self._digests[file] = stamp, digest
        return digest
