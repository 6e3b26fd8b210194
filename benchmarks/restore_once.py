# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore the labels below a path and print the seconds: what the module does, without Ansible and the interpreter's start around it."""

import sys
import time

start = time.perf_counter()
from ansible_collections.gohost.linux.plugins.module_utils.selinux.labels import LocalLabels  # noqa: E402 (its import is part of the cost)

labels = LocalLabels()
labels.apply(labels.wrong(sys.argv[1:]))
print(time.perf_counter() - start)
