# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of our drop-ins. Pure.

systemd orders all drop-ins of a unit by their file names, whatever directory they are in, and the last one counts. Of one name it reads only one: that in
/etc hides that in /run, that of a narrower prefix those of wider ones (systemd.unit(5)). So each kind has a number of its own.
"""

import posixpath

from .model import TEMPLATE, Wish

LASTING, RUNTIME = "/etc/systemd/system", "/run/systemd/system"
PLACES = ("/etc/systemd/system.control", "/run/systemd/system.control", "/run/systemd/transient", LASTING, RUNTIME)  # of one name the first is read
ENDING = "-gohost-limits.conf"
_UNIT, _UNIT_RUNTIME = 90, 95  # after 50-NAME.conf, which `systemctl set-property` writes
_FAMILY = -10  # before those of single units; from there on the narrower the later
_MOST_NARROW = 4


def path(wish: Wish, unit: str = "") -> str:
    """Of a wish's drop-in. unit: its canonical name, where systemd knows another one."""
    number, its = _UNIT_RUNTIME if wish.runtime else _UNIT, wish.target
    if its.family:
        narrow = its.name.count("-") + (its.family == TEMPLATE) - 1
        number += _FAMILY + min(narrow, _MOST_NARROW)
    return f"{RUNTIME if wish.runtime else LASTING}/{unit or its.name}.d/{number}{ENDING}"


def target_of(file: str) -> str:
    """The unit, template or prefix that a drop-in is for."""
    return posixpath.basename(posixpath.dirname(file))[: -len(".d")]


def of_one_unit(file: str) -> bool:
    """Whether a file is our drop-in of a single unit, which is meant to win over that of its family."""
    return posixpath.basename(file) in (f"{_UNIT}{ENDING}", f"{_UNIT_RUNTIME}{ENDING}")
