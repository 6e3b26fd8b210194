# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of /proc and of cgroups."""

from typing import Dict, Optional, Tuple

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.cgroups import parse
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.model import Membership, Mount, Pressure, Throttling
from tests.fakes.cgroups import HYBRID_CGROUP, HYBRID_MOUNTINFO


def test_memberships() -> None:
    found = parse.memberships(HYBRID_CGROUP)
    assert len(found) == 10
    assert found[0] == Membership(9, ("name=systemd",), "/", "9:name=systemd:/")
    assert found[5][:3] == (4, ("memory",), "/process_api/acbd1c2cc8d48f9418b7b950ac04528e")
    assert found[-1] == Membership(0, (), "/", "0::/")


@pytest.mark.parametrize(
    ("line", "member"),
    [
        ("4:cpu,cpuacct:/user.slice", (4, ("cpu", "cpuacct"), "/user.slice")),
        ("0::/system.slice/system-go\\x2dapp.slice/go:app@1.service", (0, (), "/system.slice/system-go\\x2dapp.slice/go:app@1.service")),
        ("0::/../../init", (0, (), "/../../init")),
        ("0::/gone.service (deleted)", (0, (), "/gone.service (deleted)")),
        ("0::", None),
        ("0:/", None),
        ("x::/", None),
        ("", None),
    ],
)
def test_membership(line: str, member: Optional[Tuple[int, Tuple[str, ...], str]]) -> None:
    assert parse.memberships(line) == ((Membership(*member, line),) if member else ())


def test_mounts() -> None:
    found = parse.mounts(HYBRID_MOUNTINFO)
    assert [(mount.fstype, mount.point, mount.options) for mount in found] == [
        ("cgroup", "/sys/fs/cgroup/cpu", ("rw", "cpu")),
        ("cgroup", "/sys/fs/cgroup/cpuacct", ("rw", "cpuacct")),
        ("cgroup", "/sys/fs/cgroup/cpuset", ("rw", "cpuset")),
        ("cgroup", "/sys/fs/cgroup/systemd", ("rw", "name=systemd")),
        ("cgroup2", "/sys/fs/cgroup/unified", ("rw",)),
    ]
    assert found[0].line == "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu"


@pytest.mark.parametrize(
    ("line", "mount"),
    [
        ("1 2 0:1 / /a\\040b\\134x2d ro shared:1 master:2 - cgroup2 cgroup2 rw,nsdelegate", ("/", "/a b\\x2d", "cgroup2", ("rw", "nsdelegate"))),
        ("1 2 0:1 /docker/1\\134x /sys/fs/cgroup ro - cgroup2 none rw", ("/docker/1\\x", "/sys/fs/cgroup", "cgroup2", ("rw",))),
        ("1 2 0:1 /.. /sys/fs/cgroup ro - cgroup2 cgroup2 rw", ("/..", "/sys/fs/cgroup", "cgroup2", ("rw",))),
        ("1 2 0:1 / /sys/fs/cgroup ro cgroup2 cgroup2 rw", None),
        ("1 2 0:1 / /sys/fs/cgroup ro - cgroup2", None),
        ("1 2 0:1 x /sys/fs/cgroup ro - cgroup2 cgroup2 rw", None),
        ("1 2 0:4 net:[4026532256] /run/netns/a rw shared:15 - nsfs nsfs rw", ("net:[4026532256]", "/run/netns/a", "nsfs", ("rw",))),
        (" - cgroup2 cgroup2 rw", None),
    ],
)
def test_mount(line: str, mount: Optional[Tuple[str, str, str, Tuple[str, ...]]]) -> None:
    assert parse.mounts(line) == ((Mount(*mount, line),) if mount else ())


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("max 100000\n", None),
        ("150000 100000\n", 1.5),
        ("1000 1000000\n", 0.001),
        ("100000 0\n", None),
        ("100000\n", None),
        ("max\n", None),
        ("a b\n", None),
        ("", None),
    ],
)
def test_cpu_max(text: str, cpus: Optional[float]) -> None:
    assert parse.cpu_max(text) == cpus


@pytest.mark.parametrize(
    ("quota", "period", "cpus"),
    [
        ("-1\n", "100000\n", None),
        ("250000\n", "100000\n", 2.5),
        ("0\n", "100000\n", 0.0),
        ("x\n", "100000\n", None),
        ("1\n", "\n", None),
        ("1\n", "0\n", None),
    ],
)
def test_cfs(quota: str, period: str, cpus: Optional[float]) -> None:
    assert parse.cfs(quota, period) == cpus


@pytest.mark.parametrize(
    ("text", "number"),
    [("536870912\n", 536870912), ("0\n", 0), ("max\n", None), ("infinity", None), ("9223372036854771712\n", None), ("18446744073709551615", None), ("", None)],
)
def test_limit(text: str, number: Optional[int]) -> None:
    assert parse.limit(text) == number


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nr_periods 7\nnr_throttled 2\nthrottled_time 1500000\nnr_bursts 0\nburst_time 0\n", Throttling(7, 2, 1500)),
        ("usage_usec 9\nuser_usec 5\nsystem_usec 4\nnr_periods 7\nnr_throttled 2\nthrottled_usec 1500\n", Throttling(7, 2, 1500)),
        ("usage_usec 9\nuser_usec 5\nsystem_usec 4\n", Throttling()),
    ],
)
def test_throttling(text: str, expected: Throttling) -> None:
    assert parse.throttling(parse.keyed(text)) == expected


def test_keyed_takes_what_is_one() -> None:
    assert parse.keyed("oom_kill_disable 0\nunder_oom 0\noom_kill 3\nx\ny z\n8:0 rbytes=1\n") == {"oom_kill_disable": 0, "under_oom": 0, "oom_kill": 3}


def test_pressure() -> None:
    cpu = "some avg10=99.02 avg60=98.72 avg300=84.62 total=4917718621\n"
    assert parse.pressure(cpu) == Pressure((99.02, 98.72, 84.62, 4917718621))
    assert parse.pressure(cpu + "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n") == Pressure((99.02, 98.72, 84.62, 4917718621), (0.0, 0.0, 0.0, 0))
    assert parse.pressure("") is None and parse.pressure("full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n") is None


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("0-1\n", (0, 1)),
        ("0", (0,)),
        ("0-2,8,10-11", (0, 1, 2, 8, 10, 11)),
        ("3,1", (1, 3)),
        ("0-9:2/4", (0, 1, 4, 5, 8, 9)),
        ("", ()),
        ("\n", ()),
        ("all", ()),
        ("2-1", ()),
        ("0-9999999", ()),
        ("0-3:0/2", ()),
        ("0-3:3/2", ()),
        ("0-1,x", ()),
    ],
)
def test_cpu_list(text: str, cpus: Tuple[int, ...]) -> None:
    assert parse.cpu_list(text) == cpus
    assert parse.cpu_list(parse.cpu_text(cpus)) == cpus


def test_cpu_text() -> None:
    assert parse.cpu_text((10, 0, 1, 2, 8)) == "0-2,8,10"


def test_status() -> None:
    found = parse.status("Name:\tgo app\nVmHWM:\t  2048 kB\nThreads:\t7\nCpus_allowed:\t3\nCpus_allowed_list:\t0-1\n")
    assert found["Cpus_allowed_list"] == "0-1" and found["Threads"] == "7"
    assert parse.kibibytes(found["VmHWM"]) == 2097152
    assert parse.kibibytes("") is None and parse.kibibytes("x kB") is None


def test_nothing_but_go_of_an_environment() -> None:
    environ = b"HOME=/root\0GOMAXPROCS=3\0TOKEN=GOGC=1\0GOGC=off\0GOMAXPROCS=4\0GOMEMLIMIT\0GOPROXY=https://me:secret@proxy\0GODEBUG=\xff\0XGOGC=5\0"
    assert parse.go_variables(environ) == {"GOMAXPROCS": "3", "GOGC": "off", "GODEBUG": "\ufffd"}


# systemctl show of systemd 252
SHOWN = """Id=goapp.service
LoadState=loaded
MainPID=0
ExecStart={ path=/bin/true ; argv[]=/bin/true ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }
ExecStart={ path=/opt/go app/bin ; argv[]=/opt/go app/bin --token=x ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }
Environment=GOMAXPROCS=3 TOKEN=x

Id=-.slice
LoadState=loaded
"""


def test_properties() -> None:
    unit, parent = parse.properties(SHOWN)
    assert (unit["MainPID"], parent) == ("0", {"Id": "-.slice", "LoadState": "loaded"})
    assert parse.exec_path(unit["ExecStart"]) == "/opt/go app/bin"
    assert parse.exec_path("{ path=app ; argv[]=app -x ; ignore_errors=no }") == "app"
    assert parse.exec_path("") == "" and parse.properties("") == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1.500000s", 1.5), ("1s", 1.0), ("1min 30s", 90.0), ("250ms", 0.25), ("2us", 2e-6), ("infinity", None), ("", None), ("5", None), ("1s x", None)],
)
def test_time_span(text: str, seconds: Optional[float]) -> None:
    assert parse.time_span(text) == (None if seconds is None else pytest.approx(seconds))


def test_process_time() -> None:
    line = "17 (a) b) S 1 17 17 0 -1 4194560 500 0 3 0 120 30 0 0 20 0 1 0 9 5 7"
    assert parse.process_time(line, 10000) == 1500000
    assert parse.process_time("", 10000) is None and parse.process_time("1 (x) S 1", 10000) is None


def test_printable() -> None:
    value: Dict[str, object] = {"a\udcff": ["\udcfe", 1, None, ("b",)], "c": {"d": 1.5}}
    assert parse.printable(value) == {"a?": ["?", 1, None, ["b"]], "c": {"d": 1.5}}
