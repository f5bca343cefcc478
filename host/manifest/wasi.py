"""The section `wasi` of a manifest's capability: what a portable provider gets of the system that it runs on."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from host.artifact_files import existing_folder
from host.errors import ManifestValueError
from host.logs import printable
from host.manifest.fields import Entry, Truth, Values, resolved
from interp.wasi import Preopen, WasiParams


class FolderEntry(Entry):
    """A folder of the host that the module sees."""

    path: str = Field(
        min_length=1, description="The folder, looked for beside the manifest, then in the current folder."
    )
    writable: Truth = Field(default=False, description="Whether the module may change what is in it.")


class WasiEntry(Entry):
    """What a WebAssembly module gets of the system. What is not here, it does not get."""

    folders: dict[str, FolderEntry] = Field(default_factory=dict, description="Folders, by the name the module sees.")
    env: Values = Field(
        default_factory=dict, repr=False, description="Environment of the module: texts, and references to secrets."
    )
    args: list[str] = Field(default_factory=list, repr=False, description="Arguments; the first is a program's name.")

    def params(self, folder: Path | None) -> WasiParams:
        """The same for the guest; folders are looked for in `folder` first. Raises ManifestValueError."""
        preopens = {
            name: Preopen(_existing(entry.path, folder), read_only=not entry.writable)
            for name, entry in self.folders.items()
        }
        try:
            return WasiParams(self.args, resolved(self.env, folder), preopens)
        except ValueError as error:
            raise ManifestValueError(f"wasi: {error}") from error


def _existing(path: str, folder: Path | None) -> Path:
    found = existing_folder(path, folder)
    if found is None:
        raise ManifestValueError(f"wasi: no such folder: {printable(path)}")
    return found
