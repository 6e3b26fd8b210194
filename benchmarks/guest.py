# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual machine, and what tasks and programs on it take."""

import io
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import material, playbooks
from tests.hosts.host import Host
from tests.integration.playbook import reached

_ROOMS = material.ROOT / "plugins/module_utils"
_WHERE = Path("ansible_collections/gohost/linux/plugins/module_utils")


class Guest:
    def __init__(self, host: Host, scratch: Path, collections: str = "") -> None:
        """collections: where those of others lie, in ansible-core's form."""
        self._host, self._scratch, self._collections = host, scratch, collections

    def play(self, tasks: Sequence[Mapping[str, Any]]) -> float:
        """Seconds of all these tasks over one connection, without Ansible's own start."""
        named = [{"name": f"task {number}", **task} for number, task in enumerate(tasks)]
        settings = {"ANSIBLE_COLLECTIONS_PATH": f"{material.ROOT / '.build'}:{self._collections}".rstrip(":")}
        connected = [{"name": "connect", "ansible.builtin.ping": {}}]
        times = playbooks.play(self._scratch, connected + named, {"guest": reached(self._host)}, settings=settings)
        return sum(time.seconds for time in times if time.task != "connect")

    def bring(self, directory: str, program: str) -> None:
        """The host's rooms and one of the programs beside this file, into a directory from which that program finds them."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(_ROOMS, str(_WHERE))
            packages = [*_WHERE.parents[:-1], *(_WHERE / path.relative_to(_ROOMS) for path in _ROOMS.glob("**/"))]
            for package in packages:  # as in the module that Ansible brings
                archive.addfile(tarfile.TarInfo(str(package / "__init__.py")))
            archive.add(material.ROOT / "benchmarks" / program, program)
        subprocess.run(self._host.ssh(f"mkdir -p {directory} && tar -C {directory} -x"), input=packed.getvalue(), check=True)

    def shell(self, script: str) -> str:
        """What a script says; its failure ends the benchmark."""
        ended = self._host.run(script, timeout=600)
        if ended.returncode:
            sys.exit(f"{self._host.name}: {script}: {ended.stderr[-4000:]}")
        return ended.stdout

    def seconds(self, command: str) -> float:
        """A command's, by the guest's own clock."""
        return float(self.shell(f"TIMEFORMAT=%3R; {{ time {command} >/dev/null 2>&1; }} 2>&1"))
