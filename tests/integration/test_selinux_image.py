# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tree that is to become another host's file system gets its records and its labels on a machine without SELinux, and boots with them, enforcing."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import cache, hosts, machine, vms
from tests.hosts.host import Host
from tests.integration.playbook import PASSES, Done, Play, reached
from tests.runner.workspace import Missing

pytestmark = [pytest.mark.vm, pytest.mark.once, pytest.mark.long]
MODULE = "gohost.linux.selinux_go_context"
POLICY = "etc/selinux/default"
STORE = "var/lib/selinux/default/active"
CIL = """\
(type goimage_t)
(roletype object_r goimage_t)
(typeattributeset file_type (goimage_t))
(filecon "/opt/goimage/module" any (system_u object_r goimage_t ((s0) (s0))))
"""
RULES = [{"target": "/srv/goimage/tool(/.*)?", "setype": "bin_t"}, {"target": "/srv/goimage/data(/.*)?", "setype": "usr_t"}]
WISHES: dict[str, Any] = {
    "fcontexts": RULES,
    "equivalences": [{"path": "/opt/golang/1.27.3", "source": "/usr/local/go"}],
    "ports": [{"proto": "tcp", "port": "8080", "setype": "http_port_t"}],
    "booleans": [{"name": "httpd_can_network_connect", "state": True}],
    "modules": [{"name": "goimage", "cil": CIL}],
    "permissive": [{"domain": "goimage_t"}],
    "restore": {"paths": ["/"]},
}
MOVED: dict[str, Any] = {"fcontexts": [RULES[0], {**RULES[1], "setype": "goimage_t"}], "restore": {"changed": True}}
OURS = {
    "/srv/goimage/tool/server": "bin_t",
    "/srv/goimage/data/x": "usr_t",
    "/opt/goimage/module": "goimage_t",
    "/opt/golang/1.27.3/bin/go": "bin_t",
}
DISTRIBUTION = {"/etc/shadow": "shadow_t", "/usr/sbin/sshd": "sshd_exec_t", "/lost+found": "lost_found_t"}
HERE = ("/etc/shadow", "/srv", "/opt")


def label(path: str) -> str:
    try:
        return os.getxattr(path, "security.selinux", follow_symlinks=False).decode().rstrip("\0")
    except OSError:
        return ""


def four(directory: Path, root: Path, **options: Any) -> list[Done]:
    """A wish for the tree, checked, applied, checked, applied by this machine's own tools."""
    tasks = Play(directory, root=str(root))
    tasks.wish("wish", module=MODULE, **options)
    run = tasks.run()
    return [run[f"wish: {each}"].ok() for each in PASSES]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Debian 12's tree with a policy and files of ours, none of them labelled."""
    if os.path.exists("/sys/fs/selinux/enforce"):
        pytest.skip("this machine runs SELinux; trees beside it are what test_selinux_restore is about")
    directory = tmp_path_factory.mktemp("image")
    tree = directory / "root"
    try:
        machine.need(machine.BINDINGS)
        vms.tree("bookworm", tree)
    except Missing as missing:
        pytest.skip(str(missing))
    for path in OURS:
        (tree / path[1:]).parent.mkdir(parents=True)
        (tree / path[1:]).touch()
    yield tree
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def labelled(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with its records and labels: all at once, then one rule otherwise."""
    here = [label(path) for path in HERE]
    directory = tmp_path_factory.mktemp("plays")
    assert not label(f"{root}/etc/shadow")

    check, apply, *again = four(directory / "all", root, **WISHES)
    assert check.changed and apply.changed
    for key in ("changes", "relabelled", "diff"):
        assert check.result[key] == apply.result[key], key
    assert len(apply.result["relabelled"]) > 10_000
    for done in again:
        assert not done.changed and done.result["commit"] is None and done.result["relabelled"] == []
    for path, setype in {**OURS, **DISTRIBUTION}.items():
        assert label(f"{root}{path}") == f"system_u:object_r:{setype}:s0"

    check, apply, *again = four(directory / "moved", root, **MOVED)
    assert check.result["relabelled"] == apply.result["relabelled"]
    before, after = (f"system_u:object_r:{setype}:s0" for setype in ("usr_t", "goimage_t"))
    assert apply.result["relabelled"] == [{"path": f"{root}/srv/goimage/data{rest}", "old": before, "new": after} for rest in ("", "/x")]
    assert not any(done.changed for done in again)

    contexts = f"{root}/{POLICY}/contexts/files/file_contexts"
    assert cache.command(["setfiles", "-n", "-v", "-F", "-r", str(root), contexts, str(root)]) == "", "the tree's own policy has other labels"
    assert [label(path) for path in HERE] == here, "this machine's own files were labelled"
    return root


@pytest.fixture(scope="module")
def booted(labelled: Path) -> Iterator[Host]:
    image = labelled.parent / "packed"
    image.mkdir()
    vms.pack(labelled, image)
    host = vms.boot(image, "integration-image")
    yield host
    hosts.stop(host)


def shell(host: Host, script: str) -> str:
    done = host.run(script, 300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_boots_enforcing_with_records_and_labels(booted: Host, labelled: Path) -> None:
    assert shell(booted, "getenforce; cat /proc/1/attr/current | tr -d '\\0'; echo; ps -o label= -C sshd | sort -u").splitlines() == [
        "Enforcing",
        "system_u:system_r:init_t:s0",
        "system_u:system_r:sshd_t:s0",
    ]
    exported = shell(booted, "semanage export").splitlines()
    for line in (
        "fcontext -a -f a -t bin_t -r 's0' '/srv/goimage/tool(/.*)?'",
        "fcontext -a -f a -t goimage_t -r 's0' '/srv/goimage/data(/.*)?'",
        "fcontext -a -e /usr/local/go /opt/golang/1.27.3",
        "port -a -t http_port_t -r 's0' -p tcp 8080",
        "boolean -m -1 httpd_can_network_connect",
        "permissive -a goimage_t",
    ):
        assert line in exported
    modules = {" ".join(line.split()) for line in shell(booted, "semodule -lfull").splitlines()}
    assert {"400 goimage cil", "400 permissive_goimage_t cil"} <= modules
    found = shell(booted, f"stat -c '%n %C' {' '.join([*OURS, *DISTRIBUTION])}").splitlines()
    wanted = {**OURS, "/srv/goimage/data/x": "goimage_t", **DISTRIBUTION}
    assert found == [f"{path} system_u:object_r:{setype}:s0" for path, setype in wanted.items()]


def test_the_kernel_has_loaded_this_policy_and_nothing_was_relabelled(booted: Host, labelled: Path) -> None:
    loaded = shell(booted, "seinfo /sys/fs/selinux/policy -t goimage_t --permissive --portcon 8080; getsebool httpd_can_network_connect")
    for found in ("\nTypes: 1\n   goimage_t\n", "Permissive Types: 1\n   goimage_t\n", "portcon tcp 8080 system_u:object_r:http_port_t:s0\n"):
        assert found in loaded
    assert "httpd_can_network_connect --> on" in loaded
    files = [f"{STORE}/commit_num", f"{STORE}/policy.kern", *(str(path.relative_to(labelled)) for path in (labelled / POLICY / "policy").iterdir())]
    sums = [hashlib.md5((labelled / name).read_bytes()).hexdigest() for name in files]
    assert [line.split()[0] for line in shell(booted, f"cd /; md5sum {' '.join(files)}").splitlines()] == sums
    assert shell(booted, "test ! -e /.autorelabel; systemctl is-system-running") == "running\n"
    assert shell(booted, "journalctl -b -q -g 'avc: *denied.*(unlabeled_t|file_t)' || true") == ""
    assert shell(booted, "restorecon -Rnv /boot /etc /home /opt /root /srv /usr/local /var/lib") == ""


def test_a_run_on_the_booted_machine_changes_nothing(booted: Host, tmp_path: Path) -> None:
    tasks = Play(tmp_path)
    tasks.task("again", MODULE, **{**WISHES, **MOVED, "restore": {"paths": ["/opt", "/srv", "/etc"]}})
    done = tasks.run(variables=reached(booted))["again"].ok()
    assert not done.changed and done.result["commit"] is None and done.result["selinux"] == "enforcing"
