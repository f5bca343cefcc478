"""Who may do what: the core rule that nothing overrides, and the authorizer that may only say no more often.

The core rule: an actor may call itself, and what its claims list under capabilities; other actors too, by their key.
`docs/host.md`, section "Authorization".
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from host.actor import Actor
from host.entities import CapabilityEntity, Entity, target_entity
from host.errors import AuthorizationFailure
from host.logs import printable, sparing
from wascap import ActorMetadata, Claims, Token, WascapError, inspect


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
    claims: Claims[ActorMetadata], authorizer: Authorizer, binding: str, namespace: str, operation: str
) -> Entity:
    """What an actor's call of `operation` on `namespace` and `binding` is for. Raises AuthorizationFailure if denied.

    Protocol: docs/host.md#authorization
    """
    if namespace != claims.subject and not _claims_capability(claims, namespace):
        raise _denial(claims, binding, namespace, operation, "PERMISSION DENIED.")
    target = target_entity(namespace, binding)
    if not _may_invoke(authorizer, claims, target, operation):
        raise _denial(claims, binding, namespace, operation, "Authorizer denied access")
    return target


def check_loadable(actor: Actor, authorizer: Authorizer) -> None:
    """Check that an actor may run now. Its module is read anew: only what is signed in there counts.

    Raises AuthorizationFailure: the actor does not say what its module's token does, the signature or the module hash
    is wrong, the keys are of the wrong kinds, the actor issued its token itself, the token's time is not now, or the
    authorizer denies it.
    """
    claims = actor.claims
    try:
        inspection = inspect(actor.wasm)
    except WascapError as error:
        raise AuthorizationFailure(f"Invalid token: {error}") from error
    if inspection is None or not inspection.hash_valid or inspection.token != Token(actor.token, claims):
        raise AuthorizationFailure("Invalid token: it is not the one that the module was signed with")
    if not inspection.validation.signature_valid:
        raise AuthorizationFailure("Invalid token signature")
    if claims.issuer == claims.subject:
        raise AuthorizationFailure("Self-issued token: an account has to issue the token of an actor")
    for problem in inspection.entity_problems:
        raise AuthorizationFailure(str(problem)) from problem
    if inspection.validation.expired:
        raise AuthorizationFailure("Expired token")
    if inspection.validation.cannot_use_yet:
        raise AuthorizationFailure(f"Module cannot be used before {inspection.validation.not_before_human}")
    if not _may_load(authorizer, claims):
        raise AuthorizationFailure("Authorization hook denied access to module")


def check_bindable(
    claims: Claims[ActorMetadata], authorizer: Authorizer, target: CapabilityEntity, operation: str
) -> None:
    """Check that an actor may be bound to a capability. Raises AuthorizationFailure."""
    capability_id = target.capability_id
    if not _claims_capability(claims, capability_id) or not _may_invoke(authorizer, claims, target, operation):
        raise AuthorizationFailure(
            f"Unauthorized binding: actor {claims.subject} is not authorized to use capability {capability_id}."
        )


def _claims_capability(claims: Claims[ActorMetadata], capability_id: str) -> bool:
    return capability_id in (claims.metadata.capabilities or ())


def _denial(
    claims: Claims[ActorMetadata], binding: str, namespace: str, operation: str, reason: str
) -> AuthorizationFailure:
    role = "Provider" if claims.metadata.provider else "Actor"
    text = f"{role} {claims.subject} attempted to call {operation} on {namespace},{binding} - {reason}"
    sparing.log(logging.WARNING, "%s", printable(text))
    return AuthorizationFailure(text)


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
