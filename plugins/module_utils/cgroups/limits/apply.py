# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does what the plan says: all drop-ins staged, renamed, one daemon-reload, and restarts that are wished."""

import posixpath
from typing import Iterable, List

from ...errors import GoHostError
from ...host import Host
from ...plan import Plan, Step
from .observe import DUE, STAGED
from .plan import CLEAN, RELOAD, REMOVE, RESTART, WRITE


def apply(host: Host, plan: Plan, slices: Iterable[str] = ()) -> None:
    """Carry out a plan. slices: to wake after the reload.

    Errors: GoHostError where systemd refuses, OSError where a file cannot be written.
    """
    for step in plan.of(CLEAN):
        _remove(host, step.thing)
    staged: List[str] = []
    try:
        for step in plan.of(WRITE):
            _stage(host, step, staged)
        lasting = [path for path in staged if not path.startswith("/run/")]
        if lasting:
            host.sync(posixpath.dirname(lasting[0]))
        if plan.of(RELOAD):
            _mark(host, [step.thing for step in plan.of(RESTART)])
        for step in plan.of(WRITE):
            host.rename(step.thing + STAGED, step.thing)
            staged.remove(step.thing + STAGED)
    finally:
        for path in staged:
            _remove(host, path)
    for step in plan.of(REMOVE):
        _remove(host, step.thing)
    if plan.of(RELOAD):
        _systemctl(host, "daemon-reload")
        wake(host, slices)
    if plan.of(RESTART):
        _systemctl(host, "restart", "--", *(step.thing for step in plan.of(RESTART)))
    if plan.of(RELOAD):
        host.remove(DUE)


def wake(host: Host, slices: Iterable[str]) -> None:
    """Start something in slices, by which systemd writes the limits of what runs there. The kernel's files tell whether it helped."""
    for name in slices:
        host.run(["systemd-run", "--quiet", "--scope", f"--slice={name}", "true"])


def _mark(host: Host, restarts: Iterable[str]) -> None:
    """Say what is due, for the next run if this one is killed."""
    if host.stat(DUE + STAGED) is not None:
        host.remove(DUE + STAGED)
    host.create(DUE + STAGED, 0o644, ["\n".join(restarts).encode("utf-8")])
    host.rename(DUE + STAGED, DUE)


def _remove(host: Host, path: str) -> None:
    """Remove a file, if it is there, and its directory when that is empty."""
    if host.stat(path) is not None:
        host.remove(path)
    directory = posixpath.dirname(path)
    if host.stat(directory) is not None and not host.listing(directory):
        host.remove(directory)


def _stage(host: Host, step: Step, staged: List[str]) -> None:
    directory, path = posixpath.dirname(step.thing), step.thing + STAGED
    if host.stat(directory) is None:
        host.mkdir(directory, 0o755)
    staged.append(path)
    host.create(path, 0o644, [step.argument.encode("utf-8")])


def _systemctl(host: Host, *words: str) -> None:
    answer = host.run(["systemctl", *words])
    if answer.rc != 0:
        raise GoHostError(f"systemctl {words[0]} failed", " ".join(words[2:]) or answer.rc, answer.stderr or answer.stdout or "Look into systemd's journal.")
