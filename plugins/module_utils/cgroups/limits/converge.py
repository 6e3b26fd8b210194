# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of one call: observe, plan, apply, observe again."""

import time
from typing import NamedTuple, Tuple

from ...errors import GoHostError
from ...host import Host
from ...plan import Plan
from .apply import apply
from .model import Seen, Wanted
from .observe import LASTING, observe
from .plan import Decision, plan, unheld

_SETTLED = 2.0  # seconds for services that were restarted, and for systemd to write to the kernel's files
_PAUSE = 0.1


class Outcome(NamedTuple):
    """plan: what was done, or is to be done in check mode; seen and decision: of the host as it is then."""

    plan: Plan
    seen: Seen
    decision: Decision


def converge(host: Host, wanted: Wanted, check: bool = False, lock_timeout: float = 60.0) -> Outcome:
    """Set the limits as wanted, or with check say what that takes."""
    if check:
        seen = observe(host, wanted)
        decision = plan(wanted, seen)
        return Outcome(decision.plan, seen, decision)
    with host.lock(LASTING, lock_timeout):
        seen = observe(host, wanted)
        decision = plan(wanted, seen)
        if not decision.plan.changed:
            return Outcome(decision.plan, seen, decision)
        apply(host, decision.plan)
        return Outcome(decision.plan, *_verified(host, wanted))


def _verified(host: Host, wanted: Wanted) -> Tuple[Seen, Decision]:
    end = time.monotonic() + _SETTLED
    while True:
        seen = observe(host, wanted)
        decision = plan(wanted, seen)
        if not decision.plan.changed:
            return seen, decision
        if time.monotonic() >= end:
            break
        time.sleep(_PAUSE)
    missed = [what for row in decision.rows for what in unheld(row, seen)]
    if missed:
        raise GoHostError("the kernel does not have what systemd was told", ", ".join(missed), "systemctl status and its journal may say why.")
    left = decision.plan.steps[0]
    raise GoHostError("the host is not as it should be after the run", f"{left.action} {left.thing}", "Does something else change it?")
