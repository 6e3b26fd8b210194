# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs on a host: how they were built, where they run, what limits them there."""

import errno
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..binaries import observe as binaries
from ..binaries.model import BuildInfo
from ..binaries.parse import release
from ..errors import GoHostError
from ..host import Host
from . import hierarchy, parse, predict
from .model import Bound, Effective, Membership, Node, Observed, Place, Prediction, Program, Sharing

_PROPERTIES = (
    "Id,LoadState,MainPID,ControlGroup,ExecStart,Environment,Slice,CPUAffinity,AllowedCPUs,CPUQuotaPerSecUSec,MemoryMax,MemoryHigh,MemorySwapMax,TasksMax"
)
_MOST_CGROUPS = 2000  # that are searched for processes which share a limit
_SMALL_FILE = 1 << 20


class Unit(NamedTuple):
    """A unit as systemd knows it. pid: 0 where it does not run; chain: its properties, then those of its slices, inner first; pids: in its own cgroup."""

    name: str
    pid: int
    executable: str
    environment: Dict[str, str]
    cpus: Tuple[int, ...]
    chain: Tuple[Dict[str, str], ...]
    pids: Tuple[int, ...]


def text(host: Host, path: str) -> Optional[str]:
    """A small file, None where this host has it not or does not give it: which files a cgroup has differs from kernel to kernel."""
    try:
        return host.read(path, _SMALL_FILE).decode("utf-8", "surrogateescape")
    except (OSError, GoHostError):
        return None


class Machine:
    """What is the same for all programs of a host."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.mounts = parse.mounts(text(host, "/proc/self/mountinfo") or "")
        mask = parse.status(text(host, "/proc/self/status") or "").get("Cpus_allowed_list", "")
        self.online = parse.cpu_list(text(host, "/sys/devices/system/cpu/online") or mask)
        self._namespace = self.namespace("self")

    def namespace(self, pid: object) -> str:
        seen = self.host.stat(f"/proc/{pid}/ns/cgroup")
        return seen.target if seen is not None else ""

    def foreign(self, pid: int) -> bool:
        """Whether a process is in another cgroup namespace than this one."""
        return self.namespace(pid) != self._namespace

    def chain(self, controller: str, memberships: Sequence[Membership]) -> Tuple[Node, ...]:
        return hierarchy.chain(controller, memberships, self.mounts)

    @property
    def version(self) -> str:
        """v1, v2, hybrid (v1 with v2 beside it) or "" where none is mounted."""
        kinds = {mount.fstype for mount in self.mounts}
        return "hybrid" if len(kinds) == 2 else "v2" if "cgroup2" in kinds else "v1" if kinds else ""


def process(machine: Machine, pid: int, name: str = "", unit: str = "") -> Observed:
    """A process that runs. Errors: OSError where this user may not look, GoHostError where it does not run."""
    host = machine.host
    try:
        status = parse.status(host.read(f"/proc/{pid}/status").decode("utf-8", "replace"))
        environment = parse.go_variables(host.read(f"/proc/{pid}/environ"))
        memberships = parse.memberships(host.read(f"/proc/{pid}/cgroup").decode("utf-8", "surrogateescape"))
        mounts = parse.mounts(host.read(f"/proc/{pid}/mountinfo").decode("utf-8", "surrogateescape"))
        executable = host.stat(f"/proc/{pid}/exe")
        build = binaries.opened(host, f"/proc/{pid}/exe") if executable is not None else None
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ESRCH, errno.EINVAL):  # the last is of one that has ended and was not waited for
            raise
        raise GoHostError("there is no such process", pid, "Look for it again, it may have ended.") from None
    cpus = tuple(cpu for cpu in parse.cpu_list(status.get("Cpus_allowed_list", "")) if not machine.online or cpu in machine.online)
    inner = hierarchy.inside(memberships, mounts) if machine.foreign(pid) else (memberships, mounts)
    place = Place(len(cpus), *inner)
    effective, nodes = limits(machine, memberships)
    found = Observed(
        name=name or str(pid),
        unit=unit or unit_of(memberships),
        pid=pid,
        executable=executable.target if executable is not None else "",
        build=build,
        environment=environment,
        cpus=cpus,
        effective=effective,
        node=nodes[0] if nodes else None,
        sharing=_sharing(machine, effective.heap, nodes, pid),
    )
    return _predicted(found, place, lambda path: text(host, f"/proc/{pid}/root{path}"))


def binary(machine: Machine, path: str) -> Observed:
    """A program that does not run, as if it were started with no limit. Errors: OSError; GoHostError where there is none."""
    found = Observed(path, "", 0, machine.host.real(path), binaries.build_info(machine.host, path), {}, machine.online, Effective())
    return _predicted(found, Place(len(machine.online)), lambda path: None)


def stopped(machine: Machine, unit: Unit) -> Observed:
    """A unit that does not run, with the limits that systemd would give it."""
    build: Optional[BuildInfo] = None
    if unit.executable:
        try:
            build = binaries.build_info(machine.host, unit.executable)
        except (FileNotFoundError, GoHostError):  # told as no Go program; systemd has its own words for a program that is missing
            build = None
    found = Observed(unit.name, unit.name, 0, unit.executable, build, unit.environment, unit.cpus, _configured(unit))
    program = _program(found)
    if program is None:
        return found
    quotas = [parse.time_span(each.get("CPUQuotaPerSecUSec", "")) for each in unit.chain]
    # Without a quota a service has no cpu cgroup of its own on v1: its process is in that of the slice.
    quota = next((each for each in quotas if each), None) if machine.version in ("v1", "hybrid") else quotas[0]

    def choose(program: Program) -> Prediction:
        return predict.gomaxprocs(program, len(unit.cpus), quota)

    releases = {f"{major}.{minor}": choose(Program((major, minor))).value for major, minor in predict.LINES}
    return found._replace(prediction=choose(program), alone=choose(program._replace(gomaxprocs=None)), releases=releases)


def _program(found: Observed) -> Optional[Program]:
    line = release(found.build.version) if found.build is not None else None
    if line is None or found.build is None:
        return None
    return Program(line, found.build.setting("DefaultGODEBUG"), found.environment.get("GOMAXPROCS"), found.environment.get("GODEBUG"))


def _predicted(found: Observed, place: Place, read: predict.Read) -> Observed:
    program = _program(found)
    if program is None:
        return found
    prediction, alone = (predict.predict(each, place, read) for each in (program, program._replace(gomaxprocs=None)))
    missed = program.release == (1, 25) and predict.predict(program._replace(release=(1, 26)), place, read).quota != prediction.quota
    return found._replace(prediction=prediction, alone=alone, releases=predict.by_release(place, read), bug=missed and prediction.reads_quota)


def limits(machine: Machine, memberships: Sequence[Membership]) -> Tuple[Effective, Tuple[Node, ...]]:
    """The tightest limits on what is in these cgroups, and its chain of memory's cgroups."""
    host = machine.host
    memory = machine.chain(hierarchy.MEMORY, memberships)
    v1 = bool(memory) and memory[0].version == 1

    def read(name: str) -> Callable[[Node], Optional[float]]:
        return lambda node: parse.limit(text(host, f"{node.directory}/{name}") or "")

    def quota(node: Node) -> Optional[float]:
        found = predict.quota_of(node, lambda path: text(host, path))
        return found.cpus if found is not None else None

    bound = _tightest(memory, read("memory.limit_in_bytes" if v1 else "memory.max"))
    if v1:  # counts what is above this mount, too
        above = parse.keyed(text(host, f"{memory[0].directory}/memory.stat") or "").get("hierarchical_memory_limit")
        least = parse.limit(str(above))
        if least is not None and (bound is None or least < bound.value):
            bound = Bound(least, memory[0])
    cpus: Tuple[int, ...] = ()
    for node in machine.chain(hierarchy.CPUSET, memberships):
        names = ("cpuset.cpus.effective",) if node.version == 2 else ("cpuset.effective_cpus", "cpuset.cpus")
        cpus = next((found for found in (parse.cpu_list(text(host, f"{node.directory}/{name}") or "") for name in names) if found), ())
        if cpus:
            break
    effective = Effective(
        cpus=_tightest(machine.chain(hierarchy.CPU, memberships), quota),
        memory=bound,
        high=None if v1 else _tightest(memory, read("memory.high")),
        swap=_tightest(memory, read("memory.memsw.limit_in_bytes" if v1 else "memory.swap.max")),
        tasks=_tightest(machine.chain(hierarchy.PIDS, memberships), read("pids.max")),
        cpuset=cpus,
    )
    return effective, memory


def _tightest(nodes: Sequence[Node], read: Callable[[Node], Optional[float]]) -> Optional[Bound]:
    """The lowest limit along a chain; of equal ones the outermost, which is the one that has to be changed."""
    found: Optional[Bound] = None
    for node in nodes:
        value = read(node)
        if value is not None and (found is None or value <= found.value):
            found = Bound(value, node)
    return found


def unit_of(memberships: Sequence[Membership]) -> str:
    """The unit whose cgroup a process is in, by systemd's own hierarchy or v2; "" where systemd has not made it."""
    lines = [each for each in memberships if "name=systemd" in each.controllers] or [each for each in memberships if each.hierarchy == 0]
    parts = lines[0].path.split("/") if lines else []
    return next((part for part in reversed(parts) if part.endswith((".service", ".scope"))), "")


def _sharing(machine: Machine, bound: Optional[Bound], nodes: Sequence[Node], pid: int) -> Sharing:
    if bound is None or not nodes:
        return Sharing()
    host, own = machine.host, nodes[0].directory
    elsewhere = beside = seen = 0
    waiting = [bound.node.directory]
    while waiting and seen < _MOST_CGROUPS:
        directory = waiting.pop()
        seen += 1
        pids = _pids(host, directory)
        if directory == own:
            beside = sum(_resident(host, each) for each in pids if each != pid)
        else:
            elsewhere += len(pids)
        waiting += [f"{directory}/{name}" for name in host.listing(directory) if _is_directory(host, f"{directory}/{name}")]
    return Sharing(elsewhere + len(waiting), beside)  # cgroups that were not looked into count as others


def _is_directory(host: Host, path: str) -> bool:
    seen = host.stat(path)
    return seen is not None and seen.kind == "directory"


def _pids(host: Host, directory: str) -> List[int]:
    return [int(word) for word in (text(host, f"{directory}/cgroup.procs") or "").split() if word.isdigit() and word != "0"]


def _resident(host: Host, pid: int) -> int:
    return parse.kibibytes(parse.status(text(host, f"/proc/{pid}/status") or "").get("VmRSS", "")) or 0


def units(machine: Machine, names: Sequence[str]) -> List[Unit]:
    """Units by their names. Errors: GoHostError without systemd, or where a unit is not known."""
    if not names:
        return []
    known = _shown(machine.host, names)
    slices = sorted({each for shown in known for each in slice_chain(shown.get("Slice", ""))})
    parents = {shown.get("Id", ""): shown for shown in _shown(machine.host, slices)} if slices else {}
    found = []
    for name, shown in zip(names, known):
        if shown.get("LoadState") != "loaded":
            raise GoHostError("systemd has no such unit", name, f"It says {shown.get('LoadState') or 'nothing'}.")
        chain = (shown, *(parents.get(each, {}) for each in slice_chain(shown.get("Slice", ""))))
        found.append(
            Unit(
                name=shown.get("Id", name),
                pid=int(shown.get("MainPID") or 0),
                executable=parse.exec_path(shown.get("ExecStart", "")),
                environment=parse.unit_variables(shown.get("Environment", "")),
                cpus=_unit_cpus(machine, chain),
                chain=chain,
                pids=tuple(_unit_pids(machine, shown.get("ControlGroup", ""))),
            )
        )
    return found


def _shown(host: Host, names: Sequence[str]) -> List[Dict[str, str]]:
    answer = host.run(["systemctl", "show", "--no-pager", f"--property={_PROPERTIES}", "--", *names])
    if answer.rc == 127:
        raise GoHostError("there is no systemd on this host", " ".join(names), "Give pids or binaries.")
    found = parse.properties(answer.stdout)
    if answer.rc != 0 or len(found) != len(names):
        raise GoHostError("systemctl show failed", " ".join(names), answer.stderr or "Look at what systemd says about these units.")
    return found


def slice_chain(name: str) -> List[str]:
    """A slice and those that hold it, inner first: a-b.slice, a.slice, -.slice (systemd.slice(5))."""
    if not name.endswith(".slice"):
        return []
    parts = name[: -len(".slice")].split("-") if name != "-.slice" else []
    return ["-".join(parts[:number]) + ".slice" for number in range(len(parts), 0, -1)] + ["-.slice"]


def _unit_cpus(machine: Machine, chain: Sequence[Dict[str, str]]) -> Tuple[int, ...]:
    masks = [chain[0].get("CPUAffinity", "")]
    if machine.version == "v2":  # AllowedCPUs= does nothing on v1
        masks += [each.get("AllowedCPUs", "") for each in chain]
    cpus = set(machine.online)
    for mask in masks:
        cpus &= set(parse.cpu_list(",".join(mask.split()))) or cpus
    return tuple(sorted(cpus or machine.online))


def _unit_pids(machine: Machine, path: str) -> List[int]:
    if not path:
        return []
    own = (Membership(1, ("name=systemd",), path), Membership(0, (), path))
    for member in own:
        nodes = machine.chain("name=systemd", [member])
        if nodes:
            return _pids(machine.host, nodes[0].directory)
    return []


def _configured(unit: Unit) -> Effective:
    def tightest(name: str, value: Callable[[str], Optional[float]]) -> Optional[Bound]:
        nodes = [Node(0, each.get("Id", ""), "") for each in unit.chain]
        values = {node.path: value(each.get(name, "")) for node, each in zip(nodes, unit.chain)}
        return _tightest(nodes, lambda node: values[node.path])

    memory, high, swap, tasks = (tightest(name, parse.limit) for name in ("MemoryMax", "MemoryHigh", "MemorySwapMax", "TasksMax"))
    return Effective(tightest("CPUQuotaPerSecUSec", parse.time_span), memory, high, swap, tasks)


def unit_programs(machine: Machine, unit: Unit) -> List[Observed]:
    """The main process of a unit and what else of its cgroup Go has built; where none runs, the unit as it would run."""
    found = [process(machine, unit.pid, unit.name, unit.name)] if unit.pid else []
    for pid in unit.pids:
        if pid != unit.pid:
            try:
                one = process(machine, pid, unit.name, unit.name)
            except GoHostError:  # it has ended meanwhile
                continue
            if one.build is not None:
                found.append(one)
    return found or [stopped(machine, unit)]
