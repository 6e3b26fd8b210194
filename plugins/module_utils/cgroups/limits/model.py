# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of limits that are set: wishes, unit files, and what a host has of them. Pure."""

from typing import Mapping, NamedTuple, Optional, Tuple

from ...binaries.model import BuildInfo
from ...errors import GoHostError
from ..model import Manager
from ..variables import words

SERVICE, SLICE, SCOPE = "service", "slice", "scope"
SECTIONS = {SERVICE: "Service", SLICE: "Slice", SCOPE: "Scope"}
PREFIX, TEMPLATE = "prefix", "template"


class Target(NamedTuple):
    """What a drop-in is for. name: of the unit, or "user-.slice" for all of a prefix, "app@.service" for all instances. family: PREFIX, TEMPLATE or ""."""

    name: str
    kind: str
    family: str = ""

    @property
    def pattern(self) -> str:
        """The names of the units that a family's drop-in is for, as systemctl takes it."""
        return f"{self.name[: -len(self.kind) - 1]}*.{self.kind}"


class Wish(NamedTuple):
    """A wish for one drop-in. settings: option → values as systemd takes them; share: of a shared limit of memory, as quantities.size reads it."""

    target: Target
    present: bool = True
    runtime: bool = False
    settings: Mapping[str, Tuple[str, ...]] = {}
    go: bool = True
    headroom: float = 0.9
    share: str = ""

    def setting(self, option: str) -> str:
        return (self.settings.get(option) or ("",))[-1]


class Wanted(NamedTuple):
    """restart: never, needed or always; force: limits below what is used."""

    wishes: Tuple[Wish, ...]
    restart: str = "never"
    force: bool = False


class Running(NamedTuple):
    """The main process of a service, as it was started: the Go runtime's variables, the hard limit of files, oom_score_adj. None: not told."""

    environment: Mapping[str, str] = {}
    nofile: Optional[int] = None
    oom_score: Optional[int] = None


class UnitState(NamedTuple):
    """A unit that systemd knows. properties: as it prints them.

    files: path and text of the unit's own and then of its drop-ins, in the order in which they count. variables: the Go runtime's in its EnvironmentFile=;
    manager: what it has of systemd's own.
    live: files of its cgroup, path → content; directories: controller → where they are.
    memory: bytes in use that cannot be had back; tasks: that run; inside: on v1, names of cgroups below a slice → CPUs of their quota.
    running: None where no main process runs.
    """

    properties: Mapping[str, str]
    files: Tuple[Tuple[str, str], ...] = ()
    variables: Mapping[str, str] = {}
    manager: Manager = Manager()
    build: Optional[BuildInfo] = None
    directories: Mapping[str, str] = {}
    live: Mapping[str, str] = {}
    memory: int = 0
    tasks: int = 0
    inside: Mapping[str, float] = {}
    running: Optional[Running] = None

    @property
    def name(self) -> str:
        return self.properties.get("Id", "")

    @property
    def loaded(self) -> bool:
        return self.properties.get("LoadState") == "loaded"

    @property
    def dropins(self) -> Tuple[str, ...]:
        """Paths of those that systemd has read; it prints quotes around what has a backslash."""
        return tuple(words(self.properties.get("DropInPaths", ""), printed=True))

    @property
    def cgroup(self) -> str:
        return self.properties.get("ControlGroup", "")


class SeenTarget(NamedTuple):
    """What is there of a wish's target.

    path: of our drop-in. unit: itself, or an instance that stands for a template, None for a prefix; members: the loaded units that the drop-in is for.
    text: of our drop-in, None where there is none; proper: whether owner and mode are as we write them; leftovers: stage files of a killed run.
    """

    path: str
    unit: Optional[UnitState] = None
    members: Tuple[UnitState, ...] = ()
    text: Optional[str] = None
    proper: bool = True
    leftovers: Tuple[str, ...] = ()


class Seen(NamedTuple):
    """A host. systemd: its version; cgroup: v1, v2 or hybrid. controllers: those that limit here → version of their hierarchy, 0 where it cannot be written.

    cpus: online; memory, tasks: of the machine, bytes and number; oomd: whether systemd-oomd is installed; disks: wished device → its disk, "" for none.
    due: what a run that was killed before it had told systemd all would have restarted, None where none was.
    targets: in the order of the wishes; slices: of the units in question, by name.
    occupants: slice → cgroups below it that hold processes. default_tasks: of services and scopes that say nothing of it; None is no limit.
    most_files, least_score: of limit_nofile and oom_score_adjust that systemd can give here, None for all that may be wished.
    """

    systemd: int
    cgroup: str
    controllers: Mapping[str, int]
    cpus: Tuple[int, ...]
    memory: int
    tasks: int
    oomd: bool
    disks: Mapping[str, str]
    due: Optional[Tuple[str, ...]]
    targets: Tuple[SeenTarget, ...]
    slices: Mapping[str, UnitState]
    occupants: Mapping[str, Tuple[str, ...]] = {}
    default_tasks: Optional[int] = None
    most_files: Optional[int] = None
    least_score: Optional[int] = None


def target(name: str) -> Target:
    """The target of a unit's name."""
    stem, sign, kind = name.rpartition(".")
    if not sign or kind not in SECTIONS:
        raise GoHostError("this kind of unit has no limits of this module", name, "Name a .service, a .slice or a .scope.")
    if name == "-.slice":
        raise GoHostError("nothing limits the root slice", name, "Limit system.slice, user.slice or slices of your own.")
    letters = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@")
    if not stem or not set(name) <= letters or len(name) > 255:
        raise GoHostError("this is no name of a unit", name, "systemd.unit(5) says which characters it may have; systemd-escape makes them of others.")
    if kind == SLICE and (stem.startswith("-") or "--" in stem or "@" in stem):
        raise GoHostError("this is no name of a slice", name, "Parts are parted by one dash each, as in build-heavy.slice.")
    before, sign, instance = stem.partition("@")
    if not sign:
        return Target(name, kind, PREFIX if stem.endswith("-") else "")
    if not before:
        raise GoHostError("this is no name of a unit", name, "The name of the template is missing before the @.")
    if before.endswith("-") and not instance:  # its drop-in would have the name of one of those in it, which hides it
        raise GoHostError("this is no name of a template", name, f"{before}.{kind} is for instances of templates, too.")
    return Target(name, kind, "" if instance else TEMPLATE)
