# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real service written in Go, in the domain that is generated for it, where SELinux enforces: it does its work without a denial, and nothing else."""

import json
import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.host import Host
from tests.integration.playbook import Play, reached

pytestmark = [pytest.mark.vm, pytest.mark.once]
SOURCE = Path(__file__).parent / "confined"
SERVICE = {
    "name": "confined",
    "executable": "/opt/confined/bin/server",
    "listens": [18443],
    "connects": [9443],
    "reads": ["/etc/confined"],
    "writes": ["/var/lib/confined"],
    **dict.fromkeys(("dns", "tls_roots", "syslog", "notify"), True),
}
STORE, POLICY = "/var/lib/selinux/default", "/etc/selinux/default"
PREPARED = f"""
set -e
mkdir /root/confined /opt/upstream /etc/confined /srv/confined
cp -a {STORE} /root/confined/store; cp -a {POLICY} /root/confined/policy; cp /etc/resolv.conf /root/confined
chmod 755 /opt/confined/bin/server
echo hello > /etc/confined/greeting
echo secret > /srv/confined/secret
cp /opt/confined/bin/server /opt/upstream/server
/opt/upstream/server authority /opt/upstream
mkdir -p /usr/local/share/ca-certificates
cp /opt/upstream/ca.crt /usr/local/share/ca-certificates/confined.crt
ln -s /usr/local/share/ca-certificates/confined.crt /etc/ssl/certs/confined.pem
echo nameserver 127.0.0.1 > /etc/resolv.conf
systemctl daemon-reload
"""
REMOVED = f"""
systemctl stop confined upstream
rm -rf {STORE} {POLICY} /opt/confined /opt/upstream /etc/confined /srv/confined /var/lib/private/confined /var/lib/confined
rm -f /usr/local/share/ca-certificates/confined.crt /etc/ssl/certs/confined.pem /etc/systemd/system/confined.service
mv /root/confined/store {STORE}; mv /root/confined/policy {POLICY}; cat /root/confined/resolv.conf > /etc/resolv.conf; rm -r /root/confined
systemctl daemon-reload; load_policy
"""


def shell(guest: Host, script: str, timeout: float = 120) -> str:
    done = guest.run(script, timeout)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    go = shutil.which("go")
    if go is None:
        pytest.skip("no go command to compile the service with")
    made = tmp_path_factory.mktemp("confined") / "server"
    argv = [go, "build", "-trimpath", "-ldflags=-s -w", "-o", str(made), "."]
    done = subprocess.run(argv, cwd=SOURCE, env={**os.environ, "CGO_ENABLED": "0"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture(scope="module")
def upstream(guest: Host, program: Path) -> Iterator[Host]:
    """The machine with the program, its unit, and the servers that it talks to; nothing confined yet."""
    for path, target in ((program, "/opt/confined/bin/server"), (SOURCE / "confined.service", "/etc/systemd/system/confined.service")):
        with path.open("rb") as content:
            subprocess.run(guest.ssh(f"mkdir -p $(dirname {target}) && cat > {target}"), stdin=content, check=True, timeout=120)
    shell(guest, PREPARED)
    try:
        shell(guest, "systemd-run --quiet --unit=upstream /opt/upstream/server upstream /opt/upstream")
        yield guest
    finally:
        shell(guest, REMOVED)


def role(guest: Host, directory: Path, *arguments: str, **variables: Any) -> dict[str, Any]:
    """The result of the module in a run of the role."""
    roles = [{"role": "gohost.linux.go_selinux", **{f"go_selinux_{name}": value for name, value in variables.items()}}]
    run = Play(directory).run(*arguments, play={"roles": roles}, variables=reached(guest))
    assert run.rc == 0, run.output
    return run["gohost.linux.go_selinux : Labels, ports, booleans and domains are as wished"].result


@pytest.fixture(scope="module")
def confined(upstream: Host, tmp_path_factory: pytest.TempPathFactory) -> Host:
    directory = tmp_path_factory.mktemp("role")
    assert role(upstream, directory, services=[SERVICE])["changed"]
    assert not role(upstream, directory, "--check", services=[SERVICE])["changed"]
    return upstream


def denials(guest: Host) -> Callable[[], list[str]]:
    """→ what answers with all that SELinux has denied since, if it is about the service's types."""

    def mark() -> str:
        name = uuid.uuid4().hex
        shell(guest, f"auditctl -m {name}; until grep -q {name} /var/log/audit/audit.log; do sleep 0.2; done")
        return name

    begin = mark()

    def since() -> list[str]:
        lines = shell(guest, f"sed -n '/{begin}/,/{mark()}/p' /var/log/audit/audit.log").splitlines()
        return [line for line in lines if re.match(r"type=(USER_)?(AVC|SELINUX_ERR) ", line) and re.search(r"[:=]confined_\w+", line)]

    return since


def asked(guest: Host, path: str = "") -> str:
    return shell(guest, f"curl -s --max-time 60 http://127.0.0.1:18443/{path}")


def works(guest: Host) -> None:
    """Start, one request that makes it do all that it may, and stop."""
    shell(guest, "systemctl restart confined")
    pid = shell(guest, "systemctl show -p MainPID --value confined")
    said = shell(
        guest,
        f"ps -o label= -p {pid}; grep NoNewPrivs /proc/{pid}/status; stat -c %C /opt/confined/bin/server /var/lib/private/confined /etc/confined/greeting",
    )
    labels = said.splitlines()
    assert (labels[0], labels[1].split()) == ("system_u:system_r:confined_t:s0", ["NoNewPrivs:", "1"])
    assert [label.split(":")[2] for label in labels[2:]] == ["confined_exec_t", "confined_data_t", "confined_conf_t"]
    assert json.loads(asked(guest)) == {
        "cpus": int(shell(guest, "nproc")),
        "procs": 2,  # of CPUQuota=150%
        "addresses": ["127.0.0.1"],
        "upstream": "from upstream",
        "data": "kept",
        "config": "hello\n",
        "interfaces": True,
        "syslog": "sent",
        "zone": "UTC",
    }
    assert "said through /dev/log" in shell(guest, "journalctl --sync; journalctl --boot --identifier=confined --output=cat")
    shell(guest, "systemctl stop confined")
    assert shell(guest, "systemctl show -p Result --value confined") == "success"


def test_it_works_without_a_denial(confined: Host) -> None:
    assert shell(confined, "getenforce") == "Enforcing"
    denied = denials(confined)
    works(confined)
    assert denied() == []


def test_it_can_do_nothing_else(confined: Host) -> None:
    shell(confined, "systemctl restart confined")
    denied = denials(confined)
    for path, permission, kind in (
        ("port/18444", "name_bind", "tcp_socket"),
        ("connect/22", "name_connect", "tcp_socket"),
        ("file/srv/confined/secret", "read", "file"),
        ("exec/opt/upstream/server", "execute", "file"),
    ):
        assert asked(confined, f"try/{path}").endswith("permission denied"), path
        assert [line for line in denied() if f"{{ {permission} }}" in line and f"tclass={kind}" in line and ":confined_t:" in line], path
    assert asked(confined, "try/file/etc/confined/greeting") == asked(confined, "try/connect/9443") == "done"
    assert shell(confined, "stat -c %A /srv/confined/secret /opt/upstream/server").split() == ["-rw-r--r--", "-rwxr-xr-x"]
    shell(confined, "systemctl stop confined")


@pytest.mark.long
def test_not_even_a_denial_that_nobody_sees(confined: Host) -> None:
    shell(confined, "semodule -DB", 300)  # without the rules that keep denials out of the log
    denied = denials(confined)
    works(confined)
    assert denied() == []


@pytest.mark.long
def test_gone_again(confined: Host, tmp_path: Path) -> None:
    result = role(confined, tmp_path, services=[{**SERVICE, "state": "absent"}])
    assert set(result["changes"]) >= {"modules", "ports"}
    said = shell(confined, "semodule -l; semanage port -ln; stat -c %C /opt/confined/bin/server /etc/confined/greeting")
    assert not re.search(r"\bconfined_|gohost_", said)
    shell(confined, "systemctl restart confined")
    pid = shell(confined, "systemctl show -p MainPID --value confined")
    assert shell(confined, f"ps -o label= -p {pid}").split(":")[2] != "confined_t"
