# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python the module runs under."""

from typing import Any

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.modules import selinux_go_context as door
from tests.fakes.host import RealHost


class Here(RealHost):
    def stat(self, path: str) -> Any:
        return path == "/etc/os-release" or None

    def read(self, path: str, limit: int = 0) -> bytes:
        return b"ID=debian\n"


def missing() -> Any:
    raise ImportError("semanage")


@pytest.fixture
def respawned(monkeypatch: pytest.MonkeyPatch) -> "list[str]":
    found: list[str] = []
    monkeypatch.setattr(door, "respawn_module", found.append)
    monkeypatch.setattr(door, "has_respawned", lambda: False)
    monkeypatch.setattr(door, "probe_interpreters_for_module", lambda _paths, _module: "/usr/bin/python3")
    return found


def test_an_interpreter_with_bindings_goes_on(respawned: "list[str]", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "bindings", lambda: None)
    door._need_bindings(Here())
    assert respawned == []


def test_another_interpreter_has_them(respawned: "list[str]", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "bindings", missing)
    with pytest.raises(GoHostError):  # the real respawn_module does not come back
        door._need_bindings(Here())
    assert respawned == ["/usr/bin/python3"]


@pytest.mark.parametrize(("again", "found"), [(True, "/usr/bin/python3"), (False, None)])
def test_no_interpreter_has_them(again: bool, found: Any, respawned: "list[str]", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "bindings", missing)
    monkeypatch.setattr(door, "has_respawned", lambda: again)
    monkeypatch.setattr(door, "probe_interpreters_for_module", lambda _paths, _module: found)
    with pytest.raises(GoHostError, match="Install the package python3-semanage."):
        door._need_bindings(Here())
    assert respawned == []
