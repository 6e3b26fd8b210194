# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from typing import Any, Dict, List, Optional, Sequence, Tuple

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.selinux.model import (
    LOST,
    NONE,
    NOT_INSTALLED,
    NOT_LOADED,
    Boolean,
    Equivalence,
    Fcontext,
    Installed,
    ModuleState,
    ModuleWish,
    PolicyModule,
    Port,
    Scope,
    Seen,
    Wanted,
    permissive_module,
)
from ansible_collections.gohost.linux.plugins.module_utils.selinux.plan import Decision, module_rules, plan

Steps = List[Tuple[str, Any, Any]]
POLICY = (Port("tcp", 8080, 8080, "http_cache_port_t"), Port("tcp", 1024, 65535, "unreserved_port_t"), Port("udp", 8080, 8080, "other_port_t"))


def rules(*records: Fcontext) -> Wanted:
    return Wanted(fcontexts={(record.target, record.ftype): record for record in records})


def ports(*records: Port) -> Wanted:
    return Wanted(ports={record[:3]: record for record in records})


def steps(decision: Decision) -> Steps:
    return [(step.thing, step.before, step.after) for step in decision.plan.steps]


BIN = Fcontext("/opt/a/bin(/.*)?", "a", "bin_t")
BIN_TEXT = "system_u:object_r:bin_t:s0"
DATA = Fcontext("/opt/a/data", "d", "data_t")
HTTP = Port("tcp", 8080, 8080, "http_port_t")
MODULE = {("app", 400): ModuleWish("present", "(type app_t)")}
HAVE = {("app", 400): Installed(True, "(type app_t)"), ("base", 100): Installed()}

TABLE: Dict[str, Tuple[Wanted, Seen, Steps]] = {
    "nothing wished": (Wanted(), Seen(fcontexts=(BIN,), ports=(HTTP,)), []),
    "a new rule": (rules(BIN), Seen(), [("fcontext /opt/a/bin(/.*)? a", None, BIN_TEXT)]),
    "a rule that is there": (rules(BIN), Seen(fcontexts=(BIN,)), []),
    "another type": (
        rules(BIN),
        Seen(fcontexts=(BIN._replace(setype="usr_t"),)),
        [("fcontext /opt/a/bin(/.*)? a", "system_u:object_r:usr_t:s0", BIN_TEXT)],
    ),
    "another kind of file is another rule": (
        rules(BIN),
        Seen(fcontexts=(BIN._replace(ftype="f"),)),
        [("fcontext /opt/a/bin(/.*)? a", None, BIN_TEXT)],
    ),
    "what policy says": (
        rules(BIN),
        Seen(policy_fcontexts={("/opt/a/bin(/.*)?", "a"): "system_u:object_r:usr_t:s0"}),
        [("fcontext /opt/a/bin(/.*)? a", "system_u:object_r:usr_t:s0 (policy)", BIN_TEXT)],
    ),
    "no rule": (Wanted(fcontexts={("/opt/a/data", "d"): None}), Seen(fcontexts=(DATA,)), [("fcontext /opt/a/data d", "system_u:object_r:data_t:s0", None)]),
    "no rule where there is none": (Wanted(fcontexts={("/opt/a/data", "d"): None}), Seen(), []),
    "none has no user": (rules(Fcontext("/x", "a", NONE)), Seen(fcontexts=(Fcontext("/x", "a", NONE, "", ""),)), []),
    "a policy without levels": (rules(BIN), Seen(mls=False, fcontexts=(BIN._replace(selevel=""),)), []),
    "below an equivalence": (
        rules(Fcontext("/run/a(/.*)?", "a", "run_t")),
        Seen(dist_subs="/run /var/run\n"),
        [("fcontext /var/run/a(/.*)? a", None, "system_u:object_r:run_t:s0")],
    ),
    "below an equivalence of the same call": (
        Wanted(fcontexts={("/srv/a/x", "a"): Fcontext("/srv/a/x", "a", "x_t")}, equivalences={"/srv/a": "/opt/a"}),
        Seen(),
        [("equivalence /srv/a", None, "/opt/a"), ("fcontext /opt/a/x a", None, "system_u:object_r:x_t:s0")],
    ),
    "removed as it was written before the equivalence": (
        Wanted(fcontexts={("/run/a", "a"): None}),
        Seen(dist_subs="/run /var/run\n", fcontexts=(Fcontext("/run/a", "a", "a_t"),)),
        [("fcontext /run/a a", "system_u:object_r:a_t:s0", None)],
    ),
    "the general comes before the special": (
        rules(Fcontext("/opt/a/b(/.*)?", "a", "b_t"), Fcontext("/opt(/.*)?", "a", "o_t"), Fcontext("/opt/a(/.*)?", "a", "a_t")),
        Seen(),
        [
            ("fcontext /opt(/.*)? a", None, "system_u:object_r:o_t:s0"),
            ("fcontext /opt/a(/.*)? a", None, "system_u:object_r:a_t:s0"),
            ("fcontext /opt/a/b(/.*)? a", None, "system_u:object_r:b_t:s0"),
        ],
    ),
    "purge within a prefix": (
        Wanted(fcontexts={("/opt/a/bin(/.*)?", "a"): BIN}, purge={"fcontexts": Scope("/opt/a")}),
        Seen(fcontexts=(BIN, DATA, Fcontext("/opt/a.*", "a", "x_t"), Fcontext("/opt/ab", "a", "x_t"), Fcontext("/opt/a(/.*)?", "a", "y_t"))),
        [("fcontext /opt/a/data d", "system_u:object_r:data_t:s0", None), ("fcontext /opt/a(/.*)? a", "system_u:object_r:y_t:s0", None)],
    ),
    "purge by type and prefix": (
        Wanted(purge={"fcontexts": Scope("/opt", "data_t")}),
        Seen(fcontexts=(BIN, DATA, DATA._replace(target="/srv/x"))),
        [("fcontext /opt/a/data d", "system_u:object_r:data_t:s0", None)],
    ),
    "purge below an equivalence": (
        Wanted(purge={"fcontexts": Scope("/run/a")}),
        Seen(dist_subs="/run /var/run\n", fcontexts=(Fcontext("/var/run/a/x", "a", "x_t"),)),
        [("fcontext /var/run/a/x a", "system_u:object_r:x_t:s0", None)],
    ),
    "an equivalence": (Wanted(equivalences={"/a": "/b"}), Seen(), [("equivalence /a", None, "/b")]),
    "an equivalence that is there": (Wanted(equivalences={"/a": "/b"}), Seen(subs="/a /b\n"), []),
    "another source": (Wanted(equivalences={"/a": "/c"}), Seen(subs="/a /b\n"), [("equivalence /a", "/b", "/c")]),
    "no equivalence": (Wanted(equivalences={"/a": None, "/n": None}), Seen(subs="/a /b\n"), [("equivalence /a", "/b", None)]),
    "purge of equivalences": (
        Wanted(equivalences={"/a/x": "/b"}, purge={"equivalences": Scope("/a")}),
        Seen(subs="/a/x /b\n/a/y /b\n/ab /b\n"),
        [("equivalence /a/y", "/b", None)],
    ),
    "a port that policy knows": (ports(HTTP), Seen(policy_ports=POLICY), [("port tcp 8080", "http_cache_port_t:s0 (policy)", "http_port_t:s0")]),
    "a port in a range that policy knows": (
        ports(HTTP._replace(low=12345, high=12345)),
        Seen(policy_ports=POLICY),
        [("port tcp 12345", "unreserved_port_t:s0 (policy)", "http_port_t:s0")],
    ),
    "a range across what policy knows": (
        ports(HTTP._replace(low=1000, high=1030)),
        Seen(policy_ports=POLICY),
        [("port tcp 1000-1030", "1024-65535 unreserved_port_t:s0 (policy)", "http_port_t:s0")],
    ),
    "a port that is there": (ports(HTTP), Seen(ports=(HTTP,)), []),
    "another type of port": (ports(HTTP), Seen(ports=(HTTP._replace(setype="x_t"),)), [("port tcp 8080", "x_t:s0", "http_port_t:s0")]),
    "no port": (Wanted(ports={("tcp", 8080, 8080): None}), Seen(ports=(HTTP,)), [("port tcp 8080", "http_port_t:s0", None)]),
    "one range for another": (
        Wanted(ports={("tcp", 8080, 8080): None, ("tcp", 8080, 8090): HTTP._replace(high=8090)}),
        Seen(ports=(HTTP,)),
        [("port tcp 8080", "http_port_t:s0", None), ("port tcp 8080-8090", None, "http_port_t:s0")],
    ),
    "purge of ports": (
        Wanted(ports={HTTP[:3]: HTTP}, purge={"ports": Scope(setype="http_port_t")}),
        Seen(ports=(HTTP, HTTP._replace(low=9, high=9), Port("tcp", 7, 7, "x_t"))),
        [("port tcp 9", "http_port_t:s0", None)],
    ),
    "a boolean": (
        Wanted(booleans={"b": Boolean("b", True)}),
        Seen(running=True, active={"b": False}),
        [("boolean b", None, "on"), ("boolean b now", "off", "on")],
    ),
    "a boolean that is so now": (Wanted(booleans={"b": Boolean("b", True)}), Seen(running=True, active={"b": True}), [("boolean b", None, "on")]),
    "a boolean that is kept but not so now": (
        Wanted(booleans={"b": Boolean("b", True)}),
        Seen(running=True, active={"b": False}, booleans={"b": True}),
        [("boolean b now", "off", "on")],
    ),
    "a boolean for now": (
        Wanted(booleans={"b": Boolean("b", False, False)}),
        Seen(running=True, active={"b": True}, booleans={"b": True}),
        [("boolean b now", "on", "off")],
    ),
    "a boolean without a running policy": (
        Wanted(booleans={"b": Boolean("b", True), "now": Boolean("now", True, False)}),
        Seen(policy_booleans=frozenset(["b", "now"])),
        [("boolean b", None, "on")],
    ),
    "a boolean of a module of the same call": (
        Wanted(booleans={"b": Boolean("b", True)}, modules={("app", 400): ModuleWish("present", "(boolean b false)")}),
        Seen(running=True, modules=HAVE),
        [("boolean b", None, "on"), ("module app at 400", "(type app_t)", "(boolean b false)")],
    ),
    "purge of booleans": (
        Wanted(booleans={"go_a": Boolean("go_a", True)}, purge={"booleans": Scope("go_")}),
        Seen(booleans={"go_a": True, "go_b": False, "other": True}),
        [("boolean go_b", "off", None)],
    ),
    "a module": (Wanted(modules=MODULE), Seen(modules={("base", 100): Installed()}), [("module app at 400", None, "(type app_t)")]),
    "a module that is there": (Wanted(modules=MODULE), Seen(modules=HAVE), []),
    "another text": (
        Wanted(modules=MODULE),
        Seen(modules={("app", 400): Installed(True, "(old)")}),
        [("module app at 400", "(old)", "(type app_t)")],
    ),
    "a disabled module": (
        Wanted(modules=MODULE),
        Seen(modules={("app", 400): Installed(False, "(type app_t)")}),
        [("module app", "disabled", "enabled")],
    ),
    "disable": (Wanted(modules={("base", 400): ModuleWish("disabled")}), Seen(modules=HAVE), [("module base", "enabled", "disabled")]),
    "no module": (Wanted(modules={("app", 400): ModuleWish("absent")}), Seen(modules=HAVE), [("module app at 400", "(type app_t)", None)]),
    "no module where there is none": (Wanted(modules={("x", 400): ModuleWish("absent")}), Seen(modules=HAVE), []),
    "purge of modules": (
        Wanted(modules=MODULE, purge={"modules": Scope("a")}),
        Seen(modules={**HAVE, ("a", 100): Installed(), ("ab", 400): Installed(True, "(x)"), ("permissive_a_t", 400): Installed()}),
        [("module ab at 400", "(x)", None)],
    ),
    "permissive": (Wanted(permissive={"a_t": True}), Seen(modules=HAVE), [("permissive a_t", None, "permissive")]),
    "permissive already": (Wanted(permissive={"a_t": True}), Seen(modules={("permissive_a_t", 400): Installed()}), []),
    "permissive but disabled": (
        Wanted(permissive={"a_t": True}),
        Seen(modules={("permissive_a_t", 400): Installed(False)}),
        [("permissive a_t", "disabled", "enabled")],
    ),
    "not permissive": (
        Wanted(permissive={"a_t": False, "b_t": False}),
        Seen(modules={("permissive_a_t", 400): Installed()}),
        [("permissive a_t", "permissive", None)],
    ),
    "purge of permissive domains": (
        Wanted(permissive={"go_a_t": True}, purge={"permissive": Scope("go_")}),
        Seen(modules={("permissive_go_a_t", 400): Installed(), ("permissive_go_b_t", 400): Installed(), ("permissive_x_t", 400): Installed()}),
        [("permissive go_b_t", "permissive", None)],
    ),
    "not installed": (Wanted(), Seen(unfinished=NOT_INSTALLED), [("policy store", NOT_INSTALLED, "finished")]),
}


def after(seen: Seen, decision: Decision) -> Seen:
    """What is seen after the decision was carried out, without a store."""
    now = {record[:3]: record for record in seen.ports}
    booleans, active, modules = dict(seen.booleans), dict(seen.active), dict(seen.modules)
    for edit in decision.edits:
        record = edit.record
        if isinstance(record, Port):
            now.pop(record[:3], None)
            now.update({record[:3]: record} if edit.after is not None else {})
        elif isinstance(record, Boolean):
            kept = booleans if record.persistent else active
            kept.pop(record.name, None)
            kept.update({record.name: record.state} if edit.after is not None else {})
        elif isinstance(record, ModuleState):
            modules = {key: found._replace(enabled=record.enabled) if key[0] == record.name else found for key, found in modules.items()}
        elif isinstance(record, PolicyModule):
            modules.pop((record.name, record.priority), None)
            modules.update({(record.name, record.priority): Installed(True, record.cil)} if edit.after is not None else {})
    return seen._replace(
        fcontexts=decision.fcontexts, subs=decision.subs, ports=tuple(now.values()), booleans=booleans, active=active, modules=modules, unfinished=""
    )


@pytest.mark.parametrize("name", TABLE)
def test_plan(name: str) -> None:
    wanted, seen, expected = TABLE[name]
    decision = plan(wanted, seen)
    assert steps(decision) == expected
    assert plan(wanted, after(seen, decision)).plan.steps == ()


ERRORS: Dict[str, Tuple[Wanted, Seen, str]] = {
    "overlapping ports": (ports(HTTP._replace(high=8090)), Seen(ports=(HTTP,)), "tcp 8080 .* and 8080-8090"),
    "overlapping wishes": (ports(HTTP._replace(low=1, high=10), HTTP._replace(low=10, high=20)), Seen(), "overlap"),
    "an equivalence over another": (Wanted(equivalences={"/a": "/b"}), Seen(subs="/a/x /c\n"), "/a: /a/x"),
    "an equivalence over the distribution's": (Wanted(equivalences={"/usr": "/b"}), Seen(dist_subs="/usr/lib64 /usr/lib\n"), "hide"),
    "an unknown boolean for now": (Wanted(booleans={"b": Boolean("b", True, False)}), Seen(running=True), "no such boolean"),
    "an unknown boolean": (Wanted(booleans={"b": Boolean("b", True)}), Seen(policy_booleans=frozenset(["c"])), "no such boolean"),
    "disabling what is not there": (Wanted(modules={("x", 400): ModuleWish("disabled")}), Seen(modules=HAVE), "no such module"),
    "two wishes that are one rule": (
        rules(Fcontext("/run/a", "a", "x_t"), Fcontext("/var/run/a", "a", "y_t")),
        Seen(dist_subs="/run /var/run\n"),
        "two wishes",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_refused(name: str) -> None:
    wanted, seen, message = ERRORS[name]
    with pytest.raises(GoHostError, match=message):
        plan(wanted, seen)


def test_ports_of_two_protocols_do_not_overlap() -> None:
    assert len(plan(ports(HTTP, HTTP._replace(proto="udp")), Seen()).edits) == 2


WARNINGS: Dict[str, Tuple[Wanted, Seen, Sequence[str]]] = {
    "a rule of the policy": (
        Wanted(fcontexts={("/usr/bin/.*", "f"): None}),
        Seen(policy_fcontexts={("/usr/bin/.*", "f"): BIN_TEXT}),
        ["/usr/bin/.* is a rule of the distribution's policy"],
    ),
    "a port of the policy": (Wanted(ports={("tcp", 8080, 8080): None}), Seen(policy_ports=POLICY), ["port tcp 8080 is of the distribution's policy"]),
    "a port within the policy's range": (Wanted(ports={("tcp", 5000, 5000): None}), Seen(policy_ports=POLICY), []),
    "below an equivalence": (rules(Fcontext("/run/a", "a", "x_t")), Seen(dist_subs="/run /var/run\n"), ["/run/a is written as /var/run/a"]),
    "below an equivalence, already there": (
        rules(Fcontext("/run/a", "a", "x_t")),
        Seen(dist_subs="/run /var/run\n", fcontexts=(Fcontext("/var/run/a", "a", "x_t"),)),
        [],
    ),
    "a module below another": (Wanted(modules={("app", 300): ModuleWish("present", "(x)")}), Seen(modules=HAVE), ["module app has no effect at priority 300"]),
    "permissive by the distribution": (
        Wanted(permissive={"a_t": False}),
        Seen(modules={("permissive_a_t", 100): Installed()}),
        ["a_t stays permissive"],
    ),
    "what is wished is shadowed": (
        rules(BIN),
        Seen(fcontexts=(BIN, Fcontext("/opt(/.*)?", "a", "usr_t"))),
        ["/opt/a/bin(/.*)? has no effect: /opt(/.*)?"],
    ),
    "what is wished shadows": (rules(Fcontext("/opt(/.*)?", "a", "usr_t")), Seen(fcontexts=(BIN,)), ["/opt/a/bin(/.*)? has no effect: /opt(/.*)?"]),
    "a shadow that nobody asked about": (rules(DATA), Seen(fcontexts=(DATA, BIN, Fcontext("/opt(/.*)?", "a", "usr_t"))), []),
    "a plain path is never shadowed": (rules(DATA), Seen(fcontexts=(DATA, Fcontext("/opt(/.*)?", "a", "usr_t"))), []),
    "no shadow by another kind of file": (rules(BIN), Seen(fcontexts=(BIN, Fcontext("/opt(/.*)?", "d", "usr_t"))), []),
    "no shadow by the same context": (rules(BIN), Seen(fcontexts=(BIN, Fcontext("/opt(/.*)?", "a", "bin_t"))), []),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_warnings(name: str) -> None:
    wanted, seen, expected = WARNINGS[name]
    found = plan(wanted, seen).warnings
    assert len(found) == len(expected)
    assert all(warning.startswith(start) for warning, start in zip(found, expected))


def test_what_is_returned_of_a_rule() -> None:
    seen = Seen(dist_subs="/run /var/run\n", fcontexts=(Fcontext("/var/run/a/x(/.*)?", "a", "x_t"), Fcontext("/var/run/a(/.*)?", "a", "a_t")))
    (rule,) = plan(rules(Fcontext("/run/a/x(/.*)?", "a", "x_t")), seen).written
    assert rule == ("/run/a/x(/.*)?", "a", "/var/run/a/x(/.*)?", "/var/run/a(/.*)?")


def test_what_a_commit_is_for() -> None:
    wanted = Wanted(
        fcontexts={("/opt/a/data", "d"): DATA},
        equivalences={"/a": "/b"},
        booleans={"b": Boolean("b", True), "now": Boolean("now", True, False)},
        modules={("app", 400): ModuleWish("disabled")},
    )
    decision = plan(wanted, Seen(running=True, active={"b": False, "now": False}, modules=HAVE))
    assert [edit.record for edit in decision.committed] == [DATA, Boolean("b", True), ModuleState("app", False)]
    assert decision.activated == {"b": True, "now": True}
    assert decision.subs == "/a /b\n"


@pytest.mark.parametrize(
    ("wanted", "unfinished", "needed"),
    [
        (Wanted(equivalences={"/a": "/b"}), "", False),
        (Wanted(booleans={"now": Boolean("now", True, False)}), "", False),
        (Wanted(), NOT_INSTALLED, True),
        (Wanted(), NOT_LOADED, False),
        (Wanted(), LOST, False),
        (rules(DATA), NOT_LOADED, True),
    ],
)
def test_nothing_else_needs_a_commit(wanted: Wanted, unfinished: str, needed: bool) -> None:
    assert plan(wanted, Seen(running=True, active={"now": False}, unfinished=unfinished)).needs_commit is needed


def test_labels_of_modules_that_come_and_go() -> None:
    wanted = Wanted(modules={("app", 400): ModuleWish("present", "(new)"), ("gone", 400): ModuleWish("absent")})
    decision = plan(wanted, Seen(modules={("app", 400): Installed(True, "(old)"), ("gone", 400): Installed(True, "(gone)")}))
    assert module_rules(decision.edits) == (["(new)"], ["(old)", "(gone)"])


def test_permissive_as_semanage_does_it() -> None:
    assert permissive_module("httpd_t") == PolicyModule("permissive_httpd_t", 400, "(typepermissive httpd_t)")


def test_order_of_local_rules_is_kept() -> None:
    seen = Seen(fcontexts=(DATA, BIN, Fcontext("/z", "a", "z_t")))
    wanted = Wanted(fcontexts={("/opt/a/bin(/.*)?", "a"): BIN._replace(setype="x_t"), ("/z", "a"): None, ("/n", "a"): Fcontext("/n", "a", "n_t")})
    assert [record.target for record in plan(wanted, seen).fcontexts] == ["/opt/a/data", "/opt/a/bin(/.*)?", "/n"]


def test_a_file_of_equivalences_that_nobody_changes_is_kept() -> None:
    assert plan(rules(BIN), Seen(subs="/a /b\n# no line's end")).subs == "/a /b\n# no line's end"


def test_equivalence_records() -> None:
    decision = plan(Wanted(equivalences={"/a": None}), Seen(subs="/a /b\n"))
    found: Optional[object] = decision.edits[0].before
    assert found == Equivalence("/a", "/b")
