# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Molecule's scenarios as stages: each starts its host, and leaves none."""

import functools
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from tests.hosts import hosts, machine
from tests.hosts.containers import Unavailable
from tests.hosts.host import OWNER, identity
from tests.runner.stage import Counts, Stage, counts_of
from tests.runner.venvs import MOLECULE, setup
from tests.runner.workspace import BUILD, ROOT, environment, run

_FULL = (("test",),)
_SHORT = (("converge",), ("idempotence",), ("verify",))
_DAILY = {"debian12": _FULL, "debian11": _SHORT, "debian13": _SHORT}
_MACHINES = ("vm-selinux", "vm-selinux-debian13", "vm-cgroup1")
MACHINE_STAGES = tuple(f"molecule-{name}" for name in _MACHINES)


def _image(scenario: str) -> str:
    """The image that the scenario's file names, as Molecule reads it: the variable's or the default."""
    text = (ROOT / "molecule" / scenario / "molecule.yml").read_text()
    (value,) = re.findall(r"^ +image: (\S+)$", text, re.M)
    variable = re.fullmatch(r"\$\{(\w+):-(.*)\}", value)
    return (os.environ.get(variable[1]) or variable[2]) if variable else str(value)


def _prepare(log: IO[str]) -> Counts:
    """What earlier runs have left is removed, and what hosts need is installed."""
    machine.need(machine.SSH, machine.CONTAINERS, machine.BOOTSTRAP, machine.MACHINES, machine.LABELLING)
    for host in hosts.reap():
        log.write(f"removed: {host.name}, left by an earlier run\n")
    log.write("\n".join(machine.describe()) + "\n")
    return Counts(passed=1)


def _scenario(name: str, commands: Sequence[Sequence[str]], log: IO[str]) -> Counts:
    directory = BUILD / "molecule" / name
    shutil.rmtree(directory, ignore_errors=True)
    report = BUILD / "logs" / f"molecule-{name}.xml"
    report.unlink(missing_ok=True)
    try:
        hosts.build(_image(name))
    except Unavailable as unavailable:
        return Counts(skipped=1, reasons=(str(unavailable),))
    settings = {"MOLECULE_EPHEMERAL_DIRECTORY": str(directory), "GOHOST_VERIFY_REPORT": str(report), OWNER: identity(os.getpid())}
    env = environment(MOLECULE.path, NO_COLOR="1", **settings)
    start = log.tell()
    try:
        for command in commands:
            if run([MOLECULE.program("molecule"), *command, "--scenario-name", name], log, env):
                break
    finally:
        left = hosts.here().get(name)
        if left:
            hosts.stop(left)
    return _counts(Path(log.name).read_text(errors="replace")[start:], report)


def _counts(text: str, report: Path) -> Counts:
    """Each of Molecule's steps, and each test of the host's own state."""
    steps = re.findall(r"\[\S+ > \w+\] Executed: ([A-Z]\w+)", text)
    failed = sum(step != "Successful" for step in steps)
    tests = counts_of(report) if report.is_file() else Counts(failed=1)
    return Counts(len(steps) - failed, failed).plus(tests)


def stages(long: bool) -> Iterator[Stage]:
    """The daily scenarios, or all of them, those that take longest first."""
    yield Stage("setup-molecule", functools.partial(setup, MOLECULE))
    # apt-get does not wait for another one's lists, and an environment may need it to have Python's venv.
    yield Stage("setup-hosts", _prepare, after=("setup-newest", "setup-lint", "setup-core216", "setup-py36", "setup-molecule"))
    needs = ("setup-molecule", "setup-hosts")
    if not long:
        for name, commands in _DAILY.items():
            yield Stage(f"molecule-{name}", functools.partial(_scenario, name, commands), needs)
        return
    others = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml") if path.parent.name not in _MACHINES)
    for position, name in enumerate(_MACHINES):  # one virtual machine of four CPUs at a time
        yield Stage(f"molecule-{name}", functools.partial(_scenario, name, _FULL), needs, after=MACHINE_STAGES[:position])
    for name in others:
        yield Stage(f"molecule-{name}", functools.partial(_scenario, name, _FULL), needs)
