"""Where control sockets are: a folder of the user, and a socket file for each host that runs."""

from __future__ import annotations

import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FOLDER_MODE, SOCKET_MODE = 0o700, 0o600
SUFFIX = ".sock"
CONNECT_SECONDS = 2.0
_BACKLOG = 16
_ID_CHARACTERS = 12
_CREDENTIALS = "iII"  # process, user, group: struct ucred


class NoPlaceError(OSError):
    """There is no folder for control sockets that belongs to this user alone."""


def folder() -> Path:
    """The folder: `wascc` in XDG_RUNTIME_DIR, or else `wascc/run` in XDG_STATE_HOME or `~/.local/state`.
    Raises NoPlaceError."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if Path(runtime).is_absolute() and _is_own(Path(runtime)):
        return Path(runtime, "wascc")
    state = os.environ.get("XDG_STATE_HOME", "")
    try:
        return (Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state") / "wascc" / "run"
    except RuntimeError as error:
        raise NoPlaceError("this user has no home directory; XDG_RUNTIME_DIR may name a folder instead") from error


def made_folder() -> Path:
    """The folder, made if it is missing, which nobody else may enter. Raises NoPlaceError, OSError."""
    path = folder()
    path.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
    with suppress(FileExistsError):
        path.mkdir(mode=FOLDER_MODE)
    if not _is_own(path):
        raise NoPlaceError(f"{path} is not a folder of this user")
    path.chmod(FOLDER_MODE)
    return path


def socket_name(process_id: int, host_id: str) -> str:
    """What the socket of a host is called."""
    return f"{process_id}-{host_id[:_ID_CHARACTERS]}"


def listening_socket(name: str) -> tuple[socket.socket, Path]:
    """A socket that listens under a name, and its file. Raises OSError."""
    path = made_folder()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Under its name only once it listens: who finds a socket that does not takes it for a dead one.
    early, final = path / f".{name}", path / f"{name}{SUFFIX}"
    try:
        with short_address(early) as address:
            early.unlink(missing_ok=True)
            listening.bind(address)
        early.chmod(SOCKET_MODE)
        listening.listen(_BACKLOG)
        early.rename(final)
    except BaseException:
        listening.close()
        early.unlink(missing_ok=True)
        raise
    return listening, final


def connections(name: str = "*") -> Iterator[socket.socket]:
    """A connection to every host of this user that runs, or to the one whose socket has this name. Socket files that
    nobody listens to are removed."""
    try:
        if not _is_own(folder()):
            return
        found = sorted(folder().glob(f"{name}{SUFFIX}"))
    except OSError:
        return
    for path in found:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(CONNECT_SECONDS)
        try:
            with short_address(path) as address:
                connection.connect(address)
        except ConnectionRefusedError:
            connection.close()
            with suppress(OSError):
                path.unlink()
        except OSError:
            connection.close()
        else:
            yield connection


def is_allowed(connection: socket.socket) -> bool:
    """Whether the one at the other end is this user, or root; where the system does not say, the folder has to do."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(_CREDENTIALS))
    _, user, _ = struct.unpack(_CREDENTIALS, credentials)
    return user in {os.geteuid(), 0}


def _is_own(path: Path) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


@contextmanager
def short_address(path: Path) -> Iterator[str]:
    """The address of a socket file. Addresses may have only some hundred bytes; a longer one goes by a descriptor."""
    if len(os.fsencode(path)) < 100:
        yield str(path)
        return
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)
