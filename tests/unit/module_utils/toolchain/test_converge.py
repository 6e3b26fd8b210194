# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""observe, plan and apply together, on real directories and archives."""

import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import stat
import struct
import subprocess
import threading
import time
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.host import CommandResult, Process
from ansible_collections.gohost.linux.plugins.module_utils.toolchain import archive, observe
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.converge import Outcome
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.model import Layout
from tests.fakes import archives
from tests.fakes.host import BoundedHost, RealHost, SlowSwapHost
from tests.fakes.store import Store

OLD, NEW, THIRD = "1.26.11", "1.27.3", "1.25.14"


@pytest.fixture
def store(tmp_path: pathlib.Path) -> Store:
    return Store(str(tmp_path))


@pytest.fixture
def both(store: Store) -> Store:
    """OLD and NEW installed, NEW the default."""
    store.run(OLD, NEW, default=NEW)
    return store


def actions(outcome: Outcome) -> List[str]:
    return [step.action for step in outcome.decision.plan.steps]


def settled(store: Store, *versions: str, **more: Any) -> Outcome:
    """Check, apply, check, apply: what check said is what apply did, and after that there is nothing to do."""
    before = store.snapshot()
    predicted = store.run(*versions, check=True, **more)
    assert store.snapshot() == before
    outcome = store.run(*versions, **more)
    assert outcome.decision.plan == predicted.decision.plan
    after = store.snapshot()
    for check in (True, False):
        assert not store.run(*versions, check=check, **more).decision.plan.changed
    assert store.snapshot() == after
    assert store.leftovers() == []
    return outcome


@contextlib.contextmanager
def refused(store: Store, match: str) -> Iterator[List[str]]:
    """An error of one line, and the host as before. Gives the message when it is there."""
    before = store.snapshot()
    message: List[str] = []
    with pytest.raises(GoHostError, match=match) as caught:
        yield message
    message.append(str(caught.value))
    assert "\n" not in message[0]
    assert store.snapshot() == before


# ---- install, switch, remove


@pytest.mark.parametrize("form", ["tar.gz", "zip"])
def test_install(form: str, store: Store) -> None:
    outcome = settled(store, NEW, candidates=store.candidates(NEW, form=form))
    assert actions(outcome) == ["install", "default", "link", "link", "link"]
    assert store.go_version() == store.go_version(f"go{NEW}") == NEW
    assert os.readlink(store.layout.current) == NEW
    tree = pathlib.Path(store.layout.tree(NEW))
    found = {str(path.relative_to(tree)): (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) for path in tree.glob("**/*") if path.is_file()}
    assert found == archives.tree(NEW, "amd64", store.count)
    provenance = outcome.after.trees[NEW].manifest
    assert provenance is not None and provenance.provenance.digest == store.candidate(NEW, form).digests[0]
    assert (outcome.before.default, outcome.after.default) == ("", NEW)
    assert outcome.installed[NEW].bytes == 0 and outcome.installed[NEW].refused == ()


def test_side_by_side_and_switch(both: Store) -> None:
    assert (both.go_version(), both.go_version(f"go{OLD}"), both.go_version(f"go{NEW}")) == (NEW, OLD, NEW)
    outcome = settled(both, OLD)
    assert actions(outcome) == ["default"]
    assert both.go_version() == OLD
    outcome = settled(both, rollback_from=OLD)
    assert both.go_version() == NEW
    settled(both, rollback_from=OLD)
    assert both.go_version() == NEW
    both.run(OLD, absent=True)
    with refused(both, "no roll back from Go 1.27.3"):
        both.run(rollback_from=NEW)


def test_nothing_is_fetched_before_it_is_known_to_be_missing(store: Store) -> None:
    outcome = store.run(NEW, candidates={})
    assert (outcome.done, outcome.decision.archives, store.snapshot("opt")) == (False, [NEW], {})


def test_exclusive(both: Store) -> None:
    assert actions(settled(both, NEW, exclusive=True)) == ["unlink", "remove"]
    assert sorted(both.linked()) == ["go", f"go{NEW}", "gofmt"]
    assert sorted(name for name in os.listdir(both.root) if name != ".gohost") == [NEW, "current"]


def test_exclusive_with_another_default(both: Store) -> None:
    settled(both, THIRD, exclusive=True, keep=(OLD,))
    assert both.go_version() == THIRD
    assert sorted(both.linked()) == ["go", f"go{THIRD}", f"go{OLD}", "gofmt"]


def test_the_default_stays_while_others_remain(both: Store) -> None:
    with refused(both, "Go 1.27.3 is not removed: it is the default while others remain"):
        both.run(NEW, absent=True)


def test_absent_of_the_last_leaves_nothing(store: Store) -> None:
    empty = store.snapshot()
    store.run(OLD, NEW, default=NEW)
    assert actions(settled(store, "1.26", "1.27", absent=True)).count("remove") == 2
    del empty["opt"], empty["bin"]
    assert sorted(store.snapshot()) == ["bin", "opt"]


def test_absent_of_the_last_leaves_what_is_not_ours(both: Store) -> None:
    pathlib.Path(both.root, "notes.txt").write_text("mine")
    pathlib.Path(both.links, "other").write_text("mine")
    both.run(OLD, NEW, absent=True)
    assert sorted(both.snapshot()) == ["bin", "bin/other", "opt", "opt/go", "opt/go/notes.txt"]


def test_absent_where_nothing_is(store: Store) -> None:
    before = store.snapshot()
    assert not store.run(NEW, absent=True).decision.plan.changed
    assert store.snapshot() == before


def test_a_root_of_several_new_directories(store: Store) -> None:
    store.run(NEW, root=f"{store.machine}/a/b/go")
    assert store.go_version() == NEW
    assert oct(os.stat(f"{store.machine}/a/b").st_mode)[-3:] == "755"


# ---- links


def test_links_move_with_the_option(both: Store) -> None:
    elsewhere = os.path.join(both.machine, "home/bin")
    settled(both, OLD, NEW, links=elsewhere)
    assert both.linked() == {}
    assert sorted(os.listdir(elsewhere)) == ["go", f"go{OLD}", f"go{NEW}", "gofmt"]
    settled(both, OLD, NEW, links="")
    assert os.listdir(elsewhere) == []


def put(path: str, kind: str) -> None:
    if kind == "file":
        pathlib.Path(path).write_text("#!/bin/sh\necho theirs\n")
    elif kind == "directory":
        os.makedirs(os.path.join(path, "bin"))
        pathlib.Path(path, "bin/go").write_text("theirs")
    else:
        os.symlink("/usr/lib/go-1.19/bin/go", path)


@pytest.mark.parametrize(("kind", "whose"), [("file", "a file of uid"), ("directory", "a directory of uid"), ("link", "a link to /usr/lib/go-1.19/bin/go")])
@pytest.mark.parametrize("name", ["bin/go", "usr-go"])
@pytest.mark.parametrize("hosts", [BoundedHost, SlowSwapHost])
def test_what_is_not_ours_is_refused_moved_aside_and_comes_back(kind: str, whose: str, name: str, hosts: Callable[[str], BoundedHost], store: Store) -> None:
    path = os.path.join(store.machine, name)
    put(path, kind)
    host = hosts(store.base)
    compat: Dict[str, Any] = dict(compat_link=os.path.join(store.machine, "usr-go"))
    before = store.snapshot()
    with refused(store, f"a link cannot be made, for something else stands there: {path} is {whose}.* Set links_force: true"):
        store.run(NEW, host=host, **compat)
    settled(store, NEW, host=host, links_force=True, **compat)
    assert os.readlink(path).startswith(store.root + "/current")
    assert store.go_version() == NEW
    settled(store, NEW, host=host, absent=True, **compat)
    assert store.snapshot() == before


def test_the_error_names_the_package(store: Store) -> None:
    put(f"{store.links}/go", "file")
    for argv, output in (
        (("dpkg-query", "-S"), "golang-go: /usr/bin/go\n"),
        (("rpm", "-qf", "--qf", "%{NAME}"), "golang-bin"),
        (("apk", "info", "-qW"), "go-1.27.3-r0\n"),
    ):
        command = (*argv, f"{store.links}/go")
        host = BoundedHost(store.base, commands={command: CommandResult(command, 0, output, "")})
        with refused(store, f"is package {output.partition(':')[0].strip()}. Set links_force"):
            store.run(NEW, host=host)


def test_moved_aside_then_back_by_another_directory(store: Store) -> None:
    put(f"{store.links}/go", "file")
    theirs = pathlib.Path(store.links, "go").read_bytes()
    store.run(NEW, links_force=True)
    settled(store, NEW, links="")
    assert pathlib.Path(store.links, "go").read_bytes() == theirs
    assert os.listdir(store.links) == ["go"]


def test_a_removed_link_still_gives_back_what_stood_there(store: Store) -> None:
    put(f"{store.links}/go", "file")
    before = store.snapshot()
    store.run(NEW, links_force=True)
    os.remove(f"{store.links}/go")
    settled(store, NEW, absent=True)
    assert store.snapshot() == before


def test_somebody_elses_new_file_is_not_overwritten_by_what_was_moved_aside(store: Store) -> None:
    put(f"{store.links}/go", "file")
    store.run(NEW, links_force=True)
    os.remove(f"{store.links}/go")
    pathlib.Path(store.links, "go").write_text("newer")
    outcome = store.run(NEW, absent=True)
    assert outcome.decision.warnings == (f"left at {store.links}/.go.gohost-saved, for something else stands at {store.links}/go now",)
    assert pathlib.Path(store.links, "go").read_text() == "newer"
    assert sorted(os.listdir(store.links)) == [".go.gohost-saved", "go"]


# ---- tampered trees

Tamper = Callable[[pathlib.Path], object]


def same_size_same_time(tree: pathlib.Path) -> None:
    path = tree / "src/cmd/go.mod"
    seen = path.stat()
    path.write_bytes(path.read_bytes().replace(b"cmd", b"CMD"))
    os.utime(str(path), ns=(seen.st_atime_ns, seen.st_mtime_ns))


def replaced_by_link(tree: pathlib.Path) -> None:
    (tree / "bin/gofmt").unlink()
    (tree / "bin/gofmt").symlink_to("go")


def replaced_by_directory(tree: pathlib.Path) -> None:
    (tree / "bin/gofmt").unlink()
    (tree / "bin/gofmt").mkdir()


def directory_replaced(tree: pathlib.Path) -> None:
    shutil.rmtree(str(tree / "lib"))
    (tree / "lib").write_text("")


def linked_go_env(tree: pathlib.Path) -> None:
    (tree / "go.env").rename(tree / "x")
    (tree / "go.env").symlink_to("x")


TAMPERED: Dict[str, Tuple[Tamper, List[str]]] = {
    "content": (lambda tree: (tree / "bin/go").write_text("x"), ["bin/go: content changed"]),
    "missing": (lambda tree: (tree / "bin/go").unlink(), ["bin/go: missing"]),
    "added": (lambda tree: (tree / "bin/new").write_text("x"), ["bin/new: does not belong there"]),
    "added directory": (lambda tree: (tree / "bin/d").mkdir(), ["bin/d: does not belong there"]),
    "mode": (lambda tree: (tree / "bin/go").chmod(0o777), ["bin/go: mode 0777 instead of 0755"]),
    "setuid": (lambda tree: (tree / "bin/go").chmod(0o4755), ["bin/go: mode 4755 instead of 0755"]),
    "mode of a directory": (lambda tree: (tree / "bin").chmod(0o777), ["bin: mode 0777 instead of 0755"]),
    "mode of the tree": (lambda tree: tree.chmod(0o777), [".: mode 0777 instead of 0755"]),
    "half deleted": (lambda tree: shutil.rmtree(str(tree / "lib")), ["lib/wasm/go_js_wasm_exec: missing", "lib/wasm/wasm_exec.js: missing"]),
    "link": (replaced_by_link, ["bin/gofmt: mode 0777 instead of 0755"]),
    "directory for a file": (replaced_by_directory, ["bin/gofmt: does not belong there"]),
    "file for a directory": (directory_replaced, ["lib: does not belong there", "lib/wasm/go_js_wasm_exec: missing"]),
    "VERSION": (lambda tree: (tree / "VERSION").write_text("go1.27.4\n"), ["VERSION: says 1.27.4", "VERSION: content changed"]),
    "no VERSION": (lambda tree: (tree / "VERSION").unlink(), ["VERSION: says nothing", "VERSION: missing"]),
    "go.env": (lambda tree: (tree / "go.env").open("a").write("GOFLAGS=-x\n"), ["go.env: differs from the release's and the store's settings"]),
    "no go.env": (lambda tree: (tree / "go.env").unlink(), ["go.env: differs from the release's"]),
    "mode of go.env": (lambda tree: (tree / "go.env").chmod(0o666), ["go.env: differs from the release's"]),
    "go.env a link": (
        linked_go_env,
        ["go.env: differs", "go.env: does not belong there", "x: does not belong there"],
    ),
}


@pytest.mark.parametrize("verify", ["quick", "full"])
@pytest.mark.parametrize("name", sorted(TAMPERED))
def test_a_tampered_tree_is_named_and_repaired(name: str, verify: str, both: Store) -> None:
    good = both.snapshot("opt/go/" + NEW)
    tamper, problems = TAMPERED[name]
    tamper(pathlib.Path(both.layout.tree(NEW)))
    with refused(both, f"Go {NEW} is not as it was installed: {both.layout.tree(NEW)}: .* Set repair: true") as message:
        both.run(NEW, verify=verify)
    for problem in problems:
        assert problem in message[0]
    assert actions(settled(both, NEW, verify=verify, repair=True)) == ["repair"]
    assert both.snapshot("opt/go/" + NEW) == good


def test_only_full_sees_a_change_that_keeps_size_and_time(both: Store) -> None:
    same_size_same_time(pathlib.Path(both.layout.tree(NEW)))
    assert not both.run(NEW).decision.plan.changed
    with refused(both, "src/cmd/go.mod: content changed"):
        both.run(NEW, verify="full")
    settled(both, NEW, verify="full", repair=True)


def test_times_alone_are_no_tampering(both: Store) -> None:
    for path in pathlib.Path(both.layout.tree(NEW)).glob("**/*"):
        os.utime(str(path), (1, 1))
    assert not both.run(NEW).decision.plan.changed
    copied = both.layout.tree(NEW) + ".copy"
    shutil.copytree(both.layout.tree(NEW), copied, copy_function=shutil.copy)
    shutil.rmtree(both.layout.tree(NEW))
    os.rename(copied, both.layout.tree(NEW))
    assert not both.run(NEW).decision.plan.changed


def test_what_was_not_asked_for_is_not_looked_at(both: Store) -> None:
    os.remove(both.layout.tree(OLD) + "/bin/gofmt")
    assert not both.run(NEW).decision.plan.changed


def test_a_foreign_tree(store: Store) -> None:
    os.makedirs(store.layout.tree(NEW) + "/bin")
    with refused(store, f"Go {NEW} is not as it was installed: .*: not installed by this collection. Set repair: true"):
        store.run(NEW)
    settled(store, NEW, repair=True)
    assert store.go_version() == NEW


def test_a_foreign_tree_beside_ours(both: Store) -> None:
    os.makedirs(both.layout.tree("1.20") + "/bin")
    outcome = settled(both, NEW, OLD, exclusive=True)
    assert outcome.decision.warnings and "1.20" in outcome.decision.warnings[0]
    with refused(both, "1.20 was not installed by this collection. Remove it by hand"):
        both.run("1.20", absent=True)


@pytest.mark.parametrize("content", [b"", b"{}\n", b"\xff\xfe"])
def test_a_broken_manifest_is_named_and_can_be_repaired(content: bytes, both: Store) -> None:
    pathlib.Path(both.layout.manifest(NEW)).write_bytes(content)
    with refused(both, f"this tree's manifest cannot be read: {both.layout.manifest(NEW)}. Remove that file and run with repair: true"):
        both.run(NEW)
    os.remove(both.layout.manifest(NEW))
    settled(both, NEW, repair=True)


def test_a_broken_state_is_named(both: Store) -> None:
    pathlib.Path(both.layout.state).write_text("{")
    with refused(both, f"the store's state cannot be read: {both.layout.state}"):
        both.run(NEW)


def test_another_architecture(both: Store) -> None:
    both.candidate(NEW, arch="arm64")
    with refused(both, "is for amd64, not arm64"):
        both.run(NEW, arch="arm64")
    candidates = {NEW: [both.candidate(NEW, arch="arm64")]}
    settled(both, NEW, arch="arm64", repair=True, candidates=candidates)
    manifest = both.run(NEW, arch="arm64").after.trees[NEW].manifest
    assert manifest is not None and manifest.arch == "arm64"


def test_the_architecture_of_the_host(store: Store) -> None:
    candidates = {NEW: [store.candidate(NEW, arch="armv6l")]}
    outcome = store.run(NEW, candidates=candidates, host=BoundedHost(store.base, "aarch64", 32))
    assert outcome.after.arch == "armv6l"
    with refused(store, "no Go release for this machine's architecture: sparc64"):
        store.run(NEW, host=BoundedHost(store.base, "sparc64"))


# ---- go.env


def set_go_env(store: Store, settings: Dict[str, str]) -> None:
    path = pathlib.Path(store.layout.state)
    path.write_text(json.dumps(dict(json.loads(path.read_text()), go_env=settings)))


def test_settings_are_written_at_install_and_are_no_tampering(both: Store) -> None:
    set_go_env(both, {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=vendor"})
    settled(both, THIRD)
    text = pathlib.Path(both.layout.tree(THIRD), "go.env").read_text()
    assert "GOTOOLCHAIN=local\n" in text and text.endswith("GOFLAGS=-mod=vendor\n") and "GOTOOLCHAIN=auto" not in text
    with refused(both, "go.env: differs from the release's and the store's settings"):
        both.run(NEW)  # was installed before they were set
    settled(both, NEW, THIRD, default=THIRD, repair=True, verify="full")
    assert json.loads(pathlib.Path(both.layout.state).read_text())["go_env"] == {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=vendor"}


# ---- sources that fail


def bad_digest(store: Store) -> Any:
    return store.candidate(NEW, digests=("sha256:" + "0" * 64,), source="mirror")


def test_a_wrong_digest_is_refused(store: Store) -> None:
    for form, digest in (("tar.gz", "sha256:" + "0" * 64), ("zip", "h1:" + "A" * 43 + "=")):
        candidate = store.candidate(NEW, form, digests=(digest,), authority="bundled index")
        with refused(store, f"Go {NEW} for linux-amd64 could not be had from any source: .*digest differs: .*bundled index says {digest}"):
            store.run(NEW, candidates={NEW: [candidate]})


def test_the_next_source_is_tried(store: Store) -> None:
    good = store.candidate(NEW, "zip", source_index=1)
    outcome = store.run(NEW, candidates={NEW: [bad_digest(store), good]})
    assert len(outcome.installed[NEW].refused) == 1 and "digest differs" in outcome.installed[NEW].refused[0]
    manifest = outcome.after.trees[NEW].manifest
    assert manifest is not None and manifest.provenance.digest == good.digests[0]
    assert store.leftovers() == []


def test_one_of_several_digests_is_enough(store: Store) -> None:
    good = store.candidate(NEW)
    store.run(NEW, candidates={NEW: [good._replace(digests=("sha256:" + "0" * 64, *good.digests))]})


@pytest.mark.parametrize(
    ("fallback", "first", "installed"),
    [("always", "missing", True), ("always", "wrong", True), ("not_found", "missing", True), ("not_found", "wrong", False)],
)
def test_fallback(fallback: str, first: str, installed: bool, store: Store) -> None:
    """A comma in GOPROXY goes on after "not found" only; another source is tried in any case."""
    wrong = bad_digest(store) if first == "wrong" else store.candidate(NEW)._replace(path=store.base + "/none")
    candidates = [wrong._replace(fallback=fallback), store.candidate(NEW, "zip")]
    if installed:
        store.run(NEW, candidates={NEW: candidates})
    else:
        with refused(store, "could not be had from any source"):
            store.run(NEW, candidates={NEW: candidates})
        store.run(NEW, candidates={NEW: [*candidates, store.candidate(NEW, "zip", source_index=1)]})
    assert store.go_version() == NEW


def test_an_archive_that_holds_another_release(store: Store) -> None:
    (made,) = archives.make(store.archives, NEW, files=archives.tree("1.27.2", "amd64"), formats=["tar.gz"])
    with refused(store, f"archive holds another release: VERSION says 1.27.2, asked was {NEW}"):
        store.run(NEW, candidates={NEW: [store.candidate(OLD)._replace(path=made.path, digests=(made.digest,))]})


def test_an_archive_without_version(store: Store) -> None:
    (made,) = archives.make(store.archives, NEW, files={"bin/go": (b"", 0o755)}, formats=["tar.gz"])
    with refused(store, "archive holds another release: VERSION says nothing"):
        store.run(NEW, candidates={NEW: [store.candidate(OLD)._replace(path=made.path, digests=(made.digest,))]})


@pytest.mark.parametrize("form", ["tar.gz", "zip"])
@pytest.mark.parametrize("cut", [0, 1, 100, -100, -1])
def test_a_truncated_archive(form: str, cut: int, both: Store) -> None:
    candidate = both.candidate(THIRD, form)
    data = pathlib.Path(candidate.path).read_bytes()
    pathlib.Path(candidate.path).write_bytes(data[:cut])
    with refused(both, "could not be had from any source: .*(truncated|not a complete)"):
        both.run(THIRD, candidates={THIRD: [candidate]})


def test_the_first_of_two_is_not_installed_when_the_second_fails(store: Store) -> None:
    with refused(store, f"Go {NEW} for linux-amd64 could not be had"):
        store.run(OLD, NEW, default=OLD, candidates={OLD: [store.candidate(OLD)], NEW: [bad_digest(store)]})


def test_a_failed_repair_leaves_the_tree(both: Store) -> None:
    os.remove(both.layout.tree(NEW) + "/bin/gofmt")
    with refused(both, "could not be had from any source"):
        both.run(NEW, repair=True, candidates={NEW: [bad_digest(both)]})


# ---- a full disk, no rights


class Full(BoundedHost):
    def free_bytes(self, path: str) -> int:
        return 1000


@pytest.mark.parametrize("form", ["tar.gz", "zip"])
def test_no_space_is_said_before_it_is_used(form: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "unpack_tar", None)
    monkeypatch.setattr(archive, "unpack_zip", None)
    with refused(store, f"^No space left: 1 MiB needed, 0 MiB free: {store.root}. Free some space there, or choose another root.$"):
        store.run(NEW, candidates=store.candidates(NEW, form=form), host=Full(store.base))


def test_a_broken_archive_that_claims_much_is_not_taken_for_a_full_disk(store: Store) -> None:
    broken = store.candidate(NEW)
    path = pathlib.Path(broken.path)
    path.write_bytes(path.read_bytes()[:-4] + struct.pack("<I", 0xFFFFFFFF))
    small = Full(store.base)
    with refused(store, "digest differs"):
        store.run(NEW, candidates={NEW: [broken]}, host=small)


@pytest.fixture
def tiny(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A file system of 256 KiB."""
    place = tmp_path / "tiny"
    place.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", bytes(place), b"tmpfs", 0, b"size=256k,mode=0755") != 0:
        pytest.skip(f"cannot mount a small tmpfs here: {os.strerror(ctypes.get_errno())}")
    yield place
    libc.umount2(bytes(place), 2)


def test_a_disk_that_fills_up(tiny: pathlib.Path, tmp_path: pathlib.Path) -> None:
    class Hopeful(BoundedHost):
        def free_bytes(self, path: str) -> int:
            return 1 << 40

    store = Store(str(tmp_path), 400)
    with refused(store, "^No space left on device.* Free some space there"):
        store.run(NEW, root=f"{tiny}/go", host=Hopeful(store.base))
    assert os.listdir(str(tiny)) == []
    with refused(store, "^No space left: 1 MiB needed, 0 MiB free"):
        store.run(NEW, root=f"{tiny}/go", host=BoundedHost(store.base))
    assert os.listdir(str(tiny)) == []


def test_a_read_only_file_system(tiny: pathlib.Path, tmp_path: pathlib.Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mount(b"tmpfs", bytes(tiny), b"tmpfs", 1 | 32, None) == 0  # MS_RDONLY | MS_REMOUNT
    store = Store(str(tmp_path))
    with refused(store, "(?i)read-only"):
        store.run(NEW, root=f"{tiny}/go")


def as_nobody(work: Callable[[], object]) -> str:
    """Run in a child without rights; returns what GoHostError it ended with, "" for none."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            work()
        except GoHostError as error:
            os.write(writing, str(error).encode())
        except BaseException as error:
            os.write(writing, f"unexpected: {error!r}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as answer:
        text = answer.read().decode()
    os.waitpid(child, 0)
    return text


@pytest.fixture
def public(tmp_path_factory: Any) -> Iterator[Store]:
    """A store that another user can reach."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    base = tmp_path_factory.mktemp("public")
    path = base
    modes = []
    while path != path.parent and path.stat().st_uid == 0 and path.stat().st_mode & 0o005 != 0o005:
        modes.append((path, path.stat().st_mode))
        path.chmod(0o755)
        path = path.parent
    yield Store(str(base))
    for path, mode in modes:
        path.chmod(mode)


def test_a_user_may_not_write_there(public: Store) -> None:
    candidates = public.candidates(NEW)
    before = public.snapshot()
    said = as_nobody(lambda: public.run(NEW, candidates={}))  # before anything is fetched
    hint = "Use become, or choose root and links among this user's own directories."
    assert said in [f"directory is read-only for uid 65534: {directory}. {hint}" for directory in (public.links, f"{public.machine}/opt")]
    said = as_nobody(lambda: public.run(NEW, candidates=candidates))
    assert said == f"Permission denied: {public.root}. This user may not: use become, or choose paths of this user's."
    os.chown(os.path.join(public.machine, "opt"), 65534, 65534)
    said = as_nobody(lambda: public.run(NEW, candidates=candidates))
    assert said == f"directory is read-only for uid 65534: {public.links}. {hint}"
    assert public.snapshot().keys() == before.keys()


def test_a_user_has_a_store_of_their_own(public: Store) -> None:
    candidates = public.candidates(NEW)
    home = os.path.join(public.machine, "home")
    os.mkdir(home)
    os.chown(home, 65534, 65534)
    own: Dict[str, Any] = dict(root=f"{home}/go", links=f"{home}/bin")
    assert as_nobody(lambda: public.run(NEW, candidates=candidates, **own)) == ""
    assert os.stat(f"{home}/go/{NEW}/bin/go").st_uid == 65534
    os.chown(home, 0, 0)  # the parent of the root is not theirs any more
    assert as_nobody(lambda: public.run(NEW, absent=True, **own)) == ""
    assert os.listdir(f"{home}/go") == [] and os.listdir(f"{home}/bin") == []


def test_a_user_may_look_at_anothers_store(public: Store) -> None:
    public.run(NEW)
    assert as_nobody(lambda: public.run(NEW, candidates={})) == ""
    assert as_nobody(lambda: public.run(NEW, candidates={}, check=True)) == ""


@pytest.mark.parametrize("place", ["opt/go", "bin"])
def test_a_file_where_a_directory_should_be(place: str, store: Store) -> None:
    path = os.path.join(store.machine, place)
    if os.path.isdir(path):
        os.rmdir(path)
    pathlib.Path(path).write_text("")
    with refused(store, f"(this should be|Not) a directory: {path}. .*ove it away, or choose another"):
        store.run(NEW)


@pytest.mark.parametrize("target", ["nowhere", "/usr/lib", "/elsewhere/1.27.3", "../1.27.3"])
def test_current_that_is_not_ours(target: str, store: Store) -> None:
    os.makedirs(store.root)
    os.symlink(target, store.layout.current)
    with refused(store, "this is not the link to the default version that it should be"):
        store.run(NEW)


# ---- who uses a version


def test_a_running_program_keeps_its_version(both: Store) -> None:
    both.run(THIRD, OLD, default=THIRD)
    both.run(NEW)
    sleeper = both.layout.tree(NEW) + "/bin/sleeper"
    shutil.copy("/bin/sleep", sleeper)
    process = subprocess.Popen([sleeper, "60"])
    try:
        time.sleep(0.05)
        wishes: List[Tuple[str, Dict[str, Any]]] = [(NEW, dict(absent=True, default=OLD)), (OLD, dict(exclusive=True))]
        for version, wish in wishes:
            with refused(both, f"Go {NEW} is not removed: it is used by process {process.pid} \\({sleeper}\\)"):
                both.run(version, **wish)
        both.run(OLD)
        settled(both, OLD, THIRD, NEW, exclusive=True, repair=True)
    finally:
        process.kill()
        process.wait()
    settled(both, OLD, exclusive=True)


def test_a_program_is_found_behind_a_linked_root(tmp_path: pathlib.Path) -> None:
    store = Store(str(tmp_path))
    os.makedirs(store.machine + "/data")
    os.symlink("data", store.machine + "/srv")
    root = store.machine + "/srv/go"
    store.run(OLD, NEW, default=NEW, root=root)
    host = BoundedHost(store.base)
    host.extra_processes = [Process(4711, f"{store.machine}/data/go/{OLD}/bin/go")]
    with refused(store, f"Go {OLD} is not removed: it is used by process 4711"):
        store.run(OLD, absent=True, root=root, host=host)


UNITS = {
    "ExecStart": "[Service]\nExecStart={tree}/bin/go run .\n",
    "ExecStartPre": "[Service]\nExecStartPre=-{tree}/bin/go version\n",
    "WorkingDirectory": "[Service]\nWorkingDirectory={tree}/src\n",
}


@pytest.mark.parametrize("place", ["x.service", "x.service.d/override.conf"])
@pytest.mark.parametrize("directive", sorted(UNITS))
def test_a_unit_keeps_its_version(directive: str, place: str, both: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    units = pathlib.Path(both.base, "units")
    monkeypatch.setattr(observe, "_UNIT_DIRECTORIES", (str(units),))
    unit = units / place
    unit.parent.mkdir(parents=True)
    unit.write_text(UNITS[directive].format(tree=both.layout.tree(OLD)))
    with refused(both, f"Go {OLD} is not removed: it is used by {directive} of {unit}. Stop or change that first"):
        both.run(OLD, absent=True)
    unit.write_text(UNITS[directive].format(tree=both.layout.tree(OLD) + "0"))
    settled(both, OLD, absent=True)


@pytest.mark.parametrize("program", ["{links}/go", "{root}/current/bin/go", "{links}/go1.27.3"])
def test_a_unit_keeps_the_default(program: str, both: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "_UNIT_DIRECTORIES", (both.base + "/units",))
    os.mkdir(both.base + "/units")
    pathlib.Path(both.base, "units/x.service").write_text("ExecStart=" + program.format(links=both.links, root=both.root))
    with refused(both, f"Go {NEW} is not removed: it is used by ExecStart of"):
        both.run(OLD, NEW, absent=True)
    both.run(OLD, absent=True)


def other_go(top: pathlib.Path, path: str, version: Optional[str]) -> None:
    place = top / path.lstrip("/")
    place.mkdir(parents=True)
    if version is not None:
        (place / "VERSION").write_text(f"go{version}\n")


def test_other_gos(tmp_path: pathlib.Path) -> None:
    """Under a chroot, for their places are fixed."""
    if os.geteuid() != 0:
        pytest.skip("only root can chroot")
    for path, version in (("/usr/local/go", "1.24.1"), ("/usr/lib/go-1.19", "1.19.8"), ("/home/u/sdk/go1.22.0", "1.22.0"), ("/root/go/sdk/go1.21.0", None)):
        other_go(tmp_path, path, version)
    (tmp_path / "home/quota").write_text("a file")
    (tmp_path / "usr/lib/go").symlink_to("go-1.19")
    (tmp_path / "snap/go/10").mkdir(parents=True)
    (tmp_path / "snap/go/10/VERSION").write_text("go1.25.0\n")
    (tmp_path / "snap/go/current").symlink_to("10")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.chroot(str(tmp_path))
            os.write(writing, repr([tuple(other) for other in observe._others(RealHost(), Layout("/opt/go"))]).encode())
        except BaseException as error:
            os.write(writing, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as answer:
        found = answer.read().decode()
    os.waitpid(child, 0)
    assert found == repr(
        [
            ("/usr/local/go", "manual", "1.24.1"),
            ("/snap/go/current", "snap", "1.25.0"),
            ("/usr/lib/go-1.19", "package", "1.19.8"),
            ("/root/go/sdk/go1.21.0", "sdk", ""),
            ("/home/u/sdk/go1.22.0", "sdk", "1.22.0"),
        ]
    )


# ---- two runs at once


def test_the_second_run_waits(store: Store) -> None:
    outcomes: List[Outcome] = []
    store.candidates(OLD, NEW)
    pairs = [(OLD, NEW), (NEW, OLD)]
    threads = [threading.Thread(target=lambda pair=pair: outcomes.append(store.run(*pair, default=NEW))) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcome.decision.plan.changed for outcome in outcomes) == [False, True]
    assert store.go_version() == NEW and store.leftovers() == []


def test_the_second_run_gives_up_clearly(both: Store) -> None:
    with RealHost().lock(both.root, 0), refused(both, "another run holds this directory for more than 0.1 s"):
        both.run(NEW, lock_timeout=0.1)


def test_the_second_run_makes_anew_what_the_first_removed(both: Store) -> None:
    both.candidates(NEW)
    outcomes: List[Outcome] = []
    waiting = threading.Thread(target=lambda: outcomes.append(both.run(NEW)))
    with RealHost().lock(both.root, 0):
        waiting.start()
        time.sleep(0.2)
        for name in os.listdir(both.links):
            os.remove(os.path.join(both.links, name))
        shutil.rmtree(both.root)
    waiting.join()
    assert outcomes and outcomes[0].done
    assert both.go_version() == NEW and both.leftovers() == []


def test_something_else_that_changes_the_host_is_noticed(both: Store) -> None:
    class Meddled(BoundedHost):
        def remove_tree(self, path: str) -> None:
            super().remove_tree(path)
            if "removed-" in path:
                os.remove(f"{both.links}/gofmt")

    with pytest.raises(GoHostError, match="the host is not as it should be after the run: link .*/gofmt. Does something else change it?"):
        both.run(OLD, absent=True, host=Meddled(both.base))


def test_preflight_asks_for_directories_that_are_there(store: Store) -> None:
    asked: List[str] = []

    class Asked(BoundedHost):
        def writable(self, path: str) -> bool:
            asked.append(path)
            return True

    store.run(NEW, host=Asked(store.base), check=True, links=store.machine + "/new/bin")
    assert asked == [store.machine, store.machine + "/opt"]
