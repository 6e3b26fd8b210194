# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same tests on every host: what the inventory asks for, and what the scenario says the host is."""

import json
import os
from typing import Any, NamedTuple

import pytest


class Expected(NamedTuple):
    """From molecule/shared/verify.yml."""

    versions: list[str]
    default: str
    root: str
    links: str
    compat_link: str
    selinux: bool
    cgroups: str  # "v1" or "v2" where the scenario is about that, else ""


@pytest.fixture(scope="session")
def expected() -> Expected:
    return Expected(**json.loads(os.environ["EXPECTED"]))


def _init(host: Any) -> str:
    return str(host.file("/proc/1/comm").content_string.strip())


@pytest.fixture
def systemd(host: Any) -> None:
    if _init(host) != "systemd":
        pytest.skip(f"PID 1 is {_init(host)}, not systemd")


@pytest.fixture
def selinux(expected: Expected) -> None:
    if not expected.selinux:
        pytest.skip("SELinux is for the virtual machines")
