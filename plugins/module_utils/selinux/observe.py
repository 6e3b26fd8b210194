# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there now: where the policy is, and what its store holds of the kinds that a call names."""

from typing import Dict

from ..errors import GoHostError
from ..host import Host
from .model import LOST, NOT_INSTALLED, PERMISSIVE, Installed, ModuleKey, Pending, Place, Seen, Wanted
from .parse import equivalences, file_contexts, parse_pending, settings, substituted
from .store import PolicyStore, store_directory

_ENFORCE = "/sys/fs/selinux/enforce"


def text(host: Host, path: str) -> str:
    """A file's text; "" where there is none."""
    return host.read(path).decode("utf-8", "surrogateescape") if host.stat(path) is not None else ""


def selinux_state(host: Host) -> str:
    """enforcing, permissive or disabled: of the running kernel."""
    if host.stat(_ENFORCE) is None:
        return "disabled"
    return "enforcing" if host.read(_ENFORCE).strip() == b"1" else "permissive"


def locate(host: Host, root: str, store: str) -> Place:
    """The store of this name, or "" for the one that the root's /etc/selinux/config names."""
    top = root.rstrip("/")
    configured = settings(text(host, f"{top}/etc/selinux/config")).get("SELINUXTYPE", "")
    name = store or configured
    if not name:
        raise GoHostError("no SELinux policy is configured", f"{top}/etc/selinux/config", "Install the distribution's policy, or name its store.")
    directory = store_directory(root, name, text(host, f"{top}/etc/selinux/semanage.conf"))
    return Place(root, name, directory, not top and name == configured and host.stat(_ENFORCE) is not None)


def boolean_names(host: Host, place: Place) -> Dict[str, str]:
    """Old names of booleans → those that the policy has now (selinux_boolean_sub(3))."""
    return {record.path: record.source for record in equivalences(text(host, f"{place.policy}/booleans.subs_dist"))}


def pending(host: Host, place: Place) -> Pending:
    return parse_pending(host.read(place.pending), place.pending) if host.stat(place.pending) is not None else Pending()


def observe(host: Host, store: PolicyStore, place: Place, wanted: Wanted) -> Seen:
    unfinished = store.unfinished(wanted.reload)
    if unfinished == LOST:
        return Seen(unfinished=unfinished)
    seen = Seen(mls=store.mls(), running=place.running, unfinished=unfinished)
    if wanted.names("fcontexts") or wanted.names("equivalences"):
        seen = seen._replace(subs=text(host, place.subs), dist_subs=text(host, f"{place.subs}_dist"))
    if wanted.names("fcontexts") or (wanted.restore.asked and unfinished == NOT_INSTALLED):
        seen = seen._replace(fcontexts=tuple(store.fcontexts()))
        if _foreign_fcontexts(wanted, seen):
            seen = seen._replace(policy_fcontexts=file_contexts(text(host, place.stored_file_contexts)))
    if wanted.names("ports"):
        seen = seen._replace(ports=tuple(store.ports()))
        if set(wanted.ports) - {record[:3] for record in seen.ports}:
            seen = seen._replace(policy_ports=tuple(store.policy_ports()))
    if wanted.names("booleans"):
        seen = seen._replace(booleans=store.booleans(), active=store.active(sorted(wanted.booleans)) if place.running else {})
        if set(wanted.booleans) - set(seen.booleans) - set(seen.active):
            seen = seen._replace(policy_booleans=frozenset(store.policy_booleans()))
    if wanted.names("modules") or wanted.names("permissive"):
        seen = seen._replace(modules=_modules(store, wanted))
    if wanted.restore.changed:
        seen = seen._replace(pending=pending(host, place))
    return seen


def _foreign_fcontexts(wanted: Wanted, seen: Seen) -> bool:
    """Whether a wish is about a rule that is not a local record."""
    local, distribution = equivalences(seen.subs), equivalences(seen.dist_subs)
    known = {(record.target, record.ftype) for record in seen.fcontexts}
    return any((substituted(target, local, distribution), ftype) not in known for target, ftype in wanted.fcontexts)


def _modules(store: PolicyStore, wanted: Wanted) -> Dict[ModuleKey, Installed]:
    scope = wanted.purge.get("modules")

    def named(key: ModuleKey) -> bool:
        purged = scope is not None and key[1] == 400 and key[0].startswith(scope.prefix) and not key[0].startswith(PERMISSIVE)
        return purged or key in wanted.modules

    return {key: Installed(enabled, store.cil(key) if named(key) else None) for key, enabled in store.modules().items()}
