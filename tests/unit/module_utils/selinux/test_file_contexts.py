# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
import itertools
from typing import List

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.selinux.file_contexts import (
    Stem,
    filecons,
    line,
    policy_text,
    reached,
    stem,
    text,
)
from ansible_collections.gohost.linux.plugins.module_utils.selinux.model import NONE, Equivalence, Fcontext


@pytest.mark.parametrize(
    ("target", "path", "whole"),
    [
        # a plain path, and the usual "and all below"
        ("/opt/go", "/opt/go", True),
        ("/opt/go(/.*)?", "/opt/go", True),
        ("/opt/go(?:/.*)?", "/opt/go", True),
        ("^/opt/go(/.*)?$", "/opt/go", True),
        ("/opt/go(/[^/]*)*", "/opt/go", True),
        ("/opt/go(/bin/.*)", "/opt/go", True),
        ("/opt/go/.*", "/opt/go/", False),
        ("/opt/go.*", "/opt/go", False),
        ("/opt/go-1\\.27(/.*)?", "/opt/go-1.27", True),
        # escapes
        ("/srv/a\\+b\\(c\\)\\\\d", "/srv/a+b(c)\\d", True),
        ("/srv/\\.cache/go-build(/.*)?", "/srv/.cache/go-build", True),
        ("/srv/v\\d+", "/srv/v", False),
        ("/srv/v\\w", "/srv/v", False),
        ("/srv/\\[x\\]", "/srv/[x]", True),
        ("/srv/x\\", "/srv/x", False),
        # a quantifier takes back what it makes optional
        ("/opt/gos?", "/opt/go", False),
        ("/opt/gos*/bin", "/opt/go", False),
        ("/opt/go{0,2}", "/opt/g", False),
        ("/opt/go\\.?x", "/opt/go", False),
        ("/opt/go+", "/opt/go", False),
        ("/opt/go+/bin", "/opt/go", False),
        # groups and classes
        ("/opt/(go|golang)/bin", "/opt/", False),
        ("/opt/go(lang)?(/.*)?", "/opt/go", False),
        ("/opt/go(/a|b)?", "/opt/go", False),
        ("/opt/go(/a)?(b)?", "/opt/go", False),
        ("/opt/go(/a|/b)", "/opt/go", False),
        ("/opt/[^/]+/bin(/.*)?", "/opt/", False),
        ("/opt/go[0-9.]*", "/opt/go", False),
        ("(/usr)?/lib/go", "", False),
        (".*\\.go", "", False),
        ("/.*", "/", False),
        ("/", "/", True),
        # alternatives of the whole
        ("/opt/go/a(/.*)?|/opt/go/b", "/opt/go/", False),
        ("/opt/go|/srv/go", "/", False),
        ("/opt/x[|]y|/opt/xz", "/opt/x", False),
        ("/opt/x[]|]y", "/opt/x", False),
        ("/opt/x[^]|]y", "/opt/x", False),
        ("/opt/x[[:digit:]|]y", "/opt/x", False),
        ("/opt/x\\|y", "/opt/x|y", True),
    ],
)
def test_stem(target: str, path: str, whole: bool) -> None:
    assert stem(target) == Stem(path, whole)


@pytest.mark.parametrize(
    ("beginning", "aliases", "expected"),
    [
        (Stem("/usr/local/go", True), [Equivalence("/opt/go/1.27", "/usr/local/go")], [Stem("/opt/go/1.27", True)]),
        (Stem("/usr/local/go/bin/x", False), [Equivalence("/opt/go/1.27", "/usr/local/go")], [Stem("/opt/go/1.27/bin/x", False)]),
        (Stem("/usr/local/", False), [Equivalence("/opt/go/1.27", "/usr/local/go")], [Stem("/opt/go/1.27", True)]),
        (Stem("/usr/local/g", False), [Equivalence("/opt/go/1.27", "/usr/local/go")], [Stem("/opt/go/1.27", True)]),
        (Stem("/usr/local/gopher", True), [Equivalence("/opt/go/1.27", "/usr/local/go")], []),
        (Stem("/usr/lib/x", True), [Equivalence("/img", "/")], [Stem("/img/usr/lib/x", True)]),
        (Stem("/opt", True), [], []),
    ],
)
def test_reached(beginning: Stem, aliases: List[Equivalence], expected: List[Stem]) -> None:
    assert reached(beginning, aliases) == expected


def test_lines() -> None:
    records = [
        Fcontext("/opt/go(/.*)?", "a", "bin_t"),
        Fcontext("/opt/go/x", "f", "usr_t", "staff_u", "s0:c1"),
        Fcontext("/opt/go/pkg", "d", NONE),
    ]
    assert text(records) == ("/opt/go(/.*)?    system_u:object_r:bin_t:s0\n/opt/go/x -- staff_u:object_r:usr_t:s0:c1\n/opt/go/pkg -d <<none>>\n")
    assert line(records[2]) == "/opt/go/pkg -d <<none>>\n"


def test_filecons_that_can_be_read() -> None:
    cil = """
    ; (filecon "/not" file (system_u object_r not_t ((s0) (s0))))
    (type app_t)
    (level low (s0)) (level high (s0 (range c0 c9))) (levelrange all (low high))
    (context conf (system_u object_r app_conf_t (low low)))
    (filecon "/opt/app/bin/app" file (system_u object_r app_exec_t ((s0) (s0))))
    (filecon "/opt/app/data(/.*)?" any (system_u object_r app_data_t all))
    (optional app_etc
      (filecon "/etc/app\\.conf" file conf)
      (optional app_run (filecon "/run/app" dir (system_u object_r app_run_t (low (s0 (range c0 c3)))))))
    (filecon /opt/app/none symlink ())
    """
    assert filecons(cil) == (
        [
            Fcontext("/opt/app/bin/app", "f", "app_exec_t"),
            Fcontext("/opt/app/data(/.*)?", "a", "app_data_t", "system_u", "s0-s0:c0.c9"),
            Fcontext("/etc/app\\.conf", "f", "app_conf_t"),
            Fcontext("/run/app", "d", "app_run_t", "system_u", "s0-s0:c0.c3"),
            Fcontext("/opt/app/none", "l", NONE, "system_u", ""),
        ],
        [],
    )


@pytest.mark.parametrize(
    "statement",
    [
        "(filecon HOME_DIR/go(/.*)? any (system_u object_r x_t ((s0) (s0))))",
        "(filecon /home/USER/x file (system_u object_r x_t ((s0) (s0))))",
        "(filecon /x file unknown)",
        "(filecon /x file (system_u object_r x_t unknown))",
        "(filecon /x file (system_u object_r x_t ((unknown (set a)) (s0))))",
        "(filecon /x file (system_u other_r x_t ((s0) (s0))))",
        "(filecon /x thing (system_u object_r x_t ((s0) (s0))))",
        "(filecon /x file (system_u object_r x_t ((s0 (c0 c1)) (s0 (c0 c1)))))",
        "(filecon /x file)",
    ],
)
def test_filecons_for_the_compiler_only(statement: str) -> None:
    quoted = statement.replace("HOME_DIR/go(/.*)?", '"HOME_DIR/go(/.*)?"')
    assert filecons(quoted) == ([], [statement])


def test_filecons_in_blocks_are_for_the_compiler() -> None:
    statement = "(filecon /x file (system_u object_r x_t ((s0) (s0))))"
    assert filecons(f"(block app (type x_t) (optional more {statement}))") == ([], [statement])
    assert filecons("))) (filecon") == ([], [])


POLICY = """\
/.*\tsystem_u:object_r:default_t:s0
/(boot)?\t-d\tsystem_u:object_r:boot_t:s0
/opt/.*\tsystem_u:object_r:usr_t:s0
/opt/(.*/)?bin(/.*)?\tsystem_u:object_r:bin_t:s0
/opt/longer/.*\tsystem_u:object_r:usr_t:s0
/opt\t-d\tsystem_u:object_r:usr_t:s0
/opt/app\t--\tsystem_u:object_r:bin_t:s0
"""


def targets(content: str) -> List[str]:
    return [" ".join(row.split()[:-1]) for row in content.splitlines()]


def test_what_modules_add_comes_where_the_compiler_puts_it() -> None:
    added = [
        Fcontext("/opt/app/bin/app", "f", "app_exec_t"),
        Fcontext("/opt/app/.*", "a", "app_t"),
        Fcontext("/opt/app", "a", "app_t"),
        Fcontext("/opt/ap\\.", "a", "app_t"),
        Fcontext("/opt/app", "d", "app_t"),
    ]
    expected = [
        "/.*",
        "/(boot)? -d",
        "/opt/.*",
        "/opt/(.*/)?bin(/.*)?",
        "/opt/app/.*",
        "/opt/longer/.*",
        "/opt -d",
        "/opt/ap\\.",
        "/opt/app",
        "/opt/app --",
        "/opt/app -d",
        "/opt/app/bin/app --",
    ]
    for order in itertools.permutations(added):
        found = targets(policy_text(POLICY, order, []))
        assert [row for row in found if row != "/opt/ap\\."] == [row for row in expected if row != "/opt/ap\\."]
        assert sorted(found) == sorted(expected)
    assert targets(policy_text(POLICY, added, [])) == expected


def test_what_modules_take_away() -> None:
    added = [Fcontext("/opt/app/.*", "a", "app_t"), Fcontext("/opt/app/none", "f", NONE)]
    more = policy_text(POLICY, added, [])
    assert "/opt/app/none\t--\t<<none>>\n" in more
    assert policy_text(more, [], added) == POLICY
    assert policy_text(more, added, []) == more
    assert policy_text(more, added, added) == more


def test_a_policy_without_levels() -> None:
    plain = POLICY.replace(":s0", "")
    record = Fcontext("/opt/app/.*", "a", "app_t")
    more = policy_text(plain, [record], [])
    assert "/opt/app/.*\tsystem_u:object_r:app_t\n" in more
    assert policy_text(more, [], [record]) == plain
