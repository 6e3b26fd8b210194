# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from typing import Dict, List, Optional, Tuple

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.selinux.model import Context, Equivalence, Fcontext, Pending, PolicyModule
from ansible_collections.gohost.linux.plugins.module_utils.selinux.parse import (
    below,
    bindings_package,
    changed_equivalences,
    complaint,
    equivalences,
    file_contexts,
    has_levels,
    literal,
    parse_pending,
    plain,
    render_pending,
    settings,
    substituted,
    under,
)


@pytest.mark.parametrize(
    ("target", "text", "length"),
    [
        ("/opt/app", "/opt/app", 8),
        ("/opt/app(/.*)?", "/opt/app", 8),
        (r"/opt/go1\.27/bin", "/opt/go1.27/bin", 16),
        ("/opt/apps?/x", "/opt/app", 8),
        (r"/opt/a\.*", "/opt/a", 6),
        ("/opt/go[0-9]", "/opt/go", 7),
        ("/.*", "/", 1),
        ("/opt/x{2}", "/opt/", 5),
    ],
)
def test_literal_beginning(target: str, text: str, length: int) -> None:
    assert literal(target) == (text, length)
    assert plain(target) == (length == len(target))


@pytest.mark.parametrize(
    ("target", "directory"),
    [("/srv(/.*)?", "/srv"), (r"/srv/a\.b/.*", "/srv/a.b"), ("/srv/.*x", None), ("/srv", None), ("/s[ab](/.*)?", None), ("/.*", "")],
)
def test_rule_of_a_whole_tree(target: str, directory: Optional[str]) -> None:
    assert below(target) == directory


def test_under() -> None:
    assert under("/opt/app", "/opt/app") and under("/opt/app/x", "/opt/app") and under("/x", "/")
    assert not under("/opt/apple", "/opt/app")


SUBS = "# by hand\n/run /var/run\n\n/opt/golang/1.27.3 /usr/local/go\n"


def test_the_last_equivalence_is_tried_first() -> None:
    assert equivalences(SUBS) == [Equivalence("/opt/golang/1.27.3", "/usr/local/go"), Equivalence("/run", "/var/run")]


@pytest.mark.parametrize(
    ("wished", "text"),
    [
        ({}, SUBS),
        ({"/run": "/var/run2"}, SUBS.replace("/var/run", "/var/run2")),
        ({"/run": None, "/a": "/b"}, "# by hand\n\n/opt/golang/1.27.3 /usr/local/go\n/a /b\n"),
        ({"/nowhere": None}, SUBS),
    ],
)
def test_equivalences_change_line_by_line(wished: Dict[str, Optional[str]], text: str) -> None:
    assert changed_equivalences(SUBS, wished) == text


DIST = [Equivalence("/usr/local/lib64", "/usr/lib"), Equivalence("/run", "/var/run"), Equivalence("/bin", "/")]


@pytest.mark.parametrize(
    ("target", "written"),
    [
        ("/run/app(/.*)?", "/var/run/app(/.*)?"),
        ("/run(/.*)?", "/var/run(/.*)?"),
        ("/run", "/var/run"),
        ("/runner", "/runner"),
        ("/run.*", "/run.*"),
        ("/bin/x", "/x"),
        (r"/opt/golang/1\.27\.3/bin/go", "/usr/local/go/bin/go"),
        ("/opt/golang/1.27.3/bin/go", "/opt/golang/1.27.3/bin/go"),  # dots there stand for any character
        ("/alias/x", "/var/run/y/x"),  # the administrator's, then the distribution's
        ("/etc/x", "/etc/x"),
    ],
)
def test_a_rule_is_written_as_its_files_are_looked_up(target: str, written: str) -> None:
    local = [Equivalence("/alias", "/run/y"), Equivalence("/opt/golang/1.27.3", "/usr/local/go")]
    assert substituted(target, local, DIST) == written


def test_special_characters_of_a_source_are_escaped() -> None:
    assert substituted("/a/bin", [Equivalence("/a", "/opt/1.2+x")], []) == r"/opt/1\.2\+x/bin"


def test_file_contexts_are_read() -> None:
    text = "# policy\n/bin/.*\t--\tsystem_u:object_r:bin_t:s0\n/dev -d system_u:object_r:device_t:s0\n/x  <<none>>\nbroken\n/y -? z\n"
    assert file_contexts(text) == {
        ("/bin/.*", "f"): "system_u:object_r:bin_t:s0",
        ("/dev", "d"): "system_u:object_r:device_t:s0",
        ("/x", "a"): "<<none>>",
    }


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("# x\n\n/a <<none>>\n/b -d system_u:object_r:b_t:s0\n", True),
        ("/b\tsystem_u:object_r:b_t\n", False),
        ("/b system_u:object_r:b_t:s0:c1,c2\n", True),
        ("", None),
        ("/a <<none>>\n", None),
        ("broken\n", None),
    ],
)
def test_levels_of_a_policy(text: str, levels: Optional[bool]) -> None:
    assert has_levels(text) is levels


def test_settings() -> None:
    assert settings('# SELINUX=no\nSELINUX=enforcing\nNAME="Rocky Linux"\nstore-root = /x\nnothing\n') == {
        "SELINUX": "enforcing",
        "NAME": "Rocky Linux",
        "store-root": "/x",
    }


@pytest.mark.parametrize(
    ("text", "package"),
    [
        ("ID=debian\n", "python3-semanage"),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', "python3-semanage"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "python3-libsemanage"),
        ('ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', "python3-semanage"),
        ('ID="amzn"\n', "python3-libsemanage"),
        ("ID=alpine\n", ""),
        ("", ""),
    ],
)
def test_package_with_the_bindings(text: str, package: str) -> None:
    assert bindings_package(text) == package


def test_pending_survives() -> None:
    pending = Pending((Fcontext("/a(/.*)?", "d", "x_t"),), (Equivalence("/b", "/c"),))
    assert parse_pending(render_pending(pending), "/p") == pending


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"fcontexts": [1], "equivalences": []}', b"\xff"])
def test_broken_pending_is_an_error(data: bytes) -> None:
    with pytest.raises(GoHostError, match="restorecon"):
        parse_pending(data, "/p")


APP = PolicyModule("app", 400, "(type app_t)\n(allow app_t nosuch_t (file (read)))\n")
SYNTAX = PolicyModule("bad", 200, "(type bad_t)\n(allow bad_t\n")


@pytest.mark.parametrize(
    ("said", "text", "where"),
    [
        (
            "Failed to resolve allow statement at /var/lib/selinux/default/tmp/modules/400/app/cil:2\nFailed to resolve AST\n",
            "Failed to resolve allow statement at /var/lib/selinux/default/tmp/modules/400/app/cil:2",
            "line 2 of module app: (allow app_t nosuch_t (file (read)))",
        ),
        (
            "Open parenthesis without matching close at line 2 of /var/lib/selinux/default/tmp/modules/200/bad/cil\n",
            "Open parenthesis without matching close at line 2 of /var/lib/selinux/default/tmp/modules/200/bad/cil",
            "line 2 of module bad: (allow bad_t",
        ),
        ("Failed at /var/lib/selinux/default/tmp/modules/100/base/cil:7\n", "Failed at /var/lib/selinux/default/tmp/modules/100/base/cil:7", ""),
        ("Failed at /var/lib/selinux/default/tmp/modules/400/app/cil:9\n", "Failed at /var/lib/selinux/default/tmp/modules/400/app/cil:9", ""),
        ("\n", "", ""),
        ("libsemanage.x: a (Invalid argument).\nb\nlibsemanage.semanage_load_files: Error\nc\nd\ne\n", "libsemanage.x: a | b | c | d", ""),
    ],
)
def test_complaint_names_the_line_of_the_cil(said: str, text: str, where: str) -> None:
    assert complaint(said, [APP, SYNTAX]) == (text, where)


CONTEXTS: List[Tuple[str, Context]] = [
    ("system_u:object_r:bin_t:s0", Context("system_u", "object_r", "bin_t", "s0")),
    ("system_u:object_r:bin_t", Context("system_u", "object_r", "bin_t")),
    ("system_u:object_r:bin_t:s0-s0:c0.c1023", Context("system_u", "object_r", "bin_t", "s0-s0:c0.c1023")),
]


@pytest.mark.parametrize(("text", "context"), CONTEXTS)
def test_context(text: str, context: Context) -> None:
    assert Context.parse(text) == context
    assert str(context) == text


@pytest.mark.parametrize("text", ["", "bin_t", "a:b", "a::c", ":b:c:s0"])
def test_no_context(text: str) -> None:
    with pytest.raises(GoHostError, match="not a security context"):
        Context.parse(text)
