# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated modules compiled together with all of Debian's policy, by the real compiler and on a machine that does not run it."""

import bz2
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.selinux import policy
from tests.hosts import cache, machine
from tests.runner.workspace import Failed

pytestmark = pytest.mark.once

PACKAGES = ("selinux-policy-default", "secilc", "checkpolicy", "policycoreutils", "libsepol2")
LEAST = {"name": "least", "executable": "/usr/local/lib/least/server", "cgroup": False}
MOST = {
    "name": "most",
    "executable": "/opt/most/bin/server",
    "listens": ["http_port_t", "dns_port_t/udp", 443, "18443/tcp", "5000-5010/udp"],
    "connects": ["postgresql_port_t", "19443"],
    "reads": ["/etc/most", "/srv/most", "cert_t"],
    "writes": ["/var/lib/most", "/var/log/most", "/run/most", "/data/most", "var_spool_t"],
    "capabilities": ["net_raw", "chown", "bpf"],
    **dict.fromkeys(("dns", "tls_roots", "syslog", "notify", "permissive"), True),
}
Rules = dict[tuple[str, str, str], set[str]]


class Debian(NamedTuple):
    """The CIL of all modules of this Debian's policy, and its compilers; from packages that are unpacked here, not installed."""

    modules: tuple[str, ...]
    tree: Path

    def run(self, program: str, *arguments: str, data: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        (library,) = self.tree.rglob("libsepol.so.2")
        env = {**os.environ, "LC_ALL": "C", "LD_LIBRARY_PATH": str(library.parent)}
        return subprocess.run([str(self.tree / program), *arguments], input=data, capture_output=True, check=False, env=env)

    def compiled(self, own: Sequence[Path], binary: Path, contexts: Path) -> "subprocess.CompletedProcess[bytes]":
        options = ["--mls", "true", "--multiple-decls", "--policyvers", "33", "-o", str(binary), "-f", str(contexts)]
        return self.run("usr/bin/secilc", *options, *self.modules, *map(str, own))


@pytest.fixture(scope="module")
def debian() -> Debian:
    suite = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', machine.OS_RELEASE.read_text(), re.M)).get("VERSION_CODENAME", "")
    sources = [source for source in machine.apt_sources(suite) if source.split()[2] == suite]
    if not sources:
        pytest.skip("this is no Debian, whose policy apt would know")
    try:
        path = cache.directory(f"policy-{suite}", cache.key(suite, sources, PACKAGES), lambda path: _fill(path, sources))
    except Failed as why:
        pytest.skip(f"Debian's packages cannot be had: {why}")
    return Debian(tuple(sorted(map(str, (path / "cil").glob("*.cil")))), path / "tree")


def _fill(path: Path, sources: list[str]) -> None:
    """With lists of our own, so that apt's stay as they are and nobody waits for them."""
    for name in ("lists/partial", "apt/archives/partial", "cil"):
        (path / name).mkdir(parents=True)
    (path / "sources.list").write_text("\n".join(sources) + "\n")
    settings = {
        "Dir::State::Lists": path / "lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": path / "apt",
        "Dir::Etc::sourcelist": path / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
    }
    apt = ["apt-get", "-q", *(word for name, value in settings.items() for word in ("-o", f"{name}={value}"))]
    cache.command([*apt, "update"])
    cache.command(["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", str(path), *apt, "download", *PACKAGES])
    debian = Debian((), path / "tree")
    for package in path.glob("*.deb"):
        cache.command(["dpkg-deb", "-x", str(package), str(debian.tree)])
        package.unlink()
    for module in (debian.tree / "usr/share/selinux/default").glob("*.pp.bz2"):
        done = debian.run("usr/libexec/selinux/hll/pp", data=bz2.decompress(module.read_bytes()))
        assert done.returncode == 0, done.stderr
        (path / "cil" / f"{module.name.partition('.')[0]}.cil").write_bytes(done.stdout)
    for name in ("lists", "apt"):
        shutil.rmtree(path / name)


def _rules(text: str, own: str) -> Rules:
    """(source, target, class) → permissions of all rules about the service's types."""
    found: Rules = {}
    for source, target, kind, permissions in re.findall(r"\(allow (\w+) (\w+) \((\w+) \(([^)]*)\)\)\)", text):
        if source.startswith(own) or target.startswith(own):
            # refpolicy's names for what other policies, and its own aliases, call …_var_run_t
            names = (source, "self" if target == source else target.replace("_var_run_t", "_runtime_t"), kind)
            found.setdefault(names, set()).update(permissions.split())
    return found


def test_the_policy_holds_what_the_description_says(debian: Debian, tmp_path: Path) -> None:
    """No neverallow rule of the policy is hurt, no optional block is lost but for names of other policies, and nothing comes in addition."""
    own = []
    for wish in (LEAST, MOST):
        wanted = policy.service(wish)
        own.append(tmp_path / f"{wanted.module}.cil")
        own[-1].write_text(policy.cil(wanted))
    binary, contexts, text = (tmp_path / name for name in ("policy", "contexts", "text"))
    done = debian.compiled(own, binary, contexts)
    assert done.returncode == 0, done.stderr.decode()
    done = debian.run("usr/bin/checkpolicy", "-M", "-b", "-C", "-o", str(text), str(binary))
    assert done.returncode == 0, done.stderr.decode()
    compiled = text.read_text()
    for path, name in zip(own, ("least_", "most_"), strict=True):
        wished = _rules(path.read_text(), name)
        assert len(wished) > 10
        known = {key: permissions for key, permissions in wished.items() if f"(type {key[1]})" in compiled or key[1] == "self"}
        found = _rules(compiled, name)
        # What policies let every domain and every file do to itself is written out by the compiler.
        extra = {key: permissions for key, permissions in found.items() if permissions != known.get(key)}
        assert {key[1] for key in extra} == {"self"}
        assert {key: permissions for key, permissions in known.items() if not permissions <= found.get(key, set())} == {}
        assert {key[1] for key in set(wished) - set(known)} <= {"systemd_runtime_notify_t"}
    assert "(typepermissive most_t)" in compiled and "(typepermissive least_t)" not in compiled
    assert "(typetransition init_t most_exec_t process most_t)" in compiled
    labels = contexts.read_text().splitlines()
    for line in ("/opt/most/bin/server\t--\tsystem_u:object_r:most_exec_t:s0", "/usr/lib/least/server\t--\tsystem_u:object_r:least_exec_t:s0"):
        assert line in labels
    assert "/var/lib/most(/.*)?\tsystem_u:object_r:most_data_t:s0" in labels


@pytest.mark.long
@pytest.mark.parametrize("wish", [{"reads": ["no_such_type_t"]}, {"capabilities": ["mac_override"]}])
def test_what_the_policy_does_not_allow_is_not_compiled(debian: Debian, tmp_path: Path, wish: dict[str, Any]) -> None:
    wanted = policy.service({**LEAST, **wish})
    own = tmp_path / f"{wanted.module}.cil"
    own.write_text(policy.cil(wanted))
    done = debian.compiled([own], Path("/dev/null"), Path("/dev/null"))
    assert done.returncode != 0 and str(own) in done.stderr.decode()
