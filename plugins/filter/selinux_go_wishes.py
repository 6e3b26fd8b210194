# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: descriptions of services as options of the module selinux_go_context."""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.selinux import policy


def selinux_go_wishes(described: Any) -> dict[str, list[dict[str, Any]]]:
    if not isinstance(described, (list, tuple)) or not all(isinstance(one, Mapping) for one in described):
        raise AnsibleFilterError(f"gohost.linux.selinux_go_wishes: not a list of services: {described!r}")
    try:
        return policy.wishes(described)
    except GoHostError as error:
        raise AnsibleFilterError(f"gohost.linux.selinux_go_wishes: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"selinux_go_wishes": selinux_go_wishes}
