# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests' systemd beside what the real one said: systemd 252 of Debian 12 (252.39-1~deb12u2), read in a container."""

import os
from pathlib import Path
from typing import Dict

import pytest

from tests.fakes import systemd
from tests.fakes.systemd import ETC, RUN, FakeSystemd

DROPIN = """[Service]
MemoryMin=1M
MemoryLow=2M
MemoryHigh=200M
MemoryMax=infinity
MemorySwapMax=1G
CPUQuota=12.34%
CPUQuotaPeriodSec=20ms
CPUWeight=idle
AllowedCPUs=0-1,3
TasksMax=70
IOWeight=77
IOReadBandwidthMax=/dev/vda 10M
IOReadBandwidthMax=/dev/null 20M
IOWriteIOPSMax=/dev/vda 1K
ManagedOOMSwap=kill
ManagedOOMMemoryPressureLimit=60%
ManagedOOMPreference=avoid
OOMPolicy=continue
OOMScoreAdjust=-100
LimitNOFILE=1024:65536
Delegate=cpu cpuset io memory pids
Slice=foo-bar.slice
Environment=GOMAXPROCS=3 "X=a b" 'Y=q"q'
Environment=GOMEMLIMIT=3MiB
EnvironmentFile=/etc/a
EnvironmentFile=-/etc/b*
"""
SAID = r"""OOMPolicy=continue
Slice=foo-bar.slice
Delegate=yes
DelegateControllers=cpu cpuset io memory pids
CPUWeight=idle
CPUQuotaPerSecUSec=123.400ms
CPUQuotaPeriodUSec=20ms
AllowedCPUs=0-1 3
IOWeight=77
IOReadBandwidthMax=/dev/vda 10000000
IOReadBandwidthMax=/dev/null 20000000
IOWriteIOPSMax=/dev/vda 1000
MemoryMin=1048576
MemoryLow=2097152
MemoryHigh=209715200
MemoryMax=infinity
MemorySwapMax=1073741824
TasksMax=70
ManagedOOMSwap=kill
ManagedOOMMemoryPressure=auto
ManagedOOMMemoryPressureLimit=2576980377
ManagedOOMPreference=avoid
Environment=GOMAXPROCS=3 "X=a b" "Y=q\"q" GOMEMLIMIT=3MiB
EnvironmentFiles=/etc/a (ignore_errors=no)
EnvironmentFiles=/etc/b* (ignore_errors=yes)
LimitNOFILE=65536
LimitNOFILESoft=1024
OOMScoreAdjust=-100
FragmentPath=/etc/systemd/system/exp.service
DropInPaths=/etc/systemd/system/exp.service.d/90-x.conf
NeedDaemonReload=no
LoadState=loaded"""
RESET = [
    f"{name}="
    for name in ("CPUQuota", "TasksMax", "MemoryHigh", "MemoryMin", "CPUWeight", "IOReadBandwidthMax", "AllowedCPUs", "Slice", "OOMPolicy", "LimitNOFILE")
]
RESET_SAID = """CPUQuotaPerSecUSec=infinity
MemoryHigh=infinity
MemoryMin=0
CPUWeight=[not set]
AllowedCPUs=
Slice=foo-bar.slice
OOMPolicy=continue
LimitNOFILE=65536
IOWriteIOPSMax=/dev/vda 1000"""


@pytest.fixture
def host(tmp_path: Path) -> FakeSystemd:
    made = systemd.prepare(tmp_path)
    made.unit("exp.service")
    made.reload()
    return made


def lines(host: FakeSystemd, unit: str, names: str) -> str:
    return host.run(["systemctl", "show", "--no-pager", f"--property={names}", "--", unit]).stdout


def show(host: FakeSystemd, unit: str) -> Dict[str, str]:
    found = lines(host, unit, "LoadState,DropInPaths,NeedDaemonReload,TasksMax,ControlGroup,MemoryMax,Id").splitlines()
    return {name: value for name, _sign, value in (line.partition("=") for line in found)}


def put(host: FakeSystemd, path: str, tasks: int) -> None:
    section = "Slice" if ".slice" in path else "Service"
    host.write(path, f"[{section}]\nTasksMax={tasks}\n")


def test_what_it_shows(host: FakeSystemd) -> None:
    host.write(f"{ETC}/exp.service.d/90-x.conf", DROPIN)
    host.start("exp.service")
    names = ",".join(sorted({line.partition("=")[0] for line in SAID.splitlines()}))
    assert set(SAID.splitlines()) == set(lines(host, "exp.service", names).splitlines())
    host.write(f"{ETC}/exp.service.d/91-q.conf", "[Service]\n" + "\n".join(RESET) + "\n")
    host.reload()
    said = set(lines(host, "exp.service", f"{names},IOReadBandwidthMax").splitlines())
    assert set(RESET_SAID.splitlines()) <= said and not any(line.startswith("IOReadBandwidthMax") for line in said)


@pytest.mark.parametrize(
    ("unit", "state"),
    [("none.service", "not-found"), ("none.scope", "not-found"), ("none.slice", "loaded"), ("user-.slice", "error"), ("null.service", "masked")],
)
def test_units_that_are_not_there(host: FakeSystemd, unit: str, state: str) -> None:
    os.symlink("/dev/null", f"{host.root}{ETC}/null.service")
    put(host, f"{ETC}/none.service.d/50.conf", 10)
    assert show(host, unit)["LoadState"] == state
    assert show(host, "none.service")["DropInPaths"] == show(host, "null.service")["DropInPaths"] == ""


def test_lists_of_units(host: FakeSystemd) -> None:
    template = host.run(["systemctl", "show", "--property=Id", "--", "exp.service", "app@.service", "exp.service"])
    assert (template.rc, template.stdout) == (1, "Id=exp.service\n")
    assert template.stderr == "Failed to get properties: Unit name app@.service is neither a valid invocation ID nor unit name.\n"
    host.start("user-1000.slice", "user-0.slice")
    assert lines(host, "user-*.slice", "Id") == "Id=user-0.slice\n\nId=user-1000.slice\n"
    assert lines(host, "none-*.slice", "Id") == ""


@pytest.mark.parametrize(
    ("unit", "paths", "tasks"),
    [
        ("exp-one.service", {f"{ETC}/exp-.service.d/50-p.conf": 10, f"{RUN}/exp-one.service.d/50-p.conf": 11}, "10"),
        ("exp-one.service", {f"{ETC}/service.d/51-p.conf": 12, f"{RUN}/exp-one.service.d/51-p.conf": 13}, "13"),
        ("exp@1.service", {f"{ETC}/exp@.service.d/50-p.conf": 10, f"{RUN}/exp@1.service.d/50-p.conf": 11}, "10"),
        ("exp@1.service", {f"{ETC}/exp@.service.d/80-x.conf": 60, f"{ETC}/exp@1.service.d/90-x.conf": 61}, "61"),
        ("exp-two@1.service", {f"{ETC}/exp-.service.d/52-p.conf": 10}, "10"),
        ("exp-one.service", {f"{ETC}.control/exp-one.service.d/50-TasksMax.conf": 44, f"{ETC}/exp-one.service.d/50-a.conf": 50}, "50"),
        ("exp-one.service", {f"{ETC}/exp-one.service.d/50-a.conf": 50, f"{RUN}/exp-one.service.d/50-a.conf": 51}, "50"),
        ("exp-one.service", {f"{ETC}/exp-one.service.d/50-a.conf": 50, f"{RUN}/exp-one.service.d/60-a.conf": 51}, "51"),
        ("user-7.slice", {f"{ETC}/user-.slice.d/80-g.conf": 999}, "999"),
    ],
)
def test_which_drop_in_wins(host: FakeSystemd, unit: str, paths: Dict[str, int], tasks: str) -> None:
    for each in ("exp-one.service", "exp@.service", "exp-two@.service"):
        host.unit(each)
    for path, number in paths.items():
        put(host, path, number)
    assert show(host, unit)["TasksMax"] == tasks


def test_when_it_says_that_a_reload_is_needed(host: FakeSystemd) -> None:
    host.start("exp.service")
    path, other = f"{ETC}/exp.service.d/50-a.conf", f"{ETC}/exp.service.d/60-b.conf"
    put(host, path, 77)
    assert show(host, "exp.service")["NeedDaemonReload"] == "no", "a directory that it has not seen yet"
    assert host.live("exp.service")["pids.max"] == "4500"
    host.reload()
    assert (show(host, "exp.service")["DropInPaths"], host.live("exp.service")["pids.max"]) == (path, "77")
    os.utime(host.root + path, ns=(0, 0))
    assert show(host, "exp.service")["NeedDaemonReload"] == "no", "older than what it has read"
    put(host, path, 78)
    os.utime(host.root + path, ns=(1 << 62, 1 << 62))
    assert (show(host, "exp.service")["NeedDaemonReload"], show(host, "exp.service")["TasksMax"]) == ("yes", "77")
    host.reload()
    put(host, other, 79)
    assert show(host, "exp.service")["NeedDaemonReload"] == "yes", "another one in a directory that it knows"
    host.reload()
    host.remove(other)
    assert (show(host, "exp.service")["NeedDaemonReload"], host.live("exp.service")["pids.max"]) == ("yes", "79")
    host.reload()
    assert (show(host, "exp.service")["NeedDaemonReload"], host.live("exp.service")["pids.max"]) == ("no", "78")


def test_cgroups_of_v1(tmp_path: Path) -> None:
    """With its last CPU setting a unit's cpu cgroup goes."""
    host = systemd.prepare(tmp_path, v1=True)
    host.unit("exp.service", "[Service]\nExecStart=/bin/sleep 9\nCPUQuota=150%\nCPUWeight=300\nMemoryMax=512M\n")
    host.reload()
    host.start("exp.service")
    live = host.live("exp.service")
    assert (live["cpu.cfs_quota_us"], live["cpu.shares"], live["memory.limit_in_bytes"]) == ("150000", "3072", "536870912")
    host.unit("exp.service")
    host.reload()
    live = host.live("exp.service")
    assert "cpu.cfs_quota_us" not in live and live["memory.limit_in_bytes"] == "9223372036854771712"


def test_a_running_service_moves_at_its_restart(host: FakeSystemd) -> None:
    host.start("exp.service")
    host.write(f"{ETC}/exp.service.d/9.conf", "[Service]\nSlice=other.slice\n")
    host.reload()
    assert show(host, "exp.service")["ControlGroup"] == "/system.slice/exp.service"
    assert host.run(["systemctl", "restart", "--", "exp.service", "none.service"]).rc == 5
    assert (show(host, "exp.service")["ControlGroup"], host.restarted) == ("/other.slice/exp.service", ["exp.service"])
