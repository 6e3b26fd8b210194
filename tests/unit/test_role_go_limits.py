# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role go_limits takes is what cgroup_limits takes, for each kind of unit what it may have, and its README tells all of it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.directives import DIRECTIVES
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.options import ARGUMENT_SPEC
from ansible_collections.gohost.linux.plugins.plugin_utils.limits.wishes import PRESETS

ROLE = Path(__file__).resolve().parents[2] / "roles/go_limits"
OPTIONS: "dict[str, Any]" = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
UNIT: "dict[str, Any]" = ARGUMENT_SPEC["units"]["options"]
OWN = {"name", "user", "all", "preset"}
OF_SERVICES = {"go_runtime", "memory_headroom", "memory_share"}


def _bare(spec: "dict[str, Any]") -> "dict[str, Any]":
    """Without words for people."""
    bare = {key: value for key, value in spec.items() if key != "description"}
    return {**bare, **({"options": {name: _bare(each) for name, each in bare["options"].items()}} if "options" in bare else {})}


@pytest.mark.parametrize(("variable", "kind"), [("go_limits_slices", "slice"), ("go_limits_services", "service"), ("go_limits_users", "slice")])
def test_entries_take_what_the_module_takes(variable: str, kind: str) -> None:
    entry = OPTIONS[variable]["options"]
    possible = {name for name, directive in DIRECTIVES.items() if kind in directive.kinds} | {"state", "runtime"}
    assert set(entry) - OWN == possible | (OF_SERVICES if kind == "service" else set())
    assert {name: _bare(each) for name, each in entry.items() if name not in OWN} == {name: _bare(UNIT[name]) for name in set(entry) - OWN}
    assert entry["preset"]["choices"] == list(PRESETS)


def test_the_call_takes_what_the_module_takes() -> None:
    assert _bare(OPTIONS["go_limits_restart"]) == ARGUMENT_SPEC["restart"] and _bare(OPTIONS["go_limits_force"]) == ARGUMENT_SPEC["force"]
    assert OPTIONS["go_limits_user_delegate"]["choices"] == UNIT["delegate"]["choices"]


def test_the_readme_tells_it() -> None:
    said = (ROLE / "README.md").read_text(encoding="utf-8")
    for name in (*OPTIONS, *(set(UNIT) - {"unit"})):
        assert f"`{name}`" in said or (name.startswith("managed_oom_") and "`managed_oom_*`" in said), name
    rows = {line.split("|")[1].strip(" `"): [cell.strip() for cell in line.split("|")[2:5]] for line in said.splitlines() if line.startswith("| `")}
    for option in {option for limits in PRESETS.values() for option in limits}:
        assert rows[option] == [str(limits.get(option, "")) for limits in PRESETS.values()], option
