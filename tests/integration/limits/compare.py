# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In a host: what systemd says of all its units by its socket, beside what systemctl prints. Prints JSON: units, and differs, what is not the same."""

import json
import subprocess

from ansible_collections.gohost.linux.plugins.module_utils.cgroups import parse
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits import manager
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.directives import DIRECTIVES
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.observe import MANAGER
from ansible_collections.gohost.linux.plugins.module_utils.host import CommandResult, LocalHost

SPANS = ("CPUQuotaPerSecUSec", "CPUQuotaPeriodUSec")
FIRST = ("Id", "LoadState", "ActiveState", "FragmentPath", "DropInPaths", "NeedDaemonReload", "ControlGroup", "Slice", "MainPID", "ExecStart", "Environment")
THEN = ("EnvironmentFiles", "CPUAffinity", "DelegateControllers", "StartupCPUWeight", "CPUShares", "CPUAccounting")
NAMES = list(dict.fromkeys([*FIRST, *THEN, *(directive.shown for directive in DIRECTIVES.values())]))


def read(name: str, text: str) -> object:
    """What is made of a text."""
    if name in SPANS:
        span = parse.time_span(text)
        return text if span is None else round(span, 6)
    return parse.exec_path(text) if name == "ExecStart" else text


class Machine(LocalHost):
    def run(self, argv: list[str]) -> CommandResult:
        return CommandResult(tuple(argv), 0, subprocess.run(argv, check=True, capture_output=True, text=True).stdout, "")


def main() -> None:
    host = Machine()
    listed = host.run(["systemctl", "list-units", "--all", "--plain", "--no-legend"]).stdout.splitlines()
    units = [line.split()[0] for line in listed if line.split()[0].endswith((".service", ".slice", ".scope"))]
    units += ["none.service", "none.slice", "none.scope", "user-.slice"]
    said = manager.properties(host, units, NAMES)
    assert said is not None
    shown = parse.properties(host.run(["systemctl", "show", "--no-pager", f"--property={','.join(NAMES)}", "--", *units]).stdout)
    differs = []
    for unit, other in zip(units, shown, strict=True):
        for name in NAMES:
            one, two = (read(name, each.get(name, "")) for each in (said[unit], other))
            if one != two:
                differs.append([unit, name, one, two])
    (given,) = parse.properties(host.run(["systemctl", "show", "--no-pager", f"--property={','.join(MANAGER)}"]).stdout)
    if manager.itself(host, MANAGER) != given:
        differs.append(["systemd", "itself", manager.itself(host, MANAGER), given])
    print(json.dumps({"units": len(units), "differs": differs}))


main()
