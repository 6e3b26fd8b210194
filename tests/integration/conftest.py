# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small releases in the places where real ones are had, and a host's directories to install them in."""

import importlib.metadata
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.fakes import archives
from tests.fakes.web import WebServer
from tests.hosts import hosts
from tests.hosts.host import Host
from tests.integration.go_programs import LIMITS, RELEASES, Build, built
from tests.integration.playbook import Play
from tests.runner.workspace import Missing

_OLD_CORE = importlib.metadata.version("ansible-core").startswith("2.16.")
VERSIONS = ("1.25.14", "1.26.11", "1.27.3", "1.27.4")
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, "amd64")
OTHER = "riscv64"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "once: nothing that differs among versions of ansible-core; run beside the newest only")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    machines = "vm" in config.option.markexpr  # started only for who asks for them
    left_out = [item for item in items if (_OLD_CORE and item.get_closest_marker("once")) or (item.get_closest_marker("vm") and not machines)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


class Releases(NamedTuple):
    """directory: official archives and module zips; proxy: a module proxy's tree of the same zips; checksums: as the option."""

    directory: Path
    proxy: Path
    checksums: dict[str, dict[str, list[str]]]

    def official(self, version: str, arch: str = ARCH) -> bytes:
        return (self.directory / f"go{version}.linux-{arch}.tar.gz").read_bytes()


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Releases:
    top = tmp_path_factory.mktemp("releases")
    directory, proxy = top / "dl", top / "proxy"
    listed = proxy / "golang.org/toolchain/@v"
    directory.mkdir()
    listed.mkdir(parents=True)
    checksums: dict[str, dict[str, list[str]]] = {}
    for version, arch in [*((version, ARCH) for version in VERSIONS), ("1.27.4", OTHER)]:
        made = archives.make(str(directory), version, arch)
        checksums.setdefault(version, {})[arch] = [one.digest for one in made]
        shutil.copy(made[1].path, listed)
    (listed / "list").write_text("".join(f"v0.0.1-go{version}.linux-{ARCH}\n" for version in (*VERSIONS, "1.27.5")))
    return Releases(directory, proxy, checksums)


@pytest.fixture
def web(releases: Releases) -> Iterator[WebServer]:
    with WebServer(str(releases.directory)) as server:
        yield server


class Place(NamedTuple):
    """A host's directories below tmp_path: the store, the links, and all of it to watch."""

    tmp: Path
    host: Path
    root: Path
    links: Path

    def play(self, **defaults: Any) -> Play:
        return Play(self.tmp / "controller", self.host, **{"root": str(self.root), "links": str(self.links), **defaults})


@pytest.fixture
def place(tmp_path: Path) -> Place:
    host = tmp_path / "host"
    links = host / "bin"
    links.mkdir(parents=True)
    return Place(tmp_path, host, host / "go", links)


@pytest.fixture(scope="session", params=["vm:bookworm", pytest.param("vm:trixie", marks=pytest.mark.long)])
def guest(request: pytest.FixtureRequest) -> Iterator[Host]:
    """A virtual machine with SELinux enforcing, one for all tests that take it: each cleans up what it makes. Tests that take it are marked vm.

    A test may name other images by indirect parameters; a container needs no mark.
    """
    image: str = request.param
    try:
        host = hosts.start(image, f"integration-{image.removeprefix('vm:').replace(':', '-')}")
    except Missing as missing:
        pytest.skip(str(missing))
    yield host
    hosts.stop(host)


@pytest.fixture(scope="session")
def programs() -> dict[Build, Path]:
    """The program that says what it sees, by each release."""
    return built(LIMITS, RELEASES)
