# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: limits of slices, services and users as units of cgroup_limits."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.plugin_utils.limits import wishes


def go_limits_units(described: Any, passwd: Sequence[str] = (), unknown_users: bool = False) -> list[dict[str, Any]]:
    if not isinstance(described, Mapping):
        raise AnsibleFilterError(f"gohost.linux.go_limits_units: not a dictionary of slices, services and users: {described!r}")
    try:
        return wishes.units(described, wishes.uids_of(passwd), unknown_users)
    except GoHostError as error:
        raise AnsibleFilterError(f"gohost.linux.go_limits_units: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"go_limits_units": go_limits_units}
