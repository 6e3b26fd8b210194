# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's files, made by hand: what they answer on a real machine is for the integration tests."""

import os
from pathlib import Path
from typing import Any, Dict

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.selinux.denials import security_server
from ansible_collections.gohost.linux.plugins.module_utils.selinux.denials.security_server import LocalSecurityServer, Why

GOAPP, PORT = "a:b:goapp_t:s0", "a:b:http_port_t:s0"


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {"enforce": "1", "class/tcp_socket/index": "26\n", "booleans/httpd_can_network_connect": "0 0", "booleans/on": "1 1"}
    files.update({f"class/tcp_socket/perms/{name}": str(bit) for bit, name in enumerate(("ioctl", "name_bind", "name_connect"), 1)})
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(security_server, "_SELINUXFS", str(tmp_path))
    return tmp_path


def answering(monkeypatch: pytest.MonkeyPatch, kernel: Path, answers: Dict[str, str]) -> "list[str]":
    """As selinuxfs does: what is read is the answer to what was written; a question it does not understand is EINVAL."""
    asked = []

    def write(handle: int, question: bytes) -> int:
        asked.append(question.decode())
        if asked[-1] not in answers:
            raise OSError(22, "Invalid argument")
        return len(question)

    (kernel / "access").touch()
    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(os, "read", lambda handle, size: answers[asked[-1]].encode())
    return asked


def test_access(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch, kernel, {f"{GOAPP} {PORT} 26": "2 ffffffff 0 fffffffb 12 0"})
    server = LocalSecurityServer()
    for _again in range(2):
        seen = server.access(GOAPP, PORT, "tcp_socket")
        assert seen is not None and (set(seen.allowed), set(seen.silent)) == ({"name_bind"}, {"name_connect"})
    assert len(asked) == 1
    assert server.access(GOAPP, "a:b:nosuch_t:s0", "tcp_socket") is None
    assert server.access(GOAPP, PORT, "nosuch") is None
    assert server.access(GOAPP, PORT, "../booleans") is None
    assert len(asked) == 2


def test_mode_and_booleans(kernel: Path) -> None:
    server = LocalSecurityServer()
    assert server.mode() == "enforcing"
    assert [server.boolean(name) for name in ("httpd_can_network_connect", "on", "nosuch")] == [False, True, None]
    (kernel / "enforce").write_text("0")
    assert server.mode() == "permissive"


def test_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security_server, "_CONFIG", str(tmp_path / "config"))
    monkeypatch.setattr(security_server, "_STORES", str(tmp_path))
    server = LocalSecurityServer()
    assert (server.silent(), server.port("tcp", 80)) == (None, "")
    (tmp_path / "config").write_text("SELINUX=enforcing\nSELINUXTYPE=default\n")
    store = tmp_path / "default/active"
    store.mkdir(parents=True)
    assert (server.silent(), server.port("tcp", 80)) == (True, "")
    lines = [
        "# comment",
        "portcon tcp 8081 system_u:object_r:http_port_t:s0",
        "portcon udp 20000-20010 system_u:object_r:dns_port_t:s0",
        "portcon tcp x y",
        "portcon tcp 1 bad",
    ]
    (store / "ports.local").write_text("\n".join(lines) + "\n")
    (store / "disable_dontaudit").touch()
    asked = [("tcp", 8081), ("udp", 8081), ("udp", 20000), ("udp", 20010), ("udp", 20011), ("tcp", 1)]
    assert [server.port(*each) for each in asked] == ["http_port_t", "", "dns_port_t", "dns_port_t", "", ""]
    assert server.silent() is False


def test_without_selinux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security_server, "_SELINUXFS", str(tmp_path / "none"))
    server = LocalSecurityServer()
    assert (server.mode(), server.reasons(), server.access(GOAPP, PORT, "tcp_socket")) == ("disabled", False, None)
    assert (server.default_label("/etc/passwd"), server.customizable(PORT), server.why(GOAPP, PORT, "tcp_socket", ("name_bind",)).kind) == ("", False, "")
    assert server.label(str(tmp_path / "none")) == ""


class Analyst:
    """What selinux.audit2why is; analyze as its C code answers."""

    ALLOW, DONTAUDIT, TERULE, BOOLEAN, CONSTRAINT, RBAC = range(6)
    answer: Any = (-1, None)

    def analyze(self, source: str, target: str, tclass: str, permissions: "list[str]") -> Any:
        assert isinstance(permissions, list)
        (source + target).encode()
        return self.answer


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((0, None), Why("allow")),
        ((1, None), Why("rule")),
        ((2, None), Why("rule")),
        ((3, (("a", 1), ("b", 0))), Why("boolean", (("a", True), ("b", False)))),
        ((4, None), Why("constraint")),
        ((5, None), Why("rbac")),
        ((-3, None), Why("")),
    ],
)
def test_why(kernel: Path, answer: Any, why: Why) -> None:
    server, analyst = LocalSecurityServer(), Analyst()
    analyst.answer = answer
    server._analyst = analyst
    assert server.reasons()
    assert server.why(GOAPP, PORT, "tcp_socket", ("name_bind",)) == why
    assert server.why("\udcff", PORT, "tcp_socket", ("name_bind",)) == Why("")


def test_find(tmp_path: Path) -> None:
    made: Dict[str, Any] = {}
    for name in ("a/x", "a/deep/er/y", "b/x", "c"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        made[name] = (path.name, path.stat().st_ino)
    (tmp_path / "b/loop").symlink_to(tmp_path)
    server = LocalSecurityServer()
    places = [str(tmp_path / "nosuch"), str(tmp_path)]
    assert server.find(made.values(), places, 100) == {key: str(tmp_path / name) for name, key in made.items()}
    assert server.find([("x", 1)], places, 100) == {} == server.find(made.values(), places, 0)
    assert len(server.find(made.values(), places, 1)) <= 1
    assert server.find([made["b/x"]], [str(tmp_path / "a")], 100) == {}
