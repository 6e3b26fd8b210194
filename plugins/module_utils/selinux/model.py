# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of SELinux: contexts, and the records of a policy store that an administrator adds. Pure."""

import stat
from types import MappingProxyType
from typing import Mapping, NamedTuple

from ..errors import GoHostError

NONE = "<<none>>"  # the setype of files that are never labelled


class Context(NamedTuple):
    """A security context. level is "" where the policy has none; it may hold colons itself (s0:c1,c2)."""

    user: str
    role: str
    type: str
    level: str = ""

    @classmethod
    def parse(cls, text: str) -> "Context":
        parts = text.split(":", 3)
        if len(parts) < 3 or not all(parts):
            raise GoHostError("not a security context", text, "It reads user:role:type or user:role:type:level.")
        return cls(*parts)

    def __str__(self) -> str:
        return ":".join(part for part in self if part)


class Ftype(NamedTuple):
    """A kind of file as each part of SELinux spells it."""

    number: int  # SEMANAGE_FCONTEXT_* of <semanage/fcontext_record.h>
    mode: int  # S_IF*, as selabel_lookup takes it; 0 for all
    flag: str  # second field of a line in file_contexts; "" for all


# The letters are those of semanage(8) --ftype.
FTYPES: Mapping[str, Ftype] = MappingProxyType(
    {
        "a": Ftype(0, 0, ""),
        "f": Ftype(1, stat.S_IFREG, "--"),
        "d": Ftype(2, stat.S_IFDIR, "-d"),
        "c": Ftype(3, stat.S_IFCHR, "-c"),
        "b": Ftype(4, stat.S_IFBLK, "-b"),
        "s": Ftype(5, stat.S_IFSOCK, "-s"),
        "l": Ftype(6, stat.S_IFLNK, "-l"),
        "p": Ftype(7, stat.S_IFIFO, "-p"),
    }
)
PROTOCOLS: Mapping[str, int] = MappingProxyType({"udp": 0, "tcp": 1, "dccp": 2, "sctp": 3})  # SEMANAGE_PROTO_* of <semanage/port_record.h>


class Fcontext(NamedTuple):
    """What files whose whole path matches are labelled. target: an extended regular expression, or a plain path; setype NONE: left alone."""

    target: str
    ftype: str = "a"
    setype: str = NONE
    seuser: str = "system_u"
    selevel: str = "s0"

    @property
    def context(self) -> str:
        """As text; "" where the record says <<none>>."""
        return "" if self.setype == NONE else str(Context(self.seuser, "object_r", self.setype, self.selevel))


class Equivalence(NamedTuple):
    """Files below path are labelled as if they were below source."""

    path: str
    source: str


class Port(NamedTuple):
    """A port, or with low < high a range, and its type."""

    proto: str
    low: int
    high: int
    setype: str
    selevel: str = "s0"

    @property
    def range(self) -> str:
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"


class Boolean(NamedTuple):
    """A switch of the policy. Not persistent: only until the next reboot or load of the policy."""

    name: str
    state: bool
    persistent: bool = True


class PolicyModule(NamedTuple):
    """A module in CIL. Of several with one name the highest priority is in force; the distribution's are at 100."""

    name: str
    priority: int = 400
    cil: str = ""
