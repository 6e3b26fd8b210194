# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of one call: observe, plan, apply, observe again."""

from typing import TYPE_CHECKING, Dict, Mapping, NamedTuple, Sequence

from ..errors import GoHostError
from ..host import Host
from .model import Candidate, HttpSettings, Layout, Seen, Wanted
from .observe import observe, store_state
from .plan import Decision, plan
from .store import alone, clean, preflight

if TYPE_CHECKING:
    from .apply import Installed


class Outcome(NamedTuple):
    """done is False in check mode, when nothing had to be done, and when archives are missing for which no candidates came."""

    before: Seen
    decision: Decision
    after: Seen
    installed: Dict[str, "Installed"]
    done: bool


def converge(
    host: Host, wanted: Wanted, candidates: Mapping[str, Sequence[Candidate]], settings: HttpSettings, lock_timeout: float = 300.0, check: bool = False
) -> Outcome:
    """Make the host as wanted, or with check say what that takes. candidates are by version, in the order to try."""
    layout = Layout(wanted.root)
    if check:
        return _predicted(host, wanted)
    with alone(host, layout, lock_timeout, create=bool(candidates)):
        clean(host, layout, store_state(host, layout))
        outcome = _predicted(host, wanted)
        seen, decision = outcome.before, outcome.decision
        if set(decision.archives) - set(candidates) or (not decision.plan.changed and decision.state == seen.state):
            return outcome
        from .apply import Site, apply  # with archives and downloads, half of all code: most calls change nothing

        installed = apply(Site(host, layout, seen.arch, seen.state, settings), decision, candidates)
        after = observe(host, wanted._replace(verify="quick"))
        left = plan(wanted, after).plan.steps
        if left:
            raise GoHostError("the host is not as it should be after the run", f"{left[0].action} {left[0].thing}", "Does something else change it?")
        return Outcome(seen, decision, after, installed, True)


def _predicted(host: Host, wanted: Wanted) -> Outcome:
    seen = observe(host, wanted)
    decision = plan(wanted, seen)
    preflight(host, decision)
    return Outcome(seen, decision, seen, {}, False)
