# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a process is, leaf to root, on v1, v2 and both, whatever part of the hierarchy is mounted."""

from typing import List, Optional, Tuple

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.cgroups import hierarchy, parse
from tests.fakes.cgroups import CONTAINER_CGROUP, CONTAINER_MOUNTINFO, HYBRID_CGROUP, HYBRID_MOUNTINFO, V2


def chain(controller: str, cgroup: str, mountinfo: str) -> List[Tuple[int, str, str]]:
    return [(node.version, node.path, node.directory) for node in hierarchy.chain(controller, parse.memberships(cgroup), parse.mounts(mountinfo))]


@pytest.mark.parametrize(
    ("path", "root", "rest"),
    [
        ("/", "/", ""),
        ("/a", "/", "/a"),
        ("/a/b", "/a", "/b"),
        ("/a", "/a", ""),
        ("/ab", "/a", None),
        ("/", "/a", None),
        ("/../b", "/..", "/b"),
    ],
)
def test_below(path: str, root: str, rest: Optional[str]) -> None:
    assert hierarchy.below(path, root) == rest


def test_v2() -> None:
    assert chain("cpu", "0::/go.slice/go-app.slice/app.service\n", V2) == [
        (2, "/go.slice/go-app.slice/app.service", "/sys/fs/cgroup/go.slice/go-app.slice/app.service"),
        (2, "/go.slice/go-app.slice", "/sys/fs/cgroup/go.slice/go-app.slice"),
        (2, "/go.slice", "/sys/fs/cgroup/go.slice"),
        (2, "/", "/sys/fs/cgroup"),
    ]
    assert chain("cpu", "0::/\n", V2) == [(2, "/", "/sys/fs/cgroup")]


def test_hybrid() -> None:
    assert chain("cpu", HYBRID_CGROUP, HYBRID_MOUNTINFO) == [(1, "/", "/sys/fs/cgroup/cpu")]
    assert chain("name=systemd", HYBRID_CGROUP, HYBRID_MOUNTINFO) == [(1, "/", "/sys/fs/cgroup/systemd")]
    # memory is v1's, whose mount is left out here
    assert chain("memory", HYBRID_CGROUP, HYBRID_MOUNTINFO) == []
    # no line names it: v2's, where its files are not to be found
    assert chain("misc", HYBRID_CGROUP, HYBRID_MOUNTINFO) == [(2, "/", "/sys/fs/cgroup/unified")]


def test_a_part_of_the_hierarchy_is_mounted() -> None:
    expected = [(1, "/docker/0123", "/sys/fs/cgroup/cpu,cpuacct")]
    assert chain("cpu", CONTAINER_CGROUP, CONTAINER_MOUNTINFO) == expected
    below = CONTAINER_CGROUP.replace("0123\n", "0123/sub\n")
    assert chain("cpuacct", below, CONTAINER_MOUNTINFO) == [(1, "/docker/0123/sub", "/sys/fs/cgroup/cpu,cpuacct/sub"), *expected]
    assert chain("cpu", "4:cpu,cpuacct:/other\n", CONTAINER_MOUNTINFO) == []
    assert chain("cpu", "0::/docker/0123\n", CONTAINER_MOUNTINFO) == []


def test_out_of_the_namespace() -> None:
    assert chain("cpu", "0::/../init.scope\n", V2) == []
    assert chain("cpu", "0::/../../init.scope\n", V2.replace(" / /sys", " /../.. /sys")) == [
        (2, "/../../init.scope", "/sys/fs/cgroup/init.scope"),
        (2, "/../..", "/sys/fs/cgroup"),
    ]


def test_no_cgroup_at_all() -> None:
    assert chain("cpu", "", V2) == [] and chain("cpu", "0::/\n", "") == []


def test_inside_another_namespace() -> None:
    lines, mounts = hierarchy.inside(parse.memberships(CONTAINER_CGROUP.replace("0123\n", "0123/sub\n")), parse.mounts(CONTAINER_MOUNTINFO))
    assert [line.path for line in lines] == ["/sub", "/sub", "/docker/0123/sub"]  # v2 is not mounted there
    assert [mount.root for mount in mounts] == ["/", "/"]
    lines, mounts = hierarchy.inside(parse.memberships("0::/machine.slice/pod/init\n"), parse.mounts(V2.replace(" / /sys", " /machine.slice/pod /sys")))
    assert [line.path for line in lines] == ["/init"] and [mount.root for mount in mounts] == ["/"]
    unchanged = parse.memberships(HYBRID_CGROUP), parse.mounts(HYBRID_MOUNTINFO)
    assert hierarchy.inside(*unchanged) == unchanged
