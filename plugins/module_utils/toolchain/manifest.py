# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tree's manifest: what every file of an installed release must be. Pure."""

import hashlib
import json
import os
import stat
from typing import Callable, Dict, Iterable, List, Mapping, Set

from ..errors import GoHostError
from ..host import TreeEntry
from .model import Manifest, Member, Provenance

GO_ENV = "go.env"  # ours to manage: compared by its text, never by its stat data


def link_digest(target: str) -> str:
    """Member.sha256 of a link."""
    return "link:" + hashlib.sha256(os.fsencode(target)).hexdigest()


def render(manifest: Manifest) -> bytes:
    """A line of JSON about the whole, then a line "sha256 mode size path" per file, the path in the bytes of the file system."""
    head = manifest._asdict()
    head.update(schema=1, provenance=manifest.provenance._asdict())
    del head["members"]
    lines = [json.dumps(head, sort_keys=True)]
    lines += [f"{member.sha256} {member.mode:o} {member.size} {member.path}" for member in sorted(manifest.members, key=lambda member: member.path)]
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")


def parse(text: bytes, path: str) -> Manifest:
    """The manifest in a file's content, or in its first line alone, then without members; path names it in the error."""
    try:
        first, _newline, rest = text.partition(b"\n")
        head = json.loads(first.decode())
        members = []
        for line in rest.split(b"\n")[:-1]:
            sha256, mode, size, name = line.split(b" ", 3)
            members.append(Member(os.fsdecode(name), int(mode, 8), int(size), sha256.decode()))
        return Manifest(
            version=head["version"],
            arch=head["arch"],
            provenance=Provenance(**head["provenance"]),
            owner=head["owner"],
            stat_digest=head["stat_digest"],
            go_env=head["go_env"],
            members=tuple(members),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise GoHostError("this tree's manifest cannot be read", path, f"Remove that file and run with repair: true ({error!r}).") from None


def differences(manifest: Manifest, entries: Iterable[TreeEntry], hash_of: Callable[[str], str]) -> List[str]:
    """What differs from the manifest, a line per path. hash_of gives a path's sha256 as Member has it."""
    members: Dict[str, Member] = {member.path: member for member in manifest.members if member.path != GO_ENV}
    directories: Set[str] = {"."}
    for path in members:
        while "/" in path:
            path = path.rpartition("/")[0]
            directories.add(path)
    found = []
    for entry in entries:
        if entry.path == GO_ENV and stat.S_ISREG(entry.mode):
            continue
        member = members.pop(entry.path, None)
        isdir = stat.S_ISDIR(entry.mode)
        if (entry.path not in directories) if isdir else (member is None):
            found.append(f"{entry.path}: does not belong there")
        elif f"{entry.uid}:{entry.gid}" != manifest.owner:
            found.append(f"{entry.path}: owned by {entry.uid}:{entry.gid} instead of {manifest.owner}")
        elif stat.S_IMODE(entry.mode) != (0o755 if member is None else member.mode):
            found.append(f"{entry.path}: mode {stat.S_IMODE(entry.mode):04o} instead of {0o755 if member is None else member.mode:04o}")
        elif member is not None and (entry.size != member.size or hash_of(entry.path) != member.sha256):
            found.append(f"{entry.path}: content changed")
    found += [f"{path}: missing" for path in members]
    return sorted(found)


def go_env(base: str, settings: Mapping[str, str]) -> str:
    """A release's go.env with the host's settings laid over it: replaced where the key stands, else at the end."""
    left = dict(settings)
    lines = []
    for line in base.splitlines():
        key = line.partition("=")[0]
        lines.append(f"{key}={left.pop(key)}" if key in left else line)
    lines += [f"{key}={left[key]}" for key in sorted(left)]
    return "\n".join(lines) + "\n" if lines else ""
