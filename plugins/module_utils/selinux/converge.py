# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of one call: observe, plan, apply, observe again."""

import time
from typing import List, NamedTuple, Optional, Tuple

from ..errors import GoHostError
from ..plan import Plan, Step
from .apply import Done, Site, apply
from .file_contexts import filecons, policy_text
from .file_contexts import text as rules_text
from .labels import Change, Relabel, Rules, merged
from .model import LOST, NOT_INSTALLED, Equivalence, Fcontext, Pending, Seen, Wanted
from .observe import observe, text
from .plan import Decision, module_rules, plan


class Outcome(NamedTuple):
    """What a call does or, in check mode, would do. relabelled: in the order of their paths; done: None where nothing was done."""

    decision: Decision
    relabelled: Tuple[Relabel, ...]
    warnings: Tuple[str, ...]
    done: Optional[Done]

    @property
    def plan(self) -> Plan:
        labels = tuple(Step("label", f"label {relabel.path}", relabel.old or None, relabel.new) for relabel in self.relabelled)
        return Plan(self.decision.plan.steps + labels)


class _Prediction(NamedTuple):
    seen: Seen
    decision: Decision
    todo: List[Relabel]
    pending: Pending
    warnings: Tuple[str, ...]


def converge(site: Site, wanted: Wanted, check: bool = False) -> Outcome:
    """Make the store and its files as wanted, or with check say what that takes."""
    try:
        return _converged(site, wanted, check)
    finally:
        site.store.abandon()


def _converged(site: Site, wanted: Wanted, check: bool) -> Outcome:
    start = time.monotonic()
    predicted = _predicted(site, wanted)
    if check:
        return _outcome(predicted, None)
    recovered = predicted.seen.unfinished == LOST
    if recovered:
        site.store.recover()
        predicted = _predicted(site, wanted, LOST)
    if not predicted.decision.plan.changed and not predicted.todo and predicted.pending == Pending():
        return _outcome(predicted, None)
    began = time.monotonic()
    if predicted.decision.needs_commit:
        site.store.begin()
        if observe(site.host, site.store, site.place, wanted)._replace(unfinished=predicted.seen.unfinished) != predicted.seen:
            predicted = _predicted(site, wanted, LOST if recovered else "")  # somebody was faster
    decision = predicted.decision
    done = apply(site, decision, predicted.seen.subs, predicted.todo, predicted.pending, wanted.reload, began)
    left = plan(wanted, observe(site.host, site.store, site.place, wanted)).plan.steps
    if left:
        raise GoHostError("the policy is not as it should be after the run", f"{left[0].thing}: {left[0].before}", "Does something else change it?")
    return _outcome(predicted, done._replace(seconds=dict(done.seconds, total=time.monotonic() - start)))


def _outcome(predicted: _Prediction, done: Optional[Done]) -> Outcome:
    return Outcome(predicted.decision, tuple(predicted.todo), predicted.warnings, done)


def _predicted(site: Site, wanted: Wanted, unfinished: str = "") -> _Prediction:
    """unfinished: what this run has already put right, which is part of what it changes."""
    seen = observe(site.host, site.store, site.place, wanted)
    if seen.unfinished == LOST:
        decision = Decision((), LOST, (), "", (), ())
        return _Prediction(seen, decision, [], Pending(), ("a killed commit has left the store unreadable: what else changes is known when that is put right",))
    seen = seen._replace(unfinished=seen.unfinished or unfinished)
    decision = plan(wanted, seen)
    site.labels.check([edit.after for edit in decision.edits if isinstance(edit.after, Fcontext)])
    if not wanted.restore.asked or not site.labels.enabled():
        idle = wanted.restore.asked and ("SELinux is disabled: no labels are set",)
        return _Prediction(seen, decision, [], Pending(), decision.warnings + (idle or ()))
    added: List[Fcontext] = []
    removed: List[Fcontext] = []
    unread: List[str] = []
    for texts, records in zip(module_rules(decision.edits), (added, removed)):
        for cil in texts:
            found, strange = filecons(cil)
            records += found
            unread += [f"labels of a module's statement that cannot be read are not restored: {statement}" for statement in strange]
    # What is installed already is used as it is, for it is compiled.
    stale = seen.unfinished == NOT_INSTALLED
    rules = Rules(
        policy=policy_text(text(site.host, site.place.stored_file_contexts), added, removed) if added or removed or stale else None,
        local=rules_text(decision.fcontexts) if stale or any(isinstance(edit.record, Fcontext) for edit in decision.edits) else None,
        subs=decision.subs if decision.subs != seen.subs else None,
    )
    pending = _affecting(decision, added + removed, seen.pending) if wanted.restore.changed else Pending()
    restore = wanted.restore
    todo = merged(
        site.labels.wrong(restore.paths, rules, restore.force) if restore.paths else [],
        site.labels.affected(Change(pending.fcontexts, pending.equivalences), rules, restore.force) if pending != Pending() else [],
    )
    return _Prediction(seen, decision, todo, pending, decision.warnings + tuple(unread))


def _affecting(decision: Decision, filecon: List[Fcontext], waiting: Pending) -> Pending:
    """All rules that this call changes, in their old and new form, and those that a killed one has."""
    records = [record for edit in decision.edits for record in (edit.before, edit.after)]
    fcontexts = [*waiting.fcontexts, *(record for record in records if isinstance(record, Fcontext)), *filecon]
    moved = [*waiting.equivalences, *(record for record in records if isinstance(record, Equivalence))]
    return Pending(tuple(sorted(set(fcontexts))), tuple(sorted(set(moved))))
