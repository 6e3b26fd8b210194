# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of /proc and of cgroups, text → records. Pure.

Formats: cgroups(7), proc_pid_mountinfo(5), and of the kernel's source Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/ and
Documentation/accounting/psi.rst.
"""

import re
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

from .hierarchy import below
from .model import Membership, Mount, Pressure, Throttling

GO_VARIABLES = ("GOMAXPROCS", "GOMEMLIMIT", "GODEBUG", "GOGC")
_NUMBER = re.compile(r"-?\d{1,20}\Z", re.ASCII)
_OCTAL = re.compile(r"\\([0-3][0-7]{2})")
_RANGE = re.compile(r"(\d{1,7})(?:-(\d{1,7})(?::(\d{1,7})/(\d{1,7}))?)?\Z", re.ASCII)
_PRESSURE = re.compile(r"(some|full) avg10=([\d.]+) avg60=([\d.]+) avg300=([\d.]+) total=(\d+)\Z", re.ASCII)
_MOST_CPUS = 1 << 16
_UNLIMITED_V1 = 1 << 62  # the kernel's PAGE_COUNTER_MAX in bytes: 2^63 rounded down to a page
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(y|month|w|d|h|min|s|ms|us)\Z", re.ASCII)
_SECONDS = {"y": 31557600.0, "month": 2629800.0, "w": 604800.0, "d": 86400.0, "h": 3600.0, "min": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6}


def memberships(text: str) -> Tuple[Membership, ...]:
    """/proc/PID/cgroup. Lines of other forms are left out."""
    found = []
    for line in text.splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3 and _NUMBER.match(parts[0]) and parts[2].startswith("/"):
            found.append(Membership(int(parts[0]), tuple(part for part in parts[1].split(",") if part), parts[2], line))
    return tuple(found)


def mounts(text: str) -> Tuple[Mount, ...]:
    """The mounts of cgroups in /proc/PID/mountinfo, in its order; what is mounted later on the same place hides what was.

    And those whose root is no path, as of a network namespace that has a name: what comes behind them Go 1.26 does not read.
    """
    return tuple(
        Mount(_unescaped(fields[3]), _unescaped(fields[4]), rest[0], tuple(rest[2].split(",")), line)
        for line, fields, rest in _mount_lines(text)
        if len(rest) == 3 and (rest[0] in ("cgroup", "cgroup2")) == fields[3].startswith("/")
    )


def device_of(mountinfo: str, path: str) -> str:
    """Major and minor number of the device of a path's file system, as in "254:1" (proc_pid_mountinfo(5)); "" of btrfs, which has devices of its own."""
    best, found = -1, ""
    for _line, fields, rest in _mount_lines(mountinfo):
        point = _unescaped(fields[4])
        if point and below(path, point) is not None and len(point) >= best:  # what is mounted later in one place hides what was
            best, found = len(point), "" if rest[0] == "btrfs" else fields[2]
    return found


def _mount_lines(text: str) -> Iterator[Tuple[str, List[str], List[str]]]:
    """Lines of mountinfo, each with its fields before the lone dash and the three behind it: file system, source, options."""
    for line in text.splitlines():
        before, _sign, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) >= 6:
            yield line, fields, after.split(" ", 2)


def _unescaped(path: str) -> str:
    """A path as it stands in mountinfo, where spaces and backslashes are octal."""
    return _OCTAL.sub(lambda found: chr(int(found.group(1), 8)), path)


def cpu_max(text: str) -> Optional[float]:
    """The CPUs that cpu.max allows: "150000 100000" is 1.5; None for "max 100000", which is no limit."""
    words = text.split()
    return cfs(*words) if len(words) == 2 else None


def cfs(quota: str, period: str) -> Optional[float]:
    """The CPUs that cpu.cfs_quota_us and cpu.cfs_period_us allow, both in microseconds; None where the quota is negative, which is no limit."""
    time, span = limit(quota), limit(period)
    return time / span if time is not None and span else None


def limit(text: str) -> Optional[int]:
    """A file of one number, "max" or v1's largest: None is no limit."""
    number = text.strip()
    if not _NUMBER.match(number) or int(number) < 0 or int(number) > _UNLIMITED_V1:
        return None
    return int(number)


def keyed(text: str) -> Dict[str, int]:
    """Lines of a name and a number, as in cpu.stat, memory.events and memory.oom_control."""
    pairs = (line.split() for line in text.splitlines())
    return {words[0]: int(words[1]) for words in pairs if len(words) == 2 and _NUMBER.match(words[1])}


def throttling(stat: Mapping[str, int]) -> Throttling:
    """From cpu.stat, whose v1 counts nanoseconds."""
    stopped = stat.get("throttled_usec", stat.get("throttled_time", 0) // 1000)
    return Throttling(stat.get("nr_periods", 0), stat.get("nr_throttled", 0), stopped)


def pressure(text: str) -> Optional[Pressure]:
    """A PSI file, of a cgroup or of the machine."""
    lines = [found for found in map(_PRESSURE.match, text.splitlines()) if found]
    rows = {found.group(1): (float(found.group(2)), float(found.group(3)), float(found.group(4)), int(found.group(5))) for found in lines}
    return Pressure(rows["some"], rows.get("full")) if "some" in rows else None


def cpu_list(text: str) -> Tuple[int, ...]:
    """A list of CPUs, "0-3,8" or "0-30:1/2" (Documentation/admin-guide/kernel-parameters.rst, "CPU lists"); what is no list is empty."""
    found: List[int] = []
    for part in text.strip().split(","):
        match = _RANGE.match(part)
        if match is None:
            return ()
        first, last, used, group = (int(each) if each else 0 for each in match.groups())
        if match.group(2) is None:
            last = first
        if last < first or last >= _MOST_CPUS or (match.group(3) and not 0 < used <= group):
            return ()
        found += [cpu for cpu in range(first, last + 1) if not group or (cpu - first) % group < used]
    return tuple(sorted(set(found)))


def cpu_text(cpus: Iterable[int]) -> str:
    """CPUs as the kernel writes them: "0-3,8"."""
    parts: List[List[int]] = []
    for cpu in sorted(cpus):
        if parts and parts[-1][1] == cpu - 1:
            parts[-1][1] = cpu
        else:
            parts.append([cpu, cpu])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def status(text: str) -> Dict[str, str]:
    """/proc/PID/status: name → value."""
    pairs = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, sign, value in pairs if sign}


def kibibytes(value: str) -> Optional[int]:
    """ "1234 kB" of /proc/PID/status as bytes."""
    words = value.split()
    return int(words[0]) * 1024 if len(words) == 2 and words[1] == "kB" and _NUMBER.match(words[0]) else None


def go_variables(environ: bytes) -> Dict[str, str]:
    """The variables of the Go runtime in /proc/PID/environ, and nothing else of it: there are secrets. Of two of a name the runtime takes the first.

    golang/go:src/runtime/env_posix.go (gogetenv).
    """
    found: Dict[str, str] = {}
    for entry in environ.split(b"\0"):
        name, sign, value = entry.partition(b"=")
        text = name.decode("ascii", "replace")
        if sign and text in GO_VARIABLES:
            found.setdefault(text, value.decode("utf-8", "replace"))
    return found


def properties(text: str) -> List[Dict[str, str]]:
    """What `systemctl show` prints for each unit, which empty lines part."""
    return [found for found in (_block(block.splitlines()) for block in text.strip("\n").split("\n\n")) if found]


def _block(lines: Iterable[str]) -> Dict[str, str]:
    found: Dict[str, str] = {}
    for line in lines:
        name, sign, value = line.partition("=")
        if sign:  # some, as EnvironmentFiles, have a line for each value
            found[name] = f"{found[name]}\n{value}" if name in found else value
    return found


def exec_path(value: str) -> str:
    """The program in ExecStart= as `systemctl show` prints it, which may be a bare name; of several the last, which stays with Type=oneshot, too."""
    found = re.findall(r"\{ path=([^;]*?) ; argv\[\]=", value)
    return found[-1] if found else ""


def time_span(text: str) -> Optional[float]:
    """Seconds of what `systemctl show` prints as "1min 30s" or "1.5s"; None of "infinity" and of what is none (systemd.time(7))."""
    parts = [_SPAN.match(word) for word in text.split()]
    if not parts or None in parts:
        return None
    return sum(float(part.group(1)) * _SECONDS[part.group(2)] for part in parts if part)


def process_time(text: str, tick: int) -> Optional[int]:
    """Microseconds of CPU time in /proc/PID/stat: fields 14 and 15, in ticks of so many microseconds. The name before them may hold anything."""
    fields = text.rpartition(")")[2].split()
    if len(fields) < 13 or not (fields[11].isdigit() and fields[12].isdigit()):
        return None
    return (int(fields[11]) + int(fields[12])) * tick


def printable(value: Any) -> Any:
    """The same with texts that can be printed and sent as JSON: bytes that are no UTF-8 become question marks."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {printable(key): printable(each) for key, each in value.items()}
    return [printable(each) for each in value] if isinstance(value, (list, tuple)) else value
