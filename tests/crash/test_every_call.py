# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 before and after every call of the port, and in the middle of the long ones.

After each: `go` works where it worked before; the next run succeeds; the one after it has nothing to do; nothing is left over.
kill -9 says nothing about power loss: that is what the one syncfs of an install is for.
"""

import concurrent.futures
import functools
import multiprocessing
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.toolchain.converge import Outcome
from tests.fakes.host import BoundedHost, Fuse, SlowSwapHost, fused
from tests.fakes.store import Store

OLD, NEW = "1.26.11", "1.27.3"
FILES = 200
PROCESSES = 2


class Scenario(NamedTuple):
    """prepare makes the state before; wish is the call that is killed.

    working: what `go` may say it is afterwards; "" where it was missing before, is to go, or no renameat2 can be had.
    """

    prepare: Callable[[Store], None]
    wish: dict[str, Any]
    working: tuple[str, ...]
    host: type = BoundedHost
    form: str = "tar.gz"
    long: bool = True


def nothing(store: Store) -> None:
    """A new machine."""


def one(store: Store) -> None:
    store.run(OLD)


def both(store: Store) -> None:
    store.run(OLD, NEW, default=OLD)


def switched(store: Store) -> None:
    both(store)
    store.run(NEW)


def foreign_go(store: Store) -> None:
    """A script and a directory of somebody else's, where the links of this store are to be."""
    path = pathlib.Path(store.links, "go")
    path.write_text('#!/bin/sh\necho "go version gotheirs linux/amd64"\n')
    path.chmod(0o755)
    compat = pathlib.Path(store.machine, "usr-go/bin")
    compat.mkdir(parents=True)
    (compat / "go").write_text("theirs")


def aside_and_installed(store: Store) -> None:
    """The links alone are what is left to do."""
    foreign_go(store)
    store.run(OLD, links="")


def moved_aside(store: Store) -> None:
    foreign_go(store)
    store.run(OLD, links_force=True, compat_link=f"{store.machine}/usr-go")


def tampered(store: Store) -> None:
    one(store)
    os.remove(store.layout.tree(OLD) + "/lib/wasm/wasm_exec.js")
    pathlib.Path(store.layout.tree(OLD), "src/p1/f1.go").write_text("changed")


COMPAT = "{machine}/usr-go"
SCENARIOS = {
    "install": Scenario(nothing, dict(versions=[OLD]), ("", OLD), long=False),
    "install from a module zip": Scenario(nothing, dict(versions=[OLD]), ("", OLD), form="zip"),
    "install and switch": Scenario(one, dict(versions=[NEW]), (OLD, NEW)),
    "switch": Scenario(both, dict(versions=[NEW]), (OLD, NEW), long=False),
    "roll back": Scenario(switched, dict(rollback_from=NEW), (OLD, NEW)),
    "links elsewhere": Scenario(both, dict(versions=[NEW], links="{machine}/elsewhere"), ("", OLD, NEW)),
    "move aside": Scenario(aside_and_installed, dict(versions=[OLD], links_force=True, compat_link=COMPAT), ("theirs", OLD), long=False),
    "move aside without renameat2": Scenario(
        aside_and_installed, dict(versions=[OLD], links_force=True, compat_link=COMPAT), ("", "theirs", OLD), SlowSwapHost
    ),
    "move back": Scenario(moved_aside, dict(versions=[OLD], compat_link=COMPAT, absent=True), ("theirs", OLD), long=False),
    "move back without renameat2": Scenario(moved_aside, dict(versions=[OLD], compat_link=COMPAT, absent=True), ("", "theirs", OLD), SlowSwapHost),
    "repair": Scenario(tampered, dict(versions=[OLD], repair=True), (OLD,), long=False),
    "repair without renameat2": Scenario(tampered, dict(versions=[OLD], repair=True), ("", OLD), SlowSwapHost),
    "prune": Scenario(both, dict(versions=[NEW], exclusive=True), (OLD, NEW), long=False),
    "remove one": Scenario(both, dict(versions=[NEW], absent=True), (OLD,)),
    "remove all": Scenario(both, dict(versions=[OLD, NEW], absent=True), ("", OLD), long=False),
}


class Point(NamedTuple):
    """Before, after or within the call with this number; with group the inflating child dies too."""

    number: int
    when: str
    group: bool


def call(store: Store, scenario: Scenario, **more: Any) -> Outcome:
    wish = {name: value.format(machine=store.machine) if isinstance(value, str) else value for name, value in scenario.wish.items()}
    versions = wish.pop("versions", [])
    candidates = {} if wish.get("absent") else store.candidates(*versions, form=scenario.form)
    return store.run(*versions, candidates=candidates, **dict(wish, **more))


def counted(store: Store, scenario: Scenario) -> list[str]:
    fuse = Fuse()
    call(store, scenario, host=fused(scenario.host, fuse, store.base))
    return fuse.calls


def killed(store: Store, scenario: Scenario, point: Point) -> bool:
    """One call in a child; whether the fuse blew."""
    child = os.fork()
    if child == 0:
        try:
            os.setpgid(0, 0)
            call(store, scenario, host=fused(scenario.host, Fuse(*point), store.base))
        finally:
            os._exit(1)
    _pid, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


@functools.cache
def fast_directory() -> str:
    """Memory, where programs may be run from it: thousands of trees are made here."""
    memory = "/dev/shm"
    fit = os.path.isdir(memory) and os.access(memory, os.W_OK) and not os.statvfs(memory).f_flag & os.ST_NOEXEC
    return memory if fit else tempfile.gettempdir()


@functools.cache
def prepared(name: str, base: str) -> tuple[Store, list[str], dict[str, Any]]:
    """A store in this state beside a copy of it; the calls that the wish takes, and what it leaves when nobody kills it."""
    store = Store(base, FILES)
    SCENARIOS[name].prepare(store)
    shutil.move(store.machine, base + "/saved")
    restore(store)
    calls = counted(store, SCENARIOS[name])
    return store, calls, settled(store)


def restore(store: Store) -> None:
    """The copy at the place of the original, for links name it; times as they were, for manifests know them."""
    shutil.rmtree(store.machine, ignore_errors=True)
    subprocess.run(["cp", "-a", store.base + "/saved", store.machine], check=True)


def settled(store: Store) -> dict[str, Any]:
    """All of the machine but what tells one install of a release from another: when it was."""
    found: dict[str, Any] = store.snapshot()
    for version in os.listdir(store.layout.manifests) if os.path.isdir(store.layout.manifests) else ():
        found[os.path.relpath(store.layout.manifest(version), store.machine)] = "a manifest"
    if os.path.isdir(store.root) and not os.listdir(store.root):
        del found["opt/go"]  # killed between the last two calls of all
    return found


def points(calls: Sequence[str], every: bool) -> Iterator[Point]:
    """Before a call is after the one before it, for nothing but calls touches the host: so with every false few are tried twice."""
    for number, name in enumerate(calls, 1):
        yield Point(number, "before", number % 2 == 0)
        if name == "remove_tree" or (name == "create" and (every or number % 8 == 0)):
            yield Point(number, "within", number % 4 < 2)
        if every or number == len(calls) or name in ("rename", "exchange", "symlink", "remove", "remove_tree"):
            yield Point(number, "after", number % 2 == 1)


def broken(store: Store, scenario: Scenario, point: Point, expected: dict[str, Any]) -> Iterator[str]:
    """What is wrong after a kill at this point."""
    if not killed(store, scenario, point):
        yield "the process was not killed"
    now = store.go_version()
    if not now and os.path.lexists(f"{store.machine}/elsewhere/go"):
        now = store.go_version(f"{store.machine}/elsewhere/go")
    if now not in scenario.working:
        yield f"go says {now or 'nothing'}"
    if scenario.host is not SlowSwapHost:
        yield from (f"{name} -> {target} leads nowhere" for name, target in store.linked().items() if not os.path.exists(f"{store.links}/{name}"))
    host = scenario.host(store.base)
    call(store, scenario, host=host)
    yield from store.leftovers()
    found = settled(store)
    yield from (f"{path}: {found.get(path)} instead of {expected.get(path)}" for path in {*found, *expected} if found.get(path) != expected.get(path))
    again = call(store, scenario, host=host)
    if again.decision.plan.changed or again.decision.state != again.before.state:
        yield f"the run after that does {again.decision.plan.steps}"


def share(name: str, part: int, every: bool) -> tuple[int, list[str]]:
    """Every other point of a scenario, in a directory of its own: how many, and what was wrong."""
    with tempfile.TemporaryDirectory(prefix="gohost-crash-", dir=fast_directory()) as base:
        store, calls, expected = prepared(name, base)
        mine = list(points(calls, every))[part::PROCESSES]
        found: list[str] = []
        for point in mine:
            restore(store)
            try:
                found += [f"{point} {calls[point.number - 1]}: {text}" for text in broken(store, SCENARIOS[name], point, expected)]
            except Exception as error:  # one point's trouble must not hide the others'
                found.append(f"{point} {calls[point.number - 1]}: {error!r}")
        return len(mine), found


@pytest.mark.parametrize(
    ("name", "every"),
    [(name, False) for name, scenario in SCENARIOS.items() if not scenario.long] + [pytest.param(name, True, marks=pytest.mark.long) for name in SCENARIOS],
)
def test_killed_at_every_call(name: str, every: bool, record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]) -> None:
    start = time.monotonic()
    with concurrent.futures.ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("fork")) as pool:
        shares = list(pool.map(share, [name] * PROCESSES, range(PROCESSES), [every] * PROCESSES))
    count = sum(number for number, _found in shares)
    with capsys.disabled():
        print(f"\n{name}: killed at {count} points in {time.monotonic() - start:.1f} s", end=" ")
    record_property("kill_points", count)
    assert [text for _number, found in shares for text in found] == []
    assert count > 90
