# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cuts from tools/inputs the names of policies that the generator of confined domains needs.

    python3 tools/make_policy_names.py            writes both files
    python3 tools/make_policy_names.py --check    exits 1 when they are not what the inputs say

Inputs: selinux_policy_names.json (Fedora's and CentOS Stream's policies), selinux_debian_names.json, and the generator's source.

plugins/module_utils/selinux/taken.py               names that no service can have, because a policy has a type <name>_t: those of programs
                                                    (there is a <name>_exec_t), and those of one word
tests/unit/module_utils/selinux/policy_names.json   the words of the generator's source that are names of policies, each with the letters of those
"""

import argparse
import json
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
GENERATOR = ROOT / "plugins/module_utils/selinux/policy.py"
NAMES = ROOT / "tests/unit/module_utils/selinux/policy_names.json"
TAKEN = ROOT / "plugins/module_utils/selinux/taken.py"
INPUTS = ("selinux_policy_names.json", "selinux_debian_names.json")


def _declared(entries: str, branches: str) -> dict[str, str]:
    """ "a_t b_t:9x" → a_t in all branches, b_t in two."""
    found = {}
    for entry in entries.split():
        name, _colon, some = entry.partition(":")
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


def taken(inputs: Path) -> list[str]:
    """Names <name> of types <name>_t that are a program's or a single word."""
    types: set[str] = set()
    for name in INPUTS:
        given = json.loads((inputs / name).read_text())
        types.update(_declared(given["types"], ""), given["aliases"], _declared(given["attributes"], ""))
    names = {name.removesuffix("_t") for name in types if name.endswith("_t")}
    return sorted(name for name in names if f"{name}_exec_t" in types or "_" not in name)


def module(names: list[str]) -> str:
    header = Path(__file__).read_text().splitlines()[:3]
    about = '"""Names that policies have taken, by tools/make_policy_names.py: a second declaration of a type is no error, it adds to the first. Pure."""'
    return "\n".join([*header, about, "", '_NAMES = """', *textwrap.wrap(" ".join(names), 150), '"""', "", "TAKEN = frozenset(_NAMES.split())", ""])


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Cuts the names that the generator of policy modules needs.")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    parser.add_argument("--inputs", type=Path, default=ROOT / "tools/inputs", help="directory of the inputs")
    parser.add_argument("--names", type=Path, default=NAMES, help="the file of the names in use")
    parser.add_argument("--taken", type=Path, default=TAKEN, help="the file of the names that are taken")
    options = parser.parse_args(argv)
    made = {options.names: json.dumps(build(options.inputs), indent=1, sort_keys=True) + "\n", options.taken: module(taken(options.inputs))}
    wrong = 0
    for path, text in made.items():
        if not options.check:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            print(f"{path} is not what {options.inputs} says: run python3 tools/make_policy_names.py", file=sys.stderr)
            wrong = 1
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
