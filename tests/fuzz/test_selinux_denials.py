# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make fuzz`: whatever stands in a log is read without an error, is told in one line, and gets no cure that says more than what was denied.

FUZZ_EXAMPLES says how many inputs each reader gets.
"""

import json
import os
import re
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.selinux.denials import observe, parse
from ansible_collections.gohost.linux.plugins.module_utils.selinux.denials.explain import explain
from ansible_collections.gohost.linux.plugins.module_utils.selinux.denials.model import Denial, grouped
from ansible_collections.gohost.linux.plugins.module_utils.selinux.denials.propose import dropin_path, propose
from ansible_collections.gohost.linux.plugins.module_utils.selinux.denials.security_server import Why
from tests.fakes.host import RealHost
from tests.fakes.security_server import FakeSecurityServer

fuzzed = settings(max_examples=int(os.environ.get("FUZZ_EXAMPLES", "5000")), deadline=None, suppress_health_check=list(HealthCheck))
GOAPP = "system_u:system_r:goapp_t:s0"
types = st.sampled_from(["AVC", "USER_AVC", "SELINUX_ERR", "SECCOMP", "SYSCALL", "PATH", "CWD", "PROCTITLE", "1400", "UNKNOWN[1401]", "USER_SELINUX_ERR", "X"])
ids = st.sampled_from(["audit(1763737200.123:100): ", "audit(1763737200.123:101): ", "audit(1763737200.5:100):", "audit(x:1): ", "audit(999999999999.999:1): "])
contexts = st.sampled_from([GOAPP, "system_u:object_r:var_t:s0", "u:r:shadow_t", "a:b", "", ":::::", "u:r:x)(y:s0", "system_u:system_r:init_t:s0-s0:c0.c1023"])
words = st.sampled_from(
    [
        "avc:  denied  { read } for  ",
        "avc:  granted  { write open } for  ",
        "avc: denied { name_bind } for ",
        "avc:  denied  { net_admin } for ",
        "{",
        "}",
        " msg='",
        "'",
    ]
    + ['path="/srv/goapp/x"', "path=2F612062", "path=ff", 'name="x"', "ino=7", "ino=99999999999999999999", "src=8081", "dest=-1", "src=٣", "\x1dSYSCALL=mount"]
    + ["tclass=file", "tclass=dir", "tclass=tcp_socket", "tclass=capability", "tclass=process2", "permissive=1", "success=yes", "exit=-13 ", "syscall=165"]
    + ["op=security_compute_sid", "op=security_bounded_transition", "security_compute_sid:  invalid context a:b:c_t for ", "mode=0100644", "nametype=CREATE"]
    + [
        'comm="(goapp)"',
        'exe="/opt/goapp/bin/goapp"',
        "comm=00",
        "cwd=2F00",
        'cwd="/srv"',
        "code=0x7ffc0000",
        "sig=31",
        "sig=",
        "\n",
        '"',
        "=",
        "seresult=denied",
    ]
)
fields = st.one_of(
    words,
    st.tuples(st.sampled_from(["scontext", "tcontext", "subj", "obj", "invalid_context", "oldcontext", "newcontext"]), contexts).map("=".join),
    st.text(max_size=12),
)
lines = st.tuples(st.just("type="), types, st.sampled_from([" msg=", " ", "="]), ids, st.lists(fields, max_size=14).map(" ".join)).map("".join) | st.text(
    max_size=80
)
logs = st.lists(lines, max_size=8)
RULE = re.compile(r"\(allow [\w.-]+ [\w.-]+ \([\w.-]+ \([\w.-]+( [\w.-]+)*\)\)\)\n\Z|\(roletype [\w.-]+ [\w.-]+\)\n\Z")


class Yielding(FakeSecurityServer):
    """Allows everything but what was asked for first, so that every kind of cure is reached."""

    def label(self, path: str) -> str:
        return "system_u:object_r:user_tmp_t:s0" if len(path) % 2 else ""


SERVERS = [
    FakeSecurityServer(),
    Yielding(
        {f"goapp_t {name} {kind}": "read write open name_bind" for name in ("goapp_data_t", "http_port_t") for kind in ("file", "dir", "tcp_socket")}, "var_t"
    ),
    FakeSecurityServer(whys={"goapp_t var_t file": Why("boolean", (("a", True), ("b", False))), "goapp_t var_t dir": Why("constraint")}),
]


def sound(denial: Denial) -> None:
    sentence = explain(denial)
    assert sentence.encode() and "\n" not in sentence
    for server in SERVERS:
        cure = propose(denial, server)
        json.dumps(cure._asdict()).encode()
        assert cure.why.encode() and "\n" not in cure.why
        assert cure.kind in ("fcontext", "port", "boolean", "unit", "cil", "none")
        assert cure.review or not (cure.kind == "cil" or cure.alternative or cure.dropin)
        assert not (cure.kind == "none" and (cure.arguments or cure.dropin))
        for module in [*cure.arguments.get("modules", ()), *cure.alternative.get("modules", ())]:
            assert RULE.match(module["cil"]) and "shadow_t" not in module["cil"]
            assert re.match(r"[\w.-]+\Z", module["name"])
        for record in cure.arguments.get("fcontexts", ()):
            assert record["target"].isprintable() and " " not in record["target"] and record["target"].startswith("/")
        if cure.dropin:
            assert len(cure.dropin.splitlines()) == 2 and dropin_path("a.service", cure.dropin).count("/") == 5


@fuzzed
@given(log=logs)
def test_records(log: list[str]) -> None:
    for read in (parse.record, parse.kernel_record):
        for group in grouped(parse.denials(each for each in map(read, log) if each is not None)):
            sound(group.denial)


@fuzzed
@given(log=logs, data=st.binary(max_size=300))
def test_file(log: list[str], data: bytes) -> None:
    with tempfile.NamedTemporaryFile() as made:
        Path(made.name).write_bytes("\n".join(log).encode("utf-8", "replace") + b"\n" + data)
        found, _sources = observe.read(RealHost(), "auto", made.name, 0)
        for denial in found:
            sound(denial)


@fuzzed
@given(
    entry=st.dictionaries(
        st.sampled_from(["MESSAGE", "_TRANSPORT", "_AUDIT_TYPE", "_AUDIT_ID", "_SOURCE_REALTIME_TIMESTAMP"]),
        st.none()
        | st.integers()
        | lines
        | st.sampled_from(["audit", "kernel", "1400", "100", "1763737200123000"])
        | st.lists(st.integers(-1, 300), max_size=9),
    )
)
def test_journal(entry: dict[str, object]) -> None:
    record = parse.journal_record(json.dumps(entry))
    for denial in parse.denials([record] if record else []):
        sound(denial)


@fuzzed
@given(
    text=st.text(max_size=30)
    | st.from_regex(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:?\d\d)?", fullmatch=True)
    | st.from_regex(r"\d+[smhdw]", fullmatch=True)
)
def test_since(text: str) -> None:
    try:
        assert isinstance(parse.since(text, 1763737200.0, 0.0), float)
    except GoHostError as error:
        assert "\n" not in str(error)
