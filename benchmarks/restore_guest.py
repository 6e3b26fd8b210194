# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In a guest: time our restore, from the first import of ours on, and restorecon -R on one tree.

ROUNDS FILES WRONG…; prints JSON, wrong → pairs of seconds.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

TREE = "/opt/gohost-bench"
OURS = [sys.executable, str(Path(__file__).with_name("restore_once.py")), TREE]
PEER = ["restorecon", "-R", TREE]


def make(files: int) -> list[str]:
    names = [f"{TREE}/pkg{number // 100}/file{number % 100}.go" for number in range(files)]
    for name in names:
        if name.endswith("/file0.go"):
            os.makedirs(os.path.dirname(name))
        Path(name).write_bytes(b"package x\n")
    subprocess.run(PEER, check=True)
    return names


def ours() -> float:
    return float(subprocess.run(OURS, check=True, capture_output=True, text=True).stdout)


def peer() -> float:
    start = time.perf_counter()
    subprocess.run(PEER, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def timed(what: Callable[[], float], wrong: list[str]) -> float:
    for name in wrong:
        os.setxattr(name, "security.selinux", b"system_u:object_r:etc_t:s0\0")
    os.sync()
    spent = what()
    left = subprocess.run(["restorecon", "-Rnv", TREE], check=True, capture_output=True, text=True).stdout
    assert not left, left
    return spent


def main() -> None:
    rounds, files, *counts = map(int, sys.argv[1:])
    names = make(files)
    found: dict[str, list[tuple[float, float]]] = {}
    for count in counts:
        wrong = names[:: files // count] if count else []
        for number in range(rounds):
            spent = {what: timed(what, wrong) for what in ((ours, peer) if number % 2 else (peer, ours))}
            found.setdefault(str(len(wrong)), []).append((spent[ours], spent[peer]))
            print(f"  {len(wrong)} wrong, {number + 1}/{rounds}: {spent[ours]:.3f} s, peer {spent[peer]:.3f} s", file=sys.stderr, flush=True)
    print(json.dumps(found))


main()
