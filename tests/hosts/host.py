# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running host, how it is reached, and to whom it belongs."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.hosts import cache
from tests.runner.workspace import ROOT, Failed

OWNER = "GOHOST_HOSTS_OWNER"  # the environment variable by which a run says that hosts end with it


class Host(NamedTuple):
    """A host that was started. Its name is unique within a checkout."""

    name: str
    image: str
    id: str  # podman's name of the container, or QEMU's process id
    address: str
    port: int
    checkout: str = str(ROOT)
    owner: str = ""  # "PID-STARTTIME" of the process it ends with, or "" when it is kept

    @property
    def json(self) -> str:
        """How to reach it, in the words of Molecule's instance config."""
        words = {"instance": self.name, "user": "root", "address": self.address, "port": self.port, "identity_file": str(cache.private_key())}
        return json.dumps({**words, "image": self.image, "id": self.id})

    def ssh(self, *words: str, user: str = "root") -> list[str]:
        config = cache.FILES / "ssh_config"
        return ["ssh", "-F", str(config), "-p", str(self.port), "-i", str(cache.private_key()), f"{user}@{self.address}", *words]

    def run(self, script: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.ssh(script), capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=timeout)

    def wait(self, script: Callable[[], str] | str, seconds: float, why_ended: Callable[[], str] = str) -> None:
        """Until ssh lets us in and the script succeeds. Raises Failed with what was said last, or at once when the host has ended."""
        end = time.monotonic() + seconds
        said = "nothing"
        while time.monotonic() < end and not why_ended():
            try:
                done = self.run(script if isinstance(script, str) else script(), timeout=max(end - time.monotonic(), 1))
            except subprocess.TimeoutExpired:
                break
            if done.returncode == 0:
                return
            said = done.stderr.strip() or f"status {done.returncode}"
            time.sleep(0.1)
        raise Failed(f"{self.name} ({self.image}) is not up after {seconds:.0f} s: {why_ended() or said[-500:]}")

    @property
    def orphaned(self) -> bool:
        """Nobody is left who would stop it."""
        return not Path(self.checkout).is_dir() or bool(self.owner and not alive(self.owner))


def identity(pid: int) -> str:
    """A process for as long as it runs: its id alone may be given to another one later. "" where there is none."""
    try:
        return f"{pid}-{Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[19]}"
    except (FileNotFoundError, ProcessLookupError):
        return ""


def alive(owner: str) -> bool:
    pid = owner.partition("-")[0]
    return pid.isdecimal() and identity(int(pid)) == owner


def current_owner() -> str:
    return os.environ.get(OWNER, "")


def clone_tag(checkout: str = str(ROOT)) -> str:
    """What makes names of two checkouts on one machine differ."""
    return cache.key(checkout)[:8]


def settled() -> str:
    """A script that succeeds when the system is up, whatever PID 1 is."""
    return "command -v systemctl >/dev/null || exit 0; case $(systemctl is-system-running --wait) in running|degraded) ;; *) exit 1 ;; esac"
