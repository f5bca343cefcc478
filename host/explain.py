"""What a host would do with a manifest or a call, check by check, and why.

Nothing is judged here: the verdicts are those of the host's own checks, which it raises from. What only running shows
(a module that does not start, values that a provider refuses) is not known without `tried`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from host.actor import MODULE_FILE, Actor
from host.artifact_files import existing_file, is_artifact, load_actor
from host.authorization import AllowAll, Authorizer, judge_call, judge_loading
from host.bindings import Binding, check_binding_name, judge_new_binding
from host.bus import no_subscribers
from host.codec.extras import CAPABILITY as EXTRAS
from host.entities import DEFAULT_BINDING, ActorEntity, target_entity
from host.errors import CapabilityProviderError, HostError
from host.host import Host
from host.instances import no_such_actor
from host.loaded_providers import ProviderKey, cannot_be_loaded_twice, check_for_actors, describe
from host.logs import printable
from host.manifest import ActorEntry, BindingEntry, CapabilityEntry, Manifest, MiddlewareEntry
from host.manifest.application import made_middleware, provider_of
from host.manifest.fields import resolved
from host.plugins import ProviderSource
from host.policy import Policies, Policy
from host.providers.base import CapabilityProvider
from host.providers.portable import provided_capability
from host.redaction import secrets
from host.registry.options import DEFAULT_OPTIONS, RegistryOptions
from host.running_actors import already_running, check_for_others
from host.subjects import actor_subject, bound_subject, provider_subject
from host.turns import waits_for_itself
from host.verdicts import Verdict, attempted, require

_EXTRAS_KEY: ProviderKey = (EXTRAS, DEFAULT_BINDING)


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict about one entry of a manifest, or about a call. `text` and `fix` are "" if it is allowed."""

    entry: str
    rule: str
    allowed: bool
    text: str = ""
    fix: str = ""


@dataclass(slots=True)
class Explanation:
    """Everything that was found, in the order in which a host asks."""

    findings: list[Finding] = field(default_factory=list)

    @property
    def allowed(self) -> bool:
        """Whether nothing is refused."""
        return self.refusal is None

    @property
    def refusal(self) -> Finding | None:
        """The first refusal, which is what a host would raise; None if nothing is refused."""
        return next((finding for finding in self.findings if not finding.allowed), None)


class Explainer:
    """Explains a manifest for a host with this authorizer, these policies and this source of providers."""

    def __init__(
        self,
        manifest: Manifest,
        *,
        source: ProviderSource | None = None,
        authorizer: Authorizer | None = None,
        policies: Iterable[Policy] = (),
        registry: RegistryOptions = DEFAULT_OPTIONS,
    ) -> None:
        self._manifest = manifest
        self._source = source
        self._registry = registry
        self._authorizer = AllowAll() if authorizer is None else authorizer
        self._policies = Policies(policies)
        self._actors: dict[str, tuple[Actor, ActorEntry]] = {}
        self._refused: dict[str, str] = {}
        # Loaded by every host, and bound to every actor that claims it.
        self._providers: set[ProviderKey] = {_EXTRAS_KEY}
        self._bindings: set[tuple[str, ProviderKey]] = set()
        self.explanation = Explanation()
        self._explain()

    def tried(self, host: Host) -> None:
        """Apply the manifest to a host if nothing speaks against it, and add what comes of it to the explanation."""
        if self.explanation.allowed:
            self._note("the manifest", [attempted("start", lambda: host.apply_manifest(self._manifest))])

    def call(self, actor: str, namespace: str, operation: str, binding: str = DEFAULT_BINDING) -> Explanation:
        """Whether an actor of the manifest (its public key, or its path there) may call an operation of a capability or
        of an actor."""
        found = self._actors.get(actor)
        if found is None:
            folder = self._manifest.folder or Path()
            named = (each for each in self._actors.values() if _same_file(each[1].path, actor, folder))
            found = next(named, None)
        explanation = Explanation()
        entry = f"call of {operation} on {namespace},{binding}"
        if found is None:
            fix = "see why it is refused, or add it to the manifest's actors"
            verdicts: Iterable[Verdict] = [Verdict("caller", _with(no_such_actor(), fix))]
        else:
            verdicts = self._judge_call(*found, binding, namespace, operation)
        self._note(entry, verdicts, found[1].path if found else "", explanation)
        return explanation

    def _explain(self) -> None:
        manifest = self._manifest
        values = [self._resolved(index, binding) for index, binding in enumerate(manifest.bindings)]
        for index, around in enumerate(manifest.middleware):
            self._note(f"middleware[{index}] ({around.name})", [self._judge_middleware(around)])
        if manifest.policy is not None:
            section = manifest.policy
            self._note("policy", [attempted("tokens", lambda: self._policies.add(section.policy(manifest.folder)))])
        for index, actor in enumerate(manifest.actors):
            self._note(f"actors[{index}] ({actor.path})", self._judge_actor(actor), actor.path)
        for index, capability in enumerate(manifest.capabilities):
            path = capability.path if is_artifact(capability.path) else ""
            self._note(f"capabilities[{index}] ({capability.path})", self._judge_provider(capability), path)
        for index, binding in enumerate(manifest.bindings):
            title = f"bindings[{index}] ({binding.binding_name},{binding.capability})"
            path = self._actors[binding.actor][1].path if binding.actor in self._actors else ""
            self._note(title, self._judge_binding(binding, values[index]), path)

    def _note(
        self, entry: str, verdicts: Iterable[Verdict], path: str = "", explanation: Explanation | None = None
    ) -> bool:
        """Keep the verdicts on an entry; whether all of them allow it."""
        allowed = True
        for verdict in verdicts:
            refusal = verdict.refusal
            allowed = allowed and refusal is None
            text, fix = ("", "") if refusal is None else (refusal.text, refusal.fix)
            if path:
                fix = fix.replace(MODULE_FILE, shlex.quote(self._shown_path(path)))
            finding = Finding(printable(entry), verdict.rule, refusal is None, _shown(text), printable(fix))
            (explanation or self.explanation).findings.append(finding)
        return allowed

    def _shown_path(self, path: str) -> str:
        """The path of an actor's file as a command here names it."""
        return str(existing_file(path, self._manifest.folder) or path)

    def _resolved(self, index: int, entry: BindingEntry) -> dict[str, str] | None:
        values: dict[str, str] = {}
        verdict = attempted("values", lambda: values.update(resolved(entry.values, self._manifest.folder)))
        if verdict.error is None:
            return values
        self._note(f"bindings[{index}]", [verdict])
        return None

    def _judge_middleware(self, entry: MiddlewareEntry) -> Verdict:
        return attempted("middleware", lambda: made_middleware(entry, self._manifest.folder))

    def _judge_actor(self, entry: ActorEntry) -> Iterator[Verdict]:
        actors: list[Actor] = []
        folder, registry = self._manifest.folder, self._registry
        loading = attempted("module", lambda: actors.append(load_actor(entry.path, folder, registry)))
        yield loading
        if not actors:
            return
        actor = actors[0]
        if actor.public_key in self._actors:
            yield Verdict("unique", already_running(actor.public_key))
            return
        allowed = True
        for verdict in judge_loading(actor, self._authorizer, self._policies):
            allowed = allowed and verdict.error is None
            yield verdict
        if EXTRAS in actor.capabilities:
            binding = Binding(actor.public_key, *_EXTRAS_KEY, {})
            bound = attempted("extras", lambda: require(judge_new_binding(binding, actor, self._authorizer)))
            allowed = allowed and bound.error is None
            yield bound
            self._bindings.add(binding.key)
        if allowed:
            self._actors[actor.public_key] = (actor, entry)
        else:
            self._refused[actor.public_key] = entry.path

    def _judge_provider(self, entry: CapabilityEntry) -> Iterator[Verdict]:
        found: list[CapabilityProvider | Actor] = []
        ids: list[str] = []
        folder, source = self._manifest.folder, self._source
        policies, registry = self._policies, self._registry
        yield attempted("provider", lambda: found.append(provider_of(entry, source, folder, policies, registry)))
        if not found:
            return
        provider = found[0]
        if isinstance(provider, Actor):
            yield from judge_loading(provider, self._authorizer, self._policies)
        yield attempted("descriptor", lambda: ids.append(_capability_of(provider)))
        if entry.wasi is not None:
            grants = entry.wasi
            yield attempted("wasi", lambda: grants.params(folder))
        if not ids:
            return
        named = attempted("name", lambda: check_binding_name(entry.binding))
        yield named
        key = (ids[0], entry.binding)
        if key in self._providers:
            yield Verdict("unique", cannot_be_loaded_twice(*key))
        elif named.error is None:
            self._providers.add(key)

    def _judge_binding(self, entry: BindingEntry, values: dict[str, str] | None) -> Iterator[Verdict]:
        binding = Binding(entry.actor, entry.capability, entry.binding_name, values or {})
        found = self._actors.get(entry.actor)
        allowed = values is not None
        for verdict in judge_new_binding(binding, found and found[0], self._authorizer):
            allowed = allowed and verdict.error is None
            if found is None and entry.actor in self._refused and isinstance(verdict.error, HostError):
                _with(verdict.error, f"see why {self._refused[entry.actor]} is refused")
            yield verdict
        if binding.configures_actor:
            missing = binding.capability_id not in self._actors
            subject = actor_subject(binding.capability_id)
            title, fix = binding.capability_id, "add the actor to the manifest's actors"
        else:
            missing = binding.provider_key not in self._providers
            subject = provider_subject(*binding.provider_key)
            title, fix = binding.provider.title, "add a provider of this capability id and binding name to capabilities"
        if missing:
            text = f"Failed to configure {title} - {no_subscribers(subject).message}"
            yield Verdict("provider", CapabilityProviderError(text, fix))
            return
        yield Verdict("provider")
        if allowed:
            self._bindings.add(binding.key)

    def _judge_call(
        self, caller: Actor, entry: ActorEntry, binding: str, namespace: str, operation: str
    ) -> Iterator[Verdict]:
        yield from judge_call(caller.claims, self._authorizer, binding, namespace, operation)
        target = target_entity(namespace, binding)
        if isinstance(target, ActorEntity):
            rule, there, subject = "actor", target.public_key in self._actors, actor_subject(target.public_key)
            fix = "add the actor to the manifest's actors"
            check: Callable[[str], None] = check_for_others
        else:
            rule, there = "bound", (caller.public_key, (target.capability_id, target.binding)) in self._bindings
            subject = bound_subject(target.capability_id, target.binding, caller.public_key)
            fix = (
                f"add to bindings: {{actor: {caller.public_key}, capability: {target.capability_id}, "
                f"binding: {target.binding}}}"
            )
            check = check_for_actors
        yield Verdict(rule, None if there else _with(no_subscribers(subject), fix))
        yield attempted("operation", lambda: check(operation))
        if isinstance(target, ActorEntity) and target.public_key == caller.public_key and entry.instances == 1:
            label = f"Actor {caller.public_key}"
            refusal = waits_for_itself(label, f"{label} -> {label}")
            yield Verdict("turn", _with(refusal, "give the actor more instances"))


def _with(error: HostError, fix: str) -> HostError:
    error.fix = fix
    return error


def _shown(text: str) -> str:
    return printable(secrets.redacted(text))


def _same_file(path: str, given: str, folder: Path) -> bool:
    """Whether a person may mean by `given` what the manifest calls `path`."""
    return Path(path) == Path(given) or (folder / path).resolve() == Path(given).resolve()


def _capability_of(provider: CapabilityProvider | Actor) -> str:
    """The id of the capability that it serves; a module is not started for that. Raises CapabilityProviderError."""
    if isinstance(provider, Actor):
        return provided_capability(provider)
    try:
        return describe(provider).id
    finally:
        provider.stop()
