# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there now: the store's trees, its default, its links, and who uses them."""

import contextlib
import hashlib
import os
from typing import Dict, Iterable, List, Optional, Tuple

from ..errors import GoHostError
from ..host import FileStat, Host
from . import manifest as manifests
from .model import Layout, Manifest, Other, Seen, Standing, State, Tree, Wanted, arch_of, parse_version
from .parse import names_path, package_of, parse_state, unit_commands, version_file
from .plan import link_targets

_UNIT_DIRECTORIES = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/etc/systemd/user",
    "/usr/lib/systemd/user",
)
_OWNER_QUERIES = (["dpkg-query", "-S"], ["rpm", "-qf", "--qf", "%{NAME}"], ["apk", "info", "-qW"])


def observe(host: Host, wanted: Wanted) -> Seen:
    layout = Layout(wanted.root)
    state = store_state(host, layout)
    installed = [name for name in host.listing(layout.root) if _is_tree(host, layout, name)]
    trees = {version: _tree(host, layout, version, state, wanted if not wanted.absent and version in wanted.versions else None) for version in installed}
    default = _default(host, layout)
    removable = [version for version in installed if wanted.absent or wanted.exclusive]
    return Seen(
        arch=wanted.arch or arch_of(*host.machine()),
        exists=host.stat(layout.private) is not None,
        trees=trees,
        default=default,
        state=state,
        links=_links(host, layout, wanted, state, installed),
        used=_used(host, layout, removable, default, wanted) if removable else {},
        others=tuple(_others(host, layout)),
    )


def _links(host: Host, layout: Layout, wanted: Wanted, state: State, installed: List[str]) -> Dict[str, Standing]:
    wished = link_targets(wanted, [*installed, *(() if wanted.absent else wanted.versions)], True)
    links = {path: _standing(host, layout, path) for path in {*wished, *state.links, *state.saved}}
    for aside in state.saved.values():
        seen = host.stat(aside)
        ours = seen is None or (seen.kind == "link" and seen.target.startswith(layout.root + "/"))
        links[aside] = Standing(None) if seen is None or ours else Standing(seen.target or seen.kind, "moved aside")
    return links


def _is_tree(host: Host, layout: Layout, name: str) -> bool:
    seen = host.stat(layout.tree(name)) if parse_version(name) is not None else None
    return seen is not None and seen.kind == "directory"


def store_state(host: Host, layout: Layout) -> State:
    if host.stat(layout.state) is None:
        return State()
    return parse_state(host.read(layout.state), layout.state)


def _default(host: Host, layout: Layout) -> str:
    seen = host.stat(layout.current)
    if seen is None:
        return ""
    version = os.path.basename(seen.target)
    if parse_version(version) is None or seen.target not in (version, layout.tree(version)):
        raise GoHostError("this is not the link to the default version that it should be", layout.current, "Move it away, or choose another root.")
    return version


def _tree(host: Host, layout: Layout, version: str, state: State, check: Optional[Wanted]) -> Tree:
    """A tree of the store; its content is looked at only where check says how."""
    path = layout.manifest(version)
    if host.stat(path) is None:
        return Tree(version, None, ("not installed by this collection",))
    if check is None:
        return Tree(version, _head(host, path))
    problems = []
    head = _head(host, path)
    root = layout.tree(version)
    if check.arch and head.arch != check.arch:
        problems.append(f"is for {head.arch}, not {check.arch}")
    if _version(host, root) != version:
        problems.append(f"VERSION: says {_version(host, root) or 'nothing'}")
    expected = manifests.go_env(head.go_env, state.go_env)
    seen = host.stat(f"{root}/{manifests.GO_ENV}")
    found = host.read(f"{root}/{manifests.GO_ENV}").decode("utf-8", "replace") if seen is not None and seen.kind == "file" else ""
    if found != expected or (expected and not _owned(seen, head.owner, 0o644)):
        problems.append(f"{manifests.GO_ENV}: differs from the release's and the store's settings")
    # Times alone may differ after a copy or a restore: then the content decides.
    if check.verify == "full" or host.tree_digest(root, manifests.GO_ENV) != head.stat_digest:
        problems += _differences(host, root, manifests.parse(host.read(path), path))
    return Tree(version, head, tuple(problems))


def _head(host: Host, path: str) -> Manifest:
    with host.open(path) as source:
        return manifests.parse(source.readline(1 << 20), path)


def _owned(seen: Optional[FileStat], owner: str, mode: int) -> bool:
    return seen is not None and f"{seen.uid}:{seen.gid}" == owner and seen.mode == mode


def _differences(host: Host, root: str, manifest: Manifest) -> List[str]:
    from concurrent.futures import ThreadPoolExecutor  # rarely needed

    entries = host.tree(root)
    known = {member.path for member in manifest.members}
    paths = [entry.path for entry in entries if entry.path in known]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # reading and hashing leave the interpreter's lock
        hashes = dict(zip(paths, pool.map(lambda path: _hash(host, f"{root}/{path}"), paths)))
    return manifests.differences(manifest, entries, hashes.__getitem__)


def _hash(host: Host, path: str) -> str:
    seen = host.stat(path)
    if seen is not None and seen.kind == "link":
        return manifests.link_digest(seen.target)
    if seen is None or seen.kind != "file":
        return ""
    digest = hashlib.sha256()
    with host.open(path) as source:
        for chunk in iter(lambda: source.read(1 << 18), b""):
            digest.update(chunk)
    return digest.hexdigest()


def _version(host: Host, root: str) -> str:
    seen = host.stat(f"{root}/VERSION")
    return version_file(host.read(f"{root}/VERSION")) if seen is not None and seen.kind == "file" else ""


def _standing(host: Host, layout: Layout, path: str) -> Standing:
    seen = host.stat(path)
    if seen is None:
        return Standing(None)
    if seen.kind == "link" and seen.target.startswith(layout.root + "/"):
        return Standing(seen.target)
    what = seen.target if seen.kind == "link" else seen.kind
    for query in _OWNER_QUERIES:
        answer = host.run([*query, path])
        package = package_of(answer.stdout) if answer.rc == 0 else None
        if package:
            return Standing(what, f"package {package}")
    return Standing(what, f"a link to {seen.target}" if seen.kind == "link" else f"a {seen.kind} of uid {seen.uid}")


def _used(host: Host, layout: Layout, versions: List[str], default: str, wanted: Wanted) -> Dict[str, str]:
    """Version → the process or unit that uses it."""
    used: Dict[str, str] = {}
    running = host.processes()
    units = [(unit, directive, value) for unit, text in _units(host) for directive, value in unit_commands(text)]
    for version in versions:
        tree = host.real(layout.tree(version))
        names = [layout.tree(version), tree] + ([f"{wanted.links}/go{version}"] if wanted.links else [])
        if version == default and wanted.absent and not wanted.default:
            names += [layout.current, *link_targets(wanted, (), True)]
        for process in running:
            if process.executable.startswith(tree + "/"):
                used[version] = f"process {process.pid} ({process.executable})"
        for unit, directive, value in units:
            if any(names_path(value, name) for name in names):
                used[version] = f"{directive} of {unit}"
    return used


def _units(host: Host) -> Iterable[Tuple[str, str]]:
    for directory in _UNIT_DIRECTORIES:
        for name in _readable(host, directory):
            path = f"{directory}/{name}"
            seen = host.stat(path)
            if seen is None or seen.kind == "link":  # links name units of these same directories
                continue
            files = [f"{path}/{drop_in}" for drop_in in _readable(host, path) if drop_in.endswith(".conf")] if seen.kind == "directory" else [path]
            for file in files:
                with contextlib.suppress(PermissionError):  # another user's, who may not use this store either
                    state = host.stat(file)
                    if state is not None and state.kind == "file":
                        yield file, host.read(file).decode("utf-8", "replace")


def _others(host: Host, layout: Layout) -> List[Other]:
    """Other Go's, by the directories where people and packages put them."""
    places = [("/usr/local/go", "manual"), ("/usr/lib/go", "package"), ("/usr/lib/golang", "package"), ("/snap/go/current", "snap")]
    places += [(f"/usr/lib/{name}", "package") for name in host.listing("/usr/lib") if name.startswith(("go-1.", "go1."))]
    places += [(f"/usr/lib64/go/{name}", "package") for name in host.listing("/usr/lib64/go")]
    homes = ["/root"] + [f"/home/{name}" for name in host.listing("/home")]
    for home in homes:
        for directory in (f"{home}/sdk", f"{home}/go/sdk"):
            places += [(f"{directory}/{name}", "sdk") for name in _readable(host, directory) if name.startswith("go")]
    found = []
    for path, kind in places:
        with contextlib.suppress(PermissionError):
            seen = host.stat(path)
            if seen is not None and (seen.kind == "directory" or (kind == "snap" and not seen.target.startswith(layout.root + "/"))):
                found.append(Other(path, kind, _version(host, path)))
    return found


def _readable(host: Host, directory: str) -> List[str]:
    try:
        return host.listing(directory)
    except PermissionError:
        return []
