# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs use, now and over a while: CPU, memory, tasks, and what the kernel had to do about it."""

import time
from typing import Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from . import hierarchy, parse
from .model import Node, Observed, Pressure, Sample, Throttling, Used
from .observe import Machine, text

_TICK = 10000  # microseconds of a clock tick in /proc/PID/stat: USER_HZ is 100 (proc_pid_stat(5))
_PARTS = 20  # of a window
_SHORTEST = 0.1  # seconds between two samples


class _Where(NamedTuple):
    """The cgroups of a process, leaf first; none where it is in the root, whose figures are the whole machine's."""

    cpu: Tuple[Node, ...]
    account: Tuple[Node, ...]
    memory: Tuple[Node, ...]
    tasks: Tuple[Node, ...]
    pressure: Tuple[Node, ...]


def measure(
    machine: Machine,
    programs: Sequence[Observed],
    window: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> List[Optional[Used]]:
    """What each program uses, None for those that do not run. window: seconds over which CPU time is watched, 0 for not at all."""
    places = [_where(machine, each.pid) if each.pid else None for each in programs]
    samples: List[List[Sample]] = [[] for _each in programs]
    pause = max(window / _PARTS, _SHORTEST)
    end = clock() + window
    while True:
        for row, program, where in zip(samples, programs, places):
            if where is not None:
                row.append(_sample(machine, program.pid, where, clock()))
        left = end - clock()
        if left <= 0:
            break
        sleep(min(pause, left))
    return [None if where is None else _used(machine, program.pid, where, row) for row, program, where in zip(samples, programs, places)]


def _where(machine: Machine, pid: int) -> _Where:
    lines = parse.memberships(text(machine.host, f"/proc/{pid}/cgroup") or "")
    chains = [machine.chain(name, lines) for name in (hierarchy.CPU, hierarchy.CPUACCT, hierarchy.MEMORY, hierarchy.PIDS)]
    chains.append(machine.chain("", [line for line in lines if line.hierarchy == 0]))  # only v2 has PSI
    return _Where(*(() if nodes and nodes[0].path == "/" else nodes for nodes in chains))


def _sample(machine: Machine, pid: int, where: _Where, at: float) -> Sample:
    cpu, memory, tasks = None, None, None
    if not where.account:
        cpu = parse.process_time(text(machine.host, f"/proc/{pid}/stat") or "", _TICK)
    elif where.account[0].version == 2:
        cpu = parse.keyed(text(machine.host, f"{where.account[0].directory}/cpu.stat") or "").get("usage_usec")
    else:
        spent = _number(machine, where.account[0], "cpuacct.usage")
        cpu = None if spent is None else spent // 1000
    if where.memory:
        memory = _number(machine, where.memory[0], "memory.current" if where.memory[0].version == 2 else "memory.usage_in_bytes")
    if where.tasks:
        tasks = _number(machine, where.tasks[0], "pids.current")
    return Sample(at, cpu, memory, tasks)


def _used(machine: Machine, pid: int, where: _Where, samples: Sequence[Sample]) -> Used:
    last = samples[-1]
    status = parse.status(text(machine.host, f"/proc/{pid}/status") or "")
    resident, resident_peak = (parse.kibibytes(status.get(name, "")) for name in ("VmRSS", "VmHWM"))
    pressures, pressure_of = _pressures(machine, where)
    found = Used(
        cpu_of="cgroup" if where.account else "process",
        cpu=last.cpu,
        cpus=_rate(samples[0], last),
        busiest=max((rate for rate in map(_rate, samples, samples[1:]) if rate is not None), default=None),
        memory_of="process",
        memory=resident,
        peak=resident_peak,
        tasks=last.tasks if where.tasks else parse.limit(status.get("Threads", "")),
        tasks_peak=_number(machine, where.tasks[0], "pids.peak") if where.tasks else None,
        resident=resident,
        resident_peak=resident_peak,
        throttling=tuple(_throttling(machine, where.cpu)),
        pressures=pressures,
        pressure_of=pressure_of,
    )
    if not where.memory:
        return found
    memory = where.memory[0]
    peak = _number(machine, memory, "memory.peak" if memory.version == 2 else "memory.max_usage_in_bytes")
    if peak is None:  # memory.peak came with Linux 5.19; what was seen is the least that it can be
        peak = max((each.memory for each in samples if each.memory is not None), default=None)
    return found._replace(memory_of="cgroup", memory=last.memory, peak=peak, events=_events(machine, memory))


def _rate(before: Sample, after: Sample) -> Optional[float]:
    if before.cpu is None or after.cpu is None or after.at <= before.at:
        return None
    return max(after.cpu - before.cpu, 0) / 1e6 / (after.at - before.at)


def _number(machine: Machine, node: Node, name: str) -> Optional[int]:
    return parse.limit(text(machine.host, f"{node.directory}/{name}") or "")


def _throttling(machine: Machine, nodes: Sequence[Node]) -> List[Tuple[Node, Throttling]]:
    found = ((node, parse.throttling(parse.keyed(text(machine.host, f"{node.directory}/cpu.stat") or ""))) for node in nodes)
    return [(node, each) for node, each in found if each.periods]


def _events(machine: Machine, memory: Node) -> Dict[str, int]:
    if memory.version == 2:
        return parse.keyed(text(machine.host, f"{memory.directory}/memory.events") or "")
    found = {"max": _number(machine, memory, "memory.failcnt")}
    found["oom_kill"] = parse.keyed(text(machine.host, f"{memory.directory}/memory.oom_control") or "").get("oom_kill")
    return {name: value for name, value in found.items() if value is not None}


def _pressures(machine: Machine, where: _Where) -> Tuple[Mapping[str, Pressure], str]:
    """Of the process's own cgroup, which only v2 has, or else of the machine; and which of the two: cgroup or host."""
    places = [(f"{node.directory}/", ".pressure", "cgroup") for node in where.pressure[:1]] + [("/proc/pressure/", "", "host")]
    for before, after, of in places:
        read = {name: parse.pressure(text(machine.host, f"{before}{name}{after}") or "") for name in ("cpu", "memory", "io")}
        found = {name: each for name, each in read.items() if each is not None}
        if found:
            return found, of
    return {}, ""
