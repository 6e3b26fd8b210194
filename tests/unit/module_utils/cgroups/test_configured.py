# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a program would see that systemd starts, by what `systemctl show` says of its unit and slices."""

from typing import Dict, List, Mapping, Optional, Tuple

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.binaries.model import BuildInfo
from ansible_collections.gohost.linux.plugins.module_utils.cgroups import configured, rows
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.model import Bound, Effective, Node, Prediction, Unit

Shown = Dict[str, str]
CPUS = tuple(range(8))
NO_WEIGHT = {"CPUWeight": "[not set]", "CPUQuotaPerSecUSec": "infinity"}


def chain(*shown: Mapping[str, str]) -> Tuple[Mapping[str, str], ...]:
    """A service, its slice, and those above."""
    names = ("app.service", "go-a.slice", "go.slice", "-.slice")
    return tuple({"Id": name, **NO_WEIGHT, **each} for name, each in zip(names, shown))


def quota(seconds: str) -> Shown:
    return {"CPUQuotaPerSecUSec": seconds}


WEIGHT = {"CPUWeight": "300"}


@pytest.mark.parametrize(
    ("shown", "v2", "v1"),
    [
        # The quota that Go 1.25 and later reads.
        (({}, {}, {}), None, None),
        ((quota("1.500000s"), {}, {}), 1.5, 1.5),
        ((quota("500ms"), {}, {}), 0.5, 0.5),
        (({}, quota("2s"), {}), None, 2.0),
        (({}, {}, quota("1min")), None, 60.0),
        ((quota("4s"), quota("2s"), {}), 4.0, 4.0),
        ((WEIGHT, quota("2s"), {}), None, None),
        (({}, WEIGHT, quota("2s")), None, None),
        (({"CPUWeight": "idle"}, quota("2s"), {}), None, None),
        (({"CPUAccounting": "yes"}, quota("2s"), {}), None, None),
        (({"CPUShares": "1024"}, quota("2s"), {}), None, None),
        (({"DelegateControllers": "cpu memory"}, quota("2s"), {}), None, None),
        (({"DelegateControllers": "cpuset memory", "CPUAccounting": "no"}, quota("2s"), {}), None, 2.0),
        (({**WEIGHT, **quota("3s")}, quota("4s"), {}), 3.0, 3.0),
    ],
)
def test_the_quota_that_is_read(shown: Tuple[Shown, ...], v2: Optional[float], v1: Optional[float]) -> None:
    unit = Unit("app.service", 0, "/opt/app", {}, (), chain(*shown))
    for version, expected in (("v2", v2), ("v1", v1), ("hybrid", v1)):
        found = configured.observed(unit, BuildInfo("go1.27.4"), version, CPUS)
        assert found.prediction is not None and found.prediction.quota == expected
        assert found.releases["1.24"] == 8 and found.releases["1.25"] == found.prediction.value == min(8, max(2, -(-(expected or 8) // 1)))


def test_properties_of_an_older_systemd() -> None:
    unit = Unit("app.service", 0, "/opt/app", {}, (), ({"Id": "app.service"}, {"Id": "go.slice", **quota("2s")}))
    found = configured.observed(unit, BuildInfo("go1.27.4"), "v1", CPUS)
    assert found.prediction == Prediction(2, "quota", True, 2.0)


@pytest.mark.parametrize(
    ("build", "environment", "prediction", "alone"),
    [
        (BuildInfo("go1.27.4"), {}, 2, 2),
        (BuildInfo("go1.27.4"), {"GOMAXPROCS": "5"}, 5, 2),
        (BuildInfo("go1.27.4"), {"GODEBUG": "containermaxprocs=0"}, 8, 8),
        (BuildInfo("go1.27.4", settings=(("DefaultGODEBUG", "containermaxprocs=0"),)), {}, 8, 8),
        (BuildInfo("go1.24.13"), {"GOMAXPROCS": "0"}, 8, 8),
        (BuildInfo("devel +0a1b2c"), {}, None, None),
        (None, {}, None, None),
    ],
)
def test_programs(build: Optional[BuildInfo], environment: Shown, prediction: Optional[int], alone: Optional[int]) -> None:
    found = configured.observed(Unit("app.service", 0, "/opt/app", environment, (), chain(quota("1.2s"), {})), build, "v2", CPUS)
    assert [each.value if each is not None else None for each in (found.prediction, found.alone)] == [prediction, alone]
    assert (found.name, found.pid, found.cpus, found.build) == ("app.service", 0, CPUS, build)


@pytest.mark.parametrize(
    ("masks", "v2", "v1"),
    [
        (({}, {}), CPUS, CPUS),
        (({"CPUAffinity": "0-3"}, {}), (0, 1, 2, 3), (0, 1, 2, 3)),
        (({"CPUAffinity": "0-1 3"}, {"AllowedCPUs": "1-7"}), (1, 3), (0, 1, 3)),
        (({"AllowedCPUs": "0-5"}, {"AllowedCPUs": "4-7"}), (4, 5), CPUS),
        (({"AllowedCPUs": "0-3"}, {"AllowedCPUs": "6-7"}), (6, 7), CPUS),  # none in common: the kernel takes what is above
        (({"CPUAffinity": "0-6"}, {"AllowedCPUs": "0-3"}, {"AllowedCPUs": "6-7"}), (6,), tuple(range(7))),
        (({"CPUAffinity": "100"}, {}), CPUS, CPUS),
    ],
)
def test_cpus(masks: Tuple[Shown, ...], v2: Tuple[int, ...], v1: Tuple[int, ...]) -> None:
    assert [configured.cpus(chain(*masks), version, CPUS) for version in ("v2", "v1")] == [v2, v1]


def test_the_tightest_of_each() -> None:
    found = configured.effective(
        chain(
            {"MemoryMax": "infinity", "MemoryHigh": "536870912", "TasksMax": "100", **quota("4s")},
            {"MemoryMax": "1073741824", "MemorySwapMax": "0", "TasksMax": "100"},
            {"MemoryMax": "2147483648", "MemoryHigh": "1073741824", **quota("1.5s")},
        )
    )
    bounds = (found.cpus, found.memory, found.high, found.swap, found.tasks)
    values: List[Optional[Tuple[float, str]]] = [(each.value, each.node.path) if each is not None else None for each in bounds]
    assert values == [(1.5, "go.slice"), (1 << 30, "go-a.slice"), (1 << 29, "app.service"), (0, "go-a.slice"), (100, "go-a.slice")]
    assert found.heap is not None and found.heap.value == 1 << 29


def test_effective_as_it_is_returned() -> None:
    nothing = dict(cpus=None, cpus_by="", memory=None, memory_by="", memory_high=None, swap=None, tasks=None, tasks_by="", cpuset="")
    assert rows.effective(Effective()) == nothing
    bound = Bound(1.5, Node(0, "go.slice", ""))
    found = rows.effective(Effective(bound, bound, bound, bound, bound, (0, 1, 3)))
    assert found == dict(
        cpus=1.5, cpus_by="go.slice", memory=1.5, memory_by="go.slice", memory_high=1.5, swap=1.5, tasks=1.5, tasks_by="go.slice", cpuset="0-1,3"
    )
