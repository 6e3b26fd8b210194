# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters of a call as wishes, and those that are refused."""

from typing import Any, Dict, Optional, Tuple

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.directives import DIRECTIVES
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.model import PREFIX, TEMPLATE, Target, Wanted, Wish, target
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.options import ARGUMENT_SPEC, wanted
from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError

UNITS = ARGUMENT_SPEC["units"]["options"]


def call(*units: Dict[str, Any], restart: str = "never", force: bool = False) -> Wanted:
    """Parameters as Ansible hands them over, defaults in their places."""
    for unit in units:
        assert set(unit) <= set(UNITS)
    filled = [{name: unit.get(name, spec.get("default")) for name, spec in UNITS.items()} for unit in units]
    return wanted(dict(units=filled, restart=restart, force=force))


def wish(unit: str = "app.service", **given: Any) -> Wish:
    return call(dict(unit=unit, **given)).wishes[0]


def test_every_limit_is_an_option_and_has_a_directive() -> None:
    others = {"unit", "state", "runtime", "go_runtime", "memory_headroom", "memory_share"}
    assert set(UNITS) - others == set(DIRECTIVES)


VDA = "/dev/vda"


@pytest.mark.parametrize(
    ("option", "value", "values"),
    [
        ("memory_max", "512MiB", ("512M",)),
        ("memory_max", "536870912", ("512M",)),
        ("memory_max", "1.5GiB", ("1536M",)),
        ("memory_max", "1000", ("1000",)),
        ("memory_max", "25%", ("25%",)),
        ("memory_max", "12.5%", ("12.5%",)),
        ("memory_max", "infinity", ("infinity",)),
        ("memory_high", "1TiB", ("1T",)),
        ("memory_low", "0", ("0",)),
        ("memory_min", "0%", ("0%",)),
        ("memory_swap_max", "0", ("0",)),
        ("cpu_quota", "1.5", ("150%",)),
        ("cpu_quota", "150%", ("150%",)),
        ("cpu_quota", "0.01%", ("0.01%",)),
        ("cpu_quota", "1.2345", ("123.45%",)),
        ("cpu_quota", "64", ("6400%",)),
        ("cpu_quota", "infinity", ("",)),
        ("cpu_weight", "100", ("100",)),
        ("cpu_weight", "idle", ("idle",)),
        ("cpu_weight", " 007 ", ("7",)),
        ("allowed_cpus", "0-3,8", ("0-3,8",)),
        ("allowed_cpus", "8 0,1 2-3", ("0-3,8",)),
        ("allowed_cpus", "3", ("3",)),
        ("tasks_max", "512", ("512",)),
        ("tasks_max", "25%", ("25%",)),
        ("tasks_max", "infinity", ("infinity",)),
        ("tasks_max", "4194304", ("4194304",)),
        ("io_weight", 10000, ("10000",)),
        # No suffix: systemd takes those of these settings by 1000.
        ("io_read_bandwidth_max", [dict(device=VDA, limit="10MiB"), dict(device="/srv", limit="1K")], (f"{VDA} 10485760", "/srv 1024")),
        ("io_write_bandwidth_max", [dict(device=VDA, limit="1000000")], (f"{VDA} 1000000",)),
        ("io_read_iops_max", [dict(device=VDA, limit="500")], (f"{VDA} 500",)),
        ("io_write_iops_max", [dict(device=VDA, limit="500")], (f"{VDA} 500",)),
        ("managed_oom_swap", "kill", ("kill",)),
        ("managed_oom_memory_pressure", "auto", ("auto",)),
        ("managed_oom_memory_pressure_limit", "60%", ("60%",)),
        ("managed_oom_preference", "avoid", ("avoid",)),
        ("oom_policy", "continue", ("continue",)),
        ("oom_score_adjust", -1000, ("-1000",)),
        ("limit_nofile", 65536, ("1024:65536",)),
        ("limit_nofile", 1024, ("1024:1024",)),
        ("limit_nofile", 100, ("100:100",)),
        ("delegate", ["cpu", "memory"], ("cpu memory",)),
        ("delegate", [], ("no",)),
        ("slice", "build-heavy.slice", ("build-heavy.slice",)),
        ("slice", "-.slice", ("-.slice",)),
    ],
)
def test_option(option: str, value: Any, values: Tuple[str, ...]) -> None:
    assert wish(**{option: value}).settings == {option: values}


@pytest.mark.parametrize(("seconds", "text"), [(0.1, "100000us"), (0.001, "1000us"), (1.0, "1000000us"), (0.0123456, "12346us")])
def test_period(seconds: float, text: str) -> None:
    assert wish(cpu_quota="1", cpu_quota_period=seconds).settings["cpu_quota_period"] == (text,)


@pytest.mark.parametrize("option", ["io_read_bandwidth_max", "io_write_bandwidth_max", "io_read_iops_max", "io_write_iops_max"])
def test_no_devices_are_no_wish(option: str) -> None:
    given: Dict[str, Any] = {option: []}
    assert wish(**given).settings == {} and wish(**given).setting(option) == ""


def device(path: str, limit: str = "1MiB") -> "list[dict[str, str]]":
    return [dict(device=path, limit=limit)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (dict(memory_max=""), "memory_max of app.service is no size"),
        (dict(memory_max="512MB"), "Write 512MiB"),
        (dict(memory_max="-1"), "is no size"),
        (dict(memory_max="101%"), "more than 100 %"),
        (dict(memory_max="0"), "memory_max of app.service is nothing: 0. systemd takes no such limit"),
        (dict(memory_max="0%"), "is nothing"),
        (dict(memory_high="0.0%"), "is nothing"),
        (dict(cpu_quota="0"), "no amount of CPU time"),
        (dict(cpu_quota="-50%"), "no amount of CPU time"),
        (dict(cpu_quota="1.23456"), "no amount of CPU time"),
        (dict(cpu_quota="nan"), "no amount of CPU time"),
        (dict(cpu_quota_period=0.1), "is without a cpu_quota: 100000us. Give both"),
        (dict(cpu_quota="1", cpu_quota_period=0.0009), "cpu_quota_period of app.service is out of range: 0.0009"),
        (dict(cpu_quota="1", cpu_quota_period=1.1), "out of range"),
        (dict(cpu_quota="1", cpu_quota_period=float("nan")), "out of range: nan"),
        (dict(cpu_quota="1", cpu_quota_period=float("inf")), "out of range: inf"),
        (dict(cpu_weight="0"), "out of range: 0. Give a number from 1 to 10000"),
        (dict(cpu_weight="10001"), "out of range"),
        (dict(cpu_weight="--5"), "out of range"),
        (dict(cpu_weight="\u00b2"), "out of range"),
        (dict(cpu_weight="\u0665"), "out of range"),
        (dict(cpu_weight="9" * 5000), "out of range"),
        (dict(cpu_weight=""), "out of range"),
        (dict(io_weight=0), "io_weight of app.service is out of range"),
        (dict(oom_score_adjust=-1001), "from -1000 to 1000"),
        (dict(oom_score_adjust=True), "out of range: True"),
        (dict(limit_nofile=0), "from 1 to 1073741824"),
        (dict(limit_nofile=-1), "out of range"),
        (dict(allowed_cpus=""), "no list of CPUs"),
        (dict(allowed_cpus="3-1"), "no list of CPUs"),
        (dict(allowed_cpus="all"), "no list of CPUs"),
        (dict(allowed_cpus="0-99999"), "no list of CPUs"),
        (dict(tasks_max="0"), "no number of tasks"),
        (dict(tasks_max="1.5"), "no number of tasks"),
        (dict(tasks_max="200%"), "no number of tasks"),
        (dict(tasks_max="4194305"), 'more than the kernel can have: 4194305. Give at most 4194304, or "infinity"'),
        (dict(io_read_bandwidth_max=device("vda")), "a device that is no path: vda"),
        (dict(io_read_bandwidth_max=device("/dev/my disk")), "no path"),
        (dict(io_read_bandwidth_max=device("/dev/%i")), "no path"),
        (dict(io_read_bandwidth_max=device('/dev/"vda')), "no path"),
        (dict(io_read_bandwidth_max=device("/dev/a\\x20b")), "no path"),
        (dict(io_read_bandwidth_max=device("/dev/vda\n")), "no path"),
        (dict(io_read_bandwidth_max=device(VDA, "0")), "has no number: 0"),
        (dict(io_read_bandwidth_max=device(VDA, "50%")), "has no number"),
        (dict(io_read_bandwidth_max=device(VDA, "infinity")), "has no number"),
        (dict(io_read_bandwidth_max=device(VDA, "fast")), "io_read_bandwidth_max of app.service is no size: fast"),
        (dict(io_write_iops_max=device(VDA) + device(VDA, "2MiB")), "has a device twice: /dev/vda"),
        (dict(managed_oom_memory_pressure_limit="60"), "is no percentage: 60"),
        (dict(managed_oom_memory_pressure_limit="101%"), "more than 100 %"),
        (dict(slice="app.service"), "slice is no name of a slice: app.service"),
        (dict(slice="user-.slice"), "no name of a slice"),
        (dict(slice="build"), "this kind of unit"),
        (dict(slice=""), "this kind of unit"),
        (dict(slice="a--b.slice"), "no name of a slice"),
        (dict(memory_headroom=0.0), "memory_headroom of app.service is no part of the limit: 0.0"),
        (dict(memory_headroom=1.01), "no part of the limit"),
        (dict(memory_headroom=float("nan")), "no part of the limit"),
        (dict(memory_share="half"), "memory_share of app.service is no size"),
        (dict(memory_share="infinity"), "memory_share of app.service is no part"),
        (dict(state="absent", memory_max="1GiB", tasks_max="5"), "state is absent, and there are limits: app.service. Leave memory_max, tasks_max out"),
        (dict(unit="a.slice", limit_nofile=5), "limit_nofile is not for a .slice: a.slice. Only .service units have LimitNOFILE="),
        (dict(unit="a.slice", delegate=[]), "Only .service and .scope units have Delegate="),
        (dict(unit="a.scope", slice="b.slice"), "slice is not for a .scope"),
        (dict(unit="a.slice", memory_share="50%"), "memory_share is not for a .slice: a.slice"),
    ],
)
def test_refused(given: Dict[str, Any], message: str) -> None:
    with pytest.raises(GoHostError) as caught:
        wish(**given)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "expected", "pattern"),
    [
        ("app.service", Target("app.service", "service"), None),
        ("app@1.service", Target("app@1.service", "service"), None),
        ("app@1-.service", Target("app@1-.service", "service"), None),
        ("a@b@.service", Target("a@b@.service", "service"), None),
        ("app@.service", Target("app@.service", "service", TEMPLATE), "app@*.service"),
        ("my.service.d@.service", Target("my.service.d@.service", "service", TEMPLATE), "my.service.d@*.service"),
        ("user-.slice", Target("user-.slice", "slice", PREFIX), "user-*.slice"),
        ("user-1000.slice", Target("user-1000.slice", "slice"), None),
        ("app-.service", Target("app-.service", "service", PREFIX), "app-*.service"),
        ("a\\x2db:1.scope", Target("a\\x2db:1.scope", "scope"), None),
    ],
)
def test_target(name: str, expected: Target, pattern: Optional[str]) -> None:
    assert target(name) == expected
    assert pattern is None or expected.pattern == pattern


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("app", "this kind of unit"),
        ("app.timer", "this kind of unit"),
        ("", "this kind of unit"),
        ("-.slice", "nothing limits the root slice"),
        (".service", "no name of a unit"),
        ("a b.service", "no name of a unit"),
        ("../../passwd.service", "no name of a unit"),
        ("a\n.service", "no name of a unit"),
        ("\u00fc.service", "no name of a unit"),
        ("*.service", "no name of a unit"),
        ("a" * 250 + ".slice", "no name of a unit"),
        ("@.service", "no name of a unit"),
        ("@x.service", "no name of a unit"),
        ("app-@.service", "no name of a template: app-@.service. app-.service is for instances of templates, too"),
        ("a--b.slice", "no name of a slice"),
        ("-a.slice", "no name of a slice"),
        ("a--.slice", "no name of a slice"),
        ("a@.slice", "no name of a slice"),
        ("a@b.slice", "no name of a slice"),
    ],
)
def test_no_target(name: str, message: str) -> None:
    with pytest.raises(GoHostError, match=message) as caught:
        target(name)
    assert "\n" not in str(caught.value)


def test_whole_wish() -> None:
    found = call(
        dict(unit="app.service", runtime=True, memory_max="1GiB", go_runtime="off", memory_headroom=0.8, memory_share="512MiB"),
        dict(unit="old.service", state="absent"),
        restart="needed",
        force=True,
    )
    assert found == Wanted(
        (
            Wish(Target("app.service", "service"), True, True, {"memory_max": ("1G",)}, False, 0.8, "512MiB"),
            Wish(Target("old.service", "service"), False),
        ),
        "needed",
        True,
    )


def test_one_drop_in_has_one_wish() -> None:
    with pytest.raises(GoHostError, match="units has two wishes for one drop-in: app.service"):
        call(dict(unit="app.service", tasks_max="5"), dict(unit="app.service", state="absent"))
    assert len(call(dict(unit="app.service", tasks_max="5"), dict(unit="app.service", runtime=True, tasks_max="5")).wishes) == 2
    assert call().wishes == ()
