# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are only names and contexts, labelled by rules as libselinux reads them."""

import re
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.selinux.file_contexts import text
from ansible_collections.gohost.linux.plugins.module_utils.selinux.labels import INSTALLED, Change, Labels, Relabel, Rules
from ansible_collections.gohost.linux.plugins.module_utils.selinux.model import NONE, Context, Fcontext
from ansible_collections.gohost.linux.plugins.module_utils.selinux.parse import equivalences


class FakeLabels(Labels):
    """files: path to context; a path that others lie below is a directory, every other one a regular file.

    installed: what the host's policy says now, asked each time, so that it can be what a fake store holds.
    """

    def __init__(
        self,
        files: Dict[str, str],
        installed: Callable[[], Rules] = lambda: Rules("", "", ""),
        customizable: Sequence[str] = (),
        on: bool = True,
    ) -> None:
        self.files = files
        self.installed = installed
        self.customizable = customizable
        self.on = on
        self.applied: List[Relabel] = []

    def enabled(self) -> bool:
        return self.on

    def check(self, records: Sequence[Fcontext]) -> None:
        for record in records:
            try:
                re.compile(record.target)
            except re.error as error:
                raise GoHostError(f"not a regular expression ({error})", record.target) from None

    def wrong(self, paths: Sequence[str], rules: Rules = INSTALLED, force: bool = False) -> List[Relabel]:
        return [found for found in self._all(rules, force) if any(_below(found.path, path) for path in paths)]

    def affected(self, change: Change, rules: Rules = INSTALLED, force: bool = False) -> List[Relabel]:
        marked = [record._replace(setype="changed_t") for record in change.fcontexts]
        alone = Rules("", text(marked), self._in_force(rules).subs)
        return [
            found
            for found in self._all(rules, force)
            if any(_below(found.path, each.path) for each in change.equivalences) or self._lookup(found.path, alone) not in ("", NONE)
        ]

    def apply(self, todo: Sequence[Relabel]) -> None:
        for relabel in todo:
            if relabel.path in self.files:
                self.files[relabel.path] = relabel.new
                self.applied.append(relabel)

    def _in_force(self, rules: Rules) -> Rules:
        return Rules(*[now if wished is None else wished for wished, now in zip(rules, self.installed())])

    def _all(self, rules: Rules, force: bool) -> List[Relabel]:
        found = []
        for path, old in sorted(self.files.items()) if self.on else ():
            new = self._lookup(path, self._in_force(rules))
            if new in ("", NONE, old):
                continue
            if old and not force:
                before, after = Context.parse(old), Context.parse(new)
                if before.type in (after.type, *self.customizable):
                    continue
                new = str(before._replace(type=after.type))
            found.append(Relabel(path, old, new))
        return found

    def _lookup(self, path: str, rules: Rules) -> str:
        """The context of the last rule that matches, plain paths before regular expressions; "" without any."""
        flag = "-d" if any(_below(other, path) and other != path for other in self.files) else "--"
        for alias in equivalences(rules.subs or ""):
            if _below(path, alias.path):
                path = alias.source + path[len(alias.path) :]
                break
        best: Optional[Tuple[bool, str]] = None
        for row in ((rules.policy or "") + (rules.local or "")).splitlines():
            target, *flags, context = row.split()
            plain = re.search(r"[.^$?*+|\[({]", re.sub(r"\\.", "", target)) is None
            if (not flags or flags[0] == flag) and re.fullmatch(target, path) and (best is None or plain >= best[0]):
                best = (plain, context)
        return best[1] if best else ""


def _below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")
