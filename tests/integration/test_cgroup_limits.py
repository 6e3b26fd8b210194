# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cgroup_limits on real machines: what it says is held against the kernel's own files and what systemd says."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.hosts import hosts
from tests.hosts.host import Host
from tests.integration.go_programs import LIMITS
from tests.integration.guests import MACHINES, bring, shell
from tests.integration.playbook import Done, Play, Run, reached
from tests.runner.workspace import ROOT, Missing

pytestmark = pytest.mark.once
MODULE = "gohost.linux.cgroup_limits"
ETC, RUN = "/etc/systemd/system", "/run/systemd/system"
MIB = 1 << 20
ALL = [*MACHINES, pytest.param("vm:trixie", marks=[pytest.mark.vm, pytest.mark.long])]
SERVICE = "[Service]\nExecStart=/bin/sleep 1000000\n"
FILES = {
    f"{ETC}/lt-all.service": SERVICE + "MemoryMax=800M\nTasksMax=300\n",
    f"{ETC}/lt-all.service.d/50-admin.conf": "[Service]\nTasksMax=200\nEnvironment=ADMIN=1\n",
    f"{ETC}/lt-passing.service": SERVICE,
    f"{ETC}/lt-passing.service.d/90-gohost-limits.conf.orig": "of an editor\n",
    f"{ETC}/lt-control.service": SERVICE,
    f"{ETC}/lt-control.service.d/99-admin.conf": "[Service]\nTasksMax=50\n",
    f"{ETC}/lt-kind@.service": SERVICE,
    f"{ETC}/lt-held.service": "[Service]\nExecStart=/usr/bin/python3 -c 'held = bytearray(60 << 20); import time; time.sleep(1000000)'\n",
    f"{ETC}/lt-new.service": SERVICE,
    f"{RUN}/lt-kind@1.service.d/20-admin.conf": "[Service]\nTasksMax=60\n",
}
STARTED = ("lt-all.service", "lt-passing.service", "lt-control.service", "lt-kind@1.service", "lt-held.service", "lt-new.service", "lt-user-1.slice")
SAYS = """[Service]
MemoryHigh=25%
CPUQuota=12.34%
CPUQuotaPeriodSec=20ms
CPUWeight=idle
AllowedCPUs=0-1,3
CPUAffinity=0 2
IOWeight=77
IOReadBandwidthMax=/dev/null 10M
IOReadBandwidthMax=/dev/zero 20M
ManagedOOMMemoryPressureLimit=60%
OOMScoreAdjust=-100
LimitNOFILE=10:65536
Environment=GOMAXPROCS=3 "X=a b" V=c
EnvironmentFile=/etc/a
EnvironmentFile=-/etc/b*
Delegate=cpu io
"""
LOOKED_AT = (*STARTED, "lt-scope.scope", "lt.slice", "lt-build.slice", "user-0.slice")
LOOK = f"python3 /root/look.py {' '.join(LOOKED_AT)}"
BEFORE = (
    f"systemctl daemon-reload; systemctl start {' '.join(STARTED)}; systemctl set-property lt-control.service MemoryMax=100M; "
    "systemd-run -q --scope --unit=lt-scope -p MemoryMax=90M sleep 1000000 >/dev/null 2>&1 </dev/null & sleep 1"
)
AFTER = (
    f"systemctl stop lt-* {' '.join(LOOKED_AT[:8])} 2>/dev/null; rm -rf {ETC}/lt* {RUN}/lt* {ETC}.control/lt* {ETC}/user-.slice.d {RUN}/user-.slice.d "
    "/usr/lib/systemd/systemd-oomd /root/stub /run/gohost*; systemctl daemon-reload; systemctl reset-failed"
)


class Machine(NamedTuple):
    """host: with systemd; cgroup: 1 or 2; device: a disk, "" where none is."""

    host: Host
    cgroup: int
    device: str

    def fours(self, directory: Path, *wishes: dict[str, Any]) -> list[tuple[Done, "Look", "Look"]]:
        """Of each wish the first apply, and the machine before and after it; check mode has told the truth and the second run does nothing."""
        play = Play(directory)
        play.raw("look 0", LOOK)
        for number, wish in enumerate(wishes, 1):
            play.task(f"check {number}", MODULE, keywords={"check_mode": True}, **wish)
            play.raw(f"look between {number}", LOOK)
            play.task(f"apply {number}", MODULE, **wish)
            play.raw(f"look after {number}", LOOK)
            play.task(f"check again {number}", MODULE, keywords={"check_mode": True}, **wish)
            play.task(f"apply again {number}", MODULE, **wish)
            play.raw(f"look {number}", LOOK)
        run = play.run(variables=reached(self.host))
        return [self._four(run, number) for number in range(1, len(wishes) + 1)]

    def _four(self, run: Run, number: int) -> tuple[Done, "Look", "Look"]:
        check, apply, *twice = (run[f"{task} {number}"].ok() for task in ("check", "apply", "check again", "apply again"))
        looks = (f"look {number - 1}", f"look between {number}", f"look after {number}", f"look {number}")
        before, between, after, at_last = (seen(run, look) for look in looks)
        assert between == before, "check mode changed the machine"
        assert check.changed and apply.changed and check.result["reloaded"] and apply.result["reloaded"]
        assert check.result["diff"] == apply.result["diff"]
        for one, other in zip(check.result["units"], apply.result["units"], strict=True):
            assert {**one, "live": {}} == {**other, "live": {}}, "check mode said something else"
        assert after.reloads == before.reloads + 1, "not one reload"
        for again in twice:
            assert not again.changed and not again.result["reloaded"], again.result["diff"]
        assert at_last == after, "a run without changes changed something"
        assert after.run == []
        return apply, before, after


class Look(NamedTuple):
    """units: unit → what systemctl shows of it, its cgroup's files, its main process; files: path → inode, time, mode, owner and content."""

    units: dict[str, dict[str, dict[str, str]]]
    files: dict[str, str]
    reloads: int
    run: list[str]

    def kernel(self, unit: str) -> dict[str, str]:
        return self.units[unit]["kernel"]

    def show(self, unit: str, name: str) -> str:
        return self.units[unit]["show"][name]

    @property
    def foreign(self) -> dict[str, str]:
        """All files that are not ours, and directories without times."""
        return {path: seen for path, seen in self.files.items() if "-gohost-limits.conf" not in os.path.basename(path) and seen.split()[2][:1] != "4"}

    @property
    def ours(self) -> dict[str, str]:
        return {path: seen for path, seen in self.files.items() if path.endswith("-gohost-limits.conf")}

    @property
    def limits(self) -> dict[str, dict[str, str]]:
        """What the kernel has, and what processes were started with."""
        return {unit: {**seen["kernel"], **seen["process"], "slice": seen["show"].get("ControlGroup", "")} for unit, seen in self.units.items()}


def seen(run: Run, task: str) -> Look:
    return Look(**json.loads(run[task].ok().result["stdout"]))


@pytest.fixture
def machine(guest: Host) -> Iterator[Machine]:
    shell(guest, f"rm -rf {ETC}/lt-* {RUN}/lt-*")
    bring(guest, {"/root/look.py": (LIMITS / "look.py").read_bytes(), **{path: text.encode() for path, text in FILES.items()}})
    shell(guest, BEFORE)
    asked = "cat /sys/fs/cgroup/cgroup.controllers 2>/dev/null || echo; test -b /dev/vda && echo /dev/vda || echo"
    controllers, device = guest.run(asked, 60).stdout.split("\n")[:2]
    found = Machine(guest, 2 if controllers else 1, device)
    yield found
    guest.run(AFTER, 120)


def wishes(machine: Machine) -> list[dict[str, Any]]:
    """Every option that this kind of machine has."""
    everything: dict[str, Any] = {
        "unit": "lt-all.service",
        "memory_max": "256MiB",
        "cpu_quota": 1.5,
        "cpu_quota_period": 0.05,
        "cpu_weight": 50,
        "tasks_max": 77,
        "oom_policy": "continue",
        "oom_score_adjust": 100,
        "limit_nofile": 4096,
        "delegate": ["cpu", "memory", "pids"],
        "slice": "lt-build.slice",
    }
    if machine.cgroup == 2:
        everything.update(
            memory_min="8MiB",
            memory_low="16MiB",
            memory_high="200MiB",
            memory_swap_max="64MiB",
            allowed_cpus="0-2",
            io_weight=200,
            managed_oom_swap="kill",
            managed_oom_memory_pressure="kill",
            managed_oom_memory_pressure_limit="60%",
            managed_oom_preference="avoid",
        )
    if machine.device:
        limits = {"read_bandwidth": "10MiB", "write_bandwidth": 5000000, **({"read_iops": 100, "write_iops": 200} if machine.cgroup == 2 else {})}
        for option, limit in limits.items():
            everything[f"io_{option}_max"] = [{"device": machine.device, "limit": limit}]
    return [
        everything,
        {"unit": "lt-build.slice", "memory_max": "25%", "cpu_quota": "infinity", "tasks_max": "infinity"},
        {"unit": "lt-passing.service", "runtime": True, "memory_max": "64MiB", "cpu_quota": "50%"},
        {"unit": "lt-control.service", "memory_max": "200MiB", "tasks_max": 40},
        {"unit": "lt-kind@.service", "memory_max": "70MiB", "tasks_max": 61},
        {"unit": "lt-kind@1.service", "tasks_max": 62},
        {"unit": "lt-user-.slice", "tasks_max": 55},
        {"unit": "user-.slice", "tasks_max": "20%", "runtime": True},
        {"unit": "lt-scope.scope", "memory_max": "91MiB", "tasks_max": 33},
        {"unit": "lt-nowhere.service", "memory_max": "1GiB"},
    ]


@pytest.mark.parametrize("guest", ALL, indirect=True)
def test_every_option(machine: Machine, tmp_path: Path) -> None:
    shell(machine.host, "touch /usr/lib/systemd/systemd-oomd")
    units = wishes(machine)
    gone = [{"unit": unit["unit"], "state": "absent", "runtime": unit.get("runtime", False)} for unit in units]
    (apply, before, after), (_apply, _before, back) = machine.fours(tmp_path, *({"units": each, "restart": "needed"} for each in (units, gone)))
    rows = {row["unit"]: row for row in apply.result["units"]}
    assert str(apply.result["systemd"]) == shell(machine.host, "systemctl --version").split()[1] and (apply.result["cgroup"] == "v2") == (machine.cgroup == 2)
    assert sorted(after.ours) == sorted(row["path"] for row in rows.values()) and after.foreign == before.foreign
    assert all(seen.split()[2:4] == ["100644", "0:0"] and "cgroup_limits" in seen.splitlines()[0] for seen in after.ours.values())
    assert rows["lt-passing.service"]["path"] == f"{RUN}/lt-passing.service.d/95-gohost-limits.conf"
    assert rows["lt-user-.slice"]["path"] == f"{ETC}/lt-user-.slice.d/81-gohost-limits.conf"

    service, kernel = after.units["lt-all.service"], after.kernel("lt-all.service")
    assert (service["process"]["nofile"], service["process"]["oom_score_adj"]) == ("1024 4096", "100")
    assert after.show("lt-all.service", "ControlGroup") == "/lt.slice/lt-build.slice/lt-all.service"
    assert after.show("lt-all.service", "OOMPolicy") == "continue"
    assert set(after.show("lt-all.service", "DelegateControllers").split()) == {"cpu", "memory", "pids"}
    assert rows["lt-all.service"]["restarted"] and not rows["lt-all.service"]["restart_required"] and not rows["lt-passing.service"]["restarted"]
    assert kernel["pids.max"] == "77"
    quarter = int(shell(machine.host, "awk '/MemTotal/ {print $2}' /proc/meminfo")) * 1024 // 4
    if machine.cgroup == 2:
        expected = {
            "memory.min": 8 * MIB,
            "memory.low": 16 * MIB,
            "memory.high": 200 * MIB,
            "memory.max": 256 * MIB,
            "memory.swap.max": 64 * MIB,
            "cpu.max": "75000 50000",
            "cpu.weight": 50,
            "cpuset.cpus": "0-2",
        }
        assert {name: kernel[name] for name in expected} == {name: str(value) for name, value in expected.items()}
        assert kernel.get("io.weight", kernel.get("io.bfq.weight", "default 200")) == "default 200"
        assert service["show"]["IOWeight"] == "200"
        assert {"rbps=10485760", "wbps=5000000", "riops=100", "wiops=200"} <= set(kernel["io.max"].split())
        oom = ["kill", "kill", str(0xFFFFFFFF * 60 // 100), "avoid"]
        shown = ("ManagedOOMSwap", "ManagedOOMMemoryPressure", "ManagedOOMMemoryPressureLimit", "ManagedOOMPreference")
        assert [service["show"][name] for name in shown] == oom
        assert after.kernel("lt-passing.service")["cpu.max"] == "50000 100000"
    else:
        expected = {"memory.limit_in_bytes": 256 * MIB, "cpu.cfs_quota_us": 75000, "cpu.cfs_period_us": 50000, "cpu.shares": 512}
        assert {name: kernel[name] for name in expected} == {name: str(value) for name, value in expected.items()}
        assert after.kernel("lt-passing.service")["cpu.cfs_quota_us"] == "50000"
        if machine.device:
            assert [kernel[f"blkio.throttle.{name}_bps_device"].split()[-1] for name in ("read", "write")] == ["10485760", "5000000"]
    memory, unlimited = ("memory.max", ("max", "max")) if machine.cgroup == 2 else ("memory.limit_in_bytes", ("max", "9223372036854771712"))
    assert quarter - 65536 <= int(after.kernel("lt-build.slice")[memory]) <= quarter
    assert after.kernel("lt-passing.service")[memory] == str(64 * MIB)
    instance = after.kernel("lt-kind@1.service")
    assert (instance[memory], instance["pids.max"]) == (str(70 * MIB), "62")
    assert after.kernel("lt-user-1.slice")["pids.max"] == "55"
    assert int(after.kernel("user-0.slice")["pids.max"]) != int(before.kernel("user-0.slice")["pids.max"])
    scope = after.kernel("lt-scope.scope")
    assert (scope[memory], scope["pids.max"]) == (str(91 * MIB), "33")
    # set-property's leftover loses, what the administrator has behind ours wins; both are told.
    control = after.kernel("lt-control.service")
    assert (control[memory], control["pids.max"]) == (str(200 * MIB), "50")
    conflicts = {(each["option"], each["file"], each["wins"]) for each in rows["lt-control.service"]["conflicts"]}
    leftover, admin = f"{ETC}.control/lt-control.service.d/50-MemoryMax.conf", f"{ETC}/lt-control.service.d/99-admin.conf"
    assert conflicts == {("memory_max", leftover, False), ("tasks_max", admin, True)}
    assert any(admin in warning for warning in rows["lt-control.service"]["warnings"])
    assert any("lt-nowhere.service" in warning for warning in rows["lt-nowhere.service"]["warnings"])
    kernels = {unit["show"].get("ControlGroup"): unit["kernel"] for unit in after.units.values()}
    live = {path: content for row in rows.values() for path, content in row["live"].items()}
    assert len(live) > 10
    for path, content in live.items():
        (its,) = (kernel for cgroup, kernel in kernels.items() if cgroup and os.path.dirname(path).endswith(cgroup))
        assert content == its[os.path.basename(path)], path

    # Without them all is as it was: what the unit's file, the administrator and set-property say.
    assert back.ours == {} and back.foreign == before.foreign
    assert sorted(back.files) == sorted(before.files)
    assert [(unit, limits, before.limits[unit]) for unit, limits in back.limits.items() if limits != before.limits[unit] and unit != "lt-build.slice"] == []
    assert before.kernel("lt-build.slice") == {} and (back.kernel("lt-build.slice")["pids.max"], back.kernel("lt-build.slice")[memory]) == unlimited


@pytest.mark.parametrize("guest", ALL, indirect=True)
def test_killed_before_the_reload(machine: Machine, tmp_path: Path) -> None:
    """systemd itself may know nothing of a drop-in in a directory that is new: the next run does."""
    units = [{"unit": "lt-new.service", "memory_max": "123MiB"}, {"unit": "lt-all.service", "tasks_max": 111}]
    stub = ["#!/bin/sh", '[ "$1" != daemon-reload ] || { kill -9 $PPID; exit; }', 'exec /usr/bin/systemctl "$@"']
    bring(machine.host, {"/root/stub/systemctl": "".join(f"{line}\n" for line in stub).encode()})
    play = Play(tmp_path)
    play.raw("before", LOOK)
    play.task("killed", MODULE, keywords={"environment": {"PATH": "/root/stub:/usr/sbin:/usr/bin:/sbin:/bin"}}, units=units)
    play.raw("between", LOOK)
    play.task("apply", MODULE, units=units)
    play.raw("after", LOOK)
    play.task("again", MODULE, units=units)
    run = play.run(variables=reached(machine.host))
    before, between, after = (seen(run, task) for task in ("before", "between", "after"))
    killed, apply = run["killed"], run["apply"].ok()
    assert killed.failed and len(between.ours) == 2
    assert between.reloads == before.reloads and between.limits == before.limits
    assert apply.changed and apply.result["reloaded"] and after.reloads == between.reloads + 1 and after.run == []
    assert not run["again"].ok().changed
    memory = "memory.max" if machine.cgroup == 2 else "memory.limit_in_bytes"
    assert (after.kernel("lt-new.service")[memory], after.kernel("lt-all.service")["pids.max"]) == (str(123 * MIB), "111")
    assert apply.result["diff"]["after"].keys() == {"systemd"} and after.ours == between.ours


@pytest.mark.parametrize("guest", ALL, indirect=True)
def test_refused_where_it_would_do_harm_or_nothing(machine: Machine, tmp_path: Path) -> None:
    cases: list[tuple[dict[str, Any], str]] = [({"unit": "lt-held.service", "memory_max": "20MiB"}, "lt-held.service uses")]
    if machine.cgroup == 2:
        cases += [
            ({"unit": "lt-all.service", "allowed_cpus": "2-77"}, "not online"),
            ({"unit": "lt-all.service", "managed_oom_swap": "kill"}, "systemd-oomd"),
            ({"unit": "lt-all.service", "io_read_iops_max": [{"device": "/dev/nowhere", "limit": 5}]}, "no such device"),
        ]
    else:
        cases += [
            ({"unit": "lt-all.service", "memory_high": "20MiB"}, "memory_high has no effect on cgroup v1"),
            ({"unit": "lt-all.service", "allowed_cpus": "0"}, "allowed_cpus has no effect on cgroup v1"),
            *(
                [({"unit": "lt-all.service", "io_read_iops_max": [{"device": machine.device, "limit": 5}]}, "v1: lt-all.service. Limit the bandwidth")]
                if machine.device
                else []
            ),
        ]
    play = Play(tmp_path)
    play.raw("before", LOOK)
    for number, (wish, _says) in enumerate(cases):
        play.task(f"case {number}", MODULE, units=[{"unit": "lt-new.service", "tasks_max": 9}, wish])
    play.raw("after", LOOK)
    play.task("forced", MODULE, units=[{"unit": "lt-held.service", "memory_max": "20MiB"}], force=True)
    play.raw("at last", LOOK)
    run = play.run(variables=reached(machine.host))
    for number, (_wish, says) in enumerate(cases):
        refused = run[f"case {number}"]
        assert refused.failed and says in refused.msg and "\n" not in refused.msg, refused.msg
    assert seen(run, "after") == seen(run, "before")
    assert "Traceback" not in str(run["forced"].result)
    assert seen(run, "at last").show("lt-held.service", "MemoryMax") == str(20 * MIB)


@pytest.mark.parametrize("guest", ALL, indirect=True)
def test_systemd_says_the_same_by_its_socket_as_by_systemctl(machine: Machine) -> None:
    top = "/run/gohost-compare/ansible_collections/gohost/linux"
    sources = {f"{top}/{path.relative_to(ROOT)}": path.read_bytes() for path in (ROOT / "plugins/module_utils").rglob("*.py")}
    says = {f"{RUN}/lt-all.service.d/60-says.conf": SAYS.encode()}
    bring(machine.host, {**sources, **says, "/run/gohost-compare/compare.py": (LIMITS / "compare.py").read_bytes()})
    script = "systemctl daemon-reload; systemctl set-environment 'GODEBUG=a b$\"' GOGC=5; cd /run/gohost-compare; PYTHONPATH=. python3 compare.py"
    try:
        compared = json.loads(shell(machine.host, script))
    finally:
        shell(machine.host, "systemctl unset-environment GODEBUG GOGC")
    assert compared["differs"] == [] and compared["units"] > 20


ANYWHERE: list[tuple[dict[str, Any], str]] = [
    ({"unit": "app.service", "memory_max": "101%"}, "more than 100 %"),
    ({"unit": "app.service", "tasks_max": "120%"}, "no number of tasks"),
    ({"unit": "app.service", "managed_oom_memory_pressure_limit": "101%"}, "100 %"),
    ({"unit": "app.service", "memory_max": "512MB"}, "two things"),
    ({"unit": "app.service", "cpu_quota": "0"}, "no amount of CPU time"),
    ({"unit": "app.service", "cpu_quota": 1, "cpu_quota_period": 2}, "out of range"),
    ({"unit": "app.service", "cpu_quota_period": 0.1}, "without a cpu_quota"),
    ({"unit": "app.service", "cpu_weight": 0}, "out of range"),
    ({"unit": "app.service", "io_weight": 10001}, "out of range"),
    ({"unit": "app.service", "allowed_cpus": "a-b"}, "no list of CPUs"),
    ({"unit": "app.service", "limit_nofile": 0}, "out of range"),
    ({"unit": "app.service", "oom_score_adjust": 1001}, "out of range"),
    ({"unit": "app.service", "memory_headroom": 1.5}, "no part of the limit"),
    ({"unit": "app.service", "slice": "app.service"}, "no name of a slice"),
    ({"unit": "app.service", "delegate": ["net"]}, "must be one or more of"),
    ({"unit": "app.service", "io_read_iops_max": [{"device": "sda", "limit": 5}]}, "no path"),
    ({"unit": "app.service", "state": "absent", "memory_max": "1GiB"}, "state is absent"),
    ({"unit": "app.slice", "limit_nofile": 5}, "not for a .slice"),
    ({"unit": "app.socket", "memory_max": "1GiB"}, "kind of unit"),
    ({"unit": "app", "memory_max": "1GiB"}, "kind of unit"),
    ({"unit": "../app.service", "memory_max": "1GiB"}, "no name of a unit"),
    ({"unit": "-.slice", "memory_max": "1GiB"}, "root slice"),
    ({"unit": "a b.service", "memory_max": "1GiB"}, "no name of a unit"),
    ({"unit": "app.service", "memory_max": "1GiB", "nonsense": 1}, "Unsupported parameters"),
]


def test_bad_input(tmp_path: Path) -> None:
    """On the machine that runs the tests, which has no systemd: what is wrong with the wish is said first."""
    if os.path.isdir("/run/systemd/system"):
        pytest.skip("systemd runs this machine")
    play = Play(tmp_path)
    for number, (wish, _says) in enumerate(ANYWHERE):
        play.task(f"bad {number}", MODULE, units=[{"unit": "fine.service", "memory_max": "1GiB"}, wish])
    play.task("twice", MODULE, units=[{"unit": "app.service"}, {"unit": "app.service"}])
    play.task("fine", MODULE, units=[{"unit": "app.service", "memory_max": "1GiB"}])
    run = play.run()
    for number, (wish, says) in enumerate(ANYWHERE):
        done = run[f"bad {number}"]
        assert done.failed and says in done.msg and "\n" not in done.msg, (wish, done.msg)
    assert "two wishes" in run["twice"].msg
    assert run["fine"].failed and "systemd does not run this host" in run["fine"].msg and "OpenRC" in run["fine"].msg


@pytest.mark.long
def test_older_systemd(tmp_path: Path) -> None:
    try:
        host = hosts.start("mmdebstrap:bullseye", "integration-older")
    except Missing as missing:
        pytest.skip(str(missing))
    try:
        play = Play(tmp_path)
        play.task("idle", MODULE, units=[{"unit": "lt.slice", "cpu_weight": "idle"}])
        play.task("preference", MODULE, units=[{"unit": "lt.slice", "memory_max": "1GiB"}, {"unit": "cron.service", "managed_oom_preference": "omit"}])
        play.sh("written", f"ls {ETC} | grep -c 'lt.slice\\|cron.service.d' || true")
        play.task("fine", MODULE, units=[{"unit": "lt.slice", "memory_max": "1GiB"}])
        run = play.run(variables=reached(host))
        idle, preference = run["idle"], run["preference"]
        assert idle.failed and "cpu_weight idle needs systemd 252" in idle.msg and "has 247" in idle.msg
        assert preference.failed and "managed_oom_preference needs systemd 248" in preference.msg
        assert run["written"].ok().result["stdout"] == "0" and run["fine"].ok().changed
    finally:
        hosts.stop(host)
