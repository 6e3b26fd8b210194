# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts on which limits are tested: what runs in them, and files that are brought there."""

import io
import subprocess
import tarfile
from collections.abc import Mapping

import pytest

from tests.hosts.host import Host

MACHINES = [
    pytest.param("vm:bookworm", marks=pytest.mark.vm),
    pytest.param("vm:bookworm-cgroup1", marks=[pytest.mark.vm, pytest.mark.long]),
    "mmdebstrap:bookworm",
]


def shell(guest: Host, script: str, timeout: float = 120) -> str:
    done = guest.run(script, timeout)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def bring(guest: Host, files: Mapping[str, bytes]) -> None:
    """Files by their absolute paths, all of which may be run."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    subprocess.run(guest.ssh("tar -C / -x"), input=packed.getvalue(), check=True, timeout=120)
