# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's variables as units: names, users, presets, and what makes no sense."""

from typing import Any

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.cgroups import quantities
from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.plugin_utils.limits.wishes import PRESETS, uids_of, units

UIDS = {"alice": "1000", "root": "0"}
LIMIT = {"tasks_max": 99}


@pytest.mark.parametrize(
    ("kind", "entry", "unit"),
    [
        ("slices", {"name": "build"}, "build.slice"),
        ("slices", {"name": "ci-runner.slice"}, "ci-runner.slice"),
        ("slices", {"name": "user-.slice"}, "user-.slice"),
        ("services", {"name": "shop"}, "shop.service"),
        ("services", {"name": "runner@"}, "runner@.service"),
        ("services", {"name": "runner@1"}, "runner@1.service"),
        ("services", {"name": "my.app.service"}, "my.app.service"),
        ("services", {"name": "init.scope"}, "init.scope"),
        ("users", {"user": "alice"}, "user-1000.slice"),
        ("users", {"user": "root"}, "user-0.slice"),
        ("users", {"user": 1234}, "user-1234.slice"),
        ("users", {"user": "0"}, "user-0.slice"),
        ("users", {"all": "each"}, "user-.slice"),
        ("users", {"all": "together"}, "user.slice"),
    ],
)
def test_names(kind: str, entry: "dict[str, Any]", unit: str) -> None:
    assert units({kind: [{**entry, **LIMIT}]}, UIDS) == [{"unit": unit, **LIMIT}]


def test_one_list_in_order() -> None:
    described = {
        "users": [{"user": "alice", **LIMIT}],
        "services": [{"name": "shop", **LIMIT, "slice": "shop"}, {"name": "mail", **LIMIT, "slice": "system.slice"}],
        "slices": [{"name": "shop", **LIMIT}],
        "user_delegate": ["cpu", "cpuset"],
    }
    assert units(described, UIDS) == [
        {"unit": "shop.slice", **LIMIT},
        {"unit": "shop.service", **LIMIT, "slice": "shop.slice"},
        {"unit": "mail.service", **LIMIT, "slice": "system.slice"},
        {"unit": "user-1000.slice", **LIMIT},
        {"unit": "user@.service", "delegate": ["cpu", "cpuset"]},
    ]
    assert units({}, {}) == units({"slices": [], "services": [], "users": [], "user_delegate": []}, {}) == []


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_presets(preset: str) -> None:
    """An entry's own keys win, what is absent has no limits, and every figure is one."""
    own = {"memory_max": "1GiB", "runtime": True}
    assert units({"slices": [{"name": "a", "preset": preset, **own}]}, {}) == [{"unit": "a.slice", **PRESETS[preset], **own}]
    assert units({"slices": [{"name": "a", "preset": preset, "state": "absent"}]}, {}) == [{"unit": "a.slice", "state": "absent"}]
    limits = PRESETS[preset]
    assert 0 < (quantities.size(limits["memory_max"]).of(1 << 32) or 0) < 1 << 32
    assert 0 < (quantities.count(limits["tasks_max"]).of(1 << 15) or 0) < 1 << 15
    assert quantities.cpus(limits.get("cpu_quota", "infinity")) in (None, quantities.MICROSECONDS)
    assert 1 <= limits.get("cpu_weight", 100) <= 10000


def test_users_who_are_not_there() -> None:
    described = {"users": [{"user": "bob", **LIMIT}, {"user": "alice", **LIMIT}]}
    with pytest.raises(GoHostError, match=r"^no such user on this host: bob\. Create the user before, or give the number \(uid\)\.$"):
        units(described, UIDS)
    assert units(described, UIDS, unknown=True) == [{"unit": "user-1000.slice", **LIMIT}]


def test_numbers_of_users() -> None:
    assert uids_of(["alice:x:1000:1000:Alice, A.:/home/alice:/bin/sh", "root:x:0:0::/root:", "", "+::"]) == {**UIDS, "+": ""}


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ({"slices": [{"name": "shop.service"}]}, "no name of a slice: 'shop.service'. Write the whole name, which ends in .slice."),
        ({"services": [{"name": "a.slice"}]}, "no name of a service or scope: 'a.slice'. Write the whole name, which ends in .service."),
        ({"services": [{"name": "my.app"}]}, "no name of a service or scope: 'my.app'"),
        ({"services": [{"name": "a", "slice": "b.service"}]}, "no name of a slice: 'b.service'"),
        ({"services": [{"memory_max": 1}]}, "no name of a service or scope: ''"),
        ({"users": [{"tasks_max": 1}]}, "a limit of users needs either user or all: {'tasks_max': 1}"),
        ({"users": [{"user": "alice", "all": "each"}]}, "a limit of users needs either user or all"),
        ({"users": [{"all": "some"}]}, "all is neither each nor together: some"),
        ({"users": [{"user": "-1"}]}, "no such user on this host: -1"),
        ({"slices": [{"name": "a", "preset": "big"}]}, "no such preset: big. There are small, build, service."),
        ({"slices": {"name": "a"}}, "slices is no list of dictionaries"),
        ({"users": ["alice"]}, "users is no list of dictionaries"),
        ({"groups": [], "users": []}, "limits are for slices, services and users, not for: groups"),
    ],
)
def test_nonsense(described: "dict[str, Any]", message: str) -> None:
    with pytest.raises(GoHostError) as caught:
        units(described, UIDS)
    assert message in str(caught.value)
