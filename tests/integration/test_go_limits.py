# Copyright (c) 2026 the gohost.linux authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real programs of every release of Go under limits that cgroup_limits sets: what they say, beside what was foretold, and what they live through."""

import json
import math
import os
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.hosts.host import Host
from tests.integration.go_programs import LIMITS, RELEASES, Build
from tests.integration.guests import MACHINES, bring, shell
from tests.integration.playbook import Play, Run, reached

MODULE, INFO = "gohost.linux.cgroup_limits", "gohost.linux.go_runtime_info"
HERE, SAID, UNITS = "/opt/gohost-limits", "/run/gohost-limits", "/etc/systemd/system"
SEED = int(os.environ.get("GOHOST_SEED", str(time.time_ns() % 1_000_000)))
QUOTAS = (0.7, 1.0, 1.01, 1.5, 2.0, 2.01, 2.5, 3.0, 3.3, 4.0, 5.5)
GODEBUGS = (
    "containermaxprocs=0",
    "containermaxprocs=1",
    "containermaxprocs=+0",
    "containermaxprocs=-1",
    "containermaxprocs=0,containermaxprocs=1",
    "containermaxprocs=2,containermaxprocs=no",
    "madvdontneed=1, containermaxprocs=0",
    "containermaxprocs",
    "=,;",
)
GOMAXPROCS = ("1", "2", "3", "7", "03", "+3", "0", "-2", "", " 2", "2.0", "many", "2147483648")

pytestmark = pytest.mark.once


class Case(NamedTuple):
    """A service that holds all programs, in a slice of its own. outer, inner: the options of their limits; affinity: CPUAffinity=."""

    name: str
    outer: Mapping[str, Any]
    inner: Mapping[str, Any]
    affinity: str
    environment: Mapping[str, str]

    @property
    def service(self) -> str:
        return f"{self.name}.service"

    @property
    def wishes(self) -> list[dict[str, Any]]:
        return [{"unit": f"{self.name}.slice", **self.outer}, {"unit": self.service, "go_runtime": "off", **self.inner}]

    @property
    def text(self) -> str:
        variables = " ".join(f'"{name}={value}"' for name, value in self.environment.items())
        start = f"ExecStart=/bin/sh {HERE}/all %n"
        return f"[Service]\nSlice={self.name}.slice\nCPUAffinity={self.affinity}\nEnvironment={variables}\n{start}\n"


def random_cases(chance: random.Random, cpus: Sequence[int], version: int) -> list[Case]:
    """Thirty, of which about half say nothing in the environment."""
    found = []
    for number in range(30):
        limits: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        where = chance.choice(((), (0,), (1,), (0, 1), (0, 1)))
        for index in where:
            limits[index]["cpu_quota"] = chance.choice(QUOTAS)
        if version == 1 and len(where) == 2:  # whose kernel takes no quota above that of a slice
            limits[1]["cpu_quota"] = min(each["cpu_quota"] for each in limits)
        if chance.random() < 0.15:  # which on v1 gives it a cpu cgroup of its own
            limits[1]["cpu_weight"] = 50
        kept = chance.choice(cpus)  # so that the two masks have one in common
        masks = [",".join(str(cpu) for cpu in cpus if cpu == kept or chance.random() < 0.7) if chance.random() < 0.4 else "" for _mask in range(2)]
        if masks[0] and version == 2:
            limits[chance.randrange(2)]["allowed_cpus"] = masks[0]
        environment = {}
        if chance.random() < 0.5:
            asked = chance.randrange(3)
            if asked:
                environment["GODEBUG"] = chance.choice(GODEBUGS)
            if asked != 1:
                environment["GOMAXPROCS"] = chance.choice(GOMAXPROCS)
        found.append(Case(f"gohosttest{number}", *limits, masks[1], environment))
    return found


class Place(NamedTuple):
    guest: Host
    cpus: tuple[int, ...]
    version: int  # of cgroups


@pytest.fixture(scope="module")
def place(guest: Host, programs: dict[Build, Path]) -> Iterator[Place]:
    files = {f"{HERE}/programs/{build.name}": path.read_bytes() for build, path in programs.items()}
    bring(guest, {**files, f"{HERE}/in_guest.py": (LIMITS / "in_guest.py").read_bytes(), f"{HERE}/all": ALL.encode()})
    asked = "import os; print(os.path.exists('/sys/fs/cgroup/cgroup.controllers'), *os.sched_getaffinity(0))"
    unified, *cpus = shell(guest, f'mkdir -p {SAID}; python3 -c "{asked}"').split()
    yield Place(guest, tuple(map(int, cpus)), 2 if unified == "True" else 1)
    shell(guest, f"rm -rf {HERE} {SAID}")


# All programs in one unit; each waits for an end that never comes.
ALL = f"""#!/bin/sh
mkdir -p {SAID}/$1
mkfifo {SAID}/$1/wait
cd {HERE}/programs
for program in *; do ./$program 0<>{SAID}/$1/wait >{SAID}/$1/$program & done
wait
"""


@contextmanager
def units(guest: Host, texts: Mapping[str, str]) -> Iterator[None]:
    """Units that are there until the block ends, and nothing of them after it."""
    bring(guest, {f"{UNITS}/{name}": text.encode() for name, text in texts.items()})
    try:
        yield
    finally:
        services = " ".join(name for name in texts if name.endswith(".service"))
        shell(guest, f"systemctl kill -s KILL {services}; systemctl stop {services}; rm -rf {SAID}/* {UNITS}/gohosttest*; systemctl daemon-reload")


def in_guest(play: Play, name: str, number: int, services: Sequence[str]) -> None:
    play.task(name, "ansible.builtin.command", argv=["python3", f"{HERE}/in_guest.py", str(number), *services])


@pytest.mark.parametrize("numbers", [pytest.param(range(10), id="ten"), pytest.param(range(10, 30), id="twenty more", marks=pytest.mark.long)])
@pytest.mark.parametrize("guest", MACHINES, indirect=True)
def test_foretold(place: Place, tmp_path: Path, numbers: range) -> None:
    every = random_cases(random.Random(SEED), place.cpus, place.version)
    cases = [every[number] for number in numbers]
    services = [case.service for case in sorted(cases, key=lambda case: "allowed_cpus" not in {**case.outer, **case.inner})]
    wishes = [wish for case in cases for wish in case.wishes]
    play = Play(tmp_path)
    play.task("limits", MODULE, units=wishes)
    in_guest(play, "started", len(RELEASES), services)
    play.task("info", INFO, units=services)
    play.task("limits again", MODULE, units=wishes)
    play.task("away", MODULE, units=[{"unit": wish["unit"], "state": "absent"} for wish in wishes])
    with units(place.guest, {case.service: case.text for case in cases}):
        run = play.run(variables=reached(place.guest))
        left = shell(place.guest, f"find {UNITS} /run/systemd -path '*gohosttest*.d*'")
    wrong = list(_wrong(cases, run))
    assert not wrong, f"GOHOST_SEED={SEED}\n" + "\n".join(wrong)
    assert not run["limits again"].changed and run["away"].ok().changed
    assert left == ""


def _wrong(cases: Sequence[Case], run: Run) -> Iterator[str]:
    """What was foretold otherwise than it came."""
    started = json.loads(run["started"].ok().result["stdout"])
    rows = {(row["unit"], os.path.basename(row["executable"])): row for row in run["info"].ok().result["programs"]}
    before, after = ({row["unit"]: row for row in run[task].ok().result["units"]} for task in ("limits", "limits again"))
    for case in cases:
        assert set(started["said"][case.service]) >= {build.name for build in RELEASES}
        for build in RELEASES:
            row = rows[case.service, build.name]
            procs, cpus = map(int, started["said"][case.service][build.name].split())
            foretold = {"info": row["expected_gomaxprocs"]}
            if not case.environment and build.line == ".".join(build.release.split(".")[:2]):
                foretold["limits, before the start"] = before[case.service]["go_visible"]["gomaxprocs"][build.line]
                foretold["limits, while it runs"] = after[case.service]["go_visible"]["gomaxprocs"][build.line]
            yield from (f"{build.name} took {procs} where {told} was foretold by {who}: {case}" for who, told in foretold.items() if told != procs)
            allowed = len(expanded(row["cpus_allowed"]))
            if cpus != allowed:
                yield f"{build.name} has {cpus} CPUs, {allowed} by its affinity: {case}"
            looks, directory = started["looks"][str(row["pid"])], row["go_visible"]["directory"]
            # With GOMAXPROCS it opens the file all the same, and one that is not there is not open.
            if row["quota_ignored"] != "environment" and looks != directory and (looks or row["go_visible"]["cpus"]):
                yield f"{build.name} reads {looks} instead of {directory}: {case}"


def expanded(text: str) -> list[int]:
    ranges = (part.split("-") for part in text.split(","))
    return [cpu for part in ranges for cpu in range(int(part[0]), int(part[-1]) + 1)]


def once(slice_name: str, build: Build, *arguments: str) -> str:
    """A service that is one program, which says what it sees and ends."""
    start = " ".join((f"{HERE}/programs/{build.name}", *arguments))
    return f"[Service]\nType=oneshot\nSlice={slice_name}\nStandardOutput=truncate:{SAID}/%n/said\nExecStart={start}\n"


# The options of a slice, those of each of six services in it, and whether releases that look at quotas choose right by themselves there.
SLICES: Mapping[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "gohosttestnone.slice": ({}, {}, True),
    "gohosttestouter.slice": ({"cpu_quota": 1.5}, {}, False),
    "gohosttestinner.slice": ({"cpu_quota": 2.5}, {"cpu_quota": 1.2, "memory_max": "100MiB"}, True),
    "gohosttestwide.slice": ({"cpu_quota": 1.2}, {"cpu_quota": 3}, False),  # which v1's kernel does not take
}


@pytest.mark.parametrize("guest", [*MACHINES[:-1], pytest.param(MACHINES[-1], marks=pytest.mark.long)], indirect=True)
def test_told_what_it_cannot_know(place: Place, tmp_path: Path) -> None:
    slices = {name: limits for name, limits in SLICES.items() if place.version == 2 or name != "gohosttestwide.slice"}
    services = {f"{name.removesuffix('.slice')}-{build.name}.service": (name, build) for name in slices for build in RELEASES}
    bring(place.guest, {f"{SAID}/{service}/said": b"" for service in services})
    wishes = [{"unit": name, **outer} for name, (outer, _inner, _known) in slices.items()]
    wishes += [{"unit": service, "go_runtime": "auto", **slices[name][1]} for service, (name, _build) in services.items()]
    play = Play(tmp_path)
    play.task("auto", MODULE, units=wishes)
    in_guest(play, "started", 1, list(services))
    with units(place.guest, {service: once(name, build) for service, (name, build) in services.items()}):
        run = play.run(variables=reached(place.guest))
    rows = {row["unit"]: row for row in run["auto"].ok().result["units"]}
    said = json.loads(run["started"].ok().result["stdout"])["said"]
    for service, (name, build) in services.items():
        outer, inner, known = slices[name]
        quota = min(outer.get("cpu_quota", math.inf), inner.get("cpu_quota", math.inf))
        fits = len(place.cpus) if quota == math.inf else min(len(place.cpus), max(2, math.ceil(quota)))
        row = rows[service]
        assert int(said[service]["said"].split()[0]) == row["expected_gomaxprocs"] == fits, row
        told = fits < len(place.cpus) and not (known and build.reads_quota)
        assert row["environment"].get("GOMAXPROCS") == (str(fits) if told else None), row
        assert row["environment"].get("GOMEMLIMIT") == ("90MiB" if "memory_max" in inner else None), row


MANAGER = {"GODEBUG": "madvdontneed=1", "GOGC": "70"}
# Lines of a service → what its program gets beside that of MANAGER, None for nothing, and beside what it is told of its limits.
ENVIRONMENTS: Mapping[str, tuple[str, dict[str, str | None]]] = {
    "nothing": ("", {}),
    "passed": ("PassEnvironment=GOMAXPROCS", {"GOMAXPROCS": "7"}),
    "set": ("PassEnvironment=GOMAXPROCS\nEnvironment=GOMAXPROCS=3 GOGC=50", {"GOMAXPROCS": "3", "GOGC": "50"}),
    "file": ("Environment=GOMAXPROCS=3\nEnvironmentFile=-%t/gohost-limits/env*", {"GOMAXPROCS": "4", "GOGC": " 90"}),
    "escaped": (
        r"""Environment='GOMAXPROCS=\x35' "GODEBUG=a=\s\"\061" GOG\u0043=\
        6""",
        {"GOMAXPROCS": "5", "GODEBUG": 'a= "1', "GOGC": ""},
    ),
    "instance@6": ('Environment="GOMAXPROCS=%i" GOGC=%%%j', {"GOMAXPROCS": "6", "GOGC": "%gohosttestinstance"}),
    "wrong": ('Environment=GOMAXPROCS=3 GOGC=%Z "GOGC=5', {"GOMAXPROCS": "3"}),
    "reset": ("Environment=GOMAXPROCS=3\nEnvironment=\nUnsetEnvironment=GOGC\nUnsetEnvironment=", {}),
    "unset": ("UnsetEnvironment=GOGC GODEBUG=madvdontneed=0", {"GOGC": None}),
    "exactly": ("UnsetEnvironment=GOGC=7 GODEBUG=madvdontneed=1", {"GODEBUG": None}),
    "untold": ("UnsetEnvironment=GOMEMLIMIT", {}),
}
GIVE = f"""mkdir -p /etc/systemd/system.conf.d
printf '[Manager]\\nDefaultEnvironment=GODEBUG=madvdontneed=1 GOGC=60\\nManagerEnvironment=GOMAXPROCS=7\\n' >/etc/systemd/system.conf.d/gohosttest.conf
systemctl daemon-reload; systemctl set-environment GOGC=70
printf 'GOMAXPROCS=9\\n' >{SAID}/env1; printf '#GOGC=1\\nGOMAXPROCS= 4 \\nGOGC=" 9"0\\n' >{SAID}/env2; mkfifo {SAID}/wait"""
TAKE = "rm /etc/systemd/system.conf.d/gohosttest.conf; systemctl daemon-reload; systemctl unset-environment GOGC"


@pytest.mark.parametrize("guest", [pytest.param("vm:bookworm", marks=[pytest.mark.vm, pytest.mark.long]), *MACHINES[1:]], indirect=True)
def test_environments(place: Place, tmp_path: Path) -> None:
    """What a service's environment will be is foretold by both modules, and what is unset of it is not told, and nothing is started again for it."""
    texts, gives = {}, {}
    for name, (lines, given) in ENVIRONMENTS.items():
        for build in (RELEASES[1], RELEASES[4]):
            stem, sign, instance = name.partition("@")
            service = f"gohosttest{stem}{'' if sign else build.line}{sign}{instance}.service"
            texts[service] = once("system.slice", build) + f"ExecStartPre=/bin/cp /proc/self/environ {SAID}/%n/environ\n{lines}\n"
            gives[service] = given
    held = "gohosttestheld.service"
    wait = f"StandardInput=file:{SAID}/wait\nStandardOutput=file:{SAID}/wait"  # which is opened once, for both
    texts[held] = f"[Service]\nExecStart={HERE}/programs/{RELEASES[4].name}\n{wait}\nUnsetEnvironment=GOMEMLIMIT\n"
    bring(place.guest, {f"{SAID}/{service}/said": b"" for service in gives})
    wishes = [{"unit": service, "cpu_quota": 1.5, "memory_max": "100MiB"} for service in texts]
    play = Play(tmp_path)
    play.sh("give", GIVE)
    play.task("limits", MODULE, units=wishes)
    play.task("info", INFO, units=list(texts))
    in_guest(play, "started", 1, list(gives))
    play.sh("hold", f"systemctl start {held}")
    play.task("again", MODULE, units=wishes, restart="needed")
    play.task("info of what runs", INFO, units=[held])
    play.sh("take", TAKE)
    with units(place.guest, texts):
        run = play.run(variables=reached(place.guest))
    told, again = ({row["unit"]: row for row in run[task].ok().result["units"]} for task in ("limits", "again"))
    info = {row["unit"]: row for row in run["info"].ok().result["programs"]}
    said = json.loads(run["started"].ok().result["stdout"])["said"]
    for service, given in gives.items():
        expected = {name: value for name, value in {**MANAGER, **given}.items() if value is not None} | told[service]["environment"]
        has = dict(entry.split("=", 1) for entry in said[service]["environ"].split("\0") if entry.startswith("GO"))
        assert info[service]["environment"] == has == expected, service
        procs = {int(said[service]["said"].split()[0]), *(row[service]["expected_gomaxprocs"] for row in (told, again, info))}
        assert len(procs) == 1, (service, procs)
        assert ("GOMEMLIMIT" in has) == ("untold" not in service)
    for service in (held, f"gohosttestuntold{RELEASES[4].line}.service"):
        warned = [warning for warning in told[service]["warnings"] if "UnsetEnvironment" in warning]
        assert warned == [f"UnsetEnvironment= of {UNITS}/{service} takes GOMEMLIMIT away again, so it is left out."]
    assert not run["again"].changed and run["info of what runs"].ok().result["programs"][0]["environment"] == info[held]["environment"]


@pytest.mark.vm
@pytest.mark.long
@pytest.mark.parametrize("guest", ["vm:bookworm"], indirect=True)
def test_garbage_kills_who_is_not_told(place: Place, tmp_path: Path) -> None:
    """96 MiB alive under a slice's 192 MiB, without swap: by itself the collector lets more garbage grow than lives.

    Nothing is quicker in making garbage than these programs, so that they run past GOMEMLIMIT by some MiB: that is what the headroom is for.
    """
    services = {f"gohosttesthungry{number}": build for number, build in enumerate((RELEASES[0], RELEASES[4]))}
    texts = {f"{name}.slice": "[Slice]\nMemoryMax=192M\nMemorySwapMax=0\n" for name in services}
    texts.update({f"{name}.service": once(f"{name}.slice", build, "hungry", "96") for name, build in services.items()})
    bring(place.guest, {f"{SAID}/{name}.service/said": b"" for name in services})
    started = "systemctl start {0}; systemctl show --value -p Result {0}; sed -n 's/^oom_kill //p' /sys/fs/cgroup/{1}.slice/memory.events"
    script = "; ".join(started.format(f"{name}.service", name) for name in services)
    play = Play(tmp_path)
    play.sh("alone", f"systemctl daemon-reload; {script}")
    play.task("auto", MODULE, units=[{"unit": f"{name}.service", "go_runtime": "auto", "memory_headroom": 0.8} for name in services])
    play.sh("told", script)
    with units(place.guest, texts):
        run = play.run(variables=reached(place.guest))
    assert [row["environment"] for row in run["auto"].ok().result["units"]] == [{"GOMEMLIMIT": "153MiB"}] * 2
    alone, told = (run[task].ok().result["stdout"].split() for task in ("alone", "told"))
    # systemd says "signal" where it hears of the process's end before it hears of the reason.
    assert alone[1::2] == ["1", "1"] and set(alone[::2]) <= {"oom-kill", "signal"}
    assert told == ["success", "1"] * 2
