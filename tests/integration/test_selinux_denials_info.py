# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""selinux_denials_info on a machine with SELinux enforcing: denials that a Go program meets for real, and their cures, applied for real."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.selinux import policy
from tests.hosts.host import Host
from tests.integration.playbook import Play, reached
from tests.runner.workspace import ROOT

pytestmark = [pytest.mark.vm, pytest.mark.once, pytest.mark.long]
INFO, APPLY = "gohost.linux.selinux_denials_info", "gohost.linux.selinux_go_context"
SERVICE = {
    "name": "denied",
    "executable": "/opt/denied/bin/denied",
    "writes": ["/var/lib/denied"],
    "listens": ["http_port_t"],
    "connects": ["http_cache_port_t"],
    "tls_roots": True,
}
WISHES = (
    "listen:9999 listen:8081 read:/var/lib/denied/moved write:/srv/denied/data/new read:/srv/denied/tls/ca.pem buffer connect:5432 run:/usr/bin/true"
    " read:/etc/shadow"
)
UNITS = {
    "denied": f"ExecStart=/opt/denied/bin/denied {WISHES}",
    "denied-copy": "SELinuxContext=system_u:system_r:denied_t:s0\nExecStart=/srv/denied/copy",
    "denied-seccomp": "SystemCallFilter=~sched_get_priority_max\nExecStart=/opt/denied/bin/filtered priority",
    "denied-nnp": "NoNewPrivileges=yes\nExecStart=/opt/denied/bin/nonnp",
    "denied-web": "SELinuxContext=system_u:system_r:httpd_t:s0\nExecStart=/opt/denied/bin/web connect:6379",
}


class What(NamedTuple):
    """What tells one denial from another, however often it comes."""

    kind: str
    domain: str
    tclass: str
    permissions: tuple[str, ...]
    about: str

    @classmethod
    def of(cls, row: dict[str, Any]) -> "What":
        about = row["path"] or str(row["port"] or "") or row["syscall"] * (row["kind"] == "seccomp")
        return cls(row["kind"], row["source"].split(":")[2], row["tclass"], tuple(row["permissions"]), about)


def denied(permission: str, tclass: str, about: str = "", domain: str = "denied_t") -> What:
    return What("avc", domain, tclass, (permission,), about)


# What is denied → kind of the cure, and whether a person must look.
EXPECTED: dict[What, tuple[str, bool]] = {
    denied("name_bind", "tcp_socket", "9999"): ("port", False),
    denied("name_bind", "tcp_socket", "8081"): ("port", True),
    denied("read", "file", "/var/lib/denied/moved"): ("fcontext", False),
    denied("write", "dir", "/srv/denied/data"): ("fcontext", False),
    denied("read", "file", "/srv/denied/tls/ca.pem"): ("fcontext", False),
    denied("entrypoint", "file", "/srv/denied/copy"): ("fcontext", False),
    denied("net_admin", "capability"): ("unit", True),
    denied("name_connect", "tcp_socket", "5432"): ("cil", True),
    denied("search", "dir"): ("cil", True),  # of /usr/bin, on the way to the program to run
    denied("write", "fifo_file"): ("cil", True),
    denied("nnp_transition", "process2", domain="init_t"): ("unit", True),
    denied("name_connect", "tcp_socket", "6379", "httpd_t"): ("boolean", False),
    What("seccomp", "denied_t", "", (), "sched_get_priority_max"): ("unit", True),
}
SHADOW = denied("read", "file", "/etc/shadow")


def sh(guest: Host, script: str, timeout: float = 300) -> str:
    done = guest.run(script, timeout)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def task(guest: Host, directory: Path, module: str, **options: Any) -> dict[str, Any]:
    tasks = Play(directory / f"play{time.monotonic_ns()}")
    tasks.task("one", module, **options)
    return tasks.run(variables=reached(guest))["one"].ok().result


class Service(NamedTuple):
    """made: all that the policy holds because of it, as options of selinux_go_context."""

    guest: Host
    made: dict[str, Any]


@pytest.fixture(scope="module")
def service(guest: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The program, in a domain that may do none of its wishes, its units, and its files with the wrong labels."""
    tmp_path, go = tmp_path_factory.mktemp("denied"), shutil.which("go")
    if go is None:
        pytest.skip("there is no Go to build the program with")
    program, settings = tmp_path / "denied", dict(CGO_ENABLED="0", GOOS="linux", GOTOOLCHAIN="local", GOPROXY="off", GOFLAGS="-trimpath")
    subprocess.run([go, "build", "-o", str(program), "."], cwd=ROOT / "tests/integration/denied", env={**os.environ, **settings}, check=True)
    sh(guest, "mkdir -p /opt/denied/bin /var/lib/denied /srv/denied/data /srv/denied/tls /etc/systemd/system")
    with program.open("rb") as data:
        subprocess.run(guest.ssh("cat >/opt/denied/bin/denied && chmod 755 /opt/denied/bin/denied"), stdin=data, check=True, timeout=120)
    for name, lines in UNITS.items():
        sh(guest, f"printf '[Service]\\nType=oneshot\\n%s\\n' '{lines}' >/etc/systemd/system/{name}.service")
    without = policy.cil(policy.service({"name": "nonnp", "executable": "/opt/denied/bin/nonnp"}))
    nonnp = re.sub(r"\(optional gohost_nonnp_nnp\n.*\n", "", without)
    assert nonnp != without and "nnp_transition" not in nonnp
    modules = [{"name": "gohost_denied", "cil": policy.cil(policy.service(SERVICE))}, {"name": "gohost_nonnp", "cil": nonnp}]
    sh(guest, "cd /opt/denied/bin && for copy in nonnp filtered web; do cp denied $copy; done")
    task(guest, tmp_path, APPLY, modules=modules, restore={"paths": ["/opt/denied", "/var/lib/denied", "/srv/denied"]})
    labels = "chcon -t httpd_exec_t /opt/denied/bin/web; chcon -t denied_exec_t /opt/denied/bin/filtered"
    files = "echo x >/tmp/moved; mv /tmp/moved /var/lib/denied/moved; cp /opt/denied/bin/denied /srv/denied/copy; echo x >/srv/denied/tls/ca.pem"
    sh(guest, f"{labels}; {files}")
    made: dict[str, Any] = {"modules": modules}
    yield Service(guest, made)
    sh(guest, "rm -rf /etc/systemd/system/denied* /opt/denied /var/lib/denied /srv/denied; systemctl daemon-reload")
    gone = {name: [{**each, "state": False if name == "booleans" else "absent"} for each in records] for name, records in made.items()}
    task(guest, tmp_path, APPLY, **gone)


def provoked(guest: Host) -> str:
    """Let everything be denied; the moment before."""
    moment = sh(guest, "sleep 1; date -u '+%Y-%m-%d %H:%M:%SZ'").strip()
    sh(guest, f"systemctl daemon-reload; for unit in {' '.join(UNITS)}; do systemctl start $unit; done; sleep 1; true")
    return moment


def test_filters_and_sources(service: Service, tmp_path: Path) -> None:
    guest = service.guest
    before = provoked(guest)
    by_domain = task(guest, tmp_path, INFO, since=before, domains=["httpd*_t"])
    assert {row["source"].split(":")[2] for row in by_domain["denials"]} == {"httpd_t"} and by_domain["left_out"] > 5
    one = task(guest, tmp_path, INFO, since=before, paths=["/opt/denied/bin/denied"], limit=1)
    assert len(one["denials"]) == 1 and one["denials"][0]["executable"] == "/opt/denied/bin/denied"
    logs = task(guest, tmp_path, INFO, since=before, source="audit")
    assert logs["sources"][0] == "/var/log/audit/audit.log" and {What.of(row) for row in logs["denials"]} >= set(EXPECTED)
    sh(guest, "cp /var/log/audit/audit.log /root/copy.log")
    copied = task(guest, tmp_path, INFO, since=before, log="/root/copy.log")
    assert copied["sources"] == ["/root/copy.log"] and {What.of(row) for row in copied["denials"]} == {What.of(row) for row in logs["denials"]}


def test_ten_denials_are_cured(service: Service, tmp_path: Path) -> None:
    guest, made = service
    before = provoked(guest)
    first = task(guest, tmp_path, INFO, since=before)
    rows = {What.of(row): row for row in first["denials"]}
    assert (first["mode"], first["dontaudit"], first["changed"]) == ("enforcing", True, False)
    for what, (kind, review) in EXPECTED.items():
        assert what in rows, f"{what} is not in {[(str(key), row['explanation']) for key, row in rows.items()]}"
        proposal = rows[what]["proposal"]
        assert (proposal["kind"], proposal["review"]) == (kind, review), (what, proposal)
    shadow = rows[SHADOW]["proposal"]
    assert (shadow["kind"], shadow["review"], shadow["arguments"], shadow["alternative"], shadow["dropin"]) == ("none", True, {}, {}, "")

    wish: dict[str, Any] = {}
    for row in first["denials"]:
        proposal = row["proposal"]
        assert proposal["review"] or proposal["kind"] != "cil"
        for name, value in proposal["arguments"].items():
            if name == "restore":
                wish.setdefault("restore", {"paths": []})["paths"] += value["paths"]
            else:
                wish.setdefault(name, []).extend(each for each in value if each not in wish.get(name, []))
        if proposal["dropin"]:
            path = proposal["dropin_path"]
            sh(guest, f"mkdir -p {os.path.dirname(path)}; printf '%s' '{proposal['dropin']}' >{path}")
    for name, records in wish.items():
        if name != "restore":
            made.setdefault(name, []).extend(records)
    task(guest, tmp_path, APPLY, **wish)

    after = provoked(guest)
    again = {What.of(row): row for row in task(guest, tmp_path, INFO, since=after)["denials"]}
    assert set(again) & set(EXPECTED) == set(), [again[what]["explanation"] for what in set(again) & set(EXPECTED)]
    assert SHADOW in again

    # What the policy cures is known as cured when the old lines are read again; what the units cure is not.
    old = {What.of(row): row for row in task(guest, tmp_path, INFO, since=before)["denials"]}
    for what, (kind, _review) in EXPECTED.items():
        if kind != "unit":
            assert old[what]["proposal"]["kind"] == "none" and "cured since" in old[what]["proposal"]["why"], old[what]
