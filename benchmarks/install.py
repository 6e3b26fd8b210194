# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing one release from a local archive, against the tools that a person would use."""

import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import material, measure

_TAR = 'sha256sum "$1" && tar -xzf "$1" -C "$2" && sync -f "$2"'
_ZIP = 'unzip -q "$1" -d "$2" && sync -f "$2"'


def rows(scratch: Path, rounds: int) -> list[tuple[str, ...]]:
    """The archives are in memory, and every run has a new directory; nothing is deleted before all is measured, for ext4 makes files
    slowly while inodes of others were freed in the last five seconds."""
    found = []
    for archive, name, script, limit in (
        (material.official(), "install .tar.gz : sha256sum, tar, sync", _TAR, "1.30"),
        (material.module_zip(), "install module zip : unzip, sync", _ZIP, ""),
    ):
        archive.path.read_bytes()
        base = scratch / archive.format

        def ours(number: int, archive: material.Archive = archive, base: Path = base) -> float:
            measure.settle()
            return float(measure.output([*material.PYTHON, "benchmarks/install_once.py", *archive.words, base / f"ours{number}"], material.ENV, material.ROOT))

        def peer(number: int, archive: material.Archive = archive, base: Path = base, script: str = script) -> float:
            target = base / f"peer{number}"
            target.mkdir(parents=True)
            measure.settle()
            return timed(["sh", "-ec", script, "sh", str(archive.path), str(target)])

        found.append(measure.row(name, measure.pairs(rounds, ours, peer), limit))
    return found


def timed(argv: Sequence[str]) -> float:
    start = time.perf_counter()
    measure.output(argv)
    return time.perf_counter() - start
