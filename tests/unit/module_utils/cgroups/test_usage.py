# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is used, on hosts that are made of files and change while they are watched."""

from pathlib import Path
from typing import Callable, List

from ansible_collections.gohost.linux.plugins.module_utils.cgroups import observe, usage
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.model import Node, Pressure, Throttling, Used
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.observe import Machine
from tests.fakes.cgroups import HYBRID_CGROUP, HYBRID_MOUNTINFO
from tests.fakes.rooted_host import RootedHost

SERVICE, TOP = "/go.slice/app.service", "/sys/fs/cgroup"
PSI = "some avg10=1.50 avg60=0.80 avg300=0.20 total=9\n"


class Clock:
    """Seconds that pass only while somebody sleeps; meanwhile something happens."""

    def __init__(self, happens: Callable[[float], None] = lambda now: None) -> None:
        self.now, self.happens = 100.0, happens
        self.slept: List[float] = []

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)
        self.happens(self.now)

    def __call__(self) -> float:
        return self.now


def watch(host: RootedHost, window: float, clock: Clock) -> Used:
    machine = Machine(host)
    used, nothing = usage.measure(machine, [observe.process(machine, 7), observe.binary(machine, "/opt/app")], window, clock.sleep, clock)
    assert used is not None and nothing is None
    return used


def v2(tmp_path: Path) -> RootedHost:
    host = RootedHost(tmp_path)
    host.process(7, host.go("/opt/app"), f"0::{SERVICE}\n")
    host.cgroup("", cpu__stat="usage_usec 5\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0")
    host.cgroup("/go.slice", cpu__stat="usage_usec 5\nnr_periods 50\nnr_throttled 20\nthrottled_usec 1500000")
    host.cgroup(SERVICE, cpu__stat="usage_usec 1000000\nuser_usec 1\nsystem_usec 1", memory__current="1000", memory__peak="5000", pids__current="7")
    host.cgroup(SERVICE, memory__events="low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\noom_group_kill 0", cpu__pressure=PSI)
    return host


def test_v2_without_a_window(tmp_path: Path) -> None:
    clock = Clock()
    assert watch(v2(tmp_path), 0, clock) == Used(
        cpu_of="cgroup",
        memory_of="cgroup",
        cpu=1000000,
        memory=1000,
        peak=5000,
        tasks=7,
        resident=32 << 20,
        resident_peak=64 << 20,
        throttling=((Node(2, "/go.slice", f"{TOP}/go.slice"), Throttling(50, 20, 1500000)),),
        events={"low": 0, "high": 0, "max": 3, "oom": 1, "oom_kill": 1, "oom_group_kill": 0},
        pressures={"cpu": Pressure((1.5, 0.8, 0.2, 9))},
        pressure_of="cgroup",
    )
    assert clock.slept == []


def test_a_window(tmp_path: Path) -> None:
    host = v2(tmp_path)

    def happens(now: float) -> None:
        busy = 0.1 * max(now - 100, 0) + (1.5 if now >= 105.25 else 0)  # a tenth of a CPU, and once three CPUs for half a second
        host.cgroup(SERVICE, cpu__stat=f"usage_usec {1000000 + round(busy * 1e6)}", memory__current=str(round(now)))

    clock = Clock(happens)
    found = watch(host, 10, clock)
    assert len(clock.slept) == 20 and clock.now == 110
    assert found.cpus is not None and round(found.cpus, 3) == 0.25
    assert found.busiest is not None and round(found.busiest, 3) == 3.1
    assert (found.memory, found.peak) == (110, 5000)
    (tmp_path / f"sys/fs/cgroup{SERVICE}/memory.peak").unlink()
    assert watch(host, 0.15, Clock(lambda now: None)).peak == 110


def test_a_short_window_has_few_samples(tmp_path: Path) -> None:
    clock = Clock()
    watch(v2(tmp_path), 0.25, clock)
    assert [round(each, 3) for each in clock.slept] == [0.1, 0.1, 0.05]


def test_v1(tmp_path: Path) -> None:
    more = "".join(f"5{n} 31 0:5{n} / {TOP}/{name} rw,relatime - cgroup cgroup rw,{name}\n" for n, name in enumerate(("memory", "pids")))
    host = RootedHost(tmp_path, HYBRID_MOUNTINFO + more)
    lines = "\n".join(line if line.startswith("0:") else line.rpartition(":")[0] + ":/app" for line in HYBRID_CGROUP.splitlines())
    host.process(7, host.go("/opt/app"), lines)
    for path, content in (
        ("cpu/app/cpu.stat", "nr_periods 10\nnr_throttled 4\nthrottled_time 2000000\n"),
        ("cpuacct/app/cpuacct.usage", "3000000000\n"),
        ("memory/app/memory.usage_in_bytes", "1000\n"),
        ("memory/app/memory.max_usage_in_bytes", "5000\n"),
        ("memory/app/memory.failcnt", "6\n"),
        ("memory/app/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
        ("pids/app/pids.current", "9\n"),
    ):
        host.write(f"{TOP}/{path}", content)
    host.write("/proc/pressure/memory", PSI)
    found = watch(host, 0, Clock())
    assert (found.cpu_of, found.memory_of, found.cpu, found.memory, found.peak, found.tasks) == ("cgroup", "cgroup", 3000000, 1000, 5000, 9)
    assert found.events == {"max": 6, "oom_kill": 2}
    assert [(node.path, each) for node, each in found.throttling] == [("/app", Throttling(10, 4, 2000))]
    assert (found.pressure_of, list(found.pressures)) == ("host", ["memory"])


def test_a_process_in_the_root_is_counted_alone(tmp_path: Path) -> None:
    host = RootedHost(tmp_path)
    host.process(7, host.go("/opt/app"), "0::/\n")
    host.cgroup("", cpu__stat="usage_usec 99999999", pids__current="5000", cpu__pressure=PSI)
    ticks = "7 (app) S 1 1 1 0 -1 4194560 500 0 3 0 {} 0 0 0 20 0 9 0 9 5 7\n"
    found = watch(host, 1, Clock(lambda now: host.write("/proc/7/stat", ticks.format(150 + round((now - 100) * 50)))))
    assert (found.cpu_of, found.memory_of, found.cpu, found.memory, found.peak) == ("process", "process", 2000000, 32 << 20, 64 << 20)
    assert found.cpus is not None and round(found.cpus, 2) == 0.5
    assert (found.tasks, found.tasks_peak, found.pressures, found.pressure_of) == (9, None, {}, "")


def test_a_process_that_ends_meanwhile(tmp_path: Path) -> None:
    host = v2(tmp_path)

    def ends(now: float) -> None:
        for path in (tmp_path / "proc/7").iterdir():
            if path.is_file():
                path.unlink()

    found = watch(host, 0.3, Clock(ends))
    assert found.resident is None and found.cpu == 1000000
