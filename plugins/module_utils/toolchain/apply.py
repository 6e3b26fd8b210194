# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does what the plan says: stage, verify, rename. Whatever kills it leaves a working `go`, and the next run cleans up."""

import contextlib
import errno
import os
import time
from typing import BinaryIO, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..errors import GoHostError
from ..host import Host, explained
from ..plan import Step
from . import archive
from . import manifest as manifests
from .candidates import check_digest, credentials, first, origin
from .download import download
from .model import Candidate, HttpSettings, Layout, Manifest, Provenance, State, module_prefix, new_of
from .parse import render_state, version_file
from .plan import Decision
from .store import directories, discard, replace
from .web import FetchError

_MIB = 1 << 20


class Installed(NamedTuple):
    """What an install took. bytes: over the wire; seconds: from the first byte asked for to the staged tree."""

    bytes: int
    seconds: float
    refused: Tuple[str, ...]  # sources tried before, and why they would not do


class Site(NamedTuple):
    """Where a decision is carried out, and with what."""

    host: Host
    layout: Layout
    arch: str
    state: State  # as it was observed
    settings: HttpSettings


def apply(site: Site, decision: Decision, candidates: Mapping[str, Sequence[Candidate]]) -> Dict[str, Installed]:
    """Carry out a decision in a store that is held alone; candidates are by version. Returns what was installed."""
    host, layout = site.host, site.layout
    try:
        return _apply(site, decision, candidates)
    except OSError as error:
        raise explained(error) from None
    finally:
        for name in host.listing(layout.stage):
            if not name.startswith("relabel-"):
                discard(host, f"{layout.stage}/{name}")
        if host.stat(layout.private) is not None and host.stat(layout.state) is None and not host.listing(layout.manifests):
            host.remove_tree(layout.private)  # nothing came of it: the host is as before


def _apply(site: Site, decision: Decision, candidates: Mapping[str, Sequence[Candidate]]) -> Dict[str, Installed]:
    host, layout, state = site.host, site.layout, site.state
    steps = decision.plan.steps
    forgets = any(step.action == "forget" for step in steps)
    installed = {}
    staged = []
    if not forgets:
        for directory in (layout.private, layout.manifests, layout.stage):
            if host.stat(directory) is None:
                host.mkdir(directory, 0o755)
    for step in steps:
        if step.action in ("install", "repair"):
            manifest, installed[step.argument] = _stage(site, step.argument, candidates[step.argument])
            staged.append((step, manifest))
    if staged:
        host.sync(layout.root)
    if decision.state != state and not forgets:
        # What a run may make is written down before it is made, so that no kill leaves a link that nobody knows.
        links = tuple(sorted({*state.links, *decision.state.links}))
        replace(host, layout, layout.state, render_state(state._replace(links=links, saved={**state.saved, **decision.state.saved})))
    for step, manifest in staged:
        _publish(host, layout, step, manifest)
    for step in steps:
        _DO.get(step.action, _nothing)(host, layout, step)
    if decision.state != state and not forgets:
        replace(host, layout, layout.state, render_state(decision.state))
    return installed


def _stage(site: Site, version: str, candidates: Sequence[Candidate]) -> Tuple[Manifest, Installed]:
    """A verified tree in the staging directory, from the first candidate that has one."""
    host, layout = site.host, site.layout
    start = time.monotonic()
    refused: List[str] = []
    tree = f"{layout.stage}/{version}"

    def attempt(candidate: Candidate) -> Tuple[Manifest, int]:
        try:
            with contextlib.ExitStack() as stack:
                source, transferred = _open(site, candidate, stack)
                size = archive.unpacked_size(source, candidate.format)
                if _short(host, layout, size):  # a broken archive may claim any size
                    check_digest(candidate, archive.digest(source, candidate.format, module_prefix(version, site.arch)))
                    _need(host, layout, size)
                host.mkdir(tree, 0o755)
                unpacked = _unpack(site, source, tree, candidate, version)
            check_digest(candidate, unpacked.digest)
            _check_version(host, tree, version)
            return _manifest(site, tree, version, candidate, unpacked), transferred
        except GoHostError:
            discard(host, tree)
            discard(host, f"{layout.stage}/download")
            raise

    manifest, transferred = first(version, site.arch, candidates, attempt, refused)
    return manifest, Installed(transferred, time.monotonic() - start, tuple(refused))


def _open(site: Site, candidate: Candidate, stack: contextlib.ExitStack) -> Tuple[BinaryIO, int]:
    """The archive as an open file, and the bytes that came over the wire for it."""
    host, layout = site.host, site.layout
    if candidate.path:
        seen = host.stat(candidate.path)
        if seen is None:
            raise FetchError("no such file", candidate.path, not_found=True)
        return stack.enter_context(host.open(candidate.path)), 0
    path = f"{layout.stage}/download"
    target = stack.enter_context(host.open_new(path))
    host.remove(path)  # it lives as long as it is open, whatever kills this process

    def room_for_it(have: int, total: Optional[int]) -> None:
        if total is not None and have <= _MIB:
            _need(host, layout, total - have)

    done = download(candidate.url, target, site.settings, credentials(candidate), room_for_it)
    target.seek(0)
    return target, done.transferred


def _short(host: Host, layout: Layout, size: int) -> str:
    """What is missing for so many bytes of files; "" where they fit."""
    free = host.free_bytes(layout.stage)
    need = size + size // 8  # 12,000 files end half a block each
    return f"no space left: {need // _MIB + 1} MiB needed, {free // _MIB} MiB free" if need > free else ""


def _need(host: Host, layout: Layout, size: int) -> None:
    short = _short(host, layout, size)
    if short:
        raise OSError(errno.ENOSPC, short, layout.root)


def _unpack(site: Site, source: BinaryIO, tree: str, candidate: Candidate, version: str) -> archive.Unpacked:
    if candidate.format == "tar.gz":
        return archive.unpack_tar(site.host, source, tree)
    return archive.unpack_zip(site.host, source, tree, module_prefix(version, site.arch))


def _check_version(host: Host, tree: str, version: str) -> None:
    stated = version_file(host.read(f"{tree}/VERSION")) if host.stat(f"{tree}/VERSION") is not None else ""
    if stated != version:
        raise GoHostError("archive holds another release", f"VERSION says {stated or 'nothing'}, asked was {version}")


def _manifest(site: Site, tree: str, version: str, candidate: Candidate, unpacked: archive.Unpacked) -> Manifest:
    host = site.host
    path = f"{tree}/{manifests.GO_ENV}"
    go_env = host.read(path).decode() if host.stat(path) is not None else ""
    if site.state.go_env:
        replace(host, site.layout, path, manifests.go_env(go_env, site.state.go_env).encode())
    top = host.stat(tree)
    if top is None:
        raise GoHostError("this tree has gone while it was made", tree, "Does something else change it?")
    return Manifest(
        version=version,
        arch=site.arch,
        provenance=Provenance(unpacked.digest, candidate.authority, candidate.source, candidate.format, origin(candidate)),
        owner=f"{top.uid}:{top.gid}",
        stat_digest=host.tree_digest(tree, manifests.GO_ENV),
        go_env=go_env,
        members=unpacked.members,
    )


def _publish(host: Host, layout: Layout, step: Step, manifest: Manifest) -> None:
    """Make a staged tree visible: the manifest first, for a tree without one is nobody's."""
    version = step.argument
    host.create(f"{layout.stage}/relabel-{version}", 0o600, ())
    replace(host, layout, layout.manifest(version), manifests.render(manifest))
    if step.action == "repair":
        host.exchange(f"{layout.stage}/{version}", step.thing)
    else:
        host.rename(f"{layout.stage}/{version}", step.thing)
    host.relabel(step.thing)
    host.remove(f"{layout.stage}/relabel-{version}")


def _default(host: Host, layout: Layout, step: Step) -> None:
    host.symlink(str(step.after), new_of(step.thing))
    host.rename(new_of(step.thing), step.thing)
    host.relabel(step.thing)


def _link(host: Host, layout: Layout, step: Step) -> None:
    directories(host, os.path.dirname(step.thing), [])
    new = step.argument or new_of(step.thing)
    host.symlink(str(step.after), new)
    if step.argument:
        host.exchange(new, step.thing)
    else:
        host.rename(new, step.thing)
    host.relabel(step.thing)


def _unlink(host: Host, layout: Layout, step: Step) -> None:
    if not step.argument:
        host.remove(step.thing)
    elif step.before is None:
        host.rename(step.argument, step.thing)
    else:
        host.exchange(step.argument, step.thing)
        host.remove(step.argument)


def _remove(host: Host, layout: Layout, step: Step) -> None:
    trash = f"{layout.stage}/removed-{step.argument}"
    host.rename(step.thing, trash)
    host.remove(layout.manifest(step.argument))
    host.remove_tree(trash)


def _forget(host: Host, layout: Layout, step: Step) -> None:
    host.remove_tree(layout.private)
    if not host.listing(layout.root) and host.writable(os.path.dirname(layout.root)):
        host.remove(layout.root)


def _forget_default(host: Host, layout: Layout, step: Step) -> None:
    host.remove(step.thing)


def _nothing(host: Host, layout: Layout, step: Step) -> None:
    """Installs and repairs are done before the steps that rest on them."""


_DO: Dict[str, Callable[[Host, Layout, Step], None]] = {
    "default": _default,
    "link": _link,
    "unlink": _unlink,
    "remove": _remove,
    "forget": _forget,
    "forget_default": _forget_default,
}
