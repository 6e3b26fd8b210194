# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GOMAXPROCS as each release of Go chooses it on Linux, and GOMEMLIMIT as it reads it. Pure.

After golang/go:src/runtime/proc.go (schedinit), src/runtime/cgroup_linux.go, src/runtime/runtime1.go (parsegodebug) and
src/internal/runtime/cgroup/, at go1.21.13, go1.24.13, go1.25.14, go1.26.11 and go1.27.4. A program that calls runtime.GOMAXPROCS is not foreseen.
"""

import itertools
import math
import posixpath
import re
from typing import Callable, Dict, NamedTuple, Optional, Tuple

from . import hierarchy, parse
from .model import Node, Place, Prediction, Program

Read = Callable[[str], Optional[str]]  # path → content as the program would read it, None where it cannot

OLDEST = (1, 21)
NEWEST = (1, 27)
LINES = tuple((1, minor) for minor in range(OLDEST[1], NEWEST[1] + 1))
_LEAST = 2  # CPUs that a quota leaves, since one would stop the program while it collects garbage (golang/go#73193)
_LONGEST = 63  # bytes of a file of limits that the runtime reads (readV2Limit)
_PLAIN = re.compile(r"-?\d*\Z", re.ASCII)  # src/internal/runtime/strconv before 1.26: no plus sign, and a lone minus is 0
_SIGNED = re.compile(r"[+-]?\d+\Z", re.ASCII)  # strconv.ParseInt
_BYTES = re.compile(r"([+-]?\d*)(?:B|([KMGT])iB)?\Z", re.ASCII)
_MOST = (1 << 63) - 1


def _integer(text: str, form: "re.Pattern[str]", bits: int) -> Optional[int]:
    if not text or len(text) > 4096 or form.match(text) is None:
        return None
    number = int(text) if text != "-" else 0
    return number if -(1 << (bits - 1)) <= number < 1 << (bits - 1) else None


def _leaf_125(place: Place) -> Optional[Node]:
    """The first mount of v1's cpu, or else the last of v2, with the path below it as if its root were / (golang/go#76390, not mended in any 1.25)."""
    member = hierarchy.of(hierarchy.CPU, place.memberships)
    point = None
    for mount in place.mounts:
        if mount.fstype == "cgroup" and hierarchy.CPU in mount.options:
            point = mount.point
            break
        if mount.fstype == "cgroup2":
            point = mount.point
    if member is None or point is None:
        return None
    return Node(1 if member.hierarchy else 2, member.path, posixpath.normpath(point + member.path))


def _leaf_126(place: Place) -> Optional[Node]:
    """The first mount of the hierarchy whose root the path is below. From a mount whose root is no path on, the file counts as malformed."""
    mounts = itertools.takewhile(lambda mount: mount.root.startswith("/"), place.mounts)
    return next(iter(hierarchy.chain(hierarchy.CPU, place.memberships, mounts)), None)


class Behaviour(NamedTuple):
    """What differs among releases. since: the first line with it; number: what it takes for one; leaf: where it looks for a quota, None where it does not."""

    since: Tuple[int, int]
    number: "re.Pattern[str]"
    leaf: Optional[Callable[[Place], Optional[Node]]]


BEHAVIOURS = (
    Behaviour((1, 0), _PLAIN, None),
    Behaviour((1, 25), _PLAIN, _leaf_125),  # golang/website:_content/doc/go1.25.md, "Container-aware GOMAXPROCS"
    Behaviour((1, 26), _SIGNED, _leaf_126),
)


def behaviour(release: Tuple[int, int]) -> Behaviour:
    """Of a release line; a newer one than is known is taken to be as the newest."""
    return next(each for each in reversed(BEHAVIOURS) if each.since <= max(release, (1, 0)))


def containermaxprocs(program: Program) -> Tuple[int, str]:
    """Whether a program's GODEBUG lets it look at quotas (above 0), and what says so: godebug, default_godebug or "" for nothing.

    The build's settings, then the environment's, each left to right; a value that is no number is skipped. A main module whose go line
    is older than 1.25 has containermaxprocs=0 in its build (golang/go:src/internal/godebugs/table.go).
    """
    number = behaviour(program.release).number
    value, said = 1, ""
    for source, text in (("default_godebug", program.default_godebug), ("godebug", program.godebug or "")):
        for field in text.split(","):
            key, sign, given = field.partition("=")
            read = _integer(given, number, 32) if sign and key == "containermaxprocs" else None
            if read is not None:
                value, said = read, source
    return value, said


def gomaxprocs(program: Program, cpus: int, quota: Optional[float], directory: str = "") -> Prediction:
    """GOMAXPROCS at a program's start. cpus: of its affinity mask; quota: CPUs in the file that it would read, None where there is no limit or no file."""
    rules = behaviour(program.release)
    cpus = max(cpus, 1)
    wished = _integer(program.gomaxprocs or "", rules.number, 32)
    if wished is not None and wished > 0:
        return Prediction(wished, "environment", off="environment")
    if rules.leaf is None:
        return Prediction(cpus, "affinity", off="release")
    enabled, said = containermaxprocs(program)
    if enabled <= 0:
        return Prediction(cpus, "affinity", off=said)
    allowed = None if quota is None else procs(quota)
    if allowed is None or allowed >= cpus:
        return Prediction(cpus, "affinity", True, quota, directory)
    return Prediction(allowed, "quota", True, quota, directory)


def procs(quota: float) -> int:
    """GOMAXPROCS that fits so many CPUs: fractions go up, and two are the least (adjustCgroupGOMAXPROCS)."""
    return max(_LEAST, math.ceil(quota))


def predict(program: Program, place: Place, read: Read) -> Prediction:
    """GOMAXPROCS of a program that starts in this place."""
    rules = behaviour(program.release)
    node = rules.leaf(place) if rules.leaf is not None else None
    quota = quota_of(node, read) if node is not None else None
    found = gomaxprocs(program, place.cpus, quota)
    return found._replace(directory=node.directory) if node is not None and found.reads_quota else found


def quota_of(node: Node, read: Read) -> Optional[float]:
    """CPUs of a cgroup's own quota; None where it has no limit, or no such file, as v2's root."""
    if node.version == 2:
        text = read(f"{node.directory}/cpu.max")
        return None if text is None or len(text) > _LONGEST else parse.cpu_max(text)
    quota, period = read(f"{node.directory}/cpu.cfs_quota_us"), read(f"{node.directory}/cpu.cfs_period_us")
    return None if quota is None or period is None else parse.cfs(quota, period)


def by_release(place: Place, read: Read) -> Dict[str, int]:
    """GOMAXPROCS that each release chooses here when it is told nothing, with a go.mod of its own release."""
    return {f"{major}.{minor}": predict(Program((major, minor)), place, read).value for major, minor in LINES}


def memory_limit(text: str, release: Tuple[int, int] = NEWEST) -> Optional[int]:
    """Bytes that GOMEMLIMIT says, the largest number for "off" and ""; None for what ends every Go program at its start.

    golang/go:src/runtime/mgcpacer.go (readGOMEMLIMIT), src/runtime/string.go (parseByteCount).
    """
    if text in ("", "off"):
        return _MOST
    found = _BYTES.match(text)
    if found is None or not (found.group(2) or found.group(1)[-1:].isdigit()):
        return None
    number = _integer(found.group(1), behaviour(release).number, 64)
    bound = None if number is None else number << (10 * " KMGT".index(found.group(2) or " "))
    return bound if bound is not None and 0 <= bound <= _MOST else None
