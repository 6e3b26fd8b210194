# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cuts from tools/inputs the names of policies that the generator of confined domains speaks of.

    python3 tools/make_policy_names.py            writes tests/unit/module_utils/selinux/policy_names.json
    python3 tools/make_policy_names.py --check    exits 1 when it is not what the inputs say

Inputs: selinux_policy_names.json (Fedora's and CentOS Stream's policies), selinux_debian_names.json, and the generator's source, whose words
are the names that are kept. Each name comes with the letters of the policies that declare it.
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
GENERATOR = ROOT / "plugins/module_utils/selinux/policy.py"
NAMES = ROOT / "tests/unit/module_utils/selinux/policy_names.json"
INPUTS = ("selinux_policy_names.json", "selinux_debian_names.json")


def _declared(entries: str, branches: str) -> dict[str, str]:
    """ "a_t b_t:9x" → a_t in all branches, b_t in two."""
    found = {}
    for entry in entries.split():
        name, _, some = entry.partition(":")
        found[name] = some or branches
    return found


def build(inputs: Path, generator: Path = GENERATOR) -> dict[str, Any]:
    words = set(re.findall(r"\w+", generator.read_text()))
    made: dict[str, Any] = {"branches": {}, "types": {}, "attributes": {}, "roles": {}, "classes": {}}
    for name in INPUTS:
        given = json.loads((inputs / name).read_text())
        branches = "".join(given["branches"])
        made["branches"].update(given["branches"])
        aliases = {alias: what.partition(":")[2] or branches for alias, what in given["aliases"].items()}
        roles = {role: branches if where == "*" else where for role, where in given["roles"].items()}
        sorts = ("types", {**_declared(given["types"], branches), **aliases}), ("attributes", _declared(given["attributes"], branches)), ("roles", roles)
        for sort, declared in sorts:
            for word in words & set(declared):
                made[sort][word] = made[sort].get(word, "") + declared[word]
        for kind in words & set(given["classes"]):
            permissions = made["classes"].setdefault(kind, {})
            for permission, where in _declared(given["classes"][kind], branches).items():
                if permission in words:
                    permissions[permission] = permissions.get(permission, "") + where
    return made


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Cuts the names that generated policy modules use.")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    parser.add_argument("--inputs", type=Path, default=ROOT / "tools/inputs", help="directory of the inputs")
    parser.add_argument("--names", type=Path, default=NAMES, help="the file to write or compare")
    options = parser.parse_args(argv)
    made = json.dumps(build(options.inputs), indent=1, sort_keys=True) + "\n"
    if not options.check:
        options.names.write_text(made)
    elif not options.names.exists() or options.names.read_text() != made:
        print(f"{options.names} is not what {options.inputs} says: run python3 tools/make_policy_names.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
