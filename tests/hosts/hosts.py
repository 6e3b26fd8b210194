# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts of either kind, by the names of their images."""

from collections.abc import Iterator
from types import ModuleType

from tests.hosts import containers, vms
from tests.hosts.host import Host
from tests.runner.workspace import ROOT


def _kind(image: str) -> ModuleType:
    return vms if image.startswith(vms.PREFIX) else containers


def build(image: str) -> str:
    """Make the image, and a virtual machine's template, unless they are there; → where it is."""
    return str(_kind(image).build(image))


def start(image: str, name: str) -> Host:
    """Start a host and wait until it is up. One of the same name in this checkout is replaced."""
    host: Host = _kind(image).start(image, name)
    return host


def running() -> Iterator[Host]:
    """All hosts, of every checkout."""
    yield from containers.running()
    yield from vms.running()


def here() -> dict[str, Host]:
    """This checkout's hosts by name."""
    return {host.name: host for host in running() if host.checkout == str(ROOT)}


def stop(host: Host) -> None:
    _kind(host.image).stop(host)


def reap(everything: bool = False) -> list[Host]:
    """Remove what runs that were killed have left, of every checkout; or all there is. → the removed."""
    removed = [host for host in running() if everything or host.orphaned]
    for host in removed:
        stop(host)
    containers.reap()
    vms.reap()
    return removed
