"""`wascc par`: what a person does to make a provider archive and to look at what others made."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests_support import Done, wascc
from wascap import KeyPair, ProviderArchive

CREATE = (
    "par", "create", "-a", "x86_64-linux", "-b", "libredis.so", "-c", "wascc:keyvalue", "--vendor", "acme",
    "-i", "me_account", "-u", "me_service",
)  # fmt: skip


def run(folder: Path, *args: str) -> Done:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WASCC_KEYS", str(folder / "keys"))
        patch.chdir(folder)
        return wascc(*args)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "libredis.so").write_bytes(b"\x7fELF" + bytes(3000))
    (tmp_path / "redis.dll").write_bytes(b"MZ")
    for kind in ("account", "service", "module"):
        done = run(tmp_path, "keys", "gen", kind, "me")
        assert done.returncode == 0, done.stderr
    return tmp_path


def inspected(folder: Path, name: str = "libredis.par") -> dict[str, Any]:
    done = run(folder, "par", "inspect", "--json", name)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_create_insert_inspect_verify(folder: Path) -> None:
    done = run(folder, *CREATE, "-n", "Redis", "-r", "3", "-v", "1.2")
    assert (done.stdout, done.stderr) == ("Successfully signed libredis.par with targets: x86_64-linux\n", "")
    done = run(folder, "par", "insert", "libredis.par", "-a", "x86_64-windows", "-b", "redis.dll", "-i", "me_account")
    assert (done.stdout, done.stderr) == (
        "Successfully signed libredis.par with targets: x86_64-linux,x86_64-windows\n",
        "",
    )
    shown = inspected(folder)
    assert (shown["name"], shown["capability_id"], shown["vendor"]) == ("Redis", "wascc:keyvalue", "acme")
    assert (shown["revision"], shown["version"], shown["expires"]) == (3, "1.2", None)
    assert {target: facts["bytes"] for target, facts in shown["targets"].items()} == {
        "x86_64-linux": 3004,
        "x86_64-windows": 2,
    }
    assert shown["issuer"] == KeyPair.from_file(folder / "keys" / "me_account.nk").public_key
    assert shown["subject"] == KeyPair.from_file(folder / "keys" / "me_service.nk").public_key
    assert shown["valid"]
    done = run(folder, "par", "verify", "libredis.par")
    assert (done.stdout, done.returncode) == (f"libredis.par: valid, signed by {shown['issuer']}\n", 0)
    table = run(folder, "par", "inspect", "libredis.par").stdout
    for text in (shown["subject"], "K/V Store", "3,004 bytes", "1.2 (revision 3)", "good: matches", "hash of x86_64-w"):
        assert text in table
    archive = ProviderArchive.from_file(folder / "libredis.par")
    assert run(folder, "par", "inspect", "libredis.par", "--raw").stdout == archive.token + "\n"


def test_the_name_of_the_output_says_whether_it_is_packed(folder: Path) -> None:
    done = run(folder, *CREATE, "-o", "redis.par.gz", "--json")
    assert json.loads(done.stdout)["file"] == "redis.par.gz"
    assert (folder / "redis.par.gz").read_bytes().startswith(b"\x1f\x8b")
    assert inspected(folder, "redis.par.gz")["valid"]
    more = ("par", "insert", "redis.par.gz", "-a", "arm-linux", "-b", "redis.dll", "-i", "me_account")
    assert run(folder, *more, "-o", "plain.par", "-r", "4", "-v", "2").returncode == 0
    assert list(inspected(folder, "redis.par.gz")["targets"]) == ["x86_64-linux"]
    shown = inspected(folder, "plain.par")
    assert (list(shown["targets"]), shown["revision"], shown["version"]) == (["arm-linux", "x86_64-linux"], 4, "2")
    assert not (folder / "plain.par").read_bytes().startswith(b"\x1f\x8b")


@pytest.mark.parametrize(
    ("options", "verdict", "message"),
    [(("-x", "-1"), "expired", "expired"), (("--nbf", "1"), "cannot_use_yet", "cannot be used yet")],
)
def test_times_are_verdicts(folder: Path, options: tuple[str, ...], verdict: str, message: str) -> None:
    run(folder, *CREATE, *options)
    shown = inspected(folder)
    assert shown[verdict] is True
    assert not shown["valid"]
    done = run(folder, "par", "verify", "libredis.par")
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_changed_binary_is_not_believed(folder: Path) -> None:
    run(folder, *CREATE)
    data = bytearray((folder / "libredis.par").read_bytes())
    data[data.index(b"\x7fELF") + 100] = 7
    (folder / "changed.par").write_bytes(data)
    assert inspected(folder, "changed.par")["targets"]["x86_64-linux"]["hash_valid"] is False
    assert "BAD: the binary was changed" in run(folder, "par", "inspect", "changed.par").stdout
    done = run(folder, "par", "verify", "changed.par", "--json")
    assert json.loads(done.stdout) == {
        "valid": False,
        "problems": ["File hash and verify hash do not match for 'x86_64-linux'"],
    }
    assert done.returncode == 1
    before = (folder / "changed.par").stat()
    more = run(folder, "par", "insert", "changed.par", "-a", "arm-linux", "-b", "redis.dll", "-i", "me_account")
    assert (more.returncode, more.stderr.count("\n")) == (1, 1)
    assert (folder / "changed.par").stat() == before


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("par", "inspect", "redis.dll"), "no tar archive"),
        (("par", "verify", "none.par"), "No such file"),
        (("par", "verify", "libredis.so"), "provider archive"),
        ((*CREATE, "-o", "no/where.par"), "no"),
        ((*CREATE, "-a", "x86_64"), "such as x86_64-linux"),
        ((*CREATE, "-b", "none.so"), "none.so"),
        ((*CREATE, "-c", ""), "Invalid capability"),
        (("par", "insert", "none.par", "-a", "a-b", "-b", "redis.dll", "-i", "me_account"), "none.par"),
    ],
)
def test_what_cannot_be_done_is_one_line(folder: Path, args: tuple[str, ...], message: str) -> None:
    before = sorted(folder.rglob("*"))
    done = run(folder, *args)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("options", [("-i", "me_module"), ("-u", "me_account"), ("-u", "me_module"), ("-x", "nan")])
def test_wrong_options_leave_nothing(folder: Path, options: tuple[str, ...]) -> None:
    done = run(folder, *CREATE, *options)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not (folder / "libredis.par").exists()
