# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Host as a module has it."""

from typing import List

from ansible.module_utils.basic import AnsibleModule

from .host import CommandResult, LocalHost


class AnsibleHost(LocalHost):
    """The machine a module runs on, whose programs it runs in Ansible's way."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module

    def run(self, argv: List[str]) -> CommandResult:
        try:
            rc, stdout, stderr = self._module.run_command(argv, environ_update={"LC_ALL": "C", "LANGUAGE": "C"}, handle_exceptions=False)
        except FileNotFoundError:
            return CommandResult(tuple(argv), 127, "", "")
        return CommandResult(tuple(argv), rc, stdout, stderr)
