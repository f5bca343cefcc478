"""The cache never gives code that this user did not write for this module: whatever is done to its files, results are
right, nobody sees an error, and what cannot be trusted is not used."""

from __future__ import annotations

import errno
import logging
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp.compiled import cache, cache_file, cache_folder
from interp.compiled.cache import KEY, KEY_FILE, PENDING, ModuleShelf
from interp.compiled.cache_file import Contents, Name, Part, file_of, part_of
from interp.compiled.cache_folder import FOLDER_VARIABLE, NAME, TEMPORARY, UntrustedError
from interp.compiled.machine import UNITS
from interp.engines import compiled
from interp.engines.compiled import CACHE_VARIABLE
from tests_support import parse

POSIX = pytest.mark.skipif(not cache_folder.OWNERS, reason="files have no owner and no mode in the sense of POSIX here")


def text(number: int) -> str:
    """A module with two functions, which differ in one digit from each other and from those of other numbers."""
    return f"""
    (module
      (func (export "first") (param i32) (result i32) (i32.add (local.get 0) (i32.const {number})))
      (func (export "second") (param i32) (result i32) (i32.add (local.get 0) (i32.const {number + 1}))))"""


FUNCTIONS = 2


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache's folder, which does not exist yet."""
    PENDING.shelves.clear()
    monkeypatch.setattr(cache, "engine_version", lambda: b"of tests")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    return tmp_path / NAME


@pytest.fixture
def reasons(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """What the log says so far."""
    caplog.set_level(logging.DEBUG, cache.log.name)
    return lambda: caplog.text


def run(number: int = 1) -> tuple[int, bool]:
    """How many functions of a module the cache had for a new engine, and whether it knew the module as valid; what the
    functions give is checked."""
    module = compiled.create().compile(parse(text(number)))
    shelf: ModuleShelf = module.valid.prepared[UNITS].shelf
    known = shelf.valid and not shelf._validated
    exports: Any = compiled.create().store().instantiate(module, []).exports
    assert (exports["first"](10), exports["second"](10)) == (10 + number, 11 + number)
    PENDING.write()
    return shelf.hits, known


FOUND, NOT_FOUND = (FUNCTIONS, True), (0, False)


def only_file(folder: Path) -> Path:
    """The file of the only module."""
    (found,) = folder.glob("*.code")
    return found


# ---- Damage.


def test_a_changed_byte_anywhere_changes_no_result(folder: Path) -> None:
    run()
    path = only_file(folder)
    good = path.read_bytes()
    base = cache_file.HEADER + int.from_bytes(good[cache_file.HEADER - cache_file.LENGTH : cache_file.HEADER], "little")
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x41]) + good[at + 1 :])
        hits, known = run()
        assert known == (at >= base), "the index is good"
        assert hits < FUNCTIONS or at >= base
        if at % 50 == 0:
            assert run()[1], "it was replaced"


def test_a_changed_byte_in_code_costs_that_function_alone(folder: Path) -> None:
    run()
    path = only_file(folder)
    good = path.read_bytes()
    at = good.index(b"l0", cache_file.HEADER + 200)
    path.write_bytes(good[:at] + b"l1" + good[at + 2 :])
    assert run() == (FUNCTIONS - 1, True)
    assert run() == FOUND


def test_a_file_that_ends_too_early_changes_no_result(folder: Path) -> None:
    run()
    path = only_file(folder)
    good = path.read_bytes()
    for length in range(0, len(good), 7):
        path.write_bytes(good[:length])
        assert run()[0] < FUNCTIONS or length > len(good) * 2 // 3, "only details may be missing"
    path.write_bytes(good + b"more")
    assert run() == FOUND


def test_damaged_details_are_made_again(folder: Path) -> None:
    run()
    module = compiled.create().compile(parse(text(1)))
    units = module.valid.prepared[UNITS]
    options = compiled.create().store().runner.options  # type: ignore[attr-defined]
    right = units.unit(0, options).details
    path = only_file(folder)
    path.write_bytes(path.read_bytes()[:-60])
    again = compiled.create().compile(parse(text(1))).valid.prepared[UNITS]
    assert again.shelf.details(1, options) is None
    assert again.unit(1, options).details.source.replace("2", "1").replace("f1", "f0") == right.source.replace("2", "1")
    assert again.unit(0, options).details == right


# ---- Somebody else's code.


def test_a_file_of_another_module_is_refused(folder: Path, reasons: Callable[[], str]) -> None:
    run(1)
    mine = only_file(folder)
    other = mine.read_bytes()
    mine.unlink()
    run(5)
    path = only_file(folder)
    path.write_bytes(other)
    assert run(5) == NOT_FOUND
    assert "not written with this key for this module" in reasons()
    assert run(5) == FOUND


def test_the_parts_of_two_functions_cannot_change_places(folder: Path) -> None:
    run()
    path = only_file(folder)
    contents = Contents.of(path.read_bytes(), shelf_identity(), (folder / KEY_FILE).read_bytes())
    parts = contents.parts()
    assert len({len(code[0]) for code, _ in parts.values()}) == 1, "so that their places are the same"
    swapped = dict(zip(parts, reversed(parts.values()), strict=True))
    wrong_key = file_of(True, swapped, shelf_identity(), bytes(KEY))
    path.write_bytes(wrong_key)
    assert run() == NOT_FOUND
    data = path.read_bytes()
    codes = [code[0] for code, _ in parts.values()]
    places = [data.index(code) for code in codes]
    for at, code in zip(places, reversed(codes), strict=True):
        data = data[:at] + code + data[at + len(code) :]
    path.write_bytes(data)
    assert run() == (0, True)


def shelf_identity() -> bytes:
    """What the file of the module belongs to."""
    shelf: ModuleShelf = compiled.create().compile(parse(text(1))).valid.prepared[UNITS].shelf
    PENDING.shelves.discard(shelf)
    return shelf.identity


def test_another_key_refuses_what_was_written_before(folder: Path) -> None:
    run()
    (folder / KEY_FILE).write_bytes(os.urandom(KEY))
    assert run() == NOT_FOUND
    assert run() == FOUND


def test_a_key_that_is_gone_is_made_anew(folder: Path) -> None:
    run()
    (folder / KEY_FILE).unlink()
    assert run() == NOT_FOUND
    assert run() == FOUND
    assert len((folder / KEY_FILE).read_bytes()) == KEY


def test_a_file_that_was_copied_from_another_folder_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    copied = only_file(folder)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "elsewhere"))
    run(5)
    (tmp_path / "elsewhere" / NAME / copied.name).write_bytes(copied.read_bytes())
    (tmp_path / "elsewhere" / NAME / copied.name).chmod(0o600)
    assert run() == NOT_FOUND


def test_nothing_is_unmarshalled_that_was_not_verified(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    path = only_file(folder)
    good = path.read_bytes()
    seen: list[bytes] = []
    loads = cache_file.marshal.loads
    monkeypatch.setattr(cache_file.marshal, "loads", lambda data: seen.append(bytes(data)) or loads(data))
    path.write_bytes(good[: cache_file.HEADER] + bytes(len(good) - cache_file.HEADER))
    assert run() == NOT_FOUND
    assert seen == []
    assert run() == FOUND
    assert all(part in good for part in seen)


# ---- Owners, modes, links.


def is_left_alone(folder: Path) -> bool:
    """Whether the cache is neither read nor written."""
    before = {path: (path.lstat().st_mtime_ns, path.lstat().st_ino) for path in folder.iterdir()}
    found = run()
    return found == NOT_FOUND and before == {
        path: (path.lstat().st_mtime_ns, path.lstat().st_ino) for path in folder.iterdir()
    }


@POSIX
def test_what_is_made_is_the_users_alone(folder: Path) -> None:
    before = os.umask(0)
    try:
        run()
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


@POSIX
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_can_write_to_is_not_used(folder: Path, reasons: Callable[[], str], mode: int) -> None:
    run()
    folder.chmod(mode)
    assert is_left_alone(folder)
    assert "open to others" in reasons()
    folder.chmod(0o755)
    assert run() == FOUND, "to read is no harm: the key cannot be read"


@POSIX
@pytest.mark.parametrize("mode", [0o666, 0o620, 0o602])
def test_a_file_that_others_can_write_to_is_replaced(folder: Path, mode: int) -> None:
    run()
    only_file(folder).chmod(mode)
    assert run() == NOT_FOUND
    assert stat.S_IMODE(only_file(folder).stat().st_mode) == 0o600
    assert run() == FOUND


@POSIX
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_with_a_key_that_is_open_to_others_nothing_is_used(folder: Path, mode: int) -> None:
    run()
    (folder / KEY_FILE).chmod(mode)
    assert is_left_alone(folder)


@pytest.mark.parametrize("length", [0, KEY - 1, KEY + 1])
def test_with_a_key_of_another_length_nothing_is_used(folder: Path, length: int) -> None:
    run()
    (folder / KEY_FILE).write_bytes(bytes(length))
    assert is_left_alone(folder)


@POSIX
def test_what_somebody_else_owns_is_not_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
        assert is_left_alone(folder)
    assert run() == FOUND


@POSIX
def test_a_link_in_place_of_the_folder_is_not_used(folder: Path, tmp_path: Path) -> None:
    run()
    folder.rename(tmp_path / "real")
    folder.symlink_to(tmp_path / "real")
    assert is_left_alone(folder)


@POSIX
@pytest.mark.parametrize("of_key", [False, True])
def test_a_link_in_place_of_a_file_is_not_used(folder: Path, tmp_path: Path, of_key: bool) -> None:
    run()
    path = folder / KEY_FILE if of_key else only_file(folder)
    path.rename(tmp_path / "real")
    path.symlink_to(tmp_path / "real")
    assert is_left_alone(folder)


@POSIX
def test_what_is_no_file_is_not_read(folder: Path) -> None:
    run()
    path = only_file(folder)
    path.unlink()
    os.mkfifo(path, 0o600)
    assert run() == NOT_FOUND
    assert run() == FOUND


# ---- Where nothing can be written.


def test_a_folder_that_cannot_be_made_is_done_without(folder: Path, reasons: Callable[[], str]) -> None:
    folder.write_text("a file")
    assert run() == run() == NOT_FOUND
    assert folder.read_text() == "a file"
    assert "is not used" in reasons()


@pytest.mark.parametrize("error", [errno.EROFS, errno.EACCES])
def test_a_folder_that_cannot_be_written_to_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    run()
    open_ = os.open

    def read_only(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if flags & os.O_CREAT:
            raise OSError(error, os.strerror(error))
        return open_(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", read_only)
    assert run() == FOUND
    assert run(5) == run(5) == NOT_FOUND


def test_a_full_disk_leaves_nothing_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    before = sorted(folder.iterdir())

    def full(fd: int, data: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    assert run(5) == NOT_FOUND
    assert sorted(folder.iterdir()) == before
    assert run() == FOUND


def test_a_write_that_is_interrupted_leaves_the_old_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    path = only_file(folder)
    before = path.read_bytes()

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupted)
        module = compiled.create().compile(parse(text(1)))
        shelf: ModuleShelf = module.valid.prepared[UNITS].shelf
        shelf.validated()
        with pytest.raises(KeyboardInterrupt):
            PENDING.write()
    assert path.read_bytes() == before
    assert sorted(folder.iterdir()) == sorted([path, folder / KEY_FILE])
    PENDING.write()
    assert run() == FOUND


# ---- Size.


@pytest.fixture
def three_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files of three modules that were used an hour after each other; whoever writes looks at their size."""
    monkeypatch.setattr(cache, "SHRINK_EVERY", 1)
    files: list[Path] = []
    for number in (1, 3, 5):
        run(number)
        files += sorted(set(folder.glob("*.code")) - set(files))
        used = time.time() - 3600 * (10 - len(files))
        os.utime(files[-1], (used, used))
    return files


@pytest.mark.parametrize(("limit", "value"), [("MAX_BYTES", 2 * cache_folder.BLOCK), ("MAX_FILES", 2)])
def test_what_was_not_used_for_longest_goes_where_there_is_too_much(
    folder: Path, three_files: list[Path], monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(cache, limit, value)
    run(7)
    assert [path.exists() for path in three_files] == [False, False, True]
    assert len(list(folder.glob("*.code"))) == 2
    assert (folder / KEY_FILE).exists()


def test_what_is_read_after_a_day_was_used(folder: Path) -> None:
    run()
    path = only_file(folder)
    long_ago = time.time() - 3 * cache_folder.TOUCH_SECONDS
    os.utime(path, (long_ago, long_ago))
    assert run() == FOUND
    assert path.stat().st_mtime > time.time() - 60


def test_what_was_never_written_to_its_end_goes(folder: Path, three_files: list[Path]) -> None:
    old, new = folder / f"{TEMPORARY}old", folder / f"{TEMPORARY}new"
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    long_ago = time.time() - 2 * cache_folder.STALE_SECONDS
    os.utime(old, (long_ago, long_ago))
    run(7)
    assert (old.exists(), new.exists()) == (False, True)


def test_a_file_that_is_too_large_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    monkeypatch.setattr(cache, "MAX_BYTES", only_file(folder).stat().st_size - 1)
    assert run() == NOT_FOUND


# ---- Where it is.


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {"HOME": "/home/u"}, "/home/u/.cache/wascc"),
        ("linux", {"HOME": "/home/u", "XDG_CACHE_HOME": "/var/u"}, "/var/u/wascc"),
        ("linux", {"HOME": "/home/u", "XDG_CACHE_HOME": "relative"}, "/home/u/.cache/wascc"),
        ("linux", {"HOME": "/home/u", "XDG_CACHE_HOME": ""}, "/home/u/.cache/wascc"),
        ("darwin", {"HOME": "/Users/u", "XDG_CACHE_HOME": "/var/u"}, "/Users/u/Library/Caches/wascc"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/wascc"),
        ("win32", {}, None),
        ("linux", {"HOME": "relative"}, None),
        ("linux", {"HOME": "/home/u", FOLDER_VARIABLE: "/mine"}, "/mine/wascc"),
    ],
)
def test_the_folder_is_where_the_platform_has_caches(
    monkeypatch: pytest.MonkeyPatch, platform: str, environ: dict[str, str], expected: str | None
) -> None:
    monkeypatch.setattr(cache_folder.sys, "platform", platform)
    monkeypatch.setenv("HOME", environ.get("HOME", "/nobody"))
    found = cache_folder.cache_folder(environ)
    assert (None if found is None else found.as_posix()) == expected


# ---- The form of the files.

parts = st.dictionaries(
    st.tuples(st.integers(0, 1 << 32), st.text(max_size=5)),
    st.tuples(st.binary(max_size=20).map(part_of), st.binary(max_size=20).map(part_of)),
    max_size=4,
)
keys = st.binary(min_size=KEY, max_size=KEY)


@given(st.booleans(), parts, keys, keys)
def test_contents_come_back(valid: bool, parts: dict[Name, tuple[Part, Part]], identity: bytes, key: bytes) -> None:
    contents = Contents.of(file_of(valid, parts, identity, key), identity, key)
    assert (contents.valid, contents.parts()) == (valid, parts)


@given(st.booleans(), parts, keys, keys, st.data())
def test_changed_contents_are_refused_or_missing(
    valid: bool, parts: dict[Name, tuple[Part, Part]], identity: bytes, key: bytes, data: st.DataObject
) -> None:
    file = file_of(valid, parts, identity, key)
    start = data.draw(st.integers(0, len(file) - 1))
    stop = data.draw(st.integers(start, min(len(file), start + 8)))
    changed = file[:start] + data.draw(st.binary(max_size=8)) + file[stop:]
    try:
        contents = Contents.of(changed, identity, key)
    except UntrustedError:
        return
    assert contents.valid == valid
    assert contents.parts().items() <= parts.items()


@given(st.booleans(), parts, keys, keys, keys)
def test_contents_belong_to_one_identity_and_one_key(
    valid: bool, parts: dict[Name, tuple[Part, Part]], identity: bytes, key: bytes, other: bytes
) -> None:
    file = file_of(valid, parts, identity, key)
    for wrong in ((other, key), (identity, other)):
        if wrong != (identity, key):
            with pytest.raises(UntrustedError):
                Contents.of(file, *wrong)


def test_code_is_code() -> None:
    """What is loaded is a code object of the function that was asked for."""
    run()
    module = compiled.create().compile(parse(text(1)))
    options = compiled.create().store().runner.options  # type: ignore[attr-defined]
    found = module.valid.prepared[UNITS].shelf.load(1, options)
    assert isinstance(found[0], CodeType)
    assert (found[0].co_name, found[1]) == ("f1", False)
