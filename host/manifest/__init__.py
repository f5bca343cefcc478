"""Manifests: what a host is to run, as a file; applied to a host, and followed while it changes. `docs/manifest.md`.

`model` has the sections of a manifest and reads one; `text` reads YAML and JSON, `schema` describes the fields.
`application` applies a manifest to a host; `deployment` applies each new version of it, as the steps that `difference`
finds, and `watching` sees the versions come.
"""

from host.manifest.fields import FromEnvironment, FromFile
from host.manifest.model import (
    ActorEntry,
    BindingEntry,
    CapabilityEntry,
    LimitsEntry,
    Manifest,
    ManifestError,
    MiddlewareEntry,
)
from host.manifest.policy import PinEntry, PolicyEntry
from host.manifest.wasi import FolderEntry, WasiEntry

__all__ = [
    "ActorEntry",
    "BindingEntry",
    "CapabilityEntry",
    "FolderEntry",
    "FromEnvironment",
    "FromFile",
    "LimitsEntry",
    "Manifest",
    "ManifestError",
    "MiddlewareEntry",
    "PinEntry",
    "PolicyEntry",
    "WasiEntry",
]
