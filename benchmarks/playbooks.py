# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook, as this project's benchmarks run it."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import material, measure

MODULE = "gohost.linux.go_toolchain"


class Time(NamedTuple):
    task: str
    host: str
    seconds: float


def play(
    scratch: Path,
    tasks: Sequence[Mapping[str, Any]],
    hosts: Mapping[str, Mapping[str, Any]] | None = None,
    forks: int = 5,
    settings: Mapping[str, str] | None = None,
) -> list[Time]:
    """Run tasks on this machine, or on names that stand for it with variables of their own; pipelined, as a person who cares would.

    Seconds are from a task's start on a host to the arrival of its result.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    common = {"ansible_connection": "local", "ansible_python_interpreter": material.PYTHON[0]}
    inventory = {"all": {"vars": common, "hosts": hosts or {"localhost": {}}}}
    (scratch / "inventory.json").write_text(json.dumps(inventory))
    (scratch / "play.json").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    times = scratch / "times.jsonl"
    times.unlink(missing_ok=True)
    env = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(material.ROOT / ".build"),
        "ANSIBLE_HOME": str(scratch / "ansible"),
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_CALLBACK_PLUGINS": str(material.ROOT / "benchmarks/callback"),
        "ANSIBLE_CALLBACKS_ENABLED": "times",
        "BENCH_TIMES": str(times),
        **(settings or {}),
    }
    program = Path(sys.executable).with_name("ansible-playbook")
    measure.output([program, "-f", str(forks), "-i", scratch / "inventory.json", scratch / "play.json"], env, material.ROOT)
    return [Time(*json.loads(line)) for line in times.read_text().splitlines()]


def wish(root: Path, versions: Sequence[str], **options: Any) -> dict[str, Any]:
    """Arguments of the module for a store of its own under root, with the last of the versions as default."""
    return {"versions": versions, "default": versions[-1], "root": str(root / "go"), "links": str(root / "bin"), "allow_eol": True, **options}
