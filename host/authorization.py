"""Who may do what: the core rule that nothing overrides, and the authorizer that may only say no more often.

The core rule: an actor may call itself, and what its claims list under capabilities; other actors too, by their key.
`docs/host.md`, section "Authorization".
"""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Protocol

from host.actor import ACCOUNT_KEY, DAYS, MODULE_FILE, Actor
from host.entities import CapabilityEntity, Entity, target_entity
from host.errors import AuthorizationFailure
from host.logs import printable, sparing
from host.policy import Policies
from host.verdicts import Verdict, require
from wascap import ActorMetadata, Claims, Token, TokenValidation, WascapError, inspect

CLAIMED, AUTHORIZED = Verdict("claim"), Verdict("authorizer")
"""What is said of everything that is allowed; made once, as calls ask often."""


class Authorizer(Protocol):
    """Asked after the core rule has allowed something. Only True allows; anything else refuses, an exception too."""

    def can_load(self, claims: Claims[ActorMetadata]) -> bool:
        """Whether an actor with these claims may run in this host."""

    def can_invoke(self, claims: Claims[ActorMetadata], target: Entity, operation: str) -> bool:
        """Whether an actor with these claims may call this operation of the target."""


class AllowAll:
    """The authorizer of a host that was given none: the core rule is enough."""

    def can_load(self, claims: Claims[ActorMetadata]) -> bool:
        return True

    def can_invoke(self, claims: Claims[ActorMetadata], target: Entity, operation: str) -> bool:
        return True


def authorized_target(
    claims: Claims[ActorMetadata],
    authorizer: Authorizer,
    binding: str,
    namespace: str,
    operation: str,
    bound: Collection[str] | None = None,
) -> Entity:
    """What an actor's call of `operation` on `namespace` and `binding` is for. Raises AuthorizationFailure if denied.

    With `bound` it is a call of a portable provider, which may call these actors, and nothing that its claims list.
    Protocol: docs/host.md#authorization
    """
    try:
        require(judge_call(claims, authorizer, binding, namespace, operation, bound))
    except AuthorizationFailure as denial:
        sparing.log(logging.WARNING, "%s", printable(denial.message))
        raise
    return target_entity(namespace, binding)


def judge_call(
    claims: Claims[ActorMetadata],
    authorizer: Authorizer,
    binding: str,
    namespace: str,
    operation: str,
    bound: Collection[str] | None = None,
) -> Iterator[Verdict]:
    """What the core rule and the authorizer say of a call as in `authorized_target`; the errors are
    AuthorizationFailures."""

    def denial(reason: str, fix: str) -> AuthorizationFailure:
        role = "Provider" if claims.metadata.provider else "Actor"
        text = f"{role} {claims.subject} attempted to call {operation} on {namespace},{binding} - {reason}"
        return AuthorizationFailure(text, fix)

    may_call = (claims.subject, *(claims.metadata.capabilities or ())) if bound is None else bound
    if namespace in may_call:
        yield CLAIMED
    else:
        fix = sign_command(claims, namespace) if bound is None else ""
        yield Verdict(CLAIMED.rule, denial("PERMISSION DENIED.", fix))
    target = target_entity(namespace, binding)
    if _may_invoke(authorizer, claims, target, operation):
        yield AUTHORIZED
    else:
        yield Verdict(AUTHORIZED.rule, denial("Authorizer denied access", ""))


def check_loadable(actor: Actor, authorizer: Authorizer, policies: Policies | None = None) -> None:
    """Check that an actor may run now. Its module is read anew: only what is signed in there counts.

    Raises AuthorizationFailure: the actor does not say what its module's token does, the signature or the module hash
    is wrong, the keys are of the wrong kinds, the actor issued its token itself, the token's time is not now, a policy
    refuses it (PolicyFailure), or the authorizer denies it.
    """
    require(judge_loading(actor, authorizer, policies))


def judge_loading(actor: Actor, authorizer: Authorizer, policies: Policies | None = None) -> Iterator[Verdict]:
    """What each check says of an actor that is to be loaded now, in the order of `docs/host.md`, section "Actors"."""
    claims = actor.claims
    try:
        inspection = inspect(actor.wasm)
    except WascapError as error:
        yield Verdict("token", AuthorizationFailure(f"Invalid token: {error}", sign_command(claims)))
        return
    if inspection is None or not inspection.hash_valid or inspection.token != Token(actor.token, claims):
        text = "Invalid token: it is not the one that the module was signed with"
        yield Verdict("token", AuthorizationFailure(text, sign_command(claims)))
        return
    yield Verdict("token")
    keys = [str(problem) for problem in inspection.entity_problems]
    if claims.issuer == claims.subject:
        keys.insert(0, "Self-issued token: an account has to issue the token of an actor")
    yield from judge_token(inspection.validation, keys, "Module", sign_command(claims))
    if policies is not None:
        yield from policies.judge(claims, actor.digest)
    if _may_load(authorizer, claims):
        yield AUTHORIZED
    else:
        yield Verdict(AUTHORIZED.rule, AuthorizationFailure("Authorization hook denied access to module"))


def judge_token(validation: TokenValidation, key_problems: Sequence[object], what: str, fix: str) -> Iterator[Verdict]:
    """What signature, keys and times of a token say: the errors are AuthorizationFailures. `what` is what the token
    comes with, `fix` the command that signs it anew."""
    too_early = f"{what} cannot be used before {validation.not_before_human}"
    refusals = {
        "signature": "" if validation.signature_valid else "Invalid token signature",
        "keys": str(key_problems[0]) if key_problems else "",
        "expires": "Expired token" if validation.expired else "",
        "not before": too_early if validation.cannot_use_yet else "",
    }
    for rule, text in refusals.items():
        yield Verdict(rule, AuthorizationFailure(text, fix) if text else None)


def judge_binding(
    claims: Claims[ActorMetadata], authorizer: Authorizer, target: CapabilityEntity, operation: str
) -> Iterator[Verdict]:
    """What the core rule and the authorizer say of binding an actor; the errors are AuthorizationFailures."""
    capability_id = target.capability_id
    text = f"Unauthorized binding: actor {claims.subject} is not authorized to use capability {capability_id}."
    if _claims_capability(claims, capability_id):
        yield CLAIMED
    else:
        yield Verdict(CLAIMED.rule, AuthorizationFailure(text, sign_command(claims, capability_id)))
    if _may_invoke(authorizer, claims, target, operation):
        yield AUTHORIZED
    else:
        yield Verdict(AUTHORIZED.rule, AuthorizationFailure(text))


def sign_command(claims: Claims[ActorMetadata], capability_id: str | None = None) -> str:
    """The command that signs the actor anew as it is, and for a further capability; MODULE_FILE, ACCOUNT_KEY
    and DAYS are to be replaced by its module, the account's key file, and for how long it is to be valid."""
    metadata = claims.metadata
    capabilities = dict.fromkeys([*(metadata.capabilities or ()), *([] if capability_id is None else [capability_id])])
    options = [("--issuer", ACCOUNT_KEY), ("--subject", claims.subject)]
    options += [("--cap", each) for each in capabilities] + [("--tag", tag) for tag in metadata.tags or ()]
    options += [
        (option, str(value))
        for option, value in (
            ("--name", metadata.name),
            ("--rev", metadata.revision),
            ("--ver", metadata.version),
            ("--call-alias", metadata.call_alias),
            ("--expires", None if claims.expires is None else DAYS),
        )
        if value is not None
    ]
    flags = " --provider" if metadata.provider else ""
    given = " ".join(f"{option} {shlex.quote(printable(value))}" for option, value in options)
    return f"wascc claims sign {MODULE_FILE} {MODULE_FILE} {given}{flags}"


def _claims_capability(claims: Claims[ActorMetadata], capability_id: str) -> bool:
    return capability_id in (claims.metadata.capabilities or ())


def _may_load(authorizer: Authorizer, claims: Claims[ActorMetadata]) -> bool:
    return _is_true(lambda: authorizer.can_load(claims), claims)


def _may_invoke(authorizer: Authorizer, claims: Claims[ActorMetadata], target: Entity, operation: str) -> bool:
    return _is_true(lambda: authorizer.can_invoke(claims, target, operation), claims)


def _is_true(question: Callable[[], bool], claims: Claims[ActorMetadata]) -> bool:
    try:
        return question() is True
    except Exception as error:
        failure = printable(f"{type(error).__name__}: {error}")
        sparing.log(logging.ERROR, "The authorizer failed, so %s is refused: %s", printable(claims.subject), failure)
        return False
