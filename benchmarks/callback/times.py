# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what each task took, on each host, to the file that BENCH_TIMES names: a line of JSON [task, host, seconds]."""

import json
import os
import time
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: times
type: aggregate
short_description: Seconds per task and host
description: For the benchmarks of this project.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "times"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._starts: dict[tuple[str, str], float] = {}

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        self._starts[host.name, task._uuid] = time.perf_counter()

    def v2_runner_on_ok(self, result: Any) -> None:
        end = time.perf_counter()
        with open(os.environ["BENCH_TIMES"], "a") as log:
            log.write(json.dumps([result._task.name, result._host.name, end - self._starts[result._host.name, result._task._uuid]]) + "\n")
