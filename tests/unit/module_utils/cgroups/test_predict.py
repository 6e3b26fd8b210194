# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GOMAXPROCS of every release. The expectations were measured with real programs, or follow from the runtime's source where that is said."""

from typing import Dict, Optional, Tuple

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.cgroups import parse, predict
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.model import Place, Prediction, Program
from tests.fakes.cgroups import CONTAINER_CGROUP, CONTAINER_MOUNTINFO, HYBRID_CGROUP, HYBRID_MOUNTINFO, V2

OLD, G24, G25, G26, G27 = (1, 21), (1, 24), (1, 25), (1, 26), (1, 27)
SERVICE = "0::/go.slice/app.service\n"
LEAF = "/sys/fs/cgroup/go.slice/app.service"
OFF = "containermaxprocs=0,updatemaxprocs=0"


def on_v2(quota: Optional[str] = None, cpus: int = 8, parent: str = "max 100000\n") -> Tuple[Place, Dict[str, str]]:
    files = {"/sys/fs/cgroup/go.slice/cpu.max": parent}
    if quota is not None:
        files[f"{LEAF}/cpu.max"] = quota
    return Place(cpus, parse.memberships(SERVICE), parse.mounts(V2)), files


def of(program: Program, seen: Tuple[Place, Dict[str, str]]) -> Prediction:
    place, files = seen
    return predict.predict(program, place, files.get)


@pytest.mark.parametrize(
    ("release", "quota", "cpus", "value"),
    [
        (OLD, "150000 100000\n", 8, 8),
        (G24, "150000 100000\n", 8, 8),
        (G25, "150000 100000\n", 8, 2),
        (G26, "150000 100000\n", 8, 2),
        (G27, "150000 100000\n", 8, 2),
        ((1, 31), "150000 100000\n", 8, 2),
        (G27, "max 100000\n", 8, 8),
        (G27, None, 8, 8),
        (G27, "10000 100000\n", 8, 2),
        (G27, "200000 100000\n", 8, 2),
        (G27, "200001 100000\n", 8, 3),
        (G27, "250000 100000\n", 8, 3),
        (G27, "800000 100000\n", 8, 8),
        (G27, "900000 100000\n", 8, 8),
        (G27, "10000 100000\n", 1, 1),
        (G27, "300000 1000000\n", 8, 2),
        (G27, "nonsense\n", 8, 8),
        (G27, "1 " + "0" * 63 + "1\n", 8, 8),
        (G27, "150000 100000\n", 0, 1),
    ],
)
def test_quota(release: Tuple[int, int], quota: Optional[str], cpus: int, value: int) -> None:
    assert of(Program(release), on_v2(quota, cpus)).value == value


def test_what_is_told_beside_the_value() -> None:
    assert of(Program(G27), on_v2("250000 100000\n")) == Prediction(3, "quota", True, 2.5, LEAF)
    assert of(Program(G27), on_v2("900000 100000\n")) == Prediction(8, "affinity", True, 9.0, LEAF)
    assert of(Program(G27), on_v2("max 100000\n")) == Prediction(8, "affinity", True, None, LEAF)
    assert of(Program(G24), on_v2("250000 100000\n")) == Prediction(8, "affinity", off="release")
    assert of(Program(G27, OFF), on_v2("250000 100000\n")) == Prediction(8, "affinity", off="default_godebug")
    assert of(Program(G27, godebug=OFF), on_v2("250000 100000\n")) == Prediction(8, "affinity", off="godebug")
    assert of(Program(G27, gomaxprocs="5"), on_v2("250000 100000\n")) == Prediction(5, "environment", off="environment")


def test_a_quota_above_the_leaf_is_not_seen() -> None:
    for release in (G25, G26, G27):
        assert of(Program(release), on_v2("max 100000\n", parent="150000 100000\n")).value == 8


# GOMAXPROCS → before 1.26, since 1.26; 8 where it is as if unset.
@pytest.mark.parametrize(
    ("text", "before", "since"),
    [
        ("3", 3, 3),
        ("03", 3, 3),
        ("+3", 8, 3),
        ("100", 100, 100),
        ("2147483647", 2147483647, 2147483647),
        ("2147483648", 8, 8),
        ("9" * 30, 8, 8),
        ("0", 8, 8),
        ("-2", 8, 8),
        ("-", 8, 8),
        ("+", 8, 8),
        ("", 8, 8),
        (" 3", 8, 8),
        ("3 ", 8, 8),
        ("3\n", 8, 8),
        ("3.0", 8, 8),
        ("0x3", 8, 8),
        ("1_0", 8, 8),
        ("\u0663", 8, 8),
        ("auto", 8, 8),
        ("3" * 5000, 8, 8),
    ],
)
def test_environment(text: str, before: int, since: int) -> None:
    for release, value in ((OLD, before), (G24, before), (G25, before), (G26, since), (G27, since)):
        assert of(Program(release, gomaxprocs=text), on_v2("max 100000\n")).value == value, release


# GODEBUG, DefaultGODEBUG → 1.25, 1.26 and newer: 2 where the quota counts, 8 where it does not.
@pytest.mark.parametrize(
    ("godebug", "default", "at25", "since"),
    [
        (None, "", 2, 2),
        (None, OFF, 8, 8),
        ("", OFF, 8, 8),
        ("containermaxprocs=1", OFF, 2, 2),
        ("containermaxprocs=0", "", 8, 8),
        ("containermaxprocs=-1", "", 8, 8),
        ("containermaxprocs=00", "", 8, 8),
        ("containermaxprocs=2", "", 2, 2),
        ("containermaxprocs=+0", "", 2, 8),
        ("containermaxprocs=+1", OFF, 8, 2),
        ("containermaxprocs=-", "", 8, 2),  # by Atoi64 of 1.25, which takes a lone minus for 0
        ("containermaxprocs=off", "", 2, 2),
        ("containermaxprocs=x", OFF, 8, 8),
        ("containermaxprocs=", OFF, 8, 8),
        ("containermaxprocs", OFF, 8, 8),
        ("containermaxprocs=0,containermaxprocs=1", "", 2, 2),
        ("containermaxprocs=1,containermaxprocs=0", "", 8, 8),
        ("containermaxprocs=0,containermaxprocs=x", "", 8, 8),
        (" containermaxprocs=0", "", 2, 2),
        ("gctrace=1,,containermaxprocs=0,=", "", 8, 8),
        ("updatemaxprocs=0", "", 2, 2),
        (None, "containermaxprocs=1,updatemaxprocs=0", 2, 2),
    ],
)
def test_godebug(godebug: Optional[str], default: str, at25: int, since: int) -> None:
    for release, value in ((OLD, 8), (G24, 8), (G25, at25), (G26, since), (G27, since)):
        assert of(Program(release, default, godebug=godebug), on_v2("150000 100000\n")).value == value, release


def v1(quota: str, cgroup: str, mountinfo: str, directory: str) -> Tuple[Place, Dict[str, str]]:
    return Place(8, parse.memberships(cgroup), parse.mounts(mountinfo)), {
        f"{directory}/cpu.cfs_quota_us": quota,
        f"{directory}/cpu.cfs_period_us": "100000\n",
    }


@pytest.mark.parametrize("release", [G25, G26, G27])
@pytest.mark.parametrize(("quota", "value"), [("250000\n", 3), ("-1\n", 8), ("0\n", 2), ("\n", 8)])
def test_hybrid(release: Tuple[int, int], quota: str, value: int) -> None:
    in_slice = HYBRID_CGROUP.replace("1:cpu:/", "1:cpu:/go.slice")
    seen = v1(quota, in_slice, HYBRID_MOUNTINFO, "/sys/fs/cgroup/cpu/go.slice")
    assert of(Program(release), seen).value == value
    del seen[1]["/sys/fs/cgroup/cpu/go.slice/cpu.cfs_period_us"]
    assert of(Program(release), seen).value == 8


def test_a_mount_of_a_part_is_missed_by_125() -> None:
    seen = v1("150000\n", CONTAINER_CGROUP, CONTAINER_MOUNTINFO, "/sys/fs/cgroup/cpu,cpuacct")
    assert of(Program(G25), seen) == Prediction(8, "affinity", True, None, "/sys/fs/cgroup/cpu,cpuacct/docker/0123")
    assert of(Program(G26), seen) == Prediction(2, "quota", True, 1.5, "/sys/fs/cgroup/cpu,cpuacct")
    assert of(Program(G24), seen) == Prediction(8, "affinity", off="release")


def test_which_mount_of_several() -> None:
    """1.25 takes the last of v2, newer ones the first that holds the path."""
    place, files = on_v2("150000 100000\n")
    other = parse.mounts(V2.replace(" / /sys/fs/cgroup ", " /go.slice /srv/view "))
    last, first = Place(8, place.memberships, (*place.mounts, *other)), Place(8, place.memberships, (*other, *place.mounts))
    assert of(Program(G25), (last, files)).value == 8 and of(Program(G25), (first, files)).value == 2
    assert of(Program(G26), (last, files)).value == 2
    assert of(Program(G26), (first, files)).directory == "/srv/view/app.service"
    named = parse.mounts("158 44 0:4 net:[4026532256] /run/netns/a rw shared:15 - nsfs nsfs rw")  # from which on newer ones read nothing
    before, behind = Place(8, place.memberships, (*named, *place.mounts)), Place(8, place.memberships, (*place.mounts, *named))
    assert [of(Program(G25), (each, files)).value for each in (before, behind)] == [2, 2]
    assert [of(Program(G26), (each, files)).value for each in (before, behind)] == [8, 2]
    elsewhere = parse.mounts(V2.replace(" / /sys/fs/cgroup ", " /other.slice /srv/view "))
    assert of(Program(G26), (Place(8, place.memberships, (*elsewhere, *place.mounts)), files)).value == 2


@pytest.mark.parametrize(
    ("cgroup", "root", "directory"),
    [
        ("0::/\n", "/", "/sys/fs/cgroup"),
        ("0::/a\n", "/a", "/sys/fs/cgroup"),
        ("0::/a/b\n", "/a", "/sys/fs/cgroup/b"),
        ("0::/ab\n", "/a", ""),
        ("0::/../../init\n", "/../..", "/sys/fs/cgroup/init"),
        ("0::/../../init\n", "/../../init", "/sys/fs/cgroup"),
        ("0::/../../init\n", "/..", ""),
        ("0::/../../init\n", "/", ""),
        ("0::/../../init\n", "/../../..", ""),
        ("1:cpu:/a\n", "/", ""),
        ("", "/", ""),
    ],
)
def test_namespaces_since_126(cgroup: str, root: str, directory: str) -> None:
    """After the comments of parseCPUMount in golang/go:src/internal/runtime/cgroup/cgroup.go."""
    place = Place(8, parse.memberships(cgroup), parse.mounts(V2.replace(" / /sys", f" {root} /sys")))
    assert predict.predict(Program(G27), place, lambda path: "150000 100000\n").directory == directory


def test_125_without_mount_or_line() -> None:
    for cgroup, mountinfo in (("", V2), (SERVICE, "")):
        place = Place(8, parse.memberships(cgroup), parse.mounts(mountinfo))
        assert predict.predict(Program(G25), place, lambda path: "150000 100000\n") == Prediction(8, "affinity", True)


def test_by_release() -> None:
    place, files = on_v2("150000 100000\n")
    assert predict.by_release(place, files.get) == {"1.21": 8, "1.22": 8, "1.23": 8, "1.24": 8, "1.25": 2, "1.26": 2, "1.27": 2}


# GOMEMLIMIT: what 1.21.13 and 1.27.4 read of it; None ends the program at its start.
@pytest.mark.parametrize(
    ("text", "before", "since"),
    [
        ("400MiB", 400 << 20, 400 << 20),
        ("1024", 1024, 1024),
        ("1024B", 1024, 1024),
        ("5KiB", 5120, 5120),
        ("2TiB", 2 << 40, 2 << 40),
        ("0", 0, 0),
        ("off", (1 << 63) - 1, (1 << 63) - 1),
        ("", (1 << 63) - 1, (1 << 63) - 1),
        ("9223372036854775807", (1 << 63) - 1, (1 << 63) - 1),
        ("9223372036854775808", None, None),
        ("8388608TiB", None, None),
        ("400Mi", None, None),
        ("2G", None, None),
        ("512MB", None, None),
        ("1.5GiB", None, None),
        ("1PiB", None, None),
        ("-1", None, None),
        ("+1KiB", None, 1024),
        ("-KiB", 0, None),
        ("KiB", None, None),
        ("B", None, None),
        ("iB", None, None),
        ("-", None, None),
        (" 1", None, None),
        ("1 MiB", None, None),
        ("1mib", None, None),
        ("Off", None, None),
    ],
)
def test_memory_limit(text: str, before: Optional[int], since: Optional[int]) -> None:
    assert predict.memory_limit(text, G25) == before
    assert predict.memory_limit(text, G26) == since
