# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The logs of a host, and the systemd units that its programs belong to."""

import collections
import fnmatch
import posixpath
import re
from typing import Deque, Iterable, Iterator, List, NamedTuple, Optional, Set, Tuple

from ...errors import GoHostError
from ...host import Host
from ...toolchain.parse import names_path, unit_commands
from .model import FILE_CLASSES, Denial, Group, Record
from .parse import denials, journal_record, kernel_record, record
from .security_server import SecurityServer

# Where programs are that no package brought. What a package brought as /usr/bin/x is asked for by commands or domains.
GO_PLACES = ("/opt", "/srv", "/usr/local", "/home", "/root", "/var/lib")
_SEARCHED = (*GO_PLACES, "/etc", "/var/log", "/var/cache", "/var/www", "/run")
_SEARCH_LIMIT = 300000  # entries; about a second
_MOST_LINES = 100000
_LONGEST_LINE = 1 << 16
_AUDIT_LOG = "/var/log/audit/audit.log"
_UNIT_DIRECTORIES = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
_KEY = re.compile(rb"(?:node=\S+ )?type=(\S+) msg=audit\(((\d{1,12})\.\d+:\d+)\):")
_KERNEL = re.compile(rb"\btype=(1107|1109|1326|1400|1401) audit\(")
_WANTED = re.compile(rb"(AVC|USER_AVC|SELINUX_ERR|USER_SELINUX_ERR|SECCOMP|(UNKNOWN\[)?(1107|1109|1326|1400|1401)\]?)\Z")


class Wish(NamedTuple):
    """since: seconds since the epoch. paths: of programs or of what they asked for; domains, commands: with wildcards; go: see GO_PLACES."""

    since: float
    paths: Tuple[str, ...] = ()
    domains: Tuple[str, ...] = ()
    commands: Tuple[str, ...] = ()
    go: bool = True

    def holds(self, denial: Denial) -> bool:
        """Whether a denial fits each kind of filter that is given. Where none is, by the places of Go programs, or no program is known."""
        places = self.paths
        if not (self.paths or self.domains or self.commands) and self.go:
            if not denial.executable:
                return True
            places = GO_PLACES
        names = (denial.command, posixpath.basename(denial.executable))
        return (
            (not places or any(_below(path, place) for path in (denial.executable, denial.path) for place in places))
            and (not self.domains or any(fnmatch.fnmatchcase(denial.domain, each) for each in self.domains))
            and (not self.commands or any(fnmatch.fnmatchcase(name, each) for name in names for each in self.commands))
        )


def _below(path: str, place: str) -> bool:
    return path == place or path.startswith(place.rstrip("/") + "/")


def read(host: Host, source: str, log: Optional[str], since: float) -> Tuple[List[Denial], List[str]]:
    """Denials since then, and which logs were read. source: auto, audit, journal or kernel; log: a file to read instead of all of them.

    auto takes the audit log and the journal, which has what happened before auditd ran; the kernel's buffer where there is no journal.
    """
    found: List[Record] = []
    read_from: List[str] = []
    if log:
        found, read_from = list(_lines_of(host, log, since)), [log]
    elif source in ("auto", "audit"):
        for path in _audit_logs(host):
            part = list(_lines_of(host, path, since))
            found = part + found
            read_from.append(path)
            if _starts_before(host, path, since):
                break
    if not log and source in ("auto", "journal"):
        fields = "--output-fields=MESSAGE,_TRANSPORT,_AUDIT_TYPE,_AUDIT_ID,_SOURCE_REALTIME_TIMESTAMP"
        transports = ["_TRANSPORT=audit", "+", "_TRANSPORT=kernel"]
        answer = host.run(["journalctl", "--quiet", "--no-pager", "--output=json", fields, f"--since=@{int(since)}", f"--lines={_MOST_LINES}", *transports])
        if answer.rc == 0:
            found += [each for each in map(journal_record, answer.stdout.split("\n")) if each is not None]
            read_from.append("journal")
    if not log and (source == "kernel" or (source == "auto" and "journal" not in read_from)):
        answer = host.run(["dmesg"])
        if answer.rc == 0:
            found += [each for each in map(kernel_record, answer.stdout.split("\n")) if each is not None]
            read_from.append("kernel")
    if not read_from:
        raise GoHostError("no log could be read", source, "Use become, start auditd or systemd-journald, or name a file by log.")
    return [each for each in denials(found) if each.time >= since], read_from


def _audit_logs(host: Host) -> List[str]:
    """The audit log and what was rotated away, the newest first."""
    path, settings = _AUDIT_LOG, "/etc/audit/auditd.conf"
    if host.stat(settings) is not None:
        lines = (line.partition("=") for line in host.read(settings).decode("utf-8", "replace").splitlines())
        path = next((value.strip() for key, _sign, value in lines if key.strip() == "log_file"), path)
    directory, name = posixpath.split(path)
    old = [each for each in host.listing(directory) if each.startswith(f"{name}.") and each[len(name) + 1 :].isdigit()]
    rotated = sorted(old, key=lambda each: int(each[len(name) + 1 :]))
    return [f"{directory}/{each}" for each in ([name] if host.stat(path) is not None else []) + rotated]


def _raw(host: Host, path: str) -> Iterator[bytes]:
    begins = True
    with host.open(path) as source:
        for part in iter(lambda: source.readline(_LONGEST_LINE), b""):
            if begins:
                yield part
            begins = part.endswith(b"\n")


def _starts_before(host: Host, path: str, since: float) -> bool:
    """Whether a log begins before a time, so that older ones have nothing for us."""
    with host.open(path) as source:
        match = _KEY.match(source.readline(_LONGEST_LINE))
    return match is not None and int(match.group(3)) < since


def _lines_of(host: Host, path: str, since: float) -> Iterator[Record]:
    """The last lines about denials, and those of the same events. The kernel logs a refusal before the call that met it."""
    kept: Deque[bytes] = collections.deque(maxlen=_MOST_LINES)
    events: Set[bytes] = set()
    for line in _raw(host, path):
        match = _KEY.match(line)
        if match is None:
            if _KERNEL.search(line):
                kept.append(line)
            continue
        if int(match.group(3)) < int(since):
            continue
        kind, event = match.group(1), match.group(2)
        if _WANTED.match(kind) or (kind == b"SYSCALL" and b" exit=-13 " in line):
            events.add(event)
        if event in events:
            kept.append(line)
    for line in kept:
        text = line.decode("utf-8", "surrogateescape")
        found = record(text) or kernel_record(text)
        if found is not None:
            yield found


def with_paths(groups: Iterable[Group], server: SecurityServer, places: Iterable[str]) -> List[Group]:
    """With paths of the files of which the log has only name and inode, as far as they still exist and are found in the usual places."""
    known = list(groups)
    missing = {_file(group.denial) for group in known if _nameless(group.denial)}
    found = server.find(missing, [*places, *_SEARCHED], _SEARCH_LIMIT) if missing else {}
    return [group._replace(denial=group.denial._replace(path=found.get(_file(group.denial), ""))) if _nameless(group.denial) else group for group in known]


def _nameless(denial: Denial) -> bool:
    return bool(denial.tclass in FILE_CLASSES and denial.inode and not denial.path)


def _file(denial: Denial) -> Tuple[str, int]:
    return denial.name, denial.inode


class Units:
    """Which systemd units start a program."""

    def __init__(self, host: Host) -> None:
        self._commands = [(unit, value) for unit, text in _units(host) for directive, value in unit_commands(text) if directive.startswith("Exec")]

    def of(self, denial: Denial) -> List[str]:
        """Their names: none where none names the program, and several where several do."""
        starting = denial.command[1:-1] if denial.command.startswith("(") and denial.command.endswith(")") else ""
        program = denial.path if starting and denial.path else denial.executable
        if starting and posixpath.basename(program) in ("systemd", ""):
            # Before it becomes the program, the process has the last letters of the program's name in parentheses: systemd's rename_process_from_path.
            return sorted({unit for unit, value in self._commands if posixpath.basename(_program(value)).endswith(starting)})
        return sorted({unit for unit, value in self._commands if names_path(value, program)}) if program.startswith("/") else []


def _program(command: str) -> str:
    return command.lstrip("@-:+!| ").partition(" ")[0]


def _units(host: Host) -> Iterator[Tuple[str, str]]:
    for directory in _UNIT_DIRECTORIES:
        for name in host.listing(directory):
            files = [f"{directory}/{name}"] if name.endswith(".service") else []
            if name.endswith(".service.d"):
                files = [f"{directory}/{name}/{each}" for each in host.listing(f"{directory}/{name}") if each.endswith(".conf")]
            for path in files:
                seen = host.stat(path)
                if seen is not None and seen.kind == "file":
                    yield name[: -len(".d")] if name.endswith(".d") else name, host.read(path).decode("utf-8", "replace")
