# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cgroups a process is in, leaf to root, for each resource. Pure."""

import posixpath
from typing import Callable, Iterable, List, Optional, Sequence, Tuple

from .model import Bound, Membership, Mount, Node

CPU, CPUACCT, MEMORY, PIDS, CPUSET, IO = "cpu", "cpuacct", "memory", "pids", "cpuset", "io"
V1_NAMES = {IO: "blkio"}  # of controllers that v1 calls otherwise


def below(path: str, root: str) -> Optional[str]:
    """The rest of a path below a root, "" for the root itself; None where it is not below it."""
    if root == "/":
        return "" if path == "/" else path
    if path == root:
        return ""
    return path[len(root) :] if path.startswith(root + "/") else None


def of(controller: str, memberships: Iterable[Membership]) -> Optional[Membership]:
    """The line that says where a controller has the process: that of v1 which names it, or else that of v2."""
    unified = None
    for each in memberships:
        if each.hierarchy == 0:
            unified = each
        elif controller in each.controllers:
            return each
    return unified


def chain(controller: str, memberships: Iterable[Membership], mounts: Iterable[Mount]) -> Tuple[Node, ...]:
    """The process's cgroup and those above it that a mount shows, leaf first; empty where none is mounted."""
    member = of(controller, memberships)
    if member is None:
        return ()
    for mount in mounts:
        rest = below(member.path, mount.root) if _holds(mount, member) else None
        if rest is not None and below(rest, "/..") is None:
            return tuple(_up(1 if member.hierarchy else 2, mount, rest))
    return ()


def _holds(mount: Mount, member: Membership) -> bool:
    """Whether a mount is of the hierarchy of this line."""
    if member.hierarchy == 0:
        return mount.fstype == "cgroup2"
    return mount.fstype == "cgroup" and set(member.controllers) <= set(mount.options)


def _up(version: int, mount: Mount, rest: str) -> List[Node]:
    """The cgroup at a mount's path and those above it, leaf first."""
    parts = rest.split("/")
    rests = ("/".join(parts[:number]) for number in range(len(parts), 0, -1))
    return [Node(version, (mount.root.rstrip("/") + each) or "/", posixpath.normpath(mount.point + each)) for each in rests]


def inside(memberships: Iterable[Membership], mounts: Iterable[Mount]) -> Tuple[Tuple[Membership, ...], Tuple[Mount, ...]]:
    """What a process in another cgroup namespace reads in its own files, made of what is read from outside of it.

    The root of such a namespace is not said anywhere. It is taken to be the root of the first mount that holds the process, for what is mounted
    within a namespace has the namespace's root.
    """
    lines, seen = [], list(mounts)
    for line in memberships:
        root = next((each.root for each in seen if _holds(each, line) and below(line.path, each.root) is not None), "/")
        lines.append(line._replace(path=below(line.path, root) or "/"))
        seen = [each._replace(root=below(each.root, root) or "/") if _holds(each, line) else each for each in seen]
    return tuple(lines), tuple(seen)


def tightest(nodes: Sequence[Node], read: Callable[[Node], Optional[float]]) -> Optional[Bound]:
    """The lowest limit along a chain; of equal ones the outermost, which is the one that has to be changed."""
    found: Optional[Bound] = None
    for node in nodes:
        value = read(node)
        if value is not None and (found is None or value <= found.value):
            found = Bound(value, node)
    return found
