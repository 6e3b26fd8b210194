# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a description of a service holds, it is a GoHostError or a module that speaks of that service's domain alone."""

import os
import re
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.selinux import policy

fuzzed = settings(max_examples=int(os.environ.get("FUZZ_EXAMPLES", "5000")), deadline=None, suppress_health_check=list(HealthCheck))
parts = st.sampled_from(
    ["/", "/opt", "/var/lib", "/app", "a", "..", "etc_t", ")", "(allow", ";", '"', "\n", "\\", " ", "8443", "-", "tcp", "[", ".*", "é", "\x00", "443"]
)
words = st.lists(parts, min_size=1, max_size=5).map("".join) | st.text(max_size=20)
values = words | st.integers() | st.booleans() | st.none()
lists = st.lists(values, max_size=3) | values
STATEMENT = re.compile(
    r"\((?:type|typepermissive) (?P<one>\w+)\)\Z"
    r"|\(roletype \w+ (?P<two>\w+)\)\Z"
    r"|\(typeattributeset \w+ \((?P<three>\w+)\)\)\Z"
    r"|\(typetransition init_t (?P<four>\w+) process \w+\)\Z"
    r'|\(filecon "[!#-~]+" (?:any|file) \(system_u object_r (?P<five>\w+) \(\(s0\) \(s0\)\)\)\)\Z'
    r"|\(allow (?P<six>\w+) (?P<target>\w+) \(\w+ \([a-z0-9_ ]+\)\)\)\)?\Z"
    r"|\(optional (?P<seven>\w+)\Z"
)


@fuzzed
@given(st.dictionaries(st.sampled_from(policy.Service._fields), lists), st.sampled_from(["app", "app", "app", None]), st.just("/opt/x/bin/x") | words)
def test_descriptions(wish: dict[str, Any], name: "str | None", executable: str) -> None:
    given_wish = {"executable": executable, **wish, **({"name": name} if name else {})}
    try:
        wanted = policy.service(given_wish)
    except GoHostError as error:
        assert "\n" not in str(error)
        return
    text = policy.cil(wanted)
    assert text.count("(") - text.count(")") == sum(line.count("(") - line.count(")") for line in text.splitlines() if line.startswith(";") or '"' in line)
    for line in map(str.strip, text.splitlines()):
        if line.startswith(";"):
            continue
        found = STATEMENT.match(line)
        assert found, line
        about = {value for value in found.groupdict().values() if value}
        assert any(value.startswith((f"{wanted.name}_", f"gohost_{wanted.name}_")) for value in about), line
