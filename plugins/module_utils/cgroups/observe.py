# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs on a host: how they were built, where they run, what limits them there."""

import errno
import fnmatch
import re
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from ..binaries import observe as binaries
from ..binaries.model import BuildInfo
from ..errors import GoHostError
from ..host import Host
from . import configured, hierarchy, parse, predict, unit_files, variables
from .model import Bound, Effective, Manager, Membership, Node, Observed, Place, Sharing, Unit

_PROPERTIES = ",".join(
    ("Id,LoadState,MainPID,ControlGroup,ExecStart,Environment,EnvironmentFiles,PassEnvironment,UnsetEnvironment,Slice,CPUAffinity", *configured.CPU_CGROUP)
    + ("DelegateControllers,AllowedCPUs,MemoryMax,MemoryHigh,MemorySwapMax,TasksMax",)
)
MANAGER = ("Version", "DefaultTasksMax", "Environment")  # of systemd itself
_MOST_CGROUPS = 2000  # that are searched for processes which share a limit
_SEARCHED = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")  # for bare names (systemd.service(5), "Command lines")
_SMALL_FILE = 1 << 20


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
        self.mountinfo = text(host, "/proc/self/mountinfo") or ""
        self.mounts = parse.mounts(self.mountinfo)
        mask = parse.status(text(host, "/proc/self/status") or "").get("Cpus_allowed_list", "")
        self.online = parse.cpu_list(text(host, "/sys/devices/system/cpu/online") or mask)
        self._namespace = self.namespace("self")
        self._manager_environment: Optional[Dict[str, str]] = None

    def namespace(self, pid: object) -> str:
        seen = self.host.stat(f"/proc/{pid}/ns/cgroup")
        return seen.target if seen is not None else ""

    def foreign(self, pid: int) -> bool:
        """Whether a process is in another cgroup namespace than this one."""
        return self.namespace(pid) != self._namespace

    def chain(self, controller: str, memberships: Sequence[Membership]) -> Tuple[Node, ...]:
        return hierarchy.chain(controller, memberships, self.mounts)

    def directory(self, controller: str, path: str) -> str:
        """Where the files of a cgroup are: in the controller's hierarchy of v1, or else in that of v2; "" where neither shows it."""
        name = hierarchy.V1_NAMES.get(controller, controller)
        chains = (self.chain(name, [member]) for member in (Membership(1, (name,), path), Membership(0, (), path)) if path)
        return next((nodes[0].directory for nodes in chains if nodes), "")

    @property
    def manager_environment(self) -> Dict[str, str]:
        """What `own_environment` finds, asked for once, by the first who needs it."""
        if self._manager_environment is None:
            self._manager_environment = own_environment(self.host)
        return self._manager_environment

    @property
    def version(self) -> str:
        """v1, v2, hybrid (v1 with v2 beside it) or "" where none is mounted."""
        kinds = {mount.fstype for mount in self.mounts} & {"cgroup", "cgroup2"}
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
    return configured.observed(unit, program_of(machine.host, unit.executable), machine.version, machine.online)


def environment_files(host: Host, shown: str, systemd: int) -> Dict[str, str]:
    """The Go runtime's variables in the files of EnvironmentFile=, as `systemctl show` prints them. systemd: its version."""
    found: Dict[str, str] = {}
    for line in shown.splitlines():
        for path in _matching(host, line.rpartition(" (")[0]):
            found.update(variables.environment_file(text(host, path) or "", systemd))
    return found


def manager(host: Host, told: Optional[Mapping[str, str]] = None) -> Manager:
    """systemd itself. told: its properties, as systemctl shows them."""
    found = told or (parse.properties(host.run(["systemctl", "show", "--no-pager", f"--property={','.join(MANAGER)}"]).stdout) or [{}])[0]
    version = re.match(r"\d+", found.get("Version", ""))
    environment = variables.assigned(variables.words(found.get("Environment", ""), printed=True))
    return Manager(int(version.group()) if version else 0, parse.limit(found.get("DefaultTasksMax", "")), environment)


def own_environment(host: Host) -> Dict[str, str]:
    """The Go runtime's variables of systemd itself. What ManagerEnvironment= sets does not show in /proc (systemd-system.conf(5))."""
    try:
        found = parse.go_variables(host.read("/proc/1/environ"))
    except OSError:  # for others than root
        found = {}
    lines = unit_files.settings(host.run(["systemd-analyze", "--no-pager", "cat-config", "systemd/system.conf"]).stdout, "")
    for each in unit_files.standing(lines, "Manager", "ManagerEnvironment"):
        found.update(variables.assigned(variables.resolved(each.value, "")))
    return found


def _matching(host: Host, pattern: str) -> List[str]:
    """The paths of a pattern as glob(7) has it, in their order; a path without a wildcard is itself."""
    found = [""]
    for part in pattern.split("/")[1:]:
        if not set(part) & set("*?["):
            found = [f"{path}/{part}" for path in found]
            continue
        hidden = part.startswith(".")
        found = [f"{path}/{name}" for path in found for name in host.listing(path or "/") if fnmatch.fnmatchcase(name, part) and name.startswith(".") <= hidden]
    return sorted(found)


def program_of(host: Host, path: str) -> Optional[BuildInfo]:
    """How the program of a unit was built; None where Go has not, or where it is missing, for which systemd has its own words."""
    places = [path] if path.startswith("/") else [f"{place}/{path}" for place in _SEARCHED] if path else []
    path = next((each for each in places if host.stat(each) is not None), "")
    if not path:
        return None
    try:
        return binaries.build_info(host, path)
    except (FileNotFoundError, GoHostError):
        return None


def _predicted(found: Observed, place: Place, read: predict.Read) -> Observed:
    program = configured.program(found)
    if program is None:
        return found
    prediction, alone = (predict.predict(each, place, read) for each in (program, program._replace(gomaxprocs=None)))
    whole = place._replace(mounts=tuple(mount for mount in place.mounts if mount.root.startswith("/")))
    right = predict.predict(program._replace(release=max(program.release, (1, 26))), whole, read)
    bug = prediction.reads_quota and right.quota != prediction.quota
    return found._replace(prediction=prediction, alone=alone, releases=predict.by_release(place, read), bug=bug)


def limits(machine: Machine, memberships: Sequence[Membership]) -> Tuple[Effective, Tuple[Node, ...]]:
    """The tightest limits on what is in these cgroups, and its chain of memory's cgroups."""
    host = machine.host
    memory = machine.chain(hierarchy.MEMORY, memberships)
    v1 = bool(memory) and memory[0].version == 1

    def read(name: str) -> Callable[[Node], Optional[float]]:
        return lambda node: parse.limit(text(host, f"{node.directory}/{name}") or "")

    def quota(node: Node) -> Optional[float]:
        return predict.quota_of(node, lambda path: text(host, path))

    bound = hierarchy.tightest(memory, read("memory.limit_in_bytes" if v1 else "memory.max"))
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
        cpus=hierarchy.tightest(machine.chain(hierarchy.CPU, memberships), quota),
        memory=bound,
        high=None if v1 else hierarchy.tightest(memory, read("memory.high")),
        swap=hierarchy.tightest(memory, read("memory.memsw.limit_in_bytes" if v1 else "memory.swap.max")),
        tasks=hierarchy.tightest(machine.chain(hierarchy.PIDS, memberships), read("pids.max")),
        cpuset=cpus,
    )
    return effective, memory


def unit_of(memberships: Sequence[Membership]) -> str:
    """The unit whose cgroup a process is in, by systemd's own hierarchy or v2; "" where systemd has not made it."""
    lines = [each for each in memberships if "name=systemd" in each.controllers] or [each for each in memberships if each.hierarchy == 0]
    parts = lines[0].path.split("/") if lines else []
    return next((part for part in reversed(parts) if part.endswith((".service", ".scope"))), "")


def _sharing(machine: Machine, bound: Optional[Bound], nodes: Sequence[Node], pid: int) -> Sharing:
    if bound is None or not nodes:
        return Sharing()
    elsewhere = beside = 0
    for directory, pids in occupied(machine.host, bound.node.directory):
        if directory == nodes[0].directory:
            beside = sum(_resident(machine.host, each) for each in pids if each != pid)
        else:
            elsewhere += len(pids) if directory else 1
    return Sharing(elsewhere, beside)


def occupied(host: Host, directory: str) -> Iterator[Tuple[str, List[int]]]:
    """A cgroup and all below it, each with its processes; a last one, "", where there were too many to look into."""
    waiting, seen = [directory], 0
    while waiting and seen < _MOST_CGROUPS:
        here = waiting.pop()
        seen += 1
        yield here, _pids(host, here)
        waiting += [f"{here}/{name}" for name in host.listing(here) if _is_directory(host, f"{here}/{name}")]
    if waiting:
        yield "", []


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
    slices = sorted({each for shown in known for each in configured.slice_chain(shown.get("Slice", ""))})
    parents = {shown.get("Id", ""): shown for shown in _shown(machine.host, slices)} if slices else {}
    its = manager(machine.host) if any(shown.get("MainPID", "0") == "0" for shown in known) else Manager()
    found = []
    for name, shown in zip(names, known):
        if shown.get("LoadState") != "loaded":
            raise GoHostError("systemd has no such unit", name, f"It says {shown.get('LoadState') or 'nothing'}.")
        chain = (shown, *(parents.get(each, {}) for each in configured.slice_chain(shown.get("Slice", ""))))
        found.append(
            Unit(
                name=shown.get("Id", name),
                pid=int(shown.get("MainPID") or 0),
                executable=parse.exec_path(shown.get("ExecStart", "")),
                environment=_environment(machine, shown, its),
                cpus=configured.cpus(chain, machine.version, machine.online),
                chain=chain,
                pids=tuple(_unit_pids(machine, shown.get("ControlGroup", ""))),
            )
        )
    return found


def _environment(machine: Machine, shown: Mapping[str, str], its: Manager) -> Dict[str, str]:
    own, passed, unset = (variables.words(shown.get(name, ""), printed=True) for name in ("Environment", "PassEnvironment", "UnsetEnvironment"))
    if passed:
        its = its._replace(own=machine.manager_environment)
    files = environment_files(machine.host, shown.get("EnvironmentFiles", ""), its.version)
    return variables.kept(variables.merged(its, passed, variables.assigned(own), files), unset)


def _shown(host: Host, names: Sequence[str]) -> List[Dict[str, str]]:
    answer = host.run(["systemctl", "show", "--no-pager", f"--property={_PROPERTIES}", "--", *names])
    if answer.rc == 127:
        raise GoHostError("there is no systemd on this host", " ".join(names), "Give pids or binaries.")
    found = parse.properties(answer.stdout)
    if answer.rc != 0 or len(found) != len(names):
        raise GoHostError("systemctl show failed", " ".join(names), answer.stderr or "Look at what systemd says about these units.")
    return found


def _unit_pids(machine: Machine, path: str) -> List[int]:
    directory = machine.directory("name=systemd", path)
    return _pids(machine.host, directory) if directory else []


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
