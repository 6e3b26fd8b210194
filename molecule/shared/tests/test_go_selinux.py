# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role go_selinux: labels of Go's tools, and the domain of a service."""

from typing import Any

import pytest

pytestmark = pytest.mark.selinux
PROGRAM = "/opt/example/bin/server"


def _types(host: Any, *paths: str) -> list[str]:
    """Of each file its SELinux type."""
    return [label.split(":")[2] for label in host.check_output(f"stat -c %C {' '.join(paths)}").split()]


def test_tools_are_programs(host: Any, expected: Any) -> None:
    tools = [host.check_output(f"find {expected.root}/{version}/pkg/tool -name compile") for version in expected.versions]
    assert _types(host, *tools) == ["bin_t"] * len(tools)
    assert _types(host, f"{expected.root}/{expected.default}/bin/go", f"{expected.root}/{expected.default}/VERSION") == ["bin_t", "usr_t"]


def test_a_service_runs_in_its_domain(host: Any) -> None:
    """Any program will do, for the domain comes from the file."""
    host.check_output(f"mkdir -p /opt/example/bin /var/lib/example && cp /usr/bin/sleep {PROGRAM} && restorecon -R {PROGRAM} /var/lib/example")
    assert _types(host, PROGRAM, "/var/lib/example") == ["example_exec_t", "example_data_t"]
    unit = "gohost-example-test"
    try:
        host.check_output(f"systemd-run --quiet --unit={unit} -p Type=exec -p NoNewPrivileges=yes {PROGRAM} 300")
        pid = host.check_output(f"systemctl show -p MainPID --value {unit}")
        assert host.check_output(f"ps -o label= -p {pid}").split(":")[2] == "example_t"
    finally:
        host.run(f"systemctl stop {unit}; rm -r /opt/example /var/lib/example")


def test_its_port_has_its_type(host: Any) -> None:
    assert host.check_output("semanage port -l -n | awk '$1 == \"example_port_t\" { print $2, $3 }'") == "tcp 18443"
