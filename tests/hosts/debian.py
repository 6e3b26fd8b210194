# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's trees by mmdebstrap: what containers and virtual machines have in common."""

from collections.abc import Sequence
from pathlib import Path

from tests.hosts import cache, machine

_PACKAGES = "systemd-sysv,dbus,libpam-systemd,procps,kmod,iproute2,iputils-ping,openssh-server,python3,python3-apt,sudo,cron,zsh,acl,attr,ca-certificates"
_OPTIONS = [
    "--variant=minbase",
    '--aptopt=Acquire::Check-Valid-Until "false"',  # a suite that has ended, or a machine whose clock is off
    '--aptopt=Acquire::Check-Date "false"',
    '--aptopt=Acquire::Languages "none"',
    '--aptopt=APT::Install-Recommends "false"',
    "--dpkgopt=force-unsafe-io",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
]


def ingredients(suite: str, packages: str, hooks: Sequence[Path]) -> list[object]:
    """What a tree's key is made of."""
    own = [_arguments(suite, packages), machine.apt_sources(suite), cache.public_key(), cache.FILES / "debian"]
    return [*own, *machine.extra_authorities(), *hooks]


def _arguments(suite: str, packages: str) -> list[str]:
    # Without usrmerge Debian 11's units, which call /usr/bin/…, fail with 203/EXEC.
    return [*_OPTIONS, f"--include={_PACKAGES},{packages}" + (",usrmerge" if suite == "bullseye" else "")]


def bootstrap(suite: str, target: Path, packages: str, hooks: Sequence[Path], arguments: Sequence[str] = ()) -> None:
    """Make the tree as a directory or an archive, by target's name. Each hook is a program that gets the tree's path."""
    machine.need(machine.BOOTSTRAP)
    copies = [f"--customize-hook=copy-in {path} /usr/local/share/ca-certificates" for path in machine.extra_authorities()]
    copies.append(f"--customize-hook=upload {cache.public_key()} /root/.ssh/authorized_keys")
    programs = [f'--customize-hook={path} "$1"' for path in (cache.FILES / "debian", *hooks)]
    made = '--customize-hook=install -d -m 755 "$1/usr/local/share/ca-certificates"; install -d -m 700 "$1/root/.ssh"'
    sources = machine.apt_sources(suite)
    cache.command(["mmdebstrap", "--quiet", *_arguments(suite, packages), *arguments, made, *copies, *programs, suite, str(target), *sources])
