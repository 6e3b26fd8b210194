# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person is told, and what is proposed."""

from typing import Any, Dict, List, Mapping, Optional

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.binaries.model import BuildInfo
from ansible_collections.gohost.linux.plugins.module_utils.cgroups import advise, predict
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.model import Bound, Effective, Node, Observed, Program, Sharing, Throttling, Used

LEAF, SLICE = Node(2, "/go.slice/app.service", "/x/go.slice/app.service"), Node(2, "/go.slice", "/x/go.slice")
MIB = 1 << 20
ALONE = Sharing()


def seen(
    version: str = "go1.27.4",
    leaf: Optional[float] = None,
    cpus: Optional[Bound] = None,
    memory: Optional[Bound] = None,
    environment: Optional[Mapping[str, str]] = None,
    godebug: str = "",
    sharing: Sharing = ALONE,
    bug: bool = False,
    mask: int = 8,
) -> Observed:
    """A program on 8 CPUs. leaf: the quota that it reads; cpus: the tightest."""
    variables = environment or {}
    release = tuple(int(part) for part in version[2:].split(".")[:2])
    program = Program((release[0], release[1]), godebug, variables.get("GOMAXPROCS"), variables.get("GODEBUG"))
    tightest = cpus or (Bound(leaf, LEAF) if leaf else None)
    prediction, alone = (predict.gomaxprocs(each, mask, None if bug else leaf) for each in (program, program._replace(gomaxprocs=None)))
    return Observed(
        name="app.service",
        unit="app.service",
        pid=7,
        executable="/opt/app",
        build=BuildInfo(version),
        environment=variables,
        cpus=tuple(range(mask)),
        effective=Effective(cpus=tightest, memory=memory),
        prediction=prediction,
        alone=alone,
        sharing=sharing,
        bug=bug,
    )


HALF = Bound(512 * MIB, SLICE)


@pytest.mark.parametrize(
    ("what", "environment"),
    [
        ({}, {}),
        (dict(leaf=2.5), {}),
        (dict(leaf=0.5), {}),
        (dict(leaf=9.0), {}),
        (dict(version="go1.24.13", leaf=2.5), {"GOMAXPROCS": "3"}),
        (dict(version="go1.24.13", leaf=0.5), {"GOMAXPROCS": "2"}),
        (dict(version="go1.24.13", leaf=0.5, mask=1), {}),
        (dict(version="go1.24.13", leaf=9.0), {}),
        (dict(cpus=Bound(1.5, SLICE)), {"GOMAXPROCS": "2"}),
        (dict(leaf=4.0, cpus=Bound(1.5, SLICE)), {"GOMAXPROCS": "2"}),
        (dict(leaf=2.5, godebug="containermaxprocs=0"), {"GOMAXPROCS": "3"}),
        (dict(leaf=2.5, environment={"GOMAXPROCS": "8"}), {}),
        (dict(version="go1.25.14", leaf=2.5, bug=True), {"GOMAXPROCS": "3"}),
        (dict(memory=HALF), {"GOMEMLIMIT": "460MiB"}),
        (dict(memory=HALF, environment={"GOMEMLIMIT": "1GiB"}), {"GOMEMLIMIT": "460MiB"}),
        (dict(memory=HALF, sharing=Sharing(elsewhere=1)), {}),
        (dict(memory=HALF, sharing=Sharing(beside=20 * MIB)), {"GOMEMLIMIT": "460MiB"}),
        (dict(memory=HALF, sharing=Sharing(beside=30 * MIB)), {}),
        (dict(memory=Bound(4 * MIB, LEAF)), {}),
    ],
)
def test_environment(what: Dict[str, Any], environment: Dict[str, str]) -> None:
    assert advise.environment(seen(**what)) == environment


def test_the_heap_stays_below_memory_high() -> None:
    found = seen(memory=HALF)
    for high, text in ((Bound(256 * MIB, LEAF), "230MiB"), (Bound(1024 * MIB, LEAF), "460MiB")):
        assert advise.environment(found._replace(effective=found.effective._replace(high=high))) == {"GOMEMLIMIT": text}


def test_headroom() -> None:
    assert advise.environment(seen(memory=HALF), 0.5) == {"GOMEMLIMIT": "256MiB"}


def test_what_is_no_go_program() -> None:
    other = seen(memory=HALF, cpus=Bound(1.5, SLICE))._replace(build=None, prediction=None, alone=None)
    assert advise.environment(other) == {} and advise.warnings(other) == []


ABOVE = "it reads the quota of its own cgroup only, not of those above. Set GOMAXPROCS=2."


@pytest.mark.parametrize(
    ("what", "warnings"),
    [
        ({}, []),
        (dict(leaf=2.5), []),
        (dict(version="go1.24.13"), []),
        (dict(cpus=Bound(1.5, SLICE)), [f"Go takes 8 CPUs, the kernel gives 1.5 (/go.slice): {ABOVE}"]),
        (dict(leaf=4.0, cpus=Bound(1.5, SLICE)), [f"Go takes 4 CPUs, the kernel gives 1.5 (/go.slice): {ABOVE}"]),
        (
            dict(version="go1.24.13", leaf=2.5),
            ["Go takes 8 CPUs, the kernel gives 2.5 (/go.slice/app.service): Go before 1.25 knows no quota. Set GOMAXPROCS=3."],
        ),
        (
            dict(leaf=2.5, godebug="containermaxprocs=0"),
            ["Go takes 8 CPUs, the kernel gives 2.5 (/go.slice/app.service): the go line of its go.mod is older than 1.25. Set GOMAXPROCS=3."],
        ),
        (
            dict(leaf=2.5, environment={"GODEBUG": "containermaxprocs=0"}),
            ["Go takes 8 CPUs, the kernel gives 2.5 (/go.slice/app.service): GODEBUG says containermaxprocs=0. Set GOMAXPROCS=3."],
        ),
        (
            dict(version="go1.25.14", leaf=2.5, bug=True),
            [
                "Go takes 8 CPUs, the kernel gives 2.5 (/go.slice/app.service): Go 1.25 looks into the wrong directory where the cgroup mount has another"
                " root than / (golang/go#76390). Set GOMAXPROCS=3."
            ],
        ),
        (
            dict(version="go1.26.11", leaf=2.5, bug=True),
            [
                "Go takes 8 CPUs, the kernel gives 2.5 (/go.slice/app.service): Go since 1.26 does not read the mounts behind one whose root is no path,"
                " as of a named network namespace. Set GOMAXPROCS=3."
            ],
        ),
        (
            dict(leaf=2.5, environment={"GOMAXPROCS": "8"}),
            ["Go takes 8 CPUs, the kernel gives 2.5 (/go.slice/app.service): GOMAXPROCS=8 is too much, 3 fits."],
        ),
        (dict(environment={"GOMAXPROCS": "16"}), ["Go takes 16 CPUs, the kernel gives 8 (affinity): GOMAXPROCS=16 is too much, 8 fits."]),
        (dict(leaf=2.5, environment={"GOMAXPROCS": "2"}), []),
        (dict(environment={"GOMAXPROCS": "auto"}), ["GOMAXPROCS=auto is no number for this release of Go and is ignored."]),
        (dict(memory=HALF), ["Go knows no limit of memory, the kernel gives 512 MiB (/go.slice). Set GOMEMLIMIT=460MiB."]),
        (dict(memory=HALF, environment={"GOMEMLIMIT": "off"}), ["Go knows no limit of memory, the kernel gives 512 MiB (/go.slice). Set GOMEMLIMIT=460MiB."]),
        (dict(memory=HALF, environment={"GOMEMLIMIT": "512MiB"}), []),
        (dict(memory=HALF, environment={"GOMEMLIMIT": "513MiB"}), ["GOMEMLIMIT=513MiB is no limit, the kernel gives 512 MiB (/go.slice)."]),
        (
            dict(memory=HALF, sharing=Sharing(elsewhere=2)),
            ["Go knows no limit of memory, the kernel gives 512 MiB (/go.slice), which it shares with other programs: set GOMEMLIMIT to its part."],
        ),
        (
            dict(memory=Bound(MIB, LEAF)),
            ["Go knows no limit of memory, the kernel gives 1 MiB (/go.slice/app.service), which is too little for a GOMEMLIMIT."],
        ),
        (
            dict(environment={"GOMEMLIMIT": "400Mi"}),
            ["GOMEMLIMIT=400Mi ends every Go program at its start: write bytes, or KiB, MiB, GiB or TiB."],
        ),
    ],
)
def test_warnings(what: Dict[str, Any], warnings: List[str]) -> None:
    assert advise.warnings(seen(**what)) == warnings


@pytest.mark.parametrize(
    ("used", "warnings"),
    [
        (dict(events={"oom_kill": 2, "max": 9}), ["The kernel killed 2 of its processes for want of memory."]),
        (dict(memory_of="cgroup", peak=512 * MIB), ["Its memory has reached its limit: how much it would use is not known."]),
        (dict(memory_of="process", peak=512 * MIB), []),
        (dict(throttling=((LEAF, Throttling(100, 5, 9)), (SLICE, Throttling(100, 60, 9)))), ["/go.slice was stopped in 60% of its periods for want of quota."]),
        ({}, []),
    ],
)
def test_warnings_about_use(used: Dict[str, Any], warnings: List[str]) -> None:
    told = seen(memory=HALF, environment={"GOMEMLIMIT": "460MiB"})
    assert advise.warnings(told, Used(**used)) == warnings


@pytest.mark.parametrize(
    ("used", "proposed"),
    [
        ({}, {}),
        (dict(peak=100 * MIB), {"memory_max": "128MiB"}),
        (dict(peak=1), {"memory_max": "16MiB"}),
        (dict(peak=512 * MIB, memory_of="cgroup"), {}),
        (dict(peak=100 * MIB, events={"oom_kill": 1}), {}),
        (dict(busiest=1.0), {"cpu_quota": 1.25}),
        (dict(busiest=1.1), {"cpu_quota": 1.5}),
        (dict(busiest=0.0), {"cpu_quota": 0.25}),
        (dict(busiest=1.0, throttling=((LEAF, Throttling(10, 9, 9)),)), {}),
        (dict(tasks=7), {"tasks_max": 64}),
        (dict(tasks=40, tasks_peak=50), {"tasks_max": 100}),
    ],
)
def test_proposed(used: Dict[str, Any], proposed: Dict[str, Any]) -> None:
    assert advise.proposed(seen(memory=HALF), Used(**used)) == proposed


def test_nothing_is_proposed_for_what_does_not_run() -> None:
    assert advise.proposed(seen(), None) == {}
