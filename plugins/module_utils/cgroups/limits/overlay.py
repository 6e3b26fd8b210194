# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units as they will be when drop-ins are written: their files, settings and properties. Pure."""

import posixpath
from typing import Dict, Iterable, List, Mapping, Optional, Tuple

from ...errors import GoHostError
from .. import configured, hierarchy, quantities, unit_files, variables
from ..model import Unit
from ..parse import cpu_list, cpu_text, exec_path
from ..unit_files import Setting
from . import dropins, parse
from .directives import DIRECTIVES
from .model import SECTIONS, SLICE, Seen, UnitState, Wish

SHOWN = ("cpu_quota", "cpu_weight", "allowed_cpus", "tasks_max", "memory_max", "memory_high", "memory_swap_max")  # what a prediction needs
_UNSET = {"allowed_cpus": "", "cpu_weight": configured.NOT_SET}

Texts = Mapping[str, Mapping[str, Optional[str]]]  # unit, template or prefix → path of its drop-in → its text to be, None where it goes


class Forecast:
    """A host's units as systemd will show them when these drop-ins are written. Their Environment= changes nothing of that, so each is worked out once."""

    def __init__(self, seen: Seen, texts: Texts) -> None:
        self.seen, self._texts = seen, texts
        self._known: Dict[Tuple[str, bool], Dict[str, str]] = {}

    def unit(self, wish: Wish, state: UnitState) -> Unit:
        """A unit as it would start. For a slice: a program in it that has no limits of its own."""
        # A slice that systemd does not know yet has no limits but those that are wished for it.
        states = [self.seen.slices.get(name, UnitState({"Id": name})) for name in self.slices(wish, state)]
        chain = [self._properties(each, wish.runtime) for each in (state, *states)]
        if wish.target.kind == SLICE:
            chain.insert(0, {})
        executable = exec_path(state.properties.get("ExecStart", ""))
        return Unit(state.name, 0, executable, {}, configured.cpus(chain, self.seen.cgroup, self.seen.cpus), tuple(chain))

    def slices(self, wish: Wish, state: UnitState) -> List[str]:
        """The slices that hold a unit, inner first."""
        if wish.target.kind == SLICE:
            return configured.slice_chain(state.name)[1:]
        return configured.slice_chain(self._properties(state, wish.runtime).get("Slice", ""))

    def _properties(self, state: UnitState, runtime: bool) -> Dict[str, str]:
        key = (state.name, runtime)
        if key not in self._known:
            self._known[key] = properties(state, self._texts, runtime, self.seen)
        return self._known[key]


def told(state: UnitState, settings: List[Setting]) -> Dict[str, str]:
    """The Go runtime's variables that its program gets by these settings, the unit's EnvironmentFile= and systemd's own."""
    return variables.kept(_given(state, settings), (each.value for each in parse.each_word(settings, "UnsetEnvironment", state.name)))


def taken_by(state: UnitState, settings: List[Setting], name: str) -> Setting:
    """What takes a variable of ours away that these settings have: UnsetEnvironment=, or an empty Environment= behind it."""
    given = _given(state, settings)
    unset = parse.each_word(settings, "UnsetEnvironment", state.name)
    found = [each for each in unset if name in given and not variables.kept({name: given[name]}, [each.value])]
    return (found or [each for each in settings if (each.name, each.value) == ("Environment", "")][-1:])[0]


def _given(state: UnitState, settings: List[Setting]) -> Dict[str, str]:
    passed = (each.value for each in parse.each_word(settings, "PassEnvironment", state.name))
    return variables.merged(state.manager, passed, parse.go_environment(settings, state.name), state.variables)


def settings(unit: UnitState, texts: Texts, runtime: bool, ours: bool = True) -> List[Setting]:
    """The settings of a unit when these drop-ins are written. Without runtime, ours that are gone at boot do not count; without ours, none of ours does."""
    found: List[Setting] = []
    for path, text in files(unit, texts):
        mine = text.startswith(parse.OURS)
        if not mine or (ours and (runtime or not path.startswith("/run/"))):
            found += unit_files.settings(text, path)
    return found


def written(texts: Texts, path: str, text: Optional[str]) -> Texts:
    """The same with one more drop-in."""
    target = dropins.target_of(path)
    return {**texts, target: {**texts.get(target, {}), path: text}}


def files(unit: UnitState, texts: Texts) -> List[Tuple[str, str]]:
    """A unit's files when these drop-ins are written, in the order in which they count."""
    fragments = [(path, text) for path, text in unit.files[:1] if not path.endswith(".conf")]
    found = dict(unit.files[len(fragments) :])
    for name in families(unit.name):
        found.update({path: text or "" for path, text in texts.get(name, {}).items()})
    return fragments + sorted(found.items(), key=lambda each: posixpath.basename(each[0]))


def families(unit: str) -> List[str]:
    """The names whose drop-ins are for a unit, narrow ones first: its own, that of its template, and the prefixes of both (systemd.unit(5))."""
    stem, _point, kind = unit.rpartition(".")
    before, sign, _instance = stem.partition("@")
    prefixes = [before[: number + 1] for number, letter in reversed(list(enumerate(before))) if letter == "-"]
    wider = [f"{each}{end}.{kind}" for each in prefixes for end in sorted({sign, ""}, reverse=True)]
    return list(dict.fromkeys([unit, *([f"{before}@.{kind}"] if sign else []), *wider]))


def properties(unit: UnitState, texts: Texts, runtime: bool, seen: Seen) -> Dict[str, str]:
    """What systemd will say of a unit's limits when these drop-ins are written."""
    found = dict(unit.properties)
    section = SECTIONS.get(unit.name.rpartition(".")[2], "")
    now = [each for path, text in unit.files for each in unit_files.settings(text, path)]
    then = settings(unit, texts, runtime)
    for option in SHOWN:
        directive = DIRECTIVES[option]
        before, after = (unit_files.standing(each, section, directive.name) for each in (now, then))
        if after:
            found[directive.shown] = shown(option, after[-1].value, seen) or found.get(directive.shown, "")
        elif before:
            default = seen.default_tasks if option == "tasks_max" and section != SECTIONS[SLICE] else None
            found[directive.shown] = _UNSET.get(option, quantities.INFINITY) if default is None else str(default)
    given = unit_files.standing(then, section, DIRECTIVES["delegate"].name)
    if given:  # "yes" is all of them
        found["DelegateControllers"] = hierarchy.CPU if given[-1].value == "yes" else given[-1].value
    if any(each.name == "Slice" for each in now + then):
        found["Slice"] = placed(then, section, unit.name) or found.get("Slice", "")
    return found


def placed(read: Iterable[Setting], section: str, unit: str) -> str:
    """The slice that settings put a unit in, "" where only systemd knows it."""
    found = unit_files.standing(read, section, "Slice")
    name = variables.specified(found[-1].value, unit) if found else configured.default_slice(unit)
    return "" if name is None or set(name) & set("%/") else name


def shown(option: str, value: str, seen: Seen) -> str:
    """A value of a unit file as systemctl shows it, "" for one that it cannot have."""
    try:
        if option == "cpu_quota":
            number = quantities.cpus(value)
            return quantities.INFINITY if number is None else f"{number / quantities.MICROSECONDS:.6f}s"
        if option == "cpu_weight":
            return value
        if option == "allowed_cpus":
            return cpu_text(cpu_list(",".join(value.replace(",", " ").split())))
        amount, total = (quantities.count(value), seen.tasks) if option == "tasks_max" else (quantities.size(value), seen.memory)
        return quantities.INFINITY if amount.infinite else str(amount.of(total))
    except GoHostError:
        return ""
