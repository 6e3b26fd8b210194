# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of cgroup_limits: their specification, and the wish in a call's parameters."""

import re
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple

from ...errors import GoHostError
from .. import quantities
from ..parse import cpu_list, cpu_text
from .directives import DIRECTIVES
from .model import SERVICE, SLICE, Wanted, Wish, target

_SOFT_NOFILE = 1024  # of systemd; what calls select(2) breaks above, and Go raises its own (golang/go:src/os/rlimit.go)
_MOST_TASKS = 4 << 20  # the kernel's PID_MAX_LIMIT, above which it takes no pids.max
_SECONDS = (0.001, 1.0)  # of a quota's period that the kernel takes
_NUMBER = re.compile(r"-?\d{1,10}\Z", re.ASCII)
_DEVICE = re.compile(r"/[^\s\"'\\%]*\Z")  # systemd reads quotes, escapes and specifiers there
_CONTROLLERS = ("cpu", "cpuset", "io", "memory", "pids")
_LIMITS = dict(type="list", elements="dict", options=dict(device=dict(type="path", required=True), limit=dict(type="str", required=True)))

ARGUMENT_SPEC: Dict[str, Any] = dict(
    units=dict(
        type="list",
        elements="dict",
        required=True,
        options=dict(
            unit=dict(type="str", required=True),
            state=dict(type="str", choices=["present", "absent"], default="present"),
            runtime=dict(type="bool", default=False),
            memory_min=dict(type="str"),
            memory_low=dict(type="str"),
            memory_high=dict(type="str"),
            memory_max=dict(type="str"),
            memory_swap_max=dict(type="str"),
            cpu_quota=dict(type="str"),
            cpu_quota_period=dict(type="float"),
            cpu_weight=dict(type="str"),
            allowed_cpus=dict(type="str"),
            tasks_max=dict(type="str"),
            io_weight=dict(type="int"),
            io_read_bandwidth_max=_LIMITS,
            io_write_bandwidth_max=_LIMITS,
            io_read_iops_max=_LIMITS,
            io_write_iops_max=_LIMITS,
            managed_oom_swap=dict(type="str", choices=["auto", "kill"]),
            managed_oom_memory_pressure=dict(type="str", choices=["auto", "kill"]),
            managed_oom_memory_pressure_limit=dict(type="str"),
            managed_oom_preference=dict(type="str", choices=["none", "avoid", "omit"]),
            oom_policy=dict(type="str", choices=["continue", "stop", "kill"]),
            oom_score_adjust=dict(type="int"),
            limit_nofile=dict(type="int"),
            delegate=dict(type="list", elements="str", choices=list(_CONTROLLERS)),
            slice=dict(type="str"),
            go_runtime=dict(type="str", choices=["auto", "off"], default="auto"),
            memory_headroom=dict(type="float", default=0.9),
            memory_share=dict(type="str"),
        ),
    ),
    restart=dict(type="str", choices=["never", "needed", "always"], default="never"),
    force=dict(type="bool", default=False),
)


def wanted(options: Mapping[str, Any]) -> Wanted:
    """The wish in a call's parameters. Errors: GoHostError, on the first value that cannot be."""
    wishes: List[Wish] = []
    for entry in options["units"]:
        wish = _wish(entry)
        if any((each.target, each.runtime) == (wish.target, wish.runtime) for each in wishes):
            raise GoHostError("units has two wishes for one drop-in", entry["unit"], "Put them together.")
        wishes.append(wish)
    return Wanted(tuple(wishes), options["restart"], options["force"])


def _wish(entry: Mapping[str, Any]) -> Wish:
    name = entry["unit"]
    its = target(name)
    settings: Dict[str, Tuple[str, ...]] = {}
    for option in DIRECTIVES:
        if entry.get(option) is None or (DIRECTIVES[option].devices and not entry[option]):
            continue
        if its.kind not in DIRECTIVES[option].kinds:
            kinds = " and ".join(f".{kind}" for kind in DIRECTIVES[option].kinds)
            raise GoHostError(f"{option} is not for a .{its.kind}", name, f"Only {kinds} units have {DIRECTIVES[option].name}=.")
        settings[option] = tuple(_READERS.get(option, _word)(entry[option], f"{option} of {name}"))
    if entry["state"] == "absent" and settings:
        raise GoHostError("state is absent, and there are limits", name, f"Leave {', '.join(settings)} out, or the state.")
    if "cpu_quota_period" in settings and "cpu_quota" not in settings:
        raise GoHostError(f"cpu_quota_period of {name} is without a cpu_quota", settings["cpu_quota_period"][0], "Give both.")
    if not 0 < entry["memory_headroom"] <= 1:
        raise GoHostError(f"memory_headroom of {name} is no part of the limit", entry["memory_headroom"], "Give a number above 0, at most 1.")
    share = entry["memory_share"] or ""
    if share and its.kind != SERVICE:
        raise GoHostError(f"memory_share is not for a .{its.kind}", name, "It is a service's part.")
    if share and quantities.size(share, f"memory_share of {name}").infinite:
        raise GoHostError(f"memory_share of {name} is no part", share, 'Give a share as in "50%", or a size.')
    present = entry["state"] == "present"
    return Wish(its, present, entry["runtime"], settings, entry["go_runtime"] == "auto", entry["memory_headroom"], share)


def _word(value: Any, _name: str) -> Sequence[str]:
    return [str(value)]


def _size(value: str, name: str) -> Sequence[str]:
    return [quantities.short(quantities.size(value, name))]


def _positive_size(value: str, name: str) -> Sequence[str]:
    amount = quantities.size(value, name)
    if amount.number == 0 or amount.share == 0:
        raise GoHostError(f"{name} is nothing", value, "systemd takes no such limit: give more.")
    return _size(value, name)


def _tasks(value: str, name: str) -> Sequence[str]:
    amount = quantities.count(value, name)
    if (amount.number or 0) > _MOST_TASKS:
        raise GoHostError(f"{name} is more than the kernel can have", value, f'Give at most {_MOST_TASKS}, or "infinity".')
    return [str(amount)]


def _quota(value: str, name: str) -> Sequence[str]:
    found = quantities.cpus(value, name)
    return ["" if found is None else quantities.percent(found * 10000 // quantities.MICROSECONDS)]  # empty is none


def _period(value: float, name: str) -> Sequence[str]:
    if not _SECONDS[0] <= value <= _SECONDS[1]:
        raise GoHostError(f"{name} is out of range", value, "Give seconds from 0.001 to 1.")
    return [f"{round(value * quantities.MICROSECONDS)}us"]


def _weight(value: Any, name: str) -> Sequence[str]:
    text = str(value).strip()
    if text == "idle" and name.startswith("cpu_weight"):
        return [text]
    return [_number(text, name, 1, 10000)]


def _number(value: Any, name: str, least: int, most: int) -> str:
    text = str(value)
    if not _NUMBER.match(text) or not least <= int(text) <= most:
        raise GoHostError(f"{name} is out of range", value, f"Give a number from {least} to {most}.")
    return str(int(text))


def _cpus(value: str, name: str) -> Sequence[str]:
    found = cpu_list(",".join(value.replace(",", " ").split()))
    if not found:
        raise GoHostError(f"{name} is no list of CPUs", value, "Write it as in 0-3,8.")
    return [cpu_text(found)]


def _devices(value: Sequence[Mapping[str, str]], name: str) -> Sequence[str]:
    found: List[str] = []
    for entry in value:
        device, amount = entry["device"], quantities.size(entry["limit"], name)
        if not _DEVICE.match(device):
            raise GoHostError(f"{name} has a device that is no path", device, "Give a device as in /dev/vda, or a file on it.")
        if any(line.rpartition(" ")[0] == device for line in found):
            raise GoHostError(f"{name} has a device twice", device, "Give it one limit.")
        if amount.number is None or amount.number == 0:
            raise GoHostError(f"{name} has no number", entry["limit"], "Give a number above 0, or leave the device out.")
        found.append(f"{device} {amount.number}")  # suffixes count by 1000 here, unlike those of memory (src/core/load-fragment.c)
    return found


def _pressure(value: str, name: str) -> Sequence[str]:
    amount = quantities.size(value, name)
    if amount.share is None:
        raise GoHostError(f"{name} is no percentage", value, 'Write it as in "60%".')
    return [str(amount)]


def _slice(value: str, _name: str) -> Sequence[str]:
    if value != "-.slice":
        its = target(value)
        if its.kind != SLICE or its.family:
            raise GoHostError("slice is no name of a slice", value, "Write it as in build.slice.")
    return [value]


def _nofile(value: int, name: str) -> Sequence[str]:
    hard = int(_number(value, name, 1, 1 << 30))
    return [f"{min(_SOFT_NOFILE, hard)}:{hard}"]


_READERS: Dict[str, Callable[[Any, str], Sequence[str]]] = {
    **dict.fromkeys(("memory_min", "memory_low", "memory_swap_max"), _size),
    **dict.fromkeys(("memory_high", "memory_max"), _positive_size),
    **dict.fromkeys(("io_read_bandwidth_max", "io_write_bandwidth_max", "io_read_iops_max", "io_write_iops_max"), _devices),
    "cpu_quota": _quota,
    "cpu_quota_period": _period,
    "cpu_weight": _weight,
    "io_weight": _weight,
    "allowed_cpus": _cpus,
    "tasks_max": _tasks,
    "managed_oom_memory_pressure_limit": _pressure,
    "oom_score_adjust": lambda value, name: [_number(value, name, -1000, 1000)],
    "limit_nofile": _nofile,
    "delegate": lambda value, _name: [" ".join(value) or "no"],
    "slice": _slice,
}
