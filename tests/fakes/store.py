# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small host below one directory: a store, a directory of links, and archives to install from."""

import os
import stat
import subprocess
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.gohost.linux.plugins.module_utils.host import Host, explained
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.converge import Outcome, converge
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.model import Candidate, HttpSettings, Layout, Wanted
from tests.fakes import archives
from tests.fakes.host import BoundedHost

Snapshot = Dict[str, Tuple[Any, ...]]
ARCH = "amd64"


class Store:
    """base/host is the machine; what lies beside it is not of it."""

    def __init__(self, base: str, count: int = 20) -> None:
        self.base = os.path.realpath(base)
        self.machine = os.path.join(self.base, "host")
        self.root = os.path.join(self.machine, "opt/go")
        self.links = os.path.join(self.machine, "bin")
        self.layout = Layout(self.root)
        self.count = count
        self.archives = os.path.join(self.base, "archives")
        self._made: Dict[Tuple[str, str, str], archives.Made] = {}
        for directory in (self.machine, os.path.join(self.machine, "opt"), self.links, self.archives):
            os.makedirs(directory, exist_ok=True)

    def wish(self, *versions: str, **more: Any) -> Wanted:
        return Wanted(**dict(dict(root=self.root, versions=versions, links=self.links), **more))

    def candidate(self, version: str, form: str = "tar.gz", arch: str = ARCH, **more: Any) -> Candidate:
        """An archive of a small release; made once."""
        key = (version, form, arch)
        if key not in self._made:
            (self._made[key],) = archives.make(self.archives, version, arch, self.count, [form])
        made = self._made[key]
        fields: Dict[str, Any] = dict(
            source="file", source_index=0, format=form, url="", path=made.path, digests=(made.digest,), authority="user", fallback="always"
        )
        return Candidate(**dict(fields, **more))

    def candidates(self, *versions: str, form: str = "tar.gz") -> Dict[str, Sequence[Candidate]]:
        return {version: [self.candidate(version, form)] for version in versions}

    def run(
        self,
        *versions: str,
        candidates: Optional[Mapping[str, Sequence[Candidate]]] = None,
        host: Optional[Host] = None,
        check: bool = False,
        lock_timeout: float = 10,
        **more: Any,
    ) -> Outcome:
        """One call as the module makes it, its errors too; what it may need to install is at hand unless candidates says otherwise."""
        wanted = self.wish(*versions, **more)
        if candidates is None:
            candidates = {} if wanted.absent else self.candidates(*versions)
        try:
            return converge(host or BoundedHost(self.base), wanted, candidates, HttpSettings(retries=0), lock_timeout, check)
        except OSError as error:
            raise explained(error) from None

    def snapshot(self, below: str = "") -> Snapshot:
        """Everything of the machine but times and the sizes of directories."""
        top = os.path.join(self.machine, below)
        found: Snapshot = {}
        for directory, directories, files in os.walk(top):
            for name in directories + files:
                path = os.path.join(directory, name)
                seen = os.lstat(path)
                content: Any = None
                if stat.S_ISLNK(seen.st_mode):
                    content = os.readlink(path)
                elif stat.S_ISREG(seen.st_mode):
                    with open(path, "rb") as source:
                        content = source.read()
                found[os.path.relpath(path, self.machine)] = (seen.st_mode, seen.st_uid, seen.st_gid, content)
        return found

    def linked(self) -> Dict[str, str]:
        """The names in the directory of links, hidden ones too, and what they are."""
        return {
            name: os.readlink(os.path.join(self.links, name)) if os.path.islink(os.path.join(self.links, name)) else "no link"
            for name in sorted(os.listdir(self.links))
        }

    def go_version(self, name: str = "go") -> str:
        """What the linked go says it is; "" where there is none."""
        try:
            done = subprocess.run([os.path.join(self.links, name), "version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        except FileNotFoundError:
            return ""
        words = done.stdout.decode().split()
        return words[2][len("go") :] if done.returncode == 0 and words[:2] == ["go", "version"] else f"broken: {done.stdout.decode()}"

    def leftovers(self) -> List[str]:
        """What a finished run may not leave."""
        found = []
        for directory, directories, files in os.walk(self.machine):
            found += [os.path.join(directory, name) for name in directories + files if ".gohost-new" in name or ".gohost-swap" in name]
        if os.path.isdir(self.layout.private):
            found += [os.path.join(self.layout.stage, name) for name in os.listdir(self.layout.stage)]
            found += [self.layout.manifest(version) for version in os.listdir(self.layout.manifests) if not os.path.isdir(self.layout.tree(version))]
            found += [] if os.path.exists(self.layout.state) else ["no state"]
        return found
