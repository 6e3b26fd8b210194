# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit files, text → records, and our drop-in's text. Pure."""

import functools
import re
from typing import Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from .. import variables
from ..hierarchy import below
from ..parse import unescaped
from .directives import DIRECTIVES
from .model import SECTIONS, Setting, Wish

OURS = "# Written by gohost.linux.cgroup_limits, which overwrites and removes this file.\n"
_SECTION = re.compile(r"\[([^\]]*)\]\Z")
_ANYTHING = re.compile("")
_SIZE = r"(\d.*|infinity)?\Z"
_TAKEN = {  # what systemd 252 does something with; most take an empty value, which resets, some do not
    name: re.compile(form, re.ASCII)
    for name, form in {
        **dict.fromkeys(("MemoryMin", "MemoryLow", "MemorySwapMax"), _SIZE),
        **dict.fromkeys(("MemoryHigh", "MemoryMax"), r"(?!0+%?\Z)" + _SIZE),
        "CPUQuota": r"(\d+(\.\d+)?%)?\Z",
        "CPUWeight": r"(\d+|idle)?\Z",
        "IOWeight": r"\d*\Z",
        "TasksMax": r"(\d+(\.\d+)?%|\d+|infinity)?\Z",
        "OOMPolicy": r"(continue|stop|kill)\Z",
        "LimitNOFILE": r"(\d+|infinity)(:(\d+|infinity))?\Z",
        "Slice": r".+\.slice\Z",
    }.items()
}


@functools.lru_cache(maxsize=None)
def settings(text: str, file: str) -> Tuple[Setting, ...]:
    """The settings of a unit file in their order (systemd.syntax(7)); lines of other forms are left out, and limits that systemd does not take."""
    found: List[Setting] = []
    section, waiting = "", ""
    for line in [*text.split("\n"), ""]:  # an empty one ends what the last one continues
        line = line.rstrip("\r")
        if line.lstrip().startswith(("#", ";")):  # within a continued line, too
            continue
        if (len(line) - len(line.rstrip("\\"))) % 2:
            waiting += line[:-1] + " "
            continue
        whole, waiting = (waiting + line).strip(), ""
        header = _SECTION.match(whole)
        name, sign, value = whole.partition("=")
        if header:
            section = header.group(1)
        elif sign and name.strip() and _TAKEN.get(name.strip(), _ANYTHING).match(value.strip()):
            found.append(Setting(section, name.strip(), value.strip(), file))
    return tuple(found)


def standing(read: Iterable[Setting], section: str, name: str) -> Tuple[Setting, ...]:
    """Of a setting all values that count, in their order: an empty one takes back those before it. Of most settings the last is what is done."""
    found: List[Setting] = []
    for each in read:
        if (each.section, each.name) == (section, name):
            found = found + [each] if each.value else []
    return tuple(found)


def each_word(read: Iterable[Setting], name: str, unit: str) -> List[Setting]:
    """The words of a service's setting that count, each as a setting of its own."""
    return [each._replace(value=word) for each in standing(read, SECTIONS["service"], name) for word in variables.resolved(each.value, unit)]


def go_environment(read: Iterable[Setting], unit: str = "") -> Dict[str, str]:
    """The variables of the Go runtime in Environment=. unit: whose it is, for specifiers."""
    return variables.assigned(each.value for each in each_word(read, "Environment", unit))


def device_of(mountinfo: str, path: str) -> str:
    """Major and minor number of the device of a path's file system, as in "254:1" (proc_pid_mountinfo(5)); "" of btrfs, which has devices of its own."""
    best, found = -1, ""
    for line in mountinfo.splitlines():
        before, _sign, after = line.partition(" - ")
        fields = before.split(" ")
        point = unescaped(fields[4]) if len(fields) >= 6 else ""
        if point and below(path, point) is not None and len(point) >= best:  # what is mounted later in one place hides what was
            best, found = len(point), "" if after.startswith("btrfs ") else fields[2]
    return found


def render(wish: Wish, environment: Mapping[str, str]) -> Optional[str]:
    """Our drop-in's text; None where nothing is to stand in it."""
    lines = [f"{directive.name}={value}" for option, directive in DIRECTIVES.items() for value in wish.settings.get(option, ())]
    lines += [f"Environment={name}={value}" for name, value in sorted(environment.items())]
    if not wish.present or not lines:
        return None
    return "\n".join([f"{OURS}[{SECTIONS[wish.target.kind]}]", *lines, ""])


def options(read: Sequence[Setting]) -> Dict[str, Tuple[str, ...]]:
    """Settings of one file as options of the module, for those that it has."""
    found: Dict[str, Tuple[str, ...]] = {}
    for option, directive in DIRECTIVES.items():
        values = tuple(each.value for each in read if each.name == directive.name)
        if values:
            found[option] = values
    return found
