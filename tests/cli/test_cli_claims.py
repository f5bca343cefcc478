"""`wascc keys` and `wascc claims`: what a person does to sign a module and to look at what others signed."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests_support import Done, parse, wascc
from wascap import KeyPair, KeyType, module_hash

MODULE = '(module (memory (export "memory") 1) (func (export "f")))'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plain.wasm").write_bytes(parse(MODULE))
    for kind in ("account", "module"):
        done = run(tmp_path, "keys", "gen", kind, "me")
        assert done.returncode == 0, done.stderr
    return tmp_path


def run(folder: Path, *args: str) -> Done:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WASCC_KEYS", str(folder / "keys"))
        patch.chdir(folder)
        return wascc(*args)


def sign(folder: Path, *options: str) -> Done:
    command = ("claims", "sign", "plain.wasm", "signed.wasm", "-i", "me_account", "-u", "me_module", *options)
    return run(folder, *command)


def inspected(folder: Path, name: str = "signed.wasm") -> dict[str, Any]:
    done = run(folder, "claims", "inspect", "--json", name)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_keys_are_kept_for_their_owner_only(folder: Path) -> None:
    path = folder / "keys" / "me_account.nk"
    assert path.stat().st_mode & 0o777 == 0o600
    key = KeyPair.from_file(path)
    assert key.key_type is KeyType.ACCOUNT
    again = run(folder, "keys", "gen", "account", "me")
    assert again.returncode == 1
    assert "never overwritten" in again.stderr
    listed = json.loads(run(folder, "keys", "list", "--json").stdout)
    assert [entry["file"] for entry in listed] == ["me_account.nk", "me_module.nk"]
    shown = run(folder, "keys", "show", "me_account").stdout
    assert key.public_key in shown
    assert key.seed not in shown
    assert key.seed in run(folder, "keys", "show", "me_account", "--seed").stdout


def test_a_generated_key_can_be_read_back(folder: Path) -> None:
    made = json.loads(run(folder, "keys", "gen", "server", "--json").stdout)
    assert KeyPair.from_seed(made["seed"]).public_key == made["public_key"]
    assert json.loads(run(folder, "keys", "show", made["public_key"], "--json").stdout)["type"] == "server"


def test_sign_inspect_verify(folder: Path) -> None:
    done = sign(folder, "-n", "Mine", "-k", "-s", "-c", "acme:thing", "-t", "a", "-t", "b", "-r", "3", "-v", "1.2")
    assert (
        done.stdout.splitlines()[0]
        == "Successfully signed signed.wasm with capabilities: wascc:keyvalue,wascc:http_server,acme:thing"
    )
    shown = inspected(folder)
    assert shown["name"] == "Mine"
    assert shown["capabilities"] == ["wascc:keyvalue", "wascc:http_server", "acme:thing"]
    assert (shown["tags"], shown["revision"], shown["version"]) == (["a", "b"], 3, "1.2")
    assert shown["module_hash"] == module_hash((folder / "plain.wasm").read_bytes())
    assert shown["valid"]
    assert run(folder, "claims", "verify", "signed.wasm").returncode == 0
    table = run(folder, "claims", "inspect", "signed.wasm").stdout
    for text in (shown["issuer"], shown["subject"], "acme:thing", "K/V Store", "good: valid", "good: matches", "never"):
        assert text in table


def test_signing_again_replaces_the_claims(folder: Path) -> None:
    sign(folder, "-k")
    size = (folder / "signed.wasm").stat().st_size
    again = ("claims", "sign", "signed.wasm", "signed.wasm", "-i", "me_account", "-u", "me_module", "-g")
    assert run(folder, *again).returncode == 0
    assert inspected(folder)["capabilities"] == ["wascc:messaging"]
    assert abs((folder / "signed.wasm").stat().st_size - size) < 20


@pytest.mark.parametrize(
    ("options", "verdict", "message"),
    [
        (("-x", "-1"), "expired", "expired"),
        (("-b", "1"), "cannot_use_yet", "cannot be used yet"),
    ],
)
def test_times_are_verdicts(folder: Path, options: tuple[str, ...], verdict: str, message: str) -> None:
    sign(folder, *options)
    shown = inspected(folder)
    assert shown[verdict] is True
    assert not shown["valid"]
    done = run(folder, "claims", "verify", "signed.wasm")
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_chain_from_an_operator(folder: Path) -> None:
    for kind, name in (("operator", "root"), ("operator", "daily"), ("operator", "other"), ("account", "second")):
        run(folder, "keys", "gen", kind, name)
    keys = {each["file"]: each["public_key"] for each in json.loads(run(folder, "keys", "list", "--json").stdout)}
    root = keys["root_operator.nk"]
    first = run(
        folder, "claims", "token", "operator.jwt", "-u", "root_operator", "--signer", "daily_operator", "--json"
    )
    assert json.loads(first.stdout) == {"file": "operator.jwt", "subject": root, "issuer": root}
    token = ("claims", "token", "account.jwt", "-u", keys["me_account.nk"], "--signer", keys["second_account.nk"])
    verify = (
        "claims",
        "verify",
        "signed.wasm",
        "--operator",
        "operator.jwt",
        "--account",
        "account.jwt",
        "--trust",
        root,
    )
    for issuer, account, code in (
        ("daily_operator", "me_account", 0),
        ("daily_operator", "second_account", 0),
        ("other_operator", "me_account", 1),
        ("root_operator", "me_account", 1),
    ):
        assert run(folder, *token, "-i", issuer, "-n", "Shop", "-x", "1").returncode == 0
        assert sign(folder, "-i", account).returncode == 0
        assert run(folder, *verify).returncode == code


@pytest.mark.parametrize(
    "options",
    [
        ("-u", "me_module"),
        ("-u", "me_account"),
        ("-u", "me_account", "-i", "me_account"),
        ("-u", "root_operator"),
        ("-u", "root_operator", "--signer", "me_account"),
        ("-u", "root_operator", "--signer", "root_operator", "-i", "me_account"),
    ],
)
def test_tokens_that_mean_nothing_are_not_made(folder: Path, options: tuple[str, ...]) -> None:
    run(folder, "keys", "gen", "operator", "root")
    done = run(folder, "claims", "token", "a.jwt", *options)
    assert done.returncode == 2
    assert not (folder / "a.jwt").exists()


def test_the_text_of_a_module(folder: Path) -> None:
    (folder / "plain.wasm").write_text("\n;; a text\n" + MODULE)
    assert "wasm-tools parse" in sign(folder).stderr


def test_trust_without_a_chain_is_refused(folder: Path) -> None:
    sign(folder)
    assert run(folder, "claims", "verify", "signed.wasm", "--trust", "foo").returncode == 2


@pytest.mark.parametrize("name", ["", "a/b", "../evil"])
def test_names_of_keys_stay_in_the_folder(folder: Path, name: str) -> None:
    before = sorted(folder.rglob("*"))
    assert run(folder, "keys", "gen", "module", name).returncode == 2
    assert sorted(folder.rglob("*")) == before


def test_a_changed_module_is_not_believed(folder: Path) -> None:
    sign(folder)
    wasm = bytearray((folder / "signed.wasm").read_bytes())
    wasm[wasm.index(b"memory")] ^= 1
    (folder / "changed.wasm").write_bytes(wasm)
    assert inspected(folder, "changed.wasm")["hash_valid"] is False
    assert json.loads(run(folder, "claims", "verify", "changed.wasm", "--json").stdout)["valid"] is False


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("claims", "inspect", "plain.wasm"), "plain.wasm"),
        (("claims", "verify", "plain.wasm"), "plain.wasm"),
        (("claims", "inspect", "none.wasm"), "No such file"),
        (("claims", "verify", "keys/me_account.nk"), "error: "),
        (("keys", "show", "nobody"), "no key file nobody"),
        (("keys", "list", "-d", "nowhere"), "nowhere"),
        (("claims", "sign", "plain.wasm", "no/where.wasm", "-i", "me_account", "-u", "me_module"), "no"),
        (("claims", "sign", "none.wasm", "out.wasm", "-i", "me_account", "-u", "me_module"), "none.wasm"),
    ],
)
def test_what_cannot_be_done_is_one_line(folder: Path, args: tuple[str, ...], message: str) -> None:
    done = run(folder, *args)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (folder / "out.wasm").exists()


@pytest.mark.parametrize(
    "options",
    [
        ("-i", "me_module", "-u", "me_module"),
        ("-i", "me_account", "-u", "me_account"),
        ("-i", "me_account", "-u", "me_module", "-p"),
        ("-i", "me_account", "-u", "me_module", "-x", "1e30"),
        ("-i", "me_account", "-u", "me_module", "-x", "nan"),
    ],
)
def test_wrong_options_leave_nothing(folder: Path, options: tuple[str, ...]) -> None:
    done = run(folder, "claims", "sign", "plain.wasm", "out.wasm", *options)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not (folder / "out.wasm").exists()
