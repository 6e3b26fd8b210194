# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role go_toolchain: which Go is found from where, and what lies on the disk."""

import uuid
from typing import Any

import pytest

NO_LOCAL_BIN = ("rocky", "almalinux", "centos", "rhel", "fedora", "amzn", "opensuse-leap", "sles")  # in sudo's secure_path


def _version(text: str) -> str:
    """ "go version go1.27.4 linux/amd64" → "1.27.4"."""
    words = text.split()
    assert words[:2] == ["go", "version"], text
    return str(words[2].removeprefix("go"))


@pytest.mark.parametrize("user", ["root", "admin"])
def test_login_shell(host: Any, expected: Any, user: str) -> None:
    assert _version(host.check_output(f"su -l {user} -c 'go version'")) == expected.default


def test_sudo(host: Any, expected: Any) -> None:
    if host.system_info.distribution in NO_LOCAL_BIN:
        pytest.skip("sudo's secure_path has no /usr/local/bin on this distribution")
    assert _version(host.check_output("su -l admin -c 'sudo -n go version'")) == expected.default


@pytest.mark.usefixtures("systemd")
def test_unit(host: Any, expected: Any) -> None:
    # Through the journal: under SELinux a unit may not write to the pipe of a session.
    unit = f"gohost-test-{uuid.uuid4().hex[:8]}"
    host.check_output(f"systemd-run --quiet --wait --unit={unit} --setenv=HOME=/root sh -c 'go version'")
    assert _version(host.check_output(f"journalctl --sync; journalctl --unit={unit} --output=cat --identifier=sh --identifier=go")) == expected.default


def test_each_version(host: Any, expected: Any) -> None:
    for version in expected.versions:
        tree = f"{expected.root}/{version}"
        script = f"head -n 1 {tree}/VERSION; {tree}/bin/go version; {expected.links}/go{version} version; GOTOOLCHAIN=local {tree}/bin/go env GOROOT"
        first, own, linked, goroot = host.check_output("su -l admin -c %s", script).splitlines()
        assert (first, _version(own), _version(linked), goroot) == (f"go{version}", version, version, tree)


def test_links(host: Any, expected: Any) -> None:
    current = f"{expected.root}/current"
    wanted = {f"{expected.links}/{name}": f"{current}/bin/{name}" for name in ("go", "gofmt")}
    wanted.update({f"{expected.links}/go{version}": f"{expected.root}/{version}/bin/go" for version in expected.versions})
    if expected.compat_link:
        wanted[expected.compat_link] = current
    assert host.check_output(f"readlink {' '.join(wanted)}").splitlines() == list(wanted.values())
    assert host.check_output(f"readlink -f {current}") == f"{expected.root}/{expected.default}"


def test_owners_and_modes(host: Any, expected: Any) -> None:
    """All is root's, nobody else writes, everybody reads; what a user must run can be run."""
    trees = [f"{expected.root}/{version}" for version in expected.versions]
    wrong = "! -user root -o ! -group root -o ! -type l -perm /022 -o ! -type l ! -perm -444 -o -type d ! -perm -555"
    assert host.check_output(f"find {' '.join(trees)} {wrong}") == ""
    named = [expected.root, *trees, *(f"{tree}/bin/{program}" for tree in trees for program in ("go", "gofmt"))]
    assert set(host.check_output(f"stat -c %a:%U:%G {' '.join(named)}").splitlines()) == {"755:root:root"}


def test_compiler_and_formatter(host: Any, expected: Any) -> None:
    """They work for a user who is not root. (A whole build would compile the standard library first: minutes in software emulation.)"""
    script = """
    set -e; dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
    echo 'package main;func main(){println(1)}' | gofmt > main.go
    go tool compile -p main -o main.o main.go
    cat main.go; head -c 8 main.o
    """
    assert host.run("su -l admin -c %s", script).stdout == "package main\n\nfunc main() { println(1) }\n!<arch>\n"


@pytest.mark.selinux
def test_labels_are_the_policys(host: Any, expected: Any) -> None:
    links = [f"{expected.links}/{name}" for name in ("go", "gofmt", *(f"go{version}" for version in expected.versions))]
    assert host.check_output(f"restorecon -R -n -v {expected.root} {' '.join(links)}") == ""
    named = [f"{expected.root}/{expected.default}/{name}" for name in ("bin/go", "VERSION", "src")] + links
    seen = host.check_output(f"for path in {' '.join(named)}; do getfattr -h --only-values -n security.selinux $path | tr '\\0' '\\n'; done")
    policy = host.check_output(f"matchpathcon -n {' '.join(named)}")
    assert [label.split(":")[2] for label in seen.split()] == [label.split(":")[2] for label in policy.split()]
