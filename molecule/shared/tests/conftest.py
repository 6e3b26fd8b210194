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


def _expected() -> Expected:
    return Expected(**json.loads(os.environ["EXPECTED"]))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked for what the scenario does not have are not its tests."""
    lacking = {name for name in ("selinux", "cgroups") if not getattr(_expected(), name)}
    deselected = [item for item in items if lacking.intersection(mark.name for mark in item.iter_markers())]
    config.hook.pytest_deselected(items=deselected)
    items[:] = [item for item in items if item not in deselected]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "selinux: for scenarios where SELinux enforces")
    config.addinivalue_line("markers", "cgroups: for scenarios about a hierarchy of cgroups")


@pytest.fixture(scope="session")
def expected() -> Expected:
    return _expected()


@pytest.fixture
def systemd(host: Any) -> None:
    init = host.file("/proc/1/comm").content_string.strip()
    if init != "systemd":
        pytest.skip(f"PID 1 is {init}, not systemd")
