# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A policy store of a few files in a directory, which commits in libsemanage's steps, and is killed at each on request."""

import contextlib
import copy
import json
import os
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence

from ansible_collections.gohost.linux.plugins.module_utils.selinux.file_contexts import text
from ansible_collections.gohost.linux.plugins.module_utils.selinux.labels import Relabel, Rules
from ansible_collections.gohost.linux.plugins.module_utils.selinux.model import (
    LOST,
    NOT_INSTALLED,
    NOT_LOADED,
    Boolean,
    Fcontext,
    ModuleKey,
    ModuleState,
    Place,
    PolicyModule,
    Port,
)
from ansible_collections.gohost.linux.plugins.module_utils.selinux.store import Committed, PolicyStore, StoreError
from tests.fakes.host import Fuse
from tests.fakes.labels import FakeLabels

EMPTY: Dict[str, Any] = {"commit": 1, "fcontexts": [], "ports": [], "booleans": {}, "modules": [["base", 100, "(type base_t)"]], "disabled": []}
POLICY = "/usr/bin/.* -- system_u:object_r:bin_t:s0\n/opt(/.*)? system_u:object_r:usr_t:s0\n"
POLICY_PORTS = (Port("tcp", 8080, 8080, "http_cache_port_t"), Port("tcp", 1024, 65535, "unreserved_port_t"), Port("tcp", 80, 80, "http_port_t"))
POLICY_BOOLEANS = {"httpd_can_network_connect": False, "allow_ypbind": False, "fips_mode": True}


class FakePolicyStore(PolicyStore):
    """Lives below base, as root's / would. fail: a commit fails where a module's CIL holds this; fail_load: loading does."""

    def __init__(self, base: str, running: bool = True, fail: str = "bad_t", fail_load: bool = False, mls: bool = True) -> None:
        self.place = Place(base, "default", f"{base}/var/lib/selinux/default", running)
        self.fail = fail
        self.fail_load = fail_load
        self._mls = mls
        self.commits: List[bool] = []  # rebuild of each
        self.began = 0
        self._sandbox: Optional[Dict[str, Any]] = None
        if not os.path.isdir(self.place.directory):
            os.makedirs(f"{self.place.directory}/active")
            os.makedirs(f"{self.place.policy}/contexts/files")
            for name in ("active", "installed"):
                self._save(name, EMPTY)
            self._save("kernel", {"policy": EMPTY, "booleans": POLICY_BOOLEANS})
            for path in (self.place.file_contexts, self.place.stored_file_contexts):
                with open(path, "w") as target:
                    target.write(POLICY)

    def step(self, name: str) -> None:
        """Where a commit can be killed."""

    def path(self, name: str) -> str:
        return f"{self.place.policy}/{name}.json" if name in ("installed", "kernel") else f"{self.place.directory}/{name}.json"

    def _save(self, name: str, state: Mapping[str, Any]) -> None:
        with open(f"{self.path(name)}.new", "w") as target:
            json.dump(state, target)
        os.rename(f"{self.path(name)}.new", self.path(name))

    def saved(self, name: str) -> Dict[str, Any]:
        with open(self.path(name)) as source:
            found: Dict[str, Any] = json.load(source)
        return found

    @property
    def _now(self) -> Dict[str, Any]:
        return self.saved("active") if self._sandbox is None else self._sandbox

    def unfinished(self, reload: bool) -> str:
        if not os.path.exists(self.path("active")):
            return LOST
        if self.saved("active") != self.saved("installed"):
            return NOT_INSTALLED
        return NOT_LOADED if reload and self.place.running and self.saved("kernel")["policy"] != self.saved("installed") else ""

    def recover(self) -> None:
        os.rename(self.path("previous"), self.path("active"))

    def load(self) -> None:
        if self.fail_load:
            raise StoreError("libsemanage: semanage_reload_policy failed", None, "load_policy: cannot load")
        kernel = self.saved("kernel")
        known = {**POLICY_BOOLEANS, **kernel["booleans"]}
        self._save("kernel", {"policy": self.saved("installed"), "booleans": known})

    def mls(self) -> bool:
        return self._mls

    def fcontexts(self) -> List[Fcontext]:
        return [Fcontext(*record) for record in self._now["fcontexts"]]

    def ports(self) -> List[Port]:
        return [Port(*record) for record in self._now["ports"]]

    def policy_ports(self) -> List[Port]:
        local = self.ports()
        return local + [port for port in POLICY_PORTS if port[:3] not in {record[:3] for record in local}]

    def booleans(self) -> Dict[str, bool]:
        return dict(self._now["booleans"])

    def policy_booleans(self) -> List[str]:
        return sorted(POLICY_BOOLEANS)

    def modules(self) -> Dict[ModuleKey, bool]:
        return {(name, priority): name not in self._now["disabled"] for name, priority, _cil in self._now["modules"]}

    def cil(self, key: ModuleKey) -> str:
        (found,) = [str(cil) for name, priority, cil in self._now["modules"] if (name, priority) == key]
        return found

    def active(self, names: Iterable[str]) -> Dict[str, bool]:
        known = self.saved("kernel")["booleans"]
        return {name: known[name] for name in names if name in known}

    def activate(self, values: Mapping[str, bool]) -> None:
        kernel = self.saved("kernel")
        kernel["booleans"].update(values)
        self._save("kernel", kernel)

    def begin(self) -> None:
        self.began += 1
        self._sandbox = copy.deepcopy(self.saved("active"))

    def put(self, record: Committed) -> None:
        self.drop(record, replace=record)

    def drop(self, record: Committed, replace: Optional[Committed] = None) -> None:
        assert self._sandbox is not None, "outside a transaction"
        if isinstance(record, Boolean):
            self._sandbox["booleans"].pop(record.name, None)
            if replace is not None:
                self._sandbox["booleans"][record.name] = record.state
        elif isinstance(record, ModuleState):
            self._sandbox["disabled"] = sorted({*self._sandbox["disabled"]} - {record.name} | (set() if record.enabled else {record.name}))
        else:
            kind, size = {Fcontext: ("fcontexts", 2), Port: ("ports", 3), PolicyModule: ("modules", 2)}[type(record)]
            rows = self._sandbox[kind]
            keys = [tuple(row[:size]) for row in rows]
            place = keys.index(tuple(record[:size])) if tuple(record[:size]) in keys else len(rows)
            rows[place : place + 1] = [] if replace is None else [list(record)]

    def commit(self, rebuild: bool, reload: bool) -> int:
        assert self._sandbox is not None, "outside a transaction"
        self.commits.append(rebuild)
        state, self._sandbox = self._sandbox, None
        assert rebuild or state != self.saved("active"), "a commit for nothing"
        for name, priority, cil in state["modules"]:
            for number, row in enumerate(cil.splitlines(), 1):
                if self.fail in row:
                    path = f"/var/lib/selinux/default/tmp/modules/{priority}/{name}/cil"
                    raise StoreError("commit", None, f"Failed to resolve allow statement at {path}:{number}\nFailed to resolve AST\n")
        number = int(state["commit"]) + 1
        self.step("compiled")
        self._save("tmp", dict(state, commit=number))
        self.step("written")
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.path("previous"))
        self.step("old backup removed")
        os.rename(self.path("active"), self.path("previous"))
        self.step("active moved away")
        os.rename(self.path("tmp"), self.path("active"))
        self.step("active is new")
        self._save("installed", self.saved("active"))
        self.step("installed")
        if reload and self.place.running:
            try:
                self.load()
            except StoreError:  # libsemanage leaves the new policy installed
                os.rename(self.path("previous"), self.path("active"))
                raise
        self.step("loaded")
        os.remove(self.path("previous"))
        return number

    def abandon(self) -> None:
        self._sandbox = None

    def rules(self) -> Rules:
        """The installed policy, as FakeLabels takes it."""
        subs = ""
        with contextlib.suppress(FileNotFoundError), open(self.place.subs) as source:
            subs = source.read()
        return Rules(POLICY, text([Fcontext(*record) for record in self.saved("installed")["fcontexts"]]), subs)


class KeptLabels(FakeLabels):
    """Labels that outlive the process: in a file below the store's base."""

    def __init__(self, store: FakePolicyStore, files: Mapping[str, str]) -> None:
        self._path = f"{store.place.root}/labels.json"
        if not os.path.exists(self._path):
            self._keep(files)
        with open(self._path) as source:
            super().__init__(json.load(source), store.rules)

    def _keep(self, files: Mapping[str, str]) -> None:
        with open(f"{self._path}.new", "w") as target:
            json.dump(files, target)
        os.rename(f"{self._path}.new", self._path)

    def step(self, name: str) -> None:
        """Where setting labels can be killed."""

    def apply(self, todo: Sequence[Relabel]) -> None:
        for relabel in todo:
            super().apply([relabel])
            self._keep(self.files)
            self.step("labelled")


def _steps(fuse: Fuse) -> Callable[[Any, str], None]:
    def step(self: Any, name: str) -> None:
        if fuse.at("before", fuse.count(name)):
            fuse.die()

    return step


def fused_store(fuse: Fuse, base: str) -> FakePolicyStore:
    """A store whose every call of the port, and every step of a commit, passes the fuse."""
    methods: Dict[str, Any] = {name: fuse.guarded(name, getattr(FakePolicyStore, name), lambda name, given: given) for name in PolicyStore.__abstractmethods__}
    made: FakePolicyStore = type("FusedStore", (FakePolicyStore,), dict(methods, step=_steps(fuse)))(base)
    return made


def fused_labels(fuse: Fuse, store: FakePolicyStore, files: Mapping[str, str]) -> KeptLabels:
    made: KeptLabels = type("FusedLabels", (KeptLabels,), {"step": _steps(fuse)})(store, files)
    return made


def leftovers(place: Place) -> Iterator[str]:
    """Files of a run that should not outlive it. The store's backup is libsemanage's, whose next commit removes it."""
    for top, _directories, names in os.walk(place.root):
        yield from (f"{top}/{name}" for name in names if name.endswith(".gohost-new") or name in ("gohost.pending", "tmp.json"))
