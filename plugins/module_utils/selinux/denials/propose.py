# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cure of a denial, in the order in which a careful person looks: attack? label? port? boolean? unit? and only then a rule.

What is proposed is tried on the policy first: a label or port type that the domain may not use either is no cure.
"""

import hashlib
import posixpath
import re
from typing import Any, Dict, List, Optional, Sequence, Tuple

from .model import CAPABILITY_CLASSES, FILE_CLASSES, HIDDEN, SECCOMP, SELINUX_ERR, Denial, Proposal
from .parse import printable
from .security_server import SecurityServer
from .sensitive import GREAT_CAPABILITIES, WRITING, attempt

# Types that say only where a file lies, not what it is: a better one takes nothing from anybody. Those of Fedora's policy and of refpolicy.
GENERIC = re.compile(
    r"(default|unlabeled|file|root|usr|src|mnt|nfs|var|var_lib|var_log|var_run|var_cache|var_spool|home_root|user_home|user_home_dir|admin_home"
    r"|tmp|tmpfs|user_tmp)_t\Z"
)
_TEMPORARY = re.compile(r"/(tmp|var/tmp|dev/shm|run/user)(/|\Z)")
_HOME = re.compile(r"/(home/[^/]+|root)(/|\Z)")
# Where one service has a place of its own; all else belongs to packages or to everybody, and a rule of ours there would change the host for others.
_OWN_PLACE = re.compile(
    r"/(usr/local/[^/]+/[^/]+|var/(lib|log|cache|spool|www|opt)/[^/]+|run/[^/]+|home/[^/]+/[^/]+"
    r"|(?!(bin|boot|dev|etc|home|lib|lib32|lib64|libx32|lost\+found|proc|run|sbin|sys|tmp|usr|var)/)[^/]+/[^/]+)(/.*)?\Z",
    re.DOTALL,
)
_FTYPE = {"file": "f", "lnk_file": "l", "chr_file": "c", "blk_file": "b", "sock_file": "s", "fifo_file": "p"}
_STARTERS = ("init_t", "initrc_t")
_EXECUTING = frozenset(["execute", "execute_no_trans", "entrypoint"])
_CERTIFICATES = re.compile(r"(?!.*(key|priv)[^/]*\Z).*\.(pem|crt|cer|der|p7b)\Z")
# Port types with no owner: above and below 1024, and those the kernel gives to clients.
_FREE_PORTS = frozenset(["port_t", "unreserved_port_t", "reserved_port_t", "hi_reserved_port_t", "ephemeral_port_t"])
# What Go services listen on or speak to, the likeliest first.
_PORT_TYPES = [f"{name}_port_t" for name in ("http", "http_cache", "postgresql", "mysqld", "redis", "memcache", "mongod", "amqp", "ldap", "smtp")]
# Where several booleans would do, or the bindings that find them are missing. From Apache's module in both policies:
# domain, permission, type of the target → boolean.
_KNOWN_BOOLEANS: Sequence[Tuple[str, str, str, str]] = (
    ("httpd_t", "name_connect", r"(postgresql|mysqld|mssql|oracle|mongod)_port_t", "httpd_can_network_connect_db"),
    ("httpd_t", "name_connect", r"memcache_port_t", "httpd_can_network_memcache"),
    ("httpd_t", "name_connect", r"redis_port_t", "httpd_can_network_redis"),
    ("httpd_t", "name_connect", r"(http|http_cache|gopher|ftp|squid)_port_t", "httpd_can_network_relay"),
    ("httpd_t", "name_connect", r".*_port_t|port_t", "httpd_can_network_connect"),
    ("httpd_t", "", r"(user_home|user_home_dir|home_root)_t", "httpd_enable_homedirs"),
    ("httpd_t", "", r"nfs_t", "httpd_use_nfs"),
    ("httpd_t", "", r"cifs_t", "httpd_use_cifs"),
)
_WIDE_BOOLEAN = re.compile(r"(.*_)?(unconfined|disable|execmem|execmod|execstack|execheap|anon_write|ptrace|everything|all|secure_mode.*)(_.*)?\Z")
_NAME = re.compile(r"[A-Za-z_][\w.-]*\Z", re.ASCII)
_CALL = re.compile(r"[a-z_][a-z0-9_]*\Z")
_EVERYDAY = frozenset(["read", "write", "append", "open", "getattr", "search", "add_name", "remove_name", "create", "unlink", "execute"])
# Asked at each change of domain on exec; a refusal is what secure execution means: selinux_bprm_committing_creds and selinux_bprm_creds_for_exec.
_EXEC_CLEANUP = frozenset(["noatsecure", "rlimitinh", "siginh"])
_NNP = frozenset(["nnp_transition", "nosuid_transition"])


def propose(denial: Denial, server: SecurityServer) -> Proposal:
    """One cure, or none and why."""
    if denial.granted:
        return Proposal("none", "Nothing was refused: the policy asks that this be logged (auditallow).")
    if denial.kind == SECCOMP:
        return _seccomp(denial)
    if denial.kind == SELINUX_ERR:
        return _error(denial)
    if denial.kind == HIDDEN:
        return _hidden(denial, server)
    names = (denial.domain, denial.object_type, denial.tclass, *denial.permissions)
    if not denial.permissions or not all(_NAME.match(name) for name in names):
        return Proposal("none", "The record is not whole, so nothing can be proposed for it.", review=True)
    if denial.tclass == "process" and _EXEC_CLEANUP.issuperset(denial.permissions):
        words = "Nothing is amiss: because of this the kernel cleans a new program's environment, limits and signals."
        return Proposal("none", f"{words} It shows while dontaudit rules are off; `semodule -B` puts those back.")
    purpose = attempt(denial)
    if purpose:
        words = f"This is what a program does {purpose}; no rule is proposed that would allow it. Find out why the program does this."
        if denial.tclass == "system" and "module_request" in denial.permissions:
            words += " If the module is needed, load it at boot by modules-load.d."
        return Proposal("none", words, review=True)
    if _allowed(server, denial, denial.object_type):
        return Proposal("none", "The policy in force allows this by now: it has been cured since.")
    for cure in (_label, _port, _boolean, _transition, _capability, _multipath):
        found = cure(denial, server)
        if found is not None:
            return found
    return _rule(denial)


def _context(target: str, setype: str) -> str:
    """The target's context with another type, as a file or port has it."""
    parts = target.split(":")
    return ":".join(parts[:2] + [setype] + parts[3:])


def _allowed(server: SecurityServer, denial: Denial, setype: str, permissions: Sequence[str] = ()) -> Optional[bool]:
    """Whether the domain might do this to that type; None where that cannot be asked, or there is no such type."""
    answer = server.access(denial.source, _context(denial.target, setype), denial.tclass)
    return None if answer is None else set(permissions or denial.permissions) <= answer.allowed


def _stem(domain: str) -> str:
    return domain[:-2] if domain.endswith("_t") else domain


# --- units ---------------------------------------------------------------------------------------------------------


def _dropin(line: str) -> str:
    return f"[Service]\n{line}\n"


def dropin_path(unit: str, text: str) -> str:
    """Where a drop-in goes: a name of its own for each line, so that several go together."""
    line = text.splitlines()[1]
    return f"/etc/systemd/system/{unit}.d/60-{re.sub(r'[^a-z0-9]+', '-', line.lower()).strip('-')}.conf"


def _transition(denial: Denial, _server: SecurityServer) -> Optional[Proposal]:
    if denial.tclass != "process2" or not set(denial.permissions) & _NNP:
        return None
    return _no_new_privileges(denial, denial.permissions)


def _no_new_privileges(denial: Denial, permissions: Sequence[str]) -> Proposal:
    mount = "nosuid_transition" in permissions and "nnp_transition" not in permissions
    cause = "its program lies on a file system mounted nosuid" if mount else "the unit sets NoNewPrivileges, by itself or by a sandbox option that implies it"
    return Proposal(
        "none" if mount else "unit",
        f"{denial.domain} may not pass into {denial.object_type}, because {cause}. Without it the service runs in its own domain; "
        "or keep it, and let the policy have the transition by the rule in alternative.",
        dropin="" if mount else _dropin("NoNewPrivileges=no"),
        review=True,
        alternative=_module(denial.domain, denial.object_type, "process2", permissions),
    )


def _capability(denial: Denial, _server: SecurityServer) -> Optional[Proposal]:
    """The kernel asks SELinux only for a capability that the process has (security/commoncap.c comes first)."""
    if denial.tclass not in CAPABILITY_CLASSES:
        return None
    names = [f"CAP_{name.upper()}" for name in denial.permissions]
    rule = {} if set(denial.permissions) & GREAT_CAPABILITIES else _module(denial.domain, denial.object_type, denial.tclass, denial.permissions)
    if denial.permissions == ("net_bind_service",):
        return Proposal(
            "unit",
            "The service listens below port 1024. A port above needs no capability; for this one the domain must have it: the rule in alternative.",
            dropin=_dropin("CapabilityBoundingSet=~CAP_NET_BIND_SERVICE"),
            review=True,
            alternative=rule,
        )
    owner = " A service that must read files of other users is given them by owner, group or ACL." if any(name.startswith("CAP_DAC_") for name in names) else ""
    return Proposal(
        "unit",
        f"The process has {' and '.join(names)}, which its domain may not use. A service that runs without needs no rule: take it away in the unit.{owner}",
        dropin=_dropin(f"CapabilityBoundingSet=~{' '.join(names)}"),
        review=True,
        alternative=rule,
    )


def _multipath(denial: Denial, _server: SecurityServer) -> Optional[Proposal]:
    """The sockets under one of MPTCP are made by the kernel, and older kernels, such as 6.1, leave them its label. Go listens by MPTCP since 1.24."""
    if denial.tclass != "tcp_socket" or denial.object_type != "kernel_t":
        return None
    return Proposal(
        "unit",
        "Go listens by MPTCP since 1.24, and on older kernels a connection accepted so has the kernel's label. Without MPTCP it has the service's; "
        "the drop-in replaces what else the unit sets as GODEBUG. To keep it, let the domain use such connections by the rule in alternative.",
        dropin=_dropin("Environment=GODEBUG=multipathtcp=0"),
        review=True,
        alternative=_module(denial.domain, "kernel_t", "tcp_socket", ("getattr", "getopt", "read", "setopt", "shutdown", "write")),
    )


def _seccomp(denial: Denial) -> Proposal:
    if denial.permissive:
        return Proposal("none", "The filter only logs this call (SystemCallLog= or SCMP_ACT_LOG).")
    if not _CALL.match(denial.syscall):
        number = printable(denial.syscall)
        return Proposal("unit", f"The unit's SystemCallFilter= does not have call {number}; `ausyscall {number}` names it. This is not SELinux.", review=True)
    return Proposal(
        "unit",
        f"The unit's SystemCallFilter= does not have {denial.syscall}; the drop-in adds it. This is not SELinux.",
        dropin=_dropin(f"SystemCallFilter={denial.syscall}"),
        review=True,
    )


# --- labels --------------------------------------------------------------------------------------------------------


def _label(denial: Denial, server: SecurityServer) -> Optional[Proposal]:
    if denial.tclass not in FILE_CLASSES:
        return None
    if not denial.path:
        if denial.object_type in ("unlabeled_t", "default_t", "file_t"):
            return Proposal(
                "none",
                f"{denial.object_type} means a file without a label of its own; its path is not in the log. Find it by name, and run restorecon on it.",
                review=True,
            )
        return None
    path = denial.path
    if not path.isprintable():
        return Proposal("none", f"The name {printable(path)} has no spelling in a rule; look at its label by hand.", review=True)
    actual, default = server.label(path), server.default_label(path)
    actual_type, default_type = (context.split(":")[2] if context.count(":") > 1 else "" for context in (actual, default))
    if actual_type and actual_type != denial.object_type and _allowed(server, denial, actual_type):
        return Proposal("none", f"{printable(path)} is labelled {actual_type} by now, which the domain may use: it has been cured since.")
    if default_type and actual_type and default_type != actual_type and _allowed(server, denial, default_type) is not False:
        purpose = attempt(denial._replace(target=default))
        if not purpose:
            force = server.customizable(actual)
            return Proposal(
                "fcontext",
                f"The policy has {default_type} for {printable(path)}, but it is {actual_type}: a file that is moved keeps the label it had.",
                {"restore": dict({"paths": [path]}, **({"force": True} if force else {}))},
                review=force,
            )
    if not GENERIC.match(denial.object_type):
        return None
    return _own_label(denial, server)


def _own_label(denial: Denial, server: SecurityServer) -> Optional[Proposal]:
    """A type for what the policy labels by its place alone."""
    path, asked = denial.path, set(denial.permissions)
    program = denial.tclass == "file" and bool(asked & _EXECUTING)
    starts = denial.domain in _STARTERS or "entrypoint" in asked
    if program and _TEMPORARY.match(path):
        return Proposal("none", f"{printable(path)} is a program where everybody may write. Install it under /opt or /usr/local/bin.", review=True)
    making = denial.tclass != "dir" and "create" in asked
    ground = posixpath.dirname(path) if making else path
    if not _OWN_PLACE.match(ground):
        return None
    setype = next((name for name in _types_for(denial, program) if name != denial.object_type and _allowed(server, denial, name)), None)
    if setype is None:
        return None
    record = {"target": escaped(ground), "setype": setype}
    if making or denial.tclass == "dir":
        record["target"] += "(/.*)?"
    else:
        record["ftype"] = _FTYPE[denial.tclass]
    return Proposal(
        "fcontext",
        f"{printable(ground)} is {denial.object_type} because of where it lies; {denial.domain} may do this to {setype}.",
        {"fcontexts": [record], "restore": {"paths": [ground]}},
        # What systemd starts, a unit has named. A place named after the service is the service's; another one may be in use by the type it has now.
        review=bool(_HOME.match(path)) or not (starts if program else _stem(denial.domain) in ground.split("/")),
    )


def _types_for(denial: Denial, program: bool) -> List[str]:
    """Types that might fit, the most private first. Names as refpolicy, Fedora and this collection's own domains have them."""
    stem = _stem(denial.domain)
    if program:
        return [f"{stem}_exec_t"] if "entrypoint" in denial.permissions else ["bin_t"]
    own = [f"{stem}_{word}_t" for word in ("data", "var_lib", "rw", "rw_content", "cache", "log", "var_log", "var_run", "runtime", "tmp")]
    if "/log" in denial.path:
        own = [f"{stem}_log_t", f"{stem}_var_log_t", *own]
    web = ["httpd_sys_content_t", "httpd_sys_rw_content_t"] if stem == "httpd" else []
    if set(denial.permissions) & WRITING:
        return web[1:] + own
    certificates = ["cert_t"] if _CERTIFICATES.match(denial.path) else []
    return certificates + web + [f"{stem}_{word}_t" for word in ("conf", "etc", "content", "ro", "read")] + own + ["usr_t"]


def escaped(path: str) -> str:
    """A path as the regular expression that matches it alone; blanks as \\s, because a line of file_contexts is split at blanks."""
    return re.sub(r"\s", r"\\s", re.sub(r"([.^$?*+|\[\](){}\\])", r"\\\1", path))


# --- ports ---------------------------------------------------------------------------------------------------------


def _port(denial: Denial, server: SecurityServer) -> Optional[Proposal]:
    binds = "name_bind" in denial.permissions
    if not denial.port or not denial.protocol or not (binds or "name_connect" in denial.permissions):
        return None
    present, record = denial.object_type, server.port(denial.protocol, denial.port)
    if record not in ("", present) and _allowed(server, denial, record):
        return Proposal("none", f"{denial.protocol} {denial.port} is {record} by now, which the domain may use: it has been cured since.")
    if not binds and present not in _FREE_PORTS:
        return None  # whose port it is stays true; that the domain may go there is for a boolean or a rule to say
    if not binds:
        found = _boolean(denial, server)
        if found is not None:
            return found
    own = f"{_stem(denial.domain)}_{'port' if binds else 'peer_port'}_t"
    setype = next((name for name in (own, *_PORT_TYPES) if name != present and _allowed(server, denial, name)), None)
    if setype is None:
        return None
    taken = "" if present in _FREE_PORTS else f" The policy has it as {present}, so what else uses that port under this name loses it."
    return Proposal(
        "port",
        f"{denial.domain} may {'listen on' if binds else 'connect to'} ports of {setype}; {denial.protocol} {denial.port} is {present}.{taken}",
        {"ports": [{"proto": denial.protocol, "port": str(denial.port), "setype": setype}]},
        review=bool(taken),
    )


# --- booleans and rules --------------------------------------------------------------------------------------------


def _boolean(denial: Denial, server: SecurityServer) -> Optional[Proposal]:
    why = server.why(denial.source, denial.target, denial.tclass, denial.permissions)
    if why.kind in ("constraint", "rbac"):
        what = "levels, users or roles" if why.kind == "constraint" else "roles"
        words = f"A rule allows this, but a constraint on {what} forbids it: compare {printable(denial.source)} with {printable(denial.target)}."
        return Proposal("none", words, review=True)
    fitting = dict(why.booleans)
    known = [name for domain, permission, target, name in _KNOWN_BOOLEANS if _is_known(denial, domain, permission, target)]
    if not why.kind:
        fitting = {name: True for name in known if server.boolean(name) is False}
    if not fitting:
        return None
    stem = _stem(denial.domain)
    # What is narrow, of this domain and listed above comes first.
    order = sorted(
        fitting, key=lambda name: (bool(_WIDE_BOOLEAN.match(name)), known.index(name) if name in known else len(known), not name.startswith(stem), name)
    )
    name = order[0]
    others = f" So would {', '.join(order[1:])}." if order[1:] else ""
    return Proposal(
        "boolean",
        f"The policy allows this when {name} is {'on' if fitting[name] else 'off'}.{others}",
        {"booleans": [{"name": name, "state": fitting[name], "persistent": True}]},
        review=bool(_WIDE_BOOLEAN.match(name)) or not name.startswith(stem),
    )


def _is_known(denial: Denial, domain: str, permission: str, target: str) -> bool:
    return denial.domain == domain and (not permission or permission in denial.permissions) and bool(re.match(target + r"\Z", denial.object_type))


def _module(domain: str, object_type: str, tclass: str, permissions: Sequence[str]) -> Dict[str, Any]:
    """One allow rule as a module of its own, whose name is the same each time for the same rule."""
    rule = f"(allow {domain} {'self' if object_type == domain else object_type} ({tclass} ({' '.join(permissions)})))"
    digest = hashlib.sha256(rule.encode()).hexdigest()[:8]
    return {"modules": [{"name": f"local_{_stem(domain)}_{tclass}_{digest}", "cil": rule + "\n"}]}


def _rule(denial: Denial) -> Proposal:
    missing = "default_t" if denial.object_type == "default_t" else "unlabeled_t" if denial.object_type in ("unlabeled_t", "file_t") else ""
    if missing and denial.tclass in FILE_CLASSES:
        return Proposal(
            "none",
            f"{missing} is the type of files that no rule names; a rule for it would open them all. Give this one a type of its own by fcontexts.",
            review=True,
        )
    wide = f" {denial.object_type} is the type of much else: a type of its own would be better." if GENERIC.match(denial.object_type) else ""
    return Proposal(
        "cil",
        f"No label, port or boolean would allow this. The rule allows just what was refused: look whether the service needs it.{wide}",
        _module(denial.domain, denial.object_type, denial.tclass, denial.permissions),
        review=True,
    )


def _error(denial: Denial) -> Proposal:
    parts = denial.detail.split(":")
    if denial.operation == "security_bounded_transition":
        named = _NAME.match(denial.domain) and _NAME.match(denial.object_type)
        if named and not attempt(denial._replace(tclass="process2", permissions=("nnp_transition",))):
            return _no_new_privileges(denial, ("nnp_transition",))
        return Proposal("none", "A process under NoNewPrivileges may only pass into a domain that may do less; no rule is proposed for this one.", review=True)
    if denial.operation == "security_compute_sid" and denial.tclass == "process" and len(parts) > 2 and all(_NAME.match(part) for part in parts[:3]):
        _user, role, setype = parts[:3]
        wish = denial._replace(target=denial.detail, permissions=("transition",))
        if attempt(wish) or attempt(wish._replace(tclass="file")):
            return Proposal("none", f"Role {role} may not have {setype}, and nothing is proposed that would let it.", review=True)
        rule = f"(roletype {role} {setype})"
        name = f"local_{_stem(setype)}_role_{hashlib.sha256(rule.encode()).hexdigest()[:8]}"
        words = f"Either {role} may not have {setype}, which this rule would change, or the SELinux user may not have {role}."
        return Proposal("cil", words, {"modules": [{"name": name, "cil": rule + "\n"}]}, review=True)
    hint = "A module that defines it is missing, or it is misspelt." if denial.detail else "It is decided by a constraint of the policy."
    return Proposal("none", f"The policy refuses this context. {hint}", review=True)


def _hidden(denial: Denial, server: SecurityServer) -> Proposal:
    again = "Log them all by `semodule -DB`, repeat what failed, read the log again, and end that by `semodule -B`."
    answer = server.access(denial.source, denial.target, denial.tclass) if denial.target and denial.tclass else None
    if answer is None:
        return Proposal("none", f"Owner and mode may be the reason, or a dontaudit rule. {again}", review=True)
    silent = sorted(_EVERYDAY & answer.silent)
    if not silent:
        return Proposal("none", "No dontaudit rule hides a refusal of this kind, so look at the owner and mode of the file and its directories.")
    return Proposal("none", f"A dontaudit rule hides the refusal of {', '.join(silent)} on {denial.object_type}. {again}", review=True)
