"""How registries are used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RegistryOptions:
    """`insecure`: speak to any registry without encryption; `allow_latest`: take what a tag `latest` names today;
    `seconds`: how long one pull or push may take in all."""

    insecure: bool = False
    allow_latest: bool = False
    seconds: float = 300.0


DEFAULT_OPTIONS = RegistryOptions()
