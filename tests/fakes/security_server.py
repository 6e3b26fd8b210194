# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A policy of a few rules, and the files of a host, as the port SecurityServer shows them."""

from typing import Dict, Iterable, Mapping, Optional, Sequence, Tuple

from ansible_collections.gohost.linux.plugins.module_utils.selinux.denials.security_server import Access, SecurityServer, Why

_CLASSES = {"file", "dir", "tcp_socket", "udp_socket", "capability", "process", "process2"}


class FakeSecurityServer(SecurityServer):
    """rules: "source target class" → permissions. types: those that exist besides the ones in rules. silent_rules: dontaudit, as rules.

    labels, defaults: path → context. whys: "source target class" → Why; without any, there are no bindings.
    """

    def __init__(
        self,
        rules: Optional[Mapping[str, str]] = None,
        types: str = "",
        silent_rules: Optional[Mapping[str, str]] = None,
        booleans: Optional[Mapping[str, bool]] = None,
        labels: Optional[Mapping[str, str]] = None,
        defaults: Optional[Mapping[str, str]] = None,
        whys: Optional[Mapping[str, Why]] = None,
        customizable_types: Sequence[str] = (),
        files: Optional[Mapping[Tuple[str, int], str]] = None,
        ports: Optional[Mapping[Tuple[str, int], str]] = None,
    ) -> None:
        self.rules = {key: set(text.split()) for key, text in (rules or {}).items()}
        self.silent_rules = {key: set(text.split()) for key, text in (silent_rules or {}).items()}
        self.types = set(types.split()) | {name for key in self.rules for name in key.split()[:2]}
        self.booleans, self.whys = booleans or {}, whys
        self.labels, self.defaults = labels or {}, defaults or {}
        self.customizable_types, self.files, self.ports = customizable_types, files or {}, ports or {}

    def mode(self) -> str:
        return "enforcing"

    def silent(self) -> Optional[bool]:
        return True

    def access(self, source: str, target: str, tclass: str) -> Optional[Access]:
        names = [context.split(":")[2] for context in (source, target)]
        if tclass not in _CLASSES or not set(names) <= self.types:
            return None
        key = " ".join([*names, tclass])
        return Access(frozenset(self.rules.get(key, set())), frozenset(self.silent_rules.get(key, set())))

    def reasons(self) -> bool:
        return self.whys is not None

    def why(self, source: str, target: str, tclass: str, permissions: Tuple[str, ...]) -> Why:
        if self.whys is None:
            return Why("")
        return self.whys.get(" ".join([source.split(":")[2], target.split(":")[2], tclass]), Why("rule"))

    def boolean(self, name: str) -> Optional[bool]:
        return self.booleans.get(name)

    def port(self, protocol: str, number: int) -> str:
        return self.ports.get((protocol, number), "")

    def label(self, path: str) -> str:
        return self.labels.get(path, "")

    def default_label(self, path: str) -> str:
        return self.defaults.get(path, "")

    def customizable(self, context: str) -> bool:
        return context.split(":")[2] in self.customizable_types

    def find(self, wanted: Iterable[Tuple[str, int]], places: Iterable[str], limit: int) -> Dict[Tuple[str, int], str]:
        return {key: self.files[key] for key in wanted if key in self.files and limit}
