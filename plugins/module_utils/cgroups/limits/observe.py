# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host has of limits: its units with all their files, their cgroups, and our drop-ins."""

import posixpath
import re
import shlex
from typing import Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from ...binaries.model import BuildInfo
from ...errors import GoHostError
from ...host import Host
from .. import configured, unit_files
from ..hierarchy import CPU, CPUSET, IO, MEMORY, PIDS, V1_NAMES
from ..model import Manager
from ..observe import MANAGER, Machine, environment_files, occupied, program_of, text
from ..observe import manager as shown_manager
from ..parse import cfs, device_of, exec_path, go_variables, keyed, limit, properties, status
from . import dropins, manager, overlay
from .directives import DIRECTIVES, files
from .model import SECTIONS, SERVICE, SLICE, TEMPLATE, Running, Seen, SeenTarget, Target, UnitState, Wanted, Wish

DUE = "/run/gohost.linux-reload-due"  # stands from before the first rename until systemd has read what was written; holds the units to restart after it
STAGED = ".gohost-new"  # behind a drop-in's name, so that systemd does not read it
_PROBE = "gohost"  # an instance to ask a template about
_CONTROLLERS = (CPU, MEMORY, PIDS, IO, CPUSET)
_CAP_SYS_RESOURCE = 24  # <linux/capability.h>
_FIRST_NAMESPACE = "0 0 4294967295"  # in uid_map (user_namespaces(7))
_GENERAL = ("Id", "LoadState", "ActiveState", "FragmentPath", "DropInPaths", "NeedDaemonReload", "ControlGroup", "Slice")
_OF_SERVICES = ("MainPID", "ExecStart", "EnvironmentFiles", "CPUAffinity")


def observe(host: Host, wanted: Wanted) -> Seen:
    """Errors: GoHostError where there is no systemd, or where it does not answer."""
    if host.stat("/run/systemd/system") is None:
        hint = "On OpenRC, rc_cgroup_settings in /etc/conf.d/NAME does it (rc-service NAME restart); in a container, limit the container itself."
        raise GoHostError("systemd does not run this host", wanted.wishes[0].target.name if wanted.wishes else None, hint)
    due = _due(host)
    machine = Machine(host)
    named, families = _units(machine, wanted)
    options = _options(wanted)
    controllers = _controllers(machine)
    everyone = [*named.values(), *(each for shown in families.values() for each in shown)]
    there = _dropin_directories(host)
    programs = {path: program_of(host, path) for path in {exec_path(shown.get("ExecStart", "")) for shown in everyone}}
    its = _manager(host)

    def state(shown: Mapping[str, str], name: str) -> UnitState:
        return _state(machine, shown, options.get(name, []), controllers, programs, there, its)

    states = {name: state(shown, name) for name, shown in named.items()}
    members = {pattern: tuple(state(each, pattern) for each in shown) for pattern, shown in families.items()}
    slices = {each.name: each for each in states.values() if each.name.endswith(".slice")}
    targets = tuple(_target(host, wish, states, members, due is not None) for wish in wanted.wishes)
    return Seen(
        systemd=its.version,
        cgroup=machine.version,
        controllers=controllers,
        cpus=machine.online,
        memory=_least([_memory(host), _root_limit(machine, MEMORY, controllers, "memory.max", "memory.limit_in_bytes")]),
        tasks=_least([_number(host, "/proc/sys/kernel/pid_max"), _number(host, "/proc/sys/kernel/threads-max")]),
        oomd=any(host.stat(f"{place}/lib/systemd/systemd-oomd") is not None for place in ("/usr", "")),
        disks={device: _disk(machine, device) for device in sorted(set(_devices(wanted)))},
        due=due,
        targets=targets,
        slices=slices,
        occupants=_occupants(machine, wanted, slices),
        default_tasks=its.tasks,
        **_powers(host, wanted),
    )


def _units(machine: Machine, wanted: Wanted) -> Tuple[Dict[str, Dict[str, str]], Dict[str, List[Dict[str, str]]]]:
    """What systemd shows: of units, by the names that were asked for, and of those that match each family's pattern."""
    targets = [wish.target for wish in wanted.wishes]
    placed = [configured.slice_chain(wish.setting("slice")) for wish in wanted.wishes]
    own = [configured.slice_chain(target.name) for target in targets if not target.family]
    names = {probe(target) for target in targets} | {"system.slice", "-.slice"} | {name for chain in placed + own for name in chain}
    asked = _properties(machine, wanted)
    named = _shown(machine.host, sorted(names - {""}), asked)
    chains = [configured.slice_chain(name) for each in named.values() for name in (each.get("Slice", ""), *_elsewhere(machine.host, each))]
    more = {name for chain in chains for name in chain} - set(named)
    named.update(_shown(machine.host, sorted(more), asked))
    families = {target.pattern: list(_shown(machine.host, [target.pattern], asked).values()) for target in targets if target.family}
    return named, families


def _elsewhere(host: Host, shown: Mapping[str, str]) -> List[str]:
    """The slices of a service whose slice is ours to say, by what others say."""
    ours: List[str] = []
    others = [shown.get("FragmentPath", "")]
    for path in UnitState(shown).dropins:
        (ours if path.endswith(dropins.ENDING) else others).append(path)
    if not any("\nSlice=" in (text(host, path) or "") for path in ours):
        return []
    kept = [each for path in others if path for each in unit_files.settings(text(host, path) or "", path)]
    return [overlay.placed(kept, SECTIONS[SERVICE], shown.get("Id", ""))]


def _properties(machine: Machine, wanted: Wanted) -> List[str]:
    """What systemd is asked about units: as little as will do, for it has to work each of them out."""
    unread = "cpu_weight" if machine.version == "v2" else "allowed_cpus"  # which no prediction needs here: see configured.py
    found = [*_GENERAL, *(DIRECTIVES[option].shown for option in overlay.SHOWN if option != unread)]
    if machine.version != "v2":
        found += [*configured.CPU_CGROUP, "DelegateControllers"]
    if any(wish.target.kind != SLICE for wish in wanted.wishes):
        found += _OF_SERVICES
    found += [DIRECTIVES[option].shown for wish in wanted.wishes for option in wish.settings]
    return list(dict.fromkeys(found))


def probe(target: Target) -> str:
    """The unit that tells about a target, "" where none can."""
    if target.family == TEMPLATE:
        return target.name.replace("@.", f"@{_PROBE}.")
    return "" if target.family else target.name


def _shown(host: Host, names: Sequence[str], asked: Sequence[str]) -> Dict[str, Dict[str, str]]:
    """name → properties; for a pattern, the names of the units that it matches in systemd's memory."""
    if not names:
        return {}
    pattern = "*" in names[0]
    told = None if pattern else manager.properties(host, names, asked)
    if told is not None:
        return told
    answer = host.run(["systemctl", "show", "--no-pager", f"--property={','.join(asked)}", "--", *names])
    blocks = properties(answer.stdout)
    if answer.rc != 0 or (not pattern and len(blocks) != len(names)):
        raise GoHostError("systemctl show failed", " ".join(names), answer.stderr or "Look at what systemd says about these units.")
    return {block.get("Id", ""): block for block in blocks} if pattern else dict(zip(names, blocks))


def _manager(host: Host) -> Manager:
    found = shown_manager(host, manager.itself(host, MANAGER))
    if not found.version:
        raise GoHostError("systemctl does not tell systemd's version", "systemctl show", "Does it show units? Is systemd installed whole?")
    return found


def _controllers(machine: Machine) -> Dict[str, int]:
    """The controllers of this host → the version of the hierarchy that has them, 0 where it cannot be written."""
    found: Dict[str, Tuple[int, str]] = {}
    for mount in machine.mounts:
        if mount.fstype == "cgroup2":
            names = (text(machine.host, f"{mount.point}/cgroup.controllers") or "").split()
            found.update({name: (2, mount.point) for name in _CONTROLLERS if name in names})
    for mount in reversed(machine.mounts):  # a controller that v1 has is in no hierarchy of v2
        if mount.fstype == "cgroup":
            found.update({name: (1, mount.point) for name in _CONTROLLERS if V1_NAMES.get(name, name) in mount.options})
    root = machine.host.euid() == 0  # others may write in none, which says nothing of systemd
    return {name: version if not root or machine.host.writable(point) else 0 for name, (version, point) in found.items()}


def _options(wanted: Wanted) -> Dict[str, List[str]]:
    """Unit, or pattern of a family → the options that are wished of it."""
    found: Dict[str, List[str]] = {}
    for wish in wanted.wishes:
        for name in (probe(wish.target), wish.target.pattern):
            found.setdefault(name, []).extend(wish.settings)
    return found


def _dropin_directories(host: Host) -> Dict[str, List[str]]:
    """Name of a directory of drop-ins → where it is, for those places in which administrators and roles write; the first wins over the others."""
    found: Dict[str, List[str]] = {}
    for place in dropins.PLACES:
        for name in host.listing(place):
            if name.endswith(".d"):
                found.setdefault(name, []).append(f"{place}/{name}")
    return found


def _dropins(host: Host, state: UnitState, there: Mapping[str, List[str]]) -> List[str]:
    """Paths of a unit's drop-ins as they are after a reload: with those that somebody has written and not told systemd of."""
    directories = [directory for name in overlay.families(state.name) for directory in there.get(f"{name}.d", ())]
    directories.sort(key=lambda directory: dropins.PLACES.index(posixpath.dirname(directory)))
    written = [f"{directory}/{name}" for directory in directories for name in host.listing(directory) if name.endswith(".conf")]
    found: Dict[str, str] = {}
    for path in [*written, *state.dropins]:
        found.setdefault(posixpath.basename(path), path)
    return [found[name] for name in sorted(found)]


def _state(
    machine: Machine,
    shown: Mapping[str, str],
    options: Iterable[str],
    controllers: Mapping[str, int],
    programs: Mapping[str, Optional[BuildInfo]],
    there: Mapping[str, List[str]],
    its: Manager,
) -> UnitState:
    host = machine.host
    paths = [path for path in [shown.get("FragmentPath", ""), *_dropins(host, UnitState(shown), there)] if path]
    pid = int(shown.get("MainPID") or 0)
    # What is not active may have cgroups, too, for which systemd cares when it likes.
    path = shown.get("ControlGroup", "") if shown.get("ActiveState") in ("active", "reloading", "activating") else ""
    everywhere = ((controller, machine.directory(controller, path)) for controller in controllers)
    directories = {controller: directory for controller, directory in everywhere if directory}
    build = programs[exec_path(shown.get("ExecStart", ""))]
    told = build is not None or any(each.endswith(dropins.ENDING) for each in paths)
    read = tuple((path, content) for path, content in ((path, text(host, path)) for path in paths) if content is not None)
    limited = "memory_max" in options or any(path.endswith(dropins.ENDING) and "MemoryMax=" in content for path, content in read)
    return UnitState(
        properties=shown,
        files=read,
        variables=environment_files(host, shown.get("EnvironmentFiles", ""), its.version),
        manager=its._replace(own=machine.manager_environment) if any("PassEnvironment" in content for _path, content in read) else its,
        build=build,
        directories=directories,
        live=_live(host, directories, options, controllers),
        memory=_used(host, directories.get(MEMORY, "")) if limited else 0,
        tasks=_number(host, f"{directories.get(PIDS, '')}/pids.current") or 0 if "tasks_max" in options else 0,
        inside=_quotas(host, directories[CPU]) if "cpu_quota" in options and controllers.get(CPU) == 1 and CPU in directories else {},
        running=_running(host, pid, options, told) if pid else None,
    )


def _live(host: Host, directories: Mapping[str, str], options: Iterable[str], controllers: Mapping[str, int]) -> Dict[str, str]:
    """Of a unit's cgroup the files that hold these options, path → content."""
    wanted = ((DIRECTIVES[option].controller, option) for option in options)
    paths = (f"{directories[its]}/{name}" for its, option in wanted if its in directories for name in files(option, controllers.get(its, 0)))
    return {path: content for path, content in ((path, text(host, path)) for path in paths) if content is not None}


def reread(host: Host, seen: Seen, wanted: Wanted) -> Seen:
    """What was seen, with our drop-ins and the kernel's files as they are now that systemd has read all files. For what was not restarted."""
    due = _due(host)
    targets = []
    for wish, target in zip(wanted.wishes, seen.targets):
        content = text(host, target.path)
        members = []
        for member in target.members:
            paths = [path for path in member.dropins if path != target.path] + ([target.path] if content is not None else [])
            shown = dict(member.properties, NeedDaemonReload="no", DropInPaths=" ".join(map(shlex.quote, paths)))
            members.append(member._replace(properties=shown, live=_live(host, member.directories, wish.settings, seen.controllers)))
        leftovers = _leftovers(host, target.path, due is not None)
        targets.append(target._replace(text=content, proper=_proper(host, target.path), leftovers=leftovers, members=tuple(members)))
    return seen._replace(due=due, targets=tuple(targets))


def _due(host: Host) -> Optional[Tuple[str, ...]]:
    names = text(host, DUE)
    return None if names is None else tuple(names.split())


def _proper(host: Host, path: str) -> bool:
    seen = host.stat(path)
    return seen is None or (seen.kind, seen.mode, seen.uid) == ("file", 0o644, host.euid())


def _leftovers(host: Host, path: str, due: bool) -> Tuple[str, ...]:
    if host.stat(path + STAGED) is not None:
        return (path + STAGED,)
    directory = posixpath.dirname(path)  # a run may have been killed after it had removed all that was in it
    return (directory,) if due and host.stat(directory) is not None and not host.listing(directory) else ()


def _quotas(host: Host, directory: str) -> Dict[str, float]:
    """Names of the cgroups below one → CPUs of their quota."""
    found = {}
    for path, _pids in occupied(host, directory):
        quota = cfs(text(host, f"{path}/cpu.cfs_quota_us") or "", text(host, f"{path}/cpu.cfs_period_us") or "")
        if path != directory and quota is not None:
            found[posixpath.basename(path)] = quota
    return found


def _used(host: Host, directory: str) -> int:
    """Bytes that a cgroup holds and that the kernel cannot take back without swap: all but files and caches."""
    if not directory:
        return 0
    used = _number(host, f"{directory}/memory.current")
    stat = keyed(text(host, f"{directory}/memory.stat") or "")
    if used is None:
        used = _number(host, f"{directory}/memory.usage_in_bytes")
        return max((used or 0) - stat.get("total_inactive_file", 0) - stat.get("total_active_file", 0), 0)
    return max(used - stat.get("inactive_file", 0) - stat.get("active_file", 0) - stat.get("slab_reclaimable", 0), 0)


def _running(host: Host, pid: int, options: Iterable[str], told: bool) -> Optional[Running]:
    """told: whether we tell it something, or may want to."""
    try:
        environment = go_variables(host.read(f"/proc/{pid}/environ")) if told else {}
    except OSError:  # it has ended meanwhile
        return None
    nofile = _most_files(host, pid) if "limit_nofile" in options else None
    score = (text(host, f"/proc/{pid}/oom_score_adj") or "").strip() if "oom_score_adjust" in options else ""
    return Running(environment, nofile, int(score) if score.lstrip("-").isdigit() else None)


def _most_files(host: Host, pid: int) -> Optional[int]:
    """A process's hard limit."""
    found = re.search(r"^Max open files +\S+ +(\d+)", text(host, f"/proc/{pid}/limits") or "", re.MULTILINE)
    return int(found.group(1)) if found else None


def _powers(host: Host, wanted: Wanted) -> Dict[str, Optional[int]]:
    """What systemd can give its services, as fields of Seen: without CAP_SYS_RESOURCE in the first user namespace no more than it has itself."""
    wished = {option for wish in wanted.wishes for option in wish.settings}
    if not wished & {"limit_nofile", "oom_score_adjust"}:
        return {}
    files = _number(host, "/proc/sys/fs/nr_open")
    capable = int(status(text(host, "/proc/1/status") or "").get("CapEff", "f" * 16), 16) >> _CAP_SYS_RESOURCE & 1
    if capable and (text(host, "/proc/1/uid_map") or _FIRST_NAMESPACE).split() == _FIRST_NAMESPACE.split():
        return {"most_files": files}
    score = (text(host, "/proc/1/oom_score_adj") or "").strip()
    most = [each for each in (files, _most_files(host, 1)) if each is not None]
    return {"most_files": min(most, default=None), "least_score": int(score) if score.lstrip("-").isdigit() else None}


def _target(host: Host, wish: Wish, states: Mapping[str, UnitState], families: Mapping[str, Tuple[UnitState, ...]], due: bool) -> SeenTarget:
    unit = states.get(probe(wish.target))
    known = families.get(wish.target.pattern, ()) if wish.target.family else (unit,)
    members = tuple(each for each in known if each is not None and each.loaded)
    path = dropins.path(wish, unit.name if unit is not None and not wish.target.family else "")
    return SeenTarget(path, unit, members, text(host, path), _proper(host, path), _leftovers(host, path, due))


def _occupants(machine: Machine, wanted: Wanted, slices: Mapping[str, UnitState]) -> Dict[str, Tuple[str, ...]]:
    """Of slices with a limit of memory, now or then: a service below them has to know who else is there."""
    if not any(wish.go and wish.target.kind == SERVICE for wish in wanted.wishes):
        return {}
    wished = {wish.target.name for wish in wanted.wishes if {"memory_max", "memory_high"} & set(wish.settings)}
    found = {}
    for name, state in slices.items():
        bound = [limit(state.properties.get(each, "")) for each in ("MemoryMax", "MemoryHigh")]
        directory = machine.directory(MEMORY, state.cgroup)
        if directory and name != "-.slice" and (name in wished or bound != [None, None]):
            found[name] = tuple(sorted(each for each, pids in occupied(machine.host, directory) if pids))
    return found


def _devices(wanted: Wanted) -> Iterable[str]:
    for wish in wanted.wishes:
        for option, values in wish.settings.items():
            if DIRECTIVES[option].devices:
                yield from (value.rpartition(" ")[0] for value in values)


def _disk(machine: Machine, path: str) -> str:
    """The disk that a path is, or is on, as systemd looks for it (src/core/cgroup.c, lookup_block_device); "" where it finds none."""
    host, real = machine.host, machine.host.real(path)
    seen = host.stat(real)
    if seen is None:
        return ""
    if seen.kind == "other" and real.startswith("/dev/"):
        entry = f"/sys/class/block/{real[len('/dev/') :].replace('/', '!')}"
        if host.stat(entry) is None:
            return ""
    else:
        number = device_of(machine.mountinfo, real)
        if number.startswith("0:"):
            return ""
        entry = f"/sys/dev/block/{number}"
        if not number or host.stat(entry) is None:
            return number or real
    disk = host.real(entry)
    return posixpath.basename(posixpath.dirname(disk) if host.stat(f"{disk}/partition") is not None else disk)


def _number(host: Host, path: str) -> Optional[int]:
    return limit(text(host, path) or "")


def _memory(host: Host) -> Optional[int]:
    words = status(text(host, "/proc/meminfo") or "").get("MemTotal", "").split()
    return int(words[0]) * 1024 if words and words[0].isdigit() else None


def _root_limit(machine: Machine, controller: str, controllers: Mapping[str, int], *names: str) -> Optional[int]:
    """The limit of the root that systemd sees, which in a container is the container's (src/basic/limits-util.c, physical_memory)."""
    directory = machine.directory(controller, "/") if controller in controllers else ""
    return next((found for found in (_number(machine.host, f"{directory}/{name}") for name in names) if found is not None), None) if directory else None


def _least(numbers: Iterable[Optional[int]]) -> int:
    return min((number for number in numbers if number is not None), default=0)
