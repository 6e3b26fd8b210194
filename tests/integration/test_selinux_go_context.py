# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""selinux_go_context on a machine with SELinux enforcing: what it says is held against what the system's own tools say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.host import Host
from tests.integration.playbook import Done, Play, Run, reached

pytestmark = [pytest.mark.vm, pytest.mark.once]
MODULE = "gohost.linux.selinux_go_context"
POLICY = "/etc/selinux/default"
STORE = "/var/lib/selinux/default"
CIL = """\
(type gotest_t)
(roletype object_r gotest_t)
(typeattributeset file_type (gotest_t))
(boolean gotest_writes false)
(filecon "/opt/gotest/module" any (system_u object_r gotest_t ((s0) (s0))))
"""
EVERYTHING: dict[str, Any] = {
    "fcontexts": [
        {"target": "/opt/gotest/tool(/.*)?", "setype": "bin_t"},
        {"target": "/opt/gotest/data(/.*)?", "setype": "gotest_t", "ftype": "f"},
        {"target": "/var/run/gotest(/.*)?", "setype": "gotest_t"},
        {"target": "/opt/gotest/left", "setype": "<<none>>"},
    ],
    "equivalences": [{"path": "/srv/gotest", "source": "/opt/gotest"}],
    "ports": [{"proto": "tcp", "port": "8080", "setype": "http_port_t"}, {"proto": "udp", "port": "20000-20010", "setype": "http_port_t"}],
    "booleans": [{"name": "httpd_can_network_connect", "state": True}, {"name": "global_ssp", "state": True, "persistent": False}],
    "modules": [{"name": "gotest", "cil": CIL}],
    "permissive": [{"domain": "gotest_t"}],
    "restore": {"changed": True},
}
# Without a module a commit takes a third of the time.
QUICK = {**EVERYTHING, "fcontexts": EVERYTHING["fcontexts"][:1], "modules": [], "permissive": []}
FILES = ["/opt/gotest/tool/go", "/opt/gotest/data/x", "/opt/gotest/module", "/opt/gotest/left", "/opt/gotest/other", "/srv/gotest/tool/go"]


def shell(guest: Host, script: str, timeout: float = 120) -> str:
    done = guest.run(script, timeout)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ran(guest: Host, tasks: Play) -> Run:
    return tasks.run(variables=reached(guest))


def one(guest: Host, directory: Path, check: bool = False, **options: Any) -> Done:
    """One task, and its result; failed or not."""
    tasks = Play(directory)
    tasks.task("one", MODULE, keywords={"check_mode": check}, **options)
    return ran(guest, tasks)["one"]


def four(run: Run, name: str) -> Done:
    """The first apply of a wish, after proof that check mode told the truth and that later runs do nothing."""
    check, apply, check_again, apply_again = (run[f"{name}: {each}"].ok() for each in ("check", "apply", "check again", "apply again"))
    assert check.changed and apply.changed
    for key in ("diff", "changes", "fcontexts", "relabelled"):
        assert check.result[key] == apply.result[key], key
    assert check.result["commit"] is None
    for again in (check_again, apply_again):
        assert not again.changed and again.result["diff"] == {"before": {}, "after": {}}, again.result["diff"]
        assert again.result["commit"] is None and again.result["seconds"] == {} and again.result["relabelled"] == []
    return apply


def state(guest: Host) -> str:
    """All that the tools say of local records, and what is installed."""
    files = f"cd {POLICY}/contexts/files; cat file_contexts.subs; grep -shv -e '^#' -e '^$' file_contexts.local"
    return shell(guest, f"semanage export; {files}; md5sum {POLICY}/policy/policy.*; echo commit $(tr -d '\\0' < {STORE}/active/commit_num)")


SAVED = "/root/gotest-saved"


@pytest.fixture(scope="module")
def saved(guest: Host) -> Iterator[Host]:
    """The store's and the policy's files laid aside: to go back to them takes one load, not a commit for each thing to take back."""
    shell(guest, f"rm -rf {SAVED}; mkdir {SAVED}; cp -a {STORE} {SAVED}/store; cp -a {POLICY} {SAVED}/policy; cp -a /etc/selinux/semanage.conf {SAVED}")
    yield guest
    shell(guest, f"rm -rf {SAVED}")


@pytest.fixture
def clean(saved: Host) -> Iterator[Host]:
    """The machine as it was, and files to label."""
    directories = " ".join(f"$(dirname {path})" for path in FILES)
    shell(saved, f"mkdir -p {directories}; touch {' '.join(FILES)}; restorecon -RF /opt /srv")
    yield saved
    back = (
        f"rm -rf {STORE} {POLICY}; cp -a {SAVED}/store {STORE}; cp -a {SAVED}/policy {POLICY}; load_policy; setsebool httpd_can_network_connect=0 global_ssp=0"
    )
    shell(saved, f"cp -a {SAVED}/semanage.conf /etc/selinux/; rm -rf /opt/gotest /srv/gotest")
    shell(saved, f"cmp -s {SAVED}/store/active/commit_num {STORE}/active/commit_num || {{ {back}; }}")


def test_everything_in_one_commit(clean: Host, tmp_path: Path) -> None:
    stamp = f"stat -c '%i %Y %Z' {POLICY}/policy/policy.* {POLICY}/contexts/files/file_contexts.local {STORE}/active/policy.kern; cat {STORE}/active/commit_num"
    before = int(shell(clean, f"tr -d '\\0' < {STORE}/active/commit_num"))
    tasks = Play(tmp_path)
    for number, each in enumerate(("check", "apply", "check again", "apply again")):
        tasks.task(f"everything: {each}", MODULE, keywords={"check_mode": each.startswith("check")}, **EVERYTHING)
        tasks.sh(f"stamp {number}", stamp)
    run = ran(clean, tasks)
    apply = four(run, "everything")
    stamps = [run[f"stamp {number}"].result["stdout"] for number in range(4)]
    assert stamps[0] != stamps[1] and stamps[1] == stamps[2] == stamps[3], "a run without changes has touched the policy"
    assert apply.result["commit"] == before + 1
    assert set(apply.result["changes"]) == {"fcontexts", "equivalences", "ports", "booleans", "modules", "permissive"}
    (known, _range) = apply.result["changes"]["ports"]
    assert known == {"what": "port tcp 8080", "before": "http_cache_port_t:s0 (policy)", "after": "http_port_t:s0"}
    (moved,) = [rule for rule in apply.result["fcontexts"] if rule["written"] != rule["target"]]
    assert (moved["target"], moved["written"]) == ("/var/run/gotest(/.*)?", "/run/gotest(/.*)?")
    assert any("/run/gotest" in warning for warning in apply.result["warnings"])

    exported = shell(clean, "semanage export").splitlines()
    for line in (
        "fcontext -a -f a -t bin_t -r 's0' '/opt/gotest/tool(/.*)?'",
        "fcontext -a -f f -t gotest_t -r 's0' '/opt/gotest/data(/.*)?'",
        "fcontext -a -e /opt/gotest /srv/gotest",
        "port -a -t http_port_t -r 's0' -p tcp 8080",
        "port -a -t http_port_t -r 's0' -p udp 20000-20010",
        "boolean -m -1 httpd_can_network_connect",
        "permissive -a gotest_t",
    ):
        assert line in exported
    assert not [line for line in exported if "global_ssp" in line]
    said = shell(
        clean, f"getsebool httpd_can_network_connect global_ssp; semodule -lfull | grep gotest; getfattr --absolute-names -n security.selinux {' '.join(FILES)}"
    )
    assert "httpd_can_network_connect --> on" in said and "global_ssp --> on" in said
    assert {"400 gotest cil", "400 permissive_gotest_t cil"} <= {" ".join(line.split()) for line in said.splitlines()}
    labels = [line.split('"')[1].rstrip("\\0").split(":")[2] for line in said.splitlines() if line.startswith("security.selinux")]
    assert labels == ["bin_t", "gotest_t", "gotest_t", "usr_t", "usr_t", "bin_t"]
    relabelled = {entry["path"] for entry in apply.result["relabelled"]}
    assert relabelled >= {"/opt/gotest/tool", "/opt/gotest/tool/go", "/opt/gotest/data/x", "/opt/gotest/module", "/srv/gotest/tool/go"}
    assert shell(clean, "restorecon -Rnv /opt/gotest /srv/gotest") == ""
    denied = shell(clean, "grep -hs 'denied.*comm=\"\\(setfiles\\|sefcontext_comp\\|load_policy\\)\"' /var/log/audit/audit.log || true")
    assert denied == "", "libsemanage's helpers were handed what they may not use"

    # Purge within its scope: what the administrator has beside it stays. One commit again.
    shell(clean, "printf '%s\\n' 'fcontext -a -t bin_t /opt/other' 'port -a -t ssh_port_t -p tcp 2222' | semanage import")
    purging = Play(tmp_path / "purge")
    purging.wish(
        "purge",
        module=MODULE,
        fcontexts=EVERYTHING["fcontexts"][:1],
        purge={"fcontexts": {"prefix": "/opt/gotest"}, "ports": {"setype": "http_port_t"}, "equivalences": {"prefix": "/srv/gotest"}},
        restore={"changed": True},
    )
    purge = four(ran(clean, purging), "purge")
    exported = shell(clean, "semanage export").splitlines()
    kept = {line.split()[-1].strip("'") for line in exported if line.startswith(("fcontext", "port"))}
    assert kept >= {"/opt/other", "2222", "/opt/gotest/tool(/.*)?", "/run/gotest(/.*)?"}
    assert not kept & {"8080", "20000-20010", "/srv/gotest", "/opt/gotest/data(/.*)?", "/opt/gotest/left"}
    assert "/srv/gotest/tool/go" in {entry["path"] for entry in purge.result["relabelled"]}


def test_failing_cil_changes_nothing(clean: Host, tmp_path: Path) -> None:
    wish: dict[str, Any] = {
        "fcontexts": [{"target": f"/opt/gotest/f{number}(/.*)?", "setype": "bin_t"} for number in range(10)],
        "equivalences": [{"path": "/srv/gotest", "source": "/opt/gotest"}],
        "ports": [{"proto": "tcp", "port": str(20000 + number), "setype": "http_port_t"} for number in range(6)],
        "booleans": [{"name": "httpd_can_network_connect", "state": True}],
        "modules": [{"name": "gogood", "cil": "(type gogood_t)\n"}, {"name": "gobad", "cil": "(type gobad_t)\n(allow gobad_t nosuch_t (file (read)))\n"}],
        "restore": {"paths": ["/opt/gotest"], "changed": True},
    }
    before = state(clean)
    done = one(clean, tmp_path, **wish)
    assert done.failed and state(clean) == before
    assert "nothing is changed" in done.msg and "Failed to resolve allow statement" in done.msg
    assert "line 2 of module gobad: (allow gobad_t nosuch_t (file (read)))" in done.msg
    assert "--> off" in shell(clean, "getsebool httpd_can_network_connect")
    left = set(shell(clean, f"ls -A {STORE} {POLICY}/contexts/files").split()) - set(shell(clean, f"ls -A {SAVED}/store {SAVED}/policy/contexts/files").split())
    assert {name for name in left if not name.startswith("/")} <= {"tmp"}, "but for libsemanage's own copy, which its next transaction replaces"


def test_a_busy_store_is_waited_for(clean: Host, tmp_path: Path) -> None:
    def held(seconds: int) -> str:
        return shell(clean, f"nohup setsid flock {STORE}/semanage.read.LOCK sleep {seconds} >/dev/null 2>&1 & echo $!").strip()

    wish: dict[str, Any] = {"ports": [{"proto": "tcp", "port": "80", "state": "absent"}]}
    holder = held(300)
    done = one(clean, tmp_path / "short", **wish, lock_timeout=0.5)
    shell(clean, f"pkill -P {holder}; kill {holder}; true")
    assert done.failed and "another process holds the policy store" in done.msg
    held(15)
    done = one(clean, tmp_path / "long", **wish).ok()
    assert not done.changed and any("of the distribution's policy" in warning for warning in done.result["warnings"])
    shell(clean, f"flock -n {STORE}/semanage.read.LOCK true")


def _hooked(guest: Host, section: str) -> None:
    """libsemanage runs a program in the middle of a commit, which ends the process that commits."""
    hook = "/root/gotest-hook"
    shell(guest, f"printf '#!/bin/sh\\nkill -9 $PPID\\n' > {hook}; chmod 755 {hook}")
    shell(guest, f"printf '\\n[{section}]\\npath = {hook}\\nargs = $@\\n[end]\\n' >> /etc/selinux/semanage.conf")


def _finished(guest: Host, tmp_path: Path) -> None:
    """The next run converges, the one after it does nothing."""
    done = one(guest, tmp_path / "next", **QUICK).ok()
    assert done.changed
    again = one(guest, tmp_path / "again", **QUICK).ok()
    assert not again.changed and again.result["commit"] is None
    assert "-t http_port_t -r 's0' -p tcp 8080" in shell(guest, "semanage export")
    assert shell(guest, "restorecon -Rnv /opt/gotest /srv/gotest") == ""
    assert "--> on" in shell(guest, "getsebool httpd_can_network_connect")


@pytest.mark.long
@pytest.mark.parametrize("section", ["setfiles", "load_policy"])
def test_killed_in_the_middle_of_a_commit(section: str, clean: Host, tmp_path: Path) -> None:
    _hooked(clean, section)
    done = one(clean, tmp_path, **QUICK)
    assert done.failed and "nothing is changed" not in done.msg
    shell(clean, f"cp -a {SAVED}/semanage.conf /etc/selinux/; semanage port -l -C")
    _finished(clean, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize(
    ("state_by_hand", "said"),
    [
        (f"mv {STORE}/active {STORE}/previous", "without an active directory"),
        (f"rm -rf {POLICY}; cp -a {SAVED}/policy {POLICY}", "written, not installed"),
        (f"touch {POLICY}/policy/policy.*", "installed, not loaded"),
    ],
    ids=["lost", "not installed", "not loaded"],
)
def test_killed_between_two_renames(state_by_hand: str, said: str, clean: Host, tmp_path: Path) -> None:
    one(clean, tmp_path / "first", **QUICK).ok()
    shell(clean, state_by_hand)
    check = one(clean, tmp_path / "check", check=True, **QUICK).ok()
    assert check.changed and check.result["changes"]["finish"][0]["before"] == said
    _finished(clean, tmp_path)


@pytest.mark.long
def test_a_policy_that_cannot_be_loaded(clean: Host, tmp_path: Path) -> None:
    before = state(clean).splitlines()[:-1]  # but for the number of the commit
    shell(clean, "printf '\\n[load_policy]\\npath = /bin/false\\nargs = \\n[end]\\n' >> /etc/selinux/semanage.conf")
    done = one(clean, tmp_path, fcontexts=EVERYTHING["fcontexts"][:1], equivalences=EVERYTHING["equivalences"])
    assert done.failed and "nothing is changed" in done.msg
    assert state(clean).splitlines()[:-1] == before
