# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service's Go program has to be told because its runtime cannot know it. Pure."""

from typing import Dict, Mapping

from .. import advise, configured, hierarchy, quantities
from ..model import Bound, Observed, Sharing, Unit
from ..parse import time_span
from .model import SERVICE, TEMPLATE, Seen, Wanted, Wish
from .overlay import Forecast


def environment_for(wish: Wish, found: Observed, unit: Unit, seen: Seen, below: Mapping[str, str]) -> Dict[str, str]:
    """What the program has to be told. What the administrator tells it stays. below: what our lasting drop-in tells it, over which a runtime one goes."""
    if found.alone is None:
        return {}
    if wish.share:
        found = _with_share(wish.share, found, unit)
    wished = str(advise.wished_procs(found))
    environment = advise.environment(found, wish.headroom)
    if _read_by_chance(found, unit, seen) or below.get("GOMAXPROCS", wished) != wished:
        environment["GOMAXPROCS"] = wished
    if "GOMEMLIMIT" in below:
        environment.setdefault("GOMEMLIMIT", "off")
    return {name: value for name, value in environment.items() if name not in found.environment}


def _with_share(share: str, found: Observed, unit: Unit) -> Observed:
    """The program with its part of the memory that the slices above it have."""
    own, above = (configured.effective(chain).heap for chain in (unit.chain[:1], unit.chain[1:]))
    if above is None:
        return found
    part = min(quantities.size(share).of(int(above.value)) or 0, above.value, *([own.value] if own is not None else []))
    return found._replace(effective=found.effective._replace(memory=Bound(part, above.node), high=None), sharing=Sharing())


def _read_by_chance(found: Observed, unit: Unit, seen: Seen) -> bool:
    """Whether the program reads its slice's quota only for as long as it has no cpu cgroup of its own.

    On v1 systemd gives it one as soon as a neighbour in the slice needs one (src/core/cgroup.c, unit_get_sibling_mask).
    """
    reads = found.alone is not None and found.alone.reads_quota and seen.controllers.get(hierarchy.CPU) == 1
    return reads and advise.wished_procs(found) < len(found.cpus) and time_span(unit.chain[0].get("CPUQuotaPerSecUSec", "")) is None


def sharing(wish: Wish, found: Observed, wanted: Wanted, forecast: Forecast) -> Sharing:
    """Who else is in the slice whose memory limit counts: what runs there, services of this call that will, and a template's other instances."""
    bound = found.effective.heap
    if bound is None or bound.node.path == found.unit:
        return Sharing()
    seen, name = forecast.seen, bound.node.path
    others = [(each, target.unit) for each, target in zip(wanted.wishes, seen.targets) if each.target.kind == SERVICE and target.unit is not None]
    others = [(each, unit) for each, unit in others if unit.name != found.unit]
    placed = {unit.name for each, unit in others if name in forecast.slices(each, unit)}
    leaving = {unit.name for _wish, unit in others if wanted.restart != "never"} - placed
    there = [path for path in seen.occupants.get(name, ()) if not {found.unit, *leaving} & set(path.split("/"))]
    return Sharing(len(there) + len(placed) + (wish.target.family == TEMPLATE))
