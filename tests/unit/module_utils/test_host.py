# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
import contextlib
import ctypes
import errno
import os
import pathlib
import shutil
import stat
import struct
import sys
import threading
import time
from typing import Any, Callable, Iterator, List, Optional

import pytest

from ansible_collections.gohost.linux.plugins.module_utils import host
from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.host import FileStat, explained
from tests.fakes.host import RealHost

HOST = RealHost()


def mode(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: Any) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_create_and_mkdir_past_the_umask(tmp_path: pathlib.Path) -> None:
    HOST.create(str(tmp_path / "file"), 0o644, iter([b"one ", b"", b"two"]))
    HOST.create(str(tmp_path / "program"), 0o755, ())
    HOST.mkdir(str(tmp_path / "directory"), 0o755)
    assert (tmp_path / "file").read_bytes() == b"one two"
    assert [mode(tmp_path / name) for name in ("file", "program", "directory")] == [0o644, 0o755, 0o755]


def test_create_never_writes_over_anything(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("elsewhere")
    for name in ("file", "link"):
        with pytest.raises(FileExistsError):
            HOST.create(str(tmp_path / name), 0o644, [b"new"])
    assert (tmp_path / "file").read_text() == "old"
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_is_private_until_it_is_whole(tmp_path: pathlib.Path) -> None:
    seen: List[int] = []

    def chunks() -> Iterator[bytes]:
        yield b"1"
        seen.append(mode(tmp_path / "file"))
        yield b"2"

    HOST.create(str(tmp_path / "file"), 0o755, chunks())
    assert seen == [0o600]


def test_open_new_is_private_and_can_be_read_again(tmp_path: pathlib.Path) -> None:
    with HOST.open_new(str(tmp_path / "file")) as target:
        target.write(b"data")
        target.seek(0)
        assert target.read() == b"data"
        assert mode(tmp_path / "file") == 0o600
    with pytest.raises(FileExistsError):
        HOST.open_new(str(tmp_path / "file"))


def test_stat_says_what_stands_there(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "file").chmod(0o4750)
    (tmp_path / "link").symlink_to("nowhere")
    os.mkfifo(str(tmp_path / "fifo"))
    uid, gid = os.geteuid(), (tmp_path / "file").stat().st_gid
    assert HOST.stat(str(tmp_path / "file")) == FileStat("file", 0o4750, uid, gid, 3)
    assert HOST.stat(str(tmp_path / "link")) == FileStat("link", 0o777, uid, gid, 7, "nowhere")
    kinds = [HOST.stat(str(path)) for path in (tmp_path, tmp_path / "fifo")]
    assert [found and found.kind for found in kinds] == ["directory", "other"]
    assert HOST.stat(str(tmp_path / "none")) is None
    assert HOST.stat(str(tmp_path / "file" / "below")) is None


def test_listing(tmp_path: pathlib.Path) -> None:
    for name in ("b", "a", ".c"):
        (tmp_path / name).write_text("")
    assert HOST.listing(str(tmp_path)) == [".c", "a", "b"]
    assert HOST.listing(str(tmp_path / "none")) == []
    assert HOST.listing(str(tmp_path / "a")) == []
    assert HOST.listing(str(tmp_path / "a" / "x")) == []


def test_tree_is_all_of_it_and_follows_no_link(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_bytes(b"abc")
    (tmp_path / "a/up").symlink_to("..")
    top, *below = HOST.tree(str(tmp_path))
    assert top.path == "." and stat.S_ISDIR(top.mode) and top.uid == os.geteuid()
    entries = {entry.path: entry for entry in below}
    assert sorted(entries) == ["a", "a/b", "a/b/file", "a/up"]
    assert entries["a/b/file"].size == 3
    assert stat.S_ISLNK(entries["a/up"].mode) and stat.S_ISDIR(entries["a/b"].mode) and stat.S_ISREG(entries["a/b/file"].mode)


def _digest(path: pathlib.Path) -> str:
    return HOST.tree_digest(str(path), "settings")


def test_tree_digest_is_of_what_may_not_change(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a/settings").mkdir(parents=True)
    (tmp_path / "file").write_bytes(b"abc")
    seen = {_digest(tmp_path)}

    def changed() -> bool:
        before = len(seen)
        seen.add(_digest(tmp_path))
        return len(seen) > before

    (tmp_path / "settings").write_text("one")
    assert not changed()
    for touch in (
        lambda: os.utime(str(tmp_path / "file"), ns=(5, 1_234_567_891_234_567_891)),
        lambda: (tmp_path / "file").chmod(0o777),
        lambda: (tmp_path / "a").chmod(0o700),
        lambda: tmp_path.chmod(0o711),
        lambda: (tmp_path / "a/new").write_text(""),
        (tmp_path / "a/settings").rmdir,
        lambda: (tmp_path / "a/settings").write_text("in another directory"),
        lambda: (tmp_path / "a/new").rename(tmp_path / "new"),
        lambda: (tmp_path / "link").symlink_to("a"),
    ):
        touch()
        assert changed()
    os.utime(str(tmp_path / "a"), ns=(5, 5))
    (tmp_path / "a/settings").rename(tmp_path / "a/x")
    (tmp_path / "a/x").rename(tmp_path / "a/settings")
    assert not changed()


def test_a_large_tree_has_one_digest_by_one_process_and_by_two(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(300):
        directory = tmp_path / f"{number}" / "\u00c4"
        directory.mkdir(parents=True)
        (directory / "file").write_bytes(b"x" * number)
    forks: List[int] = []
    fork = os.fork

    def counted() -> int:
        forks.append(1)
        return fork()

    monkeypatch.setattr(os, "fork", counted)
    found = []
    for cpus in (1, 2, 2):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid, cpus=cpus: set(range(cpus)))
        found.append(_digest(tmp_path))
    assert len(set(found)) == 1 and len(forks) == 2
    (tmp_path / "299/\u00c4/file").write_bytes(b"")
    assert _digest(tmp_path) != found[0]


def test_what_the_other_process_fails_at_is_done_here(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(300):
        (tmp_path / f"{number}").mkdir()
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    alone = _digest(tmp_path)
    listdir, here = os.listdir, os.getpid()

    def broken(path: Any) -> List[str]:
        if os.getpid() != here:
            raise OSError(errno.EIO, "Input/output error")
        return listdir(path)

    monkeypatch.setattr(os, "listdir", broken)
    assert _digest(tmp_path) == alone
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)  # none is left


def test_who_helps_ends_when_its_parent_is_killed(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has inherited the lock, and more to tell than a pipe holds."""
    for number in range(5000):
        (tmp_path / f"{number}").mkdir()
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    digests = host._digests

    def work() -> int:
        os.setpgid(0, 0)
        parent = os.getpid()

        def killed(root: str, waiting: List[str]) -> Any:
            if os.getpid() == parent:
                time.sleep(0.3)
                os.kill(parent, 9)
            return digests(root, waiting)

        monkeypatch.setattr(host, "_digests", killed)
        with HOST.lock(str(tmp_path), 0):
            _digest(tmp_path)
        return 1

    child = in_child(work)
    try:
        assert os.waitpid(child, 0)[1] == 9
        with HOST.lock(str(tmp_path), 5):
            pass
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, 9)


def test_read_has_a_limit(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 100)
    assert HOST.read(str(tmp_path / "file"), limit=100) == b"x" * 100
    with pytest.raises(GoHostError, match="larger than the 99 bytes"):
        HOST.read(str(tmp_path / "file"), limit=99)


def test_remove(tmp_path: pathlib.Path) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to("directory")
    (tmp_path / "file").write_text("")
    for name in ("link", "directory", "file"):
        HOST.remove(str(tmp_path / name))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "full/x").mkdir(parents=True)
    with pytest.raises(OSError, match="not empty"):
        HOST.remove(str(tmp_path / "full"))
    HOST.remove_tree(str(tmp_path / "full"))
    assert list(tmp_path.iterdir()) == []


# ---- exchange


class NoSwap:
    """A libc without renameat2."""


class OldKernel:
    """A libc with renameat2, and a kernel or file system without RENAME_EXCHANGE."""

    def __init__(self, code: int) -> None:
        self.code = code

    def renameat2(self, *_given: Any) -> int:
        ctypes.set_errno(self.code)
        return -1


@pytest.fixture(params=["renameat2", "no renameat2", "ENOSYS", "EINVAL"])
def swapping(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "renameat2":
        if not hasattr(ctypes.CDLL(None), "renameat2"):
            pytest.skip("this libc has no renameat2")
        return
    libc: Any = NoSwap() if request.param == "no renameat2" else OldKernel(getattr(errno, request.param))
    monkeypatch.setattr(ctypes, "CDLL", lambda *_given, **_named: libc)


def make(path: pathlib.Path, kind: str) -> None:
    if kind == "directory":
        (path / "sub").mkdir(parents=True)
    elif kind == "link":
        path.symlink_to("dangling")
    else:
        path.write_text("text")


@pytest.mark.usefixtures("swapping")
@pytest.mark.parametrize(("one", "other"), [("directory", "directory"), ("link", "file"), ("link", "directory"), ("file", "link"), ("directory", "file")])
def test_exchange(one: str, other: str, tmp_path: pathlib.Path) -> None:
    make(tmp_path / "one", one)
    make(tmp_path / "other", other)
    HOST.exchange(str(tmp_path / "one"), str(tmp_path / "other"))
    found = [HOST.stat(str(tmp_path / name)) for name in ("one", "other")]
    assert [seen and seen.kind for seen in found] == [other, one]
    assert sorted(os.listdir(str(tmp_path))) == ["one", "other"]


@pytest.mark.usefixtures("swapping")
def test_exchange_with_nothing_changes_nothing(tmp_path: pathlib.Path) -> None:
    make(tmp_path / "one", "file")
    with pytest.raises(FileNotFoundError):
        HOST.exchange(str(tmp_path / "one"), str(tmp_path / "other"))
    assert os.listdir(str(tmp_path)) == ["one"]


def test_exchange_says_other_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    libc = OldKernel(errno.EACCES)
    monkeypatch.setattr(ctypes, "CDLL", lambda *_given, **_named: libc)
    with pytest.raises(PermissionError, match="/one"):
        HOST.exchange("/one", "/other")


def test_sync(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError):
        HOST.sync(str(tmp_path / "none"))
    called: List[str] = []
    monkeypatch.setattr(ctypes, "CDLL", lambda *_given, **_named: NoSwap())
    monkeypatch.setattr(os, "sync", lambda: called.append("sync"))
    HOST.sync(str(tmp_path))
    assert called == ["sync"]


# ---- lock


def in_child(work: Callable[[], int]) -> int:
    """Run in a forked process; returns its pid."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            code = work()
        finally:
            os._exit(code)
    return pid


def code_of(pid: int) -> int:
    return os.WEXITSTATUS(os.waitpid(pid, 0)[1])


def test_two_processes_never_hold_it_together(tmp_path: pathlib.Path) -> None:
    def work() -> int:
        for _again in range(5):
            with HOST.lock(str(tmp_path), 20):
                inside = tmp_path / "inside"
                if inside.exists():
                    return 1
                inside.write_text("")
                time.sleep(0.01)
                inside.unlink()
        return 0

    children = [in_child(work) for _again in range(2)]
    assert [code_of(child) for child in children] == [0, 0]


def test_it_waits_and_then_says_so(tmp_path: pathlib.Path) -> None:
    def work() -> int:
        start = time.monotonic()
        try:
            with HOST.lock(str(tmp_path), 0.3):
                return 1
        except GoHostError as error:
            expected = f"another run holds this directory for more than 0.3 s: {tmp_path}. Wait for it, or raise lock_timeout."
            return 0 if str(error) == expected and 0.3 <= time.monotonic() - start < 3 else 2

    with HOST.lock(str(tmp_path), 0):
        assert code_of(in_child(work)) == 0


def test_without_a_wish_to_wait_it_fails_at_once(tmp_path: pathlib.Path) -> None:
    start = time.monotonic()
    with HOST.lock(str(tmp_path), 0), pytest.raises(GoHostError, match="for more than 0 s"), HOST.lock(str(tmp_path), 0):
        pass
    assert time.monotonic() - start < 0.5
    with HOST.lock(str(tmp_path), 0):  # and is free afterwards
        pass


def test_it_is_free_after_a_kill_and_after_an_error(tmp_path: pathlib.Path) -> None:
    def work() -> int:
        with HOST.lock(str(tmp_path), 0):
            os.kill(os.getpid(), 9)
        return 1

    os.waitpid(in_child(work), 0)
    with pytest.raises(ZeroDivisionError), HOST.lock(str(tmp_path), 0):
        raise ZeroDivisionError
    with HOST.lock(str(tmp_path), 0):
        pass


def test_a_directory_replaced_meanwhile_is_locked_anew(tmp_path: pathlib.Path) -> None:
    """Who waits must hold the directory that stands there at the end, not the one that was removed."""
    store = tmp_path / "store"
    store.mkdir()
    entered, leave = threading.Event(), threading.Event()

    def wait() -> None:
        with HOST.lock(str(store), 10):
            entered.set()
            leave.wait(10)

    waiting = threading.Thread(target=wait)
    with HOST.lock(str(store), 0):
        waiting.start()
        time.sleep(0.15)
        store.rename(tmp_path / "old")
        store.mkdir()
    try:
        assert entered.wait(5)
        with pytest.raises(GoHostError), HOST.lock(str(store), 0):
            pass
        with HOST.lock(str(tmp_path / "old"), 0):
            pass
    finally:
        leave.set()
        waiting.join()


def test_a_directory_removed_meanwhile_is_no_lock(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError), HOST.lock(str(tmp_path / "none"), 5):
        pass


# ---- the rest


def test_free_bytes_as_df_says(tmp_path: pathlib.Path) -> None:
    free = HOST.free_bytes(str(tmp_path))
    usage = shutil.disk_usage(str(tmp_path))
    assert usage.free - (1 << 28) < free <= usage.total


def test_free_bytes_of_a_user_leaves_the_reserve(monkeypatch: pytest.MonkeyPatch) -> None:
    class Seen:
        f_bfree, f_bavail, f_frsize = 10, 7, 4096

    monkeypatch.setattr(os, "statvfs", lambda _path: Seen)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert HOST.free_bytes("/") == 40960
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert HOST.free_bytes("/") == 28672


def test_relabel_where_selinux_is_off(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "exists", lambda path: path != "/sys/fs/selinux/enforce")
    assert HOST.relabel(str(tmp_path)) is False


class Labels:
    """libselinux that notes what it is asked."""

    def __init__(self, answer: int) -> None:
        self.answer = answer
        self.asked: List[Any] = []

    def selinux_restorecon(self, path: bytes, flags: Any) -> int:
        self.asked.append((path, flags.value))
        ctypes.set_errno(errno.EOPNOTSUPP)
        return self.answer


@pytest.mark.parametrize("answer", [0, -1])
def test_relabel_where_selinux_is_on(answer: int, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = Labels(answer)
    monkeypatch.setattr(os.path, "exists", lambda _path: True)
    monkeypatch.setattr(ctypes, "CDLL", lambda name, **_named: labels if name == "libselinux.so.1" else None)
    if answer:
        with pytest.raises(OSError, match="SELinux labels: ") as caught:
            HOST.relabel("/opt/go")
        assert (caught.value.errno, caught.value.filename) == (errno.EOPNOTSUPP, "/opt/go")
    else:
        assert HOST.relabel("/opt/go") is True
    # <selinux/restorecon.h>: recurse, stay on the file system, no digest xattr
    assert labels.asked == [(b"/opt/go", 0x1 | 0x8 | 0x80 | 0x8000)]


def test_relabel_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_given: Any, **_named: Any) -> None:
        raise OSError("cannot open shared object file")

    monkeypatch.setattr(os.path, "exists", lambda _path: True)
    monkeypatch.setattr(ctypes, "CDLL", missing)
    with pytest.raises(GoHostError, match="SELinux is on but its library cannot be loaded: libselinux.so.1. Install"):
        HOST.relabel("/opt/go")


def test_this_process_is_among_the_processes() -> None:
    assert (os.getpid(), os.path.realpath(sys.executable)) in HOST.processes()


def test_the_machine() -> None:
    assert HOST.machine() == (os.uname().machine, struct.calcsize("P") * 8)
    assert HOST.euid() == os.geteuid()


def test_real(tmp_path: pathlib.Path) -> None:
    (tmp_path / "directory/sub").mkdir(parents=True)
    (tmp_path / "link").symlink_to("directory")
    assert HOST.real(str(tmp_path / "link/sub")) == os.path.realpath(str(tmp_path / "directory/sub"))


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (errno.ENOSPC, "Free some space there"),
        (errno.EDQUOT, "The quota is used up"),
        (errno.EROFS, "The file system is read-only"),
        (errno.ENOTDIR, "Something else stands there"),
        (errno.EACCES, "use become"),
        (errno.EPERM, "use become"),
        (errno.EIO, None),
    ],
)
def test_explained(code: int, hint: Optional[str]) -> None:
    error = explained(OSError(code, os.strerror(code).lower(), "/opt/go"))
    assert str(error).startswith(f"{os.strerror(code)[0]}{os.strerror(code)[1:].lower()}: /opt/go")
    assert hint is None or hint in str(error)
    assert "\n" not in str(error)


def test_explained_without_a_file() -> None:
    assert str(explained(OSError("it broke"))) == "It broke"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (("what",), "what"),
        (("what", "value"), "what: value"),
        (("what", "value", "Do it."), "what: value. Do it."),
        (("what.", None, "Do it."), "what. Do it."),
        (("two\nlines", " and\tmore "), "two lines: and more"),
        (("what", ""), "what:"),
        (("what", 0), "what: 0"),
    ],
)
def test_errors_are_one_line(given: Any, text: str) -> None:
    assert str(GoHostError(*given)) == text
