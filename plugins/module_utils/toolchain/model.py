# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of toolchains: versions, architectures, archives, the store and what is wished of it. Pure."""

import re
from types import MappingProxyType
from typing import Dict, Mapping, NamedTuple, Optional, Tuple

from ..errors import GoHostError

# What `uname -m` says → the architecture in Go's download names. golang/go:src/cmd/dist/main.go names the same machines.
_MACHINES = {
    "x86_64": "amd64",
    "i386": "386",
    "i486": "386",
    "i586": "386",
    "i686": "386",
    "aarch64": "arm64",
    "armv6l": "armv6l",
    "armv7l": "armv6l",
    "armv8l": "armv6l",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
    "riscv64": "riscv64",
    "loongarch64": "loong64",
}
_USERLAND_32 = {"amd64": "386", "arm64": "armv6l"}
ARCHES = ("386", "amd64", "arm64", "armv6l", "loong64", "ppc64le", "riscv64", "s390x")

_VERSION = re.compile(r"^(?:go)?(\d+)\.(\d+)(?:\.(\d+))?(?:(rc|beta)(\d+))?\Z", re.ASCII)
_LINE = re.compile(r"^(?:go)?(\d+)\.(\d+)\Z", re.ASCII)


class GoVersion(NamedTuple):
    """A release of Go; sorts as releases do: 1.27beta1 < 1.27rc1 < 1.27.0 < 1.27.1."""

    major: int
    minor: int
    stage: int  # 0 beta, 1 release candidate, 2 release
    number: int  # of the beta or candidate; the patch of a release

    def __str__(self) -> str:
        line = f"{self.major}.{self.minor}"
        if self.stage < 2:
            return f"{line}{('beta', 'rc')[self.stage]}{self.number}"
        # The first release of a line is 1.N.0 since 1.21, plain 1.N before (golang/website:_content/doc/toolchain.md).
        if self.number == 0 and (self.major, self.minor) < (1, 21):
            return line
        return f"{line}.{self.number}"

    @property
    def line(self) -> str:
        return f"{self.major}.{self.minor}"


def parse_version(text: str) -> Optional[GoVersion]:
    """ "1.27.3", "go1.27.3", "1.28rc1" or "1.20" (that first release) as a version; None for anything else."""
    found = _VERSION.match(text)
    if found is None:
        return None
    major, minor, patch, stage, number = found.groups()
    if stage is not None:
        return None if patch is not None else GoVersion(int(major), int(minor), 0 if stage == "beta" else 1, int(number))
    return GoVersion(int(major), int(minor), 2, int(patch or 0))


def parse_line(text: str) -> Optional[Tuple[int, int]]:
    """ "1.26" as (1, 26); None where it is not the name of a release line."""
    found = _LINE.match(text)
    return None if found is None else (int(found.group(1)), int(found.group(2)))


def arch_of(machine: str, pointer_bits: int) -> str:
    """The architecture of Go's downloads for `uname -m`; a 32-bit userland on a 64-bit kernel gets the 32-bit Go."""
    arch = _MACHINES.get(machine)
    if arch is None or (pointer_bits == 32 and arch not in _USERLAND_32 and arch not in _USERLAND_32.values()):
        raise GoHostError("no Go release for this machine's architecture", machine, f"Set arch to one of {', '.join(ARCHES)} if one of them does run here.")
    return _USERLAND_32.get(arch, arch) if pointer_bits == 32 else arch


def goarch(arch: str) -> str:
    """GOARCH of a download's architecture: armv6l is the download for arm (facts of go.dev/dl; module zips say arm)."""
    return "arm" if arch == "armv6l" else arch


def archive_name(version: str, arch: str) -> str:
    """File name of the official archive on go.dev/dl."""
    return f"go{version}.linux-{arch}.tar.gz"


def module_version(version: str, arch: str) -> str:
    """Version of the module golang.org/toolchain that holds this release."""
    return f"v0.0.1-go{version}.linux-{goarch(arch)}"


def module_prefix(version: str, arch: str) -> str:
    """How every name in that module's zip begins."""
    return f"golang.org/toolchain@{module_version(version, arch)}/"


class Candidate(NamedTuple):
    """A place where an archive may be had, and what it must be: made on the controller, tried in turn on the host."""

    source: str  # official, mirror, file, goproxy
    source_index: int
    format: str  # tar.gz, zip
    url: str  # "" where path is set
    path: str
    digests: Tuple[str, ...]  # "sha256:<hex>" binds a tar.gz, "h1:<base64>" a zip; one of them must match
    authority: str  # who vouches for the digests
    fallback: str  # "always"; "not_found": another failure than that ends the candidates of this source
    username: str = ""
    password: str = ""


class HttpSettings(NamedTuple):
    """How to fetch. timeout: seconds without a byte; retries: further tries; backoff: seconds before the first of them, doubled for each next one.

    ca_path: PEM file added to the system's roots; netrc_path: instead of $NETRC or ~/.netrc.
    """

    timeout: float = 30.0
    retries: int = 4
    backoff: float = 1.0
    ca_path: Optional[str] = None
    netrc_path: Optional[str] = None


class Member(NamedTuple):
    """A file or link of a tree; sha256 is of a file's content; for a link "link:" and that of its target."""

    path: str
    mode: int
    size: int
    sha256: str


class Provenance(NamedTuple):
    """Where an installed tree came from and who vouched for it."""

    digest: str
    authority: str
    source: str
    format: str
    origin: str  # URL without credentials, or path


class Manifest(NamedTuple):
    """What a tree must be. stat_digest is its Host.tree_digest without go.env; owner is "uid:gid"."""

    version: str
    arch: str
    provenance: Provenance
    owner: str
    stat_digest: str
    go_env: str  # go.env as it came: the store's settings are laid over it
    members: Tuple[Member, ...] = ()  # empty where only the head was read


class State(NamedTuple):
    """What the store remembers besides the trees.

    history: defaults, the newest last, each once. links: every path that may hold a link of ours.
    saved: a link's path → where what stood there was moved. go_env: settings laid over every tree's go.env.
    """

    history: Tuple[str, ...] = ()
    links: Tuple[str, ...] = ()
    saved: Mapping[str, str] = MappingProxyType({})
    go_env: Mapping[str, str] = MappingProxyType({})


class Tree(NamedTuple):
    """A version in the store. problems: what differs from its manifest; foreign: not installed by this collection."""

    version: str
    manifest: Optional[Manifest]
    problems: Tuple[str, ...] = ()

    @property
    def foreign(self) -> bool:
        return self.manifest is None


class Other(NamedTuple):
    """A Go on the host that is not the store's."""

    path: str
    kind: str
    version: str


class Wanted(NamedTuple):
    """The wish of one call; versions are exact, but with state absent a line ("1.26") stands for its installed releases."""

    root: str
    versions: Tuple[str, ...]
    default: str = ""
    absent: bool = False
    exclusive: bool = False
    keep: Tuple[str, ...] = ()
    links: str = ""
    links_force: bool = False
    compat_link: str = ""
    arch: str = ""
    verify: str = "quick"
    repair: bool = False
    rollback_from: str = ""


class Standing(NamedTuple):
    """What stands where a link is wished. owner: "" where it is ours or nothing; else whose it is, for a person."""

    what: Optional[str]  # None: nothing; a link's target; else "file" or "directory"
    owner: str = ""


class Seen(NamedTuple):
    """What is there now.

    exists: the store has its private directory. trees: by version. default: the version that current names.
    links: path → what stands there, for all paths that matter to the wish, those of State.saved among them.
    used: version → who uses it, for versions that the wish may remove.
    """

    arch: str
    exists: bool
    trees: Dict[str, Tree]
    default: str
    state: State
    links: Dict[str, Standing]
    used: Dict[str, str]
    others: Tuple[Other, ...] = ()


class Layout(NamedTuple):
    """Paths of a store."""

    root: str

    def tree(self, version: str) -> str:
        return f"{self.root}/{version}"

    @property
    def current(self) -> str:
        return f"{self.root}/current"

    @property
    def private(self) -> str:
        return f"{self.root}/.gohost"

    @property
    def state(self) -> str:
        return f"{self.private}/state.json"

    @property
    def manifests(self) -> str:
        return f"{self.private}/manifests"

    def manifest(self, version: str) -> str:
        return f"{self.manifests}/{version}"

    @property
    def stage(self) -> str:
        return f"{self.private}/stage"


def new_of(path: str) -> str:
    """Where a link is made before it takes the place of what stands at path."""
    return _beside(path, "new")


def aside_of(path: str) -> str:
    """Where what stood at path and was not ours is kept."""
    return _beside(path, "saved")


def _beside(path: str, what: str) -> str:
    directory, _slash, name = path.rpartition("/")
    return f"{directory}/.{name}.gohost-{what}"
