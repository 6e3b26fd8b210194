# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store as a whole: held by one run at a time, and rid of what a killed one left."""

import contextlib
import os
from typing import Iterator, List

from ..errors import GoHostError
from ..host import Host
from .model import Layout, State, aside_of, new_of
from .plan import Decision


def preflight(host: Host, decision: Decision) -> None:
    """Refuse what cannot be done for want of rights, before anything changes."""
    for directory in sorted({os.path.dirname(step.thing) for step in decision.plan.steps}):
        existing = directory
        seen = host.stat(existing)
        while seen is None:
            existing = os.path.dirname(existing)
            seen = host.stat(existing)
        if seen.kind not in ("directory", "link"):
            raise GoHostError("this should be a directory", existing, "Move it away, or choose another root or links.")
        if not host.writable(existing):
            hint = "Use become, or choose root and links among this user's own directories."
            if not host.euid():
                hint = "Its file system is mounted read-only, or the directory is immutable: choose another root or links."
            raise GoHostError(f"directory is read-only for uid {host.euid()}", existing, hint)


@contextlib.contextmanager
def alone(host: Host, layout: Layout, timeout: float, create: bool) -> Iterator[None]:
    """Hold the store against other runs. With create its root is made if need be, and goes again if it stays empty."""
    made: List[str] = []
    with contextlib.ExitStack() as held:
        while create or host.stat(layout.root) is not None:
            try:
                directories(host, layout.root, made)
                held.enter_context(host.lock(layout.root, timeout))
                break
            except FileNotFoundError:
                if host.stat(layout.root) is not None:
                    raise
                # who held it removed the store: this one's turn to make it, if it is to be made
        try:
            yield
        finally:
            for directory in reversed(made):
                if host.stat(directory) is not None and not host.listing(directory):
                    host.remove(directory)


def directories(host: Host, path: str, made: List[str]) -> None:
    if host.stat(path) is None:
        directories(host, os.path.dirname(path), made)
        with contextlib.suppress(FileExistsError):  # by another run, just now
            host.mkdir(path, 0o755)
            made.append(path)


def clean(host: Host, layout: Layout, state: State) -> None:
    """Finish or remove what a killed run left."""
    for name in host.listing(layout.stage):
        if name.startswith("relabel-") and host.stat(layout.tree(name[len("relabel-") :])) is not None:
            host.relabel(layout.tree(name[len("relabel-") :]))
        discard(host, f"{layout.stage}/{name}")
    for path in (*state.links, layout.current):
        swap = path + ".gohost-swap"  # of Host.exchange without renameat2
        if host.stat(swap) is not None:
            host.rename(swap, path if host.stat(path) is None else aside_of(path))
        discard(host, new_of(path))
    for name in host.listing(layout.root):
        version, swap, _rest = name.partition(".gohost-swap")
        if swap and host.stat(layout.tree(version)) is None:
            host.rename(f"{layout.root}/{name}", layout.tree(version))
        elif swap:
            discard(host, f"{layout.root}/{name}")
    for version in host.listing(layout.manifests):
        if host.stat(layout.tree(version)) is None:
            host.remove(layout.manifest(version))
    for aside in state.saved.values():
        seen = host.stat(aside)
        if seen is not None and seen.kind == "link" and seen.target.startswith(layout.root + "/"):
            host.remove(aside)


def replace(host: Host, layout: Layout, path: str, data: bytes) -> None:
    """A file of ours, all of it or as it was."""
    new = f"{layout.stage}/new"
    host.create(new, 0o644, (data,))
    host.rename(new, path)


def discard(host: Host, path: str) -> None:
    seen = host.stat(path)
    if seen is not None:
        (host.remove_tree if seen.kind == "directory" else host.remove)(path)
