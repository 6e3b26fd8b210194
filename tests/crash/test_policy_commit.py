# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 before and after every call of the ports to files and policy store, at every step of a commit, and between any two labels.

After each: the store can be read; the next run makes all of the wish true and leaves nothing over; the one after it has nothing to do.
"""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.selinux.apply import Site
from ansible_collections.gohost.linux.plugins.module_utils.selinux.converge import Outcome, converge
from ansible_collections.gohost.linux.plugins.module_utils.selinux.model import (
    LOST,
    NOT_INSTALLED,
    NOT_LOADED,
    Boolean,
    Fcontext,
    ModuleWish,
    Port,
    Restore,
    Scope,
    Wanted,
)
from tests.fakes.host import BoundedHost, Fuse, fused
from tests.fakes.policy_store import FakePolicyStore, KeptLabels, fused_labels, fused_store, leftovers

USR = "system_u:object_r:usr_t:s0"
FILES = {
    "/opt/app": USR,
    "/opt/app/bin": USR,
    "/opt/app/bin/app": USR,
    "/opt/app/data": USR,
    "/srv/app/bin": "system_u:object_r:var_t:s0",
    "/srv/app/bin/app": "system_u:object_r:var_t:s0",
}
FIRST = Wanted(
    fcontexts={("/opt/app/data(/.*)?", "a"): Fcontext("/opt/app/data(/.*)?", "a", "old_t"), ("/opt/gone", "a"): Fcontext("/opt/gone", "a", "old_t")},
    equivalences={"/var/kept": "/var/lib"},
    ports={("tcp", 9000, 9000): Port("tcp", 9000, 9000, "old_port_t")},
    restore=Restore(changed=True),
)
EVERYTHING = Wanted(
    fcontexts={
        ("/opt/app/bin(/.*)?", "a"): Fcontext("/opt/app/bin(/.*)?", "a", "bin_t"),
        ("/opt/app/data(/.*)?", "a"): Fcontext("/opt/app/data(/.*)?", "a", "data_t"),
        ("/opt/gone", "a"): None,
    },
    equivalences={"/srv/app": "/opt/app"},
    ports={("tcp", 8080, 8080): Port("tcp", 8080, 8080, "http_port_t")},
    booleans={"httpd_can_network_connect": Boolean("httpd_can_network_connect", True), "fips_mode": Boolean("fips_mode", False, False)},
    modules={("app", 400): ModuleWish("present", "(type app_t)\n")},
    permissive={"app_t": True},
    purge={"ports": Scope(setype="old_port_t")},
    restore=Restore(changed=True),
)
SCENARIOS = {
    "everything": EVERYTHING,
    "equivalences alone": Wanted(equivalences={"/srv/app": "/opt/app"}, restore=Restore(changed=True)),
    "labels alone": Wanted(restore=Restore(paths=("/srv/app",), force=True), fcontexts={("/srv/app(/.*)?", "a"): Fcontext("/srv/app(/.*)?", "a", "srv_t")}),
}


def site(base: str, fuse: Fuse | None = None) -> Site:
    if fuse is None:
        store = FakePolicyStore(base)
        return Site(BoundedHost(base), store, KeptLabels(store, FILES), store.place)
    store = fused_store(fuse, base)
    return Site(fused(BoundedHost, fuse, base), store, fused_labels(fuse, store, FILES), store.place)


class Kill(NamedTuple):
    number: int
    when: str


def killed(base: str, wanted: Wanted, point: Kill) -> bool:
    child = os.fork()
    if child == 0:
        try:
            converge(site(base, Fuse(point.number, point.when)), wanted)
        finally:
            os._exit(1)
    _pid, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def snapshot(base: str) -> dict[str, Any]:
    """All that the run is about; a commit more or less makes no difference."""
    found: dict[str, Any] = {}
    for path in sorted(Path(base).rglob("*")):
        if path.is_file() and path.name != "previous.json":
            content = path.read_text()
            found[str(path.relative_to(base))] = content if path.suffix != ".json" else _without_number(content)
    return found


def _without_number(content: str) -> Any:
    state = json.loads(content)
    for part in (state, state.get("policy", {})):
        part.pop("commit", None)
    return state


def points(calls: list[str]) -> Iterator[Kill]:
    yield from (Kill(number, when) for number in range(1, len(calls) + 1) for when in ("before", "after"))


def restored(base: Path, saved: Path) -> str:
    shutil.rmtree(base, ignore_errors=True)
    shutil.copytree(saved, base)
    return str(base)


@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_at_every_call(name: str, tmp_path: Path) -> None:
    wanted, base, saved = SCENARIOS[name], tmp_path / "host", tmp_path / "saved"
    base.mkdir()
    converge(site(str(base)), FIRST)
    shutil.copytree(base, saved)
    fuse = Fuse()
    converge(site(str(base), fuse), wanted)
    expected = snapshot(str(base))
    wrong: list[str] = []
    seen: set[str] = set()
    count = 0
    for point in points(fuse.calls):
        place = restored(base, saved)
        if not killed(place, wanted, point):
            assert point.when == "after", f"{point} {fuse.calls[point.number - 1]}: was not killed"  # a step has no after
            continue
        count += 1
        where = f"{point} {fuse.calls[point.number - 1]}"
        after = site(place)
        seen.add(after.store.unfinished(True))
        predicted = converge(after, wanted, check=True)
        outcome: Outcome = converge(after, wanted)
        if seen and predicted.decision.unfinished != LOST and predicted.plan != outcome.plan:
            wrong.append(f"{where}: check mode said {predicted.plan.steps}, done was {outcome.plan.steps}")
        wrong += [f"{where}: left {path}" for path in leftovers(after.place)]
        found = snapshot(place)
        wrong += [f"{where}: {path} is {found.get(path)}" for path in {*found, *expected} if found.get(path) != expected.get(path)]
        again = converge(site(place), wanted)
        if again.plan.changed or again.done is not None:
            wrong.append(f"{where}: the run after that does {again.plan.steps}")
    assert wrong == []
    if name == "everything":
        assert seen == {"", LOST, NOT_INSTALLED, NOT_LOADED}
        assert count > 80
    else:
        assert count > 20
