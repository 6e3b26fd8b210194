# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to systemd and what systemd 252 of Debian 12 answered to them; and systemd that answers otherwise, or not at all."""

import base64
import contextlib
import socket
import struct
import threading
from typing import Dict, Iterator, List, Optional

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits import dbus, manager
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.variables import words
from tests.fakes.host import RealHost

UNIT = "we\\x2drd.service"
ANSWERS = {
    "Id": (
        "bAIBARkAAAABAAAANwAAAAUBdQABAAAABwFzABgAAABvcmcuZnJlZWRlc2t0b3Auc3lzdGVtZDEAAAAAAAAAAAgBZwABdgAAAXMAABAAAAB3ZVx4MmRyZC5zZXJ2aWNlAA==",
        "we\\x2drd.service",
    ),
    "NeedDaemonReload": (
        "bAIBAQgAAAACAAAANwAAAAUBdQACAAAABwFzABgAAABvcmcuZnJlZWRlc2t0b3Auc3lzdGVtZDEAAAAAAAAAAAgBZwABdgAAAWIAAAAAAAA=",
        "no",
    ),
    "DropInPaths": (
        "bAIBAT0AAAAEAAAANwAAAAUBdQAEAAAABwFzABgAAABvcmcuZnJlZWRlc2t0b3Auc3lzdGVtZDEAAAAAAAAAAAgBZwABdgAAAmFzADUAAAAwAAAAL2V0Yy9zeXN0ZW1kL3N5c3RlbS93"
        "ZVx4MmRyZC5zZXJ2aWNlLmQvOTAteC5jb25mAA==",
        '"/etc/systemd/system/we\\\\x2drd.service.d/90-x.conf"',
    ),
    "MemoryHigh": (
        "bAIBARAAAAAFAAAANwAAAAUBdQAFAAAABwFzABgAAABvcmcuZnJlZWRlc2t0b3Auc3lzdGVtZDEAAAAAAAAAAAgBZwABdgAAAXQAAAAAAAAAQKZ4AQAAAA==",
        "6319128576",
    ),
    "MemoryMax": (
        "bAIBARAAAAAGAAAANwAAAAUBdQAGAAAABwFzABgAAABvcmcuZnJlZWRlc2t0b3Auc3lzdGVtZDEAAAAAAAAAAAgBZwABdgAAAXQAAAAAAAD//////////w==",
        "infinity",
    ),
    "CPUWeight": (
        "bAIBARAAAAAHAAAANwAAAAUBdQAHAAAABwFzABgAAABvcmcuZnJlZWRlc2t0b3Auc3lzdGVtZDEAAAAAAAAAAAgBZwABdgAAAXQAAAAAAAAAAAAAAAAAAA==",
        "idle",
    ),
    "CPUQuotaPerSecUSec": (
        "bAIBARAAAAAJAAAANwAAAAUBdQAJAAAABwFzABgAAABvcmcuZnJlZWRlc2t0b3Auc3lzdGVtZDEAAAAAAAAAAAgBZwABdgAAAXQAAAAAAAAI4gEAAAAAAA==",
        "0.123400s",
    ),
    "AllowedCPUs": (
        "bAIBARAAAAAKAAAANwAAAAUBdQAKAAAABwFzABgAAABvcmcuZnJlZWRlc2t0b3Auc3lzdGVtZDEAAAAAAAAAAAgBZwABdgAAAmF5AAgAAAALAAAAAAAAAA==",
        "0-1 3",
    ),
    "Environment": (
        "bAIBAVYAAAAMAAAANwAAAAUBdQAMAAAABwFzABgAAABvcmcuZnJlZWRlc2t0b3Auc3lzdGVtZDEAAAAAAAAAAAgBZwABdgAAAmFzAE4AAAAMAAAAR09NQVhQUk9DUz0zAAAAAAUAAABY"
        "PWEgYgAAAAUAAABZPXEicQAAAAUAAABaPWFcYgAAAAYAAABXPWl0J3MAAAUAAABWPTEwMAA=",
        'GOMAXPROCS=3 "X=a b" "Y=q\\"q" "Z=a\\\\b" "W=it\'s" V=100',
    ),
    "EnvironmentFiles": (
        "bAIBATAAAAANAAAANwAAAAUBdQANAAAABwFzABgAAABvcmcuZnJlZWRlc2t0b3Auc3lzdGVtZDEAAAAAAAAAAAgBZwABdgAABWEoc2IpAAAgAAAAAAAAAAYAAAAvZXRjL2EAAAAAAAAH"
        "AAAAL2V0Yy9iKgABAAAA",
        "/etc/a (ignore_errors=no)\n/etc/b* (ignore_errors=yes)",
    ),
    "IOReadBandwidthMax": (
        "bAIBAUAAAAAOAAAANwAAAAUBdQAOAAAABwFzABgAAABvcmcuZnJlZWRlc2t0b3Auc3lzdGVtZDEAAAAAAAAAAAgBZwABdgAABWEoc3QpAAAwAAAAAAAAAAgAAAAvZGV2L3ZkYQAAAACA"
        "lpgAAAAAAAkAAAAvZGV2L251bGwAAAAALTEBAAAAAA==",
        "/dev/vda 10000000\n/dev/null 20000000",
    ),
    "ExecStart": (
        "bAIBAXwAAAAPAAAANwAAAAUBdQAPAAAABwFzABgAAABvcmcuZnJlZWRlc2t0b3Auc3lzdGVtZDEAAAAAAAAAAAgBZwABdgAADmEoc2FzYnR0dHR1aWkpAGQAAAAAAAAACgAAAC9iaW4v"
        "c2xlZXAAABwAAAAKAAAAL2Jpbi9zbGVlcAAABwAAADEwMDAwMDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
        "{ path=/bin/sleep ; argv[]=/bin/sleep 1000000 ; ignore_errors=no }",
    ),
    "OOMScoreAdjust": (
        "bAIBAQgAAAAQAAAANwAAAAUBdQAQAAAABwFzABgAAABvcmcuZnJlZWRlc2t0b3Auc3lzdGVtZDEAAAAAAAAAAAgBZwABdgAAAWkAAJz///8=",
        "-100",
    ),
    "DelegateControllers": (
        "bAIBATkAAAARAAAANwAAAAUBdQARAAAABwFzABgAAABvcmcuZnJlZWRlc2t0b3Auc3lzdGVtZDEAAAAAAAAAAAgBZwABdgAAAmFzADEAAAADAAAAY3B1AAYAAABjcHVzZXQAAAIAAABp"
        "bwAABgAAAG1lbW9yeQAABAAAAHBpZHMA",
        "cpu cpuset io memory pids",
    ),
    "Nonsense": (
        "bAMBAU0AAAAUAAAAbwAAAAUBdQAUAAAABAFzACoAAABvcmcuZnJlZWRlc2t0b3AuREJ1cy5FcnJvci5Vbmtub3duUHJvcGVydHkAAAAAAAAHAXMAGAAAAG9yZy5mcmVlZGVza3RvcC5z"
        "eXN0ZW1kMQAAAAAAAAAACAFnAAFzAABIAAAAVW5rbm93biBpbnRlcmZhY2Ugb3JnLmZyZWVkZXNrdG9wLnN5c3RlbWQxLlNlcnZpY2Ugb3IgcHJvcGVydHkgTm9uc2Vuc2UuAA==",
        None,
    ),
}
NAMES = list(ANSWERS)
QUESTION = (
    b"l\x01\x00\x01+\x00\x00\x00\x01\x00\x00\x00\x80\x00\x00\x00\x01\x01o\x003\x00\x00\x00/org/freedesktop/systemd1/unit/we_5cx2drd_2eservice"
    b"\x00\x00\x00\x00\x00\x02\x01s\x00\x1f\x00\x00\x00org.freedesktop.DBus.Properties\x00\x03\x01s\x00\x03\x00\x00\x00Get\x00\x00\x00\x00\x00"
    b"\x08\x01g\x00\x02ss\x00\x1d\x00\x00\x00org.freedesktop.systemd1.Unit\x00\x00\x00\x02\x00\x00\x00Id\x00"
)


def answer(name: str, serial: int) -> bytes:
    """As it came, but for the number of the question."""
    data = bytearray(base64.b64decode(ANSWERS[name][0]))
    struct.pack_into("<I", data, 20, serial)
    return bytes(data)


def test_question() -> None:
    """systemd has answered to this one."""
    assert dbus.question(UNIT, "Id", 1) == QUESTION


@pytest.mark.parametrize(
    ("unit", "path"),
    [("-.slice", "_2d_2eslice"), ("0a.service", "_30a_2eservice"), ("a@1.service", "a_401_2eservice"), ("user-1000.slice", "user_2d1000_2eslice")],
)
def test_path(unit: str, path: str) -> None:
    assert dbus.path(unit) == f"/org/freedesktop/systemd1/unit/{path}"


@pytest.mark.parametrize("name", NAMES)
def test_answer(name: str) -> None:
    found = dbus.answer(answer(name, 77))
    assert found is not None and found[0] == 77
    assert (None if found[1] is None else dbus.shown(name, found[1])) == ANSWERS[name][1]


def test_systemd_itself() -> None:
    assert dbus.path(dbus.ITSELF) == "/org/freedesktop/systemd1"
    assert b"\0org.freedesktop.systemd1.Manager\0" in dbus.question(dbus.ITSELF, "Version", 1)
    assert manager.itself(Listening(answers=[answer("Id", 1), answer("Environment", 2)]), ["Id", "Environment"]) == {
        "Id": UNIT,
        "Environment": ANSWERS["Environment"][1],
    }
    assert manager.itself(Listening(answers=[]), ["Id"]) is manager.itself(RealHost(), ["Id"]) is None


def test_lists_can_be_read_again() -> None:
    values = ["GOMAXPROCS=3", "X=a b", 'Y=q"q', "Z=a\\b", "W=it's", "E="]
    assert words(dbus.shown("Environment", values), printed=True) == values


class Systemd(threading.Thread):
    """Listens at the end of a pair, and answers each question, in pieces of a size."""

    def __init__(self, line: socket.socket, greeting: bytes, answers: List[bytes], piece: int) -> None:
        super().__init__(daemon=True)
        self.line, self.greeting, self.answers, self.piece, self.asked = line, greeting, answers, piece, b""

    def run(self) -> None:
        while not self.asked.endswith(b"BEGIN\r\n"):
            self.asked += self.line.recv(1)
        self.line.sendall(self.greeting)
        self.line.recv(1)
        data = b"".join(self.answers)
        with contextlib.suppress(OSError):  # who asks has heard enough
            for at in range(0, len(data), self.piece):
                self.line.sendall(data[at : at + self.piece])
            self.line.shutdown(socket.SHUT_WR)


class Listening(RealHost):
    def __init__(self, greeting: bytes = b"OK 97377c38\r\n", answers: Optional[List[bytes]] = None, piece: int = 1 << 16) -> None:
        self.greeting, self.piece = greeting, piece
        self.answers = [answer(name, serial) for serial, name in enumerate(NAMES, 1)] if answers is None else answers

    def connect(self, path: str) -> socket.socket:
        assert path == "/run/systemd/private"
        mine, its = socket.socketpair()
        Systemd(its, self.greeting, self.answers, self.piece).start()
        return mine


SIGNAL = QUESTION[:1] + b"\x04" + QUESTION[2:]


@pytest.mark.parametrize("piece", [1 << 16, 1, 7, 100])
def test_conversation(piece: int) -> None:
    """Whatever pieces it comes in, in any order, and with what answers nothing between."""
    expected = {name: text for name, (_data, text) in ANSWERS.items() if text is not None}
    host = Listening(piece=piece)
    assert manager.properties(host, [UNIT], NAMES) == {UNIT: expected}
    assert manager.properties(Listening(answers=[*reversed(host.answers), SIGNAL], piece=piece), [UNIT], NAMES) == {UNIT: expected}
    assert manager.properties(Listening(answers=[SIGNAL, *host.answers], piece=piece), [UNIT], NAMES) == {UNIT: expected}


def broken() -> Iterator[Listening]:
    whole = [answer(name, serial) for serial, name in enumerate(NAMES, 1)]
    yield Listening(greeting=b"REJECTED EXTERNAL\r\n")
    yield Listening(answers=[])
    yield Listening(answers=whole[:-1])
    yield Listening(answers=[*whole[:-1], whole[-1][:-5]])
    yield Listening(answers=[b"B" + each[1:] for each in whole])
    yield Listening(answers=[answer("Nonsense", serial) for serial in range(1, len(NAMES) + 1)])  # no Id
    yield Listening(answers=[each.replace(b"\x01s\0\0", b"\x01?\0\0").replace(b"\x02as\0", b"\x02a?\0") for each in whole])


@pytest.mark.parametrize("number", range(len(list(broken()))))
def test_other_answers(number: int) -> None:
    """Then systemctl is asked."""
    assert manager.properties(list(broken())[number], [UNIT], NAMES) is None


def test_nobody_listens() -> None:
    assert manager.properties(RealHost(), [UNIT], NAMES) is None


def test_table() -> None:
    values: Dict[int, object] = {1: "a.service", 2: 5, 3: "b.slice", 4: None}
    assert dbus.table(["a.service", "b.slice"], ["Id", "MainPID"], values) == {"a.service": {"Id": "a.service", "MainPID": "5"}, "b.slice": {"Id": "b.slice"}}
