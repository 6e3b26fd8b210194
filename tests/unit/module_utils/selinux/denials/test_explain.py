# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Denials as sentences."""

from typing import Any, List

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.selinux.denials.explain import explain
from ansible_collections.gohost.linux.plugins.module_utils.selinux.denials.model import Denial

GOAPP, INIT = "system_u:system_r:goapp_t:s0", "system_u:system_r:init_t:s0"
PROGRAM = dict(command="goapp", executable="/opt/goapp/bin/goapp", source=GOAPP)


def obj(setype: str) -> str:
    return f"system_u:object_r:{setype}:s0"


SENTENCES: List[Any] = [
    (
        dict(PROGRAM, kind="avc", tclass="tcp_socket", permissions=("name_bind",), port=8081, protocol="tcp", target=obj("transproxy_port_t")),
        "/opt/goapp/bin/goapp (goapp_t) was denied name_bind on tcp port 8081, which is transproxy_port_t.",
    ),
    (
        dict(PROGRAM, kind="avc", tclass="file", permissions=("open", "read"), path="/srv/a b", target=obj("var_t"), permissive=True),
        "/opt/goapp/bin/goapp (goapp_t) would be denied open and read on the file /srv/a b, which is labelled var_t.",
    ),
    (
        dict(kind="avc", source=GOAPP, command="goapp", tclass="dir", permissions=("write",), name="data", inode=77, target=obj("var_t")),
        "goapp (goapp_t) was denied write on the directory data (inode 77), which is labelled var_t.",
    ),
    (
        dict(PROGRAM, kind="avc", tclass="file", permissions=("read",), path="/srv/a\nb\udcff", target=obj("var_t")),
        r"/opt/goapp/bin/goapp (goapp_t) was denied read on the file /srv/a\x0ab\xff, which is labelled var_t.",
    ),
    (
        dict(
            kind="avc",
            source=INIT,
            command="(goapp)",
            executable="/usr/lib/systemd/systemd",
            tclass="file",
            permissions=("execute",),
            path="/srv/x",
            target=obj("var_t"),
        ),
        "systemd, about to start goapp (init_t) was denied execute on the file /srv/x, which is labelled var_t.",
    ),
    (
        dict(PROGRAM, kind="avc", tclass="capability", permissions=("dac_override", "dac_read_search"), target=GOAPP),
        "/opt/goapp/bin/goapp (goapp_t) was denied the use of capability CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH.",
    ),
    (
        dict(PROGRAM, kind="avc", tclass="process", permissions=("getsched",), target=GOAPP),
        "/opt/goapp/bin/goapp (goapp_t) was denied getsched on its own process.",
    ),
    (
        dict(PROGRAM, kind="avc", tclass="fifo_file", permissions=("read",), inode=1768, target=GOAPP),
        "/opt/goapp/bin/goapp (goapp_t) was denied read on its own fifo_file.",
    ),
    (
        dict(kind="user_avc", source=GOAPP, tclass="dbus", permissions=("send_msg",), target="u:r:systemd_logind_t:s0", detail="Inhibit"),
        "a program (goapp_t) was denied send_msg on dbus of systemd_logind_t by Inhibit.",
    ),
    (
        dict(PROGRAM, kind="avc", tclass="file", permissions=("read",), path="/etc/x", target=obj("etc_t"), granted=True),
        "/opt/goapp/bin/goapp (goapp_t) was allowed, and logged, read on the file /etc/x, which is labelled etc_t.",
    ),
    (
        dict(kind="selinux_err", command="(goapp)", source=INIT, target=GOAPP, operation="security_bounded_transition"),
        "systemd, about to start goapp (init_t): under NoNewPrivileges init_t cannot become goapp_t.",
    ),
    (
        dict(kind="selinux_err", source=INIT, detail="u:staff_r:goapp_t:s0", operation="security_compute_sid"),
        "a program (init_t): a new process or file would have had the context u:staff_r:goapp_t:s0, which the policy does not know.",
    ),
    (
        dict(kind="selinux_err", source=GOAPP, detail="{x}", operation="setxattr"),
        "a program (goapp_t): the operation setxattr on {x} met a context that the policy does not know.",
    ),
    (
        dict(PROGRAM, kind="seccomp", syscall="mount", detail="signal 31"),
        "/opt/goapp/bin/goapp (goapp_t) made the system call mount, which its seccomp filter forbids (signal 31).",
    ),
    (
        dict(PROGRAM, kind="seccomp", syscall="165", permissive=True),
        "/opt/goapp/bin/goapp (goapp_t) made the system call 165, which its seccomp filter only logs.",
    ),
    (
        dict(PROGRAM, kind="hidden", syscall="openat", path="/etc/x"),
        "/opt/goapp/bin/goapp (goapp_t) got EACCES from the system call openat on /etc/x, and SELinux logged no denial.",
    ),
]


@pytest.mark.parametrize(("given", "sentence"), SENTENCES)
def test_one_sentence(given: Any, sentence: str) -> None:
    assert explain(Denial(**dict(dict(time=1.0), **given))) == sentence
