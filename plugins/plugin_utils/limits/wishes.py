# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Slices, services and users with their limits → units as the module cgroup_limits takes them. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ...module_utils.errors import GoHostError

# None has a key that only cgroup v2 or only a service knows, so that each fits everywhere. The role's README says why these figures.
PRESETS: dict[str, dict[str, Any]] = {
    "small": {"memory_max": "256MiB", "cpu_quota": 1, "tasks_max": 256},
    "build": {"memory_max": "75%", "cpu_weight": 50, "tasks_max": "25%"},
    "service": {"memory_max": "50%", "cpu_weight": 200, "tasks_max": 4096},
}
_ALL = {"each": "user-.slice", "together": "user.slice"}


def uids_of(passwd: Iterable[str]) -> dict[str, str]:
    """name → uid, from lines as `getent passwd` prints them."""
    fields = (line.split(":") for line in passwd)
    return {each[0]: each[2] for each in fields if len(each) > 2}


def units(described: Mapping[str, Any], uids: Mapping[str, str], unknown: bool = False) -> list[dict[str, Any]]:
    """described: lists slices, services, users and user_delegate, as the role's variables. unknown: users who are not there are left out."""
    odd = sorted(described.keys() - {"slices", "services", "users", "user_delegate"})
    if odd:
        raise GoHostError("limits are for slices, services and users, not for", ", ".join(odd))
    found = [_unit(_named(entry, ("slice",)), entry) for entry in _entries(described, "slices")]
    found += [_unit(_named(entry, ("service", "scope")), entry) for entry in _entries(described, "services")]
    found += list(_users(_entries(described, "users"), uids, unknown))
    delegate = described.get("user_delegate")
    return found + ([{"unit": "user@.service", "delegate": delegate}] if delegate else [])


def _entries(described: Mapping[str, Any], kind: str) -> Sequence[Mapping[str, Any]]:
    entries = described.get(kind) or []
    if not isinstance(entries, Sequence) or not all(isinstance(one, Mapping) for one in entries):
        raise GoHostError(f"{kind} is no list of dictionaries", entries)
    return entries


def _named(entry: Mapping[str, Any], kinds: tuple[str, ...]) -> str:
    name = str(entry.get("name") or "")
    if "." not in name and name:
        return f"{name}.{kinds[0]}"
    if name.rpartition(".")[2] not in kinds:
        raise GoHostError(f"no name of a {' or '.join(kinds)}", repr(name), f"Write the whole name, which ends in .{kinds[0]}.")
    return name


def _users(entries: Iterable[Mapping[str, Any]], uids: Mapping[str, str], unknown: bool) -> Iterator[dict[str, Any]]:
    for entry in entries:
        user, every = (str(entry.get(key, "")) for key in ("user", "all"))
        if bool(user) == bool(every):
            raise GoHostError("a limit of users needs either user or all", dict(entry), 'Write "user: NAME", "all: each" or "all: together".')
        if every and every not in _ALL:
            raise GoHostError("all is neither each nor together", every)
        uid = user if user.isdecimal() else uids.get(user)
        if every:
            yield _unit(_ALL[every], entry)
        elif uid is not None:
            yield _unit(f"user-{int(uid)}.slice", entry)
        elif not unknown:
            raise GoHostError("no such user on this host", user, "Create the user before, or give the number (uid).")


def _unit(unit: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry with its preset below it. What is to be absent has no limits."""
    preset = entry.get("preset")
    if preset is not None and preset not in PRESETS:
        raise GoHostError("no such preset", preset, f"There are {', '.join(PRESETS)}.")
    kept = {key: value for key, value in entry.items() if key not in ("name", "user", "all", "preset")}
    base = {} if preset is None or kept.get("state") == "absent" else PRESETS[preset]
    if kept.get("slice"):
        kept["slice"] = _named({"name": kept["slice"]}, ("slice",))
    return {"unit": unit, **base, **kept}
