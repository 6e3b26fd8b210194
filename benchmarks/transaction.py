# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""50 rules, 10 ports and 5 booleans in a virtual machine with SELinux enforcing: one task, beside a task for each of them, and beside semanage import."""

import functools
import os
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.gohost.linux.plugins.plugin_utils.releases.cache import default_dir, private_dir
from benchmarks import measure
from benchmarks.guest import Guest
from tests.hosts import hosts

_MODULE = "gohost.linux.selinux_go_context"
_IMAGE = "vm:bookworm"
_PEERS = ("community/general", "ansible/posix")
_RULES = [{"target": f"/srv/bench/{number}(/.*)?", "setype": "bin_t"} for number in range(50)]
_PORTS = [{"proto": "tcp", "port": str(20001 + number), "setype": "http_port_t"} for number in range(10)]
_BOOLEANS = ["httpd_can_network_connect", "httpd_can_network_connect_db", "httpd_can_network_relay", "httpd_can_sendmail", "global_ssp"]
_WISH: dict[str, Any] = {"fcontexts": _RULES, "ports": _PORTS, "booleans": [{"name": name, "state": True} for name in _BOOLEANS]}
_CIL = "(type bench_t)\n(roletype object_r bench_t)\n(typeattributeset file_type (bench_t))\n"
_IMPORT = "\n".join(
    [
        *(f"fcontext -a -f a -t bin_t -r s0 '{rule['target']}'" for rule in _RULES),
        *(f"port -a -t http_port_t -r s0 -p tcp {port['port']}" for port in _PORTS),
        *(f"boolean -m -1 {name}" for name in _BOOLEANS),
    ]
)
_STORE, _POLICY, _SAVED = "/var/lib/selinux/default", "/etc/selinux/default", "/root/gohost-bench-saved"


def rows(scratch: Path, rounds: int, looped: int) -> list[tuple[str, ...]]:
    """rounds: pairs with semanage import; looped: pairs with a task for each record, at ten minutes each."""
    host = hosts.start(_IMAGE, "bench-transaction")
    try:
        guest = _Fresh(host, scratch / "transaction", str(_peers()))
        guest.shell(f"rm -rf {_SAVED}; mkdir {_SAVED}; cp -a {_STORE} {_SAVED}/store; cp -a {_POLICY} {_SAVED}/policy; echo '{_CIL}' > /root/bench.cil")
        return list(_rows(guest, rounds, looped))
    finally:
        hosts.stop(host)


def _rows(guest: "_Fresh", rounds: int, looped: int) -> Sequence[tuple[str, ...]]:
    module = {"modules": [{"name": "bench", "cil": _CIL}]}
    imports = {"ansible.builtin.command": {"cmd": "semanage import", "stdin": _IMPORT}}
    both = {"ansible.builtin.shell": {"cmd": "semanage import && semodule -i /root/bench.cil", "stdin": _IMPORT}}
    guest.play([{"name": "warm", _MODULE: _WISH, "check_mode": True}])  # the first one builds the module
    found = []
    for name, ours, peer, limit in (
        ("65 records : semanage import", {_MODULE: _WISH}, imports, "1.20"),
        ("65 records and a module : semanage import and semodule -i", {_MODULE: {**_WISH, **module}}, both, "1.00"),
    ):
        pairs = measure.pairs(rounds, functools.partial(guest.fresh_round, [ours]), functools.partial(guest.fresh_round, [peer]))
        found.append(measure.row(name, pairs, limit))
    if looped:
        first, again = [], []
        for _number in range(looped):
            fresh, unchanged = guest.fresh([{_MODULE: _WISH}]), guest.play([{_MODULE: _WISH}])
            first.append(measure.Pair(fresh, guest.fresh(_looped())))
            again.append(measure.Pair(unchanged, guest.play(_looped())))
        found.append(measure.row("65 records : 65 tasks", first, "0.05"))
        found.append(measure.row("65 records, unchanged : 65 tasks", again, "0.05"))
    return found


def _looped() -> list[dict[str, Any]]:
    return (
        [{"community.general.sefcontext": {**rule, "state": "present"}} for rule in _RULES]
        + [{"community.general.seport": {"ports": port["port"], "proto": "tcp", "setype": port["setype"], "state": "present"}} for port in _PORTS]
        + [{"ansible.posix.seboolean": {"name": name, "state": True, "persistent": True}} for name in _BOOLEANS]
    )


class _Fresh(Guest):
    """A machine that goes back to the policy as it was installed."""

    def fresh(self, tasks: Sequence[Mapping[str, Any]]) -> float:
        back = f"rm -rf {_STORE} {_POLICY}; cp -a {_SAVED}/store {_STORE}; cp -a {_SAVED}/policy {_POLICY}; load_policy"
        self.shell(f"{back}; setsebool {' '.join(f'{name}=0' for name in _BOOLEANS)}; sync")
        return self.play(tasks)

    def fresh_round(self, tasks: Sequence[Mapping[str, Any]], _number: int) -> float:
        return self.fresh(tasks)


def _peers() -> Path:
    """The collections of the package `ansible` that are compared, without the other hundred."""
    cache = private_dir(default_dir(os.environ) / "bench")
    place = cache / "peers"
    if not place.is_dir():
        downloads, unpacked = cache / "ansible", cache / "peers.new"
        measure.output([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", downloads, "ansible"])
        (wheel,) = downloads.glob("ansible-*.whl")
        with zipfile.ZipFile(wheel) as packed:
            prefixes = tuple(f"ansible_collections/{name}/" for name in _PEERS)
            packed.extractall(unpacked, [name for name in packed.namelist() if name.startswith(prefixes)])
        unpacked.rename(place)
    return place
