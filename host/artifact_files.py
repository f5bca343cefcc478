"""Files that a manifest names: beside it, in the current folder, or in a registry, where a reference names them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from host.actor import Actor, read_file
from host.errors import InputOutputError
from host.logs import log
from host.registry.options import DEFAULT_OPTIONS, RegistryOptions
from host.registry.reference import names_registry

ARTIFACT_SUFFIXES = {".wasm", ".par", ".gz"}
"""What files of modules and of provider archives are called."""
FILE_SUFFIXES = ARTIFACT_SUFFIXES | {".py"}
"""What files are called that are never looked for in a registry."""


def existing_file(path: str, folder: Path | None) -> Path | None:
    """The file of this name, in `folder` or else in the current one; None if there is none."""
    return _existing(path, folder, Path.is_file)


def existing_folder(path: str, folder: Path | None) -> Path | None:
    """The folder of this name, in `folder` or else in the current one; None if there is none."""
    return _existing(path, folder, Path.is_dir)


def _existing(path: str, folder: Path | None, is_wanted: Callable[[Path], bool]) -> Path | None:
    for base in (folder, Path()):
        # A name with a NUL, or a very long one, is none of a file.
        with suppress(OSError, ValueError):
            if base is not None and is_wanted(base / path):
                return base / path
    return None


def is_reference(path: str) -> bool:
    """Whether this is to name something in a registry, if it is no file."""
    return Path(path).suffix.lower() not in FILE_SUFFIXES and names_registry(path)


def is_artifact(path: str) -> bool:
    """Whether this names a module or a provider archive, as a file or in a registry."""
    return Path(path).suffix.lower() in ARTIFACT_SUFFIXES or is_reference(path)


def pull(reference: str, options: RegistryOptions = DEFAULT_OPTIONS) -> bytes:
    """What a reference names in a registry, verified by its digests. Raises RegistryError."""
    # It takes a moment to load, and most hosts pull nothing.
    from host.registry.client import Registry  # noqa: PLC0415

    artifact = Registry(options).pull(reference)
    log.info("Pulled %s%s", artifact.reference, " (from the cache)" if artifact.cached else "")
    return artifact.data


def find_artifact(path: str, folder: Path | None, options: RegistryOptions = DEFAULT_OPTIONS) -> bytes:
    """The bytes of what a manifest in `folder` names by a file or a reference. Raises HostError."""
    file = existing_file(path, folder)
    if file is not None:
        return read_file(file)
    if is_reference(path):
        return pull(path, options)
    raise InputOutputError("no such file")


def load_actor(path: str, folder: Path | None, options: RegistryOptions = DEFAULT_OPTIONS) -> Actor:
    """The actor that a manifest in `folder` names. Raises HostError."""
    return Actor.from_bytes(find_artifact(path, folder, options))
