"""Cases and what became of them: what is done in case `index` follows from the seed and that number, nothing else."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from conformance.fuzz.cases import random_of
from conformance.tampering.files import ARCHIVE_MUTATIONS, MODULE_MUTATIONS, FileMutation, members_of, taken_apart
from conformance.tampering.originals import attackers_account, originals, trusted_account
from conformance.tampering.tokens import TOKEN_MUTATIONS, TokenMutation
from host.actor import Actor
from host.authorization import AllowAll, check_loadable
from host.errors import HostError
from host.policy import Policies, Policy
from wascap import InvalidIssuer, ProviderArchive, WascapError, decode, validate


class Outcome(Enum):
    """What the checks said of something that was tampered with."""

    REFUSED = "refused"
    SAME = "accepted, as it means what was signed"
    ACCEPTED = "accepted, and means something else"
    CRASHED = "ended in an exception of another kind"

    @property
    def is_bad(self) -> bool:
        """Whether it must not be."""
        return self in (Outcome.ACCEPTED, Outcome.CRASHED)


class Kind(Enum):
    """What is tampered with."""

    TOKEN = "signed token"  # noqa: S105 (no password)
    MODULE = "signed module"
    ARCHIVE = "provider archive"


@dataclass(frozen=True, slots=True)
class Case:
    """One case: its number, what was tampered with and how, and what it became."""

    index: int
    kind: Kind
    mutation: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """A case, what came of it, and the name of the error that refused it (or the unexpected one's text)."""

    case: Case
    outcome: Outcome
    error: str = ""


@dataclass(slots=True)
class Report:
    """Counts of a campaign, by kind, mutation and outcome, and by error; and the results that must not be."""

    counts: Counter[tuple[Kind, str, Outcome]] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    bad: list[Result] = field(default_factory=list)

    def add(self, result: Result) -> None:
        """Count a result."""
        self.counts[result.case.kind, result.case.mutation, result.outcome] += 1
        if result.error:
            self.errors[result.error] += 1
        if result.outcome.is_bad:
            self.bad.append(result)

    def total(self, outcome: Outcome | None = None) -> int:
        """How many cases had this outcome, or any."""
        return sum(count for (_, _, found), count in self.counts.items() if outcome in (None, found))


def _of_text(mutation: TokenMutation) -> FileMutation:
    return lambda rng, one, other: mutation(rng, one.decode(), other.decode()).encode()


_MUTATIONS: tuple[tuple[Kind, str, FileMutation], ...] = (
    *((Kind.TOKEN, mutation.__name__, _of_text(mutation)) for mutation in TOKEN_MUTATIONS),
    *((Kind.MODULE, mutation.__name__, mutation) for mutation in MODULE_MUTATIONS),
    *((Kind.ARCHIVE, mutation.__name__, mutation) for mutation in ARCHIVE_MUTATIONS),
)
_MAX_TRIES = 100


def make_case(seed: int, index: int) -> Case:
    """Case `index` of a campaign: all mutations take turns, and what they make is no original if they can help it."""
    kind, name, mutation = _MUTATIONS[index % len(_MUTATIONS)]
    rng = random_of(seed, index)
    good = originals()
    tokens = tuple([token.encode() for token in good.tokens])
    chosen = {Kind.TOKEN: tokens, Kind.MODULE: good.modules, Kind.ARCHIVE: good.archives}[kind]
    for _ in range(_MAX_TRIES):
        one, other = rng.sample(chosen, 2)
        data = mutation(rng, one, other)
        if data not in chosen:
            break
    return Case(index, kind, name, data)


def judge(case: Case) -> Result:
    """Have the checks of the host say what they think of a case."""
    try:
        means_the_same = _JUDGES[case.kind](case.data)
    except (HostError, WascapError) as error:
        cause = error.__cause__ if isinstance(error.__cause__, WascapError) else error
        return Result(case, Outcome.REFUSED, type(cause).__name__)
    except Exception as error:
        return Result(case, Outcome.CRASHED, f"{type(error).__name__}: {error}")
    return Result(case, Outcome.SAME if means_the_same else Outcome.ACCEPTED)


def run(seed: int, cases: int, progress: Callable[[int], None] = lambda done: None) -> Report:
    """Run cases 0 to `cases`; `progress` is told how many are done."""
    report = Report()
    for index in range(cases):
        report.add(judge(make_case(seed, index)))
        progress(index + 1)
    return report


def _policies() -> Policies:
    """Only the trusted account may have signed what runs."""
    return Policies([Policy.of(issuers=[trusted_account().public_key])])


def _judge_token(data: bytes) -> bool:
    """A token has one form: whatever is believed, and is no original, is another one."""
    token = data.decode("utf-8", "surrogateescape")
    for problem in validate(token).problems:
        raise problem
    if decode(token).issuer == attackers_account().public_key:
        raise InvalidIssuer("nobody trusts it")
    return token in originals().tokens


def _judge_module(data: bytes) -> bool:
    actor = Actor.from_bytes(data)
    check_loadable(actor, AllowAll(), _policies())
    found = taken_apart(data)
    return found in [taken_apart(wasm) for wasm in originals().modules] and found[0] == actor.token.encode()


def _judge_archive(data: bytes) -> bool:
    archive = ProviderArchive.from_bytes(data)
    archive.verify()
    _policies().check(archive.claims, hashlib.sha256(data).hexdigest())
    found = {"claims.jwt": archive.token.encode()} | {
        f"{target}.bin": content for target, content in archive.binaries.items()
    }
    return found in [dict(members_of(original)) for original in originals().archives]


_JUDGES: dict[Kind, Callable[[bytes], bool]] = {
    Kind.TOKEN: _judge_token,
    Kind.MODULE: _judge_module,
    Kind.ARCHIVE: _judge_archive,
}
