# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role go_selinux where there is nothing for it to do, or nothing to do it on; the other case is in test_selinux_service.py."""

import glob
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.host import Host
from tests.integration.playbook import Play, Run, reached

ROLE = "gohost.linux.go_selinux"
WISHES = {"services": [{"name": "shop", "executable": "/opt/shop/bin/server", "listens": [8443]}], "toolchain_roots": ["/opt/go"], "state": "enforcing"}


def _run(directory: Path, *arguments: str, on: "Host | None" = None, **variables: Any) -> Run:
    role = {"role": ROLE, **{f"go_selinux_{name}": value for name, value in variables.items()}}
    return Play(directory).run(*arguments, play={"roles": [role]}, variables=reached(on) if on else {})


def test_nothing_wished_costs_nothing(tmp_path: Path) -> None:
    run = _run(tmp_path)
    assert run.rc == 0, run.output
    names = [done.task for done in run.done if not done.result.get("skipped")]
    assert len(names) == 1 and "alidating arguments" in names[0]


@pytest.mark.skipif(bool(glob.glob("/etc/selinux/*/contexts")), reason="this machine has an SELinux policy, which is not ours to change")
def test_a_host_without_selinux_says_so(tmp_path: Path) -> None:
    run = _run(tmp_path, on=None, **WISHES)
    assert run.rc == 0 and "changed=0" in run.output, run.output
    assert run[f"{ROLE} : There is no SELinux"].msg == "This host has no SELinux policy, so nothing is done for it."
    did = [done.task.partition(" : ")[2] for done in run.done if not done.result.get("skipped")]
    assert did[1:] == ["What is wished for SELinux is done where it is", "The host is asked whether it has SELinux", "There is no SELinux"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"state": "on"}, "value of go_selinux_state must be one of: enforcing, permissive, unchanged"),
        ({"services": [{"name": "shop"}]}, "missing required arguments: executable"),
        ({"services": [{"name": "shop", "executable": "/opt/shop/bin/server", "listen": [1]}]}, "go_selinux_services.listen"),
    ],
)
def test_wrong_variables_are_refused(tmp_path: Path, wrong: "dict[str, Any]", message: str) -> None:
    run = _run(tmp_path, on=None, **wrong)
    assert run.rc != 0 and message in run.done[-1].msg + str(run.done[-1].result.get("argument_errors")), run.output


@pytest.mark.vm
@pytest.mark.long
@pytest.mark.once
def test_the_state_of_selinux(guest: Host, tmp_path: Path) -> None:
    ask = "getenforce; sed -n 's/^SELINUX=//p' /etc/selinux/config"
    before = guest.run(ask).stdout.split()
    assert before == ["Enforcing", "enforcing"]
    try:
        check = _run(tmp_path, "--check", on=guest, state="permissive")
        assert check.rc == 0 and "changed=2" in check.output and guest.run(ask).stdout.split() == before
        apply = _run(tmp_path, on=guest, state="permissive")
        assert apply.rc == 0 and "changed=2" in apply.output and guest.run(ask).stdout.split() == ["Permissive", "permissive"]
        assert "changed=0" in _run(tmp_path, on=guest, state="permissive").output
        back = _run(tmp_path, on=guest, state="enforcing")
        assert back.rc == 0 and "changed=2" in back.output and guest.run(ask).stdout.split() == before
        assert [done.result["ansible_facts"] for done in back.done if "ansible_facts" in done.result] == [{"go_selinux_reboot_required": False}]
    finally:
        guest.run("setenforce 1; sed -i 's/^SELINUX=.*/SELINUX=enforcing/' /etc/selinux/config")
