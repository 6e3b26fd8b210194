# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines as auditd, the kernel, journald, systemd and D-Bus write them."""

import json
import time
from pathlib import Path
from typing import Any, Dict, List

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.selinux.denials import parse
from ansible_collections.gohost.linux.plugins.module_utils.selinux.denials.model import Denial, grouped

GOAPP = "system_u:system_r:goapp_t:s0"
INIT = "system_u:system_r:init_t:s0"


def obj(setype: str) -> str:
    return f"system_u:object_r:{setype}:s0"


def avc(body: str, serial: int = 100, at: str = "1763737200.123") -> str:
    return f"type=AVC msg=audit({at}:{serial}): avc:  denied  {body}"


def call(serial: int = 100, at: str = "1763737200.123", **changed: str) -> str:
    said = dict(success="no", exit="-13", comm='"goapp"', exe='"/opt/goapp/bin/goapp"', subj=GOAPP)
    said.update(changed)
    ids = "ppid=1 pid=742 auid=4294967295 uid=990 gid=990 euid=990 suid=990 fsuid=990 egid=990 sgid=990 fsgid=990 tty=(none) ses=4294967295"
    return (
        f"type=SYSCALL msg=audit({at}:{serial}): arch=c000003e syscall=257 success={said['success']} exit={said['exit']} a0=ffffffffffffff9c a1=c0000"
        f" a2=80000 a3=0 items=1 {ids} comm={said['comm']} exe={said['exe']} subj={said['subj']} key=(null)"
    )


def read(*lines: str) -> List[Denial]:
    return list(parse.denials(each for each in map(parse.record, lines) if each is not None))


def one(*lines: str) -> Denial:
    (found,) = read(*lines)
    return found


BIND = (
    '{ name_bind } for  pid=742 comm="goapp" src=8081 scontext=system_u:system_r:goapp_t:s0 tcontext=system_u:object_r:transproxy_port_t:s0'
    " tclass=tcp_socket permissive=0"
)
READ = (
    '{ read } for  pid=742 comm="goapp" name="app.conf" dev="vda1" ino=4711 scontext=system_u:system_r:goapp_t:s0 tcontext=system_u:object_r:var_t:s0'
    " tclass=file permissive=0"
)

ONE_RECORD: List[Any] = [
    (BIND, dict(permissions=("name_bind",), port=8081, protocol="tcp", tclass="tcp_socket", command="goapp", pid=742, source=GOAPP, permissive=False)),
    (READ, dict(name="app.conf", inode=4711, path="", target=obj("var_t"))),
    (READ.replace("permissive=0", "permissive=1"), dict(permissive=True)),
    (READ.replace("{ read }", "{ read open }"), dict(permissions=("open", "read"))),
    # Blanks, quotes and bytes that are no ASCII: in hexadecimal digits.
    (READ.replace('name="app.conf"', "name=6D7920612E636F6E66"), dict(name="my a.conf")),
    (READ.replace('comm="goapp"', "comm=676F2061707020C3A4"), dict(command="go app ä")),
    (READ.replace('comm="goapp"', "comm=676FFF"), dict(command="go\udcff")),
    (READ.replace('comm="goapp"', 'comm="cafe"'), dict(command="cafe")),
    (READ.replace('name="app.conf"', 'path="/srv/goapp/app.conf"'), dict(path="/srv/goapp/app.conf", name="app.conf")),
    (READ.replace('name="app.conf"', "path=2F7372762F61206220286465 6C6574656429".replace(" ", "")), dict(path="/srv/a b (deleted)"[: -len(" (deleted)")])),
    (READ.replace('name="app.conf"', 'path="socket:[1234]"'), dict(path="", name="")),
    (
        '{ name_connect } for  pid=7 comm="goapp" dest=5432 scontext=a:b:goapp_t:s0 tcontext=a:b:postgresql_port_t:s0 tclass=tcp_socket',
        dict(port=5432, permissions=("name_connect",), permissive=False),
    ),
    ('{ net_admin } for  pid=7 comm="goapp" capability=12  scontext=u:r:goapp_t tcontext=u:r:goapp_t tclass=capability', dict(source="u:r:goapp_t")),
    (
        "{ nnp_transition } for  pid=7 comm=\"(goapp)\" scontext=system_u:system_r:init_t:s0 tcontext=system_u:system_r:goapp_t:s0 tclass=process2",
        dict(command="(goapp)", tclass="process2"),
    ),
    ("{ module_request } for  pid=7 comm=\"goapp\" kmod=\"net-pf-10\" scontext=a:b:c tcontext=a:b:d tclass=system permissive=0", dict(detail="net-pf-10")),
    (
        "{ name_bind } for  pid=7 comm=\"goapp\" src=99999999999 scontext=a:b:c tcontext=a:b:d tclass=tcp_socket permissive=0",
        dict(port=0),
    ),
    ("{ } for  pid=x comm= scontext=", dict(permissions=(), pid=0, command="", source="")),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), ONE_RECORD)
def test_one_record(body: str, expected: Dict[str, Any]) -> None:
    seen = one(avc(body))
    assert {name: getattr(seen, name) for name in expected} == expected
    assert (seen.kind, seen.time, seen.granted) == ("avc", 1763737200.123, False)
    assert seen.evidence == avc(body)


def test_granted() -> None:
    assert one(avc(READ).replace("denied", "granted")).granted


NOT_A_DENIAL = [
    'type=AVC msg=audit(1763737200.123:5): apparmor="DENIED" operation="open" profile="/usr/sbin/cupsd" name="/etc/x" pid=1 comm="cupsd"',
    "type=USER_AVC msg=audit(1763737200.123:5): pid=1 uid=0 auid=4294967295 ses=4294967295 subj=a:b:c msg='avc:  op=load_policy lsm=selinux seqno=3 res=1'",
    "type=USER_AVC msg=audit(1.0:5): pid=1 uid=0 msg='avc:  received setenforce notice (enforcing=1)  exe=\"/usr/bin/dbus-daemon\" sauid=102 terminal=?'",
    "type=SERVICE_START msg=audit(1763737200.123:5): pid=1 uid=0 msg='unit=goapp comm=\"systemd\" res=failed'",
    call(success="yes", exit="3"),
    "",
    "type=AVC",
    "type=AVC msg=audit(1763737200:5): avc:  denied  { read } for  pid=1",
    "----",
    "time->Fri Nov 21 15:00:00 2026",
]


@pytest.mark.parametrize("line", NOT_A_DENIAL)
def test_not_a_denial(line: str) -> None:
    assert read(line) == []


CWD = 'type=CWD msg=audit(1763737200.123:100): cwd="/srv/goapp"'
TITLE = "type=PROCTITLE msg=audit(1763737200.123:100): proctitle=2F6F70742F676F617070002D76"


def path(name: str, inode: int = 4711, nametype: str = "NORMAL", item: int = 0) -> str:
    cap = "cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0"
    return (
        f"type=PATH msg=audit(1763737200.123:100): item={item} name={name} inode={inode} dev=fe:01 mode=0100644 ouid=0 ogid=0 rdev=00:00 obj={obj('var_t')}"
        f" nametype={nametype} {cap}"
    )


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ([path('"/srv/goapp/app.conf"')], "/srv/goapp/app.conf"),
        ([path('"app.conf"')], "/srv/goapp/app.conf"),
        ([path('"./../goapp//app.conf"')], "/srv/goapp/app.conf"),
        ([path("2F7372762F676F6170702F61626320")], "/srv/goapp/abc "),
        ([path('"/srv/goapp/"', 12, "PARENT"), path('"app.conf"', item=1)], "/srv/goapp/app.conf"),
        ([path('"/srv/other"', 12)], ""),
        ([path("(null)")], ""),
        ([], ""),
    ],
)
def test_path_is_that_of_the_inode(paths: List[str], expected: str) -> None:
    seen = one(avc(READ), call(), CWD, *paths, TITLE)
    assert (seen.path, seen.executable, seen.syscall) == (expected, "/opt/goapp/bin/goapp", "257")


def test_path_of_what_would_have_been_made() -> None:
    body = READ.replace("{ read }", "{ create }").replace(' dev="vda1" ino=4711', "")
    assert one(avc(body), call(), CWD, path('"/srv/goapp"', 9, "PARENT"), path('"app.conf"', 0, "CREATE", 1)).path == "/srv/goapp/app.conf"


def test_lines_of_events_come_interleaved() -> None:
    other = dict(serial=101, exe='"/opt/other/bin/other"', comm='"other"')
    lines = [avc(READ), avc(BIND, 101), call(**other), path('"/srv/goapp/app.conf"'), call()]  # type: ignore[arg-type]
    first, second = read(*lines)
    assert (first.path, first.executable) == ("/srv/goapp/app.conf", "/opt/goapp/bin/goapp")
    assert (second.port, second.executable) == (8081, "/opt/other/bin/other")


def test_one_event_may_hold_several() -> None:
    assert [each.permissions for each in read(avc(READ), avc(READ.replace("{ read }", "{ open }")), call())] == [("read",), ("open",)]


def test_an_old_kernel_says_nothing_of_permissive() -> None:
    old = READ.replace(" permissive=0", "")
    assert one(avc(old), call(success="yes", exit="3")).permissive
    assert not one(avc(old), call()).permissive
    assert not one(avc(READ), call(success="yes", exit="3")).permissive  # the call went another way


def test_enriched_lines() -> None:
    rich = '\x1dARCH=x86_64 SYSCALL=openat AUID="unset" UID="goapp" GID="goapp"'
    seen = one("node=web1.example.com " + avc(READ), "node=web1.example.com " + call() + rich)
    assert (seen.syscall, seen.target, seen.permissive) == ("openat", obj("var_t"), False)


START = (
    "type=USER_AVC msg=audit(1763737200.123:7): pid=1 uid=0 auid=4294967295 ses=4294967295 subj=system_u:system_r:init_t:s0 msg='avc:  denied  { start }"
    ' for auid=1000 uid=0 gid=0 path="/usr/lib/systemd/system/nginx.service" cmdline="/opt/goapp/bin/goapp restart" function="bus_unit_method_start_generic"'
    ' scontext=system_u:system_r:goapp_t:s0 tcontext=system_u:object_r:httpd_unit_file_t:s0 tclass=service permissive=0  exe="/usr/lib/systemd/systemd"'
    " sauid=0 hostname=? addr=? terminal=?'"
)


def test_user_avc_of_systemd() -> None:
    seen = one(START + '\x1dUID="root" AUID="unset" SAUID="root"')
    assert (seen.kind, seen.permissions, seen.tclass, seen.pid) == ("user_avc", ("start",), "service", 1)
    assert (seen.path, seen.command, seen.executable) == ("/usr/lib/systemd/system/nginx.service", "goapp", "")
    assert (seen.domain, seen.object_type) == ("goapp_t", "httpd_unit_file_t")


def test_what_a_program_wrote_stands_for_nothing_else() -> None:
    forged = START.replace("goapp restart", "goapp' scontext=a:b:init_t:s0 tclass=x permissive=1")
    seen = one(forged)
    assert (seen.domain, seen.tclass, seen.permissive) == ("goapp_t", "service", False)


def test_user_avc_of_dbus() -> None:
    seen = one(
        "type=USER_AVC msg=audit(1763737200.123:8): pid=512 uid=102 auid=4294967295 ses=4294967295 subj=system_u:system_r:system_dbusd_t:s0-s0:c0.c1023"
        " msg='avc:  denied  { send_msg } for msgtype=method_call interface=org.freedesktop.login1.Manager member=Inhibit dest=org.freedesktop.login1"
        " spid=742 tpid=480 scontext=system_u:system_r:goapp_t:s0 tcontext=system_u:system_r:systemd_logind_t:s0 tclass=dbus permissive=0"
        ' exe="/usr/bin/dbus-daemon" sauid=102 hostname=? addr=? terminal=?\''
    )
    assert (seen.tclass, seen.permissions, seen.detail, seen.object_type) == ("dbus", ("send_msg",), "Inhibit", "systemd_logind_t")


ERRORS: List[Any] = [
    (
        "op=security_bounded_transition seresult=denied oldcontext=system_u:system_r:init_t:s0 newcontext=system_u:system_r:goapp_t:s0",
        dict(operation="security_bounded_transition", source=INIT, target=GOAPP, detail=""),
    ),
    (
        'op=security_compute_sid invalid_context="system_u:object_r:goapp_t:s0" scontext=system_u:system_r:init_t:s0 tcontext=a:b:x_exec_t:s0 tclass=process',
        dict(operation="security_compute_sid", detail="system_u:object_r:goapp_t:s0", tclass="process", source=INIT),
    ),
    (
        "security_compute_sid:  invalid context unconfined_u:system_r:goapp_t:s0 for scontext=u:r:unconfined_t:s0 tcontext=a:b:goapp_exec_t:s0 tclass=process",
        dict(operation="security_compute_sid", detail="unconfined_u:system_r:goapp_t:s0", source="u:r:unconfined_t:s0"),
    ),
    (
        "op=security_validate_transition seresult=denied oldcontext=a:b:x_t:s15 newcontext=a:b:x_t:s0 taskcontext=a:b:y_t:s0 tclass=file",
        dict(operation="security_validate_transition", source="a:b:x_t:s15", target="a:b:x_t:s0", tclass="file"),
    ),
    ('op=setxattr invalid_context="system_u:object_r:nosuch_t:s0"', dict(operation="setxattr", detail="system_u:object_r:nosuch_t:s0")),
]


@pytest.mark.parametrize(("body", "expected"), ERRORS)
def test_selinux_err(body: str, expected: Dict[str, str]) -> None:
    seen = one(f"type=SELINUX_ERR msg=audit(1763737200.123:100): {body}", call(subj=INIT))
    assert {name: getattr(seen, name) for name in expected} == expected
    assert (seen.kind, seen.executable) == ("selinux_err", "/opt/goapp/bin/goapp")


def test_seccomp() -> None:
    line = (
        'type=SECCOMP msg=audit(1763737200.123:9): auid=4294967295 uid=990 gid=990 ses=4294967295 subj=system_u:system_r:goapp_t:s0 pid=742 comm="goapp"'
        ' exe="/opt/goapp/bin/goapp" sig=31 arch=c000003e syscall=165 compat=0 ip=0x46a2ce code=0x80000000'
    )
    seen = one(line)
    assert (seen.kind, seen.syscall, seen.detail, seen.permissive, seen.domain) == ("seccomp", "165", "signal 31", False, "goapp_t")
    assert one(line + '\x1dARCH=x86_64 SYSCALL=mount AUID="unset"').syscall == "mount"
    assert one(line.replace("sig=31", "sig=0").replace("0x80000000", "0x7ffc0000")).permissive


def test_a_call_that_selinux_refused_in_silence() -> None:
    seen = one(call(), CWD, path('"app.conf"'))
    assert (seen.kind, seen.path, seen.tclass, seen.target, seen.source) == ("hidden", "/srv/goapp/app.conf", "file", obj("var_t"), GOAPP)
    assert [each.kind for each in read(call(), avc(READ))] == ["avc"]
    bare = one(call())
    assert (bare.path, bare.tclass) == ("", "")


KERNEL = f"audit: type=1400 audit(1763737200.123:100): avc:  denied  {BIND}"


@pytest.mark.parametrize("before", ["", "[   12.345678] ", "<5>[   12.345678] ", "[   12.345678] [    T1] ", "Nov 21 15:00:00 web1 kernel: "])
def test_kernel_log(before: str) -> None:
    record = parse.kernel_record(before + KERNEL)
    assert record is not None
    (seen,) = parse.denials([record])
    assert (seen.kind, seen.port, seen.time) == ("avc", 8081, 1763737200.123)


@pytest.mark.parametrize("line", ["", "systemd[1]: Started type=1400 audit(1.0:1): x", "audit: type=1305 op=set", "audit: audit_lost=4 audit_rate_limit=0"])
def test_other_lines_of_the_kernel(line: str) -> None:
    assert parse.kernel_record(line) is None


def journal(**entry: Any) -> str:
    return json.dumps(entry)


AUDIT_ENTRY = dict(_TRANSPORT="audit", _AUDIT_TYPE="1400", _AUDIT_ID="100", _SOURCE_REALTIME_TIMESTAMP="1763737200123000", MESSAGE=f"AVC avc:  denied  {BIND}")


def test_journal() -> None:
    by_audit, by_kernel = parse.journal_record(journal(**AUDIT_ENTRY)), parse.journal_record(journal(_TRANSPORT="kernel", MESSAGE=KERNEL))
    assert by_audit is not None and by_kernel is not None
    logged = parse.record(avc(BIND))
    assert logged is not None
    (seen,) = parse.denials([logged, by_audit, by_kernel])  # the same event in three logs
    assert (seen.port, seen.evidence) == (8081, avc(BIND))


def test_journal_of_bytes() -> None:
    data = list(KERNEL.replace('comm="goapp"', "comm=676FFF").encode() + b"\xff")
    record = parse.journal_record(journal(_TRANSPORT="kernel", MESSAGE=data))
    assert record is not None and record.body.endswith("\udcff")


@pytest.mark.parametrize(
    "line",
    ["", "{", "[]", "null", "1", journal(MESSAGE=None), journal(MESSAGE=[1, "x"]), journal(MESSAGE=[256]), journal(_TRANSPORT="kernel", MESSAGE="usb 1-1")]
    + [journal(**dict(AUDIT_ENTRY, **changed)) for changed in (dict(_AUDIT_ID="x"), dict(_SOURCE_REALTIME_TIMESTAMP="x"), dict(_AUDIT_TYPE="a b"))],
)
def test_other_entries_of_the_journal(line: str) -> None:
    assert parse.journal_record(line) is None


def test_equal_denials_are_grouped() -> None:
    lines = [avc(READ.replace("pid=742", f"pid={number}"), number, f"17637372{number:02d}.000") for number in range(3)]
    groups = grouped(read(*lines, avc(BIND, 50, "1763737201.500")))
    assert [(group.denial.port, group.times, group.first, group.last) for group in groups] == [
        (0, 3, 1763737200.0, 1763737202.0),
        (8081, 1, 1763737201.5, 1763737201.5),
    ]
    assert groups[0].denial.pid == 2


@pytest.mark.parametrize(
    "change",
    [
        ("goapp_t", "other_t"),
        ("var_t", "etc_t"),
        ("{ read }", "{ write }"),
        ("tclass=file", "tclass=dir"),
        ("ino=4711", "ino=1"),
        ("permissive=0", "permissive=1"),
    ],
)
def test_others_are_not(change: "tuple[str, str]") -> None:
    assert len(grouped(read(avc(READ), avc(READ.replace(*change), 101)))) == 2


@pytest.mark.parametrize("name", ['path="socket:[1{0}]" dev="sockfs"', 'path="pipe:[1{0}]" dev="pipefs"', 'path="/srv/goapp/new" dev="vda1"'])
def test_what_has_no_name_is_not_told_apart(name: str) -> None:
    body = READ.replace('name="app.conf" dev="vda1"', name).replace("ino=4711", "ino=1{0}").replace("{ read }", "{{ read }}")
    (group,) = grouped(read(*(avc(body.format(number), number) for number in (1, 2, 3))))
    assert group.times == 3


CAPTURED = Path(__file__).parent
# What auditd and journald of Debian 12 wrote while a Go program met these.
REAL = {
    ("avc", "denied_t", "tcp_socket", "name_bind", "9999", "bind", "/opt/denied/bin/denied"),
    ("avc", "denied_t", "tcp_socket", "name_bind", "8081", "bind", "/opt/denied/bin/denied"),
    ("avc", "denied_t", "file", "read", "moved", "openat", "/opt/denied/bin/denied"),
    ("avc", "denied_t", "dir", "write", "data", "openat", "/opt/denied/bin/denied"),
    ("avc", "denied_t", "file", "read", "ca.pem", "openat", "/opt/denied/bin/denied"),
    ("avc", "denied_t", "capability", "net_admin", "", "setsockopt", "/opt/denied/bin/denied"),
    ("avc", "denied_t", "tcp_socket", "name_connect", "5432", "connect", "/opt/denied/bin/denied"),
    ("avc", "denied_t", "dir", "search", "bin", "execve", "/opt/denied/bin/denied"),
    ("avc", "denied_t", "fifo_file", "write", "", "write", "/opt/denied/bin/denied"),
    ("avc", "denied_t", "fifo_file", "read", "", "read", "/opt/denied/bin/denied"),
    ("avc", "denied_t", "file", "read", "shadow", "openat", "/opt/denied/bin/denied"),
    ("avc", "denied_t", "file", "entrypoint", "/srv/denied/copy", "execve", "/usr/lib/systemd/systemd"),
    ("seccomp", "denied_t", "", "", "", "sched_get_priority_max", "/opt/denied/bin/denied"),
    ("avc", "init_t", "process2", "nnp_transition", "", "execve", "/opt/denied/bin/nonnp"),
    ("selinux_err", "init_t", "", "", "", "execve", "/opt/denied/bin/nonnp"),
    ("avc", "httpd_t", "tcp_socket", "name_connect", "6379", "connect", "/opt/denied/bin/web"),
}


def told(each: Denial, calls: bool = True) -> "tuple[str, ...]":
    about = each.path or each.name or str(each.port or "")
    return (each.kind, each.domain, each.tclass, " ".join(each.permissions), about, *([each.syscall, each.executable] if calls else []))


def test_a_real_audit_log() -> None:
    lines = (CAPTURED / "captured_audit.txt").read_bytes().decode().split("\n")
    found = read(*lines)
    assert {told(each) for each in found} == REAL and len(found) == len(REAL)


def test_a_real_journal() -> None:
    """It has no names of calls, and what the kernel said before auditd ran."""
    records = map(parse.journal_record, (CAPTURED / "captured_journal.txt").read_text().split("\n"))
    found = list(parse.denials(each for each in records if each is not None))
    boot = {each for each in found if each.domain in ("udev_t", "systemd_tmpfiles_t")}
    assert {told(each, False) for each in set(found) - boot} == {each[:5] for each in REAL}
    assert {" ".join(each.permissions) for each in boot} == {"search", "setrlimit", "relabelfrom"}


NOW, BOOT = 1763737200.0, 1763730000.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("boot", BOOT),
        ("90", NOW - 90),
        ("90s", NOW - 90),
        ("30m", NOW - 1800),
        (" 2h ", NOW - 7200),
        ("7d", NOW - 604800),
        ("1w", NOW - 604800),
        ("2025-11-21T15:00:00Z", NOW),
        ("2025-11-21 16:00:00+01:00", NOW),
        ("2025-11-21T10:30-0430", NOW),
        ("2025-11-21T15:00:00.750Z", NOW),
        ("2025-11-21Z", NOW - 15 * 3600),
        ("2025-11-21 15:00:00", time.mktime((2025, 11, 21, 15, 0, 0, 0, 0, -1))),
    ],
)
def test_since(text: str, expected: float) -> None:
    assert parse.since(text, NOW, BOOT) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "2h ago", "-1", "1y", "2025-02-31", "2025-11-21T25:00", "99999999999999d", "20:00"])
def test_no_time(text: str) -> None:
    with pytest.raises(GoHostError, match="not a time.*such as 2h"):
        parse.since(text, NOW, BOOT)


@pytest.mark.parametrize(
    ("text", "expected"), [("/srv/ä b", "/srv/ä b"), ("a\nb\x1d", r"a\x0ab\x1d"), ("x\udcff", r"x\xff"), ("\ud800\u2028", r"\ud800\u2028")]
)
def test_printable(text: str, expected: str) -> None:
    assert parse.printable(text) == expected
    parse.printable(text).encode()
