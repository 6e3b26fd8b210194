# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store's files, locks and calling conventions, with a library of the tests; libsemanage itself is run in a virtual machine."""

import errno
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.selinux import store as stores
from ansible_collections.gohost.linux.plugins.module_utils.selinux.model import LOST, NOT_INSTALLED, NOT_LOADED, Place
from ansible_collections.gohost.linux.plugins.module_utils.selinux.store import SemanageStore, StoreError, store_directory


class Library:
    """What the calls of `import semanage` answer: functions by name, the others succeed."""

    SEMANAGE_CON_DIRECT, SEMANAGE_CAN_READ = 1, 1

    def __init__(self, **functions: Callable[..., Any]) -> None:
        self.functions = functions
        self.called: List[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            self.called.append(name)
            answer = self.functions.get(name)
            if answer is not None:
                return answer(*given)
            return 1 if name in ("semanage_is_managed", "semanage_access_check") else 0

        return call


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = Place(str(tmp_path), "default", f"{tmp_path}/var/lib/selinux/default")
    os.makedirs(f"{found.directory}/active")
    os.makedirs(f"{found.policy}/policy")
    os.makedirs(f"{found.policy}/contexts/files")
    for path in (f"{found.directory}/active/policy.kern", f"{found.policy}/policy/policy.33"):
        Path(path).write_bytes(b"policy")
    for name in ("file_contexts", "file_contexts.homedirs"):
        Path(f"{found.directory}/active/{name}").write_text(name)
        Path(f"{found.policy}/contexts/files/{name}").write_text(name)
    for kind in ("read", "trans"):
        Path(f"{found.directory}/semanage.{kind}.LOCK").touch()
    return found


@pytest.fixture
def store(place: Place, monkeypatch: pytest.MonkeyPatch) -> SemanageStore:
    return made(place, Library(), monkeypatch)


def made(place: Place, library: Library, monkeypatch: pytest.MonkeyPatch, timeout: float = 0.2) -> SemanageStore:
    monkeypatch.setattr(stores, "bindings", lambda: library)
    return SemanageStore(place, timeout)


def test_finished(store: SemanageStore) -> None:
    assert store.unfinished(True) == ""


UNFINISHED: Dict[str, Callable[[Place], None]] = {
    "another policy": lambda place: write(f"{place.policy}/policy/policy.33", "older"),
    "no policy": lambda place: os.remove(f"{place.policy}/policy/policy.33"),
    "other rules": lambda place: write(f"{place.policy}/contexts/files/file_contexts", "older"),
    "no rules": lambda place: os.remove(f"{place.policy}/contexts/files/file_contexts"),
    "no local rules": lambda place: write(f"{place.directory}/active/file_contexts.local", "new"),
    "other logins": lambda place: write(f"{place.directory}/active/seusers", "new"),
}


def write(path: str, text: str) -> None:
    Path(path).write_text(text)


@pytest.mark.parametrize("name", UNFINISHED)
def test_not_installed(name: str, store: SemanageStore, place: Place) -> None:
    UNFINISHED[name](place)
    assert store.unfinished(False) == NOT_INSTALLED


FINISHED: Dict[str, Callable[[Place], None]] = {
    "an older policy beside it": lambda place: write(f"{place.policy}/policy/policy.31", "older"),
    "a newer policy beside it": lambda place: write(f"{place.policy}/policy/policy.35", "other"),
    "homes are not for genhomedircon": lambda place: os.remove(f"{place.policy}/contexts/files/file_contexts.homedirs"),
    "a store without a policy": lambda place: os.remove(f"{place.directory}/active/policy.kern"),
}


@pytest.mark.parametrize("name", FINISHED)
def test_installed(name: str, store: SemanageStore, place: Place) -> None:
    FINISHED[name](place)
    assert store.unfinished(True) == ""


def test_lost_and_recovered(store: SemanageStore, place: Place) -> None:
    os.rename(f"{place.directory}/active", f"{place.directory}/previous")
    assert store.unfinished(True) == LOST
    store.recover()
    assert store.unfinished(True) == "" and not os.path.exists(f"{place.directory}/previous")


def test_nothing_was_ever_there(store: SemanageStore, place: Place) -> None:
    os.rename(f"{place.directory}/active", f"{place.directory}/elsewhere")
    assert store.unfinished(True) == ""


@pytest.mark.parametrize(
    ("written", "loaded", "said"),
    [
        (-50, -40, ""),
        (-50, -60, NOT_LOADED),
        (-50, -5000, NOT_LOADED),  # the clock was wrong at boot
        (-2000, -5000, ""),  # older than the boot
        (500, -60, ""),  # from the future
    ],
)
def test_not_loaded(written: int, loaded: int, said: str, place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    now = int(time.time())
    os.makedirs(f"{tmp_path}/fs/class/process")
    write(f"{tmp_path}/fs/class/process/index", "1")
    os.utime(f"{tmp_path}/fs/class/process/index", (now + loaded, now + loaded))
    os.utime(f"{place.policy}/policy/policy.33", (now + written, now + written))
    monkeypatch.setattr(stores, "_SELINUXFS", f"{tmp_path}/fs")
    write(f"{tmp_path}/uptime", "1000.00 2000.00")
    monkeypatch.setattr(stores, "_UPTIME", f"{tmp_path}/uptime")
    running = made(place._replace(running=True), Library(), monkeypatch)
    assert running.unfinished(True) == said
    assert running.unfinished(False) == ""
    assert made(place, Library(), monkeypatch).unfinished(True) == ""


def test_a_lock_is_waited_for_and_given_up(store: SemanageStore, place: Place) -> None:
    with open(f"{place.directory}/semanage.read.LOCK") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(GoHostError, match="another process holds the policy store for more than 0.2 s"):
            store.unfinished(True)
    assert store.unfinished(True) == ""


def said(text: bytes, answer: Any) -> Callable[..., Any]:
    """A function that writes as C code does, past Python."""

    def function(*_given: Any) -> Any:
        os.write(2, text)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return function


@pytest.mark.parametrize("answer", [-1, [-1], (-1, None), OSError(errno.ENOENT, "x")])
def test_a_refusal_says_what_the_library_said(answer: Any, place: Place, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    failing = made(place, Library(semanage_begin_transaction=said(b"libsemanage.x: no\nway\n", answer)), monkeypatch)
    with pytest.raises(StoreError, match="semanage_begin_transaction failed: libsemanage.x: no | way") as caught:
        failing.begin()
    assert caught.value.said == "libsemanage.x: no\nway\n"
    assert capfd.readouterr() == ("", "")


def test_a_user_who_may_not(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = made(place, Library(semanage_begin_transaction=said(b"", OSError(errno.EACCES, "x"))), monkeypatch)
    with pytest.raises(StoreError, match="Permission denied. This user may not: use become."):
        failing.begin()


@pytest.mark.parametrize(
    ("functions", "message"),
    [
        ({"semanage_is_managed": lambda _handle: 0}, "there is no policy store here"),
        ({"semanage_access_check": lambda _handle: 0}, "cannot be read by this user"),
    ],
)
def test_no_store(functions: Dict[str, Any], message: str, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GoHostError, match=message):
        made(place, Library(**functions), monkeypatch).mls()


@pytest.mark.parametrize("answer", [[0, []], (0, [])])
def test_both_kinds_of_lists(answer: Any, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert made(place, Library(semanage_port_list_local=lambda _handle: answer), monkeypatch).ports() == []


def test_a_lock_that_somebody_took_first_is_tried_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [-1, 0]

    def begin(_handle: Any) -> int:
        os.write(2, b"libsemanage.semanage_get_lock: Could not get direct transaction lock at /x. (Resource temporarily unavailable).\n")
        return answers.pop(0)

    library = Library(semanage_begin_transaction=begin)
    made(place, library, monkeypatch).begin()
    assert library.called.count("semanage_begin_transaction") == 2


@pytest.mark.parametrize(("line", "levels", "asked"), [("/b system_u:object_r:b_t:s0\n", True, 0), ("/b u:r:t\n", False, 0), ("", False, 1)])
def test_levels_are_seen_where_that_is_cheap(line: str, levels: bool, asked: int, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    write(place.stored_file_contexts, line)
    library = Library()
    assert made(place, library, monkeypatch).mls() is levels
    assert library.called.count("semanage_mls_enabled") == asked


def test_an_alternate_root_is_named_before_the_handle(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    made(place, library, monkeypatch).mls()
    assert library.called[:3] == ["semanage_set_root", "semanage_handle_create", "semanage_select_store"]


def test_interpreter_without_bindings() -> None:
    script = f"import sys; sys.path[:0] = {sys.path!r}; sys.modules['semanage'] = None\nfrom {stores.__name__} import bindings\nbindings()"
    ended = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    assert b"ImportError" in ended.stderr or b"ModuleNotFoundError" in ended.stderr


@pytest.mark.parametrize(
    ("root", "conf", "directory"),
    [
        ("/", "", "/var/lib/selinux/targeted"),
        ("/srv/image", "store-root = /x/\n", "/srv/image/x/targeted"),
        ("/", "#store-root=/x\n", "/var/lib/selinux/targeted"),
    ],
)
def test_where_stores_are(root: str, conf: str, directory: str) -> None:
    assert store_directory(root, "targeted", conf) == directory
