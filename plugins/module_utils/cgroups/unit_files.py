# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit files and systemd's own configuration, text → settings (systemd.syntax(7)). Pure."""

import functools
import re
from typing import Iterable, List, NamedTuple, Tuple

_SECTION = re.compile(r"\[([^\]]*)\]\Z")
_SIZE = r"(\d.*|infinity)?\Z"
_TAKEN = {  # what systemd 252 does something with; most take an empty value, which resets, some do not. Compiled by who needs them: few are ever.
    **dict.fromkeys(("MemoryMin", "MemoryLow", "MemorySwapMax"), _SIZE),
    **dict.fromkeys(("MemoryHigh", "MemoryMax"), r"(?!0+%?\Z)" + _SIZE),
    "CPUQuota": r"(\d+(\.\d+)?%)?\Z",
    "CPUWeight": r"(\d+|idle)?\Z",
    "IOWeight": r"\d*\Z",
    "TasksMax": r"(\d+(\.\d+)?%|\d+|infinity)?\Z",
    "OOMPolicy": r"(continue|stop|kill)\Z",
    "LimitNOFILE": r"(\d+|infinity)(:(\d+|infinity))?\Z",
    "Slice": r".+\.slice\Z",
}


class Setting(NamedTuple):
    """A line of a unit file. section: without brackets; file: where it stands."""

    section: str
    name: str
    value: str
    file: str


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
        elif sign and name.strip() and re.match(_TAKEN.get(name.strip(), ""), value.strip(), re.ASCII):
            found.append(Setting(section, name.strip(), value.strip(), file))
    return tuple(found)


def standing(read: Iterable[Setting], section: str, name: str) -> Tuple[Setting, ...]:
    """Of a setting all values that count, in their order: an empty one takes back those before it. Of most settings the last is what is done."""
    found: List[Setting] = []
    for each in read:
        if (each.section, each.name) == (section, name):
            found = found + [each] if each.value else []
    return tuple(found)
