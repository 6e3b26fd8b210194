# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of 30 services that run, in a virtual machine with cgroup v2: one task, beside the file, template and systemd_service tasks that write the same.

And what our module does in its own seconds, beside what cannot be done without: 30 files and one daemon-reload.
"""

import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import measure
from benchmarks.guest import Guest
from tests.hosts import hosts

_IMAGE, _DIRECTORY = "vm:bookworm", "/root/gohost-bench"
_UNITS = [f"gohostbench{number}.service" for number in range(30)]
_TEXT = "[Service]\nMemoryMax=256M\nCPUQuota=150%\nTasksMax=100\n"
_OURS = {"gohost.linux.cgroup_limits": {"units": [{"unit": unit, "memory_max": "256MiB", "cpu_quota": 1.5, "tasks_max": 100} for unit in _UNITS]}}
_MAKE = f"""for unit in {" ".join(_UNITS)}; do printf '[Service]\\nExecStart=/bin/sleep 1000000\\n' > /etc/systemd/system/$unit; done
systemctl daemon-reload; systemctl start {" ".join(_UNITS)}"""
_BACK = "rm -rf /etc/systemd/system/gohostbench*.service.d; systemctl daemon-reload; sync"
_HELD = "cat /sys/fs/cgroup/system.slice/gohostbench*.service/{memory.max,cpu.max,pids.max} | sort | uniq -c | tr -s ' \\n' ' '"
_EXPECTED = " 30 100 30 150000 100000 30 268435456 "
_STATE = "stat -c '%n %i %y %z' /etc/systemd/system/gohostbench*.service.d/*; journalctl -b -o cat _PID=1 | grep -c ^Reloading"


def rows(scratch: Path, rounds: int, looped: int) -> Iterator[tuple[str, ...]]:
    """rounds: pairs of the module's own seconds; looped: pairs with 61 tasks, at some minutes each."""
    host = hosts.start(_IMAGE, "bench-limits")
    try:
        guest = Guest(host, scratch / "limits")
        guest.bring(_DIRECTORY, "limits_once.py")
        guest.shell(_MAKE)
        guest.play([{**_OURS, "check_mode": True}])  # the first one builds the module
        yield from _own_seconds(guest, rounds)
        if looped:
            yield from _tasks(guest, scratch, looped)
    finally:
        hosts.stop(host)


def _own_seconds(guest: Guest, rounds: int) -> Iterator[tuple[str, ...]]:
    def once(what: str, fresh: bool, _number: int) -> float:
        if fresh:
            guest.shell(_BACK)
        spent = float(guest.shell(f"PYTHONPATH={_DIRECTORY} python3 {_DIRECTORY}/limits_once.py {what} {' '.join(_UNITS)}"))
        _held(guest)
        return spent

    pairs = measure.pairs(rounds, functools.partial(once, "ours", True), functools.partial(once, "floor", True))
    yield measure.row("30 units, own seconds : 30 files and a daemon-reload", pairs, "1.50")
    once("ours", True, 0)
    unchanged = [measure.Pair(once("ours", False, number), pair.peer) for number, pair in enumerate(pairs)]
    yield measure.row("30 units, own seconds, unchanged : the same", unchanged, "1.00")


def _tasks(guest: Guest, scratch: Path, looped: int) -> Iterator[tuple[str, ...]]:
    (scratch / "limits.conf.j2").write_text(_TEXT)
    directory = "/etc/systemd/system/{{ item }}.d"
    theirs: list[dict[str, Any]] = [
        {"ansible.builtin.file": {"path": directory, "state": "directory", "mode": "0755"}, "loop": _UNITS},
        {"ansible.builtin.template": {"src": str(scratch / "limits.conf.j2"), "dest": f"{directory}/limits.conf", "mode": "0644"}, "loop": _UNITS},
        {"ansible.builtin.systemd_service": {"daemon_reload": True}},
    ]
    first, again = [], []
    for number in range(looped):
        guest.shell(_BACK)
        ours = guest.play([_OURS])
        _held(guest)
        before = guest.shell(_STATE)
        unchanged = guest.play([_OURS])
        if guest.shell(_STATE) != before:
            sys.exit("a run without changes has written something, or reloaded systemd")
        guest.shell(_BACK)
        first.append(measure.Pair(ours, guest.play(theirs)))
        _held(guest)
        print(f"  {number + 1}/{looped}: {ours:.1f} s, 61 tasks {first[-1].peer:.1f} s; unchanged {unchanged:.1f} s", file=sys.stderr)
        again.append(measure.Pair(unchanged, guest.play(theirs)))
    yield measure.row("30 units : 61 tasks", first, "0.10")
    yield measure.row("30 units, unchanged : 61 tasks", again, "0.10")


def _held(guest: Guest) -> None:
    held = guest.shell(_HELD)
    if held != _EXPECTED:
        sys.exit(f"the kernel has {held!r} instead of {_EXPECTED!r}")
