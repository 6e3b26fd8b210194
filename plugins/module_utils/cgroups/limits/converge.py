# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of one call: observe, plan, apply, observe again."""

import time
from typing import List, NamedTuple, Tuple

from ...errors import GoHostError
from ...host import Host
from .apply import apply, wake
from .directives import share
from .dropins import LASTING
from .model import Seen, UnitState, Wanted
from .observe import observe, reread
from .plan import RELOAD, RESTART, Decision, beside, gone, plan, settled, unheld

_SETTLED = 2.0  # seconds for services that were restarted, and for systemd to write to the kernel's files
_PAUSE = 0.1
_LAZY = 256  # 257 reads limits at a reload, and writes those of units that run only when something is started beside them (Debian 13, cgroup v1 and v2)
_QUOTA_V1 = "On cgroup v1 the kernel takes no CPU quota above that of the slice, nor below that of what is in it."


class Outcome(NamedTuple):
    """before: the host as it was found; decision: what was done, or in check mode is to be done; after: what the host has then."""

    before: Seen
    decision: Decision
    after: Seen


def converge(host: Host, wanted: Wanted, check: bool = False, lock_timeout: float = 60.0) -> Outcome:
    """Set the limits as wanted, or with check say what that takes."""
    if check:
        seen = observe(host, wanted)
        decision = plan(wanted, seen)
        return Outcome(seen, decision, seen)
    with host.lock(LASTING, lock_timeout):
        seen = observe(host, wanted)
        decision = plan(wanted, seen)
        if not decision.plan.changed:
            return Outcome(seen, decision, seen)
        changed = [unit for row in decision.rows for unit in gone(row)] if seen.systemd >= _LAZY else ()
        apply(host, decision.plan, beside(changed))
        if decision.plan.of(RESTART) or any(share(*each) for wish in wanted.wishes for each in wish.settings.items()):
            return Outcome(seen, decision, _verified(host, wanted, _again(host, wanted, seen)))
        after = reread(host, seen, wanted)
        return Outcome(seen, decision, after if settled(decision, after) else _verified(host, wanted, after))


def _again(host: Host, wanted: Wanted, before: Seen) -> Seen:
    """The host as it is now, but for what else runs there: whoever came or went meanwhile is for the next run."""
    return observe(host, wanted)._replace(occupants=before.occupants)


def _verified(host: Host, wanted: Wanted, seen: Seen) -> Seen:
    """What the host has when all is as wanted, for which it gets a little time."""
    end = time.monotonic() + _SETTLED
    decision = plan(wanted, seen)
    missed = _missed(decision, seen)
    if missed and seen.systemd >= _LAZY:
        wake(host, beside(unit for unit, _what in missed))
        seen = _again(host, wanted, seen)
        decision = plan(wanted, seen)
    again = True
    while decision.plan.changed and time.monotonic() < end:
        time.sleep(_PAUSE)
        seen = _again(host, wanted, seen)
        decision = plan(wanted, seen)
        if again and [step.action for step in decision.plan.steps] == [RELOAD]:
            # On v1 systemd lowers a slice's quota before that of what is in it, which the kernel takes only afterwards.
            apply(host, decision.plan, beside(unit for unit, _what in _missed(decision, seen)))
            again = False
    if not decision.plan.changed:
        return seen
    missed = _missed(decision, seen)
    if missed:
        what = ", ".join(what for _unit, what in missed)
        hint = _QUOTA_V1 if " CPUQuota=" in what and seen.cgroup != "v2" else "systemctl status and the journal may say why."
        raise GoHostError("the kernel does not have what systemd was told", what, hint)
    left = decision.plan.steps[0]
    raise GoHostError("the host is not as it should be after the run", f"{left.action} {left.thing}", "Does something else change it?")


def _missed(decision: Decision, seen: Seen) -> List[Tuple[UnitState, str]]:
    return [each for row in decision.rows for each in unheld(row, seen)]
