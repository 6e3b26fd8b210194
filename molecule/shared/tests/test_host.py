# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host is what its scenario says: else the other tests prove less than they seem to."""

from typing import Any

import pytest


@pytest.mark.usefixtures("systemd")
def test_system_is_up(host: Any) -> None:
    assert host.check_output("systemctl is-system-running || :") == "running"


@pytest.mark.selinux
def test_selinux_enforces(host: Any) -> None:
    assert host.check_output("getenforce") == "Enforcing"


@pytest.mark.cgroups
def test_cgroups(host: Any, expected: Any) -> None:
    kind = host.check_output("stat -f -c %T /sys/fs/cgroup")
    assert kind == {"v1": "tmpfs", "v2": "cgroup2fs"}[expected.cgroups]
