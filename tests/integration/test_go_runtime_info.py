# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""go_runtime_info beside what programs of real releases of Go say themselves, on this machine, under affinity masks, environments and cgroups."""

import itertools
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.hosts import cache, hosts
from tests.hosts.host import Host
from tests.integration.go_programs import RELEASES, Build
from tests.integration.playbook import Play, reached
from tests.runner.workspace import Missing

INFO = "gohost.linux.go_runtime_info"
ENVIRONMENTS: tuple[dict[str, str], ...] = (
    {},
    {"GOMAXPROCS": "3"},
    {"GOMAXPROCS": "+5"},
    {"GOMAXPROCS": "04", "GOMEMLIMIT": "64MiB"},
    {"GOMAXPROCS": "0", "GODEBUG": "containermaxprocs=0"},
    {"GOMAXPROCS": " 2"},
)
ONLINE = sorted(os.sched_getaffinity(0))
CGROUPS = Path("/sys/fs/cgroup")

pytestmark = pytest.mark.once


class Running(NamedTuple):
    """A program that waits. gomaxprocs, cpus: as it said itself."""

    process: "subprocess.Popen[bytes]"
    gomaxprocs: int
    cpus: int

    @property
    def pid(self) -> int:
        return self.process.pid


@contextmanager
def running(*argv: str | Path, env: Mapping[str, str] | None = None, mask: list[int] | None = None, groups: tuple[Path, ...] = ()) -> Iterator[Running]:
    """A program with this environment alone, on these CPUs, in these cgroups, until the block ends."""

    def enter() -> None:
        for group in groups:
            (group / "cgroup.procs").write_text(str(os.getpid()))
        os.sched_setaffinity(0, mask or ONLINE)

    variables = {"TOKEN": "secret", **(env or {})}
    with subprocess.Popen([str(word) for word in argv], env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=enter) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            said = process.stdout.readline().split()
            yield Running(process, int(said[0]), int(said[1]))
        finally:
            process.stdin.close()
            process.kill()


def looks_into(pid: int) -> str:
    """The directory whose quota the runtime of a process reads: it holds the file open for as long as it runs. "" for none."""
    links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
    return next((os.path.dirname(link) for link in links if link.endswith("/cpu.cfs_quota_us")), "")


def info(directory: Path, **options: Any) -> list[dict[str, Any]]:
    play = Play(directory / f"play{time.monotonic_ns()}")
    play.task("info", INFO, **options)
    done = play.run()["info"].ok()
    assert not done.changed and "secret" not in str(done.result["programs"])
    rows: list[dict[str, Any]] = done.result["programs"]
    return rows


def test_every_release_chooses_what_is_expected(programs: dict[Build, Path], tmp_path: Path) -> None:
    masks = [ONLINE, ONLINE[:1]]
    with ExitStack() as stack:
        started = [
            (build, env, stack.enter_context(running(programs[build], env=env, mask=mask)))
            for build, env, mask in itertools.product(RELEASES, ENVIRONMENTS, masks)
        ]
        rows = info(tmp_path, pids=[program.pid for _build, _env, program in started])
    assert len(rows) == len(started) == 72
    for row, (build, env, program) in zip(rows, started, strict=True):
        assert row["go"]["version"] == f"go{build.release}"
        assert (row["expected_gomaxprocs"], row["environment"]) == (program.gomaxprocs, env), (build, env)
        assert sum(1 for cpu in ONLINE if str(cpu) in _cpus(row["cpus_allowed"])) == program.cpus
    chosen = {(build.release, env.get("GOMAXPROCS", "")): program.gomaxprocs for build, env, program in started if program.cpus == len(ONLINE)}
    assert chosen["1.25.14", "+5"] == len(ONLINE) and chosen["1.26.11", "+5"] == 5 and chosen["1.21.13", "04"] == 4


def _cpus(text: str) -> set[str]:
    ranges = (part.split("-") for part in text.split(","))
    return {str(cpu) for part in ranges for cpu in range(int(part[0]), int(part[-1]) + 1)}


def test_builds_are_read_as_go_reads_them(programs: dict[Build, Path], tmp_path: Path) -> None:
    rows = dict(zip(programs, info(tmp_path, binaries=[str(path) for path in programs.values()]), strict=True))
    for build, row in rows.items():
        assert (row["go"]["version"], row["go"]["module"], row["pid"], row["used"]) == (f"go{build.release}", "gohost.test/limits", 0, None)
        assert row["go"]["settings"]["CGO_ENABLED"] == "0" and "-ldflags" not in row["go"]["settings"]
        old_line = (build.release, build.line) == ("1.27.4", "1.24")
        assert ("containermaxprocs=0" in row["go"]["default_godebug"].split(",")) == old_line
        assert row["quota_ignored"] == ("default_godebug" if old_line else "release" if build.release < "1.25" else "")
        assert row["expected_gomaxprocs"] == len(ONLINE)


@pytest.fixture
def outer() -> Iterator[dict[str, Path]]:
    """A cgroup of v1 for each of cpu, cpuacct and memory, with another one inside; both are removed."""
    name = f"gohost-test-{os.getpid()}"
    made = {controller: CGROUPS / controller / name for controller in ("cpu", "cpuacct", "memory")}
    if not all((path.parent / "tasks").exists() for path in made.values()):
        pytest.skip("there is no cgroup v1 here; v2 needs a virtual machine")
    try:
        for path in made.values():
            (path / "inner").mkdir(parents=True)
    except OSError as error:
        pytest.skip(f"no cgroup can be made here: {error}")
    yield made
    for path in made.values():
        for group in (path / "inner", path):
            _removed(group)


def _removed(group: Path) -> None:
    for _try in range(100):  # the kernel takes a moment after the last process has ended
        try:
            group.rmdir()
        except OSError:
            time.sleep(0.1)
        else:
            return
    group.rmdir()


def test_quota_and_memory_on_a_slice(programs: dict[Build, Path], outer: dict[str, Path], tmp_path: Path) -> None:
    """On the outer cgroup both are enforced; the program, in the inner one, reads neither."""
    (outer["cpu"] / "cpu.cfs_quota_us").write_text("20000")
    (outer["memory"] / "memory.limit_in_bytes").write_text(str(256 << 20))
    inner = tuple(path / "inner" for path in outer.values())
    new, other = programs[Build("1.27.4", "1.27")], programs[Build("1.21.13", "1.21")]
    with running(new, "burn", groups=inner) as program, running(other) as stranger:
        (row,) = info(tmp_path, pids=[program.pid], window=3)
        name = f"/{outer['cpu'].name}"
        effective = row["effective"]
        assert (effective["cpus"], effective["cpus_by"], effective["memory"], effective["memory_by"]) == (0.2, name, 256 << 20, name)
        assert (row["go_visible"]["cpus"], row["go_visible"]["directory"], looks_into(program.pid)) == (None, str(inner[0]), str(inner[0]))
        assert row["expected_gomaxprocs"] == program.gomaxprocs
        assert row["suggested_environment"] == {"GOMEMLIMIT": "230MiB"}
        (throttled,) = row["used"]["throttling"]
        assert throttled["cgroup"] == name and throttled["throttled"] > 5 and throttled["seconds"] > 0.1
        assert (row["used"]["cpu_of"], row["used"]["memory_of"]) == ("cgroup", "cgroup")
        assert 0 < row["used"]["cpus"] < 0.4 and 0 < row["used"]["memory_peak"] < 256 << 20
        assert "cpu_quota" not in row["proposed"] and row["proposed"]["memory_max"].endswith("MiB")
        assert [warning for warning in row["warnings"] if warning.startswith(f"{name} was stopped in ")]

        (outer["memory"] / "cgroup.procs").write_text(str(stranger.pid))
        (row,) = info(tmp_path, pids=[program.pid])
        assert row["suggested_environment"] == {}
        assert "shares with other programs" in row["warnings"][0]


def test_quota_of_its_own(programs: dict[Build, Path], outer: dict[str, Path], tmp_path: Path) -> None:
    (outer["cpu"] / "inner/cpu.cfs_quota_us").write_text("150000")
    groups = (outer["cpu"] / "inner",)
    with ExitStack() as stack:
        started = [stack.enter_context(running(program, groups=groups)) for program in programs.values()]
        rows = info(tmp_path, pids=[program.pid for program in started])
        looked = [looks_into(program.pid) for program in started]
    for build, program, row, directory in zip(programs, started, rows, looked, strict=True):
        reads = build.reads_quota
        assert row["expected_gomaxprocs"] == program.gomaxprocs
        assert row["go_visible"]["cpus"] == (1.5 if reads else None)
        assert row["go_visible"]["directory"] == directory == (str(groups[0]) if reads else "")
        assert row["effective"]["cpus"] == 1.5
        assert row["suggested_environment"] == ({} if reads or len(ONLINE) <= 2 else {"GOMAXPROCS": "2"})


# What a container of a host with v1 sees, in the host's cgroup namespace and in its own; a cgroup that is mounted over the hierarchy it is in; and one
# that is mounted after a namespace of a network, whose line ends what 1.26 reads.
MOUNTS = {
    "host": "at=$(mktemp -d); mount --bind {group} $at; umount -l -R /sys/fs/cgroup; mount -t tmpfs none /sys/fs/cgroup; mkdir /sys/fs/cgroup/cpu;"
    " mount --move $at /sys/fs/cgroup/cpu",
    "own": "umount -l -R /sys/fs/cgroup; mount -t tmpfs none /sys/fs/cgroup; mkdir /sys/fs/cgroup/cpu; mount -t cgroup -o cpu none /sys/fs/cgroup/cpu",
    "hidden": "mount --bind {group} /sys/fs/cgroup/cpu",
}
MOUNTS["behind"] = f"touch $TMPDIR/net; mount --bind /proc/self/ns/net $TMPDIR/net; {MOUNTS['host']}"


@pytest.mark.parametrize(
    ("namespace", "sees"), [("host", {"1.26.11", "1.27.4"}), ("own", {"1.25.14", "1.26.11", "1.27.4"}), ("hidden", set()), ("behind", set())]
)
def test_container(programs: dict[Build, Path], outer: dict[str, Path], tmp_path: Path, namespace: str, sees: set[str]) -> None:
    group = outer["cpu"] / "inner"
    (group / "cpu.cfs_quota_us").write_text("150000")
    script = "set -e; umount -l -R /run/netns 2>/dev/null || true; " + MOUNTS[namespace].format(group=group) + '; exec "$0"'
    unshare = ["unshare", "--mount", *(["--cgroup"] if namespace == "own" else []), "sh", "-c", script]
    builds = [build for build in RELEASES if build.reads_quota]
    with ExitStack() as stack:
        started = [
            stack.enter_context(running(*unshare, programs[build], env={"PATH": os.defpath, "TMPDIR": str(tmp_path)}, groups=(group,))) for build in builds
        ]
        rows = info(tmp_path, pids=[program.pid for program in started])
        looked = [looks_into(program.pid) for program in started]
    assert {build.release for build, directory in zip(builds, looked, strict=True) if directory} == sees
    for program, row, directory in zip(started, rows, looked, strict=True):
        assert row["expected_gomaxprocs"] == program.gomaxprocs
        assert row["effective"]["cpus"] == 1.5
        assert row["go_visible"]["cpus"] == (1.5 if directory else None)
        assert directory in ("", row["go_visible"]["directory"])


def test_what_cannot_be_looked_at(tmp_path: Path) -> None:
    play = Play(tmp_path)
    play.task("no process", INFO, pids=[1 << 22])
    play.task("no file", INFO, binaries=["/nonexistent"])
    play.task("no unit", INFO, units=["gohost-nonexistent.service"])
    play.task("nothing", INFO)
    play.task("no window", INFO, binaries=["/bin/sh"], window=-1)
    play.task("no headroom", INFO, binaries=["/bin/sh"], memory_headroom=2)
    play.task("a shell", INFO, binaries=["/bin/sh"], window=1)
    run = play.run()
    for task, says in (
        ("no process", "there is no such process"),
        ("no file", "there is no such program"),
        ("no unit", "systemd"),
        ("nothing", "one of the following is required"),
        ("no window", "window is no time to watch"),
        ("no headroom", "memory_headroom is no part of the limit"),
    ):
        assert run[task].failed and says in run[task].msg and "\n" not in run[task].msg, run[task].msg
    (shell,) = run["a shell"].ok().result["programs"]
    assert (shell["go"], shell["expected_gomaxprocs"], shell["warnings"]) == (None, None, [])


UNITS = {
    "gohost.slice": "[Slice]\nCPUQuota=20%\nMemoryMax=256M\n",
    "gohost-app.service": "[Service]\nSlice=gohost.slice\nEnvironment=GOGC=50 TOKEN=secret\nStandardOutput=file:/run/limits.said\n"
    "ExecStart=/bin/sh -c 'rm -f /run/limits; mkfifo /run/limits; exec /opt/limits/new burn 0<>/run/limits'\n",
    "gohost-stopped.service": "[Service]\nSlice=gohost.slice\nEnvironment=GOMEMLIMIT=2G TOKEN=secret\nMemoryMax=128M\nCPUAffinity=0\n"
    "ExecStart=/opt/limits/old\n",
}


@pytest.fixture
def container(programs: dict[Build, Path]) -> Iterator[Host]:
    """A container with systemd, a slice with limits, a service in it that runs, and one that does not."""
    try:
        host = hosts.start("mmdebstrap:bookworm", "integration-limits")
    except Missing as missing:
        pytest.skip(str(missing))
    try:
        for name, program in (("new", programs[Build("1.27.4", "1.27")]), ("old", programs[Build("1.24.13", "1.24")])):
            with program.open("rb") as data:
                subprocess.run(host.ssh(f"mkdir -p /opt/limits && cat >/opt/limits/{name} && chmod 755 /opt/limits/{name}"), stdin=data, check=True, timeout=60)
        for name, text in UNITS.items():
            subprocess.run(host.ssh(f"cat >/etc/systemd/system/{name}"), input=text.encode(), check=True, timeout=60)
        done = host.run("systemctl daemon-reload && systemctl start gohost-app.service && sleep 1 && cat /run/limits.said", 60)
        assert done.returncode == 0, done.stderr
        yield host
    finally:
        hosts.stop(host)


@pytest.mark.long
def test_units(container: Host, tmp_path: Path) -> None:
    play = Play(tmp_path)
    play.task("info", INFO, units=["gohost-app.service", "gohost-stopped.service"], window=3)
    variables = {**reached(container), "ansible_ssh_args": f"-F {cache.FILES / 'ssh_config'}"}
    done = play.run(variables=variables)["info"].ok()
    assert "secret" not in str(done.result["programs"])
    app, stopped = done.result["programs"]
    main_pid, control_group = container.run("systemctl show --value -p MainPID -p ControlGroup gohost-app.service", 60).stdout.split()
    said = container.run("cat /run/limits.said", 60).stdout.split()
    assert (app["name"], app["pid"], app["unit"], app["executable"]) == ("gohost-app.service", int(main_pid), "gohost-app.service", "/opt/limits/new")
    assert (app["go"]["version"], app["environment"]) == ("go1.27.4", {"GOGC": "50"})
    assert app["expected_gomaxprocs"] == int(said[0])
    assert app["cgroup"].endswith("gohost-app.service") and app["cgroup"].endswith(control_group)
    assert (app["effective"]["cpus"], app["effective"]["memory"]) == (0.2, 256 << 20)
    assert app["effective"]["cpus_by"].endswith("/gohost.slice") and app["effective"]["memory_by"].endswith("/gohost.slice")
    assert app["suggested_environment"]["GOMEMLIMIT"] == "230MiB"
    assert app["used"]["throttling"][0]["throttled"] > 5 and 0 < app["used"]["memory"] < 256 << 20

    assert (stopped["pid"], stopped["executable"], stopped["used"], stopped["cpus_allowed"]) == (0, "/opt/limits/old", None, "0")
    assert (stopped["go"]["version"], stopped["expected_gomaxprocs"], stopped["quota_ignored"]) == ("go1.24.13", 1, "release")
    assert (stopped["effective"]["cpus"], stopped["effective"]["cpus_by"]) == (0.2, "gohost.slice")
    assert (stopped["effective"]["memory"], stopped["effective"]["memory_by"]) == (128 << 20, "gohost-stopped.service")
    assert "GOMEMLIMIT=2G ends every Go program at its start" in stopped["warnings"][0]
