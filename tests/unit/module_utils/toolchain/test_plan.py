# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from typing import Any, Dict, List, Optional, Sequence, Tuple

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.model import Layout, Manifest, Provenance, Seen, Standing, State, Tree, Wanted
from ansible_collections.gohost.linux.plugins.module_utils.toolchain.plan import Decision, link_targets, plan

ROOT = "/opt/go"
LINKS = "/usr/local/bin"
LAYOUT = Layout(ROOT)
PROVENANCE = Provenance("sha256:00", "user", "file", "tar.gz", "/x")
Steps = List[Tuple[str, str]]


def tree(version: str, problems: Sequence[str] = (), foreign: bool = False) -> Tree:
    manifest = Manifest(version, "amd64", PROVENANCE, "0:0", "", "")
    return Tree(version, None, ("not installed by this collection",)) if foreign else Tree(version, manifest, tuple(problems))


def seen(
    versions: Sequence[str] = (),
    default: str = "",
    links: Optional[Dict[str, Standing]] = None,
    state: Optional[State] = None,
    trees: Sequence[Tree] = (),
    used: Optional[Dict[str, str]] = None,
    exists: bool = True,
    wanted: Optional[Wanted] = None,
) -> Seen:
    """A host; what is not named in links is empty there."""
    found = {version: tree(version) for version in versions}
    found.update({item.version: item for item in trees})
    state = State() if state is None else state
    paths = set(state.links) | set(state.saved) | set(state.saved.values())
    if wanted is not None:
        paths |= set(link_targets(wanted, [*found, *wanted.versions], True))
    standings = {path: Standing(None) for path in paths}
    standings.update(links or {})
    return Seen("amd64", exists, found, default, state, standings, used or {})


def after(before: Seen, decision: Decision) -> Seen:
    """What is seen after the decision was carried out, without a host."""
    trees, links, default, exists = dict(before.trees), dict(before.links), before.default, before.exists
    for step in decision.plan.steps:
        if step.action in ("install", "repair"):
            trees[step.argument] = tree(step.argument)
            exists = True
        elif step.action == "remove":
            del trees[step.argument]
        elif step.action == "default":
            default, exists = str(step.after), True
        elif step.action == "link":
            if step.argument:
                links[step.argument] = Standing(links[step.thing].what, "moved aside")
            links[step.thing] = Standing(str(step.after))
        elif step.action == "unlink":
            links[step.thing] = Standing(None)
            if step.argument:
                links[step.thing] = Standing(links[step.argument].what, "somebody's")
                links[step.argument] = Standing(None)
        elif step.action == "forget_default":
            default = ""
        elif step.action == "forget":
            exists = False
    state = State() if decision.plan.of("forget") else decision.state
    for path in (*state.links, *state.saved, *state.saved.values()):
        links.setdefault(path, Standing(None))
    return before._replace(trees=trees, links=links, default=default, exists=exists, state=state)


def settled(wanted: Wanted, before: Seen) -> Tuple[Decision, Seen]:
    """The decision, and what is seen then; a second one must find nothing to do."""
    decision = plan(wanted, before)
    then = after(before, decision)
    again = plan(wanted, then)
    assert not again.plan.changed and again.state == then.state
    return decision, then


def steps(decision: Decision) -> Steps:
    return [(step.action, step.thing[len(ROOT) + 1 :] if step.thing.startswith(ROOT + "/") else step.thing) for step in decision.plan.steps]


def wish(*versions: str, **more: Any) -> Wanted:
    return Wanted(**dict(dict(root=ROOT, versions=versions), **more))


# ---- default


@pytest.mark.parametrize(
    ("wanted", "before", "default"),
    [
        (wish("1.27.3"), seen(exists=False), "1.27.3"),
        (wish("1.27.3", "1.27.3"), seen(exists=False), "1.27.3"),
        (wish("1.27.3"), seen(["1.26.11"], "1.26.11"), "1.27.3"),
        (wish("1.26.11", "1.27.3", default="1.26.11"), seen(), "1.26.11"),
        (wish("1.26.11", "1.27.3"), seen(["1.26.11"], "1.26.11"), "1.26.11"),
        (wish("1.26.11", "1.27.3"), seen(["1.25.14"], "1.25.14"), "1.25.14"),
        (wish("1.26.11", absent=True), seen(["1.26.11", "1.27.3"], "1.27.3"), "1.27.3"),
        (wish("1.27.3", absent=True), seen(["1.27.3"], "1.27.3"), ""),
        (wish("1.27.3", absent=True, default="1.26.11"), seen(["1.26.11", "1.27.3"], "1.27.3"), "1.26.11"),
        (wish("1.27.3", absent=True), seen(exists=False), ""),
    ],
)
def test_the_default(wanted: Wanted, before: Seen, default: str) -> None:
    decision, then = settled(wanted, before)
    assert decision.default == default
    assert then.default == default


@pytest.mark.parametrize(
    ("wanted", "before", "message"),
    [
        (wish("1.26.11", "1.27.3"), seen(), "no default among several versions: 1.26.11, 1.27.3. Set default"),
        (wish("1.26.11", "1.27.3", default="1.25.14"), seen(), "the default is not installed: /opt/go/1.25.14. List it"),
        (wish("1.26.11", "1.27.3"), seen(["1.26.11"], "1.25.14"), "the default is not installed: /opt/go/1.25.14"),
        (wish("1.27.3", absent=True), seen(["1.26.11", "1.27.3"], "1.27.3"), "Go 1.27.3 is not removed: it is the default while others remain. Make another"),
        (wish("1.26.11", "1.27.3", exclusive=True), seen(["1.25.14"], "1.25.14"), "Go 1.25.14 is not removed: it is the default"),
        (wish("1.27.3", exclusive=True, rollback_from="1.24"), seen(["1.25.14", "1.27.3"], "1.25.14"), "Go 1.25.14 is not removed: it is the default"),
        (wish(rollback_from="1.27.3"), seen(["1.27.3"], "1.27.3"), "no roll back from Go 1.27.3: no version that was default before it is installed"),
        (
            wish(rollback_from="1.27.3"),
            seen(["1.27.3"], "1.27.3", state=State(("1.26.11", "1.27.3"))),
            "no roll back from Go 1.27.3: no version that was default before",
        ),
    ],
)
def test_no_such_default(wanted: Wanted, before: Seen, message: str) -> None:
    with pytest.raises(GoHostError) as caught:
        plan(wanted, before)
    assert str(caught.value).startswith(message)


# ---- versions


def test_install_side_by_side_in_order_of_releases() -> None:
    decision, _then = settled(wish("1.27.10", "1.27.9", "1.9.7", default="1.9.7"), seen(["1.26.11"], "1.26.11"))
    assert steps(decision) == [("install", "1.9.7"), ("install", "1.27.9"), ("install", "1.27.10"), ("default", "current")]
    assert decision.archives == ["1.9.7", "1.27.9", "1.27.10"]


def test_what_is_there_needs_nothing() -> None:
    wanted = wish("1.26.11", "1.27.3", default="1.27.3")
    decision, _then = settled(wanted, seen(["1.26.11", "1.27.3"], "1.27.3", state=State(("1.27.3",))))
    assert not decision.plan.changed
    assert decision.plan.diff() == {"before": {}, "after": {}}


PROBLEMS = [f"src/{number}.go: missing" for number in range(13)]


@pytest.mark.parametrize(("count", "tail"), [(1, "src/0.go: missing. Set"), (10, "src/9.go: missing. Set"), (13, "src/9.go: missing; and 3 more. Set")])
def test_a_tampered_tree_is_named(count: int, tail: str) -> None:
    with pytest.raises(GoHostError) as caught:
        plan(wish("1.27.3"), seen(trees=[tree("1.27.3", PROBLEMS[:count])], default="1.27.3"))
    assert str(caught.value).startswith("Go 1.27.3 is not as it was installed: /opt/go/1.27.3: src/0.go: missing")
    assert tail in str(caught.value) and str(caught.value).endswith("Set repair: true to install it anew.")
    assert str(caught.value).count("src/") == min(count, 10)


@pytest.mark.parametrize("foreign", [False, True])
def test_repair(foreign: bool) -> None:
    before = seen(trees=[tree("1.27.3", PROBLEMS[:1], foreign), tree("1.26.11", PROBLEMS)], default="1.27.3")
    decision, _then = settled(wish("1.27.3", repair=True), before)
    assert steps(decision) == [("repair", "1.27.3")]  # 1.26.11 was not asked for
    assert decision.archives == ["1.27.3"]


def test_a_foreign_tree_is_an_error_without_repair() -> None:
    with pytest.raises(GoHostError, match=r"Go 1.27.3 is not as it was installed: /opt/go/1.27.3: not installed by this collection. Set repair: true"):
        plan(wish("1.27.3"), seen(trees=[tree("1.27.3", foreign=True)]))


# ---- exclusive and absent


def test_exclusive_removes_what_is_not_listed() -> None:
    before = seen(["1.21.13", "1.25.14", "1.26.11", "1.27.3"], "1.26.11")
    decision, then = settled(wish("1.27.3", exclusive=True, keep=("1.25.14",)), before)
    assert steps(decision) == [("default", "current"), ("remove", "1.21.13"), ("remove", "1.26.11")]
    assert sorted(then.trees) == ["1.25.14", "1.27.3"]


def test_exclusive_leaves_foreign_trees_and_says_so() -> None:
    before = seen(["1.27.3"], "1.27.3", trees=[tree("1.20", foreign=True)])
    decision, _then = settled(wish("1.27.3", exclusive=True), before)
    assert not decision.plan.changed
    assert decision.warnings == ("not removed, for they were not installed by this collection: 1.20 in /opt/go",)


@pytest.mark.parametrize(
    ("asked", "removed"),
    [
        (("1.26.10",), ["1.26.10"]),
        (("1.26",), ["1.26.10", "1.26.11"]),
        (("1.26", "1.21.13"), ["1.21.13", "1.26.10", "1.26.11"]),
        (("1.20",), []),
        (("1.2",), []),
        ((), []),
    ],
)
def test_absent(asked: Tuple[str, ...], removed: List[str]) -> None:
    before = seen(["1.21.13", "1.26.10", "1.26.11", "1.27.3"], "1.27.3")
    decision, _then = settled(wish(*asked, absent=True), before)
    assert [step.argument for step in decision.plan.of("remove")] == removed
    assert not decision.plan.of("forget")


@pytest.mark.parametrize(
    ("wanted", "used", "message"),
    [
        (wish("1.26.11", absent=True), {"1.26.11": "process 7 (/opt/go/1.26.11/bin/go)"}, "it is used by process 7 (/opt/go/1.26.11/bin/go). Stop or change"),
        (wish("1.27.3", exclusive=True), {"1.26.11": "ExecStart of /etc/x.service"}, "it is used by ExecStart of /etc/x.service"),
        (wish("1.26", absent=True, keep=("1.26.11",)), {}, "it is named in keep. Take it out of keep or out of versions."),
    ],
)
def test_refusals_to_remove(wanted: Wanted, used: Dict[str, str], message: str) -> None:
    with pytest.raises(GoHostError) as caught:
        plan(wanted, seen(["1.26.11", "1.27.3"], "1.27.3", used=used))
    assert str(caught.value).startswith("Go 1.26.11 is not removed: " + message)


def test_use_matters_to_what_goes_only() -> None:
    before = seen(["1.25.14", "1.26.11", "1.27.3"], "1.27.3", used={"1.26.11": "process 7", "1.27.3": "process 8"})
    assert steps(plan(wish("1.25.14", absent=True), before)) == [("remove", "1.25.14")]
    assert steps(plan(wish("1.27.3", exclusive=True, keep=("1.26.11",)), before)) == [("remove", "1.25.14")]


def test_a_foreign_tree_is_never_removed() -> None:
    with pytest.raises(GoHostError, match="/opt/go/1.20 was not installed by this collection. Remove it by hand"):
        plan(wish("1.20", absent=True), seen(["1.27.3"], "1.27.3", trees=[tree("1.20", foreign=True)]))


def test_the_last_takes_all_with_it() -> None:
    wanted = wish("1.27.3", absent=True, links=LINKS)
    state = State(("1.27.3",), (f"{LINKS}/go", f"{LINKS}/go1.27.3", f"{LINKS}/gofmt"), {}, {"GOPROXY": "off"})
    links = {f"{LINKS}/{name}": Standing(f"{ROOT}/x") for name in ("go", "gofmt", "go1.27.3")}
    decision, then = settled(wanted, seen(["1.27.3"], "1.27.3", links, state, wanted=wanted))
    assert steps(decision) == [
        ("unlink", f"{LINKS}/go"),
        ("unlink", f"{LINKS}/go1.27.3"),
        ("unlink", f"{LINKS}/gofmt"),
        ("forget_default", "current"),
        ("remove", "1.27.3"),
        ("forget", ".gohost"),
    ]
    assert not then.exists and not then.trees


def test_foreign_trees_keep_the_store() -> None:
    before = seen(["1.27.3"], "", trees=[tree("1.20", foreign=True)])
    assert steps(plan(wish("1.27.3", absent=True), before)) == [("remove", "1.27.3")]


# ---- rollback and history


def test_rollback_goes_back_and_does_it_once() -> None:
    before = seen(["1.25.14", "1.26.11", "1.27.3"], "1.27.3", state=State(("1.25.14", "1.26.11", "1.27.3")))
    decision, then = settled(wish(rollback_from="1.27.3"), before)
    assert steps(decision) == [("default", "current")] and then.default == "1.26.11"
    assert decision.state.history == ("1.25.14", "1.27.3", "1.26.11")
    _decision, then = settled(wish(rollback_from="1.26.11"), then)
    assert then.default == "1.27.3"


def test_rollback_skips_what_is_gone() -> None:
    before = seen(["1.25.14", "1.27.3"], "1.27.3", state=State(("1.25.14", "1.26.11", "1.27.3")))
    assert plan(wish(rollback_from="1.27.3"), before).default == "1.25.14"


@pytest.mark.parametrize("default", ["1.26.11", ""])
def test_rollback_from_another_version_does_nothing(default: str) -> None:
    before = seen(["1.26.11", "1.27.3"], default, state=State(tuple(filter(None, [default]))))
    decision, _then = settled(wish(rollback_from="1.27.3"), before)
    assert not decision.plan.changed and decision.default == default


@pytest.mark.parametrize(
    ("history", "before", "asked", "expected"),
    [
        ((), "", "1.27.3", ("1.27.3",)),
        (("1.26.11",), "1.26.11", "1.27.3", ("1.26.11", "1.27.3")),
        (("1.26.11", "1.27.3"), "1.27.3", "1.26.11", ("1.27.3", "1.26.11")),
        (("1.26.11", "1.27.3"), "1.26.11", "1.25.14", ("1.27.3", "1.26.11", "1.25.14")),  # a killed run had switched
        (("1.24.13", "1.27.3"), "1.27.3", "1.26.11", ("1.27.3", "1.26.11")),  # 1.24.13 is gone
    ],
)
def test_history(history: Tuple[str, ...], before: str, asked: str, expected: Tuple[str, ...]) -> None:
    installed = ["1.25.14", "1.26.11", "1.27.3"]
    assert plan(wish(asked), seen(installed, before, state=State(history))).state.history == expected


# ---- links

ALL = wish("1.26.11", "1.27.3", default="1.27.3", links=LINKS, compat_link="/usr/local/go")
OURS = {
    f"{LINKS}/go": f"{ROOT}/current/bin/go",
    f"{LINKS}/gofmt": f"{ROOT}/current/bin/gofmt",
    f"{LINKS}/go1.26.11": f"{ROOT}/1.26.11/bin/go",
    f"{LINKS}/go1.27.3": f"{ROOT}/1.27.3/bin/go",
    "/usr/local/go": f"{ROOT}/current",
}
STANDING = {path: Standing(target) for path, target in OURS.items()}
WITH_LINKS = State(("1.27.3",), tuple(sorted(OURS)))
INSTALLED = ["1.26.11", "1.27.3"]


def aside(path: str) -> str:
    directory, _slash, name = path.rpartition("/")
    return f"{directory}/.{name}.gohost-saved"


def test_the_links_of_a_wish() -> None:
    assert link_targets(ALL, INSTALLED, True) == OURS
    assert link_targets(ALL, INSTALLED, False) == {path: target for path, target in OURS.items() if "/go1." in path}
    assert link_targets(wish("1.27.3"), INSTALLED, True) == {}


def test_links_are_made_after_what_they_need() -> None:
    decision, then = settled(ALL, seen(exists=False, wanted=ALL))
    assert [step.action for step in decision.plan.steps] == ["install", "install", "default"] + ["link"] * 5
    assert {path: standing.what for path, standing in then.links.items()} == OURS
    assert decision.state.links == tuple(sorted(OURS))
    assert decision.plan.diff()["after"][f"{LINKS}/go"] == f"{ROOT}/current/bin/go"


def test_every_installed_version_has_its_name() -> None:
    wanted = wish("1.27.3", links=LINKS)
    decision, _then = settled(wanted, seen(["1.26.11"], "1.26.11", wanted=wanted))
    assert f"{LINKS}/go1.26.11" in decision.state.links


def test_a_foreign_tree_gets_no_name() -> None:
    wanted = wish("1.27.3", links=LINKS)
    decision, _then = settled(wanted, seen(["1.27.3"], "1.27.3", trees=[tree("1.20", foreign=True)], wanted=wanted))
    assert f"{LINKS}/go1.20" not in decision.state.links


def test_a_link_of_ours_that_points_elsewhere_is_set_right() -> None:
    links = dict(STANDING, **{f"{LINKS}/go": Standing(f"{ROOT}/1.26.11/bin/go")})
    decision, _then = settled(ALL, seen(INSTALLED, "1.27.3", links, WITH_LINKS))
    assert [(step.action, step.thing, step.before, step.argument) for step in decision.plan.steps] == [("link", f"{LINKS}/go", f"{ROOT}/1.26.11/bin/go", "")]


def test_what_is_not_ours_is_an_error_that_says_whose() -> None:
    links = dict(STANDING, **{f"{LINKS}/go": Standing("file", "package golang-go")})
    with pytest.raises(GoHostError) as caught:
        plan(ALL, seen(INSTALLED, "1.27.3", links, WITH_LINKS))
    assert f"{LINKS}/go is package golang-go. Set links_force: true" in str(caught.value)


def test_moved_aside_and_back() -> None:
    links = dict(STANDING, **{"/usr/local/go": Standing("directory", "a directory of uid 0")})
    forced = ALL._replace(links_force=True)
    decision, then = settled(forced, seen(INSTALLED, "1.27.3", links, WITH_LINKS))
    assert [(step.action, step.thing, step.before, step.argument) for step in decision.plan.steps] == [
        ("link", "/usr/local/go", "directory", aside("/usr/local/go"))
    ]
    assert decision.state.saved == {"/usr/local/go": aside("/usr/local/go")}
    settled(ALL, then)  # without force too, now that it is ours
    decision, then = settled(ALL._replace(compat_link=""), then)
    assert [(step.action, step.thing, step.after, step.argument) for step in decision.plan.steps] == [
        ("unlink", "/usr/local/go", "directory", aside("/usr/local/go"))
    ]
    assert then.state.saved == {} and then.links["/usr/local/go"].owner


def test_nothing_is_moved_aside_twice() -> None:
    links = dict(STANDING, **{f"{LINKS}/go": Standing("file", "uid 0"), aside(f"{LINKS}/go"): Standing("file", "moved aside")})
    state = WITH_LINKS._replace(saved={f"{LINKS}/go": aside(f"{LINKS}/go")})
    with pytest.raises(GoHostError, match="something is already moved aside for this link"):
        plan(ALL._replace(links_force=True), seen(INSTALLED, "1.27.3", links, state))


def test_a_link_that_somebody_removed_gives_back_what_was_there() -> None:
    state = WITH_LINKS._replace(saved={"/usr/local/go": aside("/usr/local/go")})
    links = dict(STANDING, **{"/usr/local/go": Standing(None), aside("/usr/local/go"): Standing("directory", "moved aside")})
    decision, then = settled(ALL._replace(compat_link=""), seen(INSTALLED, "1.27.3", links, state))
    assert steps(decision) == [("unlink", "/usr/local/go")]
    assert then.links["/usr/local/go"].what == "directory"


def test_what_was_moved_aside_is_not_forgotten_while_another_stands_there() -> None:
    state = WITH_LINKS._replace(saved={"/usr/local/go": aside("/usr/local/go")})
    links = dict(STANDING, **{"/usr/local/go": Standing("file", "uid 0"), aside("/usr/local/go"): Standing("directory", "moved aside")})
    decision, _then = settled(ALL._replace(compat_link=""), seen(INSTALLED, "1.27.3", links, state))
    assert not decision.plan.changed and decision.state.saved == state.saved
    decision = plan(wish(*INSTALLED, absent=True), seen(INSTALLED, "1.27.3", links, state))
    assert decision.warnings == (f"left at {aside('/usr/local/go')}, for something else stands at /usr/local/go now",)


def test_what_was_moved_aside_and_is_gone_is_forgotten() -> None:
    state = WITH_LINKS._replace(saved={"/usr/local/go": aside("/usr/local/go")})
    decision, _then = settled(ALL, seen(INSTALLED, "1.27.3", STANDING, state))
    assert not decision.plan.changed and decision.state.saved == {}


@pytest.mark.parametrize(
    ("change", "linked", "unlinked"),
    [
        (dict(links="/home/u/bin"), 4, 4),
        (dict(links=""), 0, 4),
        (dict(compat_link="/usr/lib/go"), 1, 1),
        (dict(compat_link="", links=""), 0, 5),
    ],
)
def test_a_changed_directory_takes_the_old_links_away(change: Dict[str, Any], linked: int, unlinked: int) -> None:
    wanted = ALL._replace(**change)
    decision, then = settled(wanted, seen(INSTALLED, "1.27.3", STANDING, WITH_LINKS, wanted=wanted))
    assert (len(decision.plan.of("link")), len(decision.plan.of("unlink"))) == (linked, unlinked)
    assert {path: item.what for path, item in then.links.items() if item.what} == link_targets(wanted, INSTALLED, True)


def test_another_ones_thing_at_a_former_link_stays() -> None:
    links = dict(STANDING, **{f"{LINKS}/go": Standing("file", "uid 0")})
    decision, _then = settled(ALL._replace(links=""), seen(INSTALLED, "1.27.3", links, WITH_LINKS))
    assert (("unlink", f"{LINKS}/go")) not in steps(decision)


def test_a_removed_version_takes_its_name_with_it() -> None:
    decision, _then = settled(wish("1.26.11", absent=True, links=LINKS, compat_link="/usr/local/go"), seen(INSTALLED, "1.27.3", STANDING, WITH_LINKS))
    assert steps(decision) == [("unlink", f"{LINKS}/go1.26.11"), ("remove", "1.26.11")]


def test_settings_of_go_env_are_kept() -> None:
    state = State(("1.26.11",), go_env={"GOTOOLCHAIN": "local"})
    assert plan(wish("1.27.3"), seen(["1.26.11"], "1.26.11", state=state)).state.go_env == {"GOTOOLCHAIN": "local"}
