# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts whose root is a directory."""

import os
import socket
from pathlib import Path
from typing import BinaryIO, Dict, List, Optional

from ansible_collections.gohost.linux.plugins.module_utils.host import CommandResult, FileStat, LocalHost
from tests.fakes import elf
from tests.fakes.cgroups import V2


class Rooted(LocalHost):
    """A host whose root is a directory."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self.asked: List[List[str]] = []

    def write(self, path: str, content: "str | bytes") -> None:
        there = Path(self.root + path)
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(content if isinstance(content, bytes) else content.encode())

    def connect(self, path: str) -> socket.socket:
        raise FileNotFoundError(path)

    def stat(self, path: str) -> Optional[FileStat]:
        return super().stat(path if path.startswith(self.root) else self.root + path)

    def real(self, path: str) -> str:
        return super().real(path if path.startswith(self.root) else self.root + path)

    def listing(self, path: str) -> List[str]:
        return super().listing(self.root + path)

    def read(self, path: str, limit: int = 64 << 20) -> bytes:
        return super().read(self.root + path, limit)

    def open(self, path: str) -> BinaryIO:
        return super().open(self.root + path)


class RootedHost(Rooted):
    """With processes, cgroups and units that a test writes there. units: what systemctl shows, by unit; without any there is no systemd."""

    def __init__(self, root: Path, mountinfo: str = V2, online: str = "0-7") -> None:
        super().__init__(root)
        self.units: Dict[str, str] = {}
        self.mountinfo = mountinfo
        self.write("/proc/self/mountinfo", mountinfo)
        self.write("/sys/devices/system/cpu/online", f"{online}\n")
        self.link("/proc/self/ns/cgroup", "cgroup:[4026531835]")

    def link(self, path: str, target: str) -> None:
        there = Path(self.root + path)
        there.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(target, str(there))

    def go(self, path: str, version: str = "go1.27.4", godebug: str = "") -> str:
        """A Go program; its path on the machine that runs the tests."""
        self.write(path, elf.make(version, "path\tx\nmod\tx\t(devel)\n" + (f"build\tDefaultGODEBUG={godebug}\n" if godebug else "")))
        return self.root + path

    def process(
        self, pid: int, executable: str, cgroup: str, environ: bytes = b"", cpus: str = "0-7", namespace: str = "cgroup:[4026531835]", mountinfo: str = ""
    ) -> None:
        """A process. executable: on the machine that runs the tests, or "" for a kernel thread."""
        here = f"/proc/{pid}"
        self.write(f"{here}/status", f"Name:\tapp\nVmHWM:\t  65536 kB\nVmRSS:\t  32768 kB\nThreads:\t9\nCpus_allowed_list:\t{cpus}\n")
        self.write(f"{here}/environ", environ)
        self.write(f"{here}/cgroup", cgroup)
        self.write(f"{here}/mountinfo", mountinfo or self.mountinfo)
        self.write(f"{here}/stat", f"{pid} (app) S 1 1 1 0 -1 4194560 500 0 3 0 120 30 0 0 20 0 9 0 9 5 7\n")
        self.link(f"{here}/ns/cgroup", namespace)
        self.link(f"{here}/root", self.root)
        if executable:
            self.link(f"{here}/exe", executable)

    def cgroup(self, path: str, **files: str) -> None:
        """A cgroup of v2. files: with __ for a point."""
        for name, content in files.items():
            self.write(f"/sys/fs/cgroup{path}/{name.replace('__', '.')}", f"{content}\n")

    def run(self, argv: List[str]) -> CommandResult:
        self.asked.append(argv)
        if not self.units:
            return CommandResult(tuple(argv), 127, "", "")
        if argv[0] == "systemd-analyze":
            return CommandResult(tuple(argv), 0, self.units.get("system.conf", ""), "")
        names = argv[argv.index("--") + 1 :] if "--" in argv else ["systemd"]
        shown = [self.units.get(name, f"Id={name}\nLoadState=not-found\nMainPID=0") for name in names]
        return CommandResult(tuple(argv), 0, "\n\n".join(shown) + "\n", "")
