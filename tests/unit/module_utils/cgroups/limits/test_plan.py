# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written for which wish on which host, what programs are told, and what is refused."""

import fnmatch
import posixpath
from typing import Any, Dict, List, Mapping, Optional, Tuple

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.binaries.model import BuildInfo
from ansible_collections.gohost.linux.plugins.module_utils.cgroups import unit_files
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits import dropins, parse
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.model import Running, Seen, SeenTarget, UnitState, Wanted, Wish, target
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.observe import probe
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.options import ARGUMENT_SPEC, wanted
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.plan import Conflict, Decision, Row, plan, unheld
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.model import Manager
from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError

ETC, RUN, CONTROL = "/etc/systemd/system", "/run/systemd/system", "/etc/systemd/system.control"
MIB, GIB = 1 << 20, 1 << 30
UNITS = ARGUMENT_SPEC["units"]["options"]
CONTROLLERS = {"cpu": 2, "cpuset": 2, "io": 2, "memory": 2, "pids": 2}
V1 = {"cpu": 1, "cpuset": 1, "io": 1, "memory": 1, "pids": 1}
# Of every unit, as systemd 252 prints it. Of limits of devices there is no line.
PROPERTIES = {
    **dict.fromkeys(("MemoryMin", "MemoryLow", "ManagedOOMMemoryPressureLimit"), "0"),
    **dict.fromkeys(("MemoryHigh", "MemoryMax", "MemorySwapMax", "CPUQuotaPerSecUSec", "CPUQuotaPeriodUSec", "TasksMax"), "infinity"),
    **dict.fromkeys(("CPUWeight", "IOWeight"), "[not set]"),
    **dict.fromkeys(("ManagedOOMSwap", "ManagedOOMMemoryPressure"), "auto"),
    "ManagedOOMPreference": "none",
    "AllowedCPUs": "",
    "LoadState": "loaded",
    "ActiveState": "inactive",
    "NeedDaemonReload": "no",
    "ControlGroup": "",
}
SERVICE = {"OOMPolicy": "stop", "OOMScoreAdjust": "0", "LimitNOFILE": "524288", "Delegate": "no", "Slice": "system.slice", "CPUAffinity": ""}
Given = Dict[str, Any]


def call(*units: Given, restart: str = "never", force: bool = False) -> Wanted:
    """Parameters as Ansible hands them over, defaults in their places."""
    filled = [{name: unit.get(name, spec.get("default")) for name, spec in UNITS.items()} for unit in units]
    return wanted(dict(units=filled, restart=restart, force=force))


def unit(name: str, files: Optional[Mapping[str, str]] = None, go: str = "", godebug: str = "", **given: Any) -> UnitState:
    """A unit. files: path → text, of its drop-ins in the order in which they count; given: fields of UnitState, and properties."""
    fields = {key: given.pop(key) for key in list(given) if key in UnitState._fields}
    kind = name.rpartition(".")[2]
    paths = dict(files or {})
    fragments = [path for path in paths if not path.endswith(".conf")]
    shown = dict(PROPERTIES, Id=name, FragmentPath="".join(fragments), DropInPaths=" ".join(path for path in paths if path not in fragments))
    if kind == "service":
        shown.update(SERVICE, ExecStart="{ path=/opt/app ; argv[]=/opt/app ; ignore_errors=no }")
    if go:
        fields["build"] = BuildInfo(go, settings=(("DefaultGODEBUG", godebug),) if godebug else ())
    return UnitState(properties={**shown, **given}, files=tuple(paths.items()), **fields)


def look(wish: Wanted, *states: UnitState, occupants: Optional[Dict[str, Tuple[str, ...]]] = None, **given: Any) -> Seen:
    """A host with 8 CPUs and 8 GiB that has these units. Of those of them that run, cgroups are those of systemd."""
    known = {state.name: state for state in states}
    targets = []
    for each in wish.wishes:
        its = known.get(probe(each.target), unit(probe(each.target), LoadState="not-found") if not each.target.family else None)
        members = [its] if its is not None else []
        if each.target.family:
            members = [state for state in states if fnmatch.fnmatchcase(state.name, each.target.pattern) and state.name != probe(each.target)]
        path = dropins.path(each, its.name if its is not None and not each.target.family else "")
        text = next((text for state in states for file, text in state.files if file == path), None)
        targets.append(SeenTarget(path, its, tuple(member for member in members if member.loaded), text))
    slices = {state.name: state for state in states if state.name.endswith(".slice")}
    found = Seen(252, "v2", CONTROLLERS, tuple(range(8)), 8 * GIB, 30000, True, {}, None, tuple(targets), slices, occupants or {})
    return found._replace(**given)


def rows(wish: Wanted, *states: UnitState, **given: Any) -> Tuple[Row, ...]:
    return plan(wish, look(wish, *states, **given)).rows


def environment(wish: Wanted, *states: UnitState, **given: Any) -> Mapping[str, str]:
    """What the first unit's program is told."""
    return rows(wish, *states, **given)[0].environment


# What Go programs are told

OLD, NEW = ("go1.21.13", "go1.22.12", "go1.23.12", "go1.24.13"), ("go1.25.14", "go1.26.11", "go1.27.4")
BOTH = OLD + NEW
QUOTAS: List[Tuple[str, Tuple[str, ...], Optional[str], Optional[str], Dict[str, str], int]] = [
    # cgroups, releases, quota on the service, on its slice, what it is told, GOMAXPROCS that it has then
    ("v2", BOTH, None, None, {}, 8),
    ("v2", OLD, "2.5", None, {"GOMAXPROCS": "3"}, 3),
    ("v2", NEW, "2.5", None, {}, 3),
    ("v2", BOTH, None, "1.5", {"GOMAXPROCS": "2"}, 2),
    ("v2", BOTH, "4", "1.5", {"GOMAXPROCS": "2"}, 2),
    ("v2", OLD, "1.5", "4", {"GOMAXPROCS": "2"}, 2),
    ("v2", NEW, "1.5", "4", {}, 2),
    ("v2", NEW, "2.1", "2.9", {}, 3),
    ("v2", OLD, "0.5", None, {"GOMAXPROCS": "2"}, 2),
    ("v2", NEW, "0.5", None, {}, 2),
    ("v2", BOTH, "9", "20", {}, 8),
    ("v2", BOTH, "infinity", "infinity", {}, 8),
    ("v1", BOTH, None, None, {}, 8),
    ("v1", OLD, "2.5", None, {"GOMAXPROCS": "3"}, 3),
    ("v1", NEW, "2.5", None, {}, 3),
    # It is in the slice's cgroup as long as nothing beside it needs the controller.
    ("v1", BOTH, None, "1.5", {"GOMAXPROCS": "2"}, 2),
    ("v1", NEW, "1.5", "4", {}, 2),
    ("v1", BOTH, None, "9", {}, 8),
    ("hybrid", BOTH, None, "1.5", {"GOMAXPROCS": "2"}, 2),
]


@pytest.mark.parametrize(
    ("cgroup", "version", "own", "above", "told", "procs"),
    [(cgroup, version, own, above, told, procs) for cgroup, versions, own, above, told, procs in QUOTAS for version in versions],
)
def test_quotas(cgroup: str, version: str, own: Optional[str], above: Optional[str], told: Dict[str, str], procs: int) -> None:
    wish = call(dict(unit="app.service", slice="go.slice", cpu_quota=own), dict(unit="go.slice", cpu_quota=above))
    found = rows(wish, unit("app.service", go=version), cgroup=cgroup, controllers=CONTROLLERS if cgroup == "v2" else V1)
    assert found[0].environment == told
    assert found[0].started is not None and found[0].started.prediction is not None and found[0].started.prediction.value == procs
    assert found[1].environment == {} and found[1].text != ""


def test_a_build_that_does_not_look_at_quotas() -> None:
    wish = call(dict(unit="app.service", cpu_quota="2.5"))
    assert environment(wish, unit("app.service", go="go1.27.4", godebug="containermaxprocs=0,updatemaxprocs=0")) == {"GOMAXPROCS": "3"}


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        (dict(cpu_quota="2.5", allowed_cpus="0-1"), {}),  # of these two the mask is tighter
        (dict(cpu_quota="1", allowed_cpus="0-3"), {"GOMAXPROCS": "2"}),
        (dict(cpu_quota="1", allowed_cpus="3"), {}),
        (dict(cpu_quota="250%", cpu_quota_period=0.01), {"GOMAXPROCS": "3"}),
    ],
)
def test_quotas_and_masks(wish: Given, told: Dict[str, str]) -> None:
    assert environment(call(dict(unit="app.service", **wish)), unit("app.service", go="go1.24.13")) == told


@pytest.mark.parametrize(
    ("own", "above", "procs"),
    [
        ({}, {}, 2),
        (dict(cpu_weight="100"), {}, 8),  # a cgroup of its own, without a quota
        ({}, dict(cpu_weight="100"), 8),
        (dict(delegate=["cpu"]), {}, 8),
        (dict(delegate=["memory"]), {}, 2),
        (dict(delegate=[]), {}, 2),
    ],
)
def test_cpu_cgroups_on_v1(own: Given, above: Given, procs: int) -> None:
    wish = call(dict(unit="app.service", slice="a-b.slice", **own), dict(unit="a-b.slice", **above), dict(unit="a.slice", cpu_quota="1.5"))
    off = call(dict(unit="app.service", slice="a-b.slice", go_runtime="off", **own), dict(unit="a-b.slice", **above), dict(unit="a.slice", cpu_quota="1.5"))
    app = unit("app.service", go="go1.27.4")
    assert environment(wish, app, cgroup="v1", controllers=V1) == {"GOMAXPROCS": "2"}
    started = rows(off, app, cgroup="v1", controllers=V1)[0].started
    assert started is not None and started.prediction is not None and started.prediction.value == procs


def text(*lines: str, section: str = "Service") -> str:
    return "".join(f"{line}\n" for line in (f"[{section}]", *lines))


@pytest.mark.parametrize(
    ("files", "variables", "told"),
    [
        ({f"{ETC}/app.service": text("Environment=GOMAXPROCS=4")}, {}, {"GOMEMLIMIT": "460MiB"}),
        ({f"{ETC}/app.service.d/50-x.conf": text("Environment=A=1 GOMEMLIMIT=1GiB")}, {}, {"GOMAXPROCS": "2"}),
        ({f"{ETC}/app.service.d/99-x.conf": text('Environment="GOMAXPROCS=4"')}, {}, {"GOMEMLIMIT": "460MiB"}),
        ({}, {"GOMAXPROCS": "4", "GOMEMLIMIT": "1GiB"}, {}),
        ({f"{ETC}/app.service.d/50-x.conf": text("Environment=GOGC=50")}, {}, {"GOMAXPROCS": "2", "GOMEMLIMIT": "460MiB"}),
        ({f"{ETC}/app.service": text("Environment=GOMAXPROCS=4"), f"{ETC}/app.service.d/50-x.conf": text("Environment=")}, {}, None),
        ({f"{ETC}/app.service.d/90-gohost-limits.conf": parse.OURS + text("Environment=GOMAXPROCS=7")}, {}, None),
        ({f"{ETC}/app.service.d/90-gohost-limits.conf": parse.OURS + text("Environment=GOMAXPROCS=2", "Environment=GOMEMLIMIT=460MiB")}, {}, None),
    ],
)
def test_what_the_administrator_says_stays(files: Dict[str, str], variables: Dict[str, str], told: Optional[Dict[str, str]]) -> None:
    wish = call(dict(unit="app.service", cpu_quota="1.5", memory_max="512MiB"))
    found = environment(wish, unit("app.service", files, go="go1.24.13", variables=variables))
    assert found == ({"GOMAXPROCS": "2", "GOMEMLIMIT": "460MiB"} if told is None else told)


UNSET = f"{ETC}/app.service.d/50-x.conf"


@pytest.mark.parametrize(
    ("lines", "given", "told", "procs", "left_out"),
    [
        # What the manager gives stays, and what is unset of it is told.
        ([], {"GOMAXPROCS": "5"}, {"GOMEMLIMIT": "460MiB"}, 5, []),
        (["UnsetEnvironment=GOMAXPROCS=5"], {"GOMAXPROCS": "5"}, {"GOMAXPROCS": "2", "GOMEMLIMIT": "460MiB"}, 2, []),
        (["UnsetEnvironment=GOMAXPROCS=5"], {"GOMAXPROCS": "4"}, {"GOMEMLIMIT": "460MiB"}, 4, []),
        # What would be taken away is not told.
        (["UnsetEnvironment=GOMAXPROCS"], {}, {"GOMEMLIMIT": "460MiB"}, 8, ["GOMAXPROCS"]),
        (["UnsetEnvironment=GOMAXPROCS"], {"GOMAXPROCS": "5"}, {"GOMEMLIMIT": "460MiB"}, 8, ["GOMAXPROCS"]),
        (["UnsetEnvironment=GOMAXPROCS=2 GOMEMLIMIT=460MiB"], {}, {}, 8, ["GOMAXPROCS", "GOMEMLIMIT"]),
        (["UnsetEnvironment=GOMAXPROCS=3 GOMEMLIMIT=1GiB"], {}, {"GOMAXPROCS": "2", "GOMEMLIMIT": "460MiB"}, 2, []),
        (["UnsetEnvironment=GOMEMLIMIT", "UnsetEnvironment="], {}, {"GOMAXPROCS": "2", "GOMEMLIMIT": "460MiB"}, 2, []),
        (["Environment=GOMAXPROCS=4", "UnsetEnvironment=GOMAXPROCS=4"], {}, {"GOMAXPROCS": "2", "GOMEMLIMIT": "460MiB"}, 2, []),
        (["PassEnvironment=GOMAXPROCS"], {}, {"GOMEMLIMIT": "460MiB"}, 7, []),
        (["PassEnvironment=GOMAXPROCS", "Environment=GOMAXPROCS=3"], {"GOMAXPROCS": "5"}, {"GOMEMLIMIT": "460MiB"}, 3, []),
    ],
)
def test_what_the_manager_gives_and_what_is_unset(lines: List[str], given: Dict[str, str], told: Dict[str, str], procs: int, left_out: List[str]) -> None:
    app = unit("app.service", {UNSET: text(*lines)}, go="go1.24.13", manager=Manager(252, None, given, {"GOMAXPROCS": "7"}))
    found = rows(call(dict(unit="app.service", cpu_quota="1.5", memory_max="512MiB")), app)[0]
    assert found.environment == told and parse.go_environment(unit_files.settings(found.text or "", "")) == told
    assert found.started is not None and found.started.prediction is not None and found.started.prediction.value == procs
    said = [warning for warning in found.warnings if "UnsetEnvironment" in warning]
    assert said == [f"UnsetEnvironment= of {UNSET} takes {name} away again, so it is left out." for name in left_out]


def test_what_a_later_file_tells_and_takes_away_cannot_be_told() -> None:
    later = {f"{ETC}/app.service.d/99-x.conf": text("Environment=GOMAXPROCS=4", "UnsetEnvironment=GOMAXPROCS=4")}
    found = rows(call(dict(unit="app.service", cpu_quota="1.5")), unit("app.service", later, go="go1.24.13"))[0]
    assert found.environment == {} and "99-x.conf takes GOMAXPROCS away" in found.warnings[0]


@pytest.mark.parametrize("lines", [("UnsetEnvironment=GOMAXPROCS",), ("UnsetEnvironment=GOMAXPROCS=2",)])
def test_no_restart_for_what_is_taken_away(lines: Tuple[str, ...]) -> None:
    """Neither where a drop-in of ours has it still, nor after that."""
    wish = call(dict(unit="app.service", cpu_quota="1.5"), restart="needed")
    for environment, expected in (("Environment=GOMAXPROCS=2", ["write", "reload"]), ("", [])):
        files = {UNSET: text(*lines), **ours("CPUQuota=150%", *([environment] if environment else []))}
        assert [step.action for step in decided(wish, unit("app.service", files, go="go1.24.13", running=Running(), **RUNS)).plan.steps] == expected


def test_its_godebug_counts() -> None:
    off = {f"{ETC}/app.service.d/50-x.conf": text("Environment=GODEBUG=containermaxprocs=0")}
    assert environment(call(dict(unit="app.service", cpu_quota="1.5")), unit("app.service", off, go="go1.27.4")) == {"GOMAXPROCS": "2"}


def test_what_does_not_fit_is_warned_of() -> None:
    files = {f"{ETC}/app.service": text("Environment=GOMAXPROCS=4")}
    found = rows(call(dict(unit="app.service", cpu_quota="1.5")), unit("app.service", files, go="go1.24.13"))[0]
    assert found.environment == {} and found.warnings == ("Go takes 4 CPUs, the kernel gives 1.5 (app.service): GOMAXPROCS=4 is too much, 2 fits.",)


APP = dict(unit="app.service", slice="go.slice")
MEMORY: Dict[str, Tuple[List[Given], Optional[str]]] = {
    "its own": ([dict(unit="app.service", memory_max="512MiB")], "460MiB"),
    "its slice's": ([APP, dict(unit="go.slice", memory_max="512MiB")], "460MiB"),
    "the slice above": ([dict(APP, slice="go-a.slice"), dict(unit="go.slice", memory_max="512MiB")], "460MiB"),
    "the tightest": ([dict(APP, memory_max="1GiB"), dict(unit="go.slice", memory_max="512MiB")], "460MiB"),
    "memory_high": ([dict(APP, memory_max="512MiB", memory_high="256MiB")], "230MiB"),
    "memory_high above": ([dict(APP, memory_max="512MiB"), dict(unit="go.slice", memory_high="256MiB")], "230MiB"),
    "a percentage": ([dict(unit="app.service", memory_max="25%")], "1843MiB"),
    "headroom": ([dict(unit="app.service", memory_max="512MiB", memory_headroom=0.5)], "256MiB"),
    "too little": ([dict(unit="app.service", memory_max="4MiB")], None),
    "no limit": ([dict(unit="app.service", memory_max="infinity", memory_low="1GiB")], None),
    "a part": ([dict(APP, memory_share="50%"), dict(unit="go.slice", memory_max="1GiB")], "460MiB"),
    "a part as a size": ([dict(APP, memory_share="512MiB"), dict(unit="go.slice", memory_max="1GiB")], "460MiB"),
    "a part above the whole": ([dict(APP, memory_share="2GiB"), dict(unit="go.slice", memory_max="512MiB")], "460MiB"),
    "a part of what is shared only": ([dict(APP, memory_share="50%", memory_max="512MiB"), dict(unit="go.slice", memory_max="1GiB")], "460MiB"),
    "a part below its own": ([dict(APP, memory_share="25%", memory_max="512MiB"), dict(unit="go.slice", memory_max="1GiB")], "230MiB"),
    "a part of nothing shared": ([dict(unit="app.service", memory_share="50%", memory_max="512MiB")], "460MiB"),
    "a part of no limit": ([dict(APP, memory_share="50%")], None),
    "shared with a service of the call": ([APP, dict(unit="go.slice", memory_max="1GiB"), dict(unit="other.service", slice="go.slice")], None),
    "shared, with a part": (
        [dict(APP, memory_share="50%"), dict(unit="go.slice", memory_max="1GiB"), dict(unit="other.service", slice="go-x.slice")],
        "460MiB",
    ),
    "not shared": ([APP, dict(unit="go.slice", memory_max="512MiB"), dict(unit="other.service", slice="gone.slice")], "460MiB"),
    "shared, but its own is tighter": (
        [dict(APP, memory_max="512MiB"), dict(unit="go.slice", memory_max="1GiB"), dict(unit="other.service", slice="go.slice")],
        "460MiB",
    ),
    "both layers are one service": ([APP, dict(APP, runtime=True, tasks_max="5"), dict(unit="go.slice", memory_max="512MiB")], "460MiB"),
}


@pytest.mark.parametrize(("units", "expected"), list(MEMORY.values()), ids=list(MEMORY))
def test_memory(units: List[Given], expected: Optional[str]) -> None:
    found = environment(call(*units), unit("app.service", go="go1.27.4"), unit("other.service"))
    assert found == ({} if expected is None else {"GOMEMLIMIT": expected})


GO_SLICE = dict(unit="go.slice", memory_max="512MiB")
HERE = "/sys/fs/cgroup/go.slice"


@pytest.mark.parametrize(
    ("there", "units", "restart", "told"),
    [
        ((), [APP, GO_SLICE], "never", True),
        ((f"{HERE}/app.service", f"{HERE}/app.service/sub"), [APP, GO_SLICE], "never", True),
        ((f"{HERE}/app.service", f"{HERE}/other.service"), [APP, GO_SLICE], "never", False),
        ((HERE,), [APP, GO_SLICE], "never", False),
        (("",), [APP, GO_SLICE], "never", False),  # there were too many to look into
        # Who leaves is gone when it was started again, and only then.
        ((f"{HERE}/other.service",), [APP, GO_SLICE, dict(unit="other.service", slice="b.slice")], "needed", True),
        ((f"{HERE}/other.service",), [APP, GO_SLICE, dict(unit="other.service", slice="b.slice")], "never", False),
        ((f"{HERE}/other.service",), [dict(APP, memory_share="100%"), GO_SLICE], "never", True),
    ],
)
def test_who_is_there_shares(there: Tuple[str, ...], units: List[Given], restart: str, told: bool) -> None:
    found = environment(call(*units, restart=restart), unit("app.service", go="go1.27.4"), unit("other.service"), occupants={"go.slice": there})
    assert found == ({"GOMEMLIMIT": "460MiB"} if told else {})


def test_instances_share() -> None:
    probed = unit("app@gohost.service", go="go1.27.4", Slice="system-app.slice")
    wish = call(dict(unit="app@.service", slice="go.slice"), GO_SLICE)
    assert environment(wish, probed) == {}
    assert environment(call(dict(unit="app@.service", slice="go.slice", memory_share="25%"), GO_SLICE), probed) == {"GOMEMLIMIT": "115MiB"}
    assert environment(call(dict(unit="app@.service", memory_max="512MiB")), probed) == {"GOMEMLIMIT": "460MiB"}


@pytest.mark.parametrize(
    ("wish", "state"),
    [
        (dict(unit="app.service", cpu_quota="1", memory_max="512MiB", go_runtime="off"), unit("app.service", go="go1.24.13")),
        (dict(unit="app.service", cpu_quota="1", memory_max="512MiB"), unit("app.service")),
        (dict(unit="app.service", cpu_quota="1", memory_max="512MiB"), unit("app.service", go="devel +0a1b2c")),
        (dict(unit="app.service", cpu_quota="1", memory_max="512MiB"), unit("other.service")),
        (dict(unit="app.service", cpu_quota="1", memory_max="512MiB"), unit("app.service", go="go1.24.13", LoadState="masked")),
        (dict(unit="go.slice", cpu_quota="1", memory_max="512MiB"), unit("go.slice")),
        (dict(unit="app.scope", cpu_quota="1", memory_max="512MiB"), unit("app.scope")),
        (dict(unit="app-.service", cpu_quota="1", memory_max="512MiB"), unit("app-a.service", go="go1.24.13")),
    ],
)
def test_nobody_to_tell(wish: Given, state: UnitState) -> None:
    found = rows(call(wish), state)[0]
    assert found.environment == {} and found.text is not None and "Environment" not in found.text


def test_a_drop_in_for_the_environment_alone() -> None:
    limits = {f"{ETC}/app.service": text("CPUQuota=150%", "MemoryMax=512M")}
    found = rows(call(dict(unit="app.service")), unit("app.service", limits, go="go1.24.13"))[0]
    assert found.text == parse.OURS + text("Environment=GOMAXPROCS=2", "Environment=GOMEMLIMIT=460MiB")


# What systemd will make of all files

PREDICTED: Dict[str, Tuple[Given, Dict[str, str], Optional[float]]] = {
    # the wish, other files, CPUs that the service has then
    "added": (dict(cpu_quota="1.5"), {}, 1.5),
    "changed": (dict(cpu_quota="1.5"), {"90-gohost-limits": parse.OURS + text("CPUQuota=300%")}, 1.5),
    "removed": (dict(tasks_max="5"), {"90-gohost-limits": parse.OURS + text("CPUQuota=300%")}, None),
    "removed, back to another file's": (dict(tasks_max="5"), {"50-x": text("CPUQuota=200%"), "90-gohost-limits": parse.OURS + text("CPUQuota=300%")}, 2.0),
    "a later file wins": (dict(cpu_quota="1.5"), {"99-x": text("CPUQuota=400%")}, 4.0),
    "an earlier file loses": (dict(cpu_quota="1.5"), {"50-x": text("CPUQuota=400%")}, 1.5),
    "a later file takes it back": (dict(cpu_quota="1.5"), {"99-x": text("CPUQuota=")}, None),
    "infinity": (dict(cpu_quota="infinity"), {"50-x": text("CPUQuota=400%")}, None),
    "capitals come first": (dict(cpu_quota="1.5"), {"9A-x": text("CPUQuota=400%")}, 4.0),
    "what systemd ignores": (dict(tasks_max="5"), {"50-x": text("CPUQuota=many")}, None),
    "another section": (dict(cpu_quota="1.5"), {"99-x": text("CPUQuota=400%", section="Slice")}, 1.5),
    "a runtime one is gone at boot": (dict(cpu_quota="1.5"), {"95-gohost-limits": parse.OURS + text("CPUQuota=400%")}, 1.5),
}


@pytest.mark.parametrize(("wish", "files", "cpus"), list(PREDICTED.values()), ids=list(PREDICTED))
def test_predicted(wish: Given, files: Dict[str, str], cpus: Optional[float]) -> None:
    paths = {f"{RUN if name.startswith('95') else ETC}/app.service.d/{name}.conf": content for name, content in files.items()}
    found = rows(call(dict(unit="app.service", **wish)), unit("app.service", paths, go="go1.24.13"))[0].started
    assert found is not None and (found.effective.cpus.value if found.effective.cpus is not None else None) == cpus


@pytest.mark.parametrize(
    ("family", "name", "counts"),
    [
        ("app-.service", "app-a.service", True),
        ("app-.service", "app-a-b.service", True),
        ("app-a-.service", "app-a-b.service", True),
        ("app-.service", "app-a@1-2.service", True),
        ("app-a@.service", "app-a@1-2.service", True),
        ("app-.service", "app.service", False),
        ("app-.service", "appa.service", False),
        ("app-a@1-.service", "app-a@1-2.service", False),
        ("app@.service", "app-a@1.service", False),
        ("app-.slice", "app-a.service", False),
    ],
)
def test_families(family: str, name: str, counts: bool) -> None:
    wish = call(dict(unit=name), dict(unit=family, cpu_quota="1.5"))
    found = rows(wish, unit(name, go="go1.24.13"))[0].started
    assert found is not None and (found.effective.cpus is not None) is counts


def test_effective_by_every_slice() -> None:
    files = {f"{ETC}/go.slice.d/50-x.conf": text("MemoryMax=10%", "TasksMax=25%", section="Slice")}
    wish = call(dict(unit="app.service", slice="go-a.slice", memory_swap_max="0"), dict(unit="go-a.slice", cpu_quota="3", allowed_cpus="0-3"))
    found = rows(wish, unit("app.service", go="go1.24.13"), unit("go.slice", files))[0].started
    assert found is not None and found.cpus == (0, 1, 2, 3)
    bounds = found.effective.cpus, found.effective.memory, found.effective.swap, found.effective.tasks
    assert [(each.value, each.node.path) for each in bounds if each is not None] == [
        (3.0, "go-a.slice"),
        (8 * GIB // 10, "go.slice"),
        (0, "app.service"),
        (7500, "go.slice"),
    ]


def test_a_slice_tells_what_programs_in_it_see() -> None:
    found = rows(call(dict(unit="go-a.slice", cpu_quota="3"), dict(unit="go.slice", cpu_quota="1.5")), unit("go-a.slice"))[0].started
    assert found is not None and found.releases == dict.fromkeys(("1.21", "1.22", "1.23", "1.24", "1.25", "1.26", "1.27"), 8)
    assert found.effective.cpus is not None and (found.effective.cpus.value, found.effective.cpus.node.path) == (1.5, "go.slice")


@pytest.mark.parametrize(
    "file", [f"{ETC}/app@1.service.d/90-gohost-limits.conf", f"{RUN}/app@1.service.d/95-gohost-limits.conf", f"{ETC}/app@1.service.d/99-x.conf"]
)
def test_one_of_a_family_has_its_own(file: str) -> None:
    """Which is meant, unless somebody else wrote it."""
    instance = unit("app@1.service", {file: parse.OURS + text("TasksMax=9")})
    warnings = rows(call(dict(unit="app@.service", tasks_max="5")), unit("app@gohost.service"), instance)[0].warnings
    assert [file in each for each in warnings if "wins" in each] == ([True] if file.endswith("99-x.conf") else [])


# The lasting layer and the one that is gone at boot

LASTING_FILE, RUNTIME_FILE = f"{ETC}/app.service.d/90-gohost-limits.conf", f"{RUN}/app.service.d/95-gohost-limits.conf"


@pytest.mark.parametrize(
    ("lasting", "runtime", "told", "procs"),
    [
        (dict(cpu_quota="1.5"), dict(cpu_quota="3"), ({"GOMAXPROCS": "2"}, {"GOMAXPROCS": "3"}), (2, 3)),
        (dict(cpu_quota="1.5"), dict(cpu_quota="infinity"), ({"GOMAXPROCS": "2"}, {"GOMAXPROCS": "8"}), (2, 8)),
        (dict(cpu_quota="1.5"), dict(tasks_max="5"), ({"GOMAXPROCS": "2"}, {"GOMAXPROCS": "2"}), (2, 2)),
        (dict(tasks_max="5"), dict(cpu_quota="3"), ({}, {"GOMAXPROCS": "3"}), (8, 3)),
        (dict(memory_max="512MiB"), dict(memory_max="infinity"), ({"GOMEMLIMIT": "460MiB"}, {"GOMEMLIMIT": "off"}), (8, 8)),
        (dict(memory_max="512MiB"), dict(memory_max="256MiB"), ({"GOMEMLIMIT": "460MiB"}, {"GOMEMLIMIT": "230MiB"}), (8, 8)),
        (dict(cpu_quota="1.5"), dict(cpu_quota="3", go_runtime="off"), ({"GOMAXPROCS": "2"}, {}), (2, 2)),
        (dict(cpu_quota="1.5"), dict(state="absent"), ({"GOMAXPROCS": "2"}, {}), (2, 2)),
    ],
)
def test_layers(lasting: Given, runtime: Given, told: Tuple[Dict[str, str], Dict[str, str]], procs: Tuple[int, int]) -> None:
    app = unit("app.service", go="go1.24.13")
    both = [dict(unit="app.service", runtime=True, **runtime), dict(unit="app.service", **lasting)]
    for wish in (call(*both), call(*reversed(both))):
        found = {row.wish.runtime: row for row in rows(wish, app)}
        assert (found[False].environment, found[True].environment) == told
        started = [found[layer].started for layer in (False, True)]
        assert tuple(each.prediction.value for each in started if each is not None and each.prediction is not None) == procs
    # The lasting one that an earlier run has written counts as well.
    written = unit("app.service", {LASTING_FILE: found[False].text or ""}, go="go1.24.13")
    assert environment(call(both[0]), written) == told[1]


# Other files

CONFLICTS: Dict[str, Tuple[str, str, Optional[Tuple[str, bool]]]] = {
    # another drop-in, its text, its value and whether it wins
    "later": (f"{ETC}/app.service.d/99-x.conf", text("MemoryMax=1G"), ("1G", True)),
    "earlier": (f"{ETC}/app.service.d/10-x.conf", text("MemoryMax=1G"), ("1G", False)),
    "set-property": (f"{CONTROL}/app.service.d/50-MemoryMax.conf", text("MemoryMax=1G"), ("1G", False)),
    "the same value": (f"{ETC}/app.service.d/99-x.conf", text("MemoryMax=512M"), None),
    "the same value, written otherwise": (f"{ETC}/app.service.d/99-x.conf", text("MemoryMax=536870912"), None),
    "the last of a file": (f"{ETC}/app.service.d/99-x.conf", text("MemoryMax=1G", "MemoryMax=512M"), None),
    "taken back": (f"{ETC}/app.service.d/99-x.conf", text("MemoryMax="), ("", True)),
    "what is read by systemd alone": (f"{ETC}/app.service.d/99-x.conf", text("MemoryMax=1G 1M"), ("1G 1M", True)),
    "what systemd does not take": (f"{ETC}/app.service.d/99-x.conf", text("MemoryMax=much"), None),
    "another setting": (f"{ETC}/app.service.d/99-x.conf", text("TasksMax=5"), None),
    "another section": (f"{ETC}/app.service.d/99-x.conf", text("MemoryMax=1G", section="Slice"), None),
    "the unit's own": (f"{ETC}/app.service", text("MemoryMax=1G"), None),
    "its type's": (f"{ETC}/service.d/99-x.conf", text("MemoryMax=1G"), ("1G", True)),
    "ours, until the next boot": (RUNTIME_FILE, parse.OURS + text("MemoryMax=1G"), ("1G", True)),
}


@pytest.mark.parametrize(("path", "content", "expected"), list(CONFLICTS.values()), ids=list(CONFLICTS))
def test_conflicts(path: str, content: str, expected: Optional[Tuple[str, bool]]) -> None:
    found = rows(call(dict(unit="app.service", memory_max="512MiB")), unit("app.service", {path: content}))[0]
    assert found.conflicts == (() if expected is None else (Conflict("memory_max", path, *expected),))
    wins = expected is not None and expected[1]
    assert found.lost == {"app.service": frozenset(["memory_max"] if wins else [])}
    assert [each for each in found.warnings if "wins" in each] == ([f"MemoryMax={expected[0]} of {path} wins over this one."] if expected and wins else [])


def test_limits_of_devices_add_up() -> None:
    files = {f"{ETC}/app.service.d/99-x.conf": text("IOReadBandwidthMax=/dev/vda 5M")}
    wish = call(dict(unit="app.service", io_read_bandwidth_max=[dict(device="/dev/vdb", limit="1MiB")]))
    assert rows(wish, unit("app.service", files))[0].conflicts == ()


def test_conflicts_within_one_call_are_known_before_it() -> None:
    wish = call(dict(unit="user-.slice", tasks_max="50"), dict(unit="user-1000.slice", tasks_max="60"))
    family, own = rows(wish, unit("user-1000.slice"), unit("user-1001.slice"))
    path = f"{ETC}/user-1000.slice.d/90-gohost-limits.conf"
    assert family.conflicts == (Conflict("tasks_max", path, "60", True),)
    assert family.lost == {"user-1000.slice": frozenset(["tasks_max"]), "user-1001.slice": frozenset()}
    assert family.warnings == ()  # that is what the drop-in of one unit is for
    assert own.conflicts == (Conflict("tasks_max", f"{ETC}/user-.slice.d/80-gohost-limits.conf", "50", False),)


def test_what_goes_in_this_call_is_no_conflict() -> None:
    ours = {RUNTIME_FILE: parse.OURS + text("TasksMax=5")}
    wish = call(dict(unit="app.service", tasks_max="6"), dict(unit="app.service", runtime=True, state="absent"))
    assert rows(wish, unit("app.service", ours))[0].conflicts == ()


# Restarts

RUNS: Given = dict(ActiveState="active", ControlGroup="/system.slice/app.service", MainPID="7")


def ours(*lines: str) -> Dict[str, str]:
    return {LASTING_FILE: parse.OURS + text(*lines)}


RESTARTS: Dict[str, Tuple[Given, Dict[str, str], Running, str]] = {
    "nothing that counts at a start": (dict(memory_low="1GiB", tasks_max="5"), {}, Running(), ""),
    "a variable": (dict(cpu_quota="1.5"), {}, Running(), "GOMAXPROCS"),
    "a variable that it has": (dict(cpu_quota="1.5"), ours("CPUQuota=150%", "Environment=GOMAXPROCS=2"), Running({"GOMAXPROCS": "2"}), ""),
    "a variable that it has not yet": (dict(cpu_quota="1.5"), ours("CPUQuota=150%", "Environment=GOMAXPROCS=2"), Running(), "GOMAXPROCS"),
    "another value": (dict(cpu_quota="3"), ours("CPUQuota=150%", "Environment=GOMAXPROCS=2"), Running({"GOMAXPROCS": "2"}), "GOMAXPROCS"),
    "a variable that goes": (dict(tasks_max="5"), ours("CPUQuota=150%", "Environment=GOMAXPROCS=2"), Running({"GOMAXPROCS": "2"}), "GOMAXPROCS"),
    "what nobody tells it any more": (dict(tasks_max="5"), ours("TasksMax=5"), Running({"GOMAXPROCS": "2"}), ""),
    "all that goes": (
        dict(state="absent"),
        ours("LimitNOFILE=1024:5000", "OOMScoreAdjust=5"),
        Running({}, 5000, 5),
        "OOMScoreAdjust, LimitNOFILE",
    ),
    "two": (dict(cpu_quota="1.5", memory_max="512MiB"), {}, Running(), "GOMAXPROCS, GOMEMLIMIT"),
    "files": (dict(limit_nofile=5000), {}, Running({}, 524288), "LimitNOFILE"),
    "files that it has": (dict(limit_nofile=5000), {}, Running({}, 5000), ""),
    "files that it has, of another text": (dict(limit_nofile=5000), ours("LimitNOFILE=5000"), Running({}, 5000), ""),
    "files, not told": (dict(limit_nofile=5000), {}, Running(), ""),
    "a score": (dict(oom_score_adjust=-100), {}, Running({}, None, 0), "OOMScoreAdjust"),
    "a score that it has": (dict(oom_score_adjust=-100), {}, Running({}, None, -100), ""),
    "a slice": (dict(slice="go.slice"), {}, Running(), "Slice"),
    "the slice that it is in": (dict(slice="system.slice"), {}, Running(), ""),
    "the root slice": (dict(slice="-.slice"), {}, Running(), "Slice"),
    "delegation": (dict(delegate=["cpu"]), {}, Running(), "Delegate"),
    "delegation as before": (dict(delegate=["cpu"]), ours("Delegate=cpu"), Running(), ""),
    "another file wins": (dict(limit_nofile=5000), {f"{ETC}/app.service.d/99-x.conf": text("LimitNOFILE=9000")}, Running({}, 9000), ""),
    "another file tells": (
        dict(cpu_quota="1.5"),
        {**ours("CPUQuota=150%", "Environment=GOMAXPROCS=2"), f"{ETC}/app.service.d/99-x.conf": text("Environment=GOMAXPROCS=4")},
        Running({"GOMAXPROCS": "4"}),
        "",
    ),
}


@pytest.mark.parametrize(("wish", "files", "running", "reason"), list(RESTARTS.values()), ids=list(RESTARTS))
def test_restart(wish: Given, files: Dict[str, str], running: Running, reason: str) -> None:
    app = unit("app.service", files, go="go1.24.13", running=running, **RUNS)
    for restart in ("never", "needed"):
        decision = decided(call(dict(unit="app.service", **wish), restart=restart), app)
        assert decision.rows[0].restart == ({"app.service": f"runs without this {reason}"} if reason else {})
        expected = [("app.service", f"runs without this {reason}", "restarted")] if reason and restart == "needed" else []
        assert [(step.thing, step.before, step.after) for step in decision.plan.of("restart")] == expected


def decided(wish: Wanted, *states: UnitState, **given: Any) -> Decision:
    return plan(wish, look(wish, *states, **given))


@pytest.mark.parametrize(
    ("cgroup", "slice_name", "there"),
    [
        ("/app.service", "-.slice", True),
        ("/go.slice/app.service", "-.slice", False),
        ("/go.slice/go-a.slice/app.service", "go-a.slice", True),
        ("/go.slice/app.service", "go-a.slice", False),
        ("", "go.slice", True),
    ],
)
def test_where_a_service_is(cgroup: str, slice_name: str, there: bool) -> None:
    app = unit("app.service", running=Running(), **{**RUNS, "ControlGroup": cgroup})
    assert rows(call(dict(unit="app.service", slice=slice_name)), app)[0].restart == ({} if there else {"app.service": "runs without this Slice"})


def test_always_restarts_what_is_changed() -> None:
    app, idle = unit("app.service", running=Running(), **RUNS), unit("idle.service")
    for wish, expected in (
        (call(dict(unit="app.service", tasks_max="5"), dict(unit="idle.service", tasks_max="5"), restart="always"), ["app.service"]),
        (call(dict(unit="app.service", tasks_max="5"), dict(unit="app.service", runtime=True, tasks_max="5"), restart="always"), ["app.service"]),
        (call(dict(unit="app.service", tasks_max="5"), restart="needed"), []),
        (call(dict(unit="system.slice", tasks_max="5"), restart="always"), []),
    ):
        assert [step.thing for step in decided(wish, app, idle, unit("system.slice", running=Running())).plan.of("restart")] == expected
    unchanged = unit("app.service", ours("TasksMax=5"), running=Running(), **RUNS)
    assert decided(call(dict(unit="app.service", tasks_max="5"), restart="always"), unchanged).plan.steps == ()


def test_each_instance_by_its_own_files() -> None:
    """One has its own GOMAXPROCS by a file that comes later, one by its EnvironmentFile=, one was not started again, and one does not run."""
    path = f"{ETC}/app@.service.d/80-gohost-limits.conf"
    template = {path: parse.OURS + text("CPUQuota=150%", "Environment=GOMAXPROCS=2")}
    probed = unit("app@gohost.service", template, go="go1.24.13")
    two, three, none = (Running({"GOMAXPROCS": "2"}), Running({"GOMAXPROCS": "3"}), Running())
    states = [
        unit("app@1.service", {**template, f"{ETC}/app@1.service.d/90-x.conf": text("Environment=GOMAXPROCS=3")}, running=three),
        unit("app@2.service", template, variables={"GOMAXPROCS": "3"}, running=three),
        unit("app@3.service", template, running=two),
        unit("app@4.service", template, running=none),
        unit("app@5.service", template),
    ]
    found = decided(call(dict(unit="app@.service", cpu_quota="1.5"), restart="needed"), probed, *states)
    assert [(step.action, step.thing) for step in found.plan.steps] == [("restart", "app@4.service")]


# What is refused

REFUSED: Dict[str, Tuple[List[Given], List[UnitState], Given, str]] = {
    "an older systemd": (
        [dict(unit="app.service", memory_min="1MiB")],
        [unit("app-.service")],
        dict(systemd=239, targets=None),
        "memory_min needs systemd 240: app.service. This host has 239",
    ),
    "devices of an older systemd": (
        [dict(unit="app.service", io_read_iops_max=[dict(device="/dev/vda", limit="5")])],
        [],
        dict(systemd=229),
        "io_read_iops_max needs systemd 230",
    ),
    "idle": ([dict(unit="app.service", cpu_weight="idle")], [], dict(systemd=251), "cpu_weight idle needs systemd 252: app.service. This host has 251"),
    "a scope's policy": ([dict(unit="a.scope", oom_policy="kill")], [], dict(systemd=252), "oom_policy kill needs systemd 253"),
    "tenths": ([dict(unit="app.service", memory_max="12.5%")], [], dict(systemd=239), "memory_max 12.5% needs systemd 240"),
    "hundredths": ([dict(unit="app.service", cpu_quota="1.2345")], [], dict(systemd=247), "cpu_quota 123.45% needs systemd 248"),
    "without oomd": ([dict(unit="app.service", managed_oom_swap="kill")], [], dict(oomd=False), "managed_oom_swap needs systemd-oomd: app.service"),
    "memory_high on v1": (
        [dict(unit="app.service", memory_high="1GiB")],
        [],
        dict(controllers=V1, cgroup="v1"),
        "memory_high has no effect on cgroup v1: app.service. Use memory_max",
    ),
    "allowed_cpus on v1": ([dict(unit="app.service", allowed_cpus="0")], [], dict(controllers=V1, cgroup="v1"), "Use CPUAffinity= in the unit"),
    "oomd on v1": ([dict(unit="app.service", managed_oom_swap="kill")], [], dict(controllers=V1), "systemd.unified_cgroup_hierarchy=1"),
    "no controller": (
        [dict(unit="app.service", tasks_max="5")],
        [],
        dict(controllers={"memory": 2, "cpu": 2}),
        "which has no cgroup controller pids: app.service. The kernel has cpu, memory; cgroup_enable=pids",
    ),
    "no controller at all": ([dict(unit="app.service", tasks_max="5")], [], dict(controllers={}), "The kernel has none"),
    "read only": (
        [dict(unit="app.service", memory_max="1GiB")],
        [],
        dict(controllers={"memory": 0}),
        "memory_max has no effect in this container, whose cgroups systemd may not write: app.service. Limit the container itself",
    ),
    "more files than systemd has": (
        [dict(unit="app.service", limit_nofile=20001)],
        [],
        dict(most_files=20000),
        "limit_nofile of app.service is not in the power of this systemd: 20001. At most 20000 is possible; in a container, what the container itself has.",
    ),
    "a score below systemd's": (
        [dict(unit="app.service", oom_score_adjust=-1)],
        [],
        dict(least_score=0),
        "oom_score_adjust of app.service is not in the power of this systemd: -1. At least 0 is possible; in a container, what the container itself has.",
    ),
    "one disk by two names": (
        [dict(unit="app.service", io_read_bandwidth_max=[dict(device="/dev/vda", limit=5)], io_write_iops_max=[dict(device="/srv", limit=5)])],
        [],
        dict(disks={"/dev/vda": "vda", "/srv": "vda"}),
        "app.service has limits of one disk by two names: /dev/vda and /srv. Take the same name in all options.",
    ),
    "no such device": (
        [dict(unit="app.service")],
        [],
        dict(disks={"/dev/vdw": "vdw", "/dev/vdx": "", "/dev/vdy": ""}),
        "there is no such device: /dev/vdx, /dev/vdy",
    ),
    "CPUs": (
        [dict(unit="app.service", allowed_cpus="0-8")],
        [],
        {},
        "allowed_cpus of app.service has CPUs that are not online: 0-8. This host has 0-7",
    ),
    "memory_high": (
        [dict(unit="app.service", memory_high="2GiB", memory_max="1GiB")],
        [],
        {},
        "memory_high of app.service is above its memory_max: 2G and 1G. Give less for memory_high",
    ),
    "memory_high in percent": ([dict(unit="app.service", memory_high="30%", memory_max="25%")], [], {}, "memory_high of app.service is above"),
    "memory_high by the machine's memory": (
        [dict(unit="app.service", memory_high="5GiB", memory_max="50%")],
        [],
        {},
        "memory_high of app.service is above its memory_max: 5G and 50%",
    ),
    "memory_low": ([dict(unit="app.service", memory_low="2GiB", memory_max="1GiB")], [], {}, "memory_low of app.service is above"),
    "memory_min": ([dict(unit="app.service", memory_min="2GiB", memory_max="1GiB")], [], {}, "memory_min of app.service is above"),
    "memory_low by the machine's memory": ([dict(unit="app.service", memory_low="60%", memory_max="4GiB")], [], {}, "memory_low of app.service is above"),
    "what is used": (
        [dict(unit="app.service", memory_max="100MiB")],
        [unit("app.service", memory=150 * MIB)],
        {},
        "memory_max of app.service is less than app.service uses: 100M of 150 MiB. The kernel would end processes at once. Give more, stop some, or set force",
    ),
    "what one of a family uses": (
        [dict(unit="user-.slice", memory_max="1%")],
        [unit("user-1.slice"), unit("user-2.slice", memory=GIB)],
        {},
        "memory_max of user-.slice is less than user-2.slice uses: 1% of 1 GiB",
    ),
    "not ours": (
        [dict(unit="app.service", tasks_max="5")],
        [unit("app.service", {LASTING_FILE: text("TasksMax=6")})],
        {},
        f"a file that is not ours has the name of our drop-in: {LASTING_FILE}",
    ),
    "not ours, to be removed": ([dict(unit="app.service", state="absent")], [unit("app.service", {LASTING_FILE: ""})], {}, "a file that is not ours"),
    "a quota above its slice's on v1": (
        [dict(unit="app.service", slice="go.slice", cpu_quota="2"), dict(unit="go.slice", cpu_quota="1.5")],
        [unit("app.service")],
        dict(controllers=V1, cgroup="v1"),
        "cpu_quota of app.service is above that of go.slice: 200% of 150%",
    ),
    "a quota below what is in it on v1": (
        [dict(unit="go.slice", cpu_quota="1.5")],
        [unit("go.slice", inside={"app.service": 2.0})],
        dict(controllers=V1, cgroup="v1"),
        "cpu_quota of app.service is above that of go.slice",
    ),
}


@pytest.mark.parametrize(("units", "states", "given", "message"), list(REFUSED.values()), ids=list(REFUSED))
def test_refused(units: List[Given], states: List[UnitState], given: Given, message: str) -> None:
    wish = call(*units)
    seen = look(wish, *states)
    if given.pop("targets", given) is None:  # what systemd does not know, it does not print
        known = [each.unit._replace(properties={"Id": each.unit.name, "LoadState": "loaded"}) for each in seen.targets if each.unit is not None]
        given = dict(given, targets=tuple(each._replace(unit=state) for each, state in zip(seen.targets, known)))
    with pytest.raises(GoHostError) as caught:
        plan(wish, seen._replace(**given))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_two_names_of_one_unit() -> None:
    wish = call(dict(unit="app.service", tasks_max="5"), dict(unit="alias.service", tasks_max="6"))
    seen = look(wish, unit("app.service"))
    with pytest.raises(GoHostError, match="units has two names of one unit: app.service and alias.service"):
        plan(wish, seen._replace(targets=(seen.targets[0], seen.targets[0])))


@pytest.mark.parametrize(
    ("units", "states", "given"),
    [
        # EL8's 239 has some settings of later versions.
        ([dict(unit="app.service", allowed_cpus="0", memory_min="1MiB")], [unit("app.service")], dict(systemd=239)),
        ([dict(unit="app.service", io_read_iops_max=[dict(device="/dev/vda", limit="5")])], [unit("app.service")], {}),
        ([dict(unit="app.service", cpu_quota="2", limit_nofile=5, slice="a.slice")], [unit("app.service")], dict(systemd=219)),
        ([dict(unit="user-.slice", memory_max="1GiB")], [], {}),
        ([dict(unit="app.service", memory_high="1GiB", memory_max="1GiB")], [unit("app.service")], {}),
        ([dict(unit="app.service", memory_high="2GiB", memory_max="infinity")], [unit("app.service")], {}),
        ([dict(unit="app.service", memory_high="infinity", memory_low="infinity", memory_max="1GiB")], [unit("app.service")], {}),
        ([dict(unit="app.service", memory_high="4GiB", memory_max="50%")], [unit("app.service")], {}),
        ([dict(unit="app.service", memory_max="150MiB")], [unit("app.service", memory=150 * MIB)], {}),
        ([dict(unit="app.service", cpu_weight="idle")], [unit("app.service")], dict(controllers=V1, cgroup="v1")),
        ([dict(unit="go.slice", cpu_quota="1.5")], [unit("go.slice", inside={"app.service": 2.0})], {}),
        (
            [dict(unit="go.slice", cpu_quota="1.5"), dict(unit="app.service", slice="go.slice", cpu_quota="1")],
            [unit("go.slice", inside={"app.service": 2.0}), unit("app.service")],
            dict(controllers=V1, cgroup="v1"),
        ),
    ],
)
def test_not_refused(units: List[Given], states: List[UnitState], given: Given) -> None:
    assert decided(call(*units), *states, **given).plan.of("write")


def test_force() -> None:
    app = unit("app.service", memory=150 * MIB)
    assert decided(call(dict(unit="app.service", memory_max="100MiB"), force=True), app).plan.of("write")


# Steps

RELOADED = ("reload", "systemd")


def steps(decision: Decision) -> List[Tuple[str, str]]:
    return [(step.action, step.thing) for step in decision.plan.steps]


def live(app: UnitState, **files: str) -> UnitState:
    """As it runs, with these files in its cgroup; __ for a point."""
    here = "/sys/fs/cgroup/system.slice/app.service"
    content = {f"{here}/{name.replace('__', '.')}": value for name, value in files.items()}
    return app._replace(properties={**app.properties, **RUNS}, directories=dict.fromkeys(CONTROLLERS, here), live=content)


FIVE = unit("app.service", ours("TasksMax=5"))
STEPS: Dict[str, Tuple[Given, UnitState, List[Tuple[str, str]]]] = {
    "new": (dict(tasks_max="5"), unit("app.service"), [("write", LASTING_FILE), RELOADED]),
    "unknown to systemd": (dict(tasks_max="5"), unit("other.service"), [("write", LASTING_FILE), RELOADED]),
    "there": (dict(tasks_max="5"), FIVE, []),
    "changed": (dict(tasks_max="6"), FIVE, [("write", LASTING_FILE), RELOADED]),
    "absent": (dict(state="absent"), FIVE, [("remove", LASTING_FILE), RELOADED]),
    "nothing left": ({}, FIVE, [("remove", LASTING_FILE), RELOADED]),
    "absent already": (dict(state="absent"), unit("app.service"), []),
    "of an unknown unit": (dict(state="absent"), unit("other.service"), []),
    "stale": (dict(tasks_max="5"), unit("app.service", ours("TasksMax=5"), NeedDaemonReload="yes"), [RELOADED]),
    "not read": (dict(tasks_max="5"), unit("app.service", ours("TasksMax=5"), DropInPaths=""), [RELOADED]),
    "not read that it is gone": (dict(state="absent"), unit("app.service", DropInPaths=LASTING_FILE), [RELOADED]),
    "held": (dict(tasks_max="5"), live(FIVE, pids__max="5\n"), []),
    "changed by hand": (dict(tasks_max="5"), live(FIVE, pids__max="max\n"), [RELOADED]),
    "without its file": (dict(tasks_max="5"), live(FIVE), [RELOADED]),
    "another file wins": (
        dict(tasks_max="5"),
        live(unit("app.service", {**ours("TasksMax=5"), f"{ETC}/app.service.d/99-x.conf": text("TasksMax=7")}), pids__max="7\n"),
        [],
    ),
    "an input and output weight that nothing holds": (dict(io_weight=5), live(unit("app.service", ours("IOWeight=5"))), []),
}


@pytest.mark.parametrize(("wish", "state", "expected"), list(STEPS.values()), ids=list(STEPS))
def test_steps(wish: Given, state: UnitState, expected: List[Tuple[str, str]]) -> None:
    assert steps(decided(call(dict(unit="app.service", **wish)), state)) == expected


def test_diff() -> None:
    decision = decided(call(dict(unit="app.service", memory_max="1GiB")), FIVE)
    assert decision.plan.diff() == {
        "before": {LASTING_FILE: ["[Service]", "TasksMax=5"], "systemd": "has read other files"},
        "after": {LASTING_FILE: ["[Service]", "MemoryMax=1G"], "systemd": "has read these files"},
    }
    assert [step.argument for step in decision.plan.of("write")] == [parse.OURS + "[Service]\nMemoryMax=1G\n"]


def test_owner_and_mode() -> None:
    wish = call(dict(unit="app.service", tasks_max="5"))
    seen = look(wish, FIVE)
    found = plan(wish, seen._replace(targets=(seen.targets[0]._replace(proper=False),)))
    assert steps(found) == [("write", LASTING_FILE), RELOADED]
    assert found.plan.steps[0].before == ["[Service]", "TasksMax=5", "(another owner or mode)"]


def test_what_a_killed_run_has_left() -> None:
    wish = call(dict(unit="app.service", tasks_max="5"))
    seen = look(wish, FIVE)
    left = seen._replace(targets=(seen.targets[0]._replace(leftovers=(LASTING_FILE + ".gohost-new",)),))
    assert steps(plan(wish, left)) == [("clean", LASTING_FILE + ".gohost-new")]
    assert steps(plan(wish, seen._replace(due=()))) == [RELOADED]


def test_a_path_with_a_backslash_is_printed_in_quotes() -> None:
    path = f"{ETC}/a\\x2db.service.d/90-gohost-limits.conf"
    files = {path: parse.OURS + text("TasksMax=5")}
    quoted = '"' + path.replace("\\", "\\\\") + '"'
    there = unit("a\\x2db.service", files, DropInPaths=f"/x/50-x.conf {quoted}")
    assert there.dropins == ("/x/50-x.conf", path)
    assert steps(decided(call(dict(unit="a\\x2db.service", tasks_max="5")), there)) == []


def test_one_reload_for_all() -> None:
    names = [f"a{number}.service" for number in range(30)]
    found = decided(call(*(dict(unit=name, tasks_max="5") for name in names)), *(unit(name) for name in names))
    assert len(found.plan.of("write")) == 30 and len(found.plan.of("reload")) == 1 and len(found.plan.steps) == 31


def test_unheld_names_what_the_kernel_lacks() -> None:
    wish = call(dict(unit="app.service", tasks_max="5", memory_max="1GiB", oom_score_adjust=5))
    app = live(unit("app.service", ours("MemoryMax=1G", "TasksMax=5", "OOMScoreAdjust=5")), pids__max="max\n", memory__max="1073741824\n")
    seen = look(wish, app)
    assert [(its.name, what) for row in plan(wish, seen).rows for its, what in unheld(row, seen)] == [("app.service", "app.service TasksMax=5")]
    gone = call(dict(unit="app.service", state="absent"))
    seen = look(gone, app)
    assert [each for row in plan(gone, seen).rows for each in unheld(row, seen)] == []


# Where drop-ins are


@pytest.mark.parametrize(
    ("name", "runtime", "path"),
    [
        ("app.service", False, LASTING_FILE),
        ("app.service", True, RUNTIME_FILE),
        ("user-.slice", False, f"{ETC}/user-.slice.d/80-gohost-limits.conf"),
        ("user-.slice", True, f"{RUN}/user-.slice.d/85-gohost-limits.conf"),
        ("app@.service", False, f"{ETC}/app@.service.d/80-gohost-limits.conf"),
        ("app-a@.service", False, f"{ETC}/app-a@.service.d/81-gohost-limits.conf"),
        ("app-a-.service", True, f"{RUN}/app-a-.service.d/86-gohost-limits.conf"),
        ("a-b-c-d-e-f-g-.slice", False, f"{ETC}/a-b-c-d-e-f-g-.slice.d/84-gohost-limits.conf"),
        ("app-a@1.service", False, f"{ETC}/app-a@1.service.d/90-gohost-limits.conf"),
    ],
)
def test_dropin(name: str, runtime: bool, path: str) -> None:
    assert dropins.path(Wish(target(name), runtime=runtime)) == path
    assert posixpath.basename(path) < "99-"


def test_dropin_of_an_alias() -> None:
    assert dropins.path(Wish(target("alias.service")), "app.service") == LASTING_FILE


# Warnings

NO_NUMBER = "The kernel has no io.weight for app.service: IOWeight= does nothing with its scheduler of input and output."
WARNED: Dict[str, Tuple[Given, List[UnitState], Given, List[str]]] = {
    "an unknown unit": (dict(tasks_max="5"), [], {}, ["systemd has no app.service (it says not-found): its limits wait for it."]),
    "v1's names": (
        dict(cpu_weight="50", io_weight=50),
        [unit("app.service")],
        dict(controllers=V1, cgroup="v1"),
        ["On cgroup v1 CPUWeight= becomes cpu.shares.", "On cgroup v1 IOWeight= becomes blkio.weight."],
    ),
    "tasks": (
        dict(tasks_max="5"),
        [unit("app.service", tasks=6)],
        {},
        ["app.service has 6 tasks: with TasksMax=5 it can start no more."],
    ),
    "no weight": (dict(io_weight=5), [live(unit("app.service", ours("IOWeight=5")))], {}, [NO_NUMBER]),
    "off": (
        dict(memory_max="512MiB", go_runtime="off"),
        [unit("app.service", go="go1.27.4")],
        {},
        ["Go knows no limit of memory, the kernel gives 512 MiB (app.service). Set GOMEMLIMIT=460MiB."],
    ),
    "told": (dict(memory_max="512MiB", cpu_quota="1.5"), [unit("app.service", go="go1.24.13")], {}, []),
    "absent": (dict(state="absent"), [unit("app.service", {f"{ETC}/app.service": text("MemoryMax=512M")}, go="go1.27.4")], {}, []),
}


@pytest.mark.parametrize(("wish", "states", "given", "expected"), list(WARNED.values()), ids=list(WARNED))
def test_warnings(wish: Given, states: List[UnitState], given: Given, expected: List[str]) -> None:
    assert list(rows(call(dict(unit="app.service", **wish)), *states, **given)[0].warnings) == expected


def test_a_template_that_is_not_there() -> None:
    """A typing error shows; that a template's instances have files of their own is nothing to warn of."""
    wish, probed = call(dict(unit="app@.service", tasks_max="5")), unit("app@gohost.service", LoadState="not-found")
    assert rows(wish, probed)[0].warnings == ("systemd has no app@.service (it says not-found): its limits wait for it.",)
    assert rows(wish, probed, unit("app@1.service"))[0].warnings == ()
