# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kernel or an object manager refused, as records. Pure."""

from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple

AVC, USER_AVC, SELINUX_ERR, SECCOMP, HIDDEN = "avc", "user_avc", "selinux_err", "seccomp", "hidden"
FILE_CLASSES = ("file", "dir", "lnk_file", "chr_file", "blk_file", "sock_file", "fifo_file")
CAPABILITY_CLASSES = ("capability", "capability2", "cap_userns", "cap2_userns")


class Record(NamedTuple):
    """One line of a log. time: seconds with three digits of milliseconds, which with serial joins the lines of one event; line: as read."""

    type: str
    time: str
    serial: int
    body: str
    line: str


class Denial(NamedTuple):
    """One thing that was refused, or with granted or permissive only noted.

    kind: AVC of the kernel, USER_AVC of systemd or D-Bus, SELINUX_ERR, SECCOMP, or HIDDEN: a call that ended with EACCES and no word of SELinux.
    time: seconds since the epoch. source, target: whole contexts. path: absolute, "" where the log has only name and inode.
    operation: what SELINUX_ERR was about. detail: the context it speaks of, or how SECCOMP ended the call. syscall: a name, or else a number.
    Texts of the file system may hold surrogates for bytes that are no UTF-8.
    """

    kind: str
    time: float
    source: str = ""
    target: str = ""
    tclass: str = ""
    permissions: Tuple[str, ...] = ()
    granted: bool = False
    permissive: bool = False
    command: str = ""
    executable: str = ""
    pid: int = 0
    path: str = ""
    name: str = ""
    inode: int = 0
    protocol: str = ""
    port: int = 0
    syscall: str = ""
    operation: str = ""
    detail: str = ""
    evidence: str = ""

    @property
    def domain(self) -> str:
        return type_of(self.source)

    @property
    def object_type(self) -> str:
        return type_of(self.target)

    @property
    def asked(self) -> "Denial":
        """Without what differs from one time to the next: equal denials have the same."""
        nameless = self.tclass in FILE_CLASSES and self.name and not self.path
        return self._replace(time=0.0, pid=0, inode=self.inode if nameless else 0, evidence="")


class Group(NamedTuple):
    """Equal denials. denial: the last of them; first, last: seconds since the epoch."""

    denial: Denial
    times: int
    first: float
    last: float


class Proposal(NamedTuple):
    """A cure. kind: fcontext, port, boolean, unit, cil or none. arguments: for selinux_go_context; dropin: text of a drop-in for the unit.

    alternative: arguments of another cure, where a person has the choice. review: a person must look before it is applied.
    """

    kind: str
    why: str
    arguments: Mapping[str, Any] = {}
    dropin: str = ""
    review: bool = False
    alternative: Mapping[str, Any] = {}


def type_of(context: str) -> str:
    """The type in a context, "" where there is none."""
    parts = context.split(":")
    return parts[2] if len(parts) > 2 else ""


def grouped(denials: Iterable[Denial]) -> List[Group]:
    """Equal denials together, the latest first."""
    groups: Dict[Denial, Group] = {}
    for denial in denials:
        key = denial.asked
        seen: Optional[Group] = groups.get(key)
        if seen is None:
            groups[key] = Group(denial, 1, denial.time, denial.time)
        else:
            latest = denial if denial.time >= seen.last else seen.denial
            groups[key] = Group(latest, seen.times + 1, min(seen.first, denial.time), max(seen.last, denial.time))
    return sorted(groups.values(), key=lambda group: (-group.last, group.denial.asked))
