# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels of 20,000 files in a virtual machine with SELinux enforcing, beside restorecon -R: with nothing wrong, and with 1,000 files wrong."""

import io
import json
import subprocess
import sys
import tarfile

from benchmarks import material, measure
from tests.hosts import hosts
from tests.hosts.host import Host

_IMAGES = ("vm:bookworm", "vm:trixie")
_FILES = 20_000
_WRONG = (0, 1_000)
_LIMIT = "1.30"
_DIRECTORY = "/root/gohost-bench"


def rows(rounds: int) -> list[tuple[str, ...]]:
    found = []
    for image in _IMAGES:
        host = hosts.start(image, f"bench-{image.replace(':', '-')}")
        try:
            _bring(host)
            timed = _pairs(host, rounds)
        finally:
            hosts.stop(host)
        found += [measure.row(f"restore {_FILES:,} files, {wrong} wrong ({image})", pairs, _LIMIT) for wrong, pairs in timed.items()]
    return found


def _bring(host: Host) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(material.ROOT / "plugins/module_utils", "ansible_collections/gohost/linux/plugins/module_utils")
        for name in ("restore_once.py", "restore_guest.py"):
            archive.add(material.ROOT / "benchmarks" / name, name)
    subprocess.run(host.ssh(f"mkdir -p {_DIRECTORY} && tar -C {_DIRECTORY} -x"), input=packed.getvalue(), check=True)


def _pairs(host: Host, rounds: int) -> dict[str, list[measure.Pair]]:
    script = f"cd {_DIRECTORY} && PYTHONPATH=. python3 restore_guest.py {rounds} {_FILES} {' '.join(map(str, _WRONG))}"
    ended = host.run(script, timeout=1800)
    if ended.returncode:
        sys.exit(f"{host.name}: {ended.stderr[-4000:]}")
    return {wrong: [measure.Pair(*pair) for pair in pairs] for wrong, pairs in json.loads(ended.stdout).items()}
