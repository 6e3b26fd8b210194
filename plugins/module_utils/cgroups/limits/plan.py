# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be written, and what it means for the programs there. Pure."""

import posixpath
from typing import Dict, FrozenSet, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from ...errors import GoHostError
from ...plan import Plan, Step
from .. import advise, configured, quantities
from ..model import Bound, Observed, Sharing, Unit
from ..parse import cpu_list, cpu_text, exec_path, time_span
from . import directives, parse
from .directives import DIRECTIVES
from .model import SCOPE, SECTIONS, SERVICE, SLICE, TEMPLATE, Seen, SeenTarget, Setting, UnitState, Wanted, Wish

WRITE, REMOVE, CLEAN, RELOAD, RESTART = "write", "remove", "clean", "reload", "restart"
_SHOWN = ("cpu_quota", "cpu_weight", "allowed_cpus", "tasks_max", "memory_max", "memory_high", "memory_swap_max")  # what a prediction needs
_UNSET = {"allowed_cpus": "", "cpu_weight": configured.NOT_SET}
_INSTEAD = {  # of what cgroup v1 cannot
    "memory_high": "Use memory_max.",
    "allowed_cpus": "Use CPUAffinity= in the unit, which every release of Go honours.",
    "memory_swap_max": "Limit memory_max; v1 limits memory and swap only together, which systemd does not do.",
}
_IDLE, _SCOPE_OOM_POLICY = 252, 253
_TENTHS, _HUNDREDTHS = 240, 248  # of a percent, which systemd ignored before (src/basic/parse-util.c, src/basic/percent-util.c)
_OWN = "/90-gohost-limits.conf"  # of one unit, which goes before that of its family: what it is for

Texts = Mapping[str, Mapping[str, Optional[str]]]  # unit, template or prefix → path of its drop-in → its text to be, None where it goes


class Conflict(NamedTuple):
    """A setting that another file of a unit has, too. wins: whether that is what systemd does."""

    option: str
    file: str
    value: str
    wins: bool


class Row(NamedTuple):
    """A wish, and what comes of it. text: of the drop-in, None where there is to be none; environment: in it.

    started: the unit's program as it would start with it. lost: member → options of which other files have the last word.
    restart: member → why it has to be started again.
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


class Decision(NamedTuple):
    plan: Plan
    rows: Tuple[Row, ...]


def plan(wanted: Wanted, seen: Seen) -> Decision:
    """Errors: GoHostError for what this host cannot do, or what would end programs at once."""
    _distinct(wanted, seen)
    for wish, target in zip(wanted.wishes, seen.targets):
        _possible(wish, target, seen, wanted.force)
    rows = _rows(wanted, seen)
    steps: List[Step] = []
    for row in rows:
        path, before = row.target.path, _lines(row.target.text)
        steps += [Step(CLEAN, leftover, "left by a run that was killed", None) for leftover in row.target.leftovers]
        if row.text is None and before is not None:
            steps.append(Step(REMOVE, path, before, None))
        elif row.text is not None and (row.text != row.target.text or not row.target.proper):
            steps.append(Step(WRITE, path, before if row.target.proper else [*(before or ()), "(another owner or mode)"], _lines(row.text), row.text))
    if seen.due or any(step.action != CLEAN for step in steps) or any(_unread(row, seen) for row in rows):
        steps.append(Step(RELOAD, "systemd", "has read other files", "has read these files"))
    edited = {row.target.path for row in rows if row.text != row.target.text}
    for row in rows:
        always = wanted.restart == "always" and row.target.path in edited
        for member in row.target.members if wanted.restart != "never" and row.wish.target.kind == SERVICE else ():
            if member.running is not None and (always or member.name in row.restart):
                steps.append(Step(RESTART, member.name, row.restart.get(member.name, "runs"), "restarted"))
    return Decision(Plan(tuple({step.thing: step for step in steps}.values())), tuple(rows))


def _rows(wanted: Wanted, seen: Seen) -> List[Row]:
    texts: Dict[str, Dict[str, Optional[str]]] = {}

    def written(path: str, text: Optional[str]) -> None:
        texts.setdefault(posixpath.basename(posixpath.dirname(path))[: -len(".d")], {})[path] = text

    for wish, target in zip(wanted.wishes, seen.targets):
        written(target.path, parse.render(wish, {}))
    found: Dict[int, Row] = {}
    for number, wish in sorted(enumerate(wanted.wishes), key=lambda each: each[1].runtime):  # the others go over the lasting ones
        found[number] = _row(wish, seen.targets[number], seen, wanted, texts)
        written(found[number].target.path, found[number].text)
    return [_judged(found[number], seen, texts) for number in range(len(found))]


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


def _distinct(wanted: Wanted, seen: Seen) -> None:
    paths: Dict[str, str] = {}
    for wish, target in zip(wanted.wishes, seen.targets):
        name = wish.target.name
        if target.path in paths:
            raise GoHostError("units has two names of one unit", f"{paths[target.path]} and {name}", "Put them together.")
        paths[target.path] = name
        if not target.text.startswith(parse.OURS) if target.text is not None else not target.proper:  # a directory, or a link to nowhere
            raise GoHostError("a file that is not ours has the name of our drop-in", target.path, "Move it away, or give it another name.")


def _possible(wish: Wish, target: SeenTarget, seen: Seen, force: bool) -> None:
    name = wish.target.name
    known = target.unit or next(iter(target.members), None) or next((state for state in seen.slices.values() if wish.target.kind == SLICE), None)
    for option, values in wish.settings.items():
        directive = DIRECTIVES[option]
        since = _since(wish, option, values)
        # EL8's 239 has some of later versions: what systemd tells of a unit says it best.
        telling = known is not None and since == directive.since and not directive.devices
        unknown = directive.shown not in known.properties if known is not None and telling else seen.systemd < since
        if unknown and since:
            what = option if since == directive.since else f"{option} {values[-1]}"
            raise GoHostError(f"{what} needs systemd {since}", name, f"This host has {seen.systemd}.")
        if option.startswith("managed_oom") and not seen.oomd:
            raise GoHostError(f"{option} needs systemd-oomd", name, "Install the package systemd-oomd (or systemd-oomd-defaults), or leave it out.")
        if directive.controller:
            _reaches_kernel(option, name, seen)
    if seen.missing:
        raise GoHostError("there is no such device", ", ".join(seen.missing), "lsblk tells which there are.")
    wished = cpu_list(wish.setting("allowed_cpus"))
    if set(wished) - set(seen.cpus):
        raise GoHostError(f"allowed_cpus of {name} has CPUs that are not online", wish.setting("allowed_cpus"), f"This host has {cpu_text(seen.cpus)}.")
    sizes = [option for option in ("memory_min", "memory_low", "memory_high") if option in wish.settings]
    most = quantities.size(wish.setting("memory_max")).of(seen.memory) if "memory_max" in wish.settings else None
    for option in sizes if most is not None else ():
        size = quantities.size(wish.setting(option)).of(seen.memory)
        if size is not None and size > (most or 0):
            raise GoHostError(
                f"{option} of {name} is above its memory_max", f"{wish.setting(option)}, {wish.setting('memory_max')}", f"Give less for {option}."
            )
    for member in target.members:
        if most is not None and member.memory > most and not force:
            used = quantities.human(member.memory)
            hint = "The kernel would end processes at once. Give more, stop some, or set force."
            raise GoHostError(f"memory_max of {name} is less than {member.name} uses", f"{wish.setting('memory_max')} of {used}", hint)


def _since(wish: Wish, option: str, values: Tuple[str, ...]) -> int:
    if (option, values) == ("cpu_weight", ("idle",)):
        return _IDLE
    if option == "oom_policy" and wish.target.kind == SCOPE:
        return _SCOPE_OOM_POLICY
    digits = len(values[-1].partition(".")[2].rstrip("%")) if values[-1].endswith("%") else 0
    return max(DIRECTIVES[option].since, (0, _TENTHS, _HUNDREDTHS)[digits])


def _reaches_kernel(option: str, name: str, seen: Seen) -> None:
    directive = DIRECTIVES[option]
    version = seen.controllers.get(directive.controller)
    if version is None:
        hint = f"The kernel has {', '.join(sorted(seen.controllers)) or 'none'}; cgroup_enable={directive.controller} on its command line may bring it."
        raise GoHostError(f"{option} has no effect on this host, which has no cgroup controller {directive.controller}", name, hint)
    if version == 0:
        raise GoHostError(f"{option} has no effect in this container, whose cgroups systemd may not write", name, "Limit the container itself.")
    if version == 1 and not directive.v1:
        raise GoHostError(f"{option} has no effect on cgroup v1", name, _INSTEAD.get(option, "Boot with systemd.unified_cgroup_hierarchy=1, or leave it out."))


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


def unheld(row: Row, seen: Seen) -> List[str]:
    """Settings that the kernel does not have though nothing stands against them, as a person names them."""
    return [
        f"{member.name} {DIRECTIVES[option].name}={row.wish.setting(option)}"
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
    return directives.held(option, wish.settings[option], lambda name: member.live.get(f"{directory}/{name}"), version)


def _row(wish: Wish, target: SeenTarget, seen: Seen, wanted: Wanted, texts: Texts) -> Row:
    row = Row(wish, target, parse.render(wish, {}), {}, None)
    state = target.unit
    if state is None or not state.loaded:
        return row
    told = _told(state, _settings(state, texts, wish.runtime, ours=False))
    unit = _unit(wish, state, seen, texts)._replace(environment=told)
    _quota_fits(wish, unit, state.inside, seen, wanted)
    found = configured.observed(unit, state.build, seen.cgroup, seen.cpus)
    found = found._replace(sharing=_sharing(wish, found, wanted, seen))
    below = _told(state, _settings(state, texts, runtime=False)) if wish.runtime else {}
    environment = _environment(wish, found, unit, seen, below) if wish.present and wish.go and wish.target.kind == SERVICE else {}
    started = configured.observed(unit._replace(environment={**below, **environment, **told}), state.build, seen.cgroup, seen.cpus)
    return row._replace(text=parse.render(wish, environment), environment=environment, started=started._replace(sharing=found.sharing))


def _told(state: UnitState, settings: List[Setting]) -> Dict[str, str]:
    """The Go runtime's variables that these settings and the unit's EnvironmentFile= give its program."""
    return {**{name: each.value for name, each in parse.go_environment(settings).items()}, **state.variables}


def _quota_fits(wish: Wish, unit: Unit, inside: Mapping[str, float], seen: Seen, wanted: Wanted) -> None:
    """v1's kernel refuses a quota above that of a cgroup over it (kernel/sched/core.c, tg_cfs_schedulable_down), and systemd goes on without any."""
    (_name, own), *above = [(each.get("Id", ""), time_span(each.get("CPUQuotaPerSecUSec", ""))) for each in unit.chain if each]
    if own is None or seen.controllers.get(directives.CPU) != 1 or "cpu_quota" not in wish.settings:
        return
    told = {each.target.name for each in wanted.wishes}  # which answer for themselves
    wrong = [(unit.name, own, name, quota) for name, quota in above if quota is not None and own > quota]
    wrong += [(name, quota, unit.name, own) for name, quota in sorted(inside.items()) if quota > own and name not in told]
    for name, more, other, less in wrong:
        hint = "cgroup v1 takes no quota above that of a slice: give less, or leave it out."
        raise GoHostError(f"cpu_quota of {name} is above that of {other}", f"{more:.0%} of {less:.0%}", hint)


def _files(unit: UnitState, texts: Texts) -> List[Tuple[str, str]]:
    """A unit's files when these drop-ins are written, in the order in which they count."""
    fragments = [(path, text) for path, text in unit.files[:1] if not path.endswith(".conf")]
    dropins = dict(unit.files[len(fragments) :])
    for name in _families(unit.name):
        dropins.update({path: text or "" for path, text in texts.get(name, {}).items()})
    return fragments + sorted(dropins.items(), key=lambda each: posixpath.basename(each[0]))


def _settings(unit: UnitState, texts: Texts, runtime: bool, ours: bool = True) -> List[Setting]:
    """The settings of a unit when these drop-ins are written. Without runtime, ours that are gone at boot do not count; without ours, none of ours does."""
    found: List[Setting] = []
    for path, text in _files(unit, texts):
        mine = text.startswith(parse.OURS)
        if not mine or (ours and (runtime or not path.startswith("/run/"))):
            found += parse.settings(text, path)
    return found


def _families(unit: str) -> List[str]:
    """The names whose drop-ins are for a unit: its own, that of its template, and the prefixes of both (systemd.unit(5))."""
    stem, _point, kind = unit.rpartition(".")
    before, sign, _instance = stem.partition("@")
    prefixes = [before[: number + 1] for number, letter in enumerate(before) if letter == "-"]
    return [unit, *(f"{each}{end}.{kind}" for each in prefixes for end in sorted({"", sign})), *([f"{before}@.{kind}"] if sign else [])]


def _properties(unit: UnitState, texts: Texts, runtime: bool, seen: Seen) -> Dict[str, str]:
    """What systemd will say of a unit's limits when these drop-ins are written."""
    found = dict(unit.properties)
    section = SECTIONS.get(unit.name.rpartition(".")[2], "")
    now = [each for path, text in unit.files for each in parse.settings(text, path)]
    then = _settings(unit, texts, runtime)
    for option in _SHOWN:
        directive = DIRECTIVES[option]
        before, after = (parse.standing(each, section, directive.name) for each in (now, then))
        if after:
            found[directive.shown] = _shown(option, after[-1].value, seen) or found.get(directive.shown, "")
        elif before:
            found[directive.shown] = _UNSET.get(option, quantities.INFINITY)
    given = parse.standing(then, section, DIRECTIVES["delegate"].name)
    if given:  # "yes" is all of them
        found["DelegateControllers"] = directives.CPU if given[-1].value == "yes" else given[-1].value
    placed = parse.standing(then, section, "Slice")
    if placed:
        found["Slice"] = placed[-1].value
    elif parse.standing(now, section, "Slice"):
        found["Slice"] = "system.slice"
    return found


def _shown(option: str, value: str, seen: Seen) -> str:
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


def _unit(wish: Wish, state: UnitState, seen: Seen, texts: Texts) -> Unit:
    """A unit as it would start. For a slice: a program in it that has no limits of its own."""
    own = _properties(state, texts, wish.runtime, seen)
    parents = configured.slice_chain(state.name)[1:] if wish.target.kind == SLICE else configured.slice_chain(own.get("Slice", ""))
    # A slice that systemd does not know yet has no limits but those that are wished for it.
    states = [seen.slices.get(name, UnitState({"Id": name})) for name in parents]
    chain = [own, *(_properties(each, texts, wish.runtime, seen) for each in states)]
    if wish.target.kind == SLICE:
        chain.insert(0, {})
    executable = exec_path(state.properties.get("ExecStart", ""))
    return Unit(state.name, 0, executable, {}, configured.cpus(chain, seen.cgroup, seen.cpus), tuple(chain))


def _sharing(wish: Wish, found: Observed, wanted: Wanted, seen: Seen) -> Sharing:
    """Who else is below the slice whose limit of memory counts: what runs there, services of this call that will, and a template's other instances."""
    bound = found.effective.heap
    if bound is None or bound.node.path == found.unit:
        return Sharing()
    name = bound.node.path
    others = [(each, target.unit) for each, target in zip(wanted.wishes, seen.targets) if each.target.kind == SERVICE and target.unit is not None]
    others = [(each, unit) for each, unit in others if unit.name != found.unit]
    placed = {unit.name for each, unit in others if name in configured.slice_chain(_slice(each, unit))}
    leaving = {unit.name for _wish, unit in others if wanted.restart != "never"} - placed
    there = [path for path in seen.occupants.get(name, ()) if not {found.unit, *leaving} & set(path.split("/"))]
    return Sharing(len(there) + len(placed) + (wish.target.family == TEMPLATE))


def _slice(wish: Wish, unit: UnitState) -> str:
    return wish.setting("slice") or unit.properties.get("Slice", "")


def _environment(wish: Wish, found: Observed, unit: Unit, seen: Seen, below: Mapping[str, str]) -> Dict[str, str]:
    """What the program has to be told. What the administrator tells it stays. below: what our lasting drop-in tells, which a runtime one goes over."""
    if found.alone is None:
        return {}
    own, above = (configured.effective(chain).heap for chain in (unit.chain[:1], unit.chain[1:]))
    if wish.share and above is not None:
        part = min(quantities.size(wish.share).of(int(above.value)) or 0, above.value, *([own.value] if own is not None else []))
        found = found._replace(effective=found.effective._replace(memory=Bound(part, above.node), high=None), sharing=Sharing())
    wished = str(advise.wished_procs(found))
    environment = advise.environment(found, wish.headroom)
    if _read_by_chance(found, unit, seen) or below.get("GOMAXPROCS", wished) != wished:
        environment["GOMAXPROCS"] = wished
    if "GOMEMLIMIT" in below:
        environment.setdefault("GOMEMLIMIT", "off")
    return {name: value for name, value in environment.items() if name not in found.environment}


def _read_by_chance(found: Observed, unit: Unit, seen: Seen) -> bool:
    """Whether a program that reads quotas finds that of its slice only while nothing beside it in there makes systemd give it a cpu cgroup of its own.

    So it is on v1 (src/core/cgroup.c, unit_get_sibling_mask).
    """
    reads = found.alone is not None and found.alone.reads_quota and seen.controllers.get(directives.CPU) == 1
    return reads and advise.wished_procs(found) < len(found.cpus) and time_span(unit.chain[0].get("CPUQuotaPerSecUSec", "")) is None


def _conflicts(wish: Wish, path: str, member: UnitState, seen: Seen, texts: Texts) -> Iterable[Conflict]:
    mine = posixpath.basename(path)
    section = SECTIONS[wish.target.kind]
    for file, text in _files(member, texts):
        if file == path or not file.endswith(".conf"):
            continue
        read = [each for each in parse.settings(text, file) if each.section == section]
        for option, values in parse.options(read).items():
            wished = wish.setting(option)
            same = values[-1] == wished or (option in _SHOWN and _shown(option, values[-1], seen) == _shown(option, wished, seen))
            if option in wish.settings and not same and not DIRECTIVES[option].devices:  # whose limits add up
                yield Conflict(option, file, values[-1], posixpath.basename(file) > mine)


def _restart(row: Row, member: UnitState, lost: FrozenSet[str], texts: Texts) -> str:
    """Why a service that runs has to be started again to have what is wished; "" where it has it."""
    running = member.running
    if running is None or row.wish.target.kind != SERVICE:
        return ""
    old = parse.settings(row.target.text or "", row.target.path)
    new = parse.settings(row.text or "", row.target.path)
    before, after = parse.go_environment(old), parse.go_environment(new)
    found: List[str] = []
    told = _told(member, _settings(member, texts, runtime=True))
    found += [name for name in sorted({*before, *after}) if running.environment.get(name) != told.get(name)]
    limits: Tuple[Dict[str, Tuple[str, ...]], Dict[str, Tuple[str, ...]]] = (parse.options(old), parse.options(new))
    for option in (each.option for each in DIRECTIVES.values() if each.at_start and each.option not in lost):
        was, will = (each.get(option) for each in limits)
        has = _has(option, will, member)
        if (was != will) if has is None else not has:
            found.append(DIRECTIVES[option].name)
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
    if wish.present and not wish.target.family and unit is not None and not unit.loaded:
        found.append(f"systemd has no {wish.target.name} (it says {unit.properties.get('LoadState') or 'nothing'}): its limits wait for it.")
    for conflict in row.conflicts:
        if conflict.wins and not (wish.target.family and conflict.file.endswith(_OWN)):
            found.append(f"{DIRECTIVES[conflict.option].name}={conflict.value} of {conflict.file} wins over this one.")
    for option in wish.settings:
        directive = DIRECTIVES[option]
        if seen.controllers.get(directive.controller) == 1 and directive.v1.startswith(("cpu.shares", "blkio")):
            found.append(f"On cgroup v1 {directive.name}= becomes {directive.v1}.")
    for member in row.target.members:
        directory = member.directories.get(directives.IO, "")
        name = (directives.files("io_weight", seen.controllers.get(directives.IO, 0)) or ("",))[0]
        if "io_weight" in wish.settings and directory and member.cgroup and f"{directory}/{name}" not in member.live:
            found.append(f"The kernel has no {name} for {member.name}: IOWeight= does nothing with its scheduler of input and output.")
        most = quantities.count(wish.setting("tasks_max")).of(seen.tasks) if "tasks_max" in wish.settings else None
        if most is not None and member.tasks > most:
            found.append(f"{member.name} has {member.tasks} tasks: with TasksMax={most} it can start no more.")
    if row.started is not None and wish.target.kind == SERVICE and wish.present:
        found += advise.warnings(row.started, None, wish.headroom)
    return found
