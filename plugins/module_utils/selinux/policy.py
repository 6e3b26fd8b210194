# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A confined domain for a service written in Go: its description → a CIL module for Debian's and Fedora's policies. Pure.

The module holds types, rules and file contexts. What a port number is called is not in it: the policy may know that number already, today or after
an update, and a second portcon is an error of the whole policy, while a local record goes before. So numbers come out as records, by `ports`.
"""

import posixpath
import re
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Sequence, Tuple

from ..errors import GoHostError
from .model import Port
from .taken import TAKEN


class Endpoint(NamedTuple):
    """A port of the policy by its type, or one by its number, from low to high."""

    proto: str  # tcp or udp
    setype: str  # "" for a number
    low: int = 0
    high: int = 0


class Service(NamedTuple):
    """What a service may do. Paths are absolute; in reads and writes what does not start with a slash is an existing type."""

    name: str  # its types are <name>_t, <name>_exec_t …
    executable: str
    listens: Tuple[Endpoint, ...] = ()
    connects: Tuple[Endpoint, ...] = ()
    reads: Tuple[str, ...] = ()
    writes: Tuple[str, ...] = ()
    capabilities: Tuple[str, ...] = ()
    cgroup: bool = True
    dns: bool = False
    tls_roots: bool = False
    syslog: bool = False
    notify: bool = False
    permissive: bool = False

    @property
    def module(self) -> str:
        """The module's name. With a prefix: one named as the distribution's own would replace that, at its higher priority."""
        return f"gohost_{self.name}"


_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_PATH = re.compile(r"(?:/[!#-\[\]-~]+)+\Z")  # printable ASCII without space, quote and backslash: the others have no spelling in CIL or file_contexts
_ENDPOINT = re.compile(r"(?:([0-9]{1,5})(?:-([0-9]{1,5}))?|([A-Za-z][A-Za-z0-9_]*))(?:/(tcp|udp))?\Z")
_META = re.compile(r"([.^$*+?()\[\]{}|])")

# linux/capability.h; from 32 on they are of another class.
_CAPABILITIES = (
    "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service net_broadcast net_admin net_raw"
    " ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod"
    " lease audit_write audit_control setfcap"
)
_CAPABILITIES2 = "mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore"

# Directories that belong to many, and where no rule of ours keeps a label: homes have rules of their own, the others none.
_SHARED = (
    "/etc/pki /etc/ssl /etc/systemd /usr/bin /usr/lib /usr/lib64 /usr/libexec /usr/local /usr/sbin /usr/share /usr/src /usr/local/bin /usr/local/etc"
    " /usr/local/lib /usr/local/sbin /usr/local/share /var/cache /var/lib /var/lib/private /var/lock /var/log /var/opt /var/run /var/spool /run/lock"
    " /run/systemd"
)
_UNLABELLED = ("/dev", "/home", "/proc", "/root", "/run/user", "/sys", "/tmp", "/var/run/user", "/var/tmp")

# What lies on the way to a service's own directory: the same types on Fedora's and Debian's policies, and default_t where neither knows the place.
_PLACES = {
    "/": "root_t",
    "/etc": "etc_t",
    "/opt": "usr_t",
    "/run": "var_run_t",
    "/srv": "var_t",
    "/usr": "usr_t",
    "/usr/lib": "lib_t",
    "/usr/local/etc": "etc_t",
    "/usr/local/lib": "lib_t",
    "/var": "var_t",
    "/var/lib": "var_lib_t",
    "/var/log": "var_log_t",
    "/var/run": "var_run_t",
    "/var/spool": "var_spool_t",
}

# file_contexts.subs_dist of Debian, EL and Fedora: each looks up the left as the right, or does not. A rule under both names is right everywhere.
_ALIASES = (
    ("/run", "/var/run"),
    ("/var/run", "/run"),
    ("/bin", "/usr/bin"),
    ("/sbin", "/usr/bin"),
    ("/sbin", "/usr/sbin"),
    ("/usr/sbin", "/usr/bin"),
    ("/usr/local/lib", "/usr/lib"),
    ("/usr/local/lib64", "/usr/lib"),
    ("/usr/lib64", "/usr/lib"),
    ("/lib64", "/usr/lib"),
    ("/lib", "/usr/lib"),
)
# Where systemd keeps StateDirectory= and its like of a unit with DynamicUser=yes (systemd.exec(5)).
_PRIVATE = ("/var/lib", "/var/cache", "/var/log")

# Directories of /run/systemd, as refpolicy names them and as Fedora does.
_RUN_SYSTEMD = ("init_runtime_t", "init_var_run_t")
_RUN_JOURNAL = ("syslogd_runtime_t", "syslogd_var_run_t")
_RUN_RESOLVED = ("systemd_resolved_runtime_t", "systemd_resolved_var_run_t")

_READ_DIR, _READ_FILE, _READ_LINK = "getattr open read search", "getattr open read", "getattr read"
_WRITE_DIR = "add_name create getattr lock open read remove_name rename reparent rmdir search setattr write"
_WRITE_FILE = "append create getattr link lock open read rename setattr unlink write"
_WRITE_LINK = "create getattr link read rename setattr unlink"
_SOCKET = "create getattr getopt read setopt write"
_SOCKETS = {"tcp": "tcp_socket", "udp": "udp_socket"}


def service(wish: Mapping[str, Any]) -> Service:
    """The description in a variable. Raises GoHostError that names what is wrong in it."""
    unknown = sorted(set(map(str, wish)) - set(Service._fields))
    if unknown:
        raise GoHostError("a service has no such key", ", ".join(unknown), f"There are {', '.join(Service._fields)}.")
    for key in ("name", "executable"):
        if not isinstance(wish.get(key), str):
            raise GoHostError(f"a service needs its {key}, a text", wish.get(key, dict(wish)))
    name = str(wish["name"])
    if not _NAME.match(name):
        raise GoHostError("not a name for a service's types", name, "Use up to 40 lower case letters, digits and underscores, a letter first.")
    if name in TAKEN:
        raise GoHostError("policies have types of this name already", f"{name}_t", "A second domain of that name would add to the first: choose another name.")
    fields: Dict[str, Any] = {"name": name, "executable": _path(str(wish["executable"]), "executable")}
    for key in ("cgroup", "dns", "tls_roots", "syslog", "notify", "permissive"):
        if key in wish:
            if not isinstance(wish[key], bool):
                raise GoHostError(f"{key} of service {name} is neither true nor false", wish[key])
            fields[key] = wish[key]
    for key in ("listens", "connects"):
        fields[key] = tuple(_endpoint(text, key) for text in _texts(wish, key))
    for key in ("reads", "writes"):
        fields[key] = tuple(_path(text, key) if text.startswith("/") else _type(text, key) for text in _texts(wish, key))
    fields["capabilities"] = tuple(_capability(text) for text in _texts(wish, "capabilities"))
    made = Service(**fields)
    _check(made)
    return made


def _texts(wish: Mapping[str, Any], key: str) -> List[str]:
    given = wish.get(key, [])
    if not isinstance(given, (list, tuple)) or any(isinstance(item, bool) or not isinstance(item, (str, int)) for item in given):
        raise GoHostError(f"{key} of service {wish['name']} is not a list of texts", given)
    return [str(item) for item in given]


def _path(text: str, key: str) -> str:
    path = posixpath.normpath(text)
    if not _PATH.match(text) or ".." in text.split("/") or text.startswith("//"):
        raise GoHostError(
            f"not a path that SELinux can have a rule for, in {key}", text, "Write it absolute, in printable ASCII without spaces, quotes and backslashes."
        )
    if any(path == place or path.startswith(f"{place}/") for place in _UNLABELLED):
        raise GoHostError(f"labels of this place are not the policy's to keep, in {key}", path, "Use a directory under /opt, /srv, /etc or /var.")
    if path.count("/") < 2 or path in _SHARED.split():
        raise GoHostError(f"this place belongs to more than one service, in {key}", path, "Name a file or a directory of this service alone.")
    return path


def _type(text: str, key: str) -> str:
    if not _TYPE.match(text):
        raise GoHostError(f"neither an absolute path nor a type, in {key}", text)
    return text


def _endpoint(text: str, key: str) -> Endpoint:
    found = _ENDPOINT.match(text)
    if found is None:
        raise GoHostError(f"not a port, in {key}", text, "Write 8443, 8443/tcp, 5000-5010/udp or a port's type such as http_port_t.")
    low, high, setype, proto = found.groups()
    if setype:
        return Endpoint(proto or "tcp", setype)
    first, last = int(low), int(high or low)
    if not 0 < first <= last < 65536:
        raise GoHostError(f"no such ports, in {key}", text, "They go from 1 to 65535.")
    return Endpoint(proto or "tcp", "", first, last)


def _capability(text: str) -> str:
    name = text.lower()
    name = name[4:] if name.startswith("cap_") else name
    if name not in f"{_CAPABILITIES} {_CAPABILITIES2}".split():
        raise GoHostError("no such capability", text, "Name it as capabilities(7) does, such as CAP_NET_BIND_SERVICE.")
    return name


def _check(wanted: Service) -> None:
    """What contradicts itself: one path or one number cannot have two types."""
    seen = [wanted.executable]
    for path in wanted.reads + wanted.writes:
        if path.startswith("/") and path in seen:
            raise GoHostError(f"service {wanted.name} names a path twice", path, "What it writes it may read.")
        seen.append(path)
    numbers = [end for end in wanted.listens + wanted.connects if not end.setype]
    for place, end in enumerate(numbers):
        for other in numbers[:place]:
            if end.proto == other.proto and end.low <= other.high and other.low <= end.high:
                hint = f"For a connection to a port that it listens on, name {wanted.name}_port_t."
                raise GoHostError(f"service {wanted.name} names a port twice", f"{max(end.low, other.low)}/{end.proto}", hint)


def ports(wanted: Service) -> List[Port]:
    """The local records that give the service's port numbers their types."""
    return [Port(end.proto, end.low, end.high, setype) for end, setype in _typed(wanted) if not end.setype]


def _typed(wanted: Service) -> Iterator[Tuple[Endpoint, str]]:
    for ends, own in ((wanted.listens, "port"), (wanted.connects, "peer_port")):
        for end in ends:
            yield end, end.setype or f"{wanted.name}_{own}_t"


def own_paths(wanted: Service) -> List[str]:
    """The paths that have labels by the module, to be relabelled when it is new."""
    return [path for path in (wanted.executable,) + wanted.reads + wanted.writes if path.startswith("/")]


def cil(wanted: Service) -> str:
    """The module's text. Its name is wanted.module; it needs the records of `ports`."""
    lines: List[str] = []
    for title, rules in _sections(wanted):
        lines += [f"; {title}", *rules] if rules else []
    return "\n".join(lines) + "\n"


def _sections(wanted: Service) -> Iterator[Tuple[str, List[str]]]:
    domain = f"{wanted.name}_t"
    yield f"{wanted.name}: {wanted.executable}, started by systemd", _domain(wanted)
    if wanted.permissive:
        yield "what is not allowed is logged, and happens all the same", [f"(typepermissive {domain})"]
    yield "what every Go program does", _runtime(domain)
    if wanted.cgroup:
        yield "the quota that GOMAXPROCS is made of", [_allow(domain, "cgroup_t", "dir", "search"), _allow(domain, "cgroup_t", "file", _READ_FILE)]
    yield from _network(wanted)
    if wanted.tls_roots:
        rules = [*_reading(domain, "cert_t"), _allow(domain, "usr_t", "file", _READ_FILE)]  # Debian's /etc/ssl/certs links to /usr/share
        yield "the system's certificate authorities", rules
    if wanted.syslog or wanted.notify:
        yield from _sockets_of_systemd(wanted)
    for title, paths, own in (("reads", wanted.reads, "conf"), ("writes", wanted.writes, "data")):
        if paths:
            yield f"{title} {', '.join(paths)}", _tree(wanted, paths, own)
    capabilities = set(wanted.capabilities)
    if any(end.low and end.low < 1024 for end in wanted.listens):
        capabilities.add("net_bind_service")
    rules = []
    for kind, known in (("capability", _CAPABILITIES), ("capability2", _CAPABILITIES2)):
        held = [name for name in known.split() if name in capabilities]
        rules += [_allow(domain, "self", kind, " ".join(held))] if held else []
    yield "capabilities", rules


def _allow(source: str, target: str, kind: str, permissions: str) -> str:
    return f"(allow {source} {target} ({kind} ({permissions})))"


def _optional(wanted_name: str, what: str, *rules: str) -> str:
    """Rules that count where the policy knows all their names."""
    inside = "".join(f"\n    {rule}" for rule in rules)
    return f"(optional gohost_{wanted_name}_{what}{inside})"


def _reading(domain: str, setype: str) -> List[str]:
    wishes = ("dir", _READ_DIR), ("file", _READ_FILE), ("lnk_file", _READ_LINK)
    return [_allow(domain, setype, kind, permissions) for kind, permissions in wishes]


def _file_type(setype: str, *attributes: str) -> List[str]:
    # Without the attributes neither systemd nor backups nor restorecon may touch it on Fedora.
    joined = ("file_type", "non_security_file_type", "non_auth_file_type") + attributes
    return [f"(type {setype})", f"(roletype object_r {setype})", *(f"(typeattributeset {attribute} ({setype}))" for attribute in joined)]


def _domain(wanted: Service) -> List[str]:
    name, domain, program = wanted.name, f"{wanted.name}_t", f"{wanted.name}_exec_t"
    return [
        f"(type {domain})",
        f"(roletype system_r {domain})",
        f"(typeattributeset domain ({domain}))",
        *_file_type(program, "exec_type", "entry_type"),
        *_contexts(wanted.executable, "file", program),
        f"(typetransition init_t {program} process {domain})",
        _allow("init_t", program, "file", "execute getattr open read"),
        # noatsecure: in secure mode Go shows no traceback. The signals are systemctl's.
        _allow("init_t", domain, "process", "noatsecure rlimitinh sigkill siginh signal signull transition"),
        _allow(domain, program, "file", "entrypoint execute getattr open read"),
        _optional(name, "map", _allow("init_t", program, "file", "map"), _allow(domain, program, "file", "map")),
        _optional(name, "nnp", _allow("init_t", domain, "process2", "nnp_transition nosuid_transition")),  # NoNewPrivileges=yes
        # Without these the program dies on its first instruction: what systemd has opened for it would be closed.
        _allow(domain, "init_t", "fd", "use"),
        _allow(domain, "init_t", "unix_stream_socket", "getattr getopt ioctl read write"),
    ]


def _runtime(domain: str) -> List[str]:
    return [
        # Without getsched Go sees one CPU. signal is how goroutines are preempted.
        _allow(domain, "self", "process", "fork getsched sigchld signal signull"),
        _allow(domain, "sysfs_t", "dir", "search"),  # …/transparent_hugepage/hpage_pmd_size
        _allow(domain, "sysfs_t", "file", _READ_FILE),
        _allow(domain, "etc_t", "dir", "search"),  # /etc/localtime
        _allow(domain, "etc_t", "lnk_file", _READ_LINK),
        _allow(domain, "usr_t", "dir", "search"),
        *_reading(domain, "locale_t"),
    ]


def _network(wanted: Service) -> Iterator[Tuple[str, List[str]]]:
    domain = f"{wanted.name}_t"
    ends = list(_typed(wanted))
    listening = {end.proto for end in wanted.listens}
    connecting = {end.proto for end in wanted.connects} | ({"tcp", "udp"} if wanted.dns else set())
    if not listening and not connecting:
        return
    rules = [_allow(domain, "self", "netlink_route_socket", "bind create getattr nlmsg_read read write")]  # addresses of interfaces
    # Before its first listen the net package binds to loopback by TCP, to learn what IPv6 can do.
    binding = listening | ({"tcp"} if listening else set())
    for proto in sorted(binding | connecting):
        permissions = set(_SOCKET.split())
        permissions.update(["shutdown"] if proto == "tcp" else [])
        permissions.update(["bind"] if proto in binding else [])
        permissions.update(["accept", "listen"] if proto == "tcp" and proto in listening else [])
        permissions.update(["connect"] if proto in connecting else [])
        rules.append(_allow(domain, "self", _SOCKETS[proto], " ".join(sorted(permissions))))
        rules += [_allow(domain, "node_t", _SOCKETS[proto], "node_bind")] if proto in binding else []
    if "tcp" in listening:
        rules += [_allow(domain, "sysctl_net_t", "dir", "search"), _allow(domain, "sysctl_net_t", "file", _READ_FILE)]  # somaxconn
        # Go listens by MPTCP since 1.24, and before Linux 6.5 what it accepts carries the kernel's own label (mptcp_net-next#320, security_mptcp_add_subflow).
        rules.append(_allow(domain, "kernel_t", "tcp_socket", "getattr getopt read setopt shutdown write"))
    yield "sockets", rules
    own = sorted({setype for end, setype in ends if not end.setype})
    declared: List[str] = []
    for setype in own:
        declared += [f"(type {setype})", f"(roletype object_r {setype})"]
        declared += [f"(typeattributeset {attribute} ({setype}))" for attribute in ("port_type", "defined_port_type")]
    yield "types of its port numbers, which local records carry", declared
    for title, chosen, permission in (("listens on", wanted.listens, "name_bind"), ("connects to", wanted.connects, "name_connect")):
        allowed = sorted({(setype, end.proto) for end, setype in ends if end in chosen and (permission == "name_bind" or end.proto == "tcp")})
        yield f"{title} {', '.join(map(_spelled, chosen))}", [_allow(domain, setype, _SOCKETS[proto], permission) for setype, proto in allowed]
    if wanted.dns:
        yield (
            "names of hosts",
            [
                _allow(domain, "dns_port_t", "tcp_socket", "name_connect"),  # answers that do not fit a datagram
                *_reading(domain, "net_conf_t"),
                _allow(domain, "etc_t", "file", _READ_FILE),
                _allow(domain, "var_run_t", "dir", "search"),
                _allow(domain, "var_run_t", "lnk_file", _READ_LINK),
                # Where resolv.conf links to.
                *_either(wanted.name, "dns_run", domain, _RUN_SYSTEMD, ("dir", "search")),
                *_either(wanted.name, "dns_resolved", domain, _RUN_RESOLVED, ("dir", "search"), ("file", _READ_FILE)),
            ],
        )


def _spelled(end: Endpoint) -> str:
    return f"{end.setype or (str(end.low) if end.low == end.high else f'{end.low}-{end.high}')}/{end.proto}"


def _either(name: str, what: str, domain: str, types: Tuple[str, str], *wishes: Tuple[str, str]) -> List[str]:
    """The same rules on a type that refpolicy and Fedora's policy call differently."""
    made = []
    for number, setype in enumerate(types, 1):
        made.append(_optional(name, f"{what}_{number}", *(_allow(domain, setype, kind, permissions) for kind, permissions in wishes)))
    return made


def _sockets_of_systemd(wanted: Service) -> Iterator[Tuple[str, List[str]]]:
    name, domain = wanted.name, f"{wanted.name}_t"
    yield (
        "systemd's sockets",
        [
            _allow(domain, "self", "unix_dgram_socket", "bind connect " + _SOCKET),
            _allow(domain, "var_run_t", "dir", "search"),
            *_either(name, "run", domain, _RUN_SYSTEMD, ("dir", "search"), *([("sock_file", "write")] if wanted.notify else [])),
        ],
    )
    if wanted.syslog:
        yield (
            "/dev/log and the journal's own socket",
            [
                _allow(domain, "devlog_t", "lnk_file", _READ_LINK),
                _allow(domain, "devlog_t", "sock_file", "write"),
                *_either(name, "journal", domain, _RUN_JOURNAL, ("dir", "search"), ("sock_file", "write")),
                _allow(domain, "syslogd_t", "unix_dgram_socket", "sendto"),
                _allow(domain, "kernel_t", "unix_dgram_socket", "sendto"),  # a socket that was made before there was a policy
            ],
        )
    if wanted.notify:
        yield (
            "sd_notify(3)",
            [
                _allow(domain, "init_t", "unix_dgram_socket", "sendto"),
                _optional(name, "notify_socket", _allow(domain, "systemd_runtime_notify_t", "sock_file", "write")),
            ],
        )


def _tree(wanted: Service, paths: Sequence[str], own: str) -> List[str]:
    domain, setype = f"{wanted.name}_t", f"{wanted.name}_{own}_t"
    ours = [path for path in paths if path.startswith("/")]
    rules: List[str] = []
    if ours:
        rules += _file_type(setype)
        for path in ours:
            rules += _contexts(path, "any", setype, "(/.*)?")
        rules += [_allow(domain, parent, "dir", "getattr search") for parent in sorted({parent for path in ours for parent in _parents(path)})]
        # A link stands there for a directory in …/private, and has the label of the place.
        linked = {_PLACES.get(place, "var_t") for place in _PRIVATE for path in ours if path.startswith(f"{place}/")}
        rules += [_allow(domain, place, "lnk_file", _READ_LINK) for place in sorted(linked)]
    for number, target in enumerate(([setype] if ours else []) + sorted({path for path in paths if not path.startswith("/")})):
        if own == "conf":
            rules += _reading(domain, target)
        else:
            rules += [_allow(domain, target, "dir", _WRITE_DIR), _allow(domain, target, "file", _WRITE_FILE), _allow(domain, target, "lnk_file", _WRITE_LINK)]
        rules.append(_optional(wanted.name, f"{own}_map_{number}", _allow(domain, target, "file", "map")))  # how Go's databases read
        rules.append(_optional(wanted.name, f"{own}_watch_{number}", *(_allow(domain, target, kind, "watch") for kind in ("dir", "file"))))  # inotify
    return rules


def _parents(path: str) -> Iterator[str]:
    """Types of the directories above the path."""
    setype, directory = _PLACES["/"], ""
    yield setype
    for part in path.split("/")[1:-1]:
        directory = f"{directory}/{part}"
        if directory.count("/") == 1:
            setype = "default_t"
        elif directory.startswith(("/opt/", "/usr/")) and part in ("bin", "sbin", "libexec"):
            setype = "bin_t"
        elif directory.startswith("/opt/") and part in ("lib", "lib64"):
            yield "lib_t"  # on Debian; Fedora knows no such rule
        setype = _PLACES.get(directory, setype)
        yield setype


def _contexts(path: str, kind: str, setype: str, below: str = "") -> List[str]:
    """Rules of file contexts for a path under each of the names that it may be looked up by."""
    names = [path]
    names += [tree + path[len(alias) :] for alias, tree in _ALIASES if path.startswith(f"{alias}/")]
    names += [f"{place}/private{path[len(place) :]}" for place in _PRIVATE if below and path.startswith(f"{place}/")]
    made = []
    for name in names:
        regex = _META.sub(r"\\\1", name)
        made.append(f'(filecon "{regex}{below}" {kind} (system_u object_r {setype} ((s0) (s0))))')
    return made


def wishes(described: Sequence[Mapping[str, Any]]) -> Dict[str, List[Dict[str, Any]]]:
    """Services → modules and ports, as selinux_go_context takes them. A service may say state: absent."""
    found: Dict[str, List[Dict[str, Any]]] = {"modules": [], "ports": []}
    for one in described:
        state = one.get("state", "present")
        if state not in ("present", "absent"):
            raise GoHostError("state of a service is neither present nor absent", state)
        wanted = service({key: value for key, value in one.items() if key != "state"})
        module: Dict[str, Any] = {"name": wanted.module, "state": state}
        found["modules"].append(dict(module, cil=cil(wanted)) if state == "present" else module)
        found["ports"] += [dict(proto=port.proto, port=port.range, setype=port.setype, state=state) for port in ports(wanted)]
    return found
