# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the kernel's files hold what was wished; contents as Linux 6.1 (v2) and 5.10 to 6.18 (v1) have them."""

from typing import Dict, Tuple, Union

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.directives import DIRECTIVES, files, held

NOTHING: Dict[str, str] = {}
SHOWN = {"memory_max": "2147485000", "tasks_max": "7500"}  # of a quarter
UNLIMITED_V1 = "9223372036854771712\n"


def has(version: int, option: str, value: Union[str, Tuple[str, ...]], content: Dict[str, str]) -> bool:
    assert set(content) <= set(files(option, version)), "what is not looked for would not be read"
    return held(option, value if isinstance(value, tuple) else (value,), content.get, version, SHOWN.get(option, ""))


V2_HELD = [
    ("memory_max", "512M", {"memory.max": "536870912\n"}),
    ("memory_max", "536875000", {"memory.max": "536870912\n"}),  # whole pages
    ("memory_max", "infinity", {"memory.max": "max\n"}),
    ("memory_max", "25%", {"memory.max": "2147483648\n"}),
    ("memory_high", "infinity", {"memory.high": "max\n"}),
    ("memory_low", "infinity", {"memory.low": "max\n"}),
    ("memory_min", "0", {"memory.min": "0\n"}),
    ("memory_swap_max", "0", {"memory.swap.max": "0\n"}),
    ("cpu_quota", "150%", {"cpu.max": "150000 100000\n"}),
    ("cpu_quota", "150%", {"cpu.max": "15000 10000\n"}),
    ("cpu_quota", "123.45%", {"cpu.max": "1234 1000\n"}),
    ("cpu_quota", "0.5%", {"cpu.max": "1000 200000\n"}),
    ("cpu_quota", "0.01%", {"cpu.max": "1000 1000000\n"}),  # the kernel's least
    ("cpu_quota", "", {"cpu.max": "max 100000\n"}),
    ("cpu_quota_period", "20000us", NOTHING),
    ("cpu_weight", "300", {"cpu.weight": "300\n"}),
    ("cpu_weight", "idle", {"cpu.weight": "0\n", "cpu.idle": "1\n"}),
    ("allowed_cpus", "0-1,3", {"cpuset.cpus": "0-1,3\n"}),
    ("tasks_max", "512", {"pids.max": "512\n"}),
    ("tasks_max", "infinity", {"pids.max": "max\n"}),
    ("tasks_max", "25%", {"pids.max": "7500\n"}),
    ("io_weight", "50", {"io.weight": "default 50\n"}),
    ("io_read_bandwidth_max", ("/dev/vda 10485760",), {"io.max": "254:0 rbps=10485760 wbps=max riops=max wiops=max\n"}),
    ("io_write_iops_max", ("/dev/vda 500", "/dev/vdb 600"), {"io.max": "254:0 rbps=1 wbps=max riops=max wiops=500\n254:16 wiops=600\n"}),
    ("oom_policy", "kill", NOTHING),
    ("managed_oom_swap", "kill", NOTHING),
    ("limit_nofile", "1024:65536", NOTHING),
]
V2_NOT_HELD = [
    ("memory_max", "512M", {"memory.max": "max\n"}),
    ("memory_max", "512M", {"memory.max": "536875008\n"}),  # a page more
    ("memory_max", "512M", {"memory.max": "268435456\n"}),
    ("memory_max", "512M", NOTHING),
    ("memory_max", "infinity", {"memory.max": "536870912\n"}),
    ("memory_max", "25%", {"memory.max": "max\n"}),
    ("memory_max", "25%", {"memory.max": "1073741824\n"}),
    ("tasks_max", "25%", {"pids.max": "7499\n"}),
    ("memory_low", "1G", {"memory.low": "0\n"}),
    ("cpu_quota", "150%", {"cpu.max": "max 100000\n"}),
    ("cpu_quota", "150%", {"cpu.max": "200000 100000\n"}),
    ("cpu_quota", "1%", {"cpu.max": "1000 200000\n"}),
    ("cpu_quota", "150%", {"cpu.max": "gone\n"}),
    ("cpu_quota", "", {"cpu.max": "150000 100000\n"}),
    ("cpu_quota", "150%", NOTHING),
    ("cpu_weight", "100", {"cpu.weight": "0\n", "cpu.idle": "1\n"}),
    ("cpu_weight", "300", {"cpu.weight": "100\n", "cpu.idle": "0\n"}),
    ("cpu_weight", "idle", {"cpu.weight": "100\n", "cpu.idle": "0\n"}),
    ("cpu_weight", "idle", {"cpu.weight": "100\n"}),  # before Linux 5.15
    ("allowed_cpus", "0-1", {"cpuset.cpus": "\n"}),
    ("allowed_cpus", "0-1", NOTHING),
    ("tasks_max", "512", {"pids.max": "511\n"}),
    ("tasks_max", "512", {"pids.max": "max\n"}),
    ("io_weight", "50", {"io.weight": "default 100\n"}),
    ("io_read_bandwidth_max", ("/dev/vda 10485760",), {"io.max": "\n"}),
    ("io_read_bandwidth_max", ("/dev/vda 10485760",), {"io.max": "254:0 rbps=10000000 wbps=10485760 riops=max wiops=max\n"}),
    ("io_read_iops_max", ("/dev/vda 500", "/dev/vdb 600"), {"io.max": "254:0 rbps=max wbps=max riops=500 wiops=max\n"}),
]
V1_HELD = [
    ("memory_max", "512M", {"memory.limit_in_bytes": "536870912\n"}),
    ("memory_max", "infinity", {"memory.limit_in_bytes": UNLIMITED_V1}),
    ("cpu_quota", "150%", {"cpu.cfs_quota_us": "150000\n", "cpu.cfs_period_us": "100000\n"}),
    ("cpu_quota", "150%", {"cpu.cfs_quota_us": "30000\n", "cpu.cfs_period_us": "20000\n"}),
    ("cpu_quota", "", {"cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"}),
    ("cpu_quota", "", NOTHING),  # it has no cgroup of its own there
    ("cpu_weight", "300", {"cpu.shares": "3072\n"}),
    ("cpu_weight", "1", {"cpu.shares": "10\n"}),
    ("cpu_weight", "idle", {"cpu.shares": "2\n", "cpu.idle": "0\n"}),  # seen of systemd 252
    ("tasks_max", "512", {"pids.max": "512\n"}),
    ("io_weight", "50", {"blkio.weight": "250\n"}),
    ("io_weight", "1", {"blkio.weight": "10\n"}),
    ("io_weight", "10000", {"blkio.weight": "1000\n"}),
    ("io_read_bandwidth_max", ("/dev/vda 10485760",), {"blkio.throttle.read_bps_device": "254:0 10485760\n"}),
]
V1_NOT_HELD = [
    ("memory_max", "512M", {"memory.limit_in_bytes": UNLIMITED_V1}),
    ("cpu_quota", "150%", {"cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"}),  # refused: above that of the slice
    ("cpu_quota", "150%", NOTHING),
    ("cpu_weight", "300", {"cpu.shares": "1024\n"}),
    ("io_weight", "50", {"blkio.weight": "50\n"}),
    ("io_write_bandwidth_max", ("/dev/vda 500",), {"blkio.throttle.write_bps_device": "\n"}),
]


@pytest.mark.parametrize(
    ("version", "option", "value", "content", "expected"),
    [
        (version, *case, expected)
        for version, expected, cases in ((2, True, V2_HELD), (2, False, V2_NOT_HELD), (1, True, V1_HELD), (1, False, V1_NOT_HELD))
        for case in cases
    ],
)
def test_held(version: int, option: str, value: Union[str, Tuple[str, ...]], content: Dict[str, str], expected: bool) -> None:
    assert has(version, option, value, content) is expected


@pytest.mark.parametrize("option", ["memory_max", "memory_high", "memory_swap_max", "tasks_max", "memory_min", "memory_low"])
def test_what_limits_nothing_needs_no_file(option: str) -> None:
    assert has(2, option, "infinity", NOTHING)
    assert has(2, option, "0", NOTHING) is (option in ("memory_min", "memory_low"))


def test_everything_that_a_controller_does_has_a_file_or_is_of_systemd_itself() -> None:
    without = {option for option, directive in DIRECTIVES.items() if not files(option, 2)}
    own = {option for option in DIRECTIVES if option.startswith("managed_oom")}
    assert without == own | {"cpu_quota_period", "oom_policy", "oom_score_adjust", "limit_nofile", "delegate", "slice"}


def test_how_systemctl_names_them() -> None:
    assert DIRECTIVES["cpu_quota"].shown == "CPUQuotaPerSecUSec"
    assert DIRECTIVES["cpu_quota_period"].shown == "CPUQuotaPeriodUSec"
    assert DIRECTIVES["memory_max"].shown == "MemoryMax"
    assert [option for option, directive in DIRECTIVES.items() if directive.devices] == [
        "io_read_bandwidth_max",
        "io_write_bandwidth_max",
        "io_read_iops_max",
        "io_write_iops_max",
    ]
