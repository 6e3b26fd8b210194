# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the test hosts' tool decides before it starts anything."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.hosts import cache, machine
from tests.hosts.host import Host, identity
from tests.runner.workspace import ROOT

ONE_LINE = """\
# deb https://old.example/debian bookworm main
deb [signed-by=/k.gpg arch=amd64] https://one.example/debian bookworm main contrib # here
deb-src https://one.example/debian bookworm main
deb https://one.example/debian bookworm-backports main
"""
DEB822 = """\
# Debian's
Types: deb deb-src
URIs: https://two.example/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: https://two.example/security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: https://off.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: https://vendor.example/deb
Suites: stable
Components: main
"""


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "os-release").write_text('PRETTY_NAME="Debian"\nID=debian\nVERSION_CODENAME=bookworm\n')
    monkeypatch.setattr(machine, "APT", tmp_path)
    monkeypatch.setattr(machine, "OS_RELEASE", tmp_path / "os-release")
    return tmp_path


def test_one_line_sources_are_turned_to_another_suite(apt: Path) -> None:
    (apt / "sources.list").write_text(ONE_LINE)
    assert machine.apt_sources("trixie") == ["deb https://one.example/debian trixie main contrib"]


def test_deb822_sources_are_turned_to_another_suite(apt: Path) -> None:
    (apt / "sources.list.d/debian.sources").write_text(DEB822)
    assert machine.apt_sources("bullseye") == [
        "deb https://two.example/debian bullseye main",
        "deb https://two.example/debian bullseye-updates main",
        "deb https://two.example/security bullseye-security main",
    ]


def test_another_distributions_sources_are_not_debians(apt: Path) -> None:
    (apt / "sources.list").write_text(ONE_LINE)
    (apt / "os-release").write_text("ID=ubuntu\nVERSION_CODENAME=bookworm\n")
    assert machine.apt_sources("trixie") == []


def test_key_changes_with_each_part(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("one")
    before = cache.key("a", ["b", "c"], file)
    assert before == cache.key("a", ["b", "c"], file)
    assert before != cache.key("a", ["b"], file)
    file.write_text("two")
    assert before != cache.key("a", ["b", "c"], file)


def test_directory_is_filled_once_and_appears_when_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    filled = []

    def fill(path: Path) -> None:
        filled.append(path)
        (path / "image").write_text("whole")

    def fails(path: Path) -> None:
        (path / "image").write_text("half")
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        cache.directory("image", "k", fails)
    assert [cache.directory("image", "k", fill) for _again in range(2)] == [cache.home() / "image-k"] * 2
    assert len(filled) == 1
    assert sorted(path.name for path in cache.home().iterdir()) == ["image-k", "lock"]


def _owned(owner: str, checkout: str = str(ROOT)) -> Host:
    return Host("h", "mmdebstrap:trixie", "", "127.0.0.1", 1, checkout=checkout, owner=owner)


def test_host_is_orphaned_with_its_owner_or_its_checkout(tmp_path: Path) -> None:
    process = subprocess.Popen(["sleep", "60"])
    owner = identity(process.pid)
    assert not _owned(owner).orphaned
    assert _owned(f"{process.pid}-1").orphaned  # another process has got the number
    process.kill()
    process.wait()
    assert _owned(owner).orphaned
    assert not _owned("").orphaned  # kept by a person
    assert not _owned(identity(os.getpid())).orphaned
    assert _owned("", checkout=str(tmp_path / "gone")).orphaned
