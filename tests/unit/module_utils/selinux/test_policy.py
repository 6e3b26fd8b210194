# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator of confined domains: each wish's rules, names that every policy has, and what is refused."""

import json
import re
from pathlib import Path
from typing import Any, Dict, Iterator, List, Set, Tuple, Union

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.selinux import policy
from ansible_collections.gohost.linux.plugins.module_utils.selinux.model import Port

NAMES = json.loads((Path(__file__).parent / "policy_names.json").read_text(encoding="utf-8"))
EVERYWHERE = "".join(sorted(NAMES["branches"]))
PLAIN = {"name": "app", "executable": "/opt/app/bin/server"}
EVERYTHING: Dict[str, Any] = {
    **PLAIN,
    "listens": ["http_port_t", "dns_port_t/udp", 443, "8443/tcp", "5000-5010/udp"],
    "connects": ["http_cache_port_t", "9443", "9000/udp"],
    "reads": ["/etc/app", "/srv/site", "/data/site", "/usr/share/app/x", "/usr/local/etc/app", "/usr/lib/app", "/opt/app/lib/x", "/opt/app/bin/x/y", "cert_t"],
    "writes": ["/var/lib/app", "/var/log/app", "/run/app", "/var/spool/app", "/var/cache/app", "var_lib_t"],
    "capabilities": [*policy._CAPABILITIES.split(), *policy._CAPABILITIES2.split()],
    "dns": True,
    "tls_roots": True,
    "syslog": True,
    "notify": True,
    "permissive": True,
}
Tree = Union[str, List[Any]]


def made(**more: Any) -> str:
    return policy.cil(policy.service({**PLAIN, **more}))


def parsed(text: str) -> List[Tree]:
    """The statements of a module; strict, so that anything that CIL would take for something else is seen."""
    stack: List[List[Tree]] = [[]]
    for token in re.findall(r';[^\n]*|"[^"\n]*"|[()]|[^\s()";]+|\S', text):
        if token.startswith(";"):
            continue
        if token == "(":
            stack.append([])
        elif token == ")":
            last = stack.pop()
            stack[-1].append(last)
        else:
            assert token.startswith('"') or re.match(r"[A-Za-z][A-Za-z0-9_]*\Z", token), token
            stack[-1].append(token)
    assert len(stack) == 1
    return stack[0]


def rules(text: str) -> Set[str]:
    """Statements as text, those in optional blocks with the word before."""
    found: Set[str] = set()
    for tree in parsed(text):
        assert isinstance(tree, list)
        inside = tree[2:] if tree[0] == "optional" else [tree]
        found.update(("optional " if tree[0] == "optional" else "") + spelled(statement) for statement in inside)
    return found


def spelled(tree: Tree) -> str:
    return tree if isinstance(tree, str) else "({})".format(" ".join(map(spelled, tree)))


def added(**more: Any) -> Set[str]:
    return rules(made(**more)) - rules(made())


def test_the_whole_of_the_least() -> None:
    assert (
        made(cgroup=False)
        == """\
; app: /opt/app/bin/server, started by systemd
(type app_t)
(roletype system_r app_t)
(typeattributeset domain (app_t))
(type app_exec_t)
(roletype object_r app_exec_t)
(typeattributeset file_type (app_exec_t))
(typeattributeset non_security_file_type (app_exec_t))
(typeattributeset non_auth_file_type (app_exec_t))
(typeattributeset exec_type (app_exec_t))
(typeattributeset entry_type (app_exec_t))
(filecon "/opt/app/bin/server" file (system_u object_r app_exec_t ((s0) (s0))))
(typetransition init_t app_exec_t process app_t)
(allow init_t app_exec_t (file (execute getattr open read)))
(allow init_t app_t (process (noatsecure rlimitinh sigkill siginh signal signull transition)))
(allow app_t app_exec_t (file (entrypoint execute getattr open read)))
(optional gohost_app_map
    (allow init_t app_exec_t (file (map)))
    (allow app_t app_exec_t (file (map))))
(optional gohost_app_nnp
    (allow init_t app_t (process2 (nnp_transition nosuid_transition))))
(allow app_t init_t (fd (use)))
(allow app_t init_t (unix_stream_socket (getattr getopt ioctl read write)))
; what every Go program does
(allow app_t self (process (fork getsched sigchld signal signull)))
(allow app_t sysfs_t (dir (search)))
(allow app_t sysfs_t (file (getattr open read)))
(allow app_t etc_t (dir (search)))
(allow app_t etc_t (lnk_file (getattr read)))
(allow app_t usr_t (dir (search)))
(allow app_t locale_t (dir (getattr open read search)))
(allow app_t locale_t (file (getattr open read)))
(allow app_t locale_t (lnk_file (getattr read)))
"""
    )


TCP = "accept bind create getattr getopt listen read setopt shutdown write"
INTERFACES = "(allow app_t self (netlink_route_socket (bind create getattr nlmsg_read read write)))"
LISTENING = {
    "(allow app_t sysctl_net_t (dir (search)))",
    "(allow app_t sysctl_net_t (file (getattr open read)))",
    "(allow app_t kernel_t (tcp_socket (getattr getopt read setopt shutdown write)))",
}


@pytest.mark.parametrize(
    ("wish", "wanted"),
    [
        (
            {"listens": ["http_port_t"]},
            {
                INTERFACES,
                f"(allow app_t self (tcp_socket ({TCP})))",
                "(allow app_t node_t (tcp_socket (node_bind)))",
                "(allow app_t http_port_t (tcp_socket (name_bind)))",
                *LISTENING,
            },
        ),
        (
            {"listens": ["dns_port_t/udp"]},
            {
                INTERFACES,
                "(allow app_t self (tcp_socket (bind create getattr getopt read setopt shutdown write)))",
                "(allow app_t node_t (tcp_socket (node_bind)))",
                "(allow app_t self (udp_socket (bind create getattr getopt read setopt write)))",
                "(allow app_t node_t (udp_socket (node_bind)))",
                "(allow app_t dns_port_t (udp_socket (name_bind)))",
            },
        ),
        (
            {"connects": ["postgresql_port_t"]},
            {
                INTERFACES,
                "(allow app_t self (tcp_socket (connect create getattr getopt read setopt shutdown write)))",
                "(allow app_t postgresql_port_t (tcp_socket (name_connect)))",
            },
        ),
        (
            {"listens": [443]},
            {
                INTERFACES,
                f"(allow app_t self (tcp_socket ({TCP})))",
                "(allow app_t node_t (tcp_socket (node_bind)))",
                "(type app_port_t)",
                "(roletype object_r app_port_t)",
                "(typeattributeset port_type (app_port_t))",
                "(typeattributeset defined_port_type (app_port_t))",
                "(allow app_t app_port_t (tcp_socket (name_bind)))",
                "(allow app_t self (capability (net_bind_service)))",
                *LISTENING,
            },
        ),
        (
            {"reads": ["etc_t"]},
            {
                "(allow app_t etc_t (dir (getattr open read search)))",
                "(allow app_t etc_t (file (getattr open read)))",
                "optional (allow app_t etc_t (file (map)))",
                "optional (allow app_t etc_t (dir (watch)))",
                "optional (allow app_t etc_t (file (watch)))",
            },
        ),
        ({"capabilities": ["CAP_NET_RAW", "bpf", "cap_chown"]}, {"(allow app_t self (capability (chown net_raw)))", "(allow app_t self (capability2 (bpf)))"}),
        ({"permissive": True}, {"(typepermissive app_t)"}),
        ({"reads": [], "writes": [], "listens": [], "connects": [], "capabilities": [], "dns": False, "notify": False}, set()),
    ],
)
def test_each_wish_has_its_rules_and_no_more(wish: Dict[str, Any], wanted: Set[str]) -> None:
    assert added(**wish) == wanted


def test_who_listens_by_tcp_and_resolves_names_binds_no_datagrams() -> None:
    found = added(listens=["http_port_t"], dns=True)
    assert "(allow app_t self (udp_socket (connect create getattr getopt read setopt write)))" in found
    assert "(allow app_t self (tcp_socket (accept bind connect create getattr getopt listen read setopt shutdown write)))" in found
    assert "(allow app_t node_t (udp_socket (node_bind)))" not in found


def test_a_datagram_needs_no_leave_for_its_port() -> None:
    found = added(connects=["9000/udp", "dns_port_t/udp"])
    assert "(allow app_t self (udp_socket (connect create getattr getopt read setopt write)))" in found
    assert not [rule for rule in found if "name_connect" in rule]


def test_no_cgroup() -> None:
    assert rules(made()) - rules(made(cgroup=False)) == {"(allow app_t cgroup_t (dir (search)))", "(allow app_t cgroup_t (file (getattr open read)))"}


def test_own_directories() -> None:
    text = made(reads=["/etc/app"], writes=["/opt/app/data"])
    assert "(allow app_t app_conf_t (file (getattr open read)))" in text
    assert [rule for rule in rules(text) if " app_conf_t (file" in rule and "write" in rule] == []
    assert "(allow app_t app_data_t (file (append create getattr link lock open read rename setattr unlink write)))" in text
    assert "execute" not in "".join(rule for rule in rules(text) if "app_data_t" in rule or "app_conf_t" in rule), "what it writes it never runs"
    links = {"(allow app_t var_t (lnk_file (getattr read)))", "(allow app_t var_lib_t (lnk_file (getattr read)))"}
    assert links <= added(writes=["/var/lib/app", "/var/cache/app"]), "DynamicUser=yes leaves links where its directories seem to be"
    above = {rule for rule in added(writes=["/opt/app/data"]) if "getattr search" in rule}
    assert above == {"(allow app_t root_t (dir (getattr search)))", "(allow app_t usr_t (dir (getattr search)))"}


@pytest.mark.parametrize(
    ("path", "types"),
    [
        ("/var/lib/app/db", ["root_t", "var_t", "var_lib_t", "var_lib_t"]),
        ("/srv/app", ["root_t", "var_t"]),
        ("/data/app", ["root_t", "default_t"]),
        ("/etc/app/x", ["root_t", "etc_t", "etc_t"]),
        ("/usr/local/bin/x/y", ["root_t", "usr_t", "usr_t", "bin_t", "bin_t"]),
        ("/usr/share/app", ["root_t", "usr_t", "usr_t"]),
        ("/opt/app/lib/x", ["root_t", "usr_t", "usr_t", "lib_t", "usr_t"]),
    ],
)
def test_the_way_to_a_directory(path: str, types: List[str]) -> None:
    assert list(policy._parents(path)) == types


def contexts(text: str) -> Iterator[Tuple[str, str, str]]:
    for found in re.finditer(r'\(filecon "(.*)" (\w+) \(system_u object_r (\w+) \(\(s0\) \(s0\)\)\)\)', text):
        yield found.group(1), found.group(2), found.group(3)


def test_file_contexts() -> None:
    text = made(executable="/opt/a.b+c/bin/ser(ver)", reads=["/etc/app[1]"], writes=["/var/lib/app", "/run/app"])
    assert list(contexts(text)) == [
        (r"/opt/a\.b\+c/bin/ser\(ver\)", "file", "app_exec_t"),
        (r"/etc/app\[1\](/.*)?", "any", "app_conf_t"),
        ("/var/lib/app(/.*)?", "any", "app_data_t"),
        ("/var/lib/private/app(/.*)?", "any", "app_data_t"),
        ("/run/app(/.*)?", "any", "app_data_t"),
        ("/var/run/app(/.*)?", "any", "app_data_t"),
    ]
    for regex, _kind, _setype in contexts(text):
        assert re.compile(regex)
    assert re.match(r"/etc/app\[1\](/.*)?\Z", "/etc/app[1]/x") and not re.match(r"/opt/a\.b\+c/bin/ser\(ver\)\Z", "/opt/aXb+c/bin/ser(ver)")
    assert [regex for regex, _kind, _setype in contexts(made(executable="/usr/local/lib/app/server"))] == ["/usr/local/lib/app/server", "/usr/lib/app/server"]
    assert [regex for regex, _kind, _setype in contexts(made(executable="/usr/sbin/server"))] == ["/usr/sbin/server", "/usr/bin/server"]


def test_ports_are_records() -> None:
    wanted = policy.service({**PLAIN, "listens": ["http_port_t", 8443, "5000-5010/udp"], "connects": ["9443/tcp", "dns_port_t"]})
    assert policy.ports(wanted) == [
        Port("tcp", 8443, 8443, "app_port_t"),
        Port("udp", 5000, 5010, "app_port_t"),
        Port("tcp", 9443, 9443, "app_peer_port_t"),
    ]
    assert "portcon" not in policy.cil(wanted)


def test_own_paths_and_module() -> None:
    wanted = policy.service(EVERYTHING)
    assert policy.own_paths(wanted)[0] == "/opt/app/bin/server"
    assert {"/etc/app", "/var/lib/app"} < set(policy.own_paths(wanted)) and "cert_t" not in policy.own_paths(wanted)
    assert wanted.module == "gohost_app"


def test_optional_blocks_have_names_of_their_own() -> None:
    names = [tree[1] for tree in parsed(policy.cil(policy.service(EVERYTHING))) if tree[0] == "optional"]
    assert len(names) == len(set(names)) and all(name.startswith("gohost_app_") for name in names)


def test_every_name_is_known_everywhere_or_stands_in_an_optional_block() -> None:
    """Against Fedora's, CentOS Stream's and Debian's policies."""
    own = {"app_t", "app_exec_t", "app_conf_t", "app_data_t", "app_port_t", "app_peer_port_t", "self", "http_port_t", "http_cache_port_t"}
    wrong: List[str] = []

    def known(sort: str, name: str, inside: bool) -> None:
        where = "".join(sorted(NAMES[sort].get(name, "")))
        if name not in own and (where != EVERYWHERE if not inside else not where):
            wrong.append(f"{sort} {name}: {where or 'nowhere'}")

    def statement(tree: List[Any], inside: bool) -> None:
        word = tree[0]
        if word == "optional":
            for each in tree[2:]:
                statement(each, True)
        elif word == "allow":
            known("types", tree[1], inside)
            known("types", tree[2], inside)
            kind, permissions = tree[3]
            for permission in permissions:
                where = "".join(sorted(NAMES["classes"].get(kind, {}).get(permission, "")))
                if where != EVERYWHERE if not inside else not where:
                    wrong.append(f"{kind} {permission}: {where or 'nowhere'}")
        elif word == "typeattributeset":
            known("attributes", tree[1], inside)
            known("types", tree[2][0], inside)
        elif word == "roletype":
            known("roles", tree[1], inside)
            known("types", tree[2], inside)
        elif word == "typetransition":
            for name in (tree[1], tree[2], tree[4]):
                known("types", name, inside)
            assert tree[3] == "process"
        elif word == "filecon":
            assert tree[3][:2] == ["system_u", "object_r"] and tree[3][2] in own
        else:
            assert word in ("type", "typepermissive") and tree[1] in own, tree

    for tree in parsed(policy.cil(policy.service(EVERYTHING))):
        assert isinstance(tree, list)
        statement(tree, False)
    assert wrong == []
    assert {"9", "x", "f", "r", "b", "t"} == set(EVERYWHERE)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"name": "App"}, "not a name for a service's types: App"),
        ({"name": "a) (typepermissive init_t"}, "not a name for a service's types"),
        ({"name": "a" * 41}, "not a name for a service's types"),
        ({"name": "sshd"}, "policies have types of this name already: sshd_t. A second domain of that name would add to the first"),
        ({"name": "usr"}, "policies have types of this name already: usr_t"),
        ({"name": 5}, "a service needs its name, a text: 5"),
        ({"executable": "bin/server"}, "not a path that SELinux can have a rule for, in executable: bin/server"),
        ({"executable": '/opt/a" file ())/b'}, "not a path that SELinux can have a rule for"),
        ({"executable": "/opt/a b/c"}, "not a path"),
        ({"executable": "/opt/a\n/b"}, "not a path"),
        ({"executable": "/opt/a/b\n"}, "not a path"),
        ({"executable": "/opt/a\\d/b"}, "not a path"),
        ({"executable": "/opt/../etc/shadow"}, "not a path"),
        ({"executable": "/opt/ü/b"}, "not a path"),
        ({"executable": "/home/me/server"}, "labels of this place are not the policy's to keep, in executable: /home/me/server"),
        ({"executable": "/tmp/server"}, "labels of this place are not the policy's to keep"),
        ({"writes": ["/var/lib"]}, "this place belongs to more than one service, in writes: /var/lib"),
        ({"writes": ["/var"]}, "this place belongs to more than one service"),
        ({"reads": ["/"]}, "not a path that SELinux can have a rule for, in reads: /"),
        ({"reads": ["/etc/ssl/"]}, "this place belongs to more than one service, in reads: /etc/ssl"),
        ({"reads": ["etc_t) (allow"]}, "neither an absolute path nor a type, in reads"),
        ({"reads": ["relative/path"]}, "neither an absolute path nor a type"),
        ({"reads": "/etc/app"}, "reads of service app is not a list of texts: /etc/app"),
        ({"reads": ["/etc/app", "/etc/app/"]}, "service app names a path twice: /etc/app"),
        ({"writes": ["/opt/app/bin/server"]}, "service app names a path twice: /opt/app/bin/server. What it writes it may read."),
        ({"listens": ["8443/sctp"]}, "not a port, in listens: 8443/sctp. Write 8443"),
        ({"listens": [True]}, "listens of service app is not a list of texts"),
        ({"listens": ["0"]}, "no such ports, in listens: 0"),
        ({"listens": ["70000"]}, "no such ports, in listens: 70000"),
        ({"connects": ["20-10"]}, "no such ports, in connects: 20-10"),
        (
            {"listens": [8443], "connects": ["8000-9000"]},
            "names a port twice: 8443/tcp. For a connection to a port that it listens on, name app_port_t.",
        ),
        ({"capabilities": ["CAP_ROOT"]}, "no such capability: CAP_ROOT. Name it as capabilities"),
        ({"dns": "yes"}, "dns of service app is neither true nor false: yes"),
        ({"listen": [1], "read": []}, "a service has no such key: listen, read. There are name, executable, listens"),
    ],
)
def test_refused(wish: Dict[str, Any], message: str) -> None:
    with pytest.raises(GoHostError) as caught:
        policy.service({**PLAIN, **wish})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_name_at_all() -> None:
    with pytest.raises(GoHostError, match="a service needs its name"):
        policy.service({})
    with pytest.raises(GoHostError, match="a service needs its executable"):
        policy.service({"name": "app"})


def test_the_same_number_by_another_protocol_is_another_port() -> None:
    wanted = policy.service({**PLAIN, "listens": ["53/tcp", "53/udp"], "connects": ["app_port_t"]})
    assert len(policy.ports(wanted)) == 2
    assert "(allow app_t app_port_t (tcp_socket (name_connect)))" in policy.cil(wanted)
