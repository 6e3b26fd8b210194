# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of toolchains: versions and architectures. Pure."""

import re
from typing import NamedTuple, Optional, Tuple

from ..errors import GoHostError

# What `uname -m` says → the architecture in Go's download names. golang/go:src/cmd/dist/main.go names the same machines.
_MACHINES = {
    "x86_64": "amd64",
    "i386": "386",
    "i486": "386",
    "i586": "386",
    "i686": "386",
    "aarch64": "arm64",
    "armv6l": "armv6l",
    "armv7l": "armv6l",
    "armv8l": "armv6l",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
    "riscv64": "riscv64",
    "loongarch64": "loong64",
}
_USERLAND_32 = {"amd64": "386", "arm64": "armv6l"}
ARCHES = ("386", "amd64", "arm64", "armv6l", "loong64", "ppc64le", "riscv64", "s390x")

_VERSION = re.compile(r"^(?:go)?(\d+)\.(\d+)(?:\.(\d+))?(?:(rc|beta)(\d+))?$")
_LINE = re.compile(r"^(?:go)?(\d+)\.(\d+)$")


class GoVersion(NamedTuple):
    """A release of Go; sorts as releases do: 1.27beta1 < 1.27rc1 < 1.27.0 < 1.27.1."""

    major: int
    minor: int
    stage: int  # 0 beta, 1 release candidate, 2 release
    number: int  # of the beta or candidate; the patch of a release

    def __str__(self) -> str:
        line = f"{self.major}.{self.minor}"
        if self.stage < 2:
            return f"{line}{('beta', 'rc')[self.stage]}{self.number}"
        # The first release of a line is 1.N.0 since 1.21, plain 1.N before (golang/website:_content/doc/toolchain.md).
        if self.number == 0 and (self.major, self.minor) < (1, 21):
            return line
        return f"{line}.{self.number}"

    @property
    def line(self) -> str:
        return f"{self.major}.{self.minor}"


def parse_version(text: str) -> Optional[GoVersion]:
    """"1.27.3", "go1.27.3", "1.28rc1" or "1.20" (that first release) as a version; None for anything else."""
    found = _VERSION.match(text)
    if found is None:
        return None
    major, minor, patch, stage, number = found.groups()
    if stage is not None:
        return None if patch is not None else GoVersion(int(major), int(minor), 0 if stage == "beta" else 1, int(number))
    return GoVersion(int(major), int(minor), 2, int(patch or 0))


def parse_line(text: str) -> Optional[Tuple[int, int]]:
    """"1.26" as (1, 26); None where it is not the name of a release line."""
    found = _LINE.match(text)
    return None if found is None else (int(found.group(1)), int(found.group(2)))


def arch_of(machine: str, pointer_bits: int) -> str:
    """The architecture of Go's downloads for `uname -m`; a 32-bit userland on a 64-bit kernel gets the 32-bit Go."""
    arch = _MACHINES.get(machine)
    if arch is None or (pointer_bits == 32 and arch not in _USERLAND_32 and arch not in _USERLAND_32.values()):
        raise GoHostError(
            "no Go release for this machine's architecture", machine, f"Set arch to one of {', '.join(ARCHES)} if one of them does run here."
        )
    return _USERLAND_32.get(arch, arch) if pointer_bits == 32 else arch


def goarch(arch: str) -> str:
    """GOARCH of a download's architecture: armv6l is the download for arm (facts of go.dev/dl; module zips say arm)."""
    return "arm" if arch == "armv6l" else arch


def archive_name(version: str, arch: str) -> str:
    """File name of the official archive on go.dev/dl."""
    return f"go{version}.linux-{arch}.tar.gz"


def module_version(version: str, arch: str) -> str:
    """Version of the module golang.org/toolchain that holds this release."""
    return f"v0.0.1-go{version}.linux-{goarch(arch)}"
