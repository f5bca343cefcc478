"""Nothing that was tampered with is accepted, and the campaign would see it if it were."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import wascap.embedding
import wascap.encoding
import wascap.nkeys
from conformance.tampering.campaign import Kind, Outcome, judge, make_case, run
from conformance.tampering.cli import app
from conformance.tampering.files import ARCHIVE_MUTATIONS, MODULE_MUTATIONS
from conformance.tampering.originals import originals
from conformance.tampering.tokens import TOKEN_MUTATIONS
from host.actor import Actor
from host.authorization import AllowAll, check_loadable
from wascap import ProviderArchive, validate

MUTATIONS = len(TOKEN_MUTATIONS) + len(MODULE_MUTATIONS) + len(ARCHIVE_MUTATIONS)
CASES = MUTATIONS * 60
"""Well over 1,000 that mean something else."""


def test_what_is_tampered_with_is_good_before() -> None:
    good = originals()
    assert all(validate(token).ok for token in good.tokens)
    for wasm in good.modules:
        check_loadable(Actor.from_bytes(wasm), AllowAll())
    for archive in good.archives:
        ProviderArchive.from_bytes(archive).verify()


def test_none_is_accepted() -> None:
    report = run(1, CASES)
    assert report.total() == CASES
    assert report.bad == []
    assert report.total(Outcome.REFUSED) >= 1000
    for kind in Kind:
        counts = [count for (of, _, how), count in report.counts.items() if (of, how) == (kind, Outcome.REFUSED)]
        assert sum(counts) >= 400, kind
    assert {mutation for _, mutation, _ in report.counts} == {
        each.__name__ for each in (*TOKEN_MUTATIONS, *MODULE_MUTATIONS, *ARCHIVE_MUTATIONS)
    }


def test_what_means_the_same_is_only_framing() -> None:
    """What changes nothing that is signed: where the token's section stands, padded sizes, what a tar says of files."""
    report = run(2, CASES)
    framing = {"moved_token", "padded", "archive_with_other_headers", "two_archives", "any_bytes", "flipped",
               "more_sections", "archive_with_other_names", "archive_with_other_token"}  # fmt: skip
    same = {(kind, mutation) for kind, mutation, outcome in report.counts if outcome is Outcome.SAME}
    assert {mutation for _, mutation in same} <= framing
    assert not [mutation for kind, mutation in same if kind is Kind.TOKEN]


def test_a_case_is_the_same_in_every_run() -> None:
    for index in range(MUTATIONS):
        assert make_case(3, index) == make_case(3, index)
        assert judge(make_case(3, index)) == judge(make_case(3, index))


def weaken(monkeypatch: pytest.MonkeyPatch, weakness: str) -> None:
    """Take one check away."""
    if weakness == "signature":
        monkeypatch.setattr(wascap.nkeys.KeyPair, "verify", lambda self, data, signature: None)
    elif weakness == "hash":
        monkeypatch.setattr(wascap.embedding, "_hash_matches", lambda token, actual: True)
    elif weakness == "every section of tokens left out of the hash":
        monkeypatch.setattr(
            wascap.embedding,
            "module_hash",
            lambda wasm: wascap.embedding._hash(
                wascap.embedding._spliced(wasm, wascap.embedding.custom_sections(wasm, b"jwt"), b"")
            ),
        )
    elif weakness == "stray bits":
        lenient = re.compile(r"[A-Za-z0-9_-]*={0,2}")
        monkeypatch.setattr(wascap.encoding, "_BASE64URL", lenient)
        monkeypatch.setattr(wascap.encoding, "base64url_encode", lambda data: lenient and _Anything())
    elif weakness == "archive hash":
        monkeypatch.setattr(ProviderArchive, "_hashes_valid", lambda self: {})


class _Anything(str):
    """Equal to any text."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __ne__(self, other: object) -> bool:
        return False


@pytest.mark.parametrize(
    "weakness",
    ["signature", "hash", "every section of tokens left out of the hash", "stray bits", "archive hash"],
)
def test_the_campaign_sees_a_check_that_is_missing(weakness: str, monkeypatch: pytest.MonkeyPatch) -> None:
    originals()
    weaken(monkeypatch, weakness)
    assert run(1, MUTATIONS * 40).total(Outcome.ACCEPTED) > 0


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = CliRunner().invoke(app, ["--cases", "100", "--seed", "5", "--json"])
    assert done.exit_code == 0
    counts = json.loads(done.stdout)
    assert (counts["seed"], counts["cases"], counts["outcomes"]["accepted"]) == (5, 100, 0)
    assert "malleable" in CliRunner().invoke(app, ["--cases", "100"]).stdout
    weaken(monkeypatch, "hash")
    done = CliRunner().invoke(app, ["--cases", "300", "--findings", str(tmp_path)])
    assert done.exit_code == 1
    assert list(tmp_path.iterdir())
