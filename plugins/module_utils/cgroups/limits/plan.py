# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be written, and what it means for the programs there. Pure."""

import posixpath
from typing import Dict, FrozenSet, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from ...plan import Plan, Step
from .. import advise, configured, hierarchy, quantities, unit_files
from ..model import Observed
from ..unit_files import Setting
from . import directives, dropins, overlay, parse, refusals
from .directives import DIRECTIVES
from .environment import environment_for, sharing
from .model import SECTIONS, SERVICE, Seen, SeenTarget, UnitState, Wanted, Wish
from .overlay import Texts

WRITE, REMOVE, CLEAN, RELOAD, RESTART = "write", "remove", "clean", "reload", "restart"


class Conflict(NamedTuple):
    """A setting that another file of a unit has, too. wins: whether that is what systemd does."""

    option: str
    file: str
    value: str
    wins: bool


class Row(NamedTuple):
    """A wish, and what comes of it. text: of the drop-in, None where there is to be none; environment: in it.

    started: the unit's program as it would start with it. lost: member → options of which other files have the last word.
    restart: member → why it has to be started again. taken: variables that are left out because a setting of another file would take them away.
    """

    wish: Wish
    target: SeenTarget
    text: Optional[str]
    environment: Mapping[str, str]
    started: Optional[Observed]
    conflicts: Tuple[Conflict, ...] = ()
    lost: Mapping[str, FrozenSet[str]] = {}
    restart: Mapping[str, str] = {}
    warnings: Tuple[str, ...] = ()
    taken: Mapping[str, Setting] = {}


class Decision(NamedTuple):
    plan: Plan
    rows: Tuple[Row, ...]


def plan(wanted: Wanted, seen: Seen) -> Decision:
    """Errors: GoHostError for what this host cannot do, or what would end programs at once."""
    refusals.check(wanted, seen)
    rows = _rows(wanted, seen)
    steps: List[Step] = []
    for row in rows:
        path, before = row.target.path, _lines(row.target.text)
        steps += [Step(CLEAN, leftover, "left by a run that was killed", None) for leftover in row.target.leftovers]
        if row.text is None and before is not None:
            steps.append(Step(REMOVE, path, before, None))
        elif row.text is not None and (row.text != row.target.text or not row.target.proper):
            steps.append(Step(WRITE, path, before if row.target.proper else [*(before or ()), "(another owner or mode)"], _lines(row.text), row.text))
    if seen.due is not None or any(step.action != CLEAN for step in steps) or any(_unread(row, seen) for row in rows):
        steps.append(Step(RELOAD, "systemd", "has read other files", "has read these files"))
    edited = {row.target.path for row in rows if row.text != row.target.text}
    for row in rows:
        for member in row.target.members if wanted.restart != "never" and row.wish.target.kind == SERVICE else ():
            always = wanted.restart == "always" and (row.target.path in edited or member.name in (seen.due or ()))
            if member.running is not None and (always or member.name in row.restart):
                steps.append(Step(RESTART, member.name, row.restart.get(member.name, "runs"), "restarted"))
    return Decision(Plan(tuple({step.thing: step for step in steps}.values())), tuple(rows))


def _rows(wanted: Wanted, seen: Seen) -> List[Row]:
    texts: Dict[str, Dict[str, Optional[str]]] = {}

    def written(path: str, text: Optional[str]) -> None:
        texts.setdefault(dropins.target_of(path), {})[path] = text

    for wish, target in zip(wanted.wishes, seen.targets):
        written(target.path, parse.render(wish, {}))
    found: Dict[int, Row] = {}
    forecast = overlay.Forecast(seen, texts)
    for number, wish in sorted(enumerate(wanted.wishes), key=lambda each: each[1].runtime):  # the others go over the lasting ones
        found[number] = _row(wish, seen.targets[number], wanted, texts, forecast)
        written(found[number].target.path, found[number].text)
    if not wanted.force:
        for row in found.values():
            _revealed(row, seen, texts)
    return [_judged(found[number], seen, texts) for number in range(len(found))]


def _revealed(row: Row, seen: Seen, texts: Texts) -> None:
    """Errors: GoHostError where a limit of memory goes, and what others say is less than is used."""
    had, has = (parse.options(unit_files.settings(text or "", row.target.path)) for text in (row.target.text, row.text))
    for member in row.target.members if "memory_max" in had and "memory_max" not in has else ():
        refusals.memory_is_enough(row.wish.target.name, member, overlay.properties(member, texts, True, seen)["MemoryMax"])


def _judged(row: Row, seen: Seen, texts: Texts) -> Row:
    """With what stands against it when all these drop-ins are written."""
    members = row.target.members
    conflicts = {member.name: set(_conflicts(row.wish, row.target.path, member, seen, texts)) if row.wish.present else set() for member in members}
    lost = {name: frozenset(each.option for each in there if each.wins) for name, there in conflicts.items()}
    restart = {member.name: _restart(row, member, lost[member.name], texts) for member in members}
    row = row._replace(conflicts=tuple(sorted({each for there in conflicts.values() for each in there})), lost=lost)
    return row._replace(restart={name: why for name, why in restart.items() if why}, warnings=tuple(_warnings(row, seen)))


def _lines(text: Optional[str]) -> Optional[List[str]]:
    return None if text is None else [line for line in text.splitlines() if not line.startswith("#")]


def _unread(row: Row, seen: Seen) -> bool:
    """Whether systemd has read other files than there are, or the kernel has other limits.

    For a directory that is new to systemd NeedDaemonReload says no, only DropInPaths tells (its cache of directories is made at a reload).
    """
    wish, target = row.wish, row.target
    if row.text != target.text:
        return True
    for member in target.members:
        listed = target.path in member.dropins
        if listed != (target.text is not None) or member.properties.get("NeedDaemonReload") == "yes":
            return True
        if any(not _held(option, wish, member, seen) for option in wish.settings if option not in row.lost[member.name]):
            return True
    return False


def gone(row: Row) -> List[UnitState]:
    """The units whose drop-in loses a setting."""
    before, after = (set(parse.options(unit_files.settings(text or "", row.target.path))) for text in (row.target.text, row.text))
    return list(row.target.members) if before - after else []


def beside(units: Iterable[UnitState]) -> List[str]:
    """The slices that hold those of the units that run."""
    placed = {unit.properties.get("Slice", "") for unit in units if unit.cgroup}
    return sorted({name if name not in ("", "-.slice") else "system.slice" for name in placed})


def settled(decision: Decision, seen: Seen) -> bool:
    """Whether all that was decided is done, but for restarts: files, what systemd has read, what the kernel has. Cheaper than to plan again."""
    rows = [row._replace(target=target) for row, target in zip(decision.rows, seen.targets)]
    wrong = any(row.target.leftovers or not row.target.proper or _unread(row, seen) for row in rows)
    return not wrong and seen.due is None


def unheld(row: Row, seen: Seen) -> List[Tuple[UnitState, str]]:
    """Settings that the kernel does not have though nothing stands against them: the unit, and what it is as a person names it."""
    return [
        (member, f"{member.name} {DIRECTIVES[option].name}={row.wish.setting(option)}")
        for member in row.target.members
        for option in row.wish.settings
        if row.text is not None and row.text == row.target.text and option not in row.lost[member.name] and not _held(option, row.wish, member, seen)
    ]


def _held(option: str, wish: Wish, member: UnitState, seen: Seen) -> bool:
    controller = DIRECTIVES[option].controller
    directory, version = member.directories.get(controller, ""), seen.controllers.get(controller, 0)
    names = [f"{directory}/{name}" for name in directives.files(option, version)]
    if not directory or not member.cgroup or (option == "io_weight" and not set(names) & set(member.live)):
        return True  # it does not run, or _warnings tells
    shown = member.properties.get(DIRECTIVES[option].shown, "")
    return directives.held(option, wish.settings[option], lambda name: member.live.get(f"{directory}/{name}"), version, shown)


def _row(wish: Wish, target: SeenTarget, wanted: Wanted, texts: Texts, forecast: overlay.Forecast) -> Row:
    row = Row(wish, target, parse.render(wish, {}), {}, None)
    seen, state = forecast.seen, target.unit
    if state is None or not state.loaded:
        return row
    told = overlay.told(state, overlay.settings(state, texts, wish.runtime, ours=False)) if state.build is not None else {}
    unit = forecast.unit(wish, state)._replace(environment=told)
    refusals.quota_fits(wish, unit, state.inside, seen, wanted)
    found = configured.observed(unit, state.build, seen.cgroup, seen.cpus)
    found = found._replace(sharing=sharing(wish, found, wanted, forecast))
    if state.build is None:
        return row._replace(started=found)
    below = overlay.told(state, overlay.settings(state, texts, runtime=False)) if wish.runtime else {}
    environment = environment_for(wish, found, unit, seen, below) if wish.present and wish.go and wish.target.kind == SERVICE else {}
    then = overlay.settings(state, overlay.written(texts, target.path, parse.render(wish, environment)), wish.runtime)
    has = overlay.told(state, then)
    taken = {name: overlay.taken_by(state, then, name) for name, value in environment.items() if has.get(name) != value}
    started = configured.predicted(found._replace(environment=has), unit.chain, seen.cgroup)
    environment = {name: value for name, value in environment.items() if name not in taken}
    return row._replace(text=parse.render(wish, environment), environment=environment, started=started, taken=taken)


def _conflicts(wish: Wish, path: str, member: UnitState, seen: Seen, texts: Texts) -> Iterable[Conflict]:
    mine = posixpath.basename(path)
    section = SECTIONS[wish.target.kind]
    for file, text in overlay.files(member, texts):
        if file == path or not file.endswith(".conf"):
            continue
        read = [each for each in unit_files.settings(text, file) if each.section == section]
        for option, values in parse.options(read).items():
            wished = wish.setting(option)
            same = values[-1] == wished or (option in overlay.SHOWN and overlay.shown(option, values[-1], seen) == overlay.shown(option, wished, seen))
            if option in wish.settings and not same and not DIRECTIVES[option].devices:  # whose limits add up
                yield Conflict(option, file, values[-1], posixpath.basename(file) > mine)


def _restart(row: Row, member: UnitState, lost: FrozenSet[str], texts: Texts) -> str:
    """Why a service that runs has to be started again to have what is wished; "" where it has it."""
    running = member.running
    if running is None or row.wish.target.kind != SERVICE:
        return ""
    old, new = (unit_files.settings(text or "", row.target.path) for text in (row.target.text, row.text))
    before, after = parse.go_environment(old), parse.go_environment(new)
    found: List[str] = []
    told = overlay.told(member, overlay.settings(member, texts, runtime=True))
    found += [name for name in sorted({*before, *after}) if running.environment.get(name) != told.get(name)]
    was, will = parse.options(old), parse.options(new)
    for directive in (each for each in DIRECTIVES.values() if each.at_start and each.option not in lost):
        option = directive.option
        has = _has(option, will.get(option), member)
        if (was.get(option) != will.get(option)) if has is None else not has:
            found.append(directive.name)
    return f"runs without this {', '.join(found)}" if found else ""


def _has(option: str, will: Optional[Tuple[str, ...]], member: UnitState) -> Optional[bool]:
    """Whether a process has a setting that counts at its start; None where it does not tell."""
    state = member.running
    if will is None or state is None:
        return None
    if option == "limit_nofile":
        return state.nofile is None or state.nofile == int(will[-1].rpartition(":")[2])
    if option == "oom_score_adjust":
        return state.oom_score is None or state.oom_score == int(will[-1])
    if option == "slice":
        return not member.cgroup or posixpath.dirname(member.cgroup) == _path(will[-1])
    return None


def _path(name: str) -> str:
    """The cgroup of a slice."""
    return "".join(f"/{each}" for each in reversed(configured.slice_chain(name)[:-1])) or "/"


def _warnings(row: Row, seen: Seen) -> List[str]:
    wish, found = row.wish, []
    unit = row.target.unit
    if wish.present and unit is not None and not unit.loaded and not row.target.members:
        found.append(f"systemd has no {wish.target.name} (it says {unit.properties.get('LoadState') or 'nothing'}): its limits wait for it.")
    for conflict in row.conflicts:
        if conflict.wins and not (wish.target.family and dropins.of_one_unit(conflict.file)):
            found.append(f"{DIRECTIVES[conflict.option].name}={conflict.value} of {conflict.file} wins over this one.")
    for option in wish.settings:
        directive = DIRECTIVES[option]
        if seen.controllers.get(directive.controller) == 1 and directive.v1.startswith(("cpu.shares", "blkio")):
            found.append(f"On cgroup v1 {directive.name}= becomes {directive.v1}.")
    for member in row.target.members:
        directory = member.directories.get(hierarchy.IO, "")
        name = (directives.files("io_weight", seen.controllers.get(hierarchy.IO, 0)) or ("",))[0]
        if "io_weight" in wish.settings and directory and member.cgroup and f"{directory}/{name}" not in member.live:
            found.append(f"The kernel has no {name} for {member.name}: IOWeight= does nothing with its scheduler of input and output.")
        most = quantities.count(wish.setting("tasks_max")).of(seen.tasks) if "tasks_max" in wish.settings else None
        if most is not None and member.tasks > most:
            found.append(f"{member.name} has {member.tasks} tasks: with TasksMax={most} it can start no more.")
    for name, by in row.taken.items():
        found.append(f"{by.name}= of {by.file} takes {name} away again, so it is left out.")
    if row.started is not None and wish.target.kind == SERVICE and wish.present:
        found += advise.warnings(row.started, None, wish.headroom)
    return found
