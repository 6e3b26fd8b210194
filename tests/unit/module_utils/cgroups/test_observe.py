# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen of processes, programs and units on hosts that are made of files."""

import errno
import os
from pathlib import Path
from typing import Optional

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.cgroups import configured, hierarchy, observe
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.model import Bound, Effective, Node, Observed, Prediction, Sharing
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.observe import Machine
from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from tests.fakes.cgroups import CONTAINER_CGROUP, CONTAINER_MOUNTINFO, HYBRID_CGROUP, HYBRID_MOUNTINFO, V2
from tests.fakes.rooted_host import RootedHost

SERVICE = "/go.slice/app.service"
TOP = "/sys/fs/cgroup"


def values(effective: Effective) -> "dict[str, Optional[tuple[float, str]]]":
    bounds = dict(cpus=effective.cpus, memory=effective.memory, high=effective.high, swap=effective.swap, tasks=effective.tasks)
    return {name: (bound.value, bound.node.path) for name, bound in bounds.items() if bound is not None}


@pytest.fixture
def host(tmp_path: Path) -> RootedHost:
    """v2, with a slice that is tighter than the service below it."""
    made = RootedHost(tmp_path)
    made.cgroup("", cgroup__procs="1")
    made.cgroup("/go.slice", cpu__max="150000 100000", memory__max="536870912", memory__high="max", pids__max="100", cgroup__procs="")
    made.cgroup(SERVICE, cpu__max="400000 100000", memory__max="max", memory__swap__max="0", pids__max="100", cgroup__procs="7")
    made.write(f"{TOP}/go.slice/cpuset.cpus.effective", "0-3\n")
    return made


def test_process(host: RootedHost) -> None:
    program = host.go("/opt/app", "go1.26.11")
    host.process(7, program, f"0::{SERVICE}\n", b"GOGC=50\0TOKEN=secret\0", cpus="0-15")
    found = observe.process(Machine(host), 7)
    assert (found.name, found.unit, found.pid, found.executable) == ("7", "app.service", 7, program)
    assert found.cpus == tuple(range(8))  # the mask names CPUs that are not there
    assert found.environment == {"GOGC": "50"} and "secret" not in str(found)
    assert values(found.effective) == {
        "cpus": (1.5, "/go.slice"),
        "memory": (536870912, "/go.slice"),
        "swap": (0, SERVICE),
        "tasks": (100, "/go.slice"),
    }
    assert found.effective.cpuset == (0, 1, 2, 3)
    assert found.prediction == found.alone == Prediction(4, "quota", True, 4.0, TOP + SERVICE)
    assert found.releases == {"1.21": 8, "1.22": 8, "1.23": 8, "1.24": 8, "1.25": 4, "1.26": 4, "1.27": 4}
    assert (found.node, found.sharing, found.bug) == (Node(2, SERVICE, TOP + SERVICE), Sharing(), False)


def test_environment_and_build_decide(host: RootedHost) -> None:
    host.process(7, host.go("/opt/app", "go1.27.4", "containermaxprocs=0"), f"0::{SERVICE}\n", b"GOMAXPROCS=3\0")
    found = observe.process(Machine(host), 7)
    assert found.prediction == Prediction(3, "environment", off="environment")
    assert found.alone == Prediction(8, "affinity", off="default_godebug")


def test_who_shares_the_limit(host: RootedHost) -> None:
    host.process(7, host.go("/opt/app"), f"0::{SERVICE}\n")
    host.process(8, "/bin/sh", f"0::{SERVICE}\n")
    host.cgroup(SERVICE, cgroup__procs="7\n8\n9")
    host.cgroup("/go.slice/other.service/sub", cgroup__procs="20\n21")
    assert observe.process(Machine(host), 7).sharing == Sharing(2, 32 << 20)
    host.cgroup(SERVICE, memory__max="1000000")
    assert observe.process(Machine(host), 7).sharing == Sharing(0, 32 << 20)


def test_what_is_no_go_program(host: RootedHost) -> None:
    host.write("/bin/sh", "#!")
    host.process(7, host.root + "/bin/sh", f"0::{SERVICE}\n")
    host.process(2, "", "0::/\n")
    shell, kernel = (observe.process(Machine(host), pid) for pid in (7, 2))
    assert (shell.build, shell.prediction, shell.releases) == (None, None, {})
    assert (kernel.executable, kernel.build, kernel.unit) == ("", None, "")
    host.process(9, host.go("/opt/odd", "devel +0a1b2c"), "0::/\n")
    odd = observe.process(Machine(host), 9)
    assert odd.build is not None and odd.prediction is None


def test_no_such_process(host: RootedHost) -> None:
    with pytest.raises(GoHostError, match="there is no such process: 4711"):
        observe.process(Machine(host), 4711)


def test_a_process_that_has_ended_and_was_not_waited_for(host: RootedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host.process(7, host.go("/opt/app"), f"0::{SERVICE}\n")
    machine, read, code = Machine(host), host.read, errno.EINVAL

    def broken(path: str, limit: int = 64 << 20) -> bytes:
        if path.endswith("/mountinfo"):
            raise OSError(code, os.strerror(code))
        return read(path, limit)

    monkeypatch.setattr(host, "read", broken)
    with pytest.raises(GoHostError, match="there is no such process: 7"):
        observe.process(machine, 7)
    code = errno.EACCES
    with pytest.raises(PermissionError):
        observe.process(machine, 7)


def test_more_cgroups_than_are_looked_into_count_as_others(host: RootedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host.process(7, host.go("/opt/app"), f"0::{SERVICE}\n")
    for number in range(5):
        host.cgroup(f"/go.slice/{number}.service", cgroup__procs="")
    machine = Machine(host)
    assert observe.process(machine, 7).sharing.elsewhere == 0
    monkeypatch.setattr(observe, "_MOST_CGROUPS", 3)
    assert observe.process(machine, 7).sharing.elsewhere > 0


def test_v1(tmp_path: Path) -> None:
    memory = "33 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    host = RootedHost(tmp_path, HYBRID_MOUNTINFO + memory)
    lines = HYBRID_CGROUP.replace("1:cpu:/\n", "1:cpu:/go.slice\n").replace("3:cpuset:/", "3:cpuset:/set").replace("4:memory:/process_api", "4:memory:/a")
    host.process(7, host.go("/opt/app", "go1.25.14"), lines.replace("name=systemd:/", "name=systemd:/go.slice/app.service"))
    for name, content in (("cpu.cfs_quota_us", "250000"), ("cpu.cfs_period_us", "100000")):
        host.write(f"{TOP}/cpu/go.slice/{name}", content + "\n")
    leaf = f"{TOP}/memory/a/acbd1c2cc8d48f9418b7b950ac04528e"
    host.write(f"{leaf}/memory.limit_in_bytes", "9223372036854771712\n")
    host.write(f"{TOP}/memory/a/memory.limit_in_bytes", "268435456\n")
    host.write(f"{TOP}/memory/a/memory.memsw.limit_in_bytes", "268435456\n")
    host.write(f"{leaf}/memory.stat", "cache 0\nhierarchical_memory_limit 268435456\nhierarchical_memsw_limit 268435456\n")
    host.write(f"{TOP}/cpuset/set/cpuset.effective_cpus", "2-3\n")
    machine = Machine(host)
    found = observe.process(machine, 7)
    assert machine.version == "hybrid" and found.unit == "app.service"
    assert values(found.effective) == {"cpus": (2.5, "/go.slice"), "memory": (268435456, "/a"), "swap": (268435456, "/a")}
    assert found.effective.cpuset == (2, 3)
    assert found.prediction == Prediction(3, "quota", True, 2.5, f"{TOP}/cpu/go.slice")
    host.write(f"{leaf}/memory.stat", "hierarchical_memory_limit 134217728\n")  # by a cgroup above what is mounted
    bound = observe.process(machine, 7).effective.memory
    assert bound is not None and (bound.value, bound.node.directory) == (134217728, leaf)


NAMED = "158 44 0:4 net:[4026532256] /run/netns/a rw shared:15 - nsfs nsfs rw\n"


@pytest.mark.parametrize(
    ("version", "namespace", "before", "value", "bug"),
    [
        ("go1.25.14", "same", "", 8, True),
        ("go1.25.14", "own", "", 2, False),
        ("go1.26.11", "same", "", 2, False),
        ("go1.26.11", "same", NAMED, 8, True),
        ("go1.25.14", "own", NAMED, 2, False),
    ],
)
def test_container(tmp_path: Path, version: str, namespace: str, before: str, value: int, bug: bool) -> None:
    """A container whose mount is its own part of the hierarchy: in the host's namespace 1.25 looks into the wrong directory, in its own it does not."""
    outside = V2.replace("cgroup2 cgroup2 rw", "tmpfs tmpfs rw") + CONTAINER_MOUNTINFO.replace("/docker/0123", "/")
    host = RootedHost(tmp_path, outside)
    name = "cgroup:[4026531835]" if namespace == "same" else "cgroup:[4026539999]"
    host.process(7, host.go("/opt/app", version), CONTAINER_CGROUP, namespace=name, mountinfo=before + CONTAINER_MOUNTINFO)
    for directory in (f"{TOP}/cpu,cpuacct", f"{TOP}/cpu,cpuacct/docker/0123/"):
        quota = "150000" if directory.endswith("cpuacct") else "-1"
        host.write(f"{directory}/cpu.cfs_quota_us", f"{quota}\n")
        host.write(f"{directory}/cpu.cfs_period_us", "100000\n")
    found = observe.process(Machine(host), 7)
    assert found.prediction is not None and (found.prediction.value, found.bug) == (value, bug)


def test_binary(host: RootedHost) -> None:
    program = host.go("/opt/app", "go1.24.13")
    found = observe.binary(Machine(host), "/opt/app")
    assert (found.pid, found.executable, found.effective) == (0, program, Effective())
    assert found.prediction == Prediction(8, "affinity", off="release")
    with pytest.raises(GoHostError, match="no such program"):
        observe.binary(Machine(host), "/opt/none")


def test_no_word_about_cpus_that_are_online(tmp_path: Path) -> None:
    host = RootedHost(tmp_path, online="")
    host.write("/proc/self/status", "Cpus_allowed_list:\t0-3\n")
    (tmp_path / "sys/devices/system/cpu/online").unlink()
    assert Machine(host).online == (0, 1, 2, 3)


def shown(name: str, **more: str) -> str:
    return "\n".join([f"Id={name}", "LoadState=loaded", *(f"{key}={value}" for key, value in more.items())])


def unit(host: RootedHost, **more: str) -> "list[Observed]":
    host.units.setdefault("app.service", shown("app.service", Slice="go-web.slice", **more))
    for name in ("go-web.slice", "-.slice"):
        host.units.setdefault(name, shown(name))
    host.units.setdefault("go.slice", shown("go.slice", CPUQuotaPerSecUSec="1.500000s", MemoryMax="536870912", TasksMax="infinity", AllowedCPUs="0-3"))
    machine = Machine(host)
    return [each for one in observe.units(machine, ["app.service"]) for each in observe.unit_programs(machine, one)]


EXEC = "{{ path={} ; argv[]=x --token=secret ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }}"


def test_unit_that_does_not_run(host: RootedHost) -> None:
    host.go("/opt/app")
    (found,) = unit(host, MainPID="0", ExecStart=EXEC.format("/opt/app"), Environment="GOMEMLIMIT=1GiB TOKEN=secret", MemoryMax="infinity", CPUAffinity="2-7")
    assert (found.name, found.pid, found.executable, found.environment) == ("app.service", 0, "/opt/app", {"GOMEMLIMIT": "1GiB"})
    assert "secret" not in str(found)
    assert values(found.effective) == {"cpus": (1.5, "go.slice"), "memory": (536870912, "go.slice")}
    assert found.cpus == (2, 3)
    assert found.prediction == Prediction(2, "affinity", True)
    assert [argv[-4:] for argv in host.asked[:2]] == [host.asked[0][-4:], ["--", "-.slice", "go-web.slice", "go.slice"]] and len(host.asked) == 3


def test_unit_that_does_not_run_on_v1_is_in_its_slice(tmp_path: Path) -> None:
    host = RootedHost(tmp_path, HYBRID_MOUNTINFO)
    host.go("/opt/app")
    (found,) = unit(host, ExecStart=EXEC.format("/opt/app"))
    assert found.prediction == Prediction(2, "quota", True, 1.5) and found.cpus == tuple(range(8))
    (own,) = unit(RootedHost(tmp_path / "v2"), ExecStart=EXEC.format("/opt/app"))
    assert own.build is None and own.prediction is None  # there is no such program on that one


def test_unit_that_runs(host: RootedHost) -> None:
    host.process(7, host.go("/opt/app"), f"0::{SERVICE}\n")
    host.process(8, host.go("/opt/worker", "go1.24.13"), f"0::{SERVICE}\n")
    host.write("/bin/sh", "#!")
    host.process(9, host.root + "/bin/sh", f"0::{SERVICE}\n")
    host.cgroup(SERVICE, cgroup__procs="7\n8\n9\n10")  # 10 has ended
    found = unit(host, MainPID="7", ControlGroup=SERVICE)
    assert [(each.name, each.unit, each.pid) for each in found] == [("app.service", "app.service", 7), ("app.service", "app.service", 8)]


def test_units_that_cannot_be_had(host: RootedHost) -> None:
    machine = Machine(host)
    assert observe.units(machine, []) == [] and host.asked == []
    with pytest.raises(GoHostError, match="no systemd on this host: app.service"):
        observe.units(machine, ["app.service"])
    host.units["other.service"] = shown("other.service")
    with pytest.raises(GoHostError, match="no such unit: app.service. It says not-found"):
        observe.units(machine, ["app.service"])
    host.units["app.service"] = ""
    with pytest.raises(GoHostError, match="systemctl show failed"):
        observe.units(machine, ["app.service"])


@pytest.mark.parametrize(
    ("name", "chain"),
    [
        ("a-b-c.slice", ["a-b-c.slice", "a-b.slice", "a.slice", "-.slice"]),
        ("system.slice", ["system.slice", "-.slice"]),
        ("-.slice", ["-.slice"]),
        ("", []),
    ],
)
def test_slice_chain(name: str, chain: "list[str]") -> None:
    assert configured.slice_chain(name) == chain


def test_the_outermost_of_equal_limits_is_named() -> None:
    nodes = [Node(2, path, path) for path in ("/a/b", "/a", "/")]
    assert hierarchy.tightest(nodes, lambda node: None if node.path == "/" else 5) == Bound(5, nodes[1])


def test_environment_files(host: RootedHost) -> None:
    """As systemd 252 reads them: wildcards in any part of a path, a later file wins."""
    for path, text in {"a.d/1.env": "GOGC=1", "a.d/2.env": "GOGC=2", "b.d/1.env": "GOMAXPROCS=3", "a.d/.env": "GOGC=9", ".c.d/1.env": "GOGC=8"}.items():
        host.write(f"/etc/{path}", f"{text}\n")

    def read(*paths: str) -> "dict[str, str]":
        return observe.environment_files(host, "\n".join(f"{path} (ignore_errors=yes)" for path in paths), 252)

    assert read("/etc/a.d/1.env", "/etc/none") == {"GOGC": "1"}
    assert read("/etc/a.d/*") == read("/etc/a.d/[12].env") == {"GOGC": "2"}
    assert read("/etc/?.d/1.env") == read("/*/*.d/1.env") == {"GOGC": "1", "GOMAXPROCS": "3"}
    assert read("/etc/a.d/*", "/etc/a.d/1.env") == {"GOGC": "1"}
    assert read("/etc/a.d/.*") == {"GOGC": "9"} and read("/none/*") == {} and read("") == {}


def test_a_program_by_its_bare_name(host: RootedHost) -> None:
    host.go("/usr/bin/app", "go1.24.13")
    assert observe.program_of(host, "none") is observe.program_of(host, "") is None
    for path in ("/usr/local/bin/app", "/usr/local/sbin/app"):
        seen = observe.program_of(host, "app")
        assert seen is not None and seen.version == "go1.24.13" and observe.program_of(host, path) is None
    host.go("/usr/local/bin/app", "go1.27.4")
    seen = observe.program_of(host, "app")
    assert seen is not None and seen.version == "go1.27.4"
