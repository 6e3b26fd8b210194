# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of cgroups: where a process is, what limits it there, what the Go runtime makes of it. Pure."""

from typing import Mapping, NamedTuple, Optional, Tuple

from ..binaries.model import BuildInfo


class Membership(NamedTuple):
    """A line of /proc/PID/cgroup. hierarchy: 0 is cgroup v2; line: as read."""

    hierarchy: int
    controllers: Tuple[str, ...]
    path: str
    line: str = ""


class Mount(NamedTuple):
    """A line of /proc/PID/mountinfo. root: of the mount within its file system; options: of the file system; line: as read."""

    root: str
    point: str
    fstype: str
    options: Tuple[str, ...]
    line: str = ""


class Node(NamedTuple):
    """A cgroup of one hierarchy. version: 1 or 2; path: as /proc/PID/cgroup has it; directory: where its files are."""

    version: int
    path: str
    directory: str


class Bound(NamedTuple):
    """A limit and the cgroup that sets it."""

    value: float
    node: Node


class Effective(NamedTuple):
    """What the kernel enforces on a process: the tightest limit of its cgroup and those above it. None: unlimited.

    cpus: CPU time as a number of CPUs; memory, high, swap: bytes; tasks: processes and threads; cpuset: CPUs, empty where none is said.
    On v1 swap is the limit of memory and swap together.
    """

    cpus: Optional[Bound] = None
    memory: Optional[Bound] = None
    high: Optional[Bound] = None
    swap: Optional[Bound] = None
    tasks: Optional[Bound] = None
    cpuset: Tuple[int, ...] = ()

    @property
    def heap(self) -> Optional[Bound]:
        """The bound that a collector of garbage should stay below: above memory.high a program is stopped again and again."""
        bounds = [bound for bound in (self.memory, self.high) if bound is not None]
        return min(bounds, key=lambda bound: bound.value) if bounds else None


class Program(NamedTuple):
    """What decides which rules a Go program follows.

    release: (1, 27); default_godebug: of its build; gomaxprocs, godebug: of its environment, None where unset.
    """

    release: Tuple[int, int]
    default_godebug: str = ""
    gomaxprocs: Optional[str] = None
    godebug: Optional[str] = None


class Place(NamedTuple):
    """What a program sees where it runs. cpus: in its affinity mask; memberships, mounts: as the program itself reads them."""

    cpus: int
    memberships: Tuple[Membership, ...] = ()
    mounts: Tuple[Mount, ...] = ()


class Prediction(NamedTuple):
    """GOMAXPROCS of a Go program at its start.

    cause: environment, affinity or quota, whichever is the value's. reads_quota: whether its quota counts, so that it has to be told nothing.
    quota: CPUs that it reads, None where it reads none. directory: the cgroup that it looks into, "" where it does not.
    off: why it does not look: release, godebug, default_godebug, environment; "" where it does.
    """

    value: int
    cause: str
    reads_quota: bool = False
    quota: Optional[float] = None
    directory: str = ""
    off: str = ""


class Throttling(NamedTuple):
    """Of a cgroup since it was made: periods in which it ran, those in which it was stopped for want of quota, and microseconds stopped."""

    periods: int = 0
    throttled: int = 0
    microseconds: int = 0


class Pressure(NamedTuple):
    """Share of the time that some or all tasks waited, percent over the last 10, 60 and 300 s, and microseconds in all (PSI)."""

    some: Tuple[float, float, float, int]
    full: Optional[Tuple[float, float, float, int]] = None


class Sharing(NamedTuple):
    """Who else uses the memory below the bound of the heap.

    elsewhere: processes in other cgroups below the one that sets it; beside: bytes of other processes in the program's own cgroup.
    """

    elsewhere: int = 0
    beside: int = 0


class Observed(NamedTuple):
    """A program, and where it runs or would run.

    name: as it was asked for. pid: 0 where it does not run. build: None where Go has not built it. environment: the Go runtime's variables.
    cpus: those that it may run on. prediction: None where build says no release; alone: what it would be without GOMAXPROCS in the environment;
    releases: what each release chooses there. node: its cgroup, None where none is mounted. bug: its quota is missed because its release
    takes the wrong directory, or gives the file of mounts up.
    """

    name: str
    unit: str
    pid: int
    executable: str
    build: Optional[BuildInfo]
    environment: Mapping[str, str]
    cpus: Tuple[int, ...]
    effective: Effective
    prediction: Optional[Prediction] = None
    alone: Optional[Prediction] = None
    releases: Mapping[str, int] = {}
    node: Optional[Node] = None
    sharing: Sharing = Sharing()
    bug: bool = False


class Manager(NamedTuple):
    """systemd itself, and what it brings into environments, of the Go runtime's variables. version: its own.

    tasks: that a service or scope may have which says nothing of it; None is no limit.
    environment: what all programs are given (DefaultEnvironment=, `systemctl set-environment`); own: its own, of which PassEnvironment= names some.
    """

    version: int = 0
    tasks: Optional[int] = None
    environment: Mapping[str, str] = {}
    own: Mapping[str, str] = {}


class Unit(NamedTuple):
    """A unit as systemd knows it. pid: 0 where it does not run; chain: its properties, then those of its slices, inner first; pids: in its own cgroup."""

    name: str
    pid: int
    executable: str
    environment: Mapping[str, str]
    cpus: Tuple[int, ...]
    chain: Tuple[Mapping[str, str], ...]
    pids: Tuple[int, ...] = ()


class Sample(NamedTuple):
    """What is used at a moment. at: seconds of a clock; cpu: microseconds of the cgroup, or else of the process; memory, tasks: of the cgroup."""

    at: float
    cpu: Optional[int] = None
    memory: Optional[int] = None
    tasks: Optional[int] = None


class Used(NamedTuple):
    """What a program has used. None: not known.

    cpu_of, memory_of: cgroup, or process where it has no cgroup of its own. cpu: microseconds in all.
    cpus, busiest: CPUs, on average and in the busiest part of the window.
    memory, peak: bytes now and at most. tasks, tasks_peak: the same of processes and threads. resident, resident_peak: bytes of the process itself.
    throttling: of each cgroup with a quota, leaf first. events: memory.events; of v1 oom_kill and max. pressures: by resource; pressure_of: cgroup or host.
    """

    cpu_of: str = "process"
    memory_of: str = "process"
    cpu: Optional[int] = None
    cpus: Optional[float] = None
    busiest: Optional[float] = None
    memory: Optional[int] = None
    peak: Optional[int] = None
    tasks: Optional[int] = None
    tasks_peak: Optional[int] = None
    resident: Optional[int] = None
    resident_peak: Optional[int] = None
    throttling: Tuple[Tuple[Node, Throttling], ...] = ()
    events: Mapping[str, int] = {}
    pressures: Mapping[str, Pressure] = {}
    pressure_of: str = ""
