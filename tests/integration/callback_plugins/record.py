# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes each task's result to a file, with what the task did to a directory of the file system."""

import json
import os
import stat
import time
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: record
type: notification
short_description: Results and file system changes as lines of JSON
description:
  - Appends a line per result to the file that RECORD_FILE names.
  - With RECORD_WATCH it says which paths below that directory differ from before the task.
"""

_DEPTH = 2  # levels of the directory that are written out


def _listing(top: str) -> dict[str, tuple[Any, ...]]:
    found = {}
    for directory, directories, files in os.walk(top):
        for name in (*directories, *files):
            path = os.path.join(directory, name)
            seen = os.lstat(path)
            target = os.readlink(path) if stat.S_ISLNK(seen.st_mode) else ""
            lasting = (seen.st_mode, seen.st_uid, seen.st_gid, target)
            passing = (seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns, 0 if stat.S_ISDIR(seen.st_mode) else seen.st_size)
            found[os.path.relpath(path, top)] = (lasting, passing)
    return found


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "record"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._watch = os.environ.get("RECORD_WATCH", "")
        self._before = _listing(self._watch)
        self._start = time.monotonic()

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._start = time.monotonic()

    def _record(self, result: Any, failed: bool = False) -> None:
        seconds = time.monotonic() - self._start
        host, task, content = (getattr(result, name, None) or getattr(result, f"_{name}") for name in ("host", "task", "result"))
        after = _listing(self._watch)
        paths = sorted(path for path in {*self._before, *after} if self._before.get(path) != after.get(path))
        # A directory's times tell of what came and went in it; that is allowed where the host is to be as before.
        differs = [path for path in paths if not _same_but_times(self._before.get(path), after.get(path))]
        shown = {path: seen[0][3] or oct(stat.S_IMODE(seen[0][0])) for path, seen in after.items() if path.count("/") < _DEPTH}
        self._before = after
        line = dict(host=host.get_name(), task=task.get_name(), failed=failed, result=content, seconds=seconds)
        line.update(touched=paths, differs=differs, shown=shown)
        with open(os.environ["RECORD_FILE"], "a") as file:
            file.write(json.dumps(line, default=str) + "\n")

    def v2_runner_on_ok(self, result: Any) -> None:
        self._record(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._record(result, failed=True)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._record(result, failed=True)


def _same_but_times(before: Any, after: Any) -> bool:
    if before is None or after is None:
        return False
    return bool(before == after or (stat.S_ISDIR(before[0][0]) and before[0] == after[0]))
