# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore the labels below a path: what the module does, without Ansible around it."""

import sys

from ansible_collections.gohost.linux.plugins.module_utils.selinux.labels import LocalLabels

labels = LocalLabels()
labels.apply(labels.wrong(sys.argv[1:]))
