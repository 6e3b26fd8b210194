# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cure a denial gets, by a policy of a few rules."""

import re
from typing import Any, Dict, List

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.selinux.denials.model import Denial, Proposal
from ansible_collections.gohost.linux.plugins.module_utils.selinux.denials.propose import dropin_path, escaped, propose
from ansible_collections.gohost.linux.plugins.module_utils.selinux.denials.security_server import Why
from tests.fakes.security_server import FakeSecurityServer

GOAPP, INIT = "system_u:system_r:goapp_t:s0", "system_u:system_r:init_t:s0"
OWN = {
    "goapp_t http_port_t tcp_socket": "name_bind name_connect",
    "goapp_t goapp_data_t dir": "read write search add_name remove_name",
    "goapp_t goapp_data_t file": "read write open create getattr unlink",
    "goapp_t cert_t file": "read open getattr",
    "goapp_t usr_t file": "read open getattr",
    "goapp_t bin_t file": "execute execute_no_trans read open",
    "goapp_t goapp_exec_t file": "entrypoint execute read open",
    "init_t bin_t file": "execute read open getattr map",
}
EXISTS = "var_t var_lib_t default_t user_home_t etc_t transproxy_port_t unreserved_port_t postgresql_port_t http_cache_port_t shadow_t mysqld_db_t unlabeled_t"
LABELS = {
    "/usr/local/bin/goapp": "unconfined_u:object_r:user_home_t:s0",
    "/srv/goapp/data": "system_u:object_r:var_t:s0",
}


def obj(setype: str) -> str:
    return f"system_u:object_r:{setype}:s0"


def server(**more: Any) -> FakeSecurityServer:
    given: Dict[str, Any] = dict(rules=OWN, types=EXISTS, whys={})
    return FakeSecurityServer(**dict(given, **more))


def denial(target: str, tclass: str, permissions: str, **more: Any) -> Denial:
    given: Dict[str, Any] = dict(kind="avc", time=1.0, source=GOAPP, target=obj(target), tclass=tclass, permissions=tuple(sorted(permissions.split())))
    return Denial(**dict(given, command="goapp", executable="/opt/goapp/bin/goapp", **more))


def file(target: str, permissions: str, path: str = "", tclass: str = "file", **more: Any) -> Denial:
    return denial(target, tclass, permissions, path=path, name=path.rpartition("/")[2], **more)


def port(target: str, number: int, permission: str = "name_bind", **more: Any) -> Denial:
    return denial(target, "tcp_socket", permission, port=number, protocol="tcp", **more)


def test_a_file_that_was_moved_gets_its_label_back() -> None:
    path = "/usr/local/bin/goapp"
    seen = propose(file("user_home_t", "execute", path, source=INIT), server(labels=LABELS, defaults={path: obj("bin_t")}))
    assert (seen.kind, seen.arguments, seen.review) == ("fcontext", {"restore": {"paths": [path]}}, False)
    assert "has bin_t for /usr/local/bin/goapp, but it is user_home_t" in seen.why


def test_a_customizable_label_must_be_forced() -> None:
    path = "/usr/local/bin/goapp"
    seen = propose(file("user_home_t", "execute", path), server(labels=LABELS, defaults={path: obj("bin_t")}, customizable_types=["user_home_t"]))
    assert (seen.arguments, seen.review) == ({"restore": {"paths": [path], "force": True}}, True)


def test_a_default_that_would_not_help_is_not_restored() -> None:
    path = "/srv/goapp/data"
    seen = propose(file("var_t", "write", path, "dir"), server(labels=LABELS, defaults={path: obj("etc_t")}))
    assert seen.arguments == {"fcontexts": [{"target": "/srv/goapp/data(/.*)?", "setype": "goapp_data_t"}], "restore": {"paths": [path]}}


def test_a_default_that_is_secret_is_no_cure() -> None:
    path, rules = "/srv/goapp/data", dict(OWN, **{"goapp_t shadow_t file": "read"})
    seen = propose(file("var_t", "read", path), server(rules=rules, labels=LABELS, defaults={path: obj("shadow_t")}))
    assert "restore" not in seen.arguments or "fcontexts" in seen.arguments


OWN_LABEL: List[Any] = [
    # (denied type, permissions, class, path, source) → (record, review)
    (("var_t", "execute", "file", "/srv/goapp/goapp", INIT), ({"target": "/srv/goapp/goapp", "setype": "bin_t", "ftype": "f"}, False)),
    (("var_lib_t", "execute", "file", "/var/lib/tools/x+y", GOAPP), ({"target": r"/var/lib/tools/x\+y", "setype": "bin_t", "ftype": "f"}, True)),
    (("user_home_t", "execute", "file", "/home/dev/go/bin/goapp", INIT), ({"target": "/home/dev/go/bin/goapp", "setype": "bin_t", "ftype": "f"}, True)),
    (("var_t", "entrypoint", "file", "/srv/goapp/goapp", GOAPP), ({"target": "/srv/goapp/goapp", "setype": "goapp_exec_t", "ftype": "f"}, False)),
    (("var_t", "write", "dir", "/srv/goapp/data", GOAPP), ({"target": "/srv/goapp/data(/.*)?", "setype": "goapp_data_t"}, False)),
    (("var_lib_t", "add_name", "dir", "/var/lib/goapp", GOAPP), ({"target": "/var/lib/goapp(/.*)?", "setype": "goapp_data_t"}, False)),
    (("var_lib_t", "write", "dir", "/var/lib/other", GOAPP), ({"target": "/var/lib/other(/.*)?", "setype": "goapp_data_t"}, True)),
    (("var_t", "create", "file", "/srv/goapp/data/new", GOAPP), ({"target": "/srv/goapp/data(/.*)?", "setype": "goapp_data_t"}, False)),
    (("var_t", "write", "file", "/srv/goapp/state.db", GOAPP), ({"target": r"/srv/goapp/state\.db", "setype": "goapp_data_t", "ftype": "f"}, False)),
    (("default_t", "read", "file", "/data/goapp/ca.pem", GOAPP), ({"target": r"/data/goapp/ca\.pem", "setype": "cert_t", "ftype": "f"}, False)),
    (("default_t", "read", "file", "/data/goapp/key.pem", GOAPP), ({"target": r"/data/goapp/key\.pem", "setype": "goapp_data_t", "ftype": "f"}, False)),
    (("default_t", "read", "file", "/data/goapp/a b", GOAPP), ({"target": r"/data/goapp/a\sb", "setype": "goapp_data_t", "ftype": "f"}, False)),
]


@pytest.mark.parametrize(("asked", "expected"), OWN_LABEL)
def test_a_place_without_a_meaning_gets_one(asked: "tuple[str, str, str, str, str]", expected: "tuple[Dict[str, str], bool]") -> None:
    target, permissions, tclass, path, source = asked
    seen = propose(file(target, permissions, path, tclass, source=source), server(labels={path: obj(target)}, defaults={path: obj(target)}))
    ground = path if "create" not in permissions else path.rpartition("/")[0]
    assert seen.kind == "fcontext"
    assert seen.arguments == {"fcontexts": [expected[0]], "restore": {"paths": [ground]}}
    assert seen.review == expected[1]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/etc",
        "/var",
        "/var/lib",
        "/usr/lib/x/y",
        "/usr/share/goapp/data",
        "/opt",
        "/srv",
        "/home/dev",
        "/proc/1/x",
        "/tmp/x",
        "/var/tmp/x/y",
        "/etc/goapp/x",
        "",
    ],
)
def test_what_others_share_is_not_labelled_anew(path: str) -> None:
    seen = propose(file("var_t", "write", path, "dir"), server())
    assert seen.kind == "cil" and "much else" in seen.why and seen.review


def test_a_type_of_another_service_stays() -> None:
    assert propose(file("mysqld_db_t", "write", "/var/lib/mysql", "dir"), server()).kind == "cil"


def test_a_program_in_tmp_is_not_blessed() -> None:
    seen = propose(file("user_tmp_t", "execute", "/tmp/goapp"), server(types=f"{EXISTS} user_tmp_t"))
    assert (seen.kind, seen.arguments, seen.review) == ("none", {}, True)
    assert "Install it under /opt" in seen.why


def test_a_name_that_no_rule_can_spell() -> None:
    seen = propose(file("var_t", "write", "/srv/goapp/a\nb\udcff"), server())
    assert (seen.kind, seen.arguments, seen.review) == ("none", {}, True)
    assert r"a\x0ab\xff" in seen.why


@pytest.mark.parametrize("target", ["unlabeled_t", "default_t"])
def test_no_rule_for_files_that_no_rule_names(target: str) -> None:
    seen = propose(file(target, "read", ""), server())
    assert (seen.kind, seen.arguments) == ("none", {})
    assert "restorecon" in seen.why
    assert propose(file(target, "write", "/x"), server()).kind == "none"


def test_a_label_that_was_corrected_since() -> None:
    path = "/srv/goapp/data"
    assert "cured since" in propose(file("var_t", "write", path, "dir"), server(labels={path: obj("goapp_data_t")})).why


PORTS: List[Any] = [
    (port("unreserved_port_t", 9443), "http_port_t", False),
    (port("transproxy_port_t", 8081), "http_port_t", True),
    (port("http_cache_port_t", 8080), "http_port_t", True),
    (port("unreserved_port_t", 9443, "name_connect"), "http_port_t", False),
]


@pytest.mark.parametrize(("asked", "setype", "review"), PORTS)
def test_port(asked: Denial, setype: str, review: bool) -> None:
    seen = propose(asked, server())
    assert (seen.kind, seen.review) == ("port", review)
    assert seen.arguments == {"ports": [{"proto": "tcp", "port": str(asked.port), "setype": setype}]}
    assert asked.object_type in seen.why


def test_the_port_type_of_its_own_comes_first() -> None:
    rules = dict(OWN, **{"goapp_t goapp_port_t tcp_socket": "name_bind", "goapp_t goapp_peer_port_t tcp_socket": "name_connect"})
    assert propose(port("unreserved_port_t", 9443), server(rules=rules)).arguments["ports"][0]["setype"] == "goapp_port_t"
    assert propose(port("unreserved_port_t", 9443, "name_connect"), server(rules=rules)).arguments["ports"][0]["setype"] == "goapp_peer_port_t"


def test_a_port_that_is_another_services_is_not_renamed_to_connect_to_it() -> None:
    seen = propose(port("postgresql_port_t", 5432, "name_connect"), server())
    assert seen.kind == "cil"
    assert seen.arguments["modules"][0]["cil"] == "(allow goapp_t postgresql_port_t (tcp_socket (name_connect)))\n"


def test_no_port_type_that_the_domain_may_use() -> None:
    assert propose(port("unreserved_port_t", 9443), server(rules={"goapp_t goapp_exec_t file": "entrypoint"})).kind == "cil"


def test_a_port_that_got_its_record_since() -> None:
    asked = port("unreserved_port_t", 9443)
    assert "http_port_t by now" in propose(asked, server(ports={("tcp", 9443): "http_port_t"})).why
    assert propose(asked, server(ports={("tcp", 9443): "transproxy_port_t", ("udp", 9443): "http_port_t"})).kind == "port"


HTTPD = "system_u:system_r:httpd_t:s0"
BOTH = {
    "httpd_t postgresql_port_t tcp_socket": Why("boolean", (("nis_enabled", True), ("httpd_can_network_connect", True), ("httpd_can_network_connect_db", True)))
}


def httpd(**more: Any) -> FakeSecurityServer:
    return FakeSecurityServer(**dict(dict(rules={"httpd_t http_port_t tcp_socket": "name_bind"}, types="postgresql_port_t redis_port_t"), **more))


def test_the_narrowest_boolean() -> None:
    seen = propose(port("postgresql_port_t", 5432, "name_connect", source=HTTPD), httpd(whys=BOTH))
    assert (seen.kind, seen.review) == ("boolean", False)
    assert seen.arguments == {"booleans": [{"name": "httpd_can_network_connect_db", "state": True, "persistent": True}]}
    assert "So would httpd_can_network_connect, nis_enabled" in seen.why


@pytest.mark.parametrize("name", ["nis_enabled", "httpd_unified", "httpd_execmem", "goapp_anon_write", "deny_ptrace"])
def test_a_wide_or_foreign_boolean_is_reviewed(name: str) -> None:
    seen = propose(port("postgresql_port_t", 5432, "name_connect"), server(whys={"goapp_t postgresql_port_t tcp_socket": Why("boolean", ((name, False),))}))
    assert (seen.kind, seen.review, seen.arguments["booleans"][0]["state"]) == ("boolean", True, False)


@pytest.mark.parametrize(("state", "kind"), [(False, "boolean"), (True, "cil"), (None, "cil")])
def test_well_known_booleans_without_bindings(state: "bool | None", kind: str) -> None:
    booleans = {} if state is None else {"httpd_can_network_connect_db": state}
    assert propose(port("postgresql_port_t", 5432, "name_connect", source=HTTPD), httpd(booleans=booleans)).kind == kind


@pytest.mark.parametrize(("kind", "words"), [("constraint", "levels, users or roles"), ("rbac", "a constraint on roles")])
def test_a_constraint_is_not_cured_by_a_rule(kind: str, words: str) -> None:
    seen = propose(file("mysqld_db_t", "read", "/var/lib/mysql/x"), server(whys={"goapp_t mysqld_db_t file": Why(kind)}))
    assert (seen.kind, seen.arguments, seen.review) == ("none", {}, True)
    assert words in seen.why


def test_no_new_privileges() -> None:
    asked = denial("goapp_t", "process2", "nnp_transition")._replace(source=INIT, target=GOAPP)
    seen = propose(asked, server())
    assert (seen.kind, seen.dropin, seen.arguments, seen.review) == ("unit", "[Service]\nNoNewPrivileges=no\n", {}, True)
    assert seen.alternative["modules"][0]["cil"] == "(allow init_t goapp_t (process2 (nnp_transition)))\n"


def test_nosuid_is_no_matter_of_the_unit() -> None:
    seen = propose(denial("goapp_t", "process2", "nosuid_transition")._replace(source=INIT, target=GOAPP), server())
    assert (seen.kind, seen.dropin) == ("none", "") and seen.alternative and "nosuid" in seen.why


@pytest.mark.parametrize(
    ("permissions", "line", "alternative"),
    [
        ("net_admin", "CapabilityBoundingSet=~CAP_NET_ADMIN", True),
        ("net_bind_service", "CapabilityBoundingSet=~CAP_NET_BIND_SERVICE", True),
        ("dac_read_search dac_override", "CapabilityBoundingSet=~CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH", False),
        ("sys_ptrace", "CapabilityBoundingSet=~CAP_SYS_PTRACE", False),
    ],
)
def test_capability(permissions: str, line: str, alternative: bool) -> None:
    seen = propose(denial("goapp_t", "capability", permissions)._replace(target=GOAPP), server())
    assert (seen.kind, seen.dropin, seen.arguments, seen.review) == ("unit", f"[Service]\n{line}\n", {}, True)
    assert bool(seen.alternative) == alternative
    if alternative:
        assert seen.alternative["modules"][0]["cil"] == f"(allow goapp_t self (capability ({permissions})))\n"


def test_connections_with_the_kernels_label() -> None:
    seen = propose(denial("kernel_t", "tcp_socket", "read")._replace(target="system_u:system_r:kernel_t:s0"), server())
    assert (seen.kind, seen.dropin, seen.review) == ("unit", "[Service]\nEnvironment=GODEBUG=multipathtcp=0\n", True)
    assert seen.alternative["modules"][0]["cil"] == "(allow goapp_t kernel_t (tcp_socket (getattr getopt read setopt shutdown write)))\n"


def test_dropin_path() -> None:
    text = "[Service]\nCapabilityBoundingSet=~CAP_NET_ADMIN\n"
    assert dropin_path("goapp.service", text) == "/etc/systemd/system/goapp.service.d/60-capabilityboundingset-cap-net-admin.conf"
    assert dropin_path("a@.service", "[Service]\nNoNewPrivileges=no\n") == "/etc/systemd/system/a@.service.d/60-nonewprivileges-no.conf"


@pytest.mark.parametrize(
    ("target", "tclass", "permissions", "cil"),
    [
        ("mysqld_db_t", "file", "read open", "(allow goapp_t mysqld_db_t (file (open read)))\n"),
        ("devlog_t", "sock_file", "write", "(allow goapp_t devlog_t (sock_file (write)))\n"),
        ("goapp_t", "process", "getsched", "(allow goapp_t self (process (getsched)))\n"),
    ],
)
def test_a_rule_is_minimal_and_for_review(target: str, tclass: str, permissions: str, cil: str) -> None:
    seen = propose(denial(target, tclass, permissions), server())
    assert (seen.kind, seen.review) == ("cil", True)
    (module,) = seen.arguments["modules"]
    assert module["cil"] == cil and module["name"].startswith(f"local_goapp_{tclass}_")
    assert propose(denial(target, tclass, permissions), server()) == seen
    assert propose(denial(target, tclass, "map"), server()).arguments["modules"][0]["name"] != module["name"]


def test_what_is_only_seen_without_dontaudit_rules() -> None:
    seen = propose(denial("unconfined_t", "process", "noatsecure siginh"), server())
    assert (seen.kind, seen.arguments, seen.review) == ("none", {}, False)
    assert "Nothing is amiss" in seen.why and "semodule -B" in seen.why
    assert propose(denial("unconfined_t", "process", "noatsecure transition"), server()).review


def test_granted_and_cured() -> None:
    assert propose(denial("mysqld_db_t", "file", "read", granted=True), server()).kind == "none"
    seen = propose(port("http_port_t", 443), server())
    assert (seen.kind, seen.review) == ("none", False) and "cured since" in seen.why


@pytest.mark.parametrize(
    "broken",
    [
        dict(source=""),
        dict(target="x"),
        dict(permissions=()),
        dict(tclass=""),
        dict(permissions=("a)(b",)),
        dict(source="a:b:x y:s0"),
        dict(target='a:b:")(allow:s0'),
    ],
)
def test_nothing_is_made_of_a_broken_record(broken: Dict[str, Any]) -> None:
    seen = propose(denial("mysqld_db_t", "file", "read")._replace(**broken), server())
    assert (seen.kind, seen.arguments, seen.alternative, seen.review) == ("none", {}, {}, True)


def seccomp(**more: Any) -> Denial:
    return Denial(kind="seccomp", time=1.0, source=GOAPP, command="goapp", executable="/opt/goapp/bin/goapp", **more)


def test_seccomp() -> None:
    seen = propose(seccomp(syscall="mount", detail="signal 31"), server())
    assert (seen.kind, seen.dropin, seen.review) == ("unit", "[Service]\nSystemCallFilter=mount\n", True)
    number = propose(seccomp(syscall="165"), server())
    assert (number.kind, number.dropin) == ("unit", "") and "ausyscall 165" in number.why
    assert propose(seccomp(syscall="mount", permissive=True), server()).kind == "none"
    assert propose(seccomp(syscall="mount\nUser=root"), server()).dropin == ""


def error(**more: Any) -> Proposal:
    return propose(Denial(kind="selinux_err", time=1.0, **more), server())


def test_selinux_err() -> None:
    bounded = error(operation="security_bounded_transition", source=INIT, target=GOAPP)
    assert bounded.kind == "unit" and bounded.alternative["modules"][0]["cil"] == "(allow init_t goapp_t (process2 (nnp_transition)))\n"
    for target in ("u:r:unconfined_t:s0", "u:r:x)(y:s0", "x"):
        assert error(operation="security_bounded_transition", source=GOAPP, target=target) == error(operation="security_bounded_transition")
    role = error(operation="security_compute_sid", detail="system_u:staff_r:goapp_t:s0", tclass="process")
    assert role.kind == "cil" and role.review and role.arguments["modules"][0]["cil"] == "(roletype staff_r goapp_t)\n"
    for hopeless in (
        error(operation="security_compute_sid", detail="u:user_r:unconfined_t:s0", tclass="process"),
        error(operation="security_compute_sid", detail="u:user_r:shadow_t:s0", tclass="process"),
        error(operation="security_compute_sid", detail="u:user_r:x)(y:s0", tclass="process"),
        error(operation="security_compute_sid", detail="u:user_r:goapp_data_t:s0", tclass="file"),
        error(operation="setxattr", detail="a:b:nosuch_t:s0"),
        error(operation="security_validate_transition"),
        error(),
    ):
        assert (hopeless.kind, hopeless.arguments, hopeless.review) == ("none", {}, True)


def test_what_dontaudit_hides() -> None:
    hidden = Denial(kind="hidden", time=1.0, source=GOAPP, target=obj("etc_t"), tclass="file", path="/etc/x", syscall="openat")
    seen = propose(hidden, server(silent_rules={"goapp_t etc_t file": "read getattr"}))
    assert "hides the refusal of getattr, read on etc_t" in seen.why and "semodule -DB" in seen.why and seen.kind == "none"
    assert "owner and mode" in propose(hidden, server()).why
    assert "dontaudit rule" in propose(hidden._replace(target=""), server()).why


ATTACKS: List[Any] = [
    file("shadow_t", "read", "/etc/shadow"),
    file("shadow_t", "getattr", "/etc/shadow"),
    file("sshd_key_t", "read", "/etc/ssh/ssh_host_ed25519_key"),
    file("krb5_keytab_t", "read", "/etc/krb5.keytab"),
    file("security_t", "write", "/sys/fs/selinux/load"),
    denial("security_t", "security", "setenforce"),
    denial("security_t", "security", "load_policy"),
    file("selinux_config_t", "write", "/etc/selinux/config"),
    file("semanage_store_t", "write", "/var/lib/selinux", "dir"),
    file("memory_device_t", "read", "/dev/mem", "chr_file"),
    file("fixed_disk_device_t", "read", "/dev/vda", "blk_file"),
    file("modules_object_t", "write", "/lib/modules/x.ko"),
    denial("kernel_t", "system", "module_request", detail="net-pf-10"),
    denial("goapp_t", "system", "module_load"),
    denial("init_t", "process", "ptrace"),
    denial("goapp_t", "process", "execmem"),
    denial("unconfined_t", "process", "transition"),
    denial("unconfined_service_t", "process2", "nnp_transition"),
    denial("init_t", "process", "dyntransition"),
    file("etc_t", "write", "/etc/passwd"),
    file("passwd_file_t", "write", "/etc/passwd"),
    file("etc_t", "create", "/etc/sudoers.d/goapp"),
    file("etc_t", "write", "/etc/ld.so.preload"),
    file("sshd_exec_t", "write", "/usr/sbin/sshd"),
    file("bin_t", "write", "/usr/bin/ls"),
    file("systemd_unit_file_t", "write", "/usr/lib/systemd/system/x.service"),
    file("cert_t", "write", "/etc/ssl/certs", "dir"),
    file("shell_exec_t", "entrypoint", "/bin/sh"),
    denial("container_runtime_t", "unix_stream_socket", "connectto"),
    denial("fs_t", "filesystem", "mount"),
    denial("goapp_t", "bpf", "prog_load"),
    file("lib_t", "relabelto", "/lib/x"),
]


@pytest.mark.parametrize("asked", ATTACKS, ids=lambda asked: f"{asked.object_type}-{'-'.join(asked.permissions)}")
def test_an_attack_gets_no_rule(asked: Denial) -> None:
    everything = server(
        types=f"{EXISTS} {asked.object_type}", booleans={"everything": False}, labels={asked.path: asked.target}, defaults={asked.path: obj("usr_t")}
    )
    seen = propose(asked, everything)
    assert (seen.kind, seen.arguments, seen.alternative, seen.dropin, seen.review) == ("none", {}, {}, "", True)
    assert "no rule is proposed" in seen.why


@pytest.mark.parametrize("asked", [file("cert_t", "read", "/etc/ssl/certs/x"), denial("fs_t", "filesystem", "getattr"), file("bin_t", "read", "/usr/bin/x")])
def test_no_false_alarm(asked: Denial) -> None:
    assert propose(asked, FakeSecurityServer()).kind == "cil"


@pytest.mark.parametrize(("path", "regex"), [("/opt/a.b", r"/opt/a\.b"), ("/a (1)+[x]{2}|^$*?\\", r"/a\s\(1\)\+\[x\]\{2\}\|\^\$\*\?\\"), ("/a\tb", r"/a\sb")])
def test_escaped(path: str, regex: str) -> None:
    assert escaped(path) == regex
    assert re.match(regex + r"\Z", path)
