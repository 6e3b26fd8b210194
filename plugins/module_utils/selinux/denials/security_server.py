# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy in force, as something that can be asked. SecurityServer is the port; tests give another."""

import abc
import ctypes
import os
from typing import Any, Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Tuple

_SELINUXFS = "/sys/fs/selinux"
_CONFIG = "/etc/selinux/config"
_STORES = "/var/lib/selinux"
_CTX_FILE = 0  # SELABEL_CTX_FILE of <selinux/label.h>


class Access(NamedTuple):
    """What a source may do to a target, and what it is refused without a word in the log."""

    allowed: FrozenSet[str]
    silent: FrozenSet[str]


class Why(NamedTuple):
    """Why the policy refuses. kind: allow, boolean, constraint, rbac, rule (there is none) or "" (not known).

    booleans: (name, the state that would allow it).
    """

    kind: str
    booleans: Tuple[Tuple[str, bool], ...] = ()


class SecurityServer(abc.ABC):
    @abc.abstractmethod
    def mode(self) -> str:
        """enforcing, permissive or disabled."""

    @abc.abstractmethod
    def silent(self) -> Optional[bool]:
        """Whether dontaudit rules are in force; None where the store does not say."""

    @abc.abstractmethod
    def access(self, source: str, target: str, tclass: str) -> Optional[Access]:
        """None where the policy does not know one of the contexts or the class, or SELinux is off."""

    @abc.abstractmethod
    def reasons(self) -> bool:
        """Whether `why` can answer."""

    @abc.abstractmethod
    def why(self, source: str, target: str, tclass: str, permissions: Tuple[str, ...]) -> Why:
        """The rule, boolean or constraint that refuses."""

    @abc.abstractmethod
    def boolean(self, name: str) -> Optional[bool]:
        """State of a boolean; None where there is none of this name."""

    @abc.abstractmethod
    def port(self, protocol: str, number: int) -> str:
        """Type that an administrator's record gives a port, "" where there is none."""

    @abc.abstractmethod
    def label(self, path: str) -> str:
        """Context of a file, "" where nothing is there or it has none."""

    @abc.abstractmethod
    def default_label(self, path: str) -> str:
        """Context that the policy has for what is at a path, "" where it has none or nothing is there."""

    @abc.abstractmethod
    def customizable(self, context: str) -> bool:
        """Whether restorecon leaves this context alone unless forced."""

    @abc.abstractmethod
    def find(self, wanted: Iterable[Tuple[str, int]], places: Iterable[str], limit: int) -> Dict[Tuple[str, int], str]:
        """Paths of files by name and inode, below these places, among at most limit entries."""


class LocalSecurityServer(SecurityServer):
    """The kernel's, by selinuxfs; labels by libselinux; reasons by the distribution's Python bindings where this interpreter has them."""

    def __init__(self) -> None:
        self._on = os.path.exists(f"{_SELINUXFS}/enforce")
        self._known: Dict[Tuple[str, str, str], Optional[Access]] = {}
        self._classes: Dict[str, Dict[str, int]] = {}
        self._analyst: Any = None
        self._handle: Optional[int] = None
        try:
            self._library: Any = ctypes.CDLL("libselinux.so.1", use_errno=True) if self._on else None
        except OSError:
            self._library = None

    def mode(self) -> str:
        if not self._on:
            return "disabled"
        return "enforcing" if _read(f"{_SELINUXFS}/enforce") == "1" else "permissive"

    def silent(self) -> Optional[bool]:
        store = _store()
        return not os.path.exists(f"{store}/disable_dontaudit") if store else None

    def port(self, protocol: str, number: int) -> str:
        # As libsemanage writes them: portcon tcp 8081 system_u:object_r:http_port_t:s0
        for words in (line.split() for line in _read(f"{_store()}/ports.local").splitlines()):
            low, _dash, high = words[2].partition("-") if len(words) == 4 and words[:2] == ["portcon", protocol] else ("", "", "")
            if low.isdigit() and int(low) <= number <= int(high or low):
                return words[3].split(":")[2] if words[3].count(":") > 1 else ""
        return ""

    def access(self, source: str, target: str, tclass: str) -> Optional[Access]:
        key = (source, target, tclass)
        if key not in self._known:
            self._known[key] = self._ask(*key) if self._on else None
        return self._known[key]

    def _ask(self, source: str, target: str, tclass: str) -> Optional[Access]:
        bits = self._permissions(tclass)
        if not bits:
            return None
        question = f"{source} {target} {_read(f'{_SELINUXFS}/class/{tclass}/index')}"
        try:
            handle = os.open(f"{_SELINUXFS}/access", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            os.write(handle, question.encode("utf-8", "surrogateescape"))
            answer = os.read(handle, 4096).decode().split()
        except OSError:  # EINVAL: a context that the policy does not know
            return None
        finally:
            os.close(handle)
        # allowed, decided, auditallow and auditdeny in hexadecimal digits, then seqno and flags: security/selinux/selinuxfs.c, sel_write_access.
        allowed, silent = int(answer[0], 16), ~(int(answer[0], 16) | int(answer[3], 16))
        return Access(frozenset(name for name, bit in bits.items() if allowed & bit), frozenset(name for name, bit in bits.items() if silent & bit))

    def _permissions(self, tclass: str) -> Dict[str, int]:
        if tclass not in self._classes:
            directory = f"{_SELINUXFS}/class/{tclass}/perms"
            names = os.listdir(directory) if tclass.isidentifier() and os.path.isdir(directory) else []
            self._classes[tclass] = {name: 1 << (int(_read(f"{directory}/{name}")) - 1) for name in names}
        return self._classes[tclass]

    def reasons(self) -> bool:
        return self._bindings() is not None

    def why(self, source: str, target: str, tclass: str, permissions: Tuple[str, ...]) -> Why:
        analyst = self._bindings()
        if analyst is None:
            return Why("")
        try:
            code, data = analyst.analyze(source, target, tclass, list(permissions))
        except ValueError:  # no context, but bytes that are no UTF-8
            return Why("")
        kinds = {analyst.ALLOW: "allow", analyst.BOOLEAN: "boolean", analyst.CONSTRAINT: "constraint", analyst.RBAC: "rbac"}
        kinds.update({analyst.TERULE: "rule", analyst.DONTAUDIT: "rule"})
        kind = kinds.get(code, "")
        return Why(kind, tuple((name, bool(state)) for name, state in data) if kind == "boolean" else ())

    def _bindings(self) -> Any:
        """selinux.audit2why, which reads the policy once; None where it is not to be had."""
        if self._analyst is None:
            self._analyst = False
            try:
                from selinux import audit2why  # the distribution's, and on no machine that has no SELinux

                if self._on and not audit2why.init():
                    self._analyst = audit2why
            except (ImportError, ValueError, RuntimeError, SystemError):
                pass  # without it, only well-known booleans are proposed
        return self._analyst or None

    def boolean(self, name: str) -> Optional[bool]:
        text = _read(f"{_SELINUXFS}/booleans/{name}")
        return text.startswith("1") if text else None

    def label(self, path: str) -> str:
        try:
            return os.getxattr(path, "security.selinux", follow_symlinks=False).rstrip(b"\0").decode("utf-8", "surrogateescape")
        except OSError:
            return ""

    def default_label(self, path: str) -> str:
        if self._library is None:
            return ""
        if self._handle is None:
            self._library.selabel_open.restype = ctypes.c_void_p
            self._handle = self._library.selabel_open(_CTX_FILE, None, 0) or 0
        context = ctypes.c_char_p()
        try:
            mode = os.lstat(path).st_mode
        except OSError:
            return ""
        found = self._handle and self._library.selabel_lookup_raw(ctypes.c_void_p(self._handle), ctypes.byref(context), os.fsencode(path), mode) == 0
        if not found or context.value is None:
            return ""
        text = context.value.decode("utf-8", "surrogateescape")
        self._library.freecon(context)
        return "" if text == "<<none>>" else text

    def customizable(self, context: str) -> bool:
        return self._library is not None and self._library.is_context_customizable(context.encode("utf-8", "surrogateescape")) > 0

    def find(self, wanted: Iterable[Tuple[str, int]], places: Iterable[str], limit: int) -> Dict[Tuple[str, int], str]:
        missing = set(wanted)
        found: Dict[Tuple[str, int], str] = {}
        waiting: List[str] = list(places)[::-1]
        while waiting and missing and limit > 0:
            directory = waiting.pop()
            try:
                entries = list(os.scandir(directory))
            except OSError:
                continue
            limit -= len(entries)
            for entry in entries:
                key = (entry.name, entry.inode())
                if key in missing:
                    missing.remove(key)
                    found[key] = entry.path
                if entry.is_dir(follow_symlinks=False) and not os.path.ismount(entry.path):
                    waiting.append(entry.path)
        return found


def _store() -> str:
    """Directory of the store in force, "" where there is none; the second is that of libsemanage before 2.4."""
    kind = next((line.partition("=")[2].strip() for line in _read(_CONFIG).splitlines() if line.startswith("SELINUXTYPE=")), "")
    places = (f"{_STORES}/{kind}/active", f"/etc/selinux/{kind}/modules/active")
    return next((place for place in places if kind and os.path.isdir(place)), "")


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as source:
            return source.read().strip()
    except OSError:
        return ""
