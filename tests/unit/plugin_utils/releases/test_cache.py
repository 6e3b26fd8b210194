# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
import errno
import hashlib
import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.plugin_utils.releases import cache

CONTENT = b"an archive" * 1000
DIGEST = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
NAME = "go1.27.4.linux-amd64.tar.gz"
FORK = multiprocessing.get_context("fork")


def verify(path: str) -> None:
    if hashlib.sha256(Path(path).read_bytes()).hexdigest() != DIGEST[len("sha256:") :]:
        raise GoHostError("wrong checksum", path)


class Server:
    """What fetch reaches: counts the visits in a file, so that processes share the count."""

    def __init__(self, directory: Path, body: bytes = CONTENT, seconds: float = 0.0) -> None:
        self.log, self.body, self.seconds = directory / "visits", body, seconds

    def __call__(self, target: BinaryIO) -> None:
        with open(self.log, "a") as file:
            file.write("x")
        target.write(self.body[:10])
        time.sleep(self.seconds)
        target.write(self.body[10:])

    @property
    def visits(self) -> int:
        return len(self.log.read_text()) if self.log.exists() else 0


def obtain(directory: Path, fetch: Callable[[BinaryIO], Any], **options: Any) -> cache.Obtained:
    return cache.DownloadCache(directory / "downloads").obtain(NAME, [DIGEST], fetch, verify, **options)


def kept(directory: Path) -> set[str]:
    return {entry.name.split("-", 1)[1] for entry in (directory / "downloads").iterdir()}


ALL = {NAME, f"{NAME}.stamp", f"{NAME}.lock"}


def test_fetched_once(tmp_path: Path) -> None:
    server = Server(tmp_path)
    first = obtain(tmp_path, server)
    assert first.fresh
    assert Path(first.path).read_bytes() == CONTENT
    assert os.path.basename(first.path).endswith("-" + NAME)
    assert obtain(tmp_path, server) == (first.path, False)
    assert obtain(tmp_path, server, reverify=True) == (first.path, False)
    assert server.visits == 1
    assert kept(tmp_path) == ALL
    assert all(entry.stat().st_mode & 0o077 == 0 for entry in [tmp_path / "downloads", *(tmp_path / "downloads").iterdir()])


def test_another_digest_is_another_file(tmp_path: Path) -> None:
    store, server = cache.DownloadCache(tmp_path / "downloads"), Server(tmp_path)
    first = store.obtain(NAME, [DIGEST, "sha256:" + "0" * 64], server, verify)
    assert store.obtain(NAME, ["sha256:" + "0" * 64, DIGEST], server, verify) == (first.path, False)
    second = store.obtain(NAME, [DIGEST], server, verify)
    assert second.fresh
    assert second.path != first.path


def test_a_name_cannot_leave_the_directory(tmp_path: Path) -> None:
    path = cache.DownloadCache(tmp_path / "downloads").obtain("../../x", [DIGEST], Server(tmp_path), verify).path
    assert Path(path).parent == tmp_path / "downloads"


def damage_content(path: Path) -> None:
    seen = path.stat()
    path.write_bytes(b"X" + CONTENT[1:])
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def replace_file(path: Path) -> None:
    path.unlink()
    path.write_bytes(CONTENT)


DAMAGES: list[Callable[[Path], Any]] = [
    damage_content,
    replace_file,
    lambda path: path.write_bytes(CONTENT[:-1]),
    lambda path: path.unlink(),
    lambda path: path.with_name(path.name + ".stamp").unlink(),
    lambda path: path.with_name(path.name + ".stamp").write_bytes(b""),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_touched_file_is_fetched_again(tmp_path: Path, damage: Callable[[Path], Any]) -> None:
    server = Server(tmp_path)
    path = Path(obtain(tmp_path, server).path)
    damage(path)
    assert obtain(tmp_path, server) == (str(path), True)
    assert path.read_bytes() == CONTENT
    assert obtain(tmp_path, server) == (str(path), False)
    assert server.visits == 2


def test_reverify_finds_what_the_stamp_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(tmp_path)
    path = Path(obtain(tmp_path, server).path)
    path.write_bytes(b"X" + CONTENT[1:])
    path.with_name(path.name + ".stamp").write_bytes(cache._looks(path))  # as if the disk had lost a bit
    assert not obtain(tmp_path, server).fresh
    assert obtain(tmp_path, server, reverify=True).fresh
    assert path.read_bytes() == CONTENT


def test_what_does_not_match_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(GoHostError, match="wrong checksum"):
        obtain(tmp_path, Server(tmp_path, b"something else"))
    assert kept(tmp_path) == {f"{NAME}.lock"}
    assert obtain(tmp_path, Server(tmp_path)).fresh


def test_a_failed_fetch_leaves_nothing(tmp_path: Path) -> None:
    def fetch(target: BinaryIO) -> None:
        target.write(b"half")
        raise GoHostError("timed out")

    with pytest.raises(GoHostError, match="timed out"):
        obtain(tmp_path, fetch)
    assert kept(tmp_path) == {f"{NAME}.lock"}


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    def fetch(target: BinaryIO) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(GoHostError, match=r"cannot write the download cache: .*No space left on device: make room"):
        obtain(tmp_path, fetch)
    assert kept(tmp_path) == {f"{NAME}.lock"}


def test_a_directory_that_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "downloads").write_text("")
    with pytest.raises(GoHostError, match="the cache directory is no directory"):
        obtain(tmp_path, Server(tmp_path))


def test_a_directory_open_to_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads").chmod(0o770)
    with pytest.raises(GoHostError, match="open to others"):
        obtain(tmp_path, Server(tmp_path))


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    path = Path(obtain(tmp_path, Server(tmp_path)).path)
    lock = path.with_name(path.name + ".lock")
    lock.unlink()
    (tmp_path / "victim").write_text("precious")
    lock.symlink_to(tmp_path / "victim")
    with pytest.raises(GoHostError, match="cannot use the lock file"):
        obtain(tmp_path, Server(tmp_path))
    assert (tmp_path / "victim").read_text() == "precious"


def in_a_process(directory: Path, server: Server) -> tuple[str, bool, int]:
    found = obtain(directory, server)
    return found.path, found.fresh, os.path.getsize(found.path)


def test_twenty_processes_cause_one_download(tmp_path: Path) -> None:
    server = Server(tmp_path, seconds=0.3)
    with FORK.Pool(20) as pool:
        answers = pool.starmap(in_a_process, [(tmp_path, server)] * 60, chunksize=1)
    assert server.visits == 1
    assert [answer[1] for answer in answers].count(True) == 1
    assert {(answer[0], answer[2]) for answer in answers} == {(answers[0][0], len(CONTENT))}


def test_twenty_threads_cause_one_download(tmp_path: Path) -> None:
    server, answers = Server(tmp_path, seconds=0.2), []
    threads = [threading.Thread(target=lambda: answers.append(obtain(tmp_path, server))) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.visits == 1
    assert [answer.fresh for answer in answers].count(True) == 1


class NotFound(GoHostError):
    not_found = True
    status = 404


def in_vain(directory: Path, origin: str) -> tuple[str, bool]:
    def fetch(target: BinaryIO) -> None:
        with open(directory / "visits", "a") as file:
            file.write("x")
        time.sleep(0.5)
        raise NotFound("404", origin)

    try:
        obtain(directory, fetch, origin=origin)
    except GoHostError as error:
        return str(error), getattr(error, "not_found", False) and getattr(error, "status", 0) == 404
    return "", False


def test_those_who_wait_share_a_failure(tmp_path: Path) -> None:
    with FORK.Pool(10) as pool:
        answers = pool.starmap(in_vain, [(tmp_path, "a.test")] * 10, chunksize=1)
    assert set(answers) == {("404: a.test", True)}
    assert len((tmp_path / "visits").read_text()) < 5
    assert obtain(tmp_path, Server(tmp_path)).fresh, "who comes later tries for himself"


def test_the_note_of_a_failure_is_whole(tmp_path: Path) -> None:
    for message in ("a long story" * 20, "short"):
        with pytest.raises(GoHostError, match=message), cache.turn(tmp_path / "lock"):
            raise GoHostError(message)
    assert json.loads((tmp_path / "lock").read_text())["what"] == "short"


def test_a_failure_elsewhere_is_not_shared(tmp_path: Path) -> None:
    with FORK.Pool(3) as pool:
        answers = pool.starmap(in_vain, [(tmp_path, origin) for origin in ("a.test", "b.test", "c.test")], chunksize=1)
    assert {answer[0] for answer in answers} == {"404: a.test", "404: b.test", "404: c.test"}


@pytest.mark.parametrize("reverse", [False, True])
def test_killed_processes_leave_nothing_for_long(tmp_path: Path, reverse: bool) -> None:
    def forever(target: BinaryIO) -> None:
        target.write(b"half")
        target.flush()
        (tmp_path / "ready").touch()
        time.sleep(60)

    def other() -> None:
        cache.DownloadCache(tmp_path / "downloads").obtain("other", ["sha256:0"], forever, verify)

    runs: list[Callable[[], object]] = [lambda: obtain(tmp_path, forever), other]
    for run in reversed(runs) if reverse else runs:
        child = FORK.Process(target=run)
        child.start()
        while not (tmp_path / "ready").exists():
            time.sleep(0.01)
        (tmp_path / "ready").unlink()
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
    stray = tmp_path / "downloads" / ".tmpold"
    stray.touch()
    os.utime(stray, (0, 0))
    assert len(list((tmp_path / "downloads").glob("*.part"))) == 1, "the second one has swept"
    assert obtain(tmp_path, Server(tmp_path)).fresh
    assert {entry.name.split("-", 1)[-1] for entry in (tmp_path / "downloads").iterdir()} == {*ALL, "other.lock"}


def test_a_download_under_way_is_left_alone(tmp_path: Path) -> None:
    proceed = threading.Event()
    begun = threading.Event()

    def slow(target: BinaryIO) -> None:
        begun.set()
        proceed.wait(10)
        target.write(CONTENT)

    store = cache.DownloadCache(tmp_path / "downloads")
    answers: list[cache.Obtained] = []
    thread = threading.Thread(target=lambda: answers.append(store.obtain("slow", [DIGEST], slow, verify)))
    thread.start()
    begun.wait(10)
    assert obtain(tmp_path, Server(tmp_path)).fresh
    proceed.set()
    thread.join()
    assert Path(answers[0].path).read_bytes() == CONTENT


def test_write_atomically(tmp_path: Path) -> None:
    cache.write_atomically(tmp_path / "x", b"1")
    cache.write_atomically(tmp_path / "x", b"2")
    assert (tmp_path / "x").read_bytes() == b"2"
    (tmp_path / "d").mkdir()
    with pytest.raises(OSError, match="directory"):
        cache.write_atomically(tmp_path / "d", b"3")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["d", "x"]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"XDG_CACHE_HOME": "/var/cache"}, "/var/cache/gohost.linux"),
        ({"XDG_CACHE_HOME": "relative"}, os.path.expanduser("~/.cache/gohost.linux")),
        ({}, os.path.expanduser("~/.cache/gohost.linux")),
    ],
)
def test_default_dir(environ: dict[str, str], expected: str) -> None:
    assert cache.default_dir(environ) == Path(expected)
