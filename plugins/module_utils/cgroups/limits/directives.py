# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd calls each limit, since when it has it, and which file of the kernel holds it. Pure.

Versions: "added in" of systemd/systemd:man/systemd.resource-control.xml, systemd.exec.xml and systemd.service.xml.
v1: what src/core/cgroup.c of v252 translates.
"""

from typing import Callable, Dict, NamedTuple, Optional, Tuple

from .. import quantities
from ..hierarchy import CPU, CPUSET, IO, MEMORY, PIDS
from ..parse import cfs, cpu_list, cpu_max, limit
from .model import SCOPE, SERVICE, SLICE

Read = Callable[[str], Optional[str]]  # a file of the unit's cgroup by its name → content, None where it is not there
ALL = (SERVICE, SLICE, SCOPE)
_FINEST = 0.001  # CPUs; the kernel counts quotas in microseconds of periods of at least a millisecond
_LARGEST_PAGE = 65536  # memory limits are rounded down to pages


class Directive(NamedTuple):
    """A setting of a unit.

    since: version of systemd. kinds: of units that have it. controller: which does it, "" for none. file, v1: of the cgroup that hold it, "" where none does.
    at_start: only processes that are started from now on have it.
    """

    option: str
    name: str
    since: int
    kinds: Tuple[str, ...] = ALL
    controller: str = ""
    file: str = ""
    v1: str = ""
    at_start: bool = False

    @property
    def shown(self) -> str:
        """Its property's name in `systemctl show`."""
        return {"CPUQuota": "CPUQuotaPerSecUSec", "CPUQuotaPeriodSec": "CPUQuotaPeriodUSec"}.get(self.name, self.name)

    @property
    def devices(self) -> bool:
        """Whether it is a list of devices, each with its limit; `systemctl show` has no line for an empty one."""
        return self.option in _IO_KEYS


_TABLE = (
    Directive("memory_min", "MemoryMin", 240, controller=MEMORY, file="memory.min"),
    Directive("memory_low", "MemoryLow", 231, controller=MEMORY, file="memory.low"),
    Directive("memory_high", "MemoryHigh", 231, controller=MEMORY, file="memory.high"),
    Directive("memory_max", "MemoryMax", 231, controller=MEMORY, file="memory.max", v1="memory.limit_in_bytes"),
    Directive("memory_swap_max", "MemorySwapMax", 232, controller=MEMORY, file="memory.swap.max"),
    Directive("cpu_quota", "CPUQuota", 213, controller=CPU, file="cpu.max", v1="cpu.cfs_quota_us"),
    Directive("cpu_quota_period", "CPUQuotaPeriodSec", 242, controller=CPU, v1="cpu.cfs_period_us"),
    Directive("cpu_weight", "CPUWeight", 232, controller=CPU, file="cpu.weight", v1="cpu.shares"),
    Directive("allowed_cpus", "AllowedCPUs", 244, controller=CPUSET, file="cpuset.cpus"),
    Directive("tasks_max", "TasksMax", 227, controller=PIDS, file="pids.max", v1="pids.max"),
    Directive("io_weight", "IOWeight", 230, controller=IO, file="io.weight", v1="blkio.weight"),
    Directive("io_read_bandwidth_max", "IOReadBandwidthMax", 230, controller=IO, file="io.max", v1="blkio.throttle.read_bps_device"),
    Directive("io_write_bandwidth_max", "IOWriteBandwidthMax", 230, controller=IO, file="io.max", v1="blkio.throttle.write_bps_device"),
    Directive("io_read_iops_max", "IOReadIOPSMax", 230, controller=IO, file="io.max"),
    Directive("io_write_iops_max", "IOWriteIOPSMax", 230, controller=IO, file="io.max"),
    Directive("managed_oom_swap", "ManagedOOMSwap", 247, controller=MEMORY),
    Directive("managed_oom_memory_pressure", "ManagedOOMMemoryPressure", 247, controller=MEMORY),
    Directive("managed_oom_memory_pressure_limit", "ManagedOOMMemoryPressureLimit", 247, controller=MEMORY),
    Directive("managed_oom_preference", "ManagedOOMPreference", 248, controller=MEMORY),
    Directive("oom_policy", "OOMPolicy", 243, (SERVICE, SCOPE)),
    Directive("oom_score_adjust", "OOMScoreAdjust", 0, (SERVICE,), at_start=True),
    Directive("limit_nofile", "LimitNOFILE", 0, (SERVICE,), at_start=True),
    Directive("delegate", "Delegate", 236, (SERVICE, SCOPE), at_start=True),
    Directive("slice", "Slice", 0, (SERVICE,), at_start=True),
)
DIRECTIVES: Dict[str, Directive] = {each.option: each for each in _TABLE}

_PARTS = ("memory_min", "memory_low", "memory_high", "memory_max", "memory_swap_max", "tasks_max")
_IO_KEYS = {"io_read_bandwidth_max": "rbps", "io_write_bandwidth_max": "wbps", "io_read_iops_max": "riops", "io_write_iops_max": "wiops"}  # of io.max


def held(option: str, values: Tuple[str, ...], read: Read, version: int, shown: str = "") -> bool:
    """Whether the kernel has a setting of a unit that has a cgroup. version: of the controller's hierarchy; shown: what systemd makes of a percentage.

    True for what no file of a cgroup holds.
    """
    directive, value = DIRECTIVES[option], values[-1] if values else ""
    name = directive.file if version == 2 else directive.v1
    if not name or option == "cpu_quota_period":  # which shows in the quota
        return True
    content = read(name)
    if option == "cpu_weight" and value == "idle" and version == 2:
        return (read("cpu.idle") or "").strip() == "1"
    if content is None:  # systemd makes no cgroup of a controller for what limits nothing
        return value in ("", quantities.INFINITY) or (option in ("memory_min", "memory_low") and value == "0")
    if option == "cpu_quota":
        have = cpu_max(content) if version == 2 else cfs(content, read("cpu.cfs_period_us") or "")
        wished = quantities.cpus(value) if value else None
        return wished is have is None or (wished is not None and have is not None and abs(have - wished / quantities.MICROSECONDS) <= _FINEST)
    if option == "allowed_cpus":
        return cpu_list(content) == cpu_list(value)
    if option in ("cpu_weight", "io_weight"):
        return str(_weight(value, name)) in content.split()
    if option in _IO_KEYS:
        return all(_io_limited(line, content, _IO_KEYS[option], version) for line in values)
    amount = quantities.count(value) if option == "tasks_max" else quantities.size(value)
    wanted = amount.number if amount.share is None else limit(shown)  # how much a share is of, systemd knows best
    number = limit(content)
    if wanted is None or number is None:
        return wanted is number
    return 0 <= wanted - number < (1 if option == "tasks_max" else _LARGEST_PAGE)


def share(option: str, values: Tuple[str, ...]) -> bool:
    """Whether a limit is a part of what the host has."""
    return option in _PARTS and values[-1].endswith("%")


def _weight(value: str, name: str) -> int:
    """A weight as the kernel has it in this file; v1's are systemd's translations (src/basic/cgroup-util.h)."""
    number = 0 if value == "idle" else int(value)
    if name == "cpu.shares":
        return max(number * 1024 // 100, 2)
    return min(max(number * 500 // 100, 10), 1000) if name == "blkio.weight" else number


def _io_limited(value: str, content: str, key: str, version: int) -> bool:
    """Whether some device has this limit: io.max and blkio.throttle.* name devices by numbers, systemd by paths."""
    number = quantities.size(value.rpartition(" ")[2]).number
    return (f"{key}={number}" if version == 2 else str(number)) in content.split()


def files(option: str, version: int) -> Tuple[str, ...]:
    """The cgroup's files that tell about a setting, for `held`; the one that holds it first."""
    directive = DIRECTIVES[option]
    name = directive.file if version == 2 else directive.v1
    beside = {"cpu.cfs_quota_us": ("cpu.cfs_period_us",), "cpu.weight": ("cpu.idle",), "cpu.shares": ("cpu.idle",)}
    return (name, *beside.get(name, ())) if name else ()
