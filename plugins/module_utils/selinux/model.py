# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of SELinux: contexts, and the records of a policy store that an administrator adds. Pure."""

import stat
from types import MappingProxyType
from typing import FrozenSet, Mapping, NamedTuple, Optional, Tuple, Union

from ..errors import GoHostError

NONE = "<<none>>"  # the setype of files that are never labelled
PERMISSIVE = "permissive_"  # how the names of semanage's permissive modules begin


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


class ModuleState(NamedTuple):
    """Whether the modules of a name count, whatever their priority."""

    name: str
    enabled: bool


Record = Union[Fcontext, Equivalence, Port, Boolean, PolicyModule, ModuleState]


def permissive_module(domain: str) -> PolicyModule:
    """The module by which a domain is made permissive, named and written as semanage permissive does."""
    return PolicyModule(f"{PERMISSIVE}{domain}", 400, f"(typepermissive {domain})")


class ModuleWish(NamedTuple):
    """state: present, absent or disabled. cil is "" unless present."""

    state: str
    cil: str = ""


class Scope(NamedTuple):
    """Which local records a purge may remove: those that match all that is not empty.

    prefix: of a path (whole components) or of a name; setype: the type they give; proto: of ports.
    """

    prefix: str = ""
    setype: str = ""
    proto: str = ""


class Restore(NamedTuple):
    """Which files get the labels of the policy. changed: those that the call's new rules affect; force: customizable types and users too."""

    paths: Tuple[str, ...] = ()
    changed: bool = False
    force: bool = False

    @property
    def asked(self) -> bool:
        return bool(self.paths) or self.changed


FcontextKey = Tuple[str, str]  # target, ftype
PortKey = Tuple[str, int, int]  # proto, low, high
ModuleKey = Tuple[str, int]  # name, priority


class Wanted(NamedTuple):
    """One call's wishes, each thing once; None where a record is not to be there. purge is by kind, as the options are named."""

    fcontexts: Mapping[FcontextKey, Optional[Fcontext]] = MappingProxyType({})
    equivalences: Mapping[str, Optional[str]] = MappingProxyType({})
    ports: Mapping[PortKey, Optional[Port]] = MappingProxyType({})
    booleans: Mapping[str, Boolean] = MappingProxyType({})
    modules: Mapping[ModuleKey, ModuleWish] = MappingProxyType({})
    permissive: Mapping[str, bool] = MappingProxyType({})
    purge: Mapping[str, Scope] = MappingProxyType({})
    restore: Restore = Restore()
    reload: bool = True

    def names(self, kind: str) -> bool:
        """Whether the call says anything about records of this kind."""
        return bool(getattr(self, kind)) or kind in self.purge


class Installed(NamedTuple):
    """A module in the store. cil is None where nobody asked for it; enabled is of the name, at all its priorities."""

    enabled: bool = True
    cil: Optional[str] = None


class Pending(NamedTuple):
    """Rules whose files a run that was killed after its commit has not relabelled."""

    fcontexts: Tuple[Fcontext, ...] = ()
    equivalences: Tuple[Equivalence, ...] = ()


class Seen(NamedTuple):
    """What a store holds of the kinds that the call names; local records unless it says otherwise.

    mls: whether contexts have levels. running: whether the kernel runs this store's policy; active: its booleans that the call names, as they are now.
    policy_fcontexts, policy_ports, policy_booleans: all of the policy, where a wish is not a local record yet nor otherwise known; else empty.
    unfinished: what a killed commit has left to do, "" for nothing; with LOST nothing else is known.
    """

    mls: bool = True
    running: bool = False
    fcontexts: Tuple[Fcontext, ...] = ()  # in the order of file_contexts.local
    policy_fcontexts: Mapping[FcontextKey, str] = MappingProxyType({})
    subs: str = ""  # text of file_contexts.subs
    dist_subs: str = ""  # text of file_contexts.subs_dist
    ports: Tuple[Port, ...] = ()
    policy_ports: Tuple[Port, ...] = ()
    booleans: Mapping[str, bool] = MappingProxyType({})
    active: Mapping[str, bool] = MappingProxyType({})
    policy_booleans: FrozenSet[str] = frozenset()
    modules: Mapping[ModuleKey, Installed] = MappingProxyType({})
    pending: Pending = Pending()
    unfinished: str = ""


# How far a killed commit has got.
LOST = "without an active directory"
NOT_INSTALLED = "written, not installed"
NOT_LOADED = "installed, not loaded"


class Place(NamedTuple):
    """Where a policy store and its policy are. directory: of the store, with root; running: whether the kernel runs this policy."""

    root: str
    store: str
    directory: str
    running: bool = False

    @property
    def policy(self) -> str:
        return f"{self.root.rstrip('/')}/etc/selinux/{self.store}"

    @property
    def written(self) -> Tuple[str, ...]:
        """Directories whose files a commit replaces, the store first (libsemanage/src/semanage_store.c)."""
        return (self.directory, f"{self.directory.rpartition('/')[0]}/final", self.policy)

    @property
    def file_contexts(self) -> str:
        return f"{self.policy}/contexts/files/file_contexts"

    @property
    def stored_file_contexts(self) -> str:
        """The store's own copy, which a commit installs."""
        return f"{self.directory}/active/file_contexts"

    @property
    def subs(self) -> str:
        return f"{self.file_contexts}.subs"

    @property
    def staged_subs(self) -> str:
        return f"{self.subs}.gohost-new"

    @property
    def pending(self) -> str:
        return f"{self.directory}/gohost.pending"
