# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A denial in one sentence. Pure."""

import posixpath

from .model import CAPABILITY_CLASSES, FILE_CLASSES, HIDDEN, SECCOMP, SELINUX_ERR, USER_AVC, Denial
from .parse import printable

_OBJECTS = {
    "file": "the file",
    "dir": "the directory",
    "lnk_file": "the link",
    "chr_file": "the device",
    "blk_file": "the block device",
    "sock_file": "the socket",
    "fifo_file": "the pipe",
}
_OPERATIONS = {
    "security_compute_sid": "a new process or file would have had the context {detail}, which the policy does not know",
    "security_bounded_transition": "under NoNewPrivileges {domain} cannot become {target}",
    "security_validate_transition": "a file's context may not change from {source} to {new}",
}


def who(denial: Denial) -> str:
    """The program, and its domain."""
    name = printable(denial.executable or denial.command) or "a program"
    if denial.command.startswith("(") and denial.command.endswith(")"):
        name = f"systemd, about to start {printable(denial.command[1:-1])}"
    return f"{name} ({denial.domain})" if denial.domain else name


def thing(denial: Denial) -> str:
    """What it was about, and its type."""
    labelled = denial.object_type
    if denial.port:
        return f"{denial.protocol or 'raw'} port {denial.port}, which is {labelled}"
    if denial.tclass in CAPABILITY_CLASSES:
        return "capability " + ", ".join(f"CAP_{name.upper()}" for name in denial.permissions)
    if denial.tclass in FILE_CLASSES and (denial.path or denial.name):
        unseen = "" if denial.path or not denial.inode else f" (inode {denial.inode})"
        return f"{_OBJECTS[denial.tclass]} {printable(denial.path or denial.name)}{unseen}, which is labelled {labelled}"
    if denial.source == denial.target:
        return f"its own {denial.tclass}"
    return f"{denial.tclass} of {labelled}"


def explain(denial: Denial) -> str:
    if denial.kind == SECCOMP:
        return f"{who(denial)} made the system call {printable(denial.syscall)}, which its seccomp filter {_ended(denial)}."
    if denial.kind == SELINUX_ERR:
        text = _OPERATIONS.get(denial.operation, "the operation {operation} on {detail} met a context that the policy does not know")
        words = text.format(
            detail=printable(denial.detail) or "a context",
            domain=denial.domain,
            target=denial.object_type,
            source=printable(denial.source),
            new=printable(denial.target),
            operation=printable(denial.operation) or "it tried",
        )
        return f"{who(denial)}: {words}."
    if denial.kind == HIDDEN:
        name = f" on {printable(denial.path)}" if denial.path else ""
        return f"{who(denial)} got EACCES from the system call {printable(denial.syscall)}{name}, and SELinux logged no denial."
    verb = "was allowed, and logged," if denial.granted else "would be denied" if denial.permissive else "was denied"
    asked = " and ".join(denial.permissions)
    if denial.tclass in CAPABILITY_CLASSES:
        return f"{who(denial)} {verb} the use of {thing(denial)}."
    via = f" by {posixpath.basename(printable(denial.detail))}" if denial.kind == USER_AVC and denial.detail else ""
    return f"{who(denial)} {verb} {printable(asked)} on {thing(denial)}{via}."


def _ended(denial: Denial) -> str:
    if denial.permissive:
        return "only logs"
    return f"forbids ({printable(denial.detail)})" if denial.detail else "forbids"
