"""The subjects by name: how each is started, what it needs, and whether that is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.report import Skipped
from interp.engine import ENGINES, EngineUnavailable, load_engine

BY_HAND = "by hand"
"""The kernels as a person writes them in Python."""

CACHE_OFF: Mapping[str, str | None] = {"WASCC_CACHE": "off", "PWASM_CACHE_DIR": ""}
"""The environment in which no subject keeps what it has translated from one process to the next."""

CACHES: Mapping[str, Callable[[str], Mapping[str, str | None]]] = {
    "compiled": lambda folder: {"WASCC_CACHE": "on", "WASCC_CACHE_DIR": folder},
    "pwasm": lambda folder: {"PWASM_CACHE_DIR": folder},
}
"""The subjects that can keep it in a folder, and the environment in which they do."""

LAZY: Mapping[str, Mapping[str, str | None]] = {"compiled": {"WASCC_LAZY_VALIDATION": "on"}}
"""The subjects that can put off validating a function to its first call, and the environment in which they do."""


@dataclass(frozen=True, slots=True)
class Subject:
    """How a subject's process is started: the factory of it (`module:name`) with its keyword arguments, the modules
    that are imported for it, and what is added to the environment. One that is `required` must be able to do all that
    is asked of it: where it is not, there is nothing to report but that."""

    name: str
    factory: str
    required: bool = False
    modules: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str | None] = field(default_factory=lambda: CACHE_OFF)

    @property
    def family(self) -> str:
        """The name without what makes it a variant."""
        return family(self.name)

    def variant(self, name: str, **options: Any) -> Subject:
        """The same under another name and with more options."""
        return replace(self, name=name, options={**self.options, **options})

    def cached(self, folder: str) -> Subject | None:
        """The same with a cache in an existing folder; None if it has none."""
        cache = CACHES.get(self.name)
        return None if cache is None else self._in(cached_name(self.name), cache(folder))

    def lazy(self) -> Subject | None:
        """The same when it validates functions at their first call; None if it cannot."""
        environment = LAZY.get(self.name)
        return None if environment is None else self._in(lazy_name(self.name), environment)

    def _in(self, name: str, environment: Mapping[str, str | None]) -> Subject:
        return replace(self, name=name, environment={**self.environment, **environment})


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody else's implementation: its distribution, the one version that is measured so that reports can be
    compared (empty for any), and how it is started. `pyproject.toml` pins the same versions."""

    distribution: str
    version: str
    subject: Subject

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.distribution} {self.version}".strip()

    @property
    def install(self) -> str:
        """The command that installs it."""
        return f"pip install {self.distribution}{f'=={self.version}' if self.version else ''}"

    def check(self) -> None:
        """Raises PeerMissingError if it cannot be measured."""
        try:
            found = version(self.distribution)
            present = find_spec(self.subject.modules[0].partition(".")[0]) is not None
        except (PackageNotFoundError, ModuleNotFoundError):
            present = False
        if not present:
            raise PeerMissingError(f"it is not installed: {self.install}")
        if self.version and found != self.version:
            raise PeerMissingError(f"{found} is installed instead: {self.install}")


def family(name: str) -> str:
    """The name of a subject without what makes it a variant: `pwasm` for `pwasm, cached`."""
    return name.partition(",")[0]


def cached_name(name: str) -> str:
    """`pwasm, cached`."""
    return f"{name}, cached"


def lazy_name(name: str) -> str:
    """`compiled, lazy validation`."""
    return f"{name}, lazy validation"


class PeerMissingError(BenchmarkError):
    """A peer is not installed, or is another version; the message says how to install it."""


def _peer(distribution: str, number: str, factory: str, module: str) -> Peer:
    subject = Subject(distribution, f"benchmarks.subjects.peers:{factory}", False, (module,))
    return Peer(distribution, number, subject)


PEERS: Mapping[str, Peer] = {
    peer.distribution: peer
    for peer in (
        _peer("pwasm", "0.2a0", "Pwasm", "pwasm"),
        _peer("ppci", "", "Ppci", "ppci.wasm"),
        _peer("pywasm", "2.2.3", "Pywasm", "pywasm.core"),
        _peer("pywasm3", "0.5.0", "Wasm3", "wasm3"),
    )
}
"""By the name of the distribution."""

HAND_WRITTEN = Subject(BY_HAND, "benchmarks.subjects.by_hand:ByHand", modules=("benchmarks.kernels",))


def engine_subject(name: str) -> Subject:
    """One of our engines."""
    modules = ("interp.engine", f"interp.engines.{name}")
    return Subject(name, "benchmarks.subjects.engines:OurEngine", True, modules, {"engine": name})


def find_engines(names: Iterable[str]) -> tuple[tuple[Subject, ...], tuple[Skipped, ...]]:
    """Those of our engines that are there, and those that are not with the reason."""
    found: list[Subject] = []
    skipped: list[Skipped] = []
    for name in dict.fromkeys(names):
        try:
            load_engine(name)
        except EngineUnavailable as error:
            skipped.append(Skipped(f"engine {name}", str(error)))
        else:
            found.append(engine_subject(name))
    return tuple(found), tuple(skipped)


def find_peers(names: Iterable[str]) -> tuple[tuple[Subject, ...], tuple[Skipped, ...]]:
    """Those peers that are there, and those that are not with the reason."""
    found: list[Subject] = []
    skipped: list[Skipped] = []
    for name in dict.fromkeys(names):
        peer = PEERS[name]
        try:
            peer.check()
        except PeerMissingError as error:
            skipped.append(Skipped(peer.title, str(error)))
        else:
            found.append(peer.subject)
    return tuple(found), tuple(skipped)


ENGINE_NAMES = tuple(ENGINES)
PEER_NAMES = tuple(PEERS)
