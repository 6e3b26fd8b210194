# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Peak memory of the module's process while it installs, above that of a Python that does nothing."""

import os
import subprocess
from pathlib import Path

import ansible

from benchmarks import material, playbooks

HEAD = ("peak memory", "MiB", "above Python", "limit")
_SITE = os.path.dirname(os.path.dirname(ansible.__file__))  # where the interpreter itself finds ansible


def rows(scratch: Path) -> list[tuple[str, ...]]:
    base = scratch / "memory"
    base.mkdir()
    (base / "nothing.py").write_text("")
    (base / "basic.py").write_text("import ansible.module_utils.basic\n")
    nothing = _peak(base / "nothing.py")
    found = [("python", nothing), ("python with ansible.module_utils.basic", _peak(base / "basic.py"))]
    for archive in (material.module_zip(), material.official()):
        found.append((f"install from a {archive.format}", _peak(_module(base / archive.format, archive))))
    return [(name, f"{peak / 1024:.1f}", f"{(peak - nothing) / 1024:.1f}", "64" if name.startswith("install") else "") for name, peak in found]


def _module(directory: Path, archive: material.Archive) -> Path:
    """The module as it was sent with what it needs for an install, which is undone."""
    source = directory / "archives"
    source.mkdir(parents=True)
    (source / material.name_of(archive)).symlink_to(archive.path)
    wish = playbooks.wish(directory / "host", [archive.version], sources=[{"type": "file", "path": str(source)}])
    wish["checksums"] = {archive.version: {material.ARCH: [archive.digest]}}
    settings = {"ANSIBLE_PIPELINING": "0", "ANSIBLE_KEEP_REMOTE_FILES": "1", "ANSIBLE_REMOTE_TMP": str(directory / "sent")}
    playbooks.play(directory, [{"name": "install", playbooks.MODULE: wish}], settings=settings)
    (directory / "host").rename(directory / "was")
    return max(directory.glob("sent/*/AnsiballZ_*.py"), key=os.path.getmtime)


def _peak(script: Path) -> int:
    """KiB of the process and its children, what they share counted once: the most that was seen, at every moment that the kernel gives."""
    with subprocess.Popen([*material.PYTHON, script], env={**material.ENV, "PYTHONPATH": _SITE}, stdout=subprocess.PIPE, text=True) as process:
        peak = 0
        while process.poll() is None:
            peak = max(peak, _resident(process.pid))
        assert process.stdout is not None
        said = process.stdout.read()
    assert process.returncode == 0 and (not script.name.startswith("AnsiballZ") or '"installed": true' in said), said
    return peak


def _resident(pid: int) -> int:
    """0 for what has just ended."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as rollup, open(f"/proc/{pid}/task/{pid}/children") as children:
            own = sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
            return own + sum(_resident(int(child)) for child in children.read().split())
    except (FileNotFoundError, ProcessLookupError):
        return 0
