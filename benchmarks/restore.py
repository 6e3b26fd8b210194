# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels of 20,000 files in a virtual machine with SELinux enforcing, beside restorecon -R: with nothing wrong, and with 1,000 files wrong.

Both as one task of Ansible over the same connection; and both as programs, of which ours has Python's own start in its time.
"""

import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import measure
from benchmarks.guest import Guest
from tests.hosts import hosts

_IMAGES = ("vm:bookworm", "vm:trixie")
_DIRECTORY, _TREE = "/root/gohost-bench", "/opt/gohost-bench"
_MAKE = f"mkdir {_TREE}; cd {_TREE}; for p in $(seq 200); do mkdir $p; done; for p in *; do echo $p/file{{0..99}}.go; done | xargs touch; restorecon -R ."
_WRONG = {"0": ":", "1,000": f"chcon -t etc_t {_TREE}/*/file{{0,20,40,60,80}}.go"}
_LEFT = f"find {_TREE} -context '*:etc_t:*' | wc -l"
_LIMIT = "1.30"


def rows(scratch: Path, rounds: int) -> Iterator[tuple[str, ...]]:
    for image in _IMAGES:
        host = hosts.start(image, f"bench-{image.replace(':', '-')}")
        try:
            guest = Guest(host, scratch / "restore")
            guest.bring(_DIRECTORY, "restore_once.py")
            yield from _rows(guest, image, rounds)
        finally:
            hosts.stop(host)


def _rows(guest: Guest, image: str, rounds: int) -> Iterator[tuple[str, ...]]:
    peer = f"restorecon -R {_TREE}"
    script = f"env PYTHONPATH={_DIRECTORY} python3 {_DIRECTORY}/restore_once.py {_TREE}"
    module = {"gohost.linux.selinux_go_context": {"restore": {"paths": [_TREE]}}}
    sides: dict[str, tuple[Callable[[], float], Callable[[], float]]] = {
        "tasks": (functools.partial(guest.play, [module]), functools.partial(guest.play, [{"ansible.builtin.command": peer}])),
        "programs": (functools.partial(guest.seconds, script), functools.partial(guest.seconds, peer)),
    }
    guest.shell(_MAKE)
    guest.play([{**module, "check_mode": True}])  # the first one builds the module
    guest.seconds(script)
    for kind, (ours, theirs) in sides.items():
        for count, spoil in _WRONG.items():
            pairs = measure.pairs(rounds, functools.partial(_timed, guest, spoil, ours), functools.partial(_timed, guest, spoil, theirs))
            yield measure.row(f"restore 20,000 files, {count} wrong, {kind} ({image})", pairs, _LIMIT)


def _timed(guest: Guest, spoil: str, what: Callable[[], float], _number: int) -> float:
    guest.shell(f"{spoil}; sync")
    spent = what()
    left = guest.shell(_LEFT).strip()
    if left != "0":
        sys.exit(f"{left} files are still labelled wrong")
    return spent
