# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit files as systemd reads them, and our drop-in. Lines that are continued were tried on systemd 252."""

from typing import Any, Dict, List, Mapping, Optional, Tuple

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.cgroups import unit_files
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits import parse
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.model import Wish, target

Read = List[Tuple[str, str, str]]


def read(text: str) -> Read:
    return [(each.section, each.name, each.value) for each in unit_files.settings(text, "x.conf")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("[Service]\nA=1\nB = two words \n", [("Service", "A", "1"), ("Service", "B", "two words")]),
        ("A=1\n[Slice]\nA=2", [("", "A", "1"), ("Slice", "A", "2")]),
        ("[Service]\n# A=1\n ; A=2\n\n=3\nno setting\nA==4=\n", [("Service", "A", "=4=")]),
        ("[Service]\nA=\n", [("Service", "A", "")]),
        ("[Service]\r\nA=1\r\n", [("Service", "A", "1")]),
        ("  [Service]  \n\tA=1", [("Service", "A", "1")]),
        ("[Service\nA=1", [("", "A", "1")]),
        ("[Service]\nA=1 \\\n  2\\\n3\nB=4", [("Service", "A", "1    2 3"), ("Service", "B", "4")]),
        ("[Service]\nA=1\\\n# a comment\\\n; another\n2\n", [("Service", "A", "1 2")]),
        ("[Service]\nA=1\\\n\nB=2\n", [("Service", "A", "1"), ("Service", "B", "2")]),
        ("[Service]\nA=1\\\\\nB=2\n", [("Service", "A", "1\\\\"), ("Service", "B", "2")]),  # a backslash that is escaped continues nothing
        ("[Service]\nA=1\\\\\\\nB=2\n", [("Service", "A", "1\\\\ B=2")]),
        ("[Service]\nA=1\\", [("Service", "A", "1")]),
        ("[Service]\nA=1\\\n", [("Service", "A", "1")]),
        ("[Service]\nA=1\u20282\x0b3\n", [("Service", "A", "1\u20282\x0b3")]),  # line ends for Python alone
    ],
)
def test_settings(text: str, expected: Read) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("name", "taken", "ignored"),
    [
        ("MemoryMax", ["", "1G", "0.1G", "12.5%", "1G 512M", "infinity"], ["0", "lots", "-1", "max"]),
        ("MemoryLow", ["", "0", "1G"], ["lots"]),
        ("CPUQuota", ["", "150%", "12.34%"], ["1.5", "infinity", "%"]),
        ("CPUWeight", ["", "100", "idle"], ["high", "-1"]),
        ("IOWeight", ["", "100"], ["idle"]),
        ("TasksMax", ["", "5", "20%", "infinity"], ["lots", "5.5", "1K"]),
        ("OOMPolicy", ["continue", "stop", "kill"], ["", "never"]),
        ("LimitNOFILE", ["5", "5:6", "infinity", "5:infinity"], ["", "1k", "5:"]),
        ("Slice", ["a.slice", "a-%i.slice"], ["", "a", "a.service"]),
        ("Environment", ["", "A=1"], []),
    ],
)
def test_what_systemd_does_not_take_is_no_setting(name: str, taken: List[str], ignored: List[str]) -> None:
    """Each was tried on systemd 252, which says "ignoring" in its journal."""
    assert read("[Service]\n" + "".join(f"{name}={value}\n" for value in taken + ignored)) == [("Service", name, value) for value in taken]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("[Service]\nA=1\nA=2\n", ["1", "2"]),
        ("[Service]\nA=1\nA=\nA=2\n", ["2"]),
        ("[Service]\nA=1\nA=\n", []),
        ("[Unit]\nA=1\n[Service]\nB=2\n", []),
        ("[Service]\nA=1\n[Unit]\nA=\n[Service]\nA=3\n", ["1", "3"]),
    ],
)
def test_standing(text: str, values: List[str]) -> None:
    assert [each.value for each in unit_files.standing(unit_files.settings(text, "x"), "Service", "A")] == values


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["GOMAXPROCS=3"], {"GOMAXPROCS": "3"}),
        (["A=1 GOMAXPROCS=3 GOGC=50"], {"GOMAXPROCS": "3", "GOGC": "50"}),
        (['"GOMAXPROCS=3" "A=b c"'], {"GOMAXPROCS": "3"}),
        (['GOMAXPROCS="3"'], {"GOMAXPROCS": "3"}),
        (["'GODEBUG=a=1, b=2'"], {"GODEBUG": "a=1, b=2"}),
        (['"X=GOMAXPROCS=3"'], {}),
        (["A=GOMAXPROCS=3 gomaxprocs=4 GOMAXPROCS"], {}),
        (["GOMAXPROCS=3", "GOMAXPROCS=4"], {"GOMAXPROCS": "4"}),
        (["GOMAXPROCS=3 GOMAXPROCS=4"], {"GOMAXPROCS": "4"}),
        (["GOMAXPROCS=3", "", "GOGC=50"], {"GOGC": "50"}),
        (["GOMAXPROCS="], {"GOMAXPROCS": ""}),
        (['GOMAXPROCS=3 "GOGC=5'], {"GOMAXPROCS": "3"}),  # a quote without an end
        (["GOMAXPROCS=3 \\", "GOGC=5"], {"GOMAXPROCS": "3"}),
    ],
)
def test_go_environment(lines: List[str], expected: Dict[str, str]) -> None:
    text = "[Service]\n" + "".join(f"Environment={line}\n" for line in lines)
    assert parse.go_environment(unit_files.settings(text, "/x.conf")) == expected


def test_the_environment_of_other_sections_is_none() -> None:
    assert parse.go_environment(unit_files.settings("[Unit]\nEnvironment=GOMAXPROCS=3\n", "x")) == {}


LIMITS = {"memory_max": ("1G",), "cpu_quota": ("",), "io_read_bandwidth_max": ("/dev/vda 1", "/dev/vdb 2"), "slice": ("a.slice",)}
RENDERED = "CPUQuota=\nIOReadBandwidthMax=/dev/vda 1\nIOReadBandwidthMax=/dev/vdb 2\n"


@pytest.mark.parametrize(
    ("wish", "environment", "lines"),
    [
        (Wish(target("a.service"), settings=LIMITS), {}, f"[Service]\nMemoryMax=1G\n{RENDERED}Slice=a.slice\n"),
        (
            Wish(target("a@.service"), settings={"tasks_max": ("5",)}),
            {"GOMEMLIMIT": "1MiB", "GOMAXPROCS": "2"},
            "[Service]\nTasksMax=5\nEnvironment=GOMAXPROCS=2\nEnvironment=GOMEMLIMIT=1MiB\n",
        ),
        (Wish(target("a.service")), {"GOMAXPROCS": "2"}, "[Service]\nEnvironment=GOMAXPROCS=2\n"),
        (Wish(target("user-.slice"), settings={"memory_low": ("0",)}), {}, "[Slice]\nMemoryLow=0\n"),
        (Wish(target("a.scope"), settings={"delegate": ("no",)}), {}, "[Scope]\nDelegate=no\n"),
        (Wish(target("a.service")), {}, None),
        (Wish(target("a.service"), present=False), {}, None),
    ],
)
def test_render(wish: Wish, environment: Mapping[str, str], lines: Optional[str]) -> None:
    text = parse.render(wish, environment)
    assert text == (None if lines is None else parse.OURS + lines)
    if text is not None:
        there = unit_files.settings(text, "x")
        assert parse.options(there) == wish.settings
        assert parse.go_environment(there) == environment


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[Slice]\nMemoryMax=1G\nMemoryMax=2G\nMemoryLimit=3G\nX=4\n", {"memory_max": ("1G", "2G")}),
        ("[Slice]\nCPUQuota=\n", {"cpu_quota": ("",)}),
        ("[Slice]\nX=4\n", {}),
    ],
)
def test_options(text: str, expected: Dict[str, Any]) -> None:
    assert parse.options(unit_files.settings(text, "x")) == expected
