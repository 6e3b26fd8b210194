# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What unit files say of limits and of the Go runtime's environment, and our drop-in's text. Pure."""

from typing import Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from .. import variables
from ..unit_files import Setting, standing
from .directives import DIRECTIVES
from .model import SECTIONS, Wish

OURS = "# Written by gohost.linux.cgroup_limits, which overwrites and removes this file.\n"


def each_word(read: Iterable[Setting], name: str, unit: str) -> List[Setting]:
    """The words of a service's setting that count, each as a setting of its own."""
    return [each._replace(value=word) for each in standing(read, SECTIONS["service"], name) for word in variables.resolved(each.value, unit)]


def go_environment(read: Iterable[Setting], unit: str = "") -> Dict[str, str]:
    """The variables of the Go runtime in Environment=. unit: whose it is, for specifiers."""
    return variables.assigned(each.value for each in each_word(read, "Environment", unit))


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
