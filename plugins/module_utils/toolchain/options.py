# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of go_toolchain, for its door on the host and its door on the controller. Pure."""

import posixpath
from typing import Any, Dict

from ..errors import GoHostError
from .model import ARCHES, Wanted

ARGUMENT_SPEC: Dict[str, Any] = dict(
    versions=dict(type="list", elements="str", default=[]),
    default=dict(type="str"),
    state=dict(type="str", choices=["present", "absent"], default="present"),
    exclusive=dict(type="bool", default=False),
    keep=dict(type="list", elements="str", default=[]),
    root=dict(type="path", default="/opt/go"),
    links=dict(type="path", default="/usr/local/bin"),
    links_force=dict(type="bool", default=False),
    compat_link=dict(type="path"),
    arch=dict(type="str", choices=list(ARCHES)),
    sources=dict(
        type="list",
        elements="dict",
        options=dict(
            type=dict(type="str", choices=["official", "mirror", "file", "goproxy"], required=True),
            url=dict(type="str"),
            path=dict(type="path"),
            username=dict(type="str"),
            password=dict(type="str", no_log=True),
        ),
    ),
    fetch_on=dict(type="str", choices=["target", "controller"], default="target"),
    checksums=dict(type="dict", default={}),
    check_latest=dict(type="bool", default=False),
    allow_eol=dict(type="bool", default=False),
    verify=dict(type="str", choices=["quick", "full"], default="quick"),
    repair=dict(type="bool", default=False),
    rollback_from=dict(type="str"),
    ca_path=dict(type="path"),
    timeout=dict(type="float", default=30),
    retries=dict(type="int", default=4),
    lock_timeout=dict(type="float", default=300),
    resolved=dict(type="dict"),
    passwords=dict(type="list", elements="str", default=[], no_log=True),
)
RULES: Dict[str, Any] = dict(mutually_exclusive=[("default", "rollback_from")])


def wanted(options: Dict[str, Any]) -> Wanted:
    """The wish in a call's parameters, paths in their plain form."""
    resolved = options["resolved"] or {}
    if not resolved:
        raise GoHostError("this module needs the action plugin of the same name", "go_toolchain", "Call it by gohost.linux.go_toolchain from a playbook.")
    for name in ("root", "links", "compat_link"):
        if options[name] and not options[name].startswith("/"):
            raise GoHostError(f"{name} is not an absolute path", options[name], "Start it with a slash.")
    root = posixpath.normpath(options["root"])
    if root.count("/") < 2:
        raise GoHostError("root is not a directory of its own", root, "Name one below the top level, such as /opt/go.")
    return Wanted(
        root=root,
        versions=tuple(resolved["versions"]),
        default=resolved["default"],
        absent=options["state"] == "absent",
        exclusive=options["exclusive"],
        keep=tuple(options["keep"]),
        links=posixpath.normpath(options["links"]) if options["links"] else "",
        links_force=options["links_force"],
        compat_link=posixpath.normpath(options["compat_link"]) if options["compat_link"] else "",
        arch=options["arch"] or "",
        verify=options["verify"],
        repair=options["repair"],
        rollback_from=options["rollback_from"] or "",
    )
