# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen of units, their files and their cgroups."""

import os
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import pytest

from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.model import Running, Seen, Wanted
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.observe import DUE, observe, reread
from ansible_collections.gohost.linux.plugins.module_utils.cgroups.limits.options import ARGUMENT_SPEC, wanted
from ansible_collections.gohost.linux.plugins.module_utils.errors import GoHostError
from ansible_collections.gohost.linux.plugins.module_utils.host import CommandResult
from tests.fakes import systemd
from tests.fakes.cgroups import V2
from tests.fakes.rooted_host import RootedHost
from tests.fakes.systemd import ETC, MEMORY, RUN, FakeSystemd

TOP = "/sys/fs/cgroup"
UNITS = ARGUMENT_SPEC["units"]["options"]
APP = f"{ETC}/app.service.d/90-gohost-limits.conf"


def call(*units: Dict[str, Any]) -> Wanted:
    filled = [{name: unit.get(name, spec.get("default")) for name, spec in UNITS.items()} for unit in units]
    return wanted(dict(units=filled, restart="never", force=False))


def look(host: FakeSystemd, *units: Dict[str, Any]) -> Seen:
    return observe(host, call(*units))


@pytest.fixture(params=["v2", "v1"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> FakeSystemd:
    made = systemd.prepare(tmp_path, v1=request.param == "v1")
    made.go("/bin/sleep", "go1.24.13")
    made.unit("app.service", "[Service]\nExecStart=/bin/sleep 9\nEnvironmentFile=-/etc/default/app\nSlice=go-web.slice\n")
    made.write("/etc/default/app", "GOMAXPROCS=3\nTOKEN=secret\n")
    made.reload()
    return made


def test_a_service_that_runs(host: FakeSystemd) -> None:
    host.write(f"{ETC}/app.service.d/50-x.conf", "[Service]\nMemoryMax=1G\nCPUQuota=150%\nLimitNOFILE=5000\nOOMScoreAdjust=7\nEnvironment=GOGC=50\n")
    host.reload()
    host.start("go.slice", "go-web.slice", "app.service")
    host.use("app.service", 100 << 20, 12)
    memory = f"{TOP}{'/memory' if host.v1 else ''}/go.slice/go-web.slice/app.service"
    host.write(
        f"{memory}/memory.stat",
        "inactive_file 1048576\nactive_file 1048576\nslab_reclaimable 1048576\ntotal_inactive_file 2097152\ntotal_active_file 1048576\n",
    )
    seen = look(host, dict(unit="app.service", memory_max="2GiB", cpu_quota="1", oom_policy="kill", limit_nofile=6000, oom_score_adjust=8))
    assert (seen.systemd, seen.cgroup, seen.cpus, seen.memory, seen.tasks) == (252, "v1" if host.v1 else "v2", tuple(range(8)), MEMORY, 30000)
    assert seen.controllers == ({"cpu": 1, "memory": 1, "pids": 1, "io": 1} if host.v1 else dict.fromkeys(("cpu", "cpuset", "io", "memory", "pids"), 2))
    (target,) = seen.targets
    assert (target.path, target.text, target.proper, target.leftovers) == (APP, None, True, ())
    app = target.unit
    assert app is not None and target.members == (app,)
    counted = look(host, dict(unit="app.service", tasks_max="99")).targets[0].unit
    assert counted is not None
    assert (app.name, app.cgroup, app.memory, counted.tasks) == ("app.service", "/go.slice/go-web.slice/app.service", 97 << 20, 12)
    assert [path for path, _text in app.files] == [f"{ETC}/app.service", f"{ETC}/app.service.d/50-x.conf"]
    assert app.variables == {"GOMAXPROCS": "3"} and "secret" not in str(seen)
    assert app.build is not None and app.build.version == "go1.24.13"
    assert app.running == Running({"GOGC": "50", "GOMAXPROCS": "3"}, 5000, 7)
    assert {os.path.basename(path): content for path, content in app.live.items()} == (
        {"memory.limit_in_bytes": "1073741824\n", "cpu.cfs_quota_us": "150000\n", "cpu.cfs_period_us": "100000\n"}
        if host.v1
        else {"memory.max": "1073741824\n", "cpu.max": "150000 100000\n"}
    )
    assert set(seen.slices) == {"-.slice", "system.slice", "go.slice", "go-web.slice"}


def test_what_does_not_run_is_not_measured(host: FakeSystemd) -> None:
    app = look(host, dict(unit="app.service", memory_max="1GiB", tasks_max="5")).targets[0].unit
    assert app is not None and app.loaded
    assert (app.directories, app.live, app.memory, app.tasks, app.running) == ({}, {}, 0, 0, None)


def test_an_unknown_unit(host: FakeSystemd) -> None:
    seen = look(host, dict(unit="none.service", slice="new-part.slice", tasks_max="5"), dict(unit="brand.slice", tasks_max="5"))
    none, brand = seen.targets
    assert none.unit is not None and not none.unit.loaded and none.members == ()
    assert brand.unit is not None and brand.unit.loaded and brand.unit.files == ()  # a slice needs no file
    assert {"new.slice", "new-part.slice", "brand.slice"} <= set(seen.slices)


def test_families(host: FakeSystemd) -> None:
    host.unit("app@.service")
    host.write(f"{ETC}/app@2.service.d/10-x.conf", "[Service]\nTasksMax=9\n")
    host.reload()
    host.start("app@1.service", "app@2.service", "user-1000.slice", "user-1001.slice")
    seen = look(
        host, dict(unit="app@.service", tasks_max="5"), dict(unit="user-.slice", tasks_max="7", runtime=True), dict(unit="none-.service", tasks_max="5")
    )
    template, users, none = seen.targets
    assert template.path == f"{ETC}/app@.service.d/80-gohost-limits.conf" and template.unit is not None
    assert (template.unit.name, template.unit.loaded) == ("app@gohost.service", True)
    assert [member.name for member in template.members] == ["app@1.service", "app@2.service"]
    assert [path for path, _text in template.members[1].files] == [f"{ETC}/app@.service", f"{ETC}/app@2.service.d/10-x.conf"]
    assert users.path == f"{RUN}/user-.slice.d/85-gohost-limits.conf" and users.unit is None
    assert [member.name for member in users.members] == ["user-1000.slice", "user-1001.slice"]
    assert (none.unit, none.members) == (None, ())
    assert not any(word in ("user-.slice", "app@.service") for argv in host.asked for word in argv)  # which systemctl answers with an error


def test_what_is_in_memory_without_being_loaded_is_no_member(host: FakeSystemd) -> None:
    host.start("app@1.service")
    assert look(host, dict(unit="app@.service", tasks_max="5")).targets[0].members == ()


def test_a_name_with_a_backslash(host: FakeSystemd) -> None:
    name = "a\\x2db.service"
    host.unit(name)
    path = f"{ETC}/{name}.d/90-gohost-limits.conf"
    host.write(path, "# x\n")
    host.reload()
    (target,) = look(host, dict(unit=name, tasks_max="5")).targets
    assert (target.path, target.text) == (path, "# x\n")
    assert target.unit is not None and target.unit.dropins == (path,) and target.unit.files[1:] == ((path, "# x\n"),)


@pytest.mark.parametrize("kind", ["file", "mode", "link", "dangling", "directory"])
def test_our_file(host: FakeSystemd, kind: str) -> None:
    real = Path(host.root + APP)
    host.write(APP if kind in ("file", "mode") else "/elsewhere", "[Service]\n")
    if kind in ("file", "mode"):
        real.chmod(0o644 if kind == "file" else 0o600)
    else:
        real.parent.mkdir(parents=True)
        if kind == "directory":
            real.mkdir()
        else:
            real.symlink_to(host.root + ("/elsewhere" if kind == "link" else "/none"))
    (target,) = look(host, dict(unit="app.service", tasks_max="5")).targets
    assert (target.text, target.proper) == (None if kind in ("dangling", "directory") else "[Service]\n", kind == "file")


def test_what_a_killed_run_has_left(host: FakeSystemd) -> None:
    host.write(APP + ".gohost-new", "")
    assert look(host, dict(unit="app.service", tasks_max="5")).targets[0].leftovers == (APP + ".gohost-new",)
    Path(host.root + APP + ".gohost-new").unlink()
    assert look(host, dict(unit="app.service", tasks_max="5")).targets[0].leftovers == ()
    host.write(DUE, "app.service\nweb.service")
    seen = look(host, dict(unit="app.service", tasks_max="5"))
    assert seen.due == ("app.service", "web.service") and seen.targets[0].leftovers == (os.path.dirname(APP),)


def test_devices(host: FakeSystemd) -> None:
    host.write("/dev/vda", "")
    (Path(host.root) / "dev/disk").symlink_to("vda")
    limits = [dict(device=path, limit="1MiB") for path in ("/dev/vda", "/dev/disk", "/dev/vdb")]
    seen = look(host, dict(unit="app.service", io_read_bandwidth_max=limits, io_weight=5), dict(unit="go.slice", io_write_iops_max=limits[2:]))
    assert {device for device, disk in seen.disks.items() if not disk} == {"/dev/vdb"}
    assert seen.disks["/dev/vda"] == seen.disks["/dev/disk"]


@pytest.mark.parametrize(
    ("path", "disk"),
    [
        ("/dev/vda", "vda"),
        ("/dev/vda1", "vda"),
        ("/dev/cciss/c0d0", "cciss!c0d0"),
        ("/dev/null", ""),
        ("/srv/file", "vda"),
        ("/srv/other/file", "254:9"),  # a container may not see it
        ("/srv/pool/file", "/srv/pool/file"),
        ("/run/file", ""),
        ("/file", ""),  # of an overlay
        ("/none", ""),
    ],
)
def test_disks(host: FakeSystemd, path: str, disk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As systemd 252 finds them: in a container and on file systems of memory there is none below."""
    real = host.real
    monkeypatch.setattr(host, "real", lambda path: real(path)[len(host.root) :])
    mounts = "20 1 0:40 / / rw - overlay overlay rw\n21 20 0:41 / /srv rw - tmpfs tmpfs rw\n22 20 254:1 / /srv rw - ext4 /dev/vda1 rw\n"
    mounts += "23 20 0:46 / /run rw - tmpfs tmpfs rw\n24 22 0:47 / /srv/pool rw - btrfs /dev/vdb rw\n25 22 254:9 / /srv/other rw - ext4 /dev/vdc rw\n"
    host.write("/proc/self/mountinfo", (systemd.V1 if host.v1 else V2) + mounts)
    sys = Path(host.root) / "sys"
    for name, place in (("vda", "vda"), ("vda1", "vda/vda1"), ("cciss!c0d0", "cciss!c0d0")):
        (sys / "devices" / place).mkdir(parents=True)
        (sys / "class/block").mkdir(parents=True, exist_ok=True)
        (sys / "class/block" / name).symlink_to(f"../../devices/{place}")
    host.write("/sys/devices/vda/vda1/partition", "1\n")
    (sys / "dev/block").mkdir(parents=True)
    (sys / "dev/block/254:1").symlink_to("../../devices/vda/vda1")
    for each in ("/srv/file", "/srv/other/file", "/srv/pool/file", "/run/file", "/file"):
        host.write(each, "")
    for each in ("/dev/vda", "/dev/vda1", "/dev/cciss/c0d0", "/dev/null"):
        os.makedirs(os.path.dirname(host.root + each), exist_ok=True)
        os.mkfifo(host.root + each)
    seen = look(host, dict(unit="app.service", io_write_iops_max=[dict(device=path, limit="5")]))
    assert seen.disks == {path: disk}


@pytest.mark.parametrize(
    ("capabilities", "uids", "expected"),
    [
        ("000001ffffffffff", "         0          0 4294967295\n", (1000000, None)),
        ("00000000a80425fb", "         0          0 4294967295\n", (20000, 5)),
        ("000001ffffffffff", "         0     100000      65536\n", (20000, 5)),
    ],
)
def test_what_systemd_can_give(host: FakeSystemd, capabilities: str, uids: str, expected: Tuple[int, Optional[int]]) -> None:
    """In a container it cannot lift what the container has; seen of one of podman."""
    host.write("/proc/sys/fs/nr_open", "1000000\n")
    host.write("/proc/1/status", f"Name:\tsystemd\nCapEff:\t{capabilities}\n")
    host.write("/proc/1/uid_map", uids)
    host.write("/proc/1/limits", "Max open files            20000                20000                files     \n")
    host.write("/proc/1/oom_score_adj", "5\n")
    for wish in (dict(limit_nofile=30000), dict(oom_score_adjust=0)):
        seen = look(host, dict(unit="app.service", **wish))
        assert (seen.most_files, seen.least_score) == expected
    seen = look(host, dict(unit="app.service"))
    assert (seen.most_files, seen.least_score) == (None, None)


def test_memory_of_a_container(host: FakeSystemd) -> None:
    host.write(f"{TOP}/memory/memory.limit_in_bytes" if host.v1 else f"{TOP}/memory.max", f"{1 << 30}\n")
    assert look(host).memory == 1 << 30


def test_oomd(host: FakeSystemd) -> None:
    assert look(host).oomd
    os.remove(f"{host.root}/usr/lib/systemd/systemd-oomd")
    assert not look(host).oomd
    host.write("/lib/systemd/systemd-oomd", "")
    assert look(host).oomd


def test_cgroups_that_cannot_be_written(host: FakeSystemd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "euid", lambda: 0)
    monkeypatch.setattr(host, "writable", lambda path: path == f"{TOP}/pids")
    assert set(look(host).controllers.values()) == ({0, 1} if host.v1 else {0})
    assert look(host).controllers["pids"] == (1 if host.v1 else 0)
    monkeypatch.setattr(host, "euid", lambda: 1000)  # who may write nowhere
    assert set(look(host).controllers.values()) == ({1} if host.v1 else {2})


def test_controllers_of_hybrid_are_those_of_v1(tmp_path: Path) -> None:
    host = systemd.prepare(tmp_path, v1=True)
    host.write("/proc/self/mountinfo", systemd.V1 + "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n")
    host.write(f"{TOP}/unified/cgroup.controllers", "hugetlb misc\n")
    seen = look(host)
    assert (seen.cgroup, seen.controllers) == ("hybrid", {"cpu": 1, "memory": 1, "pids": 1, "io": 1})


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ([dict(unit="app.service")], {"go.slice"}),
        ([dict(unit="app.service", go_runtime="off")], set()),
        ([dict(unit="go.slice", memory_max="1GiB")], set()),
        ([dict(unit="app.service"), dict(unit="go-web.slice", memory_high="1GiB")], {"go.slice", "go-web.slice"}),
        ([dict(unit="app.service"), dict(unit="go-web.slice", cpu_quota="1")], {"go.slice"}),
    ],
)
def test_occupants(tmp_path: Path, units: List[Dict[str, Any]], expected: "set[str]") -> None:
    host = systemd.prepare(tmp_path)
    host.unit("app.service", "[Service]\nExecStart=/bin/sleep 9\nSlice=go-web.slice\n")
    host.unit("go.slice", "[Slice]\nMemoryMax=1G\n")
    host.reload()
    host.start("go.slice", "go-web.slice", "app.service")
    host.write(f"{TOP}/go.slice/other.scope/cgroup.procs", "12\n")
    found = look(host, *units).occupants
    assert set(found) == expected
    if "go.slice" in expected:
        assert found["go.slice"] == (f"{TOP}/go.slice/go-web.slice/app.service", f"{TOP}/go.slice/other.scope")


def test_quotas_inside_a_slice_on_v1(host: FakeSystemd) -> None:
    host.write(f"{ETC}/app.service.d/50-x.conf", "[Service]\nCPUQuota=150%\n")
    host.write(f"{ETC}/go.slice.d/50-x.conf", "[Slice]\nCPUQuota=400%\n")
    host.reload()
    host.start("go.slice", "go-web.slice", "app.service")
    state = look(host, dict(unit="go.slice", cpu_quota="2")).targets[0].unit
    assert state is not None and state.inside == ({"app.service": 1.5} if host.v1 else {})


def test_without_systemd(tmp_path: Path) -> None:
    with pytest.raises(GoHostError) as caught:
        observe(RootedHost(tmp_path), call(dict(unit="app.service")))
    assert "systemd does not run this host: app.service. On OpenRC, rc_cgroup_settings" in str(caught.value)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"show": (1, "", "Failed to connect to bus\nat all")}, "systemctl show failed: -.slice app.service go-web.slice"),
        ({"show": (0, "", "")}, "systemctl show failed"),
        ({"show": (0, "Id=one\n", "")}, "systemctl show failed"),
    ],
)
def test_systemctl_that_fails(tmp_path: Path, answers: Dict[str, Tuple[int, str, str]], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    host = systemd.prepare(tmp_path)
    run = host.run

    def broken(argv: List[str]) -> CommandResult:
        return CommandResult(tuple(argv), *answers[argv[1]]) if argv[1] in answers else run(argv)

    monkeypatch.setattr(host, "run", broken)
    with pytest.raises(GoHostError) as caught:
        look(host, dict(unit="app.service", slice="go-web.slice"))
    assert message.partition(":")[0] in str(caught.value) and "\n" not in str(caught.value)


def test_a_process_that_ends_meanwhile(host: FakeSystemd) -> None:
    host.start("app.service")
    pid = host.state["active"]["app.service"]["pid"]
    os.remove(f"{host.root}/proc/{pid}/environ")
    app = look(host, dict(unit="app.service")).targets[0].unit
    assert app is not None and app.running is None


def test_reread(host: FakeSystemd) -> None:
    """What is seen again after a reload is what a whole look would see."""
    host.start("app.service")
    wish = call(dict(unit="app.service", tasks_max="5", cpu_quota="1.5"), dict(unit="system.slice", runtime=True, memory_max="1GiB"))
    before = observe(host, wish)
    host.write(APP, "[Service]\nTasksMax=5\nCPUQuota=150%\n")
    host.write(f"{RUN}/system.slice.d/95-gohost-limits.conf", "[Slice]\nMemoryMax=1G\n")
    for path in (APP, f"{RUN}/system.slice.d/95-gohost-limits.conf"):
        os.chmod(host.root + path, 0o644)
    host.reload()
    again, whole = reread(host, before, wish), observe(host, wish)

    def told(seen: Seen) -> List[Any]:
        members = [(target, member) for target in seen.targets for member in target.members]
        return [(target.path, target.text, target.proper, target.leftovers, member.name, member.dropins, member.live) for target, member in members]

    assert told(again) == told(whole) != told(before)
