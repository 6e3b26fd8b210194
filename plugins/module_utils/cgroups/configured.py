# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a unit's program would see if it were started, by the properties of the unit and of its slices. Pure."""

import functools
from typing import Callable, List, Mapping, Optional, Sequence, Tuple

from ..binaries.model import BuildInfo
from ..binaries.parse import release
from . import hierarchy, parse, predict, quantities
from .model import Bound, Effective, Node, Observed, Prediction, Program, Unit

Properties = Mapping[str, str]  # as `systemctl show` prints them
NOT_SET = "[not set]"
CPU_CGROUP = ("CPUQuotaPerSecUSec", "CPUWeight", "StartupCPUWeight", "CPUShares", "CPUAccounting")  # each of which gives a unit one of its own on v1
_NONE = {"", NOT_SET, quantities.INFINITY, "no"}


def slice_chain(name: str) -> List[str]:
    """A slice and those that hold it, inner first: a-b.slice, a.slice, -.slice (systemd.slice(5))."""
    if not name.endswith(".slice"):
        return []
    parts = name[: -len(".slice")].split("-") if name != "-.slice" else []
    return ["-".join(parts[:number]) + ".slice" for number in range(len(parts), 0, -1)] + ["-.slice"]


def default_slice(unit: str) -> str:
    """The slice of a service that says none: an instance is in its template's (systemd/systemd:src/core/unit.c, unit_set_default_slice)."""
    template, sign, _instance = unit.partition("@")
    escaped = "".join(f"\\x{ord(letter):02x}" if letter in "-\\" else letter for letter in template)
    return f"system-{escaped}.slice" if sign else "system.slice"


def cpus(chain: Sequence[Properties], version: str, online: Sequence[int]) -> Tuple[int, ...]:
    """CPUs that a unit's processes start on."""
    masks = [chain[0].get("CPUAffinity", "")]
    if version == "v2":  # AllowedCPUs= does nothing on v1
        masks += [each.get("AllowedCPUs", "") for each in chain]
    found = set(online)
    for mask in reversed(masks):  # a mask that has nothing of what is above it does nothing (kernel/cgroup/cpuset.c)
        found = found & set(parse.cpu_list(",".join(mask.split()))) or found
    return tuple(sorted(found))


def effective(chain: Sequence[Properties]) -> Effective:
    """The tightest limits along a chain of units."""

    def tightest(name: str, value: Callable[[str], Optional[float]]) -> Optional[Bound]:
        values = {each.get("Id", ""): value(each.get(name, "")) for each in chain}
        return hierarchy.tightest([Node(0, unit, "") for unit in values], lambda node: values[node.path])

    memory, high, swap, tasks = (tightest(name, parse.limit) for name in ("MemoryMax", "MemoryHigh", "MemorySwapMax", "TasksMax"))
    return Effective(tightest("CPUQuotaPerSecUSec", parse.time_span), memory, high, swap, tasks)


def program(seen: Observed) -> Optional[Program]:
    """What decides which rules a program follows; None where Go has not built it, or does not say by which release."""
    line = release(seen.build.version) if seen.build is not None else None
    if line is None or seen.build is None:
        return None
    return Program(line, seen.build.setting("DefaultGODEBUG"), seen.environment.get("GOMAXPROCS"), seen.environment.get("GODEBUG"))


def _has_cpu_cgroup(unit: Properties) -> bool:
    """Whether a unit has one of its own on v1. Processes of others are in that of their slice, unless a neighbour has one (unit_get_sibling_mask)."""
    return not {unit.get(each, "") for each in CPU_CGROUP} <= _NONE or "cpu" in unit.get("DelegateControllers", "").split()


@functools.lru_cache(maxsize=None)
def _releases(count: int, quota: Optional[float]) -> Mapping[str, int]:
    return {f"{major}.{minor}": predict.gomaxprocs(Program((major, minor)), count, quota).value for major, minor in predict.LINES}


def observed(unit: Unit, build: Optional[BuildInfo], version: str, online: Sequence[int]) -> Observed:
    """A unit's program with the limits that systemd would give it. version: of the host's cgroups."""
    found = Observed(unit.name, unit.name, 0, unit.executable, build, unit.environment, unit.cpus or tuple(online), effective(unit.chain))
    return predicted(found, unit.chain, version)


def predicted(found: Observed, chain: Sequence[Properties], version: str) -> Observed:
    """With what its program chooses when it has this environment."""
    leaf = next((each for each in chain if version == "v2" or _has_cpu_cgroup(each)), {})
    quota = parse.time_span(leaf.get("CPUQuotaPerSecUSec", ""))

    def choose(program: Program) -> Prediction:
        return predict.gomaxprocs(program, len(found.cpus), quota)

    found = found._replace(releases=_releases(len(found.cpus), quota))
    its = program(found)
    return found if its is None else found._replace(prediction=choose(its), alone=choose(its._replace(gomaxprocs=None)))
