# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused before anything is written: what systemd or the kernel would ignore here, and what would end programs at once. Pure."""

from typing import Dict, Mapping, Optional, Tuple

from ...errors import GoHostError
from .. import hierarchy, quantities
from ..model import Unit
from ..parse import cpu_list, cpu_text, time_span
from . import parse
from .directives import DIRECTIVES
from .model import SCOPE, SLICE, Seen, SeenTarget, UnitState, Wanted, Wish

_INSTEAD = {  # of what cgroup v1 cannot
    "memory_high": "Use memory_max.",
    "allowed_cpus": "Use CPUAffinity= in the unit, which every release of Go honours.",
    **dict.fromkeys(("io_read_iops_max", "io_write_iops_max"), "Limit the bandwidth; systemd writes no limit of operations there."),
    "memory_swap_max": "Limit memory_max; v1 limits memory and swap only together, which systemd does not do.",
}
_IDLE, _SCOPE_OOM_POLICY = 252, 253
_TENTHS, _HUNDREDTHS = 240, 248  # of a percent, which systemd ignored before (src/basic/parse-util.c, src/basic/percent-util.c)


def check(wanted: Wanted, seen: Seen) -> None:
    """Before anything else is thought of. Errors: GoHostError for what this host cannot do, or what would end programs at once."""
    _distinct(wanted, seen)
    for wish, target in zip(wanted.wishes, seen.targets):
        like = _like(wish, target, seen)
        for option in wish.settings:
            _systemd_has(option, wish, like, seen)
            _kernel_has(option, wish.target.name, seen)
        _cpus_fit(wish, seen)
        _systemd_may(wish, seen)
        _memory_fits(wish, target, seen, wanted.force)
        _one_name_for_each_disk(wish, seen)
    missing = [device for device, disk in seen.disks.items() if not disk]
    if missing:
        raise GoHostError("there is no such device", ", ".join(missing), "lsblk tells which there are; a file has to be on one of them.")


def _distinct(wanted: Wanted, seen: Seen) -> None:
    paths: Dict[str, str] = {}
    for wish, target in zip(wanted.wishes, seen.targets):
        name = wish.target.name
        if target.path in paths:
            raise GoHostError("units has two names of one unit", f"{paths[target.path]} and {name}", "Put them together.")
        paths[target.path] = name
        if not target.text.startswith(parse.OURS) if target.text is not None else not target.proper:  # a directory, or a link to nowhere
            raise GoHostError("a file that is not ours has the name of our drop-in", target.path, "Move it away, or give it another name.")


def _like(wish: Wish, target: SeenTarget, seen: Seen) -> Optional[UnitState]:
    """A unit of the target's type, which has all the properties that this systemd knows for it."""
    slices = seen.slices.values() if wish.target.kind == SLICE else ()
    return next((state for state in (target.unit, *target.members, *slices) if state is not None), None)


def _systemd_has(option: str, wish: Wish, like: Optional[UnitState], seen: Seen) -> None:
    directive, values, name = DIRECTIVES[option], wish.settings[option], wish.target.name
    since = _since(wish, option, values)
    if like is not None and since == directive.since and not directive.devices:
        unknown = directive.shown not in like.properties  # EL8's 239 has some of later versions
    else:
        unknown = seen.systemd < since
    if unknown and since:
        what = option if since == directive.since else f"{option} {values[-1]}"
        raise GoHostError(f"{what} needs systemd {since}", name, f"This host has {seen.systemd}.")
    if option.startswith("managed_oom") and not seen.oomd:
        raise GoHostError(f"{option} needs systemd-oomd", name, "Install the package systemd-oomd (or systemd-oomd-defaults), or leave it out.")


def _since(wish: Wish, option: str, values: Tuple[str, ...]) -> int:
    if (option, values) == ("cpu_weight", ("idle",)):
        return _IDLE
    if option == "oom_policy" and wish.target.kind == SCOPE:
        return _SCOPE_OOM_POLICY
    digits = len(values[-1].partition(".")[2].rstrip("%")) if values[-1].endswith("%") else 0
    return max(DIRECTIVES[option].since, (0, _TENTHS, _HUNDREDTHS)[digits])


def _kernel_has(option: str, name: str, seen: Seen) -> None:
    directive = DIRECTIVES[option]
    if not directive.controller:
        return
    version = seen.controllers.get(directive.controller)
    if version is None:
        hint = f"The kernel has {', '.join(sorted(seen.controllers)) or 'none'}; cgroup_enable={directive.controller} on its command line may bring it."
        raise GoHostError(f"{option} has no effect on this host, which has no cgroup controller {directive.controller}", name, hint)
    if version == 0:
        raise GoHostError(f"{option} has no effect in this container, whose cgroups systemd may not write", name, "Limit the container itself.")
    if version == 1 and not directive.v1:
        raise GoHostError(f"{option} has no effect on cgroup v1", name, _INSTEAD.get(option, "Boot with systemd.unified_cgroup_hierarchy=1, or leave it out."))


def _one_name_for_each_disk(wish: Wish, seen: Seen) -> None:
    """systemd writes all limits of a disk for each name, those of which that name says nothing as none."""
    names: Dict[str, str] = {}
    for option, values in wish.settings.items():
        for device in (value.rpartition(" ")[0] for value in values if DIRECTIVES[option].devices):
            other = names.setdefault(seen.disks.get(device) or device, device)
            if other != device:
                raise GoHostError(f"{wish.target.name} has limits of one disk by two names", f"{other} and {device}", "Take the same name in all options.")


def _systemd_may(wish: Wish, seen: Seen) -> None:
    """What it may not give it leaves, or gives as much as it may, without a word."""
    for option, bound, over in (("limit_nofile", seen.most_files, 1), ("oom_score_adjust", seen.least_score, -1)):
        value = wish.setting(option).rpartition(":")[2]
        if value and bound is not None and (int(value) - bound) * over > 0:
            hint = f"{'At most' if over > 0 else 'At least'} {bound} is possible; in a container, what the container itself has."
            raise GoHostError(f"{option} of {wish.target.name} is not in the power of this systemd", value, hint)


def _cpus_fit(wish: Wish, seen: Seen) -> None:
    wished = wish.setting("allowed_cpus")
    if set(cpu_list(wished)) - set(seen.cpus):
        raise GoHostError(f"allowed_cpus of {wish.target.name} has CPUs that are not online", wished, f"This host has {cpu_text(seen.cpus)}.")


def _memory_fits(wish: Wish, target: SeenTarget, seen: Seen, force: bool) -> None:
    name, most = wish.target.name, _bytes(wish, "memory_max", seen)
    if most is None:
        return
    for option in ("memory_min", "memory_low", "memory_high"):
        if (_bytes(wish, option, seen) or 0) > most:
            raise GoHostError(
                f"{option} of {name} is above its memory_max", f"{wish.setting(option)} and {wish.setting('memory_max')}", f"Give less for {option}."
            )
    for member in target.members if not force else ():
        memory_is_enough(name, member, str(most), wish.setting("memory_max"))


def memory_is_enough(name: str, member: UnitState, most: str, said: str = "") -> None:
    """most: bytes, as systemd shows a limit. said: as it was wished, "" where it is not."""
    limit = quantities.size(most).number
    if limit is not None and member.memory > limit:
        what = f"memory_max of {name} is less" if said else f"without this memory_max of {name} its other files allow less"
        hint = "The kernel would end processes at once. Give more, stop some, or set force."
        raise GoHostError(f"{what} than {member.name} uses", f"{said or quantities.human(limit)} of {quantities.human(member.memory)}", hint)


def _bytes(wish: Wish, option: str, seen: Seen) -> Optional[int]:
    """A wished size in bytes; None where it is not wished, and for infinity."""
    return quantities.size(wish.setting(option) or quantities.INFINITY).of(seen.memory)


def quota_fits(wish: Wish, unit: Unit, inside: Mapping[str, float], seen: Seen, wanted: Wanted) -> None:
    """v1's kernel refuses a quota above that of a cgroup over it (kernel/sched/core.c, tg_cfs_schedulable_down), and systemd goes on without any."""
    if seen.controllers.get(hierarchy.CPU) != 1 or "cpu_quota" not in wish.settings:
        return
    (_name, own), *above = [(each.get("Id", ""), time_span(each.get("CPUQuotaPerSecUSec", ""))) for each in unit.chain if each]
    if own is None:
        return
    told = {each.target.name for each in wanted.wishes}  # which answer for themselves
    wrong = [(unit.name, own, name, quota) for name, quota in above if quota is not None and own > quota]
    wrong += [(name, quota, unit.name, own) for name, quota in sorted(inside.items()) if quota > own and name not in told]
    for name, more, other, less in wrong:
        hint = "cgroup v1 takes no quota above that of a slice: give less, or leave it out."
        raise GoHostError(f"cpu_quota of {name} is above that of {other}", f"{more:.0%} of {less:.0%}", hint)
