# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 before and after every call of the port, and in the middle of a file, while limits of units are set.

After each: the next run says that it changes something, reloads systemd once and leaves the host as a run that nobody kills; the one after it does nothing.
What others have written is never touched.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.converge import Outcome, converge
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.model import Wanted
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.options import wanted
from tests.crash.test_every_call import fast_directory
from tests.fakes import systemd
from tests.fakes.host import Fuse, fused
from tests.fakes.systemd import ETC, RUN, FakeSystemd

CHANGES = ("create", "mkdir", "rename", "remove", "run", "lock", "sync")
FOREIGN = {
    f"{ETC}/app.service.d/50-admin.conf": "[Service]\nTasksMax=400\nMemoryMax=2G\n",
    f"{ETC}.control/app.service.d/50-CPUQuota.conf": "# set-property\n[Service]\nCPUQuota=400%\n",
    f"{RUN}/web.service.d/10-admin.conf": "[Service]\nEnvironment=A=1\n",
    f"{ETC}/build.slice.d/95-admin.conf": "[Slice]\nTasksMax=900\n",
}


def call(*units: dict[str, Any], restart: str = "never") -> Wanted:
    """The wish of a task."""
    defaults = dict(state="present", runtime=False, go_runtime="auto", memory_headroom=0.9, memory_share=None)
    return wanted(dict(units=[{**defaults, **unit} for unit in units], restart=restart, force=False))


NEW = call(
    dict(unit="app.service", memory_max="256MiB", cpu_quota="1.5", tasks_max="77"),
    dict(unit="build.slice", memory_max="1GiB", cpu_weight="50"),
    dict(unit="web.service", slice="build.slice", limit_nofile=65536, io_weight=50),
)
OTHER = call(
    dict(unit="app.service", memory_max="512MiB", memory_high="400MiB", allowed_cpus="0-1"),
    dict(unit="build.slice", memory_max="2GiB", cpu_weight="50"),
    dict(unit="web.service", oom_score_adjust=100, go_runtime="off"),
)
NO_NEED = call(dict(unit="app.service", memory_max="256MiB", cpu_quota="1.5", tasks_max="78"), restart="always")
GONE = call(*(dict(unit=unit, state="absent") for unit in ("app.service", "build.slice", "web.service")))
PASSING = call(
    dict(unit="app.service", runtime=True, memory_max="128MiB"),
    dict(unit="app@.service", runtime=True, tasks_max="9"),
    dict(unit="user-.slice", cpu_quota="200%"),
)


class Scenario(NamedTuple):
    """before: what an earlier run has done; wish: the run that is killed. stages: whether it finds what an earlier kill left."""

    wish: Wanted
    before: Wanted | None = None
    stages: bool = False


SCENARIOS = {
    "new": Scenario(NEW),
    "changed": Scenario(OTHER, NEW),
    "removed": Scenario(GONE, NEW),
    "runtime": Scenario(PASSING, NEW),
    "restarts": Scenario(OTHER._replace(restart="needed"), NEW._replace(restart="needed")),
    "restarts always": Scenario(NO_NEED, NEW._replace(restart="needed")),
    "after a kill": Scenario(OTHER, NEW, stages=True),
}
LONG = ("changed", "runtime", "restarts", "restarts always", "after a kill")


class Point(NamedTuple):
    number: int
    when: str


def prepare(root: Path, scenario: Scenario) -> FakeSystemd:
    host = systemd.prepare(root)
    host.go("/bin/sleep", "go1.24.13")
    for unit in ("app.service", "web.service", "app@.service", "build.slice"):
        host.unit(unit)
    for path, text in FOREIGN.items():
        host.write(path, text)
    host.reload()
    host.start("app.service", "web.service", "app@1.service", "user-1000.slice", "build.slice")
    if scenario.before is not None:
        converge(host, scenario.before)
        host.restarted = []
    if scenario.stages:
        fuse = Fuse(_calls(host, scenario).index("rename") + 1)
        assert _killed(host, scenario, fuse)
        assert any(path.name.endswith(".gohost-new") for path in root.rglob("*"))
    return host


def _calls(host: FakeSystemd, scenario: Scenario) -> list[str]:
    """The calls that a run takes which nobody kills; done on a copy, for it is to be killed."""
    with tempfile.TemporaryDirectory(dir=Path(host.root).parent) as copy:
        fuse = Fuse()
        shutil.copytree(host.root, f"{copy}/host", symlinks=True)
        converge(fused(FakeSystemd, fuse, Path(copy, "host")), scenario.wish)
        return fuse.calls


def _killed(host: FakeSystemd, scenario: Scenario, fuse: Fuse) -> bool:
    child = os.fork()
    if child == 0:
        try:
            converge(fused(FakeSystemd, fuse, Path(host.root)), scenario.wish)
        finally:
            os._exit(1)
    _pid, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def snapshot(host: FakeSystemd) -> dict[str, str]:
    """Unit files and all else in /run, cgroups, what programs were started with and which were started again; process ids apart."""
    root = Path(host.root)
    found = {"restarted": " ".join(sorted(set(host.restarted)))}
    for top in (root / "etc", root / "run", root / "sys"):
        for path in top.rglob("*"):
            if path.name != "cgroup.procs":
                found[str(path.relative_to(root))] = path.read_text() if path.is_file() else f"a directory, mode {path.stat().st_mode:o}"
    for unit, entry in host.state["active"].items():
        if entry["pid"]:
            found[unit] = host.read(f"/proc/{entry['pid']}/environ").decode() + host.read(f"/proc/{entry['pid']}/limits").decode() + entry["cgroup"]
    return found


def foreign(host: FakeSystemd) -> dict[str, tuple[int, int, str]]:
    paths = {path: Path(host.root + path) for path in FOREIGN}
    return {path: (real.stat().st_ino, real.stat().st_mtime_ns, real.read_text()) for path, real in paths.items()}


def points(calls: list[str], every: bool) -> Iterator[Point]:
    """Before a call is after the one before it, for nothing but calls touches the host: so with every false few are tried twice."""
    for number, name in enumerate(calls, 1):
        if every or name in CHANGES or number % 8 == 0:
            yield Point(number, "before")
        if name == "create":
            yield Point(number, "within")
        if number == len(calls) or (every and name in CHANGES):
            yield Point(number, "after")


def broken(host: FakeSystemd, scenario: Scenario, point: Point, expected: dict[str, str]) -> Iterator[str]:
    """What is wrong after a kill at this point."""
    theirs = foreign(host)
    if not _killed(host, scenario, Fuse(*point)):
        if point.when != "after":  # which a call does not have that found no file
            yield "the process was not killed"
        return
    done = snapshot(host) == expected
    predicted = converge(host, scenario.wish, check=True)
    before = host.reloads
    outcome: Outcome = converge(host, scenario.wish)
    if predicted.decision.plan != outcome.decision.plan:
        yield f"check mode said {predicted.decision.plan.steps}, done was {outcome.decision.plan.steps}"
    if outcome.decision.plan.changed == done:
        yield f"the next run says changed={outcome.decision.plan.changed}"
    if not done and not outcome.decision.plan.of("restart") and host.reloads != before + 1:
        yield f"the next run reloads {host.reloads - before} times"
    found = snapshot(host)
    yield from (f"{path}: {found.get(path)!r} instead of {expected.get(path)!r}" for path in {*found, *expected} if found.get(path) != expected.get(path))
    yield from (f"{path} of somebody else is not as it was" for path, was in theirs.items() if foreign(host)[path] != was)
    before, host.asked = host.reloads, []
    again = converge(host, scenario.wish)
    if again.decision.plan.changed or host.reloads != before or any(argv[1] in ("daemon-reload", "restart") for argv in host.asked):
        yield f"the run after that does {again.decision.plan.steps}"


@pytest.mark.parametrize(
    ("name", "every"),
    [(name, False) for name in SCENARIOS if name not in LONG] + [pytest.param(name, True, marks=pytest.mark.long) for name in SCENARIOS],
)
def test_killed_at_every_call(name: str, every: bool, record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]) -> None:
    scenario = SCENARIOS[name]
    with tempfile.TemporaryDirectory(prefix="gohost-crash-", dir=fast_directory()) as base:
        root, saved = Path(base, "host"), Path(base, "saved")
        host = prepare(root, scenario)
        shutil.move(str(root), str(saved))

        def restored() -> FakeSystemd:
            shutil.rmtree(root, ignore_errors=True)
            shutil.copytree(saved, root, symlinks=True)
            return FakeSystemd(root)

        host = restored()
        calls = _calls(host, scenario)
        converge(host, scenario.wish)
        expected = snapshot(host)
        wrong: list[str] = []
        tried = list(points(calls, every))
        for point in tried:
            host = restored()
            wrong += [f"{point} {calls[point.number - 1]}: {text}" for text in broken(host, scenario, point, expected)]
    with capsys.disabled():
        print(f"\n{name}: {len(calls)} calls, killed at {len(tried)} points", end=" ")
    record_property("kill_points", len(tried))
    assert wrong == []
    assert len(tried) > (80 if every else 15)
