# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages between systemd and who asks for single properties of its units, and values as `systemctl show` prints them. Pure.

Forms: D-Bus Specification, "Message Protocol" and "Authentication Protocol"; sd_bus_path_encode(3); org.freedesktop.systemd1(5).
"""

import functools
import re
import struct
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ..parse import cpu_text

ITSELF = ""  # in the place of a unit's name
_UNIT = ("Id", "LoadState", "ActiveState", "FragmentPath", "DropInPaths", "NeedDaemonReload")  # the others are of a unit's type
_MANAGER = "org.freedesktop.systemd1"
_NONE = (1 << 64) - 1
_TIMES = ("CPUQuotaPerSecUSec", "CPUQuotaPeriodUSec")
_UNSET = ("CPUWeight", "StartupCPUWeight", "CPUShares", "StartupCPUShares", "IOWeight", "StartupIOWeight")  # infinity where others say it
_CPUS = ("AllowedCPUs", "CPUAffinity")
_FIXED = {sign: struct.Struct(f"<{form}") for sign, form in zip("nqiuxtdbh", "hHiIqQdII")}
_RETURN, _ERROR = 2, 3
_HEADER = 16
_ANSWER = struct.Struct("<I4sI")  # from the size of the fields on
_REPLY_SERIAL = b"\x05\x01u\0"  # the first field, as systemd writes them


def hello(uid: int) -> bytes:
    return b"\0AUTH EXTERNAL " + str(uid).encode().hex().encode() + b"\r\nBEGIN\r\n"


def welcome(data: bytes) -> Optional[bytes]:
    """What comes after the answer to hello; None while that has not come. Errors: ValueError where it is no."""
    answer, end, rest = data.partition(b"\r\n")
    if end and not answer.startswith(b"OK"):
        raise ValueError(answer.decode("ascii", "replace"))
    return rest if end else None


def question(unit: str, name: str, serial: int) -> bytes:
    """Ask for a property of a unit, or of systemd itself."""
    kind = "Manager" if unit == ITSELF else "Unit" if name in _UNIT else unit.rpartition(".")[2].capitalize()
    fields, body = _fields(unit), _body(kind, name)
    return _padded(struct.pack("<BBBBIII", ord("l"), 1, 0, 1, len(body), serial, len(fields)) + fields, 8) + body


@functools.lru_cache(maxsize=None)
def _body(kind: str, name: str) -> bytes:
    return _padded(_string(f"{_MANAGER}.{kind}"), 4) + _string(name)


@functools.lru_cache(maxsize=1)
def _fields(unit: str) -> bytes:
    found = b""
    for code, sign, value in ((1, b"o", path(unit)), (2, b"s", "org.freedesktop.DBus.Properties"), (3, b"s", "Get")):
        found = _padded(found, 8) + bytes([code, 1]) + sign + b"\0" + _string(value)
    return _padded(found, 8) + b"\x08\x01g\0\x02ss\0"


def path(unit: str) -> str:
    """The object of a unit."""
    if unit == ITSELF:
        return "/org/freedesktop/systemd1"
    escaped = re.sub(rb"^[0-9]|[^A-Za-z0-9]", lambda found: b"_%02x" % ord(found.group()), unit.encode("utf-8"))
    return f"/org/freedesktop/systemd1/unit/{escaped.decode()}"


def _string(text: str) -> bytes:
    data = text.encode("utf-8")
    return struct.pack("<I", len(data)) + data + b"\0"


def _padded(data: bytes, size: int) -> bytes:
    return data + b"\0" * (-len(data) % size)


def messages(data: bytes) -> Tuple[List[bytes], bytes]:
    """The whole messages at the beginning of what has come, and the rest. Errors: ValueError where they are of a big-endian machine."""
    found, at = [], 0
    while len(data) - at >= _HEADER:
        if data[at : at + 1] != b"l":
            raise ValueError(data[at : at + 1])
        body, _serial, fields = struct.unpack_from("<III", data, at + 4)
        size = _HEADER + fields + -fields % 8 + body
        if len(data) - at < size:
            break
        found.append(data[at : at + size])
        at += size
    return found, data[at:]


def answer(message: bytes) -> Optional[Tuple[int, Optional[Any]]]:
    """The serial of the question and the value, which is None where there is no such property; None for a message that answers nothing.

    Errors: ValueError where it is not as systemd writes it.
    """
    if message[1] not in (_RETURN, _ERROR):
        return None
    size, field, serial = _ANSWER.unpack_from(message, 12)
    if field != _REPLY_SERIAL:
        raise ValueError(field)
    return serial, _Reader(message, _HEADER + size + -size % 8).value("v") if message[1] == _RETURN else None


class _Reader:
    """Values of a message from a place in it on."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def align(self, size: int) -> None:
        self.at += -self.at % size

    def value(self, sign: str) -> Any:
        if sign in _FIXED:
            form = _FIXED[sign]
            self.align(form.size)
            (number,) = form.unpack_from(self.data, self.at)
            self.at += form.size
            return bool(number) if sign == "b" else number
        if sign == "y":
            self.at += 1
            return self.data[self.at - 1]
        if sign in ("s", "o"):
            size = self.value("u")
            self.at += size + 1
            return self.data[self.at - size - 1 : self.at - 1].decode("utf-8", "surrogateescape")
        if sign == "g":
            size = self.value("y")
            self.at += size + 1
            return self.data[self.at - size - 1 : self.at - 1].decode("ascii")
        if sign == "v":
            return self.value(self.value("g"))
        if sign.startswith("("):
            self.align(8)
            return tuple(self.value(each) for each in _parts(sign[1:-1]))
        if not sign.startswith("a") or len(_parts(sign)) != 1:
            raise ValueError(sign)
        size = self.value("u")
        self.align(8 if sign[1] in "(xtd" else 1 if sign[1] in "ygv" else 2 if sign[1] in "nq" else 4)
        end, found = self.at + size, []
        while self.at < end:
            found.append(self.value(sign[1:]))
        return found


def _parts(sign: str) -> List[str]:
    """The types one after another: "sa(si)b" is s, a(si) and b."""
    found, start, depth = [], 0, 0
    for at, character in enumerate(sign):
        depth += (character == "(") - (character == ")")
        if depth == 0 and character != "a":
            found.append(sign[start : at + 1])
            start = at + 1
    return found


def shown(name: str, value: Any) -> str:
    """A value as `systemctl show` prints it, but for times, which are in seconds, and ExecStart=, of which the program and its arguments are enough."""
    if name in _CPUS:
        return " ".join(cpu_text([8 * number + bit for number, byte in enumerate(value) for bit in range(8) if byte >> bit & 1]).split(","))
    if name == "ExecStart":
        return "\n".join(f"{{ path={each[0]} ; argv[]={' '.join(each[1])} ; ignore_errors={'yes' if each[2] else 'no'} }}" for each in value)
    if name == "EnvironmentFiles":
        return "\n".join(f"{file} (ignore_errors={'yes' if optional else 'no'})" for file, optional in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        if value and isinstance(value[0], tuple):
            return "\n".join(f"{device} {number}" for device, number in value)
        return " ".join(_quoted(each) for each in value)
    if value == _NONE:
        return "[not set]" if name in _UNSET else "infinity"
    if name in _TIMES:
        return f"{value / 1000000:.6f}s"
    return "idle" if (name, value) == ("CPUWeight", 0) else str(value)


def _quoted(word: str) -> str:
    if word and not set(word) & set(" \t\n\"'\\`$*?[]()<>|&;!"):
        return word
    return '"' + "".join(f"\\{each}" if each in '"\\`$' else each for each in word) + '"'


def table(units: Sequence[str], names: Sequence[str], values: Dict[int, Any]) -> Dict[str, Dict[str, str]]:
    """unit → property → text, for questions that were numbered from 1 on, unit by unit."""
    found: Dict[str, Dict[str, str]] = {}
    for number, unit in enumerate(units):
        told = ((name, values.get(number * len(names) + at)) for at, name in enumerate(names, 1))
        found[unit] = {name: shown(name, value) for name, value in told if value is not None}
    return found
