# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role go_limits: nothing wished, wrong wishes, a host without systemd, and user sessions; what it does on hosts is in molecule/shared/tests."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.host import Host
from tests.integration.playbook import Play, Run, reached

ROLE = "gohost.linux.go_limits"
LIMITED = f"{ROLE} : Slices, services and users have their limits"
EVERYBODYS = "/etc/systemd/system/user-.slice.d/80-gohost-limits.conf"
DELEGATION = "/etc/systemd/system/user@.service.d/80-gohost-limits.conf"
BARE = pytest.mark.skipif(os.path.isdir("/run/systemd/system"), reason="systemd runs here, and its units are not ours to change")
WISHES: "dict[str, Any]" = {
    "slices": [{"name": "ci", "preset": "build"}],
    "services": [{"name": "shop", "slice": "ci", "memory_max": "1GiB", "limit_nofile": 4096}],
    "users": [{"user": "root", "tasks_max": "infinity"}, {"all": "each", "tasks_max": 4096}],
}


def _run(directory: Path, *arguments: str, on: "Host | None" = None, **variables: Any) -> Run:
    role = {"role": ROLE, **{f"go_limits_{name}": value for name, value in variables.items()}}
    return Play(directory).run(*arguments, play={"roles": [role]}, variables=reached(on) if on else {}, env={"ANSIBLE_INJECT_INVOCATION": "1"})


def _units(run: Run) -> "list[dict[str, Any]]":
    """What the module was asked for, without what nobody said."""
    asked = run[LIMITED].result["invocation"]["module_args"]["units"]
    return [{name: value for name, value in unit.items() if value is not None} for unit in asked]


def test_nothing_wished_costs_nothing(tmp_path: Path) -> None:
    run = _run(tmp_path, restart="always", force=True)
    assert run.rc == 0, run.output
    names = [done.task for done in run.done if not done.result.get("skipped")]
    assert len(names) == 1 and "alidating arguments" in names[0]


@BARE
def test_a_host_without_systemd_says_so(tmp_path: Path) -> None:
    run = _run(tmp_path, **WISHES)
    assert run.rc != 0 and "systemd" in run[LIMITED].msg and "\n" not in run[LIMITED].msg, run.output
    words = ("unit", "slice", "memory_max", "cpu_weight", "tasks_max", "limit_nofile")
    assert [{name: unit[name] for name in words if name in unit} for unit in _units(run)] == [
        {"unit": "ci.slice", "memory_max": "75%", "cpu_weight": "50", "tasks_max": "25%"},
        {"unit": "shop.service", "slice": "ci.slice", "memory_max": "1GiB", "limit_nofile": 4096},
        {"unit": "user-0.slice", "tasks_max": "infinity"},
        {"unit": "user-.slice", "tasks_max": "4096"},
    ]


@BARE
def test_users_who_are_not_there(tmp_path: Path) -> None:
    """An error, but in check mode, where they may be made by a task before."""
    users = [{"user": "root", "tasks_max": 9}, {"user": "nobody-of-that-name", "tasks_max": 9}]
    run = _run(tmp_path, users=users)
    assert run.rc != 0 and "no such user on this host: nobody-of-that-name. Create the user before" in run.output, run.output
    check = _run(tmp_path, "--check", users=users)
    assert [unit["unit"] for unit in _units(check)] == ["user-0.slice"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"restart": "now"}, "value of go_limits_restart must be one of: never, needed, always"),
        ({"slices": [{"memory_max": 1}]}, "missing required arguments: name"),
        ({"slices": [{"name": "ci", "preset": "huge"}]}, "value of preset must be one of: small, build, service"),
        ({"slices": [{"name": "ci", "limit_nofile": 9}]}, "go_limits_slices.limit_nofile"),
        ({"services": [{"name": "shop", "MemoryMax": "1G"}]}, "go_limits_services.MemoryMax"),
        ({"users": [{"user": "root", "all": "each"}]}, "a limit of users needs either user or all"),
        ({"services": [{"name": "ci.slice", "memory_max": 1}]}, "no name of a service or scope: 'ci.slice'"),
    ],
)
def test_wrong_variables_are_refused(tmp_path: Path, wrong: "dict[str, Any]", message: str) -> None:
    run = _run(tmp_path, "--check", **wrong)
    assert run.rc != 0 and message in run.done[-1].msg + str(run.done[-1].result.get("argument_errors")) + run.output, run.output


@pytest.mark.vm
def test_users_and_what_they_may_hand_on(guest: Host, tmp_path: Path) -> None:
    """A user by name, checked, applied, checked, applied; the controllers from the next start of the user's manager on; and all of it taken away."""
    number = guest.run("id -u admin").stdout.strip()
    own = f"/etc/systemd/system/user-{number}.slice.d/90-gohost-limits.conf"
    users: list[dict[str, Any]] = [{"all": "each", "tasks_max": 888}, {"user": "admin", "tasks_max": 777}]
    wishes: dict[str, Any] = {"users": users, "user_delegate": ["cpu", "cpuset", "io", "memory", "pids"]}
    gone = {"users": [{"all": "each", "state": "absent"}, {"user": "admin", "state": "absent"}], "services": [{"name": "user@", "state": "absent"}]}
    listed = f"ls {own} {DELEGATION} {EVERYBODYS} 2>/dev/null; true"
    managers = f"systemctl restart user@{number}.service && cat /sys/fs/cgroup/user.slice/user-{number}.slice/user@{number}.service/cgroup.controllers"
    try:
        before = guest.run(managers).stdout.split()
        for arguments, changes in ((["--check"], True), ([], True), (["--check"], False), ([], False)):
            run = _run(tmp_path, *arguments, on=guest, **wishes)
            assert run.rc == 0 and run[LIMITED].changed is changes, run.output
            assert guest.run(listed).stdout.split() == ([] if changes and arguments else [EVERYBODYS, own, DELEGATION])
            assert [unit["warnings"] for unit in run[LIMITED].result["units"]] == [[], [], []], "a user's own limit before that of all is nothing to warn of"
        assert guest.run(
            f"systemctl show -p TasksMax --value user-{number}.slice; cat /sys/fs/cgroup/user.slice/user-{number}.slice/pids.max"
        ).stdout.split() == ["777", "777"]
        assert "cpuset" not in before and set(guest.run(managers).stdout.split()) == {"cpu", "cpuset", "io", "memory", "pids"}
    finally:
        run = _run(tmp_path, on=guest, **gone)
        after = guest.run(managers).stdout.split()
        guest.run(f"systemctl stop user@{number}.service")
    assert run.rc == 0 and run[LIMITED].changed and guest.run(listed).stdout == "" and after == before
