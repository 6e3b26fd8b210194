# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is wished of a policy and what is seen of it to what must change. Pure."""

from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple, cast

from ..errors import GoHostError
from ..plan import Plan, Step, Value
from .model import (
    FTYPES,
    NONE,
    NOT_INSTALLED,
    PERMISSIVE,
    Boolean,
    Equivalence,
    Fcontext,
    FcontextKey,
    Installed,
    ModuleKey,
    ModuleState,
    PolicyModule,
    Port,
    PortKey,
    Record,
    Scope,
    Seen,
    Wanted,
    permissive_module,
)
from .parse import below, changed_equivalences, declared_booleans, equivalences, literal, plain, substituted, under

FINISH = "policy store"
_PRIORITY = 400  # of the administrator's modules (semanage.conf(5), semodule(8))


class Edit(NamedTuple):
    """One record that changes. kind: as the option is named; thing: unique in a plan; before, after: the local record, None where there is none.

    was: what the distribution's policy says where there was no local record.
    """

    kind: str
    thing: str
    before: Optional[Record]
    after: Optional[Record]
    was: str = ""

    @property
    def record(self) -> Record:
        return cast(Record, self.before if self.after is None else self.after)

    @property
    def step(self) -> Step:
        before: Value = f"{self.was} (policy)" if self.before is None and self.was else describe(self.before)
        return Step(self.kind, self.thing, before, describe(self.after))


class Written(NamedTuple):
    """A wished rule as it is in file_contexts.local. target: as it was wished; shadowed_by: a later rule that decides for all its files, or ""."""

    target: str
    ftype: str
    written: str
    shadowed_by: str


class Decision(NamedTuple):
    """What a call will do. unfinished: what is to be finished first; fcontexts: all local rules afterwards, in their order; subs: file_contexts.subs then."""

    edits: Tuple[Edit, ...]
    unfinished: str
    fcontexts: Tuple[Fcontext, ...]
    subs: str
    written: Tuple[Written, ...]
    warnings: Tuple[str, ...]

    @property
    def plan(self) -> Plan:
        finish = (Step("finish", FINISH, self.unfinished, "finished"),) if self.unfinished else ()
        return Plan(finish + tuple(edit.step for edit in self.edits))

    @property
    def committed(self) -> Tuple[Edit, ...]:
        """What libsemanage's transaction holds."""
        return tuple(edit for edit in self.edits if not isinstance(edit.record, Equivalence) and getattr(edit.record, "persistent", True))

    @property
    def needs_commit(self) -> bool:
        return bool(self.committed) or self.unfinished == NOT_INSTALLED

    @property
    def activated(self) -> Dict[str, bool]:
        """Booleans to set in the running kernel."""
        return {edit.record.name: edit.record.state for edit in self.edits if isinstance(edit.record, Boolean) and not edit.record.persistent}


def describe(record: Optional[Record]) -> Value:
    """A record's value, without what its name says."""
    if isinstance(record, Fcontext):
        return record.context or NONE
    if isinstance(record, Equivalence):
        return record.source
    if isinstance(record, Port):
        return ":".join(part for part in (record.setype, record.selevel) if part)
    if isinstance(record, Boolean):
        return "on" if record.state else "off"
    if isinstance(record, ModuleState):
        return "enabled" if record.enabled else "disabled"
    if isinstance(record, PolicyModule):
        return "permissive" if record.name.startswith(PERMISSIVE) else record.cil
    return None


def plan(wanted: Wanted, seen: Seen) -> Decision:
    warnings: List[str] = []
    edits = _equivalences(wanted, seen)
    changes = {edit.record.path: edit.after and edit.after.source for edit in edits}  # type: ignore[union-attr]
    subs = changed_equivalences(seen.subs, changes) if changes else seen.subs
    fcontext_edits, written = _fcontexts(wanted, seen, subs, warnings)
    edits += fcontext_edits
    edits += _ports(wanted, seen, warnings)
    edits += _booleans(wanted, seen)
    edits += _modules(wanted, seen, warnings)
    edits += _permissive(wanted, seen, warnings)
    rules = merged_rules(seen.fcontexts, fcontext_edits)
    shown = tuple(Written(target, ftype, rule.target, _shadow(rule, rules)) for target, ftype, rule in written)
    changed = {edit.thing for edit in fcontext_edits}
    moved = [one for one in shown if one.written != one.target and _thing("fcontext", one.written, one.ftype) in changed]
    warnings += [f"{one.target} is written as {one.written}, by which an equivalence looks its files up" for one in moved]
    warnings += _shadows(rules, {(rule.target, rule.ftype) for _target, _ftype, rule in written}, changed)
    return Decision(tuple(edits), seen.unfinished, tuple(rules), subs, shown, tuple(warnings))


def _thing(kind: str, *words: object) -> str:
    return " ".join((kind, *map(str, words)))


def _equivalences(wanted: Wanted, seen: Seen) -> List[Edit]:
    now = {record.path: record.source for record in reversed(equivalences(seen.subs))}
    wished = dict(wanted.equivalences)
    scope = wanted.purge.get("equivalences")
    wished.update({path: None for path in now if path not in wished and scope is not None and under(path, scope.prefix)})
    left = {path for path in now if wished.get(path, "kept") is not None}
    left |= {record.path for record in equivalences(seen.dist_subs)}
    edits = []
    for path, source in sorted(wished.items()):
        if now.get(path) == source:
            continue
        if source is not None and path not in now:
            hidden = sorted(other for other in left - set(wished) if other.startswith(path + "/"))
            if hidden:
                raise GoHostError("this equivalence would hide another one", f"{path}: {hidden[0]}", "Remove that one, or choose a path beside it.")
        before = Equivalence(path, now[path]) if path in now else None
        edits.append(Edit("equivalences", _thing("equivalence", path), before, None if source is None else Equivalence(path, source)))
    return edits


def _fcontexts(wanted: Wanted, seen: Seen, subs: str, warnings: List[str]) -> Tuple[List[Edit], List[Tuple[str, str, Fcontext]]]:
    local, distribution = equivalences(subs), equivalences(seen.dist_subs)
    now: Dict[FcontextKey, Fcontext] = {(record.target, record.ftype): record for record in seen.fcontexts}
    edits, written, wished = [], [], set()
    for (target, ftype), record in wanted.fcontexts.items():
        key = (substituted(target, local, distribution), ftype)
        before = now.get(key)
        if record is None and before is None:  # written before there was an equivalence
            key, before = (target, ftype), now.get((target, ftype))
        if key in wished:
            raise GoHostError("two wishes are for one rule", f"{target} and another are both written as {key[0]}", "Keep one of them.")
        wished.add(key)
        after = None if record is None else record._replace(target=key[0], selevel=record.selevel if seen.mls else "")
        was = seen.policy_fcontexts.get(key, "")
        if after is not None:
            written.append((target, ftype, after))
        elif before is None and was:
            warnings.append(f"{target} is a rule of the distribution's policy, which cannot be removed: {was}")
        if not _same(before, after):
            edits.append(Edit("fcontexts", _thing("fcontext", *key), before, after, "" if before else was))
    scope = wanted.purge.get("fcontexts")
    for key, record in now.items():
        if scope is not None and key not in wished and _in_scope(record, scope, substituted(scope.prefix, local, distribution)):
            edits.append(Edit("fcontexts", _thing("fcontext", *key), record, None))
    # Of two rules that match, the later one counts, so what is special must be added after what is general.
    return sorted(edits, key=lambda edit: len(literal(edit.record.target)[0]) if edit.before is None else -1), written  # type: ignore[union-attr]


def _same(one: Optional[Fcontext], other: Optional[Fcontext]) -> bool:
    """Of a rule that says <<none>> there is no user nor level to compare."""
    return one == other or (one is not None and other is not None and one.setype == other.setype == NONE)


def _in_scope(record: Fcontext, scope: Scope, prefix: str) -> bool:
    return (not scope.setype or record.setype == scope.setype) and (not scope.prefix or _inside(record.target, scope.prefix) or _inside(record.target, prefix))


def _inside(target: str, directory: str) -> bool:
    """Whether a rule matches nothing outside a directory, and the directory itself at most."""
    text, length = literal(target)
    if text.rstrip("/") == directory.rstrip("/"):
        return directory == "/" or target[length:].startswith("(/") or length == len(target) or text.endswith("/")
    return under(text, directory)


def merged_rules(now: Sequence[Fcontext], edits: Iterable[Edit]) -> List[Fcontext]:
    """file_contexts.local as libsemanage writes it: a changed record in its place, a new one at the end (libsemanage/src/database_llist.c)."""
    rules = {(record.target, record.ftype): record for record in now}
    for edit in edits:
        if isinstance(edit.record, Fcontext):
            key = (edit.record.target, edit.record.ftype)
            if isinstance(edit.after, Fcontext):
                rules[key] = edit.after
            else:
                rules.pop(key, None)
    return list(rules.values())


def _shadow(rule: Fcontext, rules: Sequence[Fcontext]) -> str:
    """The last of the later rules that match all that this one does; a plain path comes before any expression (libselinux/src/label_file.c)."""
    if plain(rule.target):
        return ""
    text = literal(rule.target)[0]
    place = rules.index(rule)
    for other in reversed(rules[place + 1 :]):
        directory = below(other.target)
        if directory is not None and other.ftype in ("a", rule.ftype) and under(text, directory) and describe(other) != describe(rule):
            return other.target
    return ""


def _shadows(rules: Sequence[Fcontext], wished: "set[FcontextKey]", changed: "set[str]") -> List[str]:
    """Rules without effect that the call wishes for, or that it makes so by what it changes."""
    found = []
    for rule in rules:
        by = _shadow(rule, rules)
        theirs = any(_thing("fcontext", by, ftype) in changed for ftype in FTYPES)
        if by and ((rule.target, rule.ftype) in wished or theirs):
            found.append(f"{rule.target} has no effect: {by}, which was added later, matches all that it does")
    return found


def _ports(wanted: Wanted, seen: Seen, warnings: List[str]) -> List[Edit]:
    now: Dict[PortKey, Port] = {record[:3]: record for record in seen.ports}
    edits = []
    for key, wish in wanted.ports.items():
        before = now.get(key)
        after = None if wish is None else wish._replace(selevel=wish.selevel if seen.mls else "")
        was = "" if before else _policy_port(key, seen.policy_ports)
        if after is None and before is None and any(record[:3] == key for record in seen.policy_ports):
            warnings.append(f"port {key[0]} {Port(*key, '').range} is of the distribution's policy, which cannot be removed: {was}")
        if before != after:
            edits.append(Edit("ports", _port_thing(key), before, after, was))
    scope = wanted.purge.get("ports")
    for key, record in now.items():
        fits = scope is not None and scope.setype in ("", record.setype) and scope.proto in ("", record.proto)
        if fits and key not in wanted.ports:
            edits.append(Edit("ports", _port_thing(key), record, None))
    _no_overlap(now, edits)
    return edits


def _port_thing(key: PortKey) -> str:
    return _thing("port", key[0], Port(*key, "").range)


def _policy_port(key: PortKey, policy: Sequence[Port]) -> str:
    """What the policy says of a range: the narrowest record that holds it, or all that lie in it."""
    proto, low, high = key
    holding = [record for record in policy if record.proto == proto and record.low <= low and high <= record.high]
    if holding:
        return str(describe(min(holding, key=lambda record: record.high - record.low)))
    inside = [record for record in policy if record.proto == proto and record.low <= high and low <= record.high]
    return ", ".join(f"{record.range} {describe(record)}" for record in sorted(inside))


def _no_overlap(now: Dict[PortKey, Port], edits: Iterable[Edit]) -> None:
    """libsemanage refuses local records that overlap (libsemanage/src/ports_local.c), and says so only at the end of a commit."""
    ports = dict(now)
    for edit in edits:
        if isinstance(edit.after, Port):
            ports[edit.after[:3]] = edit.after
        elif isinstance(edit.before, Port):
            del ports[edit.before[:3]]
    ordered = sorted(ports.values())
    for one, other in zip(ordered, ordered[1:]):
        if one.proto == other.proto and other.low <= one.high:
            raise GoHostError(
                "two local port records overlap",
                f"{one.proto} {one.range} ({one.setype}) and {other.range} ({other.setype})",
                "Remove one of them with state: absent, or wish for ranges that do not overlap.",
            )


def _booleans(wanted: Wanted, seen: Seen) -> List[Edit]:
    edits = []
    # libsemanage takes a record of a boolean that there is not, and drops it without a word.
    known = {*seen.booleans, *seen.active, *seen.policy_booleans, *declared_booleans(wish.cil for wish in wanted.modules.values())}
    for name, wish in sorted(wanted.booleans.items()):
        if name not in known:
            raise GoHostError("no such boolean in the policy", name, "List them with: getsebool -a")
        if wish.persistent and seen.booleans.get(name) != wish.state:
            before = Boolean(name, seen.booleans[name]) if name in seen.booleans else None
            edits.append(Edit("booleans", _thing("boolean", name), before, wish))
        if name in seen.active and seen.active[name] != wish.state:
            edits.append(Edit("booleans", _thing("boolean", name, "now"), Boolean(name, seen.active[name], False), wish._replace(persistent=False)))
    scope = wanted.purge.get("booleans")
    for name, state in sorted(seen.booleans.items()):
        if scope is not None and name.startswith(scope.prefix) and not (name in wanted.booleans and wanted.booleans[name].persistent):
            edits.append(Edit("booleans", _thing("boolean", name), Boolean(name, state), None))
    return edits


def _modules(wanted: Wanted, seen: Seen, warnings: List[str]) -> List[Edit]:
    edits = []
    for key, wish in sorted(wanted.modules.items()):
        name, priority = key
        now = seen.modules.get(key)
        others = {other: found for other, found in seen.modules.items() if other[0] == name}
        if wish.state == "present":
            if now is None or now.cil != wish.cil:
                edits.append(_module_edit(key, now, PolicyModule(name, priority, wish.cil)))
            higher = [other[1] for other in others if other[1] > priority]
            if higher:
                warnings.append(f"module {name} has no effect at priority {priority}: there is one at {max(higher)}")
        elif wish.state == "absent" and now is not None:
            edits.append(_module_edit(key, now, None))
        elif wish.state == "disabled" and not others:
            raise GoHostError("no such module to disable", name, "List them with: semodule -l")
        enabled = all(found.enabled for found in others.values())
        if wish.state != "absent" and enabled != (wish.state == "present"):
            edits.append(Edit("modules", _thing("module", name), ModuleState(name, enabled), ModuleState(name, not enabled)))
    scope = wanted.purge.get("modules")
    for key, now in sorted(seen.modules.items()):
        ours = key[1] == _PRIORITY and not key[0].startswith(PERMISSIVE)
        if scope is not None and ours and key[0].startswith(scope.prefix) and key not in wanted.modules:
            edits.append(_module_edit(key, now, None))
    return edits


def _module_edit(key: ModuleKey, now: Optional[Installed], after: Optional[PolicyModule]) -> Edit:
    before = None if now is None else PolicyModule(key[0], key[1], now.cil or "")
    return Edit("modules", _thing("module", key[0], "at", key[1]), before, after)


def _permissive(wanted: Wanted, seen: Seen, warnings: List[str]) -> List[Edit]:
    edits = []
    now = {key[0][len(PERMISSIVE) :]: (key, found) for key, found in sorted(seen.modules.items()) if key[0].startswith(PERMISSIVE)}
    wished = dict(wanted.permissive)
    scope = wanted.purge.get("permissive")
    wished.update({domain: False for domain in now if scope is not None and domain.startswith(scope.prefix) and domain not in wished})
    for domain, state in sorted(wished.items()):
        module = permissive_module(domain)
        thing = _thing("permissive", domain)
        key, found = now.get(domain, ((module.name, 0), None))
        if state and found is None:
            edits.append(Edit("permissive", thing, None, module))
        elif state and found is not None and not found.enabled:
            edits.append(Edit("permissive", thing, ModuleState(module.name, False), ModuleState(module.name, True)))
        elif not state and found is not None and (module.name, _PRIORITY) in seen.modules:
            edits.append(Edit("permissive", thing, module, None))
        elif not state and found is not None and found.enabled:
            warnings.append(f"{domain} stays permissive by a module at priority {key[1]}, which is not the administrator's")
    return edits


def module_rules(edits: Iterable[Edit]) -> Tuple[List[str], List[str]]:
    """The CIL of modules that come and that go, for the labels in them."""
    modules: List[Tuple[Any, Any]] = [(edit.before, edit.after) for edit in edits if isinstance(edit.record, PolicyModule)]
    return [after.cil for _before, after in modules if after is not None], [before.cil for before, _after in modules if before is not None]
