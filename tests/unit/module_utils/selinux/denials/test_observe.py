# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which lines of which logs count, and to which unit a program belongs."""

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.host import CommandResult
from ansible_collections.gohost.linux.plugins.module_utils.selinux.denials import observe
from ansible_collections.gohost.linux.plugins.module_utils.selinux.denials.model import Denial, Group
from ansible_collections.gohost.linux.plugins.module_utils.selinux.denials.observe import Units, Wish, read, with_paths
from tests.fakes.rooted_host import Rooted
from tests.fakes.security_server import FakeSecurityServer


class Machine(Rooted):
    """Its programs answer by their first word."""

    def __init__(self, root: Path, **programs: str) -> None:
        super().__init__(root)
        self.programs = programs

    def lines(self, path: str, *lines: str) -> None:
        self.write(path, "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))

    def run(self, argv: List[str]) -> CommandResult:
        self.asked.append(argv)
        found = self.programs.get(argv[0])
        return CommandResult(tuple(argv), 127 if found is None else 0, found or "", "")


LOG = "/var/log/audit/audit.log"
BODY = 'avc:  denied  {{ name_bind }} for  pid=7 comm="goapp" src={port} scontext=a:b:goapp_t:s0 tcontext=a:b:x_port_t:s0 tclass=tcp_socket permissive=0'


def avc(at: int, port: int) -> str:
    return f"type=AVC msg=audit({at}.000:{at}): {BODY.format(port=port)}"


def ports(denials: List[Denial]) -> List[int]:
    return [denial.port for denial in denials]


def test_rotated_logs_as_far_back_as_needed(tmp_path: Path) -> None:
    host = Machine(tmp_path)
    host.lines(LOG, "type=DAEMON_ROTATE msg=audit(400.000:1): op=rotate", avc(401, 1))
    for number, at in ((1, 300), (2, 200), (10, 100)):
        host.lines(f"{LOG}.{number}", avc(at, number * 10), avc(at + 1, number * 10 + 1))
    host.lines(f"{LOG}.bak", avc(402, 99))
    found, sources = read(host, "audit", None, 201)
    assert (ports(found), sources) == ([21, 10, 11, 1], [LOG, f"{LOG}.1", f"{LOG}.2"])
    assert ports(read(host, "audit", None, 0)[0]) == [100, 101, 20, 21, 10, 11, 1]
    assert ports(read(host, "audit", None, 401)[0]) == [1]


def test_auditd_says_where_its_log_is(tmp_path: Path) -> None:
    host = Machine(tmp_path)
    host.lines("/etc/audit/auditd.conf", "#log_file = /x", "local_events = yes", "log_file = /srv/audit/host.log")
    host.lines("/srv/audit/host.log", avc(5, 7))
    assert read(host, "audit", None, 0) == (read(host, "audit", "/srv/audit/host.log", 0)[0], ["/srv/audit/host.log"])


def test_lines_of_other_events_are_dropped_at_once(tmp_path: Path) -> None:
    host = Machine(tmp_path)
    call = 'type=SYSCALL msg=audit(5.000:{}): arch=c000003e syscall=49 success=no exit={} exe="/opt/goapp" subj=a:b:goapp_t:s0 key=(null)'
    host.lines(LOG, call.format(4, -2), avc(5, 7), call.format(5, -13), call.format(6, -13), call.format(7, 3), "\udcff\udcfe", "type=AVC msg=audit(x)")
    found, _sources = read(host, "audit", None, 0)
    assert [(denial.kind, denial.executable) for denial in found] == [("avc", "/opt/goapp"), ("hidden", "/opt/goapp")]


def test_only_the_last_lines_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Machine(tmp_path)
    monkeypatch.setattr(observe, "_MOST_LINES", 3)
    host.lines(LOG, *(avc(number, number) for number in range(1, 10)))
    assert ports(read(host, "audit", None, 0)[0]) == [7, 8, 9]


def test_a_line_without_end(tmp_path: Path) -> None:
    host = Machine(tmp_path)
    host.lines(LOG, "x" * (1 << 18) + avc(1, 1), avc(2, 2))
    assert ports(read(host, "audit", None, 0)[0]) == [2]


def entry(at: int, port: int) -> str:
    stamp = f"{at}000000"
    return json.dumps(
        dict(_TRANSPORT="audit", _AUDIT_TYPE="1400", _AUDIT_ID=str(at), _SOURCE_REALTIME_TIMESTAMP=stamp, MESSAGE="AVC " + BODY.format(port=port))
    )


def test_the_journal_adds_what_auditd_missed(tmp_path: Path) -> None:
    journal = "\n".join([entry(10, 1), entry(11, 2), json.dumps(dict(_TRANSPORT="kernel", MESSAGE="usb 1-1: new device"))])
    host = Machine(tmp_path, journalctl=journal, dmesg="not asked")
    host.lines(LOG, avc(11, 2), avc(12, 3))
    found, sources = read(host, "auto", None, 10.5)
    assert (sorted(ports(found)), sources) == ([2, 3], [LOG, "journal"])
    assert [argv[0] for argv in host.asked] == ["journalctl"] and "--since=@10" in host.asked[0]
    assert sorted(ports(read(host, "auto", None, 0)[0])) == [1, 2, 3]
    assert read(host, "journal", None, 0)[1] == ["journal"]


def test_the_kernels_buffer_where_there_is_no_journal(tmp_path: Path) -> None:
    host = Machine(tmp_path, dmesg=f"[    1.000000] Linux version\n[   12.345678] audit: type=1400 audit(50.000:3): {BODY.format(port=8081)}\n")
    found, sources = read(host, "auto", None, 0)
    assert (ports(found), sources) == ([8081], ["kernel"])
    assert ports(read(host, "kernel", None, 51)[0]) == []


def test_a_file_of_the_kernels_log(tmp_path: Path) -> None:
    host = Machine(tmp_path)
    host.lines(
        "/root/kern.log", f"Nov 21 15:00:00 web1 kernel: [   12.345678] audit: type=1400 audit(50.000:3): {BODY.format(port=8081)}", "Nov 21 web1 sshd: x"
    )
    assert ports(read(host, "auto", "/root/kern.log", 0)[0]) == [8081]


@pytest.mark.parametrize("source", ["auto", "audit", "journal", "kernel"])
def test_no_log_at_all(tmp_path: Path, source: str) -> None:
    with pytest.raises(GoHostError, match=f"no log could be read: {source}. Use become"):
        read(Machine(tmp_path), source, None, 0)


def denial(**more: Any) -> Denial:
    return Denial(**dict(dict(kind="avc", time=1.0, source="a:b:goapp_t:s0", command="goapp", executable="/opt/goapp/bin/goapp"), **more))


@pytest.mark.parametrize(
    ("filters", "given", "holds"),
    [
        ({}, {}, True),
        ({}, dict(executable="/usr/sbin/sshd"), False),
        ({}, dict(executable="/usr/lib/systemd/systemd", path="/srv/goapp/goapp"), True),
        ({}, dict(executable=""), True),
        ({}, dict(executable="/optional/x"), False),
        (dict(go=False), dict(executable="/usr/sbin/sshd"), True),
        (dict(paths=("/usr/sbin/",)), dict(executable="/usr/sbin/sshd"), True),
        (dict(paths=("/usr/sbin",)), {}, False),
        (dict(paths=("/etc/x",)), dict(path="/etc/x"), True),
        (dict(domains=("go*_t",)), {}, True),
        (dict(domains=("other_t", "goapp_t")), dict(executable="/usr/bin/x"), True),
        (dict(domains=("other_t",)), {}, False),
        (dict(commands=("goapp",)), dict(command="(goapp)", executable="/x/goapp"), True),
        (dict(commands=("caddy*",)), dict(command="caddy", executable="/usr/bin/caddy"), True),
        (dict(commands=("caddy",)), {}, False),
        (dict(commands=("goapp",), domains=("other_t",)), {}, False),
    ],
)
def test_filters(filters: Dict[str, Any], given: Dict[str, Any], holds: bool) -> None:
    assert Wish(0, **filters).holds(denial(**given)) == holds


def test_files_are_found_by_name_and_inode() -> None:
    groups = [
        Group(each, 1, 1.0, 1.0)
        for each in (
            denial(tclass="file", name="a", inode=5),
            denial(tclass="file", name="b", inode=6),
            denial(tclass="file", name="a", inode=5, path="/known/a"),
            denial(tclass="tcp_socket", name="a", inode=5),
        )
    ]
    server = FakeSecurityServer(files={("a", 5): "/srv/goapp/a"})
    assert [group.denial.path for group in with_paths(groups, server, ())] == ["/srv/goapp/a", "", "/known/a", ""]


UNITS = {
    "/etc/systemd/system/goapp.service": ["[Service]", "ExecStart=-/opt/goapp/bin/goapp \\", "  -v"],
    "/usr/lib/systemd/system/other.service": ["[Service]", "ExecStart=/opt/other/bin/otherprogram", "WorkingDirectory=/opt/work"],
    "/etc/systemd/system/third.service.d/run.conf": ["[Service]", "ExecStart=", "ExecStart=/opt/third/bin/third"],
    "/etc/systemd/system/third.service.d/old.bak": ["ExecStart=/opt/fourth"],
    "/etc/systemd/system/twice.service": ["ExecStartPre=/opt/twice", "ExecStart=/opt/twice -v"],
    "/etc/systemd/system/again.service": ["ExecStart=/opt/twice"],
    "/etc/systemd/system/goapp.timer": ["ExecStart=/opt/timer"],
    "/usr/lib/systemd/system/user@.service": ["[Service]", "ExecStart=/usr/lib/systemd/systemd --user"],
}
SYSTEMD = "/usr/lib/systemd/systemd"


@pytest.mark.parametrize(
    ("given", "unit"),
    [
        ({}, "goapp.service"),
        (dict(executable="/opt/goapp/bin/goapp2"), ""),
        (dict(executable="/opt/third/bin/third"), "third.service"),
        (dict(executable="/opt/twice"), "again.service twice.service"),
        (dict(executable="/opt/work"), ""),
        (dict(executable="/opt/fourth"), ""),
        (dict(executable="/opt/timer"), ""),
        (dict(executable=""), ""),
        (dict(command="(goapp)", executable=SYSTEMD, path="/opt/goapp/bin/goapp"), "goapp.service"),
        (dict(command="(goapp)", executable=SYSTEMD), "goapp.service"),
        (dict(command="(rprogram)", executable=""), "other.service"),
        (dict(command="(goapp)"), "goapp.service"),
        (dict(command="(nobody)", executable=SYSTEMD), ""),
    ],
)
def test_unit(tmp_path: Path, given: Dict[str, str], unit: str) -> None:
    host = Machine(tmp_path)
    for path, lines in UNITS.items():
        host.lines(path, *lines)
    units = Units(host)
    assert units.of(denial(**given)) == unit.split()
