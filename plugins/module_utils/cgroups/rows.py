# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records as modules return them. Pure."""

from typing import Any, Dict, Optional

from .model import Bound, Effective
from .parse import cpu_text


def effective(limits: Effective) -> Dict[str, Any]:
    """The tightest limits, and the cgroups or units that set them."""
    row: Dict[str, Any] = dict(cpuset=cpu_text(limits.cpuset))
    bounds: Dict[str, Optional[Bound]] = dict(cpus=limits.cpus, memory=limits.memory, memory_high=limits.high, swap=limits.swap, tasks=limits.tasks)
    for name, bound in bounds.items():
        row[name] = None if bound is None else bound.value
        if name in ("cpus", "memory", "tasks"):
            row[f"{name}_by"] = "" if bound is None else bound.node.path
    return row
