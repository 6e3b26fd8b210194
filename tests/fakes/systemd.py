# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A systemd that knows the unit files below a directory as they were at its last reload, and writes the limits into cgroups there.

What it does was seen of systemd 252 on Debian 12, with cgroup v1 and v2; its memory is a file, for it lives longer than the process that calls it.
"""

import codecs
import contextlib
import fnmatch
import glob
import json
import os
import posixpath
import re
import time
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple

from ansible_collections.gohost.linux.plugins.module_utils.host import CommandResult
from tests.fakes import elf
from tests.fakes.cgroups import V2
from tests.fakes.rooted_host import Rooted

PLACES = (  # an earlier one wins
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
)
ETC, RUN = PLACES[3], PLACES[4]
MEMORY, TASKS, CPUS, PAGE = 8 << 30, 30000, 8, 4096
V1 = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n" + "".join(
    f"{number} 31 0:{number} / /sys/fs/cgroup/{name} rw - cgroup cgroup rw,{option}\n"
    for number, name, option in ((32, "cpu", "cpu"), (33, "memory", "memory"), (34, "pids", "pids"), (35, "blkio", "blkio"), (36, "systemd", "name=systemd"))
)
_STATE = "/.systemd.json"
_ALWAYS = ("-.slice", "system.slice", "user.slice")
_SECTIONS = {"service": "Service", "slice": "Slice", "scope": "Scope"}
_SIZES = ("MemoryMin", "MemoryLow", "MemoryHigh", "MemoryMax", "MemorySwapMax")
_DEVICES = ("IOReadBandwidthMax", "IOWriteBandwidthMax", "IOReadIOPSMax", "IOWriteIOPSMax")
_LISTS = (*_DEVICES, "Environment", "EnvironmentFile", "PassEnvironment", "UnsetEnvironment", "ExecStart")
_STUBBORN = ("Slice", "OOMPolicy", "LimitNOFILE")  # take no empty value
_CONTROLLERS = {"cpu": ("CPUQuota", "CPUWeight"), "cpuset": ("AllowedCPUs",), "io": ("IOWeight", *_DEVICES), "memory": (), "pids": ()}
_DEFAULTS = {
    "MemoryMin": "0",
    "MemoryLow": "0",
    **dict.fromkeys(("MemoryHigh", "MemoryMax", "MemorySwapMax", "CPUQuotaPerSecUSec", "CPUQuotaPeriodUSec"), "infinity"),
    "CPUWeight": "[not set]",
    "AllowedCPUs": "",
    "IOWeight": "[not set]",
    "ManagedOOMSwap": "auto",
    "ManagedOOMMemoryPressure": "auto",
    "ManagedOOMMemoryPressureLimit": "0",
    "ManagedOOMPreference": "none",
}

Values = Dict[str, List[str]]  # setting → values that count
File = List[Any]  # path, text, nanoseconds of its time


def prepare(root: Path, v1: bool = False) -> "FakeSystemd":
    """A machine with systemd and the slices that are always there."""
    host = FakeSystemd(root)
    mountinfo = V1 if v1 else V2
    host.write("/proc/self/mountinfo", mountinfo)
    host.write("/proc/self/status", f"Cpus_allowed_list:\t0-{CPUS - 1}\n")
    host.write("/sys/devices/system/cpu/online", f"0-{CPUS - 1}\n")
    host.write("/proc/meminfo", f"MemTotal:       {MEMORY >> 10} kB\n")
    host.write("/proc/sys/kernel/pid_max", f"{TASKS}\n")
    host.write("/proc/sys/kernel/threads-max", f"{TASKS}\n")
    host.write("/usr/lib/systemd/systemd-oomd", "")
    os.makedirs(f"{host.root}/proc/self/ns")
    os.symlink("cgroup:[4026531835]", f"{host.root}/proc/self/ns/cgroup")
    for place in PLACES:
        os.makedirs(host.root + place, exist_ok=True)
    if not v1:
        host.write("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n")
    for name in _ALWAYS:
        host.start(name)
    host.reload()
    return host


class FakeSystemd(Rooted):
    """A host whose root is a directory, for reading and writing, with this systemd.

    fails: verb of systemctl → what it says instead of doing it. version: 257 does not write limits of what runs until something is started beside it.
    environment: what it gives to all programs; own: its own environment, of which PassEnvironment= takes; conf: its configuration.
    """

    version = 252

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.fails: Dict[str, str] = {}
        self.environment: Dict[str, str] = {"LANG": "C"}
        self.own: Dict[str, str] = {}
        self.conf = ""

    # What tests do and ask

    def unit(self, name: str, text: str = "") -> None:
        """A unit file, as packages and administrators have them; systemd reads it at its next reload."""
        self.write(f"{ETC}/{name}", text or f"[{_section(name)}]\n" + ("ExecStart=/bin/sleep 9\n" if name.endswith(".service") else ""))

    def go(self, path: str, version: str = "go1.27.4", godebug: str = "") -> None:
        """A Go program."""
        self.write(path, elf.make(version, "path\tx\nmod\tx\t(devel)\n" + (f"build\tDefaultGODEBUG={godebug}\n" if godebug else "")))

    def start(self, *names: str) -> None:
        """Start units, with what systemd has read of them; of a service its main process is there then."""
        for name in names:
            self._start(name)
        self._realize()

    def use(self, name: str, memory: int = 0, tasks: int = 1) -> None:
        """What a running unit uses."""
        directory = self._directories(name)
        self.write(f"{directory['memory']}/{'memory.usage_in_bytes' if self.v1 else 'memory.current'}", f"{memory}\n")
        self.write(f"{directory['pids']}/pids.current", f"{tasks}\n")

    def reload(self) -> None:
        state = self.state
        for name in state["active"]:
            state["loaded"][name] = self._files(name)
        state["known"] = sorted(self._dropin_directories())
        state["reloads"] = state.get("reloads", 0) + 1
        self._keep(state)
        if self.version < 257:
            self._realize()

    @property
    def reloads(self) -> int:
        return int(self.state.get("reloads", 0))

    @property
    def restarted(self) -> List[str]:
        return list(self.state.get("restarted", []))

    @restarted.setter
    def restarted(self, names: List[str]) -> None:
        self._keep({**self.state, "restarted": names})

    @property
    def v1(self) -> bool:
        return "cgroup2" not in super().read("/proc/self/mountinfo").decode()

    def live(self, name: str) -> Dict[str, str]:
        """The cgroup's files of a unit that runs: name → content."""
        return {
            file: super(FakeSystemd, self).read(f"{directory}/{file}").decode().strip()
            for directory in sorted(set(self._directories(name).values()))
            for file in self._names(directory)
            if os.path.isfile(f"{self.root}{directory}/{file}")
        }

    def write(self, path: str, content: "str | bytes") -> None:
        """Newer than all that was written before, which the kernel's clock of files tells only some milliseconds apart."""
        super().write(path, content)
        now = time.time()  # 3.6 has no nanoseconds
        os.utime(self.root + path, (now, now))

    # The port

    def run(self, argv: List[str]) -> CommandResult:
        self.asked.append(argv)
        if argv[0] == "systemd-run":
            (name,) = [word.partition("=")[2] for word in argv if word.startswith("--slice=")]
            self._realize(self.state["active"][name]["cgroup"])
            return CommandResult(tuple(argv), 0, "", "")
        if argv[0] == "systemd-analyze":
            assert argv[-2:] == ["cat-config", "systemd/system.conf"], argv
            return CommandResult(tuple(argv), 0, self.conf, "")
        assert argv[0] == "systemctl", argv
        verb = next((word for word in argv[1:] if not word.startswith("-")), "")
        names = argv[argv.index("--") + 1 :] if "--" in argv else []
        if verb in self.fails:
            return CommandResult(tuple(argv), 1, "", self.fails[verb])
        if verb == "show":
            return CommandResult(tuple(argv), *self._show(names, next(word for word in argv if word.startswith("--property=")).partition("=")[2].split(",")))
        if verb == "daemon-reload":
            assert not names, argv
            self.reload()
            return CommandResult(tuple(argv), 0, "", "")
        assert verb == "restart" and names, argv
        return CommandResult(tuple(argv), *self._restart(names))

    def create(self, path: str, mode: int, chunks: Iterable[bytes]) -> None:
        super().create(self.root + path, mode, chunks)

    def mkdir(self, path: str, mode: int) -> None:
        super().mkdir(self.root + path, mode)

    def symlink(self, target: str, path: str) -> None:
        super().symlink(target, self.root + path)

    def rename(self, source: str, target: str) -> None:
        super().rename(self.root + source, self.root + target)

    def remove(self, path: str) -> None:
        super().remove(self.root + path)

    def remove_tree(self, path: str) -> None:
        super().remove_tree(self.root + path)

    def writable(self, path: str) -> bool:
        return super().writable(self.root + path)

    def sync(self, path: str) -> None:
        """Says nothing about kill -9, and may take seconds on a busy disk."""

    def relabel(self, path: str) -> bool:
        return False

    @contextlib.contextmanager
    def lock(self, path: str, timeout: float) -> Iterator[None]:
        with super().lock(self.root + path, timeout):
            yield

    # Its memory

    @property
    def state(self) -> Dict[str, Any]:
        """active: unit → its pid and cgroup; loaded: unit → its files as they were read; known: directories of drop-ins then."""
        try:
            found: Dict[str, Any] = json.loads(Path(self.root + _STATE).read_text())
        except FileNotFoundError:
            found = {"active": {}, "loaded": {}, "known": []}
        return found

    def _keep(self, state: Dict[str, Any]) -> None:
        path = Path(self.root + _STATE)
        path.with_name("systemd.new").write_text(json.dumps(state))
        path.with_name("systemd.new").rename(path)

    # Units

    def _names(self, directory: str) -> List[str]:
        """Not by the port, which may be about to kill its process."""
        return super().listing(directory)

    def _files(self, name: str, directories: Optional[List[str]] = None) -> List[File]:
        """A unit's own file, first, where it has one, and its drop-ins in the order in which they count. directories: the only ones to look into."""
        own = next((f"{place}/{each}" for each in (name, _template(name)) for place in PLACES if each and os.path.lexists(f"{self.root}{place}/{each}")), "")
        if own and os.path.islink(self.root + own) and os.readlink(self.root + own) == "/dev/null":
            return [[own, None, 0]]
        found: Dict[str, str] = {}
        for directory in _directories(name):
            if directories is None or directory in directories:
                for file in self._names(directory):
                    real = f"{self.root}{directory}/{file}"
                    if file.endswith(".conf") and os.path.exists(real) and not os.path.isdir(real):
                        found.setdefault(file, f"{directory}/{file}")
        return [self._file(path) for path in ([own] if own else []) + [found[file] for file in sorted(found)]]

    def _file(self, path: str) -> File:
        real = os.path.realpath(self.root + path)
        if real == "/dev/null":
            return [path, "", 0]
        return [path, Path(real).read_text(), os.stat(real).st_mtime_ns]

    def _dropin_directories(self) -> Iterator[str]:
        return (f"{place}/{name}" for place in PLACES for name in self._names(place) if name.endswith(".d"))

    def _known(self, name: str) -> List[File]:
        """What systemd says a unit's files are: those it has read, or, of one that it has not in memory, those there are."""
        loaded: List[File] = self.state["loaded"].get(name) or []
        return loaded if name in self.state["active"] else self._files(name)

    def _stale(self, name: str) -> bool:
        """NeedDaemonReload: looks only into directories that were there at the last reload, and asks whether a file is newer than the newest it has read."""
        state = self.state
        if name not in state["active"]:
            return False
        before: List[File] = state["loaded"].get(name) or []
        now = self._files(name, state["known"])
        newest = max([each[2] for each in before if each[0].endswith(".conf")] or [0])
        changed = any(each[2] > (newest if each[0].endswith(".conf") else known[2]) for each in now for known in before if each[0] == known[0])
        return [each[0] for each in now] != [each[0] for each in before] or changed

    def _values(self, name: str) -> Values:
        found: Values = {}
        for _path, text, _time in self._known(name):
            for setting, value in _settings(text or "", _section(name)):
                if not value:
                    if setting not in _STUBBORN:
                        found.pop(setting, None)
                elif not _valid(setting, value):
                    continue
                elif setting in _LISTS:
                    found[setting] = found.get(setting, []) + [value]
                else:
                    found[setting] = [value]
        return found

    def _load_state(self, name: str) -> str:
        files = self._known(name)
        if files and files[0][1] is None:
            return "masked"
        if name.endswith("-.slice") and name != "-.slice":
            return "error"
        return "loaded" if name.endswith(".slice") or any(not each[0].endswith(".conf") for each in files) else "not-found"

    # Running

    def _start(self, name: str) -> None:
        values = self._values(name)
        placed = _parent(name) if name.endswith(".slice") else _placed(values, name)
        if name != "-.slice" and placed not in self.state["active"]:
            self._start(placed)
        state = self.state
        path = "/" if name == "-.slice" else f"{state['active'][placed]['cgroup'].rstrip('/')}/{name}"
        before = state["active"].get(name, {})
        pid = max([each["pid"] for each in state["active"].values()] + [100]) + 1 if not name.endswith(".slice") else 0
        if not before:  # to load a unit it looks at all directories
            state["known"] = sorted(self._dropin_directories())
        state["loaded"][name] = self._known(name)
        state["active"][name] = {"cgroup": path, "pid": pid}
        self._keep(state)
        if before.get("cgroup") and before["cgroup"] != path:
            for directory in self._places(before["cgroup"]).values():
                _remove(Path(self.root + directory))
        if pid:
            self._process(name, pid, values)

    def _process(self, name: str, pid: int, values: Values) -> None:
        soft, hard = _nofile(values)
        score = values.get("OOMScoreAdjust", ["0"])[0]
        self.write(f"/proc/{pid}/environ", "".join(f"{key}={value}\0" for key, value in self._environment(name, values).items()))
        self.write(f"/proc/{pid}/limits", f"Limit                     Soft Limit           Hard Limit\nMax open files            {soft:<20} {hard:<20} files\n")
        self.write(f"/proc/{pid}/oom_score_adj", f"{score}\n")
        self.write(f"/proc/{pid}/status", f"Name:\tapp\nCpus_allowed_list:\t0-{CPUS - 1}\n")

    def _environment(self, unit: str, values: Values) -> Dict[str, str]:
        """What a process of a unit gets, by systemd.exec(5)."""
        listed = {name: [word for value in values.get(name, []) for word in _words(value, unit)] for name in _LISTS}
        found = {**self.environment, **{name: self.own[name] for name in listed["PassEnvironment"] if name in self.own}}
        lines = [word for word in listed["Environment"] if "=" in word]
        for path in (value.lstrip("-") for value in values.get("EnvironmentFile", [])):
            for real in sorted(glob.glob(self.root + path)):
                lines += Path(real).read_text().splitlines()
        found.update({line.partition("=")[0]: line.partition("=")[2] for line in lines})
        return {name: value for name, value in found.items() if name not in listed["UnsetEnvironment"] and f"{name}={value}" not in listed["UnsetEnvironment"]}

    def _restart(self, names: List[str]) -> Tuple[int, str, str]:
        missing = [name for name in names if self._load_state(name) != "loaded"]
        state = self.state
        state["restarted"] = state.get("restarted", []) + [name for name in names if name not in missing]
        self._keep(state)
        self.start(*(name for name in names if name not in missing))
        return (5, "", "".join(f"Failed to restart {name}: Unit {name} not found.\n" for name in missing)) if missing else (0, "", "")

    def _places(self, path: str) -> Dict[str, str]:
        """controller → directory of a cgroup."""
        if self.v1:
            return {name: f"/sys/fs/cgroup/{'blkio' if name == 'io' else name}{path}".rstrip("/") for name in _CONTROLLERS if name != "cpuset"}
        return dict.fromkeys(_CONTROLLERS, f"/sys/fs/cgroup{path}".rstrip("/"))

    def _directories(self, name: str) -> Dict[str, str]:
        return self._places(self.state["active"][name]["cgroup"])

    def _realize(self, started: str = "") -> None:
        """Cgroups as the units that run want them. A controller is there for what wants it, what holds that, and their siblings.

        started: the cgroup of a slice, for only what is in it and beside it and the slices that hold it.
        """
        active: Dict[str, Dict[str, Any]] = self.state["active"]
        values = {name: self._values(name) for name in active}
        wants = {
            controller: {active[name]["cgroup"] for name in active if not settings or any(setting in values[name] for setting in settings)}
            for controller, settings in _CONTROLLERS.items()
        }
        for name, entry in sorted(active.items()):
            path = entry["cgroup"]
            if not f"{started or path}/".startswith(posixpath.dirname(path).rstrip("/") + "/"):
                continue
            for controller, directory in self._places(path).items():
                beside = posixpath.dirname(path).rstrip("/") + "/"
                has = path != "/" and any(other.startswith(beside) and other != "/" for other in wants[controller])
                files = _limits(controller, values[name], self.v1, name) if has else {}
                self._write_cgroup(directory, controller, files, entry["pid"])
        if self.v1:
            for entry in active.values():
                self._write_cgroup(f"/sys/fs/cgroup/systemd{entry['cgroup']}".rstrip("/"), "systemd", {}, entry["pid"])

    def _write_cgroup(self, directory: str, controller: str, files: Dict[str, str], pid: int) -> None:
        if self.v1 and controller in ("cpu", "io") and not files and directory.count("/") > 4:  # systemd removes it then, and the process is in its slice's
            _remove(Path(self.root + directory))
            return
        kept = ("current", "usage_in_bytes", "stat")
        there = [name for name in self._names(directory) if name.startswith(f"{controller}.") and not name.endswith(kept)]
        for name in there if not self.v1 else []:
            if name not in files:
                os.remove(f"{self.root}{directory}/{name}")
        self.write(f"{directory}/cgroup.procs", f"{pid}\n" if pid else "")
        for name, content in files.items():
            self.write(f"{directory}/{name}", f"{content}\n")

    # systemctl show

    def _show(self, names: List[str], wanted: List[str]) -> Tuple[int, str, str]:
        if not names:
            environment = " ".join(_word(f"{key}={value}") for key, value in self.environment.items())
            told = {"Version": f"{self.version}.39-1~deb12u2", "DefaultTasksMax": str(TASKS * 15 // 100), "Environment": environment}
            return 0, "".join(f"{name}={told[name]}\n" for name in wanted), ""
        blocks: List[str] = []
        for name in names:
            if name.partition(".")[0].endswith("@") and "*" not in name:
                said = f"Failed to get properties: Unit name {name} is neither a valid invocation ID nor unit name.\n"
                return 1, "\n".join(blocks), said
            matches = sorted(each for each in self.state["active"] if fnmatch.fnmatchcase(each, name)) if "*" in name else [name]
            blocks += ["".join(f"{key}={value}\n" for key, value in self._properties(each) if key in wanted) for each in matches]
        return 0, "\n".join(blocks), ""

    def _properties(self, name: str) -> List[Tuple[str, str]]:
        kind, loaded = name.rpartition(".")[2], self._load_state(name) == "loaded"
        files = self._known(name) if self._load_state(name) in ("loaded", "error") else []
        entry = self.state["active"].get(name, {})
        values = self._values(name) if files else {}
        shown = [("MainPID", str(entry.get("pid", 0)))] if kind == "service" else []
        shown += [(key, value) for key, value in _shown(values, name) if loaded or key != "ExecStart"]
        placed = _parent(name) if kind == "slice" else _placed(values, name) if loaded else ""
        shown += [("Slice", placed), ("ControlGroup", entry.get("cgroup", "")), ("Id", name), ("LoadState", self._load_state(name))]
        own = [path for path, _text, _time in self._known(name)[:1] if not path.endswith(".conf")]
        dropins = [path for path, _text, _time in files if path.endswith(".conf")]
        return [
            *shown,
            ("ActiveState", "active" if entry else "inactive"),
            ("FragmentPath", own[0] if own else ""),
            ("DropInPaths", " ".join(map(_word, dropins))),
            ("NeedDaemonReload", "yes" if self._load_state(name) == "error" or self._stale(name) else "no"),
            ("Transient", "yes" if own and own[0].startswith("/run/systemd/transient/") else "no"),
        ]


def _remove(directory: Path) -> None:
    if directory.is_dir():
        for each in directory.iterdir():
            if each.is_file():
                each.unlink()
        if not list(directory.iterdir()):
            directory.rmdir()


def _section(name: str) -> str:
    return _SECTIONS[name.rpartition(".")[2]]


def _template(name: str) -> str:
    stem, sign, _instance = name.rpartition(".")[0].partition("@")
    return f"{stem}@.{name.rpartition('.')[2]}" if sign else ""


def _placed(values: Values, name: str) -> str:
    """The slice of a service or scope; an instance that says none is in a slice of its template."""
    template, sign, rest = name.partition("@")
    said = values.get("Slice", ["system-" + template.replace("-", "\\x2d") + ".slice" if sign else "system.slice"])[0]
    return said.replace("%i", rest.rpartition(".")[0]).replace("%p", template)


def _parent(name: str) -> str:
    """The slice that holds a slice."""
    stem = name[: -len(".slice")].rpartition("-")[0]
    return f"{stem}.slice" if stem and name != "-.slice" else "" if name == "-.slice" else "-.slice"


def _directories(name: str) -> List[str]:
    """Where drop-ins of a unit may be, those first that win over the same basename: place before name, but for the directory of its type."""
    stem, _point, kind = name.rpartition(".")
    names = [name, *([_template(name)] if _template(name) else [])]
    prefix = stem.partition("@")[0].rstrip("-")
    while "-" in prefix:
        prefix = prefix.rpartition("-")[0]
        names.append(f"{prefix}-.{kind}")
    if stem.endswith("-") and name != "-.slice" and name not in names:
        names.append(name)
    return [f"{place}/{each}.d" for place in PLACES for each in names] + [f"{place}/{kind}.d" for place in PLACES]


def _settings(text: str, section: str) -> Iterator[Tuple[str, str]]:
    """The settings of one section, continued lines put together."""
    here = ""
    for line in re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*[#;].*\n", "", text + "\n")).splitlines():
        if line.startswith("["):
            here = line.strip().strip("[]")
        elif "=" in line and here == section:
            name, _sign, value = line.partition("=")
            yield name.strip(), value.strip()


def _valid(setting: str, value: str) -> bool:
    """Whether systemd takes a value; what it does not take it ignores, with a line in its journal."""
    try:
        if setting in _SIZES:
            return (_number(value) or 0) >= 0
        if setting == "TasksMax":
            return (_number(value, total=TASKS) or 1) > 0
        if setting == "CPUQuota":
            return value.endswith("%") and float(value[:-1]) > 0
        if setting == "CPUQuotaPeriodSec":
            return _microseconds(value) > 0
        if setting in ("CPUWeight", "IOWeight"):
            return (setting, value) == ("CPUWeight", "idle") or 1 <= int(value) <= 10000
        if setting in ("AllowedCPUs", "CPUAffinity"):
            return bool(_cpus(value))
        if setting in _DEVICES:
            device, _sign, amount = value.rpartition(" ")
            return device.startswith("/") and (_number(amount, 1000) or 0) > 0
        if setting == "ManagedOOMMemoryPressureLimit":
            return value.endswith("%") and 0 <= float(value[:-1]) <= 100
        if setting == "OOMScoreAdjust":
            return -1000 <= int(value) <= 1000
        if setting == "LimitNOFILE":
            return all(int(part) >= 0 for part in value.split(":"))
        if setting == "ExecStart":
            return value.startswith("/")
    except ValueError:
        return False
    words = {
        "ManagedOOMSwap": "auto kill",
        "ManagedOOMMemoryPressure": "auto kill",
        "ManagedOOMPreference": "none avoid omit",
        "OOMPolicy": "continue stop kill",
        "Delegate": "yes no " + " ".join(_CONTROLLERS),
    }
    if setting in words:
        return set(value.split()) <= set(words[setting].split())
    return setting != "Slice" or re.match(r"([a-z0-9@:_.%\\]+(-[a-z0-9@:_.%\\]+)*|-)\.slice\Z", value) is not None


def _number(text: str, base: int = 1024, total: int = MEMORY) -> Optional[int]:
    if text == "infinity":
        return None
    if text.endswith("%"):
        return total * round(float(text[:-1]) * 100) // 10000
    power = "KMGT".find(text[-1]) + 1
    return int(float(text[:-1] if power else text) * base**power)


def _microseconds(text: str) -> int:
    for suffix, factor in (("us", 1), ("ms", 1000), ("s", 1000000)):
        if text.endswith(suffix):
            return round(float(text[: -len(suffix)]) * factor)
    return round(float(text) * 1000000)


def _span(microseconds: int) -> str:
    """A time as systemd prints it."""
    for unit, size, digits in (("s", 1000000, 6), ("ms", 1000, 3), ("us", 1, 0)):
        if microseconds >= size:
            whole, rest = divmod(microseconds, size)
            return f"{whole}.{rest:0{digits}d}{unit}" if rest else f"{whole}{unit}"
    return "0"


def _cpus(text: str) -> List[int]:
    ranges = [part.partition("-") for part in text.replace(",", " ").split()]
    return sorted({cpu for first, _sign, last in ranges for cpu in range(int(first), int(last or first) + 1)})


def _ranges(cpus: List[int], between: str) -> str:
    starts = [cpu for cpu in cpus if cpu - 1 not in cpus]
    ends = [cpu for cpu in cpus if cpu + 1 not in cpus]
    return between.join(f"{start}-{end}" if end > start else str(start) for start, end in zip(starts, ends))


def _last(values: Values, name: str, default: str = "") -> str:
    return values.get(name, [default])[-1]


def _nofile(values: Values) -> Tuple[int, int]:
    soft, sign, hard = _last(values, "LimitNOFILE", "1024:524288").partition(":")
    return int(soft), int(hard if sign else soft)


def _tasks(values: Values, kind: str) -> Optional[int]:
    return _number(_last(values, "TasksMax", "infinity" if kind == "slice" else "15%"), total=TASKS)


def _words(text: str, unit: str) -> List[str]:
    """The words of a setting, without quotes, escapes and specifiers; those before the first that is wrong."""
    found: List[str] = []
    known = {"i": unit.partition("@")[2].rpartition(".")[0], "n": unit, "%": "%"}
    while text.strip():
        word = re.match(r"""\s*((?:\\.|"(?:\\.|[^\\"])*"|'(?:\\.|[^\\'])*'|[^\s"'\\])+)(\s|$)""", text)
        if word is None:
            break
        plain = re.sub(r"""(\\.)|"((?:\\.|[^\\"])*)"|'((?:\\.|[^\\'])*)'""", lambda part: part.group(part.lastindex or 0), word.group(1))
        plain = codecs.decode(plain.replace(r"\s", " "), "unicode_escape")
        found.append(re.sub("%(.)", lambda each: known[each.group(1)], plain))
        text = text[word.end() :]
    return found


def _shown(values: Values, unit: str) -> Iterator[Tuple[str, str]]:
    """What `systemctl show` says of settings."""
    shown, kind = dict(_DEFAULTS), unit.rpartition(".")[2]
    for name in _SIZES:
        if name in values:
            number = _number(_last(values, name))
            shown[name] = "infinity" if number is None else str(number)
    if "CPUQuota" in values:
        shown["CPUQuotaPerSecUSec"] = _span(round(float(_last(values, "CPUQuota")[:-1]) * 10000))
    if "CPUQuotaPeriodSec" in values:
        shown["CPUQuotaPeriodUSec"] = _span(_microseconds(_last(values, "CPUQuotaPeriodSec")))
    if "ManagedOOMMemoryPressureLimit" in values:
        shown["ManagedOOMMemoryPressureLimit"] = str(round(float(_last(values, "ManagedOOMMemoryPressureLimit")[:-1]) * 100) * 0xFFFFFFFF // 10000)
    for name in ("CPUWeight", "IOWeight", "ManagedOOMSwap", "ManagedOOMMemoryPressure", "ManagedOOMPreference"):
        shown[name] = _last(values, name, shown[name])
    shown["AllowedCPUs"] = _ranges(_cpus(_last(values, "AllowedCPUs")), " ")
    tasks = _tasks(values, kind)
    shown["TasksMax"] = "infinity" if tasks is None else str(tasks)
    yield from shown.items()
    for name in _DEVICES:
        for value in values.get(name, []):
            device, _sign, amount = value.rpartition(" ")
            yield name, f"{device} {_number(amount, 1000)}"
    if kind == "slice":
        return
    yield "OOMPolicy", _last(values, "OOMPolicy", "stop" if kind == "service" else "")
    controllers = _last(values, "Delegate", "no")
    yield "Delegate", "no" if controllers == "no" else "yes"
    yield "DelegateControllers", "" if controllers == "no" else " ".join(sorted(_CONTROLLERS)) if controllers == "yes" else controllers
    if kind == "service":
        for name in ("Environment", "PassEnvironment", "UnsetEnvironment"):
            yield name, " ".join(_word(word) for value in values.get(name, []) for word in _words(value, unit))
        for value in values.get("EnvironmentFile", []):
            yield "EnvironmentFiles", f"{value.lstrip('-')} (ignore_errors={'yes' if value.startswith('-') else 'no'})"
        soft, hard = _nofile(values)
        yield "LimitNOFILE", str(hard)
        yield "LimitNOFILESoft", str(soft)
        yield "OOMScoreAdjust", _last(values, "OOMScoreAdjust", "0")
        yield "CPUAffinity", _ranges(_cpus(_last(values, "CPUAffinity")), " ")
        for value in values.get("ExecStart", []):
            path = value.split()[0]
            times = "start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0"
            yield "ExecStart", f"{{ path={path} ; argv[]={value} ; ignore_errors=no ; {times} }}"


def _word(text: str) -> str:
    """One of several words as `systemctl show` prints them."""
    return text if re.match(r"[\w=.:/@%+,-]+\Z", text) else '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def _limits(controller: str, values: Values, v1: bool, name: str) -> Dict[str, str]:
    """What a cgroup's files of one controller hold for these settings."""
    quota = round(float(_last(values, "CPUQuota")[:-1]) * 10000) if "CPUQuota" in values else None
    period = _microseconds(_last(values, "CPUQuotaPeriodSec", "100ms"))
    slot = None if quota is None else quota * period // 1000000
    weight = _last(values, "CPUWeight", "100")
    tasks = _tasks(values, name.rpartition(".")[2])
    pids = {"pids.max": "max" if tasks is None else str(tasks)}
    sizes = {each: _number(_last(values, each, _DEFAULTS[each])) for each in _SIZES}
    pages = {each: None if size is None else size // PAGE * PAGE for each, size in sizes.items()}
    most = pages["MemoryMax"]
    if v1:
        shares = 2 if weight == "idle" else max(int(weight) * 1024 // 100, 2)
        return {
            "cpu": {"cpu.cfs_quota_us": "-1" if slot is None else str(slot), "cpu.cfs_period_us": str(period), "cpu.shares": str(shares)},
            "memory": {"memory.limit_in_bytes": str(9223372036854771712 if most is None else most)},
            "pids": pids,
            "io": {"blkio.weight": str(int(_last(values, "IOWeight", "100")) * 500 // 100)},
        }[controller]
    files = ("memory.min", "memory.low", "memory.high", "memory.max", "memory.swap.max")
    keys = ("rbps", "wbps", "riops", "wiops")
    limits: Dict[str, Dict[str, int]] = {}
    for setting, key in zip(_DEVICES, keys):
        for value in values.get(setting, []):
            device, _sign, amount = value.rpartition(" ")
            limits.setdefault(device, {})[key] = _number(amount, 1000) or 0
    lines = ["254:0 " + " ".join(f"{key}={each.get(key, 'max')}" for key in keys) for each in limits.values()]
    return {
        "cpu": {
            "cpu.max": f"{'max' if slot is None else slot} {period}",
            "cpu.weight": "100" if weight == "idle" else weight,
            "cpu.idle": "1" if weight == "idle" else "0",
        },
        "cpuset": {"cpuset.cpus": _ranges(_cpus(_last(values, "AllowedCPUs")), ",")},
        "memory": {file: "max" if pages[each] is None else str(pages[each]) for file, each in zip(files, _SIZES)},
        "pids": pids,
        "io": {"io.weight": f"default {_last(values, 'IOWeight', '100')}", "io.max": "\n".join(lines)},
    }[controller]
