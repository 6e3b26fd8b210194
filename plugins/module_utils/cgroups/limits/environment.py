# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service's Go program has to be told because its runtime cannot know it. Pure."""

from typing import Dict, Mapping

from .. import advise, configured, hierarchy, quantities
from ..model import Bound, Observed, Sharing, Unit
from ..parse import time_span
from .model import SERVICE, TEMPLATE, Seen, UnitState, Wanted, Wish


def environment_for(wish: Wish, found: Observed, unit: Unit, seen: Seen, below: Mapping[str, str]) -> Dict[str, str]:
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
    reads = found.alone is not None and found.alone.reads_quota and seen.controllers.get(hierarchy.CPU) == 1
    return reads and advise.wished_procs(found) < len(found.cpus) and time_span(unit.chain[0].get("CPUQuotaPerSecUSec", "")) is None


def sharing(wish: Wish, found: Observed, wanted: Wanted, seen: Seen) -> Sharing:
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
