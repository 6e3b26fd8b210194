# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of the audit log, the journal or the kernel's own log → denials. Pure.

Formats: kernel/audit.c, kernel/auditsc.c, security/lsm_audit.c, security/selinux/{avc,hooks}.c and ss/services.c of Linux; auditd.conf(5) for enriched
logs; libaudit.h for the numbers of types; libselinux's avc.c and systemd's selinux-access.c for USER_AVC.
"""

import calendar
import json
import posixpath
import re
import time
from typing import Dict, Iterable, Iterator, List, Optional, Tuple

from ...errors import GoHostError
from .model import AVC, HIDDEN, SECCOMP, SELINUX_ERR, USER_AVC, Denial, Record

TYPES = {
    "1107": "USER_AVC",
    "1109": "USER_SELINUX_ERR",
    "1300": "SYSCALL",
    "1302": "PATH",
    "1307": "CWD",
    "1326": "SECCOMP",
    "1327": "PROCTITLE",
    "1400": "AVC",
    "1401": "SELINUX_ERR",
}
_KINDS = {"AVC": AVC, "USER_AVC": USER_AVC, "SELINUX_ERR": SELINUX_ERR, "USER_SELINUX_ERR": SELINUX_ERR, "SECCOMP": SECCOMP}
_HEAD = re.compile(r"(?:node=\S+ )?type=(\w+|UNKNOWN\[\d+\]) (?:msg=)?audit\((\d{1,12}\.\d{1,9}):(\d{1,20})\): ?(.*)", re.DOTALL)
_KERNEL = re.compile(r"(?:<\d+>|\S.{0,200}? kernel: )?(?:\[ *\d+\.\d+\] *)?(?:\[ *[TC]\d+\] *)?(?:audit: )?(?=type=\d)")
_FIELD = re.compile(r"""([A-Za-z_][\w-]*)=("[^"]*"|\S*)""")
_DECISION = re.compile(r"avc: +(denied|granted) +\{ ([^{}]*?) ?\}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+\Z")
_ENRICHED = "\x1d"
# What a program chose, which the kernel writes in hexadecimal digits when it holds blanks, quotes or control characters.
_FOREIGN = frozenset(["comm", "exe", "path", "name", "cwd", "proctitle", "kmod"])
_UNSET = frozenset(["(null)", "(none)", "?"])
_EACCES = "-13"
_PORT_FIELDS = {"name_bind": "src", "name_connect": "dest", "recv_msg": "src", "send_msg": "dest"}
_CLASS_OF_MODE = {0o01: "fifo_file", 0o02: "chr_file", 0o04: "dir", 0o06: "blk_file", 0o10: "file", 0o12: "lnk_file", 0o14: "sock_file"}
_MAX_NUMBER = 1 << 64


def record(line: str) -> Optional[Record]:
    """A line of audit.log; None where it is none."""
    match = _HEAD.match(line.rstrip("\r\n"))
    if match is None:
        return None
    name, stamp, serial, body = match.groups()
    number = name[len("UNKNOWN[") : -1] if name.startswith("UNKNOWN[") else name
    return Record(TYPES.get(number, number), _stamp(stamp), int(serial), body, line.rstrip("\r\n"))


def kernel_record(line: str) -> Optional[Record]:
    """A line of the kernel's own log, as dmesg, syslog or the journal show it. It has such records where no auditd takes them."""
    match = _KERNEL.match(line)
    return record(line[match.end() :]) if match else None


def journal_record(line: str) -> Optional[Record]:
    """An entry of `journalctl -o json`, of the transport audit or kernel."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    if not isinstance(entry, dict):
        return None
    message = entry.get("MESSAGE")
    if isinstance(message, list):  # bytes that are no UTF-8
        try:
            message = bytes(message).decode("utf-8", "surrogateescape")
        except (TypeError, ValueError):
            return None
    if not isinstance(message, str):
        return None
    if entry.get("_TRANSPORT") != "audit":
        return kernel_record(message)
    number, serial, stamp = (str(entry.get(name, "")) for name in ("_AUDIT_TYPE", "_AUDIT_ID", "_SOURCE_REALTIME_TIMESTAMP"))
    if not re.match(r"\d{7,18}\Z", stamp):
        return None
    body = message.partition(" ")[2]
    return record(f"type={TYPES.get(number, number)} msg=audit({stamp[:-6]}.{stamp[-6:-3]}:{serial}): {body}")


def _stamp(text: str) -> str:
    """Seconds with three digits of milliseconds, so that one event reads the same in every log."""
    seconds, _dot, part = text.partition(".")
    return f"{int(seconds)}.{part[:3].ljust(3, '0')}"


def fields(body: str) -> Dict[str, str]:
    """key=value pairs; of a key given twice the last counts, so that what a program wrote cannot stand for what the kernel wrote after it."""
    return {key: _value(key, value) for key, value in _FIELD.findall(body)}


def _value(key: str, value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1]
    if value in _UNSET:
        return ""
    if key in _FOREIGN and _HEX.match(value):
        return bytes.fromhex(value).rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "surrogateescape")
    return value


def _number(text: str) -> int:
    return min(int(text), _MAX_NUMBER) if re.match(r"[0-9]{1,20}\Z", text) else 0


def denials(records: Iterable[Record]) -> Iterator[Denial]:
    """What was refused, in the order of the log. Lines of one event may come apart; those of another log that say the same are dropped."""
    events: Dict[Tuple[str, int], Dict[str, Record]] = {}
    for each in records:
        said = f"{each.type} {each.body.partition(_ENRICHED)[0].rstrip()}"
        known = events.setdefault((each.time, each.serial), {})
        if said not in known or _ENRICHED in each.body:
            known[said] = each
    for event in events.values():
        yield from _of_event(list(event.values()))


def _of_event(records: List[Record]) -> Iterator[Denial]:
    main = [each for each in records if each.type in _KINDS]
    calls = [each for each in records if each.type == "SYSCALL"]
    call: Dict[str, str] = {}
    if calls:
        body, _mark, enriched = calls[-1].body.partition(_ENRICHED)
        call = fields(body)
        call["SYSCALL"] = fields(enriched).get("SYSCALL", call.get("syscall", ""))
    cwd = next((fields(each.body).get("cwd", "") for each in records if each.type == "CWD"), "")
    paths = [fields(each.body.partition(_ENRICHED)[0]) for each in records if each.type == "PATH"]
    for each in main:
        found = _denial(each, call, paths, cwd)
        if found is not None:
            yield found
    if not main and call.get("exit") == _EACCES:
        yield _hidden(calls[-1], call, paths, cwd)


def _denial(source: Record, call: Dict[str, str], paths: List[Dict[str, str]], cwd: str) -> Optional[Denial]:
    kind = _KINDS[source.type]
    body, _mark, enriched = source.body.partition(_ENRICHED)
    outer, inner = body, body
    if source.type.startswith("USER_") and " msg='" in body:
        outer, _msg, inner = body.partition(" msg='")
        inner = inner[: inner.rfind("'")] if "'" in inner else inner
    said = fields(inner)
    if kind == SECCOMP:
        return _seccomp(source, said, fields(enriched))
    if kind == SELINUX_ERR:
        return _error(source, inner, said, call)
    decision = _DECISION.search(inner)
    if decision is None:  # AppArmor's have no "avc:", and object managers also tell of a new policy
        return None
    permissions = tuple(sorted(set(decision.group(2).split())))
    tclass, inode = said.get("tclass", ""), _number(said.get("ino", ""))
    path = said.get("path", "")
    if path.endswith(" (deleted)"):
        path = path[: -len(" (deleted)")]
    if not path.startswith("/"):
        path = _path(paths, cwd, inode, said.get("name", ""), permissions) if kind == AVC else ""
    command, executable = said.get("comm", "") or call.get("comm", ""), call.get("exe", "")
    if kind == USER_AVC:  # its exe is the object manager's
        command, executable = posixpath.basename(said.get("cmdline", "").partition(" ")[0]), ""
    port = next((_number(said.get(field, "")) for name, field in _PORT_FIELDS.items() if name in permissions), 0)
    permissive = said.get("permissive") == "1" or ("permissive" not in said and call.get("success") == "yes")
    return Denial(
        kind=kind,
        time=float(source.time),
        source=said.get("scontext", ""),
        target=said.get("tcontext", ""),
        tclass=tclass,
        permissions=permissions,
        granted=decision.group(1) == "granted",
        permissive=permissive,
        command=command,
        executable=executable,
        pid=_number((said if kind == AVC else fields(outer)).get("pid", "")),
        path=path,
        name=posixpath.basename(path.rstrip("/")) if path else said.get("name", ""),
        inode=inode,
        protocol=tclass[: -len("_socket")] if tclass in ("tcp_socket", "udp_socket", "sctp_socket", "dccp_socket") else "",
        port=port if port < 1 << 16 else 0,
        syscall=call.get("SYSCALL", ""),
        detail=said.get("kmod", "") or said.get("ioctlcmd", "") or said.get("member", ""),
        evidence=source.line,
    )


def _path(paths: List[Dict[str, str]], cwd: str, inode: int, name: str, permissions: Tuple[str, ...]) -> str:
    """The path that a call named, of the inode that was refused, or of what it would have made."""
    for each in paths:
        given = each.get("name", "")
        same = inode and _number(each.get("inode", "")) == inode
        made = not inode and "create" in permissions and each.get("nametype") == "CREATE" and posixpath.basename(given) == name
        if (same or made) and given and (given.startswith("/") or cwd.startswith("/")):
            return posixpath.normpath(posixpath.join(cwd, given)).replace("//", "/")
    return ""


def _seccomp(source: Record, said: Dict[str, str], enriched: Dict[str, str]) -> Denial:
    code = said.get("code", "")
    return Denial(
        kind=SECCOMP,
        time=float(source.time),
        source=said.get("subj", ""),
        command=said.get("comm", ""),
        executable=said.get("exe", ""),
        pid=_number(said.get("pid", "")),
        syscall=enriched.get("SYSCALL", "") or said.get("syscall", ""),
        permissive=code.startswith("0x7ffc"),  # SECCOMP_RET_LOG
        detail=f"signal {said['sig']}" if said.get("sig", "0") != "0" else code,
        evidence=source.line,
    )


def _error(source: Record, inner: str, said: Dict[str, str], call: Dict[str, str]) -> Denial:
    """Fields since Linux 3.16; before, the same as words: "security_compute_sid:  invalid context C for scontext=…"."""
    old = re.match(r"(\w+): +invalid context (\S+)", inner)
    return Denial(
        kind=SELINUX_ERR,
        time=float(source.time),
        source=said.get("scontext", "") or said.get("oldcontext", "") or call.get("subj", ""),
        target=said.get("tcontext", "") or said.get("newcontext", ""),
        tclass=said.get("tclass", ""),
        command=call.get("comm", ""),
        executable=call.get("exe", ""),
        pid=_number(call.get("pid", "")),
        syscall=call.get("SYSCALL", ""),
        operation=old.group(1) if old else said.get("op", ""),
        detail=old.group(2) if old else said.get("invalid_context", ""),
        evidence=source.line,
    )


def _hidden(source: Record, call: Dict[str, str], paths: List[Dict[str, str]], cwd: str) -> Denial:
    named = next((each for each in reversed(paths) if each.get("nametype") in ("NORMAL", "CREATE", "DELETE") and each.get("obj")), {})
    mode = named.get("mode", "")
    tclass = _CLASS_OF_MODE.get(int(mode, 8) >> 12, "") if re.match(r"[0-7]{1,7}\Z", mode) else ""
    given = named.get("name", "")
    path = posixpath.normpath(posixpath.join(cwd, given)) if given and (given.startswith("/") or cwd.startswith("/")) else ""
    return Denial(
        kind=HIDDEN,
        time=float(source.time),
        source=call.get("subj", ""),
        target=named.get("obj", ""),
        tclass=tclass,
        command=call.get("comm", ""),
        executable=call.get("exe", ""),
        pid=_number(call.get("pid", "")),
        path=path,
        name=posixpath.basename(path),
        inode=_number(named.get("inode", "")),
        syscall=call.get("SYSCALL", ""),
        evidence=source.line,
    )


_DURATION = re.compile(r"(\d{1,9})([smhdw]?)\Z")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?)?(?:\.\d+)?(Z|[+-]\d\d:?\d\d)?\Z")


def since(text: str, now: float, boot: float) -> float:
    """Seconds since the epoch of "boot", a duration before now (90, 30m, 2h, 7d) or a moment (2026-11-21 10:00, local time unless it says otherwise)."""
    wish = text.strip()
    if wish == "boot":
        return boot
    duration = _DURATION.match(wish)
    if duration:
        return now - int(duration.group(1)) * _UNITS[duration.group(2)]
    moment = _MOMENT.match(wish)
    if moment:
        day, minutes, seconds, zone = moment.groups()
        try:
            at = time.strptime(f"{day} {minutes or '00:00'}{seconds or ':00'}", "%Y-%m-%d %H:%M:%S")
            if zone is None:
                return time.mktime(at)
            offset = 0 if zone == "Z" else (int(zone[1:3]) * 60 + int(zone[-2:])) * (-60 if zone[0] == "-" else 60)
            return float(calendar.timegm(at) - offset)
        except (ValueError, OverflowError):
            pass  # the 31st of February
    raise GoHostError("not a time", text, "Write boot, a duration such as 2h or 7d, or a moment such as 2026-11-21 10:00:00.")


def printable(text: str) -> str:
    """On one line and in UTF-8, for people and JSON."""
    return "".join(char if char.isprintable() else _escaped(ord(char)) for char in text)


def _escaped(code: int) -> str:
    return f"\\x{code & 0xFF:02x}" if code < 0x100 or 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"
