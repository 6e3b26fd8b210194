# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does what the plan says: equivalences staged, one commit, equivalences renamed, booleans, labels. A commit that fails leaves the host as it was."""

import contextlib
import time
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence

from ..errors import GoHostError
from ..host import Host, explained
from .labels import Labels, Relabel
from .model import NOT_INSTALLED, NOT_LOADED, ModuleState, Pending, Place, PolicyModule
from .parse import complaint, render_pending
from .plan import Decision
from .store import PolicyStore, StoreError


class Site(NamedTuple):
    """Where a decision is carried out."""

    host: Host
    store: PolicyStore
    labels: Labels
    place: Place


class Done(NamedTuple):
    """commit: the number of the commit, None where there was none; seconds: by part."""

    commit: Optional[int]
    seconds: Dict[str, float]


def apply(site: Site, decision: Decision, subs_before: str, todo: Sequence[Relabel], pending: Pending, reload: bool, began: float) -> Done:
    """Carry out a decision within the store's transaction, if it needs one, which this ends.

    pending: rules whose files wait for labels from before the commit on; empty where nobody asked for them. began: when the transaction did (time.monotonic).
    """
    number: Optional[int] = None
    seconds: Dict[str, float] = {}
    if decision.needs_commit:
        with _staged(site, decision, subs_before, pending):
            number = _commit(site, decision, reload)
        seconds["commit"] = time.monotonic() - began
    elif decision.subs != subs_before:
        with _staged(site, decision, subs_before, pending):
            pass
    if decision.unfinished == NOT_LOADED and number is None:
        site.store.load()
    if decision.activated:
        site.store.activate(decision.activated)
    labelling = time.monotonic()
    site.labels.apply(todo)
    _label_store(site)
    if site.host.stat(site.place.pending) is not None and pending != Pending():
        site.host.remove(site.place.pending)
    seconds["labels"] = time.monotonic() - labelling
    return Done(number, seconds)


def _label_store(site: Site) -> None:
    """What a commit writes below another root has no labels but these: a running SELinux gives its own system's. A tree without any stays without."""
    top = len(site.place.root.rstrip("/"))
    if top:
        store, *others = [path[top:] for path in site.place.written]
        found = site.labels.wrong([store, *others])
        if not any(relabel.path.endswith(store) and not relabel.old for relabel in found):
            site.labels.apply(found)


@contextlib.contextmanager
def _staged(site: Site, decision: Decision, subs_before: str, pending: Pending) -> Iterator[None]:
    """What libsemanage does not hold, written beside its place, and put there when what is done within succeeds."""
    host, place = site.host, site.place
    waiting = host.read(place.pending) if host.stat(place.pending) is not None else None
    staged = decision.subs != subs_before
    try:
        if pending != Pending():
            _replace(host, place.pending, render_pending(pending), 0o600)
        _discard(host, place.staged_subs)
        if staged:
            seen = host.stat(place.subs)
            host.create(place.staged_subs, 0o644 if seen is None else seen.mode, [decision.subs.encode("utf-8", "surrogateescape")])
            host.sync(place.policy)
        yield
    except (GoHostError, OSError) as error:
        _discard(host, place.staged_subs)
        if waiting is not None:
            _replace(host, place.pending, waiting, 0o600)
        else:
            _discard(host, place.pending)
        if isinstance(error, OSError):
            raise explained(error) from None
        raise
    if staged:
        host.rename(place.staged_subs, place.subs)


def _discard(host: Host, path: str) -> None:
    if host.stat(path) is not None:
        host.remove(path)


def _replace(host: Host, path: str, data: bytes, mode: int) -> None:
    new = f"{path}.gohost-new"
    _discard(host, new)
    host.create(new, mode, [data])
    host.rename(new, path)


def _commit(site: Site, decision: Decision, reload: bool) -> int:
    store = site.store
    edits = decision.committed
    # A module's state is of what is there when its records are.
    ordered = sorted(edits, key=lambda edit: isinstance(edit.record, ModuleState))
    try:
        for edit in ordered:
            if edit.after is None:
                store.drop(edit.record)  # type: ignore[arg-type]
            else:
                store.put(edit.after)  # type: ignore[arg-type]
        return store.commit(decision.unfinished == NOT_INSTALLED, reload)
    except StoreError as error:
        modules: List[PolicyModule] = [edit.after for edit in edits if isinstance(edit.after, PolicyModule)]
        said, where = complaint(error.said, modules)
        left = _undone(store)
        what = f"the policy was not committed, {left}"
        raise GoHostError(what, said or error.value, where and f"It means {where}") from None
    finally:
        store.abandon()


def _undone(store: PolicyStore) -> str:
    """After a failed commit: libsemanage puts its store back, but where loading failed it leaves the new policy installed (semanage_store.c)."""
    try:
        store.abandon()
        if store.unfinished(False):
            store.begin()
            store.commit(True, False)
    except GoHostError as error:
        return f"and what it has installed could not be taken back ({error}); the next run tries again"
    return "and nothing is changed"
