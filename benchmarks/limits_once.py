# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limit units and print the seconds, without Ansible and the interpreter's start around it. ours | floor UNIT…

floor: what cannot be done without: a file for each unit, and one daemon-reload. What AnsibleModule imports in any case is there before both.
"""

import contextlib
import ctypes
import enum
import fcntl
import fnmatch
import functools
import hashlib
import locale
import re
import shlex
import shutil
import subprocess
import sys
import time
import typing

LIMITS = dict(memory_max="256MiB", cpu_quota="150%", tasks_max="100")
TEXT = "[Service]\nMemoryMax=256M\nCPUQuota=150%\nTasksMax=100\n"


def ours(units: "list[str]") -> None:
    from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.converge import converge
    from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.options import wanted
    from ansible_collections.gohost.linux.plugins.module_utils.host import CommandResult, LocalHost

    class Machine(LocalHost):
        def run(self, argv: "list[str]") -> CommandResult:
            ended = subprocess.run(argv, capture_output=True, text=True, check=False)
            return CommandResult(tuple(argv), ended.returncode, ended.stdout, ended.stderr)

    common = dict(state="present", runtime=False, go_runtime="auto", memory_headroom=0.9, memory_share=None)
    converge(Machine(), wanted(dict(units=[dict(common, unit=unit, **LIMITS) for unit in units], restart="never", force=False)))


def floor(units: "list[str]") -> None:
    import os

    for unit in units:
        directory = f"/etc/systemd/system/{unit}.d"
        os.makedirs(directory, exist_ok=True)
        with open(f"{directory}/90-floor.conf", "w") as target:
            target.write(TEXT)
    subprocess.run(["systemctl", "daemon-reload"], check=True)


IMPORTED = (contextlib, ctypes, enum, fcntl, fnmatch, functools, hashlib, locale, re, shlex, shutil, typing)
start = time.perf_counter()
{"ours": ours, "floor": floor}[sys.argv[1]](sys.argv[2:])
print(time.perf_counter() - start)
