# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole calls on a systemd of the tests: checked, applied, checked, applied; what the kernel has then; and calls that fail."""

import os
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits import converge as module
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.converge import Outcome, converge
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.model import Wanted
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.observe import DUE
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.options import ARGUMENT_SPEC, wanted
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.plan import Row
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.model import Bound, Node
from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.host import CommandResult
from tests.fakes import systemd
from tests.fakes.systemd import ETC, FakeSystemd

UNITS = ARGUMENT_SPEC["units"]["options"]
FOREIGN = {
    f"{ETC}/app.service.d/50-x.conf": "[Service]\nTasksMax=400\n",
    f"{ETC}.control/app.service.d/50-MemoryMax.conf": "[Service]\nMemoryMax=3G\n",
    f"{ETC}/go.slice": "[Slice]\nTasksMax=900\n",
}
Limits = Dict[str, str]


def call(*units: Dict[str, Any], restart: str = "never") -> Wanted:
    filled = [{name: unit.get(name, spec.get("default")) for name, spec in UNITS.items()} for unit in units]
    return wanted(dict(units=filled, restart=restart, force=False))


@pytest.fixture(params=["v2", "v1", "v2 257", "v1 257"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> FakeSystemd:
    made = prepared(tmp_path, request.param.startswith("v1"))
    made.version = 257 if request.param.endswith("257") else made.version
    return made


def prepared(root: Path, v1: bool = False) -> FakeSystemd:
    """With units that run, and what others have written for them."""
    made = systemd.prepare(root, v1)
    made.go("/bin/sleep", "go1.24.13")
    for unit in ("app.service", "app@.service", "other.service"):
        made.unit(unit)
    for path, text in FOREIGN.items():
        made.write(path, text)
    made.reload()
    made.start("app.service", "other.service", "app@1.service", "go.slice", "user-1000.slice")
    return made


def content(host: FakeSystemd) -> Dict[str, bytes]:
    root = Path(host.root)
    return {str(path.relative_to(root)): path.read_bytes() for top in ("etc", "run") for path in (root / top).rglob("*") if path.is_file()}


def verbs(host: FakeSystemd) -> List[str]:
    return [argv[1] for argv in host.asked if argv[1] in ("daemon-reload", "restart")]


def told(row: Row) -> Any:
    return row.text, row.environment, row.conflicts, row.lost, row.started is None or (row.started.effective, row.started.prediction)


def done(host: FakeSystemd, wish: Wanted) -> Outcome:
    """Checked, applied, checked, applied."""
    before, host.asked = content(host), []
    predicted = converge(host, wish, check=True)
    assert content(host) == before and verbs(host) == []
    outcome = converge(host, wish)
    assert predicted.decision == outcome.decision
    assert verbs(host) == ["daemon-reload"] * bool(outcome.decision.plan.of("reload")) + ["restart"] * bool(outcome.decision.plan.of("restart"))
    after, host.asked = content(host), []
    for check in (True, False):
        again = converge(host, wish, check=check)
        assert not again.decision.plan.changed and again.decision.plan.diff() == {"before": {}, "after": {}}
        assert [told(row) for row in again.decision.rows] == [told(row) for row in outcome.decision.rows]
    assert content(host) == after and verbs(host) == []
    assert not any(name.endswith(".gohost-new") for name in after) and DUE[1:] not in after
    return outcome


def has(host: FakeSystemd, name: str, v2: Limits, v1: Limits) -> bool:
    live = host.live(name)
    expected = v1 if host.v1 else v2
    return {file: live.get(file) for file in expected} == expected


def test_limits_come_and_go(host: FakeSystemd) -> None:
    """What the kernel had before, from what others have written, is back at the end, and nothing of theirs is touched."""
    before = {name: host.live(name) for name in ("app.service", "go.slice", "user-1000.slice", "app@1.service")}
    files = content(host)
    done(
        host,
        call(
            dict(unit="app.service", memory_max="512MiB", cpu_quota="1.5", cpu_quota_period=0.02, tasks_max="77"),
            dict(unit="go.slice", cpu_weight="300"),
            dict(unit="user-.slice", tasks_max="50"),
            dict(unit="app@.service", memory_max="25%"),
            dict(unit="user-1000.slice", runtime=True, tasks_max="60"),
        ),
    )
    assert has(
        host,
        "app.service",
        {"memory.max": "536870912", "cpu.max": "30000 20000", "pids.max": "77"},
        {"memory.limit_in_bytes": "536870912", "cpu.cfs_quota_us": "30000", "cpu.cfs_period_us": "20000", "pids.max": "77"},
    )
    assert has(host, "go.slice", {"cpu.weight": "300", "pids.max": "900"}, {"cpu.shares": "3072", "pids.max": "900"})
    assert host.live("user-1000.slice")["pids.max"] == "60"
    assert has(host, "app@1.service", {"memory.max": str(2 << 30)}, {"memory.limit_in_bytes": str(2 << 30)})
    done(host, call(dict(unit="app.service", tasks_max="78"), dict(unit="go.slice"), dict(unit="user-1000.slice", runtime=True, state="absent")))
    assert host.live("user-1000.slice")["pids.max"] == "50" and host.live("app.service")["pids.max"] == "78"
    assert has(host, "app.service", {"memory.max": str(3 << 30)}, {"memory.limit_in_bytes": str(3 << 30)})
    done(host, call(*(dict(unit=name, state="absent") for name in ("app.service", "go.slice", "user-.slice", "app@.service"))))
    assert {name: host.live(name) for name in before} == before
    assert content(host) == files
    assert sorted(os.listdir(host.root + ETC)) == ["app.service", "app.service.d", "app@.service", "go.slice", "other.service"]


@pytest.mark.parametrize(
    ("lines", "gives", "told"),
    [
        ("", {"GOMAXPROCS": "5"}, {"GOMAXPROCS": "5", "GOMEMLIMIT": "460MiB"}),
        ("UnsetEnvironment=GOMAXPROCS", {"GOMAXPROCS": "5"}, {"GOMEMLIMIT": "460MiB"}),
        ("UnsetEnvironment=GOMAXPROCS=2", {}, {"GOMEMLIMIT": "460MiB"}),
        ("UnsetEnvironment=GOMAXPROCS=5", {"GOMAXPROCS": "5"}, {"GOMAXPROCS": "2", "GOMEMLIMIT": "460MiB"}),
        ("PassEnvironment=GOMAXPROCS", {}, {"GOMAXPROCS": "6", "GOMEMLIMIT": "460MiB"}),
    ],
)
def test_what_is_foretold_is_in_the_process(host: FakeSystemd, lines: str, gives: Dict[str, str], told: Dict[str, str]) -> None:
    """And the second run asks for nothing more."""
    host.environment, host.own = gives, {"GOMAXPROCS": "6"}
    host.write("/proc/1/environ", "GOMAXPROCS=6\0")
    host.write(f"{ETC}/app.service.d/50-x.conf", f"[Service]\n{lines}\n")
    host.reload()
    found = done(host, call(dict(unit="app.service", cpu_quota="1.5", memory_max="512MiB"), restart="needed"))
    (member,) = found.after.targets[0].members
    started = found.decision.rows[0].started
    assert member.running is not None and started is not None and member.running.environment == started.environment == told
    done(host, call(dict(unit="app.service", state="absent"), restart="needed"))


def test_every_option(tmp_path: Path) -> None:
    host = prepared(tmp_path)
    host.write("/dev/vda", "")
    limit = [dict(device="/dev/vda", limit="10MiB")]
    done(
        host,
        call(
            dict(
                unit="app.service",
                memory_min="1MiB",
                memory_low="2MiB",
                memory_high="400MiB",
                memory_max="512MiB",
                memory_swap_max="0",
                cpu_quota="150%",
                cpu_weight="idle",
                allowed_cpus="0-3",
                tasks_max="25%",
                io_weight=50,
                io_read_bandwidth_max=limit,
                io_write_bandwidth_max=limit,
                io_read_iops_max=limit,
                io_write_iops_max=limit,
                managed_oom_swap="kill",
                managed_oom_memory_pressure="kill",
                managed_oom_memory_pressure_limit="60%",
                managed_oom_preference="avoid",
                oom_policy="kill",
                oom_score_adjust=100,
                limit_nofile=5000,
                delegate=["memory", "pids"],
                slice="go.slice",
            ),
            restart="needed",
        ),
    )
    live = host.live("app.service")
    assert host.state["active"]["app.service"]["cgroup"] == "/go.slice/app.service" and host.restarted == ["app.service"]
    assert live["io.max"] == "254:0 rbps=10485760 wbps=10485760 riops=10485760 wiops=10485760"
    assert (live["memory.high"], live["memory.swap.max"], live["cpu.idle"], live["cpuset.cpus"], live["pids.max"]) == ("419430400", "0", "1", "0-3", "7500")


def test_restart_and_what_is_told(host: FakeSystemd) -> None:
    wish = dict(unit="app.service", cpu_quota="1.5", memory_max="512MiB")
    outcome = done(host, call(wish))
    assert outcome.decision.rows[0].restart == {"app.service": "runs without this GOMAXPROCS, GOMEMLIMIT"} and host.restarted == []
    done(host, call(wish, restart="needed"))
    assert host.restarted == ["app.service"]
    (row,) = converge(host, call(wish)).decision.rows
    assert row.restart == {} and row.environment == {"GOMAXPROCS": "2", "GOMEMLIMIT": "460MiB"}
    pid = host.state["active"]["app.service"]["pid"]
    assert host.read(f"/proc/{pid}/environ") == b"LANG=C\0GOMAXPROCS=2\0GOMEMLIMIT=460MiB\0"


def test_both_layers(host: FakeSystemd) -> None:
    lasting, runtime = dict(unit="app.service", cpu_quota="1.5"), dict(unit="app.service", cpu_quota="3", runtime=True)
    done(host, call(runtime, lasting, restart="needed"))
    assert has(host, "app.service", {"cpu.max": "300000 100000"}, {"cpu.cfs_quota_us": "300000"})
    done(host, call(lasting))
    assert has(host, "app.service", {"cpu.max": "300000 100000"}, {"cpu.cfs_quota_us": "300000"})
    done(host, call(dict(runtime, cpu_quota=None, state="absent"), lasting, restart="needed"))
    assert has(host, "app.service", {"cpu.max": "150000 100000"}, {"cpu.cfs_quota_us": "150000"})
    assert sorted(path for path in content(host) if "gohost" in path) == [f"{ETC[1:]}/app.service.d/90-gohost-limits.conf"]


def test_a_unit_with_a_backslash(host: FakeSystemd) -> None:
    host.unit("a\\x2db.service")
    host.reload()
    host.start("a\\x2db.service")
    done(host, call(dict(unit="a\\x2db.service", tasks_max="5")))
    assert host.live("a\\x2db.service")["pids.max"] == "5"


def test_families_within_families(host: FakeSystemd) -> None:
    host.start("user-1000-x.slice")
    done(host, call(dict(unit="user-.slice", tasks_max="50", memory_max="1GiB"), dict(unit="user-1000-.slice", tasks_max="60")))
    assert host.live("user-1000-x.slice")["pids.max"] == "60" and host.live("user-1000.slice")["pids.max"] == "50"
    assert has(host, "user-1000-x.slice", {"memory.max": "1073741824"}, {"memory.limit_in_bytes": "1073741824"})


def test_limits_that_systemd_does_not_write(host: FakeSystemd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something is started beside the units that lack them, and beside those that lose some, and nowhere else."""
    woken: List[str] = []
    run = host.run

    def noting(argv: List[str]) -> CommandResult:
        woken.extend(word.partition("=")[2] for word in argv if word.startswith("--slice="))
        return run(argv)

    monkeypatch.setattr(host, "run", noting)
    seven = {"tasks_max": "7"}
    for wish, slices in (
        (call(dict(unit="app.service", **seven), dict(unit="idle.service", **seven)), ["system.slice"]),
        (call(dict(unit="user-1000.slice", **seven), dict(unit="go.slice", **seven)), ["system.slice", "user.slice"]),
        (call(dict(unit="user-1000.slice", state="absent")), ["user.slice"]),
        (call(dict(unit="other.service", tasks_max="10%", memory_max="10%")), ["system.slice"]),
        (call(dict(unit="other.service", tasks_max="20%", memory_max="10%")), ["system.slice"]),
    ):
        woken.clear()
        done(host, wish)
        assert woken == (slices if host.version >= 257 else [])
    assert host.live("app.service")["pids.max"] == "7" and host.live("user-1000.slice").get("pids.max") != "7"


def test_a_limit_that_somebody_changed_by_hand(host: FakeSystemd) -> None:
    wish = call(dict(unit="app.service", tasks_max="5"))
    done(host, wish)
    host.write(f"{host._directories('app.service')['pids']}/pids.max", "max\n")
    assert [step.action for step in done(host, wish).decision.plan.steps] == ["reload"]
    assert host.live("app.service")["pids.max"] == "5"


def test_another_file_that_wins(host: FakeSystemd) -> None:
    host.write(f"{ETC}/app.service.d/99-x.conf", "[Service]\nTasksMax=9\nLimitNOFILE=9000\n")
    host.reload()
    host.start("app.service")
    outcome = done(host, call(dict(unit="app.service", tasks_max="5", limit_nofile=5000, go_runtime="off"), restart="needed"))
    assert host.live("app.service")["pids.max"] == "9" and host.restarted == []
    assert [(each.option, each.wins) for each in outcome.decision.rows[0].conflicts] == [("limit_nofile", True), ("tasks_max", False), ("tasks_max", True)]


def test_another_file_whose_values_systemd_does_not_take(host: FakeSystemd) -> None:
    """Ours count, and nobody wins over them."""
    host.write(f"{ETC}/app.service.d/99-x.conf", "[Service]\nSlice=\nLimitNOFILE=\nTasksMax=lots\nCPUQuota=1.5\n")
    host.reload()
    host.start("app.service")
    wish = call(dict(unit="app.service", slice="go.slice", limit_nofile=5000, tasks_max="5", cpu_quota="1"), restart="needed")
    (row,) = done(host, wish).decision.rows
    assert [each.file for each in row.conflicts if each.wins] == [] and host.restarted == ["app.service"]
    assert host.state["active"]["app.service"]["cgroup"] == "/go.slice/app.service" and host.live("app.service")["pids.max"] == "5"
    assert row.started is not None and row.started.effective.cpus == Bound(1.0, Node(0, "app.service", ""))


@pytest.mark.parametrize("line", ["Environment=", "UnsetEnvironment=GOMEMLIMIT", "UnsetEnvironment=X GOMEMLIMIT=460MiB"])
def test_another_file_that_takes_away_what_ours_tells(host: FakeSystemd, line: str) -> None:
    """It is not told then, and the person is."""
    host.write(f"{ETC}/app.service.d/99-x.conf", f"[Service]\n{line}\n")
    host.reload()
    (row,) = done(host, call(dict(unit="app.service", memory_max="512MiB"), restart="needed")).decision.rows
    assert row.environment == {} and row.started is not None and row.started.environment == {}
    assert row.warnings == (
        f"{line.partition('=')[0]}= of {ETC}/app.service.d/99-x.conf takes GOMEMLIMIT away again, so it is left out.",
        "Go knows no limit of memory, the kernel gives 512 MiB (app.service). Set GOMEMLIMIT=460MiB.",
    )
    assert host.restarted == []


@pytest.mark.parametrize("directory", ["other.service.d", "app@.service.d", "app-.service.d", "app-x@.service.d"])
@pytest.mark.parametrize("name", ["override.conf", "10-x.conf"])
def test_another_file_that_systemd_has_not_read_yet(host: FakeSystemd, directory: str, name: str) -> None:
    """As a role leaves it that has its handlers reload: it counts from our reload on, so it counts at once."""
    member = {"app@.service.d": "app@1.service", "app-.service.d": "app-x@1.service", "app-x@.service.d": "app-x@1.service"}.get(directory, directory[:-2])
    host.unit("app-x@.service")
    host.reload()
    host.start("app-x@1.service")
    host.write(f"{ETC}/{directory}/{name}", "[Service]\nEnvironment=GOMEMLIMIT=77MiB\nTasksMax=90\nMemoryMax=100M\n")
    (row,) = done(host, call(dict(unit=member, tasks_max="80", cpu_quota="1"), restart="needed")).decision.rows
    assert row.environment == {"GOMAXPROCS": "2"} and host.restarted == [member]
    later = name == "override.conf"
    assert host.live(member)["pids.max"] == ("90" if later else "80")
    assert [each.wins for each in row.conflicts if each.file == f"{ETC}/{directory}/{name}"] == [later]
    assert row.started is not None and row.started.effective.memory == Bound(100 << 20, Node(0, member, ""))


def test_the_limit_of_tasks_that_a_unit_has_by_default(host: FakeSystemd) -> None:
    """Services have systemd's own when ours goes; slices have none."""
    done(host, call(dict(unit="other.service", tasks_max="5"), dict(unit="user-1000.slice", tasks_max="5")))
    rows = done(host, call(dict(unit="other.service"), dict(unit="user-1000.slice"))).decision.rows
    assert [row.started.effective.tasks for row in rows if row.started is not None] == [Bound(4500, Node(0, "other.service", "")), None]
    assert host.live("other.service")["pids.max"] == "4500"


def test_a_service_that_leaves_a_shared_slice(host: FakeSystemd) -> None:
    """Of the two in a slice with a limit one goes elsewhere: the one that stays has all of it at once, and the next run changes nothing."""
    go = dict(unit="go.slice", memory_max="512MiB")
    together = call(go, *(dict(unit=name, slice="go.slice") for name in ("app.service", "other.service")), restart="needed")
    assert [row.environment for row in done(host, together).decision.rows] == [{}, {}, {}]
    apart = call(go, dict(unit="app.service", slice="go.slice"), dict(unit="other.service", slice="b.slice"), restart="needed")
    assert [row.environment for row in done(host, apart).decision.rows] == [{}, {"GOMEMLIMIT": "460MiB"}, {}]


@pytest.mark.parametrize("restart", ["never", "needed"])
def test_a_service_whose_slice_is_wished_no_more(host: FakeSystemd, restart: str) -> None:
    """It leaves the slice as its drop-in loses the line, which the service that stays has to know in the same call."""
    app, go = dict(unit="app.service", slice="go.slice"), dict(unit="go.slice", memory_max="512MiB")
    done(host, call(app, dict(unit="other.service", slice="go.slice", tasks_max="50"), go))
    outcome = done(host, call(app, dict(unit="other.service", tasks_max="50"), go, restart=restart))
    assert outcome.decision.rows[0].environment == {"GOMEMLIMIT": "460MiB"}


@pytest.mark.parametrize("fragment", ["Slice=go-%i.slice\n", "Slice=go-%p-%i.slice\n", ""])
def test_the_slice_of_an_instance(host: FakeSystemd, fragment: str) -> None:
    """Its limit counts, whether the unit says it with specifiers or not at all, and when ours goes, too."""
    name = {"Slice=go-%i.slice\n": "go-1.slice", "": "system-app.slice"}.get(fragment, "go-app-1.slice")
    host.unit("app@.service", f"[Service]\nExecStart=/bin/sleep 9\n{fragment}")
    host.reload()
    host.start("app@1.service")
    limit, lasting = dict(unit=name, memory_max="512MiB"), dict(unit="app@1.service", tasks_max="5")
    done(host, call(limit, dict(lasting, slice="b.slice"), restart="needed"))
    assert host.state["active"]["app@1.service"]["cgroup"] == "/b.slice/app@1.service"
    for wish in (call(limit, lasting, restart="needed"), call(lasting)):
        found = next(row for row in done(host, wish).decision.rows if row.target.path.endswith("/app@1.service.d/90-gohost-limits.conf"))
        assert found.environment == {"GOMEMLIMIT": "460MiB"}
        assert found.started is not None and found.started.effective.memory == Bound(512 << 20, Node(0, name, ""))
    done(host, call(dict(lasting, slice="b.slice"), restart="needed"))
    assert done(host, call(lasting)).decision.rows[0].environment == {"GOMEMLIMIT": "460MiB"}


def test_who_comes_meanwhile_is_for_the_next_run(host: FakeSystemd, monkeypatch: pytest.MonkeyPatch) -> None:
    run = host.run

    def and_then(argv: List[str]) -> CommandResult:
        if argv[1] == "restart":
            host.write(f"/sys/fs/cgroup{'/memory' if host.v1 else ''}/go.slice/late.scope/cgroup.procs", "99\n")
        return run(argv)

    monkeypatch.setattr(host, "run", and_then)
    wish = call(dict(unit="go.slice", memory_max="512MiB"), dict(unit="app.service", slice="go.slice"), restart="needed")
    assert converge(host, wish).decision.rows[1].environment == {"GOMEMLIMIT": "460MiB"}
    assert converge(host, wish).decision.rows[1].environment == {}


def test_nothing_wished(host: FakeSystemd) -> None:
    before = content(host)
    done(host, call())
    done(host, call(dict(unit="other.service", go_runtime="off"), dict(unit="none.service", state="absent")))
    assert content(host) == before


def test_a_reload_that_fails_is_made_up_for(host: FakeSystemd) -> None:
    wish = call(dict(unit="app.service", tasks_max="5"))
    host.fails["daemon-reload"] = "Failed to reload daemon: Access denied\n"
    with pytest.raises(GoHostError, match="systemctl daemon-reload failed: 1. Failed to reload daemon: Access denied"):
        converge(host, wish)
    assert DUE[1:] in content(host) and host.live("app.service")["pids.max"] == "400"
    host.fails.clear()
    assert [step.action for step in done(host, wish).decision.plan.steps] == ["reload"]
    assert host.live("app.service")["pids.max"] == "5"


@pytest.mark.parametrize(("restart", "option"), [("needed", "limit_nofile"), ("always", "tasks_max")])
def test_a_restart_that_fails_is_tried_again(host: FakeSystemd, restart: str, option: str) -> None:
    wish = call({"unit": "app.service", option: 5000}, restart=restart)
    host.fails["restart"] = "Job for app.service failed.\n"
    with pytest.raises(GoHostError, match="systemctl restart failed: app.service. Job for app.service failed."):
        converge(host, wish)
    assert host.read(DUE) == b"app.service"
    host.fails.clear()
    assert [step.action for step in done(host, wish).decision.plan.steps] == ["reload", "restart"]
    assert DUE[1:] not in content(host)


def test_what_cannot_be_staged_leaves_nothing(host: FakeSystemd, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of two has no place: the first is not written either."""
    before = content(host)
    create = host.create

    def full(path: str, mode: int, chunks: Any) -> None:
        if "other.service.d" in path:
            raise OSError(28, "No space left on device", path)
        create(path, mode, chunks)

    monkeypatch.setattr(host, "create", full)
    with pytest.raises(OSError, match="No space left"):
        converge(host, call(dict(unit="go.slice", tasks_max="5"), dict(unit="other.service", tasks_max="5")))
    assert content(host) == before
    assert not os.path.exists(f"{host.root}{ETC}/go.slice.d") and not os.path.exists(f"{host.root}{ETC}/other.service.d")


@pytest.mark.parametrize(("unit", "member"), [("app.service", "app.service"), ("app@.service", "app@1.service"), ("user-.slice", "user-1000.slice")])
def test_a_lower_limit_of_memory_that_comes_back(host: FakeSystemd, unit: str, member: str) -> None:
    """To take ours away is as deadly as to set it, where another file allows less than is used."""
    host.write(f"{ETC}/{member}.d/50-y.conf", f"[{'Slice' if member.endswith('.slice') else 'Service'}]\nMemoryMax=100M\n")
    host.reload()
    done(host, call(dict(unit=unit, memory_max="1GiB", go_runtime="off")))
    host.use(member, 200 << 20, 3)
    before = content(host)
    for gone in (dict(unit=unit, state="absent"), dict(unit=unit, tasks_max="5", go_runtime="off")):
        for check in (True, False):
            with pytest.raises(GoHostError, match=f"its other files allow less than {member} uses: 100 MiB of 200 MiB. The kernel would"):
                converge(host, call(gone), check=check)
        assert content(host) == before
    done(host, call(dict(unit=unit, memory_max="500MiB", go_runtime="off")))
    assert converge(host, call(dict(unit=unit, state="absent"))._replace(force=True)).decision.plan.changed


def test_refused_before_anything_is_written(host: FakeSystemd) -> None:
    before = content(host)
    for units, message in refusals(host):
        with pytest.raises(GoHostError, match=message):
            converge(host, call(dict(unit="other.service", tasks_max="5"), *units))
    assert content(host) == before and verbs(host) == []


def refusals(host: FakeSystemd) -> List[Tuple[List[Dict[str, Any]], str]]:
    host.use("app.service", 200 << 20, 3)
    found: List[Tuple[List[Dict[str, Any]], str]] = [
        ([dict(unit="app.service", memory_max="100MiB")], "is less than app.service uses: 100M of 200 MiB"),
        ([dict(unit="app.service", io_read_bandwidth_max=[dict(device="/dev/none", limit="1MiB")])], "no such device: /dev/none"),
        *([([dict(unit="a.scope", oom_policy="kill")], "oom_policy kill needs systemd 253")] if host.version < 253 else []),
    ]
    if host.v1:
        return [*found, ([dict(unit="app.service", allowed_cpus="0")], "which has no cgroup controller cpuset")]
    return [*found, ([dict(unit="app.service", allowed_cpus="7-8")], "that are not online: 7-8. This host has 0-7")]


def test_what_the_kernel_does_not_take(host: FakeSystemd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SETTLED", 0.0)
    monkeypatch.setattr(FakeSystemd, "_realize", lambda self, started="": None)
    for option, value, name in (("tasks_max", 5, "TasksMax=5"), ("cpu_quota", 1, "CPUQuota=100%")):
        with pytest.raises(GoHostError, match=f"the kernel does not have what systemd was told: app.service {name}.") as caught:
            converge(host, call({"unit": "app.service", option: value}, dict(unit="go.slice", tasks_max="900")))
        assert ("no CPU quota above that of the slice" in str(caught.value)) is (host.v1 and option == "cpu_quota")


def test_what_somebody_undoes_at_once(host: FakeSystemd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SETTLED", 0.0)
    reload, path = host.reload, f"{ETC}/app.service.d/90-gohost-limits.conf"

    def and_undo() -> None:
        os.remove(host.root + path)
        reload()

    monkeypatch.setattr(host, "reload", and_undo)
    with pytest.raises(GoHostError, match=f"the host is not as it should be after the run: write {path}. Does something else change it"):
        converge(host, call(dict(unit="app.service", tasks_max="5")))


def test_another_run(host: FakeSystemd) -> None:
    with host.lock(ETC, 1.0):
        with pytest.raises(GoHostError, match="another run holds this directory"):
            converge(host, call(dict(unit="app.service", tasks_max="5")), lock_timeout=0.0)
        assert converge(host, call(dict(unit="app.service", tasks_max="5")), check=True).decision.plan.changed  # without a lock
