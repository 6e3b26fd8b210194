# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter by itself, and its documented examples."""

from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.gohost.linux.plugins.filter.go_limits_units import FilterModule

ROOT = Path(__file__).resolve().parents[3]
go_limits_units = FilterModule().filters()["go_limits_units"]


def test_the_example_gives_the_sample() -> None:
    documents = yaml.safe_load((ROOT / "plugins/filter/go_limits_units.yml").read_text(encoding="utf-8"))
    (task,) = yaml.safe_load(documents["EXAMPLES"])
    assert go_limits_units(task["vars"]["wished"]) == documents["RETURN"]["_value"]["sample"]


def test_users() -> None:
    wished = {"users": [{"user": "alice", "tasks_max": 9}, {"user": "bob", "tasks_max": 9}]}
    lines = ["alice:x:1000:1000::/home/alice:/bin/sh"]
    assert go_limits_units(wished, lines, unknown_users=True) == [{"unit": "user-1000.slice", "tasks_max": 9}]
    with pytest.raises(AnsibleFilterError, match="go_limits_units: no such user on this host: bob"):
        go_limits_units(wished, lines)


def test_what_is_no_wish() -> None:
    with pytest.raises(AnsibleFilterError, match="go_limits_units: not a dictionary of slices, services and users: \\['ci'\\]"):
        go_limits_units(["ci"])
