# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: a service's description as the text of a policy module."""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.selinux import policy


def selinux_go_policy(described: Any) -> str:
    if not isinstance(described, Mapping):
        raise AnsibleFilterError(f"gohost.linux.selinux_go_policy: not the description of a service: {described!r}")
    try:
        return policy.cil(policy.service({key: value for key, value in described.items() if key != "state"}))
    except GoHostError as error:
        raise AnsibleFilterError(f"gohost.linux.selinux_go_policy: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"selinux_go_policy": selinux_go_policy}
