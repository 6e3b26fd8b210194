# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of selinux_go_context: their specification, and the wish in a call's parameters."""

import posixpath
import re
from typing import Any, Callable, Dict, List, Mapping, Optional

from ..errors import GoHostError
from .model import FTYPES, PERMISSIVE, Boolean, Fcontext, ModuleWish, Port, Restore, Scope, Wanted

_PROTO = dict(type="str", choices=["tcp", "udp", "sctp", "dccp"])
_STATE = dict(type="str", choices=["present", "absent"], default="present")
# What libsemanage takes for a module's name (libsemanage/src/modules.c), and CIL for any identifier.
_MODULE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*\Z", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z", re.ASCII)
_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?\Z", re.ASCII)
_POLICY_PACKAGE = 0xF97CFF8F  # the first word of a .pp (libsepol/include/sepol/policydb/module.h)

ARGUMENT_SPEC: Dict[str, Any] = dict(
    fcontexts=dict(
        type="list",
        elements="dict",
        default=[],
        options=dict(
            target=dict(type="str", required=True),
            setype=dict(type="str"),
            ftype=dict(type="str", choices=sorted(FTYPES), default="a"),
            seuser=dict(type="str", default="system_u"),
            selevel=dict(type="str", default="s0"),
            state=_STATE,
        ),
    ),
    equivalences=dict(
        type="list",
        elements="dict",
        default=[],
        options=dict(path=dict(type="str", required=True), source=dict(type="str"), state=_STATE),
    ),
    ports=dict(
        type="list",
        elements="dict",
        default=[],
        options=dict(
            proto=dict(_PROTO, required=True),
            port=dict(type="str", required=True),
            setype=dict(type="str"),
            selevel=dict(type="str", default="s0"),
            state=_STATE,
        ),
    ),
    booleans=dict(
        type="list",
        elements="dict",
        default=[],
        options=dict(name=dict(type="str", required=True), state=dict(type="bool", required=True), persistent=dict(type="bool", default=True)),
    ),
    modules=dict(
        type="list",
        elements="dict",
        default=[],
        options=dict(
            name=dict(type="str", required=True),
            cil=dict(type="str"),
            path=dict(type="path"),
            priority=dict(type="int", default=400),
            state=dict(type="str", choices=["present", "absent", "disabled"], default="present"),
        ),
        mutually_exclusive=[("cil", "path")],
    ),
    permissive=dict(type="list", elements="dict", default=[], options=dict(domain=dict(type="str", required=True), state=_STATE)),
    restore=dict(
        type="dict",
        options=dict(
            paths=dict(type="list", elements="path", default=[]),
            changed=dict(type="bool", default=False),
            force=dict(type="bool", default=False),
        ),
    ),
    purge=dict(
        type="dict",
        options=dict(
            fcontexts=dict(type="dict", options=dict(prefix=dict(type="str"), setype=dict(type="str")), required_one_of=[("prefix", "setype")]),
            equivalences=dict(type="dict", options=dict(prefix=dict(type="str", required=True))),
            ports=dict(
                type="dict",
                options=dict(setype=dict(type="str"), proto=_PROTO),
                required_one_of=[("setype", "proto")],
            ),
            booleans=dict(type="dict", options=dict(prefix=dict(type="str", required=True))),
            modules=dict(type="dict", options=dict(prefix=dict(type="str", required=True))),
            permissive=dict(type="dict", options=dict(prefix=dict(type="str", required=True))),
        ),
    ),
    store=dict(type="str"),
    root=dict(type="path", default="/"),
    reload=dict(type="bool", default=True),
    lock_timeout=dict(type="float", default=300),
)


def wanted(options: Dict[str, Any], read: Callable[[str], bytes], booleans: Mapping[str, str]) -> Wanted:
    """The wish in a call's parameters. read: gives the content of a module's file on the host; booleans: old names → those of the policy."""
    restore = options["restore"] or {}
    return Wanted(
        fcontexts=_once("fcontexts", [((entry["target"], entry["ftype"]), _fcontext(entry)) for entry in options["fcontexts"]]),
        equivalences=_once("equivalences", [(_directory(entry["path"]), _source(entry)) for entry in options["equivalences"]]),
        ports=_once("ports", [(port[:3], port if entry["state"] == "present" else None) for entry, port in ((one, _port(one)) for one in options["ports"])]),
        booleans=_once("booleans", [(boolean.name, boolean) for boolean in (_boolean(entry, booleans) for entry in options["booleans"])]),
        modules=_once("modules", [((_module_name(entry), entry["priority"]), _module(entry, read)) for entry in options["modules"]]),
        permissive=_once("permissive", [(_name("domain", entry["domain"]), entry["state"] == "present") for entry in options["permissive"]]),
        purge={kind: _scope(kind, scope) for kind, scope in (options["purge"] or {}).items() if scope is not None},
        restore=Restore(tuple(_absolute("restore", path) for path in restore.get("paths", ())), restore.get("changed", False), restore.get("force", False)),
        reload=options["reload"],
    )


def root_of(options: Dict[str, Any]) -> str:
    return _absolute("root", options["root"])


def _once(kind: str, wishes: List[Any]) -> Dict[Any, Any]:
    found: Dict[Any, Any] = {}
    for key, wish in wishes:
        if key in found and found[key] != wish:
            raise GoHostError(f"{kind} has two wishes for one thing", key if isinstance(key, str) else " ".join(map(str, key)), "Keep one of them.")
        found[key] = wish
    return found


def _absolute(option: str, path: str) -> str:
    if not path.startswith("/"):
        raise GoHostError(f"{option} is not an absolute path", path, "Start it with a slash.")
    return "/" + posixpath.normpath(path).lstrip("/")


def _name(option: str, text: str) -> str:
    if not _NAME.match(text):
        raise GoHostError(f"{option} is not a name that a policy can have", text)
    return text


def _type(entry: Mapping[str, Any], what: str) -> str:
    setype: Optional[str] = entry["setype"]
    if entry["state"] == "present" and not setype:
        raise GoHostError(f"setype is missing for {what}", entry[what], "Name the type, or set state: absent.")
    return setype or ""


def _fcontext(entry: Mapping[str, Any]) -> Optional[Fcontext]:
    target = entry["target"]
    if not target.startswith("/") or any(character.isspace() for character in target):
        raise GoHostError("target is not a path or expression that a rule can have", repr(target), "It starts with a slash; for white space write a dot.")
    if len(target) > 1 and target.endswith("/"):
        raise GoHostError("target ends with a slash, so that it matches nothing", target, f"Write {target.rstrip('/')} or {target.rstrip('/')}(/.*)?")
    setype = _type(entry, "target")
    return None if entry["state"] == "absent" else Fcontext(target, entry["ftype"], setype, entry["seuser"], entry["selevel"])


def _directory(path: str) -> str:
    """A side of an equivalence: absolute, without white space and without a slash at its end."""
    if any(character.isspace() for character in path):
        raise GoHostError("a path of an equivalence holds white space", repr(path), "The file of equivalences has no way to write it.")
    return _absolute("a path of an equivalence", path)


def _source(entry: Mapping[str, Any]) -> Optional[str]:
    if entry["state"] == "absent":
        return None
    if not entry["source"]:
        raise GoHostError("source is missing for an equivalence", entry["path"], "Name the tree whose rules it takes, or set state: absent.")
    source = _directory(entry["source"])
    if source == _directory(entry["path"]):
        raise GoHostError("path and source of an equivalence are the same", source)
    return source


def _port(entry: Mapping[str, Any]) -> Port:
    found = _PORT.match(entry["port"].strip())
    low, high = (int(found.group(1)), int(found.group(2) or found.group(1))) if found else (0, 0)
    if not 1 <= low <= high <= 65535:
        raise GoHostError("not a port or a range of ports", entry["port"], "Write it as 8080 or 10000-10010.")
    return Port(entry["proto"], low, high, _type(entry, "port"), entry["selevel"])


def _boolean(entry: Mapping[str, Any], names: Mapping[str, str]) -> Boolean:
    name = _name("a boolean's name", entry["name"])
    return Boolean(names.get(name, name), entry["state"], entry["persistent"])


def _module_name(entry: Mapping[str, Any]) -> str:
    name: str = entry["name"]
    if not _MODULE.match(name):
        raise GoHostError("not a name that a module can have", name, "It starts with a letter; letters, digits, and _ . - may follow.")
    if name.startswith(PERMISSIVE):
        raise GoHostError("modules of this name make domains permissive", name, "Use the option permissive.")
    if not 1 <= entry["priority"] <= 999:
        raise GoHostError(f"priority of module {name} is not between 1 and 999", entry["priority"])
    return name


def _module(entry: Mapping[str, Any], read: Callable[[str], bytes]) -> ModuleWish:
    if entry["state"] != "present":
        return ModuleWish(entry["state"])
    if entry["cil"] is None and entry["path"] is None:
        raise GoHostError("neither cil nor path is given for a module", entry["name"], "Give its CIL, or set state: absent.")
    if entry["cil"] is not None:
        data = entry["cil"].encode()
    else:
        data = read(entry["path"])
        if int.from_bytes(data[:4], "little") == _POLICY_PACKAGE:
            raise GoHostError("not CIL but a compiled policy package", entry["path"], "Convert it: /usr/libexec/selinux/hll/pp FILE.pp FILE.cil")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text or not text.strip():
        raise GoHostError("not the text of a module in CIL", entry["path"] or entry["name"])
    return ModuleWish("present", text)


def _scope(kind: str, scope: Mapping[str, Any]) -> Scope:
    prefix = scope.get("prefix") or ""
    if kind in ("fcontexts", "equivalences") and prefix:
        prefix = _absolute(f"purge.{kind}.prefix", prefix)
    return Scope(prefix, scope.get("setype") or "", scope.get("proto") or "")
