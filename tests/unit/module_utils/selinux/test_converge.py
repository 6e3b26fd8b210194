# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole calls on a store of the tests: what is committed when, and what is left of a call that fails."""

import os
from pathlib import Path
from typing import Any, Dict, List

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
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
    Wanted,
)
from ansible_collections.gohost.linux.plugins.module_utils.selinux.observe import boolean_names, locate
from tests.fakes.host import BoundedHost
from tests.fakes.policy_store import EMPTY, FakePolicyStore, KeptLabels, leftovers

USR = "system_u:object_r:usr_t:s0"
BIN = "system_u:object_r:bin_t:s0"
FILES = {"/opt/a": USR, "/opt/a/bin": USR, "/opt/a/bin/x": USR, "/srv/b/bin/x": "system_u:object_r:var_t:s0"}
WISH = Wanted(
    fcontexts={("/opt/a/bin(/.*)?", "a"): Fcontext("/opt/a/bin(/.*)?", "a", "bin_t")},
    equivalences={"/srv/b": "/opt/a"},
    ports={("tcp", 8080, 8080): Port("tcp", 8080, 8080, "http_port_t")},
    booleans={"fips_mode": Boolean("fips_mode", False), "allow_ypbind": Boolean("allow_ypbind", True, False)},
    modules={("app", 400): ModuleWish("present", '(type app_t)\n(filecon "/opt/a" dir (system_u object_r app_t ((s0) (s0))))\n')},
    permissive={"app_t": True},
    restore=Restore(changed=True),
)


def site(base: Path, **more: Any) -> Site:
    store = FakePolicyStore(str(base), **more)
    return Site(BoundedHost(str(base)), store, KeptLabels(store, FILES), store.place)


def store_of(here: Site) -> FakePolicyStore:
    assert isinstance(here.store, FakePolicyStore)
    return here.store


def content(base: Path) -> Dict[str, bytes]:
    return {str(path): path.read_bytes() for path in base.rglob("*") if path.is_file()}


def done(here: Site, wanted: Wanted) -> Outcome:
    """Checked, applied, checked, applied."""
    before = content(Path(here.place.root))
    checked = converge(here, wanted, check=True)
    assert content(Path(here.place.root)) == before
    applied = converge(here, wanted)
    assert checked.plan == applied.plan and checked.warnings == applied.warnings
    after = content(Path(here.place.root))
    for check in (True, False):
        again = converge(here, wanted, check)
        assert again.plan.steps == () and again.done is None
    assert content(Path(here.place.root)) == after
    assert list(leftovers(here.place)) == []
    return applied


def test_one_commit_for_everything(tmp_path: Path) -> None:
    here = site(tmp_path)
    outcome = done(here, WISH)
    assert store_of(here).commits == [False] and store_of(here).began == 1
    assert outcome.done is not None and outcome.done.commit == 2
    assert set(outcome.done.seconds) == {"commit", "labels", "total"}
    assert [(relabel.path, relabel.new) for relabel in outcome.relabelled] == [
        ("/opt/a", "system_u:object_r:app_t:s0"),
        ("/opt/a/bin", BIN),
        ("/opt/a/bin/x", BIN),
        ("/srv/b/bin/x", BIN),
    ]
    kernel = store_of(here).saved("kernel")["booleans"]
    assert (kernel["fips_mode"], kernel["allow_ypbind"]) == (False, True)
    assert Path(here.place.subs).read_text() == "/srv/b /opt/a\n"


def test_back_again(tmp_path: Path) -> None:
    here = site(tmp_path)
    converge(here, WISH)
    back = Wanted(
        fcontexts=dict.fromkeys(WISH.fcontexts),
        equivalences={"/srv/b": None},
        ports=dict.fromkeys(WISH.ports),
        modules={("app", 400): ModuleWish("absent")},
        permissive={"app_t": False},
        restore=Restore(changed=True),
    )
    outcome = done(here, back)
    assert store_of(here).commits == [False, False]
    assert {relabel.path: relabel.new for relabel in outcome.relabelled} == {"/opt/a": USR, "/opt/a/bin": USR, "/opt/a/bin/x": USR}
    assert store_of(here).saved("active") == dict(EMPTY, commit=3, booleans={"fips_mode": False})


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(equivalences={"/srv/b": "/opt/a"}),
        Wanted(booleans={"fips_mode": Boolean("fips_mode", False, False)}),
        Wanted(restore=Restore(paths=("/srv",), force=True), equivalences={"/srv": "/opt"}),
    ],
)
def test_no_commit_for_what_libsemanage_does_not_hold(wanted: Wanted, tmp_path: Path) -> None:
    here = site(tmp_path)
    outcome = done(here, wanted)
    assert store_of(here).commits == [] and store_of(here).began == 0
    assert outcome.done is not None and outcome.done.commit is None


def test_nothing_to_do(tmp_path: Path) -> None:
    here = site(tmp_path)
    assert converge(here, Wanted()).done is None
    assert store_of(here).began == 0


@pytest.mark.parametrize("before", [USR, ""], ids=["a labelled tree", "a tree without labels"])
def test_what_a_commit_writes_into_a_tree_gets_its_labels(before: str, tmp_path: Path) -> None:
    stored = "/var/lib/selinux/default"
    store = FakePolicyStore(str(tmp_path))
    here = Site(BoundedHost(str(tmp_path)), store, KeptLabels(store, {stored: before, f"{stored}/active": "", "/var/lib/x": ""}), store.place)
    target = "/var/lib(/.*)?"
    outcome = done(here, Wanted(fcontexts={(target, "a"): Fcontext(target, "a", "usr_t")}))
    assert outcome.relabelled == ()
    assert isinstance(here.labels, KeptLabels)
    assert here.labels.files == {stored: before, f"{stored}/active": USR if before else "", "/var/lib/x": ""}


BAD = WISH._replace(modules={("app", 400): ModuleWish("present", "(type app_t)\n(allow app_t bad_t (file (read)))\n")})


def test_a_commit_that_fails_changes_nothing(tmp_path: Path) -> None:
    here = site(tmp_path)
    before = content(tmp_path)
    with pytest.raises(GoHostError) as caught:
        converge(here, BAD)
    assert content(tmp_path) == before
    text = str(caught.value)
    assert "nothing is changed" in text and "Failed to resolve allow statement at" in text
    assert "line 2 of module app: (allow app_t bad_t (file (read)))" in text
    assert "Failed to resolve AST" not in text


def test_a_failing_commit_keeps_what_waits_for_labels(tmp_path: Path) -> None:
    here = site(tmp_path)
    Path(here.place.pending).write_text('{"fcontexts": [], "equivalences": [["/srv/b", "/opt/a"]]}')
    before = content(tmp_path)
    with pytest.raises(GoHostError):
        converge(here, BAD)
    assert content(tmp_path) == before


def test_a_policy_that_cannot_be_loaded_is_taken_back(tmp_path: Path) -> None:
    here = site(tmp_path, fail_load=True)
    before = store_of(here).saved("installed")
    with pytest.raises(GoHostError, match="nothing is changed: load_policy: cannot load"):
        converge(here, WISH)
    now = store_of(here).saved("installed")
    assert dict(now, commit=0) == dict(before, commit=0)
    assert not os.path.exists(here.place.subs) and list(leftovers(here.place)) == []
    assert store_of(here).unfinished(False) == ""


def test_labels_that_a_killed_run_has_left_are_set(tmp_path: Path) -> None:
    here = site(tmp_path)
    converge(here, WISH._replace(restore=Restore()))
    assert not os.path.exists(here.place.pending)
    Path(here.place.pending).write_text('{"fcontexts": [], "equivalences": [["/srv/b", "/opt/a"]]}')
    assert converge(here, WISH._replace(restore=Restore())).done is None  # nobody asks for labels
    outcome = done(here, WISH)
    assert [relabel.path for relabel in outcome.relabelled] == ["/srv/b/bin/x"]


def unfinished(here: Site, state: str) -> None:
    """The state made by hand, with a rule of another's commit."""
    store = store_of(here)
    new = dict(EMPTY, commit=2, fcontexts=[list(Fcontext("/z", "a", "z_t"))])
    if state == LOST:
        os.rename(store.path("active"), store.path("previous"))
        return
    store._save("active", new)
    if state == NOT_LOADED:
        store._save("installed", new)


@pytest.mark.parametrize("state", [LOST, NOT_INSTALLED, NOT_LOADED])
def test_a_killed_commit_of_anybody_is_finished(state: str, tmp_path: Path) -> None:
    here = site(tmp_path)
    unfinished(here, state)
    assert converge(here, Wanted(), check=True).plan.steps[0].before == state
    outcome = converge(here, Wanted())
    assert [step.thing for step in outcome.plan.steps] == ["policy store"]
    store = store_of(here)
    assert store.unfinished(True) == "" and store.commits == ([True] if state == NOT_INSTALLED else [])
    assert converge(here, Wanted()).plan.steps == ()


@pytest.mark.parametrize("state", [LOST, NOT_INSTALLED, NOT_LOADED])
def test_one_commit_finishes_and_does_the_rest(state: str, tmp_path: Path) -> None:
    here = site(tmp_path)
    unfinished(here, state)
    converge(here, WISH)
    assert store_of(here).commits == [state == NOT_INSTALLED]
    assert converge(here, WISH).plan.steps == ()


def test_without_reload_the_kernel_keeps_its_policy(tmp_path: Path) -> None:
    here = site(tmp_path)
    before = store_of(here).saved("kernel")["policy"]
    quiet = WISH._replace(reload=False)
    done(here, quiet)
    assert store_of(here).saved("kernel")["policy"] == before
    assert [step.thing for step in converge(here, WISH, check=True).plan.steps] == ["policy store"]


def test_a_policy_that_does_not_run(tmp_path: Path) -> None:
    here = site(tmp_path, running=False)
    before = store_of(here).saved("kernel")
    outcome = done(here, WISH._replace(booleans={"fips_mode": Boolean("fips_mode", False)}))
    assert store_of(here).saved("kernel") == before
    assert "boolean fips_mode now" not in [step.thing for step in outcome.plan.steps]


def test_no_labels_where_selinux_is_off(tmp_path: Path) -> None:
    here = site(tmp_path, running=False)
    assert isinstance(here.labels, KeptLabels)
    here.labels.on = False
    outcome = done(here, WISH._replace(booleans={}))
    assert outcome.relabelled == ()
    assert any("SELinux is disabled" in warning for warning in outcome.warnings)


def test_without_levels(tmp_path: Path) -> None:
    here = site(tmp_path, mls=False)
    done(here, WISH._replace(restore=Restore()))
    assert store_of(here).fcontexts() == [Fcontext("/opt/a/bin(/.*)?", "a", "bin_t", selevel="")]


class Racing(FakePolicyStore):
    """Between the first look and the transaction, somebody else commits a rule."""

    def begin(self) -> None:
        state = self.saved("active")
        state = dict(state, commit=state["commit"] + 1, fcontexts=[list(Fcontext("/opt/a/bin(/.*)?", "a", "theirs_t"))])
        self._save("active", state)
        self._save("installed", state)
        self._save("kernel", dict(self.saved("kernel"), policy=state))
        super().begin()


def test_somebody_was_faster(tmp_path: Path) -> None:
    store = Racing(str(tmp_path))
    here = Site(BoundedHost(str(tmp_path)), store, KeptLabels(store, FILES), store.place)
    outcome = converge(here, WISH)
    befores: List[Any] = [step.before for step in outcome.plan.steps if step.action == "fcontexts"]
    assert befores == ["system_u:object_r:theirs_t:s0"]
    assert [relabel.path for relabel in outcome.relabelled if relabel.new == BIN] == ["/opt/a/bin", "/opt/a/bin/x", "/srv/b/bin/x"]


def test_locate(tmp_path: Path) -> None:
    host = BoundedHost(str(tmp_path))
    root = str(tmp_path)
    with pytest.raises(GoHostError, match="no SELinux policy is configured"):
        locate(host, root, "")
    selinux = tmp_path / "etc/selinux"
    selinux.mkdir(parents=True)
    (selinux / "config").write_text("SELINUX=enforcing\nSELINUXTYPE=targeted\n")
    place = locate(host, root, "")
    assert (place.policy, place.directory, place.running) == (f"{root}/etc/selinux/targeted", f"{root}/var/lib/selinux/targeted", False)
    assert locate(host, root, "mls").directory == f"{root}/var/lib/selinux/mls"
    (selinux / "semanage.conf").write_text("# x\nstore-root = /srv/stores/\n")
    assert locate(host, root, "").directory == f"{root}/srv/stores/targeted"


def test_old_names_of_booleans(tmp_path: Path) -> None:
    here = site(tmp_path)
    assert boolean_names(here.host, here.place) == {}
    Path(f"{here.place.policy}/booleans.subs_dist").write_text("allow_execmem selinuxuser_execmem\n")
    assert boolean_names(here.host, here.place) == {"allow_execmem": "selinuxuser_execmem"}
